-- Question:   What is on each customer's invoice for each period?
-- Parameters: none; a view, so filter it with WHERE.
-- Units:      quantity in `unit`; credits, pool_used, overage in credits; amount in `currency`.
--             Rounding: each line's exact sum is rounded to the cent once, half away from zero, but
--             of a task's credit notes in a period the sum is rounded so and each line gets what
--             its own amount adds to it, so that many notes below a cent are not lost. The total is
--             the sum of the lines.
-- One row is: one line, numbered from 1 within (customer, period), the period in which it was
--             booked. `fee`: one for each plan billed in the period. `change`: one for each change
--             to a larger plan, whose amount is the difference of the fees and whose quantity is
--             the difference of the pools. `usage`: one for each task; of its credits, grants paid
--             pool_used; the amount is for the overage. `late`: likewise, one for each task and
--             earlier period in which the work was done, which had closed when the usage came.
--             `reversal`: one for each event of which usage was reversed, with the period in which
--             that was booked; negative, and where overage comes back, the credit note. `grant`:
--             one for each purchase. What is voided or expires is no line: nothing is paid back for
--             it. Status is `final` once the period is closed, its end and the grace over, or the grace
--             after the wallet's closing; then the invoice is issued_on that day and has a `number`,
--             from 1 in the order of closing (then of period and customer); else it is a `draft`.
--             period_end is exclusive, also where the wallet was closed before. last_entry is the last
--             ledger entry, of its shard, that made any line: `entry <= last_entry` makes them again.
WITH names AS (
    SELECT DISTINCT version, plan, name FROM plans
), fees AS (
    SELECT l.customer, l.period, 1 AS rank, 'fee' AS kind, CAST(0 AS BIGINT) AS entry,
           MAX(l.entry) AS last_entry,
           COALESCE(n.name, l.plan) AS description, 'period' AS unit,
           CAST(COUNT(*) AS DECIMAL(28, 6)) AS quantity,
           CAST(NULL AS DECIMAL(28, 6)) AS credits,
           CAST(NULL AS DECIMAL(28, 6)) AS pool_used,
           CAST(NULL AS DECIMAL(28, 6)) AS overage,
           SUM(l.amount) AS amount, l.currency
    FROM ledger AS l
    LEFT JOIN names AS n ON n.version = l.price_version AND n.plan = l.plan
    WHERE l.kind = 'grant' AND l.amount IS NOT NULL
      AND COALESCE(l.event_type, '') NOT IN ('purser.wallet.granted', 'purser.wallet.plan_changed')
    GROUP BY l.customer, l.period, COALESCE(n.name, l.plan), l.currency
), changes AS (
    SELECT l.customer, l.period, 2 AS rank, 'change' AS kind, l.entry, l.entry AS last_entry,
           CONCAT('change to ', COALESCE(n.name, l.plan)) AS description, 'credit' AS unit,
           CAST(l.delta AS DECIMAL(28, 6)) AS quantity,
           CAST(NULL AS DECIMAL(28, 6)) AS credits,
           CAST(NULL AS DECIMAL(28, 6)) AS pool_used,
           CAST(NULL AS DECIMAL(28, 6)) AS overage,
           CAST(l.amount AS DECIMAL(28, 9)) AS amount, l.currency
    FROM ledger AS l
    LEFT JOIN names AS n ON n.version = l.price_version AND n.plan = l.plan
    WHERE l.kind = 'grant' AND l.event_type = 'purser.wallet.plan_changed'
), worked_on AS (
    -- Usage, and of what is late the day on which the work was done, too. Few rows are late, so
    -- that most row groups tell beforehand that they have none.
    SELECT *, CAST(NULL AS DATE) AS late_day
    FROM coded_ledger
    WHERE kind = 'usage' AND late IS NOT TRUE
    UNION ALL
    SELECT *, CASE WHEN CAST(used_at AS DATE) < period THEN CAST(used_at AS DATE) END
    FROM coded_ledger
    WHERE kind = 'usage' AND late
), days AS (
    SELECT CAST(w.customer AS VARCHAR) AS customer, w.period, w.late_day,
           CAST(w.task AS VARCHAR) AS task, CAST(w.unit AS VARCHAR) AS unit,
           CAST(w.currency AS VARCHAR) AS currency, MAX(w.entry) AS last_entry,
           COALESCE(SUM(w.quantity), 0) AS quantity, SUM(w.credits) AS credits,
           COALESCE(SUM(w.credits) FILTER (WHERE w.grant_id IS NULL), 0) AS overage,
           SUM(w.amount) AS amount
    FROM worked_on AS w
    GROUP BY CAST(w.customer AS VARCHAR), w.period, w.late_day, CAST(w.task AS VARCHAR),
             CAST(w.unit AS VARCHAR), CAST(w.currency AS VARCHAR)
), spans AS (
    -- Of a wallet that was closed and opened anew, the later period begins before the other ends.
    SELECT customer, period,
           LEAST(period_end, COALESCE(LEAD(period) OVER (PARTITION BY customer ORDER BY period),
                                      period_end)) AS period_end
    FROM periods
), worked AS (
    SELECT d.customer, d.period, CASE WHEN d.late_day IS NULL THEN 3 ELSE 4 END AS rank,
           CASE WHEN d.late_day IS NULL THEN 'usage' ELSE 'late' END AS kind,
           CAST(0 AS BIGINT) AS entry, MAX(d.last_entry) AS last_entry,
           CASE WHEN d.late_day IS NULL THEN d.task
                WHEN e.period IS NULL THEN CONCAT(d.task, ', used before the first period')
                ELSE CONCAT(d.task, ', used in period ', CAST(e.period AS VARCHAR))
                END AS description,
           d.unit, CAST(SUM(d.quantity) AS DECIMAL(28, 6)) AS quantity,
           CAST(SUM(d.credits) AS DECIMAL(28, 6)) AS credits,
           CAST(SUM(d.credits - d.overage) AS DECIMAL(28, 6)) AS pool_used,
           CAST(SUM(d.overage) AS DECIMAL(28, 6)) AS overage,
           SUM(d.amount) AS amount, COALESCE(d.currency, p.currency) AS currency
    FROM days AS d
    LEFT JOIN periods AS p ON p.customer = d.customer AND p.period = d.period
    LEFT JOIN spans AS e ON e.customer = d.customer AND e.period <= d.late_day
                          AND d.late_day < e.period_end
    GROUP BY d.customer, d.period, d.late_day IS NULL, d.task, d.unit, e.period,
             COALESCE(d.currency, p.currency)
), notes AS (
    SELECT *, SUM(COALESCE(amount, 0)) OVER (PARTITION BY customer, period, task, unit, currency
                                             ORDER BY entry) AS noted
    FROM reversals
), reversed AS (
    SELECT r.customer, r.period, 5 AS rank, 'reversal' AS kind, r.entry, r.last_entry,
           CONCAT('reversal of ', COALESCE(r.reversed_id, '?'), ' (', r.task, '), period ',
                  COALESCE(CAST(r.reversed_period AS VARCHAR), '?')) AS description, r.unit,
           -r.quantity AS quantity, -r.credits AS credits, -r.to_grants AS pool_used,
           -r.overage AS overage,
           -- What this note adds to the rounded sum of the task's notes so far.
           CAST(CAST(r.noted AS DECIMAL(18, 2))
                - CAST(r.noted - COALESCE(r.amount, 0) AS DECIMAL(18, 2))
                AS DECIMAL(28, 9)) AS amount,
           COALESCE(r.currency, p.currency) AS currency
    FROM notes AS r
    LEFT JOIN periods AS p ON p.customer = r.customer AND p.period = r.period
), purchases AS (
    SELECT customer, period, 6 AS rank, 'grant' AS kind, CAST(0 AS BIGINT) AS entry,
           entry AS last_entry, CONCAT('credits ', grant_id) AS description, 'credit' AS unit,
           CAST(delta AS DECIMAL(28, 6)) AS quantity,
           CAST(NULL AS DECIMAL(28, 6)) AS credits,
           CAST(NULL AS DECIMAL(28, 6)) AS pool_used,
           CAST(NULL AS DECIMAL(28, 6)) AS overage,
           CAST(amount AS DECIMAL(28, 9)) AS amount, currency
    FROM ledger
    WHERE kind = 'grant' AND amount IS NOT NULL AND event_type = 'purser.wallet.granted'
), lines AS (
    SELECT * FROM fees UNION ALL SELECT * FROM changes UNION ALL SELECT * FROM worked
    UNION ALL SELECT * FROM reversed UNION ALL SELECT * FROM purchases
)
SELECT l.customer, l.period,
       ROW_NUMBER() OVER (PARTITION BY l.customer, l.period
                          ORDER BY l.rank, l.entry, l.description, l.unit, l.currency) AS line,
       l.kind, l.description, l.unit, l.quantity, l.credits, l.pool_used, l.overage,
       CAST(COALESCE(l.amount, 0) AS DECIMAL(18, 2)) AS amount, l.currency,
       CASE WHEN p.number IS NOT NULL THEN 'final' ELSE 'draft' END AS status, p.number,
       p.period_end, CASE WHEN p.number IS NOT NULL THEN CAST(p.closes_at AS DATE) END AS issued_on,
       p.shard,
       MAX(l.last_entry) OVER (PARTITION BY l.customer, l.period) AS last_entry
FROM lines AS l
LEFT JOIN periods AS p ON p.customer = l.customer AND p.period = l.period
ORDER BY customer, period, line
