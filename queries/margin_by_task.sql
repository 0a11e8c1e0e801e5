-- Question:   What does each task earn, and what does it cost us?
-- Parameters: none; a view, so filter it with WHERE.
-- Units:      quantity in `unit`; credits in credits; revenue in `currency`, cost_usd in US
--             dollars; margin = revenue - cost_usd where the currency is USD, else null.
-- One row is: one task under one price version, in one currency. events counts usage events;
--             reversals lower the sums.
--
-- Revenue is an estimate. A credit earns, when it is used, what it was sold for: the amount of the
-- grant that paid divided by the credits granted (for a pool the fee by the pool, for a purchase
-- the price by its credits, for a promotion nothing; a rollover earns as the pool it came from),
-- cut to 12 places; what one grant earns in one task is cut to nine. A pool that a change of plan
-- made larger has one price, all its fees by all its credits. Overage earns the amount billed. A
-- reversal takes back what its event earned and cost, also where its credits then expire. What was
-- sold and never used is not in any task (it is in `breakage`), so revenue adds up to at most what
-- was billed.
WITH quotients AS (
    SELECT g.customer, g.grant_id, COALESCE(p.currency, g.currency) AS currency,
           CASE WHEN g.kind = 'rollover' THEN COALESCE(p.amount, 0) / NULLIF(p.granted, 0)
                ELSE COALESCE(g.amount, 0) / NULLIF(g.granted, 0) END AS quotient
    FROM grants AS g
    LEFT JOIN grants AS p ON g.kind = 'rollover' AND p.kind = 'pool' AND p.customer = g.customer
                         AND p.grant_id = CONCAT('pool/', SUBSTR(g.grant_id, 10))
), sold AS (
    -- A cast rounds, so what is cut off goes first.
    SELECT customer, grant_id, currency,
           CAST(quotient - quotient % 0.000000000001 AS DECIMAL(28, 12)) AS credit_price
    FROM quotients
), legs AS (
    -- One row for each payer of a task, so that the price of a credit is applied once to a sum.
    SELECT l.customer, l.task, l.unit, l.price_version, l.grant_id,
           COALESCE(l.currency, p.currency) AS currency,
           COUNT(*) FILTER (WHERE l.kind = 'usage' AND l.quantity IS NOT NULL) AS events,
           COALESCE(SUM(l.quantity), 0) AS quantity,
           SUM(l.credits) AS credits,
           COALESCE(SUM(l.amount), 0) AS amount,
           COALESCE(SUM(l.cost_usd), 0) AS cost_usd
    FROM ledger AS l
    LEFT JOIN periods AS p ON p.customer = l.customer AND p.period = l.period
    WHERE l.kind IN ('usage', 'reversal')
    GROUP BY l.customer, l.task, l.unit, l.price_version, l.grant_id,
             COALESCE(l.currency, p.currency)
), worth AS (
    SELECT g.task, g.unit, g.price_version, COALESCE(s.currency, g.currency) AS currency,
           g.events, g.quantity, g.credits, g.cost_usd, g.amount,
           COALESCE(CAST(g.credits AS DECIMAL(18, 6)) * s.credit_price, 0) AS exact
    FROM legs AS g
    LEFT JOIN sold AS s ON s.customer = g.customer AND s.grant_id = g.grant_id
), earned AS (
    SELECT task, unit, price_version, currency, events, quantity, credits, cost_usd,
           CAST(amount + CAST(exact - exact % 0.000000001 AS DECIMAL(28, 9)) AS DECIMAL(28, 9))
               AS revenue
    FROM worth
), tasks AS (
    SELECT task, unit, price_version, currency,
           CAST(SUM(events) AS BIGINT) AS events,
           CAST(SUM(quantity) AS DECIMAL(28, 6)) AS quantity,
           CAST(SUM(credits) AS DECIMAL(28, 6)) AS credits,
           CAST(SUM(revenue) AS DECIMAL(28, 9)) AS revenue,
           CAST(SUM(cost_usd) AS DECIMAL(28, 9)) AS cost_usd
    FROM earned
    GROUP BY task, unit, price_version, currency
)
SELECT task, unit, price_version, events, quantity, credits, revenue, cost_usd,
       CASE WHEN currency = 'USD' THEN CAST(revenue - cost_usd AS DECIMAL(28, 9)) END AS margin,
       currency
FROM tasks
ORDER BY task, unit, price_version, currency
