"""The ledger as another engine sees it.

Usage: read.py duckdb|polars|pyarrow|spark TABLE, or read.py parquet FILE. Prints the sums by customer and by kind, each line
`key|n|credits|overage|delta|amount|cost_usd` with all digits, `null` for none, sorted by key with
null first. Fails when a column has not the type that the ledger promises.

Invariant: no float on the way; every sum arrives as a decimal.
"""
import datetime
import decimal
import os
import sys

import deltalake

DECIMALS = {"quantity": 6, "credits": 6, "delta": 6, "balance": 6, "amount": 9, "cost_usd": 9}
DATES = ["day", "period"]
TIMES = ["used_at", "received_at"]
SUMS = ["credits", "overage", "delta", "amount", "cost_usd"]

SQL = """
    SELECT {key}, count(*), sum(credits), sum(CASE WHEN grant_id IS NULL THEN credits END),
           sum(delta), sum(amount), sum(cost_usd)
    FROM ledger GROUP BY {key}
"""


def check(name, found, expected):
    if found != expected:
        sys.exit(f"{name} is {found}, not {expected}")


def duckdb_sums(table):
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("ledger", deltalake.DeltaTable(table).to_pyarrow_dataset())
    types = {row[0]: row[1] for row in connection.execute("DESCRIBE ledger").fetchall()}
    for name, places in DECIMALS.items():
        check(name, types[name], f"DECIMAL(18,{places})")
    for name in DATES:
        check(name, types[name], "DATE")
    for name in TIMES:
        check(name, types[name], "TIMESTAMP WITH TIME ZONE")
    check("late", types["late"], "BOOLEAN")
    for name in ("entry", "seq"):
        check(name, types[name], "BIGINT")
    for name in ("shard", "idx", "leg"):
        check(name, types[name], "INTEGER")
    row = connection.execute(
        "SELECT used_at AT TIME ZONE 'UTC', period, credits FROM ledger "
        "WHERE event_id = 'e1' AND kind = 'usage'"
    ).fetchone()
    check_row(row)
    return lambda key: connection.execute(SQL.format(key=key)).fetchall()


def polars_sums(table):
    import polars as pl

    ledger = pl.scan_delta(table)
    schema = ledger.collect_schema()
    for name, places in DECIMALS.items():
        check(name, schema[name], pl.Decimal(18, places))
    for name in DATES:
        check(name, schema[name], pl.Date)
    for name in TIMES:
        check(name, schema[name], pl.Datetime("us", "UTC"))
    check("late", schema["late"], pl.Boolean)
    for name in ("entry", "seq"):
        check(name, schema[name], pl.Int64)
    for name in ("shard", "idx", "leg"):
        check(name, schema[name], pl.Int32)
    first = ledger.filter(pl.col("event_id") == "e1", pl.col("kind") == "usage")
    first = first.select("used_at", "period", "credits")
    time, *others = first.collect().row(0)
    check_row((time.replace(tzinfo=None), *others))

    def total(column):
        # Polars says 0 for the sum of nothing.
        return pl.when(column.count() > 0).then(column.sum())

    def by(key):
        overage = pl.when(pl.col("grant_id").is_null()).then(pl.col("credits"))
        columns = [pl.col("credits"), overage, *map(pl.col, SUMS[2:])]
        totals = [total(column).alias(name) for name, column in zip(SUMS, columns)]
        return ledger.group_by(key).agg(pl.len(), *totals).collect().rows()

    return by


def spark_sums(table):
    import spark

    session = spark.session()
    ledger = spark.table(session, table)
    types = {column.name: column.dataType.simpleString() for column in ledger.schema}
    for name, places in DECIMALS.items():
        check(name, types[name], f"decimal(18,{places})")
    for name in DATES:
        check(name, types[name], "date")
    for name in TIMES:
        check(name, types[name], "timestamp")
    check("late", types["late"], "boolean")
    for name in ("entry", "seq"):
        check(name, types[name], "bigint")
    for name in ("shard", "idx", "leg"):
        check(name, types[name], "int")
    ledger.createOrReplaceTempView("ledger")
    row = session.sql(
        "SELECT date_format(used_at, 'yyyy-MM-dd HH:mm:ss.SSSSSS'), period, credits FROM ledger "
        "WHERE event_id = 'e1' AND kind = 'usage'"
    ).first()
    check_row((datetime.datetime.fromisoformat(row[0]), *row[1:]))
    return lambda key: session.sql(SQL.format(key=key)).collect()


def pyarrow_sums(table):
    return python_sums(deltalake.DeltaTable(table).to_pyarrow_table())


def parquet_sums(file):
    import pyarrow.parquet

    return python_sums(pyarrow.parquet.read_table(file))


def python_sums(ledger):
    """Adds up in Python, so that no engine's own sum is believed."""
    import pyarrow as pa

    for name, places in DECIMALS.items():
        check(name, ledger.schema.field(name).type, pa.decimal128(18, places))
    for name in DATES:
        check(name, ledger.schema.field(name).type, pa.date32())
    for name in TIMES:
        check(name, ledger.schema.field(name).type, pa.timestamp("us", "UTC"))

    def by(key):
        names = [key, "grant_id", "credits", "delta", "amount", "cost_usd"]
        sums = {}
        for row in zip(*(ledger[name].to_pylist() for name in names)):
            own, grant, credits, delta, amount, cost = row
            values = [credits, credits if grant is None else None, delta, amount, cost]
            total = sums.setdefault(own, [0] + [None] * len(SUMS))
            total[0] += 1
            for at, value in enumerate(values, start=1):
                if value is not None:
                    total[at] = value if total[at] is None else total[at] + value
        return [(own, *total) for own, total in sums.items()]

    return by


def check_row(row):
    time, period, credits = row
    check("used_at", time, datetime.datetime(2026, 3, 1, 0, 5, 0, 1))
    check("period", period, datetime.date(2026, 3, 1))
    check("credits", credits, decimal.Decimal("0.333334"))
    check("type of credits", type(credits), decimal.Decimal)


def text(value):
    if value is None:
        return "null"
    if isinstance(value, float):
        sys.exit(f"a float: {value}")
    return f"{value:f}" if isinstance(value, decimal.Decimal) else str(value)


def main():
    engine, table = sys.argv[1:]
    engines = {
        "duckdb": duckdb_sums,
        "polars": polars_sums,
        "pyarrow": pyarrow_sums,
        "spark": spark_sums,
        "parquet": parquet_sums,
    }
    by = engines[engine](table)
    for key in ("customer", "kind"):
        print(key)
        rows = sorted(by(key), key=lambda row: (row[0] is not None, (row[0] or "").encode()))
        for row in rows:
            print("|".join(map(text, row)))


main()
sys.stdout.flush()
# Without the interpreter's end, which aborts now and then while a library's threads still run.
os._exit(0)
