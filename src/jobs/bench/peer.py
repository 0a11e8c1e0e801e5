"""What the bench compares `replay` with: DuckDB reads the same events, drops copies, joins the price
table in force, sums up by customer and writes the priced rows as Parquet.

Usage: peer.py EVENTS THREADS OUT. Prints what it took, of its own and not of Python's start, and
what the events came to.
"""
import json
import resource
import sys
import time

import duckdb

EVENTS, THREADS, OUT = sys.argv[1:]


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


begun, cpu_begun = time.monotonic(), cpu()
db = duckdb.connect(config={"threads": int(THREADS), "preserve_insertion_order": False})
db.execute("""CREATE TABLE prices AS SELECT * FROM (VALUES
    ('document.analyzed', TIMESTAMP '2026-10-01', 'first', 'document analysed', 1.0, 0.0, 0.0, 0.0),
    ('document.analyzed', TIMESTAMP '2026-10-16', 'second', 'document analysed', 0.8, 0.0, 0.0, 0.0),
    ('llm.completion', TIMESTAMP '2026-10-01', 'first', 'assistant answer', 0.0, 0.05, 0.2, 0.05),
    ('llm.completion', TIMESTAMP '2026-10-16', 'second', 'assistant answer', 0.0, 0.05, 0.15, 0.05)
) AS t(type, since, version, task, document, input, output, least)""")
db.execute(f"""CREATE TABLE events AS SELECT DISTINCT ON (subject, source, id) *
    FROM read_json('{EVENTS}', format = 'newline_delimited', columns = {{
        id: 'VARCHAR', source: 'VARCHAR', type: 'VARCHAR', subject: 'VARCHAR', time: 'TIMESTAMP',
        data: 'STRUCT(documents BIGINT, input_tokens BIGINT, output_tokens BIGINT, model VARCHAR)'}})""")
db.execute("""CREATE TABLE rated AS SELECT e.subject AS customer, e.source, e.id, e.type, e.time,
        CAST(e.time AS DATE) AS day, p.task, p.version, COALESCE(e.data.documents, 1) AS quantity,
        CAST(GREATEST(p.document * COALESCE(e.data.documents, 0)
            + p.input * COALESCE(e.data.input_tokens, 0) / 1000
            + p.output * COALESCE(e.data.output_tokens, 0) / 1000, p.least) AS DECIMAL(18, 6)) AS credits
    FROM events AS e ASOF JOIN prices AS p ON p.type = e.type AND e.time >= p.since""")
db.execute("CREATE TABLE totals AS SELECT customer, SUM(credits) AS credits FROM rated GROUP BY customer")
db.execute(f"COPY rated TO '{OUT}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (day))")
events, micros = db.execute("SELECT COUNT(*), CAST(SUM(credits) * 1000000 AS BIGINT) FROM rated").fetchone()
print(json.dumps({
    "wall_micros": int((time.monotonic() - begun) * 1e6),
    "cpu_micros": int((cpu() - cpu_begun) * 1e6),
    "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    "totals": {"events": events, "micros": micros},
}))
