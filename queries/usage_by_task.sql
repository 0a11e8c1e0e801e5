-- Question:   What does each customer use its credits for?
-- Parameters: none; a view, so filter it with WHERE.
-- Units:      quantity in `unit`; credits, overage in credits; share in percent of the customer's
--             credits in the period, rounded half away from zero to two places, null when these
--             come to nothing.
-- One row is: one task of one customer in one period. events counts usage events; reversals are no
--             events, but they lower quantity, credits and overage.
WITH tasks AS (
    SELECT CAST(l.customer AS VARCHAR) AS customer, l.period, CAST(l.task AS VARCHAR) AS task,
           CAST(l.unit AS VARCHAR) AS unit,
           COUNT(*) FILTER (WHERE kind = 'usage' AND quantity IS NOT NULL) AS events,
           CAST(COALESCE(SUM(quantity), 0) AS DECIMAL(28, 6)) AS quantity,
           CAST(SUM(credits) AS DECIMAL(28, 6)) AS credits,
           CAST(COALESCE(SUM(credits) FILTER (WHERE grant_id IS NULL), 0) AS DECIMAL(28, 6))
               AS overage
    FROM coded_ledger AS l
    WHERE kind IN ('usage', 'reversal')
    GROUP BY CAST(l.customer AS VARCHAR), l.period, CAST(l.task AS VARCHAR), CAST(l.unit AS VARCHAR)
), totals AS (
    SELECT customer, period, CAST(SUM(credits) AS DECIMAL(28, 6)) AS credits
    FROM tasks
    GROUP BY customer, period
)
SELECT k.customer, k.period, k.task, k.unit, k.events, k.quantity, k.credits, k.overage,
       CASE WHEN t.credits > 0
            THEN CAST(100 * k.credits / t.credits AS DECIMAL(18, 2)) END AS share
FROM tasks AS k
JOIN totals AS t ON t.customer = k.customer AND t.period = k.period
ORDER BY k.customer, k.period, k.credits DESC, k.task, k.unit
