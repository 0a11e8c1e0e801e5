"""The issued invoices against the ledger, by another engine and with sums of its own.

Usage: invoices.py DATA [DOCUMENTS SCHEMA]. Reads the Delta tables DATA/ledger and DATA/invoices with DuckDB, adds the
ledger up for every customer and period that was invoiced, rounds once a line, and compares to the cent and to the
microcredit; holds each JSON document of a folder against the schema, and its total against the table. Prints the number
of invoices, the credits and the money; fails at the first difference.

Invariant: no float on the way; nothing of Purser's own SQL is used.
"""
import collections
import decimal
import json
import pathlib
import sys

import deltalake
import duckdb
import jsonschema

CENT = decimal.Decimal("0.01")


def cents(amount):
    return amount.quantize(CENT, rounding=decimal.ROUND_HALF_UP)


def fail(*words):
    sys.exit(" ".join(str(word) for word in words))


def compare(issued, folder, schema):
    validator = jsonschema.Draft202012Validator(json.loads(pathlib.Path(schema).read_text()))
    amounts = {f"INV-{number:06}": amount for number, _, _, _, amount, _ in issued}
    found = set()
    for path in pathlib.Path(folder).glob("*.json"):
        document = json.loads(path.read_text())
        validator.validate(document)
        number = document["number"]
        if number is None:
            continue
        found.add(number)
        amount = sum(decimal.Decimal(total["amount"]) for total in document["totals"])
        if amount != amounts.get(number):
            fail(path, "comes to", amount, "not", amounts.get(number))
    if found != set(amounts):
        fail("documents and table differ in", sorted(found ^ set(amounts))[:5])


def main(data, *documents):
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name in ("ledger", "invoices"):
        connection.register(name, deltalake.DeltaTable(f"{data}/{name}").to_pyarrow_dataset())
    types = {row[0]: row[1] for row in connection.execute("DESCRIBE invoices").fetchall()}
    for name, expected in {
        "number": "BIGINT", "period": "DATE", "issued_on": "DATE", "credits": "DECIMAL(28,6)", "amount": "DECIMAL(18,2)",
    }.items():
        if types[name] != expected:
            fail(name, "is", types[name])

    # What the ledger says, rounded once for every line of usage and every kind of money.
    rows = connection.execute("""
        SELECT customer, period, kind, task, unit, currency,
               CASE WHEN kind = 'grant' THEN coalesce(event_type, '') ELSE '' END AS cause,
               CASE WHEN event_type IN ('purser.wallet.granted', 'purser.wallet.plan_changed') AND kind = 'grant'
                    THEN entry END AS alone,
               CASE WHEN kind = 'usage' AND used_at::DATE < period THEN 1 ELSE 0 END AS late,
               sum(credits), sum(amount)
        FROM ledger
        WHERE kind IN ('usage', 'reversal') OR kind = 'grant' AND amount IS NOT NULL
        GROUP BY ALL
    """).fetchall()
    credits = collections.Counter()
    money = collections.Counter()
    for customer, period, kind, _, _, currency, _, _, _, charged, amount in rows:
        credits[customer, period] += charged or 0
        money[customer, period] += cents(amount or decimal.Decimal(0))

    issued = connection.execute("""
        SELECT number, customer, period, coalesce(sum(credits), 0), sum(amount), count(DISTINCT currency)
        FROM invoices GROUP BY ALL ORDER BY number
    """).fetchall()
    if not issued:
        fail("no invoice")
    for at, (number, customer, period, charged, amount, currencies) in enumerate(issued, 1):
        if number != at:
            fail("a gap before", number)
        if charged != credits[customer, period]:
            fail(customer, period, "credits", charged, "not", credits[customer, period])
        if currencies == 1 and amount != money[customer, period]:
            fail(customer, period, "amount", amount, "not", money[customer, period])
    if documents:
        compare(issued, *documents)
    total = sum(amount for *_, amount, _ in issued)
    print(len(issued), sum(charged for _, _, _, charged, _, _ in issued), total)


main(*sys.argv[1:])
