"""What the bench compares a restart with: DuckDB reads every column of the checkpoint's file and of
the ledger's files after it.

Usage: read.py WALLETS ENTRIES CHECKPOINT FILE.... Fails with fewer wallets or entries than those.
Prints what it took, of its own and not of Python's start.
"""
import json
import resource
import sys
import time

import duckdb

WALLETS, ENTRIES = map(int, sys.argv[1:3])
CHECKPOINT, *FILES = sys.argv[3:]


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


begun, cpu_begun = time.monotonic(), cpu()
db = duckdb.connect(config={"threads": 2})
# It would take counts of columns from the files' footers.
db.execute("SET disabled_optimizers = 'statistics_propagation'")
read = "SELECT COUNT(*), COUNT(COLUMNS(*)) FROM read_parquet($1)"
wallets, *_ = db.execute(read, [[CHECKPOINT]]).fetchone()
entries, *_ = db.execute(read, [FILES]).fetchone()
assert wallets >= WALLETS and entries >= ENTRIES, f"{wallets} wallets, {entries} entries"
print(json.dumps({
    "wall_micros": int((time.monotonic() - begun) * 1e6),
    "cpu_micros": int((cpu() - cpu_begun) * 1e6),
    "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
}))
