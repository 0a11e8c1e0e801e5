"""Asks `purser serve` as its users do: with psycopg (PostgreSQL's own client library), with asyncpg
(none of its code) and with ADBC (Arrow).

Usage: serve.py PORT SERVER AUTHORITY COMMAND…: SERVER is its process; COMMAND adds one row of usage to the ledger. Passwords: purser
has "secret-of-purser", reader "secret-of-reader". Prints the sums that it saw; fails at the first thing that is not as
promised.
"""
import asyncio
import datetime
import decimal
import ssl
import subprocess
import sys
import threading

import adbc_driver_postgresql.dbapi as adbc
import asyncpg
import psycopg
import pyarrow

PORT, SERVER, AUTHORITY, *COMMAND = sys.argv[1:]
TLS = f"sslmode=verify-ca sslrootcert={AUTHORITY}"


def connect(user, password=None, more=TLS):
    password = password or f"secret-of-{user}"
    return psycopg.connect(
        f"host=localhost port={PORT} dbname=purser user={user} password={password} {more}", autocommit=True
    )


def expect(what, found, expected):
    if found != expected:
        sys.exit(f"{what}: {found!r}, not {expected!r}")


def refused(what, words, attempt):
    try:
        attempt()
    except psycopg.Error as error:
        if words not in str(error):
            sys.exit(f"{what} is refused with {error!r}, without {words!r}")
        return
    sys.exit(f"{what} is not refused")


async def connect_asyncpg():
    return await asyncpg.connect(
        f"postgresql://purser:secret-of-purser@localhost:{PORT}/purser", ssl=ssl.create_default_context(cafile=AUTHORITY)
    )


async def some_at_a_time():
    """Rows of a prepared statement, as JDBC fetches them; the client's pauses are its own."""
    connection = await connect_asyncpg()
    await connection.execute("SET statement_timeout = 1500")
    async with connection.transaction():
        rows = await connection.cursor("SELECT value FROM generate_series(1, 100000) ORDER BY value")
        first = await rows.fetch(2)
        await asyncio.sleep(2)
        second, rest, none = await rows.fetch(2), await rows.fetch(2_147_483_647), await rows.fetch(1)
    expect("rows some at a time", [row[0] for row in first + second], [1, 2, 3, 4])
    expect("the rest", (len(rest), rest[-1][0], none), (99_996, 100_000, []))
    await connection.close()


async def by_asyncpg(statement):
    """Another implementation of the protocol, which takes every value in binary."""
    connection = await connect_asyncpg()
    row = await connection.fetchrow(statement, "acme")
    await connection.close()
    return tuple(row.values())


def by_adbc(statement):
    """Arrow in columns, as Polars and pandas take it; it asks for every value in binary."""
    with adbc.connect(
        f"postgresql://reader:secret-of-reader@localhost:{PORT}/purser?{TLS.replace(' ', '&')}",
        db_kwargs={"adbc.postgresql.type_resolver_mode": "builtin", "adbc.postgresql.use_copy": "false"},
    ) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        table = cursor.fetch_arrow_table()
    # PostgreSQL's numeric has no end, so this driver leaves its digits as they are.
    amounts = table["remaining"].combine_chunks().storage.cast(pyarrow.decimal128(28, 6))
    return (table["customer"][0].as_py(), amounts[0].as_py(), table["period"][0].as_py())


def peak_kib():
    with open(f"/proc/{SERVER}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def stops_early():
    """A client that has enough of a statement, before its first row and while rows come."""
    connection = connect("purser")
    endless = "SELECT a.value, repeat('x', 1000) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b"
    count = f"SELECT COUNT(*) FROM ({endless.replace('repeat', 'a.value % 7, concat')}) WHERE value % 3 = 1"
    cursor = connection.cursor()
    for prepare in (False, True):
        cursor.execute("SET statement_timeout = 300")
        for long in (endless, count, "EXPLAIN ANALYZE " + count):
            refused("a statement of too much time", "statement_timeout", lambda: cursor.execute(long, prepare=prepare))
        cursor.execute("SET statement_timeout = 0")
        timer = threading.Timer(0.3, connection.cancel)
        timer.start()
        refused("a cancelled count", "ancel", lambda: cursor.execute(count, prepare=prepare))
        timer.join()
        timer = threading.Timer(0.3, connection.cancel)
        timer.start()
        refused("what is no query", "ancel", lambda: cursor.execute("EXPLAIN ANALYZE " + count, prepare=prepare))
        timer.join()
        # While it is planned, which takes seconds in a debug build; its rows are there at once.
        timer = threading.Timer(0.1, connection.cancel)
        timer.start()
        planned = "SELECT COUNT(*) FROM signals a, signals b, signals c"
        refused("a cancelled plan", "ancel", lambda: cursor.execute(planned, prepare=prepare))
        timer.join()
    refused("a limit before it in one text", "statement_timeout", lambda: cursor.execute(f"SET statement_timeout = 300; {count}"))
    cursor.execute("SET statement_timeout = 0")
    before = peak_kib()
    rows = cursor.stream(endless)
    for _ in range(200_000):
        next(rows)
    connection.cancel()
    refused("a cancelled answer", "ancel", lambda: sum(1 for _ in rows))
    expect("an answer after that", cursor.execute("SELECT 1").fetchone(), (1,))
    # 200 MB have come through.
    if peak_kib() > before + 100_000:
        sys.exit(f"an answer is held: {before} KiB before it, {peak_kib()} after")
    # Room is made for the rows of a FETCH beforehand.
    cursor.execute("BEGIN")
    cursor.execute("DECLARE some CURSOR FOR SELECT value FROM generate_series(1, 5) ORDER BY value")
    expect("rows of a cursor", cursor.execute("FETCH 2 FROM some").fetchall(), [(1,), (2,)])
    for many in ("100000000000000", "9999999999999999999999", "ALL", "FORWARD ALL", "FORWARD 2000000000"):
        refused(f"FETCH {many}", "at most 100000", lambda: connect("reader").execute(f"FETCH {many} FROM some"))
    cursor.execute("ROLLBACK")
    asyncio.run(some_at_a_time())
    # A cancel gets through also when all places are taken.
    others = [connect("reader") for _ in range(61)]
    timer = threading.Timer(0.3, connection.cancel)
    timer.start()
    refused("a cancelled count among many", "ancel", lambda: cursor.execute(count))
    timer.join()
    for other in others:
        other.close()


def main():
    refused("a wrong password", 'failed for user "purser"', lambda: connect("purser", "secret-of-reader"))
    refused("a stranger", "assword", lambda: connect("postgres", "secret-of-purser"))

    whole = connect("purser")
    cursor = whole.cursor()
    # Types arrive as what they are.
    row = cursor.execute(
        "SELECT credits, amount, period, received_at, late, entry, customer, cost_usd FROM ledger "
        "WHERE kind = 'usage' AND amount IS NOT NULL ORDER BY entry LIMIT 1"
    ).fetchone()
    types = [type(value) for value in row]
    expect("types", types, [
        decimal.Decimal, decimal.Decimal, datetime.date, datetime.datetime, bool, int, str, decimal.Decimal,
    ])
    # A parameter; both protocols; a cursor of the server.
    used = cursor.execute("SELECT SUM(credits) FROM usage WHERE customer = %s", ["acme"]).fetchone()
    plain = cursor.execute("SELECT SUM(credits) FROM usage WHERE customer = 'acme'", prepare=False).fetchone()
    expect("a parameter", used, plain)
    # Numbers of every type against a column of decimals, and where a number must be whole.
    for half in (decimal.Decimal("0.5"), 0.5):
        some = cursor.execute("SELECT COUNT(*) FROM usage WHERE credits > %s AND entry > %s", [half, 3]).fetchone()
        every = cursor.execute("SELECT COUNT(*) FROM usage WHERE credits >= %s AND entry > 3 LIMIT %s", [1, 1]).fetchone()
        expect("numbers as parameters", some, every)
    names = {row[0] for row in cursor.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    )}
    for name in ("ledger", "usage", "wallets", "invoice_lines", "invoices", "signals", "margin_by_task"):
        if name not in names:
            sys.exit(f"{name} is not among {sorted(names)}")
    tables = cursor.execute(
        "SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = 'public' AND c.relname = 'ledger'"
    ).fetchall()
    expect("pg_catalog", tables, [("ledger",)])

    for statement in (
        "DELETE FROM ledger", "UPDATE ledger SET entry = 0", "DROP VIEW usage", "CREATE TABLE t AS SELECT 1",
        "COPY ledger TO '/tmp/ledger.csv'", "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "INSERT INTO ledger SELECT * FROM ledger", "SELECT * INTO t FROM ledger", "SELECT X'61'' AS x INTO t --'", "SET datafusion.execution.batch_size = 1",
    ):
        refused(statement, "", lambda: cursor.execute(statement))
        refused(statement, "", lambda: cursor.execute(statement, prepare=True))
    # What would overflow a stack ends neither the server nor the connection.
    for long in (
        "SELECT " + " + ".join(["1"] * 15_000), " UNION ALL ".join(["SELECT 1"] * 3_000),
    ):
        refused("a long chain", "operators", lambda: cursor.execute(long))
        refused("a long chain", "operators", lambda: cursor.execute(long, prepare=True))
    # What the count of operators does not see.
    for deep in (
        "SELECT true" + " IN (true)" * 5_000, "EXPLAIN " * 7_000 + "SELECT 1", "SELECT " + "INTERVAL " * 7_000 + "'1 day'",
        "SELECT 1" + " NOTNULL" * 7_000,
    ):
        try:
            whole.cursor().execute(deep).fetchall()
        except psycopg.Error as error:
            if isinstance(error, psycopg.OperationalError) and "server closed" in str(error):
                sys.exit(f"{deep[:40]} ended the server")
    # What planning would multiply.
    doubled = "WITH t0 AS (SELECT entry FROM ledger)" + "".join(
        f", t{n} AS (SELECT x.entry FROM t{n - 1} x JOIN t{n - 1} y USING (entry))" for n in range(1, 25)
    )
    for large, words in (
        (doubled + " SELECT * FROM t24", "more than 500 tables"),
        ("SELECT 1 FROM ledger GROUP BY CUBE (" + ", ".join(f"entry + {n}" for n in range(25)) + ")", "GROUPING SETS"),
    ):
        refused("a statement that grows", words, lambda: cursor.execute(large))
        refused("a statement that grows", words, lambda: cursor.execute(large, prepare=True))
    stops_early()
    chain = "SELECT " + " + ".join(["1"] * 199)
    expect("a chain", cursor.execute(chain).fetchone() + cursor.execute(chain, prepare=True).fetchone(), (199, 199))
    refused("a typing error", "custommer", lambda: cursor.execute("SELECT custommer FROM ledger"))

    for user in ("purser", "reader"):
        expect("the user", connect(user).execute("SELECT current_user AS one, session_user AS other").fetchone(), (user, user))

    # The same prepared statement, before and after a commit.
    count = "SELECT COUNT(*) FROM ledger WHERE kind = 'usage' AND customer = %s"
    before = cursor.execute(count, ["late-comer"], prepare=True).fetchone()[0]
    subprocess.run(COMMAND, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = cursor.execute(count, ["late-comer"], prepare=True).fetchone()[0]
    expect("usage before and after a commit", (before, after), (0, 1))

    part = connect("reader").cursor()
    for hidden in (
        "SELECT cost_usd FROM ledger", "SELECT cost_usd FROM usage", "SELECT data FROM ledger",
        "SELECT data FROM rejected", "SELECT * FROM margin_by_task",
    ):
        refused(hidden, "", lambda: part.execute(hidden))
    with whole.cursor(name="named") as named:
        refused("a cursor of the extended protocol", "simple queries only", lambda: named.execute("SELECT 1"))
    # Nobody becomes another by a setting of the client, which may be taken or refused.
    for setting in (
        "SET user = 'purser'", "SET role = 'purser'", "SET ROLE purser", "SET SESSION AUTHORIZATION purser",
        "SET SESSION AUTHORIZATION 'purser'", "SET session_authorization = 'purser'",
    ):
        # On a connection of its own, before anything else on it.
        other = connect("reader").cursor()
        try:
            other.execute(setting)
        except psycopg.Error:
            pass
        refused(f"cost_usd after {setting}", "", lambda: other.execute("SELECT cost_usd FROM ledger"))
    seen = part.execute(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' "
        "AND (column_name LIKE '%cost_usd%' OR column_name = 'data' OR column_name LIKE '%margin%')"
    ).fetchall()
    expect("columns that a reader sees", seen, [])
    sums = "SELECT SUM(credits), SUM(delta), SUM(amount) FROM ledger"
    ours = cursor.execute(sums).fetchone()
    expect("sums of a reader", part.execute(sums).fetchone(), ours)

    wallet = "SELECT customer, remaining, period FROM wallets WHERE customer = "
    ours_wallet = cursor.execute(wallet + "'acme'").fetchone()
    expect("a wallet by asyncpg", asyncio.run(by_asyncpg(wallet + "$1")), ours_wallet)
    expect("a wallet by ADBC", by_adbc(wallet + "'acme'"), ours_wallet)
    print("|".join(str(value) for value in ours))


main()
