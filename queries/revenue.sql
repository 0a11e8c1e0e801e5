-- Question:   What was earned in each period, and how much of what was billed is yet to be earned?
-- Parameters: none; a view, so filter it with WHERE.
-- Units:      money in `currency`, exact to the nano: an invoice rounds its lines to the cent.
-- One row is: one customer, period and currency. revenue = used + breakage + overage +
--             credit_notes, and deferred_before + billed - revenue = deferred_after, which is the
--             next row's deferred_before. Status is `final` once the period is closed: then the row
--             does not change any more. Of a `draft` every number may.
--
-- The rule. A credit that was paid for earns, pro rata of what was paid for its grant, when it is
-- used (`used`), or when it expires or is voided (`breakage`); until then its part is deferred:
-- `deferred` has the rule and the rounding, grant by grant. So a plan's fee is earned in the period
-- that it is for, once that is closed, but for the part of the credits that roll over, which is
-- earned when those are used or expire. Overage is earned when it is booked, and a credit note, 0
-- or less, lowers the period in which the reversal came. Promotions earn nothing.
--
-- Limits. Billed counts as owed and paid; taxes, discounts outside of the price table, bad debts
-- and money paid back for voided credits are not in the ledger. No breakage is estimated ahead.
-- Work that a plan in mode `block` does not bill earns nothing. A period is a wallet's billing
-- month, which for most anchor days is no calendar month.
WITH parts AS (
    SELECT customer, period, currency, billed, used_amount AS used, lost_amount AS breakage,
           CAST(0 AS DECIMAL(28, 9)) AS overage, CAST(0 AS DECIMAL(28, 9)) AS credit_notes
    FROM deferred
    UNION ALL
    SELECT customer, period, currency, CAST(amount AS DECIMAL(28, 9)),
           CAST(0 AS DECIMAL(28, 9)), CAST(0 AS DECIMAL(28, 9)),
           CAST(CASE WHEN kind = 'usage' THEN amount ELSE 0 END AS DECIMAL(28, 9)),
           CAST(CASE WHEN kind = 'usage' THEN 0 ELSE amount END AS DECIMAL(28, 9))
    FROM ledger
    WHERE kind IN ('usage', 'reversal') AND amount IS NOT NULL
), sums AS (
    SELECT customer, period, currency,
           CAST(SUM(billed) AS DECIMAL(28, 9)) AS billed, CAST(SUM(used) AS DECIMAL(28, 9)) AS used,
           CAST(SUM(breakage) AS DECIMAL(28, 9)) AS breakage,
           CAST(SUM(overage) AS DECIMAL(28, 9)) AS overage,
           CAST(SUM(credit_notes) AS DECIMAL(28, 9)) AS credit_notes,
           CAST(SUM(used + breakage + overage + credit_notes) AS DECIMAL(28, 9)) AS revenue
    FROM parts
    GROUP BY customer, period, currency
), running AS (
    SELECT *, SUM(billed - revenue) OVER (PARTITION BY customer, currency ORDER BY period)
                  AS deferred_after
    FROM sums
)
SELECT r.customer, r.period, r.currency, r.billed, r.used, r.breakage, r.overage, r.credit_notes,
       r.revenue,
       CAST(r.deferred_after - r.billed + r.revenue AS DECIMAL(28, 9)) AS deferred_before,
       CAST(r.deferred_after AS DECIMAL(28, 9)) AS deferred_after,
       CASE WHEN p.number IS NOT NULL THEN 'final' ELSE 'draft' END AS status
FROM running AS r
LEFT JOIN periods AS p ON p.customer = r.customer AND p.period = r.period
ORDER BY r.customer, r.period, r.currency
