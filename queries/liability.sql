-- Question:   Which credits are paid for and not yet used, and how much money stands for them?
-- Parameters: none; a view, so filter it with WHERE.
-- Units:      credits in credits; money in `currency`. as_of in UTC.
-- One row is: one customer and currency with such credits, as of the newest received_at of the
--             ledger. credits = pool_credits + rollover_credits + granted_credits, amount likewise.
--
-- The money is what was paid for the grants, pro rata of the credits that remain, to the nano: the
-- newest `closing` of every grant in `deferred`, where the rule is. Over everything that was ever
-- billed, SUM(billed) - SUM(revenue) of `revenue` is SUM(amount) here, for each customer and
-- currency. A pool that has ended counts until its period closes; credits of a purchase that starts
-- later count from the purchase on. Promotions are not owed. Billed counts as paid: whether the
-- invoice was settled is not in the ledger. As of the end of an earlier period: the newest
-- `closing` up to it in `deferred`.
WITH newest AS (
    SELECT customer, currency, kind, remaining, closing,
           ROW_NUMBER() OVER (PARTITION BY customer, grant_id ORDER BY period DESC) AS place
    FROM deferred
), clock AS (
    SELECT MAX(received_at) AS now FROM ledger
)
SELECT d.customer, d.currency,
       CAST(COALESCE(SUM(d.remaining) FILTER (WHERE d.kind = 'pool'), 0) AS DECIMAL(28, 6))
           AS pool_credits,
       CAST(COALESCE(SUM(d.remaining) FILTER (WHERE d.kind = 'rollover'), 0) AS DECIMAL(28, 6))
           AS rollover_credits,
       CAST(COALESCE(SUM(d.remaining) FILTER (WHERE d.kind = 'granted'), 0) AS DECIMAL(28, 6))
           AS granted_credits,
       CAST(SUM(d.remaining) AS DECIMAL(28, 6)) AS credits,
       CAST(COALESCE(SUM(d.closing) FILTER (WHERE d.kind = 'pool'), 0) AS DECIMAL(28, 9))
           AS pool_amount,
       CAST(COALESCE(SUM(d.closing) FILTER (WHERE d.kind = 'rollover'), 0) AS DECIMAL(28, 9))
           AS rollover_amount,
       CAST(COALESCE(SUM(d.closing) FILTER (WHERE d.kind = 'granted'), 0) AS DECIMAL(28, 9))
           AS granted_amount,
       CAST(SUM(d.closing) AS DECIMAL(28, 9)) AS amount,
       MAX(c.now) AS as_of
FROM newest AS d
CROSS JOIN clock AS c
WHERE d.place = 1 AND d.remaining > 0
GROUP BY d.customer, d.currency
ORDER BY d.customer, d.currency
