"""The tables in a bucket as another engine sees them.

Usage: read.py, with the data folder in PURSER_DATA and the way to it in AWS_…. Prints the ledger's
version, then for each kind `kind,n,credits,delta,amount`, sorted, nothing for none. Fails when the
table of wallets is not one row a customer.
"""
import os
import sys

import deltalake

options = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}


def table(name):
    return deltalake.DeltaTable(f"{os.environ['PURSER_DATA']}/{name}", storage_options=options)


ledger = table("ledger")
columns = ["kind", "credits", "delta", "amount", "customer"]
rows = ledger.to_pyarrow_table(columns=columns)
sums, customers = {}, set()
for kind, *values, customer in zip(*(rows[name].to_pylist() for name in columns)):
    total = sums.setdefault(kind, [0, None, None, None])
    total[0] += 1
    for at, value in enumerate(values, start=1):
        if value is not None:
            total[at] = value if total[at] is None else total[at] + value
    if kind == "wallet":
        customers.add(customer)

wallets = table("wallets").to_pyarrow_table(columns=["customer"])["customer"].to_pylist()
assert sorted(wallets) == sorted(customers), (wallets, customers)

print(ledger.version())
for kind in sorted(sums):
    n, *values = sums[kind]
    print(",".join([kind, str(n), *("" if value is None else f"{value:f}" for value in values)]))
sys.stdout.flush()
# Without the interpreter's end, which aborts now and then while a library's threads still run.
os._exit(0)
