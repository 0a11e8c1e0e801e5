-- Question:   Which credits were paid for and lost unused, and what had been paid for them?
-- Parameters: none; a view, so filter it with WHERE.
-- Units:      expired, voided, credits in credits; amount in `currency`.
-- One row is: one kind of grant (pool, rollover, granted: a purchase) of one customer in one period
--             and currency of which credits expired or were voided. credits = expired + voided.
--             Status is `final` once the period is closed, else `draft`.
--
-- The money is pro rata of what was paid for each grant, cut once and adding up to it, by the rule
-- of `deferred`. It is kept, for the ledger knows no money paid back for credits that are voided;
-- where that was done outside of it, take it off. A pool's rest expires when its period closes and
-- is booked to that period. Credits that a reversal gave back to a grant that was gone are lost in
-- the period of the reversal (`used_amount` of `deferred` is less by the same, so revenue does not
-- change). Promotions without a price are not here.
SELECT d.customer, d.period, d.kind, d.currency,
       CAST(SUM(d.expired) AS DECIMAL(28, 6)) AS expired,
       CAST(SUM(d.voided) AS DECIMAL(28, 6)) AS voided,
       CAST(SUM(d.expired + d.voided) AS DECIMAL(28, 6)) AS credits,
       CAST(SUM(d.lost_amount) AS DECIMAL(28, 9)) AS amount,
       CASE WHEN MAX(p.number) IS NOT NULL THEN 'final' ELSE 'draft' END AS status
FROM deferred AS d
LEFT JOIN periods AS p ON p.customer = d.customer AND p.period = d.period
WHERE d.expired <> 0 OR d.voided <> 0
GROUP BY d.customer, d.period, d.kind, d.currency
ORDER BY d.customer, d.period, d.kind, d.currency
