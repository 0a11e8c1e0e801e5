-- What `queries/invoice_lines.sql` answers, of the periods that start in the month of `first_day`,
-- in DuckDB: one look each at the ledger's usage, grants and reversals, and one more at usage where
-- something was reversed.

-- What is known before a query lets it pass over files and row groups.
SET VARIABLE end_day = CAST(getvariable('first_day') + INTERVAL 1 MONTH AS DATE);

CREATE TEMP TABLE invoice_lines AS
WITH names AS (
    SELECT DISTINCT version, plan, name FROM plans
), grants AS MATERIALIZED (
    SELECT l.customer, l.period, l.entry, l.event_type, l.grant_id, l.delta, l.amount, l.currency,
           COALESCE(n.name, l.plan) AS plan_name
    FROM ledger AS l
    LEFT JOIN names AS n ON n.version = l.price_version AND n.plan = l.plan
    WHERE l.kind = 'grant' AND l.period >= getvariable('first_day')
      AND l.period < getvariable('end_day')
), fees AS (
    SELECT customer, period, 1 AS rank, 'fee' AS kind, 0 AS entry, MAX(entry) AS last_entry,
           plan_name AS description, 'period' AS unit, COUNT(*) AS quantity, NULL AS credits,
           NULL AS pool_used, NULL AS overage, SUM(amount) AS amount, currency
    FROM grants
    WHERE amount IS NOT NULL AND COALESCE(event_type, '')
          NOT IN ('purser.wallet.granted', 'purser.wallet.plan_changed')
    GROUP BY customer, period, plan_name, currency
), changes AS (
    SELECT customer, period, 2, 'change', entry, entry, 'change to ' || plan_name, 'credit', delta,
           NULL, NULL, NULL, amount, currency
    FROM grants
    WHERE event_type = 'purser.wallet.plan_changed'
), purchases AS (
    SELECT customer, period, 6, 'grant', 0, entry, 'credits ' || grant_id, 'credit', delta, NULL,
           NULL, NULL, amount, currency
    FROM grants
    WHERE amount IS NOT NULL AND event_type = 'purser.wallet.granted'
), days AS (
    -- Numbers compare faster than days made of times; few rows are late.
    SELECT customer, period,
           CASE WHEN epoch_us(used_at) < epoch_us(period) THEN CAST(used_at AS DATE) END
               AS late_day,
           task, unit, currency, MAX(entry) AS last_entry, COALESCE(SUM(quantity), 0) AS quantity,
           SUM(credits) AS credits,
           COALESCE(SUM(credits) FILTER (WHERE grant_id IS NULL), 0) AS overage,
           SUM(amount) AS amount
    FROM ledger
    WHERE kind = 'usage' AND period >= getvariable('first_day') AND period < getvariable('end_day')
    GROUP BY ALL
), spans AS (
    SELECT customer, period, LEAST(period_end, COALESCE(LEAD(period) OVER (
               PARTITION BY customer ORDER BY period), period_end)) AS period_end
    FROM periods
), worked AS (
    SELECT d.customer, d.period, CASE WHEN d.late_day IS NULL THEN 3 ELSE 4 END,
           CASE WHEN d.late_day IS NULL THEN 'usage' ELSE 'late' END, 0, MAX(d.last_entry),
           CASE WHEN d.late_day IS NULL THEN d.task
                WHEN e.period IS NULL THEN d.task || ', used before the first period'
                ELSE d.task || ', used in period ' || e.period END,
           d.unit, SUM(d.quantity), SUM(d.credits), SUM(d.credits - d.overage), SUM(d.overage),
           SUM(d.amount), COALESCE(d.currency, p.currency) AS currency
    FROM days AS d
    LEFT JOIN periods AS p ON p.customer = d.customer AND p.period = d.period
    LEFT JOIN spans AS e ON e.customer = d.customer AND e.period <= d.late_day
                        AND d.late_day < e.period_end
    GROUP BY d.customer, d.period, d.late_day IS NULL, d.task, d.unit, e.period,
             COALESCE(d.currency, p.currency)
), reversals AS MATERIALIZED (
    SELECT customer, period, source, seq, idx, MAX(data) ->> '$.source' AS reversed_source,
           MAX(data) ->> '$.id' AS reversed_id, MAX(task) AS task, MAX(unit) AS unit,
           COALESCE(SUM(quantity), 0) AS quantity, COALESCE(SUM(credits), 0) AS credits,
           COALESCE(SUM(credits) FILTER (WHERE grant_id IS NOT NULL), 0) AS pool_used,
           COALESCE(SUM(credits) FILTER (WHERE kind = 'reversal' AND grant_id IS NULL), 0)
               AS overage,
           SUM(amount) AS amount, MAX(currency) AS currency, MIN(entry) AS entry,
           MAX(entry) AS last_entry
    FROM ledger
    WHERE (kind = 'reversal' OR kind = 'expire' AND idx >= 0)
      AND period >= getvariable('first_day') AND period < getvariable('end_day')
    GROUP BY customer, period, source, seq, idx
), found AS (
    SELECT r.customer, r.entry, arg_max(u.period, u.entry) AS period
    FROM reversals AS r
    JOIN ledger AS u ON u.customer = r.customer AND u.event_source = r.reversed_source
                    AND u.event_id = r.reversed_id AND u.entry < r.entry
    WHERE u.kind = 'usage' AND u.quantity IS NOT NULL
    GROUP BY r.customer, r.entry
), notes AS (
    SELECT *, SUM(COALESCE(amount, 0)) OVER (PARTITION BY customer, period, task, unit, currency
                                             ORDER BY entry) AS noted
    FROM reversals
), reversed AS (
    SELECT r.customer, r.period, 5, 'reversal', r.entry, r.last_entry,
           concat('reversal of ', COALESCE(r.reversed_id, '?'), ' (', r.task, '), period ',
                  COALESCE(CAST(f.period AS VARCHAR), '?')),
           r.unit, r.quantity, r.credits, r.pool_used, r.overage,
           CAST(r.noted AS DECIMAL(18, 2))
               - CAST(r.noted - COALESCE(r.amount, 0) AS DECIMAL(18, 2)),
           COALESCE(r.currency, p.currency)
    FROM notes AS r
    LEFT JOIN found AS f ON f.customer = r.customer AND f.entry = r.entry
    LEFT JOIN periods AS p ON p.customer = r.customer AND p.period = r.period
), lines AS (
    SELECT * FROM fees UNION ALL SELECT * FROM changes UNION ALL SELECT * FROM worked
    UNION ALL SELECT * FROM reversed UNION ALL SELECT * FROM purchases
)
SELECT l.customer, l.period,
       ROW_NUMBER() OVER (PARTITION BY l.customer, l.period
                          ORDER BY l.rank, l.entry, l.description, l.unit, l.currency) AS line,
       l.kind, l.description, l.unit, CAST(l.quantity AS DECIMAL(28, 6)) AS quantity,
       CAST(l.credits AS DECIMAL(28, 6)) AS credits,
       CAST(l.pool_used AS DECIMAL(28, 6)) AS pool_used,
       CAST(l.overage AS DECIMAL(28, 6)) AS overage,
       CAST(COALESCE(l.amount, 0) AS DECIMAL(18, 2)) AS amount, l.currency,
       CASE WHEN p.number IS NOT NULL THEN 'final' ELSE 'draft' END AS status, p.number,
       p.period_end, CASE WHEN p.number IS NOT NULL THEN CAST(p.closes_at AS DATE) END AS issued_on,
       p.shard, MAX(l.last_entry) OVER (PARTITION BY l.customer, l.period) AS last_entry
FROM lines AS l
LEFT JOIN periods AS p ON p.customer = l.customer AND p.period = l.period
ORDER BY customer, period, line;
