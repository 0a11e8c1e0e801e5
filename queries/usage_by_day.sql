-- Question:   What did each customer use its credits for, day by day?
-- Parameters: none; a view, so filter it with WHERE.
-- Units:      quantity in `unit`; credits, overage in credits.
-- One row is: one task of one customer on one UTC day of used_at, the day on which the work was done,
--             whichever period it is booked to. A reversal counts on the day of its
--             command and lowers all but events, which counts usage alone.
SELECT CAST(l.customer AS VARCHAR) AS customer, CAST(used_at AS DATE) AS used_on,
       CAST(l.task AS VARCHAR) AS task, CAST(l.unit AS VARCHAR) AS unit,
       COUNT(*) FILTER (WHERE kind = 'usage' AND quantity IS NOT NULL) AS events,
       CAST(COALESCE(SUM(quantity), 0) AS DECIMAL(28, 6)) AS quantity,
       CAST(SUM(credits) AS DECIMAL(28, 6)) AS credits,
       CAST(COALESCE(SUM(credits) FILTER (WHERE grant_id IS NULL), 0) AS DECIMAL(28, 6)) AS overage
FROM coded_ledger AS l
WHERE kind IN ('usage', 'reversal')
GROUP BY CAST(l.customer AS VARCHAR), CAST(used_at AS DATE), CAST(l.task AS VARCHAR),
         CAST(l.unit AS VARCHAR)
ORDER BY customer, used_on, credits DESC, task, unit
