-- Question:   Which plans can be sold now, at which terms?
-- Parameters: none; a view, so filter it with WHERE.
-- Units:      fee in `currency` for one period; pool in credits; overage_price in `currency` for one
--             credit, null in a plan that blocks.
-- One row is: one plan of the newest price version that is in force at T, the newest received_at in
--             the ledger.
WITH clock AS (
    SELECT MAX(received_at) AS now FROM ledger
)
SELECT version, effective_from, plan, name, fee, currency, pool, overage_mode, overage_price
FROM plans
WHERE effective_from = (SELECT MAX(p.effective_from) FROM plans AS p CROSS JOIN clock AS c
                        WHERE p.effective_from <= c.now)
ORDER BY currency, fee, plan
