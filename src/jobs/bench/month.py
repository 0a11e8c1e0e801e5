"""What the bench compares the month's questions with: DuckDB answers them from the same ledger, with
the rows and columns of the view of that name.

Usage: month.py VIEW LEDGER PERIODS PLANS FIRST_DAY OUT. VIEW is `invoice_lines` (of the periods that
start in the month of FIRST_DAY), `upgrade_signals` or `signals`; the SQL is in the folder `month`
beside this file. Writes the answer to OUT as CSV. Prints what it took, of its own and not of Python's
start, and how many rows there are and what one whole number of each comes to.

The ledger is read as a Delta table: the files that its log names. DuckDB is spared one thing: what
Purser reckons from wallet rows and price files before each question, its tables PERIODS and PLANS, is
given to it as Parquet. All else it does from the ledger.
"""
import json
import os
import resource
import sys
import time
import urllib.parse

import duckdb

VIEW, LEDGER, PERIODS, PLANS, FIRST_DAY, OUT = sys.argv[1:]

# The scripts that answer a view, and the number of each row.
VIEWS = {
    "invoice_lines": (["invoice_lines"], "100 * amount"),
    "upgrade_signals": (["upgrade_signals"], "1000000 * projected"),
    "signals": (["upgrade_signals", "signals"], "score"),
}


def live_files(db):
    """The files of the newest version: those of the log's last checkpoint, and what the entries after
    it add and remove."""
    log = os.path.join(LEDGER, "_delta_log")
    names = sorted(os.listdir(log))
    checkpoint = max((name[:20] for name in names if ".checkpoint." in name), default="")
    parts = [os.path.join(log, name) for name in names if name.startswith(f"{checkpoint}.checkpoint.")]
    live = set()
    if parts:
        added = "SELECT add.path FROM read_parquet($1) WHERE add.path IS NOT NULL"
        live.update(path for (path,) in db.execute(added, [parts]).fetchall())
    for name in names:
        if name.endswith(".json") and name[:20].isdigit() and name[:20] > checkpoint:
            with open(os.path.join(log, name)) as entry:
                for action in map(json.loads, entry):
                    if "add" in action:
                        live.add(action["add"]["path"])
                    elif "remove" in action:
                        live.discard(action["remove"]["path"])
    return sorted(os.path.join(LEDGER, urllib.parse.unquote(path)) for path in live)


def script(name):
    with open(os.path.join(os.path.dirname(__file__), "month", f"{name}.sql")) as file:
        return file.read()


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


begun, cpu_begun = time.monotonic(), cpu()
db = duckdb.connect(config={"threads": 2})
db.execute("SET TimeZone = 'UTC'")
files = live_files(db)
db.execute(f"CREATE VIEW ledger AS SELECT * FROM read_parquet({files}, hive_partitioning = true)")
db.execute(f"CREATE TABLE periods AS SELECT * FROM read_parquet('{PERIODS}')")
db.execute(f"CREATE TABLE plans AS SELECT * FROM read_parquet('{PLANS}')")
db.execute(f"SET VARIABLE first_day = DATE '{FIRST_DAY}'")
scripts, number = VIEWS[VIEW]
for name in scripts:
    db.execute(script(name))
db.execute(f"COPY {VIEW} TO '{OUT}' (FORMAT csv, HEADER)")
took = {
    "wall_micros": int((time.monotonic() - begun) * 1e6),
    "cpu_micros": int((cpu() - cpu_begun) * 1e6),
    "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
}
totals = f"SELECT COUNT(*), CAST(COALESCE(SUM({number}), 0) AS BIGINT) FROM {VIEW}"
events, micros = db.execute(totals).fetchone()
print(json.dumps({**took, "totals": {"events": events, "micros": micros}}))
