-- Question:   What is on each customer's invoice for each period?
-- Parameters: none; a view, so filter it with WHERE.
-- Units:      quantity in `unit`; credits, pool_used, overage in credits; amount in `currency`.
--             Rounding: each line's exact sum is rounded to the cent once, half away from zero, so
--             that a credit note undoes exactly its charge. The total is the sum of the lines.
-- One row is: one line, numbered from 1 within (customer, period). `fee`: one for each plan billed in
--             the period. `usage`: one for each task, and one for what was reversed of it; of
--             its credits, grants paid pool_used; the amount is for the overage. `grant`: one for
--             each purchase. Status is `final` once the period is closed, else `draft`.
WITH clock AS (
    SELECT MAX(received_at) AS now FROM ledger
), names AS (
    SELECT DISTINCT version, plan, name FROM plans
), fees AS (
    SELECT l.customer, l.period, 1 AS rank, 'fee' AS kind,
           COALESCE(n.name, l.plan) AS description, 'period' AS unit,
           CAST(1 AS DECIMAL(28, 6)) AS quantity,
           CAST(NULL AS DECIMAL(28, 6)) AS credits,
           CAST(NULL AS DECIMAL(28, 6)) AS pool_used,
           CAST(NULL AS DECIMAL(28, 6)) AS overage,
           SUM(l.amount) AS amount, l.currency
    FROM ledger AS l
    LEFT JOIN names AS n ON n.version = l.price_version AND n.plan = l.plan
    WHERE l.kind = 'grant' AND l.amount IS NOT NULL
      AND COALESCE(l.event_type, '') <> 'purser.wallet.granted'
    GROUP BY l.customer, l.period, COALESCE(n.name, l.plan), l.currency
), used AS (
    SELECT l.customer, l.period, 2 AS rank, 'usage' AS kind,
           CASE WHEN l.kind = 'reversal' THEN CONCAT(l.task, ' (reversed)') ELSE l.task END
               AS description,
           l.unit,
           CAST(COALESCE(SUM(l.quantity), 0) AS DECIMAL(28, 6)) AS quantity,
           CAST(SUM(l.credits) AS DECIMAL(28, 6)) AS credits,
           CAST(COALESCE(SUM(l.credits) FILTER (WHERE l.grant_id IS NOT NULL), 0)
                AS DECIMAL(28, 6)) AS pool_used,
           CAST(COALESCE(SUM(l.credits) FILTER (WHERE l.grant_id IS NULL), 0)
                AS DECIMAL(28, 6)) AS overage,
           SUM(l.amount) AS amount,
           COALESCE(l.currency, p.currency) AS currency
    FROM ledger AS l
    LEFT JOIN periods AS p ON p.customer = l.customer AND p.period = l.period
    WHERE l.kind IN ('usage', 'reversal')
    GROUP BY l.customer, l.period, l.kind, l.task, l.unit, COALESCE(l.currency, p.currency)
), purchases AS (
    SELECT customer, period, 3 AS rank, 'grant' AS kind,
           CONCAT('credits ', grant_id) AS description, 'credit' AS unit,
           CAST(delta AS DECIMAL(28, 6)) AS quantity,
           CAST(NULL AS DECIMAL(28, 6)) AS credits,
           CAST(NULL AS DECIMAL(28, 6)) AS pool_used,
           CAST(NULL AS DECIMAL(28, 6)) AS overage,
           CAST(amount AS DECIMAL(28, 9)) AS amount, currency
    FROM ledger
    WHERE kind = 'grant' AND amount IS NOT NULL AND event_type = 'purser.wallet.granted'
), lines AS (
    SELECT * FROM fees UNION ALL SELECT * FROM used UNION ALL SELECT * FROM purchases
)
SELECT l.customer, l.period,
       ROW_NUMBER() OVER (PARTITION BY l.customer, l.period
                          ORDER BY l.rank, l.description, l.unit, l.currency) AS line,
       l.kind, l.description, l.unit, l.quantity, l.credits, l.pool_used, l.overage,
       CAST(COALESCE(l.amount, 0) AS DECIMAL(18, 2)) AS amount, l.currency,
       CASE WHEN p.closes_at <= c.now THEN 'final' ELSE 'draft' END AS status
FROM lines AS l
LEFT JOIN periods AS p ON p.customer = l.customer AND p.period = l.period
CROSS JOIN clock AS c
ORDER BY customer, period, line
