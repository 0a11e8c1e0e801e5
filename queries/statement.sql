-- Question:   How did a wallet's credits move in a period, from the opening to the closing balance?
-- Parameters: none; a view, so filter it with WHERE customer = ... AND period = ...
-- Units:      credits, overage, balance in credits; quantity in `unit`.
-- One row is: one line, numbered from 1 within (customer, period). credits is signed: + what came
--             in, - what went out; on the first line, `opening`, they are the balance before. The
--             last, `closing`, has none of its own: its balance is SUM(credits) of the statement,
--             and the opening of the next. Between these two, where balance is null: `grant`
--             (pools, changes to a larger plan, credits bought or given), `rolled_in`, `usage` by
--             task, `reversal` by event, `moved`, `expired`, `voided`, `rolled_out`. overage is
--             what no grant covered; it is in no balance. Status is `final` once the period is
--             closed, else `draft`.
--
-- Every line counts in the period to which it is booked, and the balance is of all credits that the
-- wallet has, those too that may be used only later; `remaining` of `wallets` is what it may use
-- now, and until a period closes its pool's rest is still in the balance of that period. `moved`
-- brings credits into the period that takes them and out of the one to which they were booked, so
-- that no statement closes with another one's: late work of an ended period may be paid by credits
-- of the next (a rollover's), and a reversal in the next may give back to the ended pool, whose
-- close takes them.
WITH names AS (
    SELECT DISTINCT version, plan, name FROM plans
), granted AS (
    SELECT l.customer, l.period, 2 AS rank, 'grant' AS kind, l.entry,
           CASE WHEN l.event_type = 'purser.wallet.granted' THEN CONCAT('credits ', l.grant_id)
                WHEN l.event_type = 'purser.wallet.plan_changed'
                THEN CONCAT('change to ', COALESCE(n.name, l.plan))
                ELSE CONCAT('pool of ', COALESCE(n.name, l.plan)) END AS description,
           CAST(l.delta AS DECIMAL(28, 6)) AS credits
    FROM ledger AS l
    LEFT JOIN names AS n ON n.version = l.price_version AND n.plan = l.plan
    WHERE l.kind = 'grant'
), changed AS (
    SELECT customer, period,
           CASE WHEN kind = 'expire' THEN 7 WHEN kind = 'void' THEN 8
                WHEN delta > 0 THEN 3 ELSE 9 END AS rank,
           CASE WHEN kind = 'expire' THEN 'expired' WHEN kind = 'void' THEN 'voided'
                WHEN delta > 0 THEN 'rolled_in' ELSE 'rolled_out' END AS kind,
           MIN(entry) AS entry, grant_id AS description,
           CAST(SUM(delta) AS DECIMAL(28, 6)) AS credits
    FROM ledger
    WHERE kind IN ('expire', 'void', 'rollover')
    GROUP BY customer, period, kind, delta > 0, grant_id
), paid AS (
    SELECT customer, period, task, unit, grant_id,
           SUM(quantity) AS quantity, SUM(credits) AS credits, SUM(delta) AS delta
    FROM ledger
    WHERE kind = 'usage'
    GROUP BY customer, period, task, unit, grant_id
), tasks AS (
    SELECT customer, period, task AS description, unit,
           CAST(COALESCE(SUM(quantity), 0) AS DECIMAL(28, 6)) AS quantity,
           CAST(COALESCE(SUM(delta), 0) AS DECIMAL(28, 6)) AS credits,
           CAST(COALESCE(SUM(credits) FILTER (WHERE grant_id IS NULL), 0) AS DECIMAL(28, 6))
               AS overage
    FROM paid
    GROUP BY customer, period, task, unit
), births AS (
    SELECT customer, grant_id, MIN(period) AS period,
           MIN(CASE WHEN grant_id LIKE 'pool/%'
                     AND COALESCE(event_type, '') <> 'purser.wallet.granted' THEN 1 ELSE 0 END)
               AS is_pool
    FROM ledger
    WHERE kind = 'grant' OR kind = 'rollover' AND delta > 0
    GROUP BY customer, grant_id
), loans AS (
    SELECT p.customer, p.period AS work_period, b.period AS grant_period, p.grant_id,
           CAST(-SUM(p.delta) AS DECIMAL(28, 6)) AS credits
    FROM paid AS p
    JOIN births AS b ON b.customer = p.customer AND b.grant_id = p.grant_id
    WHERE p.period < b.period
    GROUP BY p.customer, p.period, b.period, p.grant_id
    HAVING SUM(p.delta) <> 0
    UNION ALL
    -- What a reversal gave back to an ended pool and did not expire at once: the close takes it.
    SELECT l.customer, b.period, l.period, l.grant_id, CAST(SUM(l.delta) AS DECIMAL(28, 6))
    FROM ledger AS l
    JOIN births AS b ON b.customer = l.customer AND b.grant_id = l.grant_id
    WHERE l.kind IN ('reversal', 'expire', 'void') AND b.is_pool = 1 AND l.period > b.period
    GROUP BY l.customer, b.period, l.period, l.grant_id
    HAVING SUM(l.delta) <> 0
), lines AS (
    SELECT customer, period, 1 AS rank, 'opening' AS kind, CAST(0 AS BIGINT) AS entry,
           'opening balance' AS description, CAST(NULL AS VARCHAR) AS unit,
           CAST(NULL AS DECIMAL(28, 6)) AS quantity, CAST(0 AS DECIMAL(28, 6)) AS credits,
           CAST(NULL AS DECIMAL(28, 6)) AS overage
    FROM periods
    UNION ALL
    SELECT customer, period, rank, kind, entry, description, NULL, NULL, credits, NULL FROM granted
    UNION ALL
    SELECT customer, period, rank, kind, entry, description, NULL, NULL, credits, NULL FROM changed
    UNION ALL
    SELECT customer, period, 4, 'usage', 0, description, unit, quantity, credits, overage FROM tasks
    UNION ALL
    SELECT customer, period, 5, 'reversal', entry,
           CONCAT('reversal of ', COALESCE(reversed_id, '?'), ' (', task, '), period ',
                  COALESCE(CAST(reversed_period AS VARCHAR), '?')),
           unit, -quantity, to_grants, -overage
    FROM reversals
    UNION ALL
    SELECT customer, work_period, 6, 'moved', 0,
           CONCAT('in from period ', CAST(grant_period AS VARCHAR), ': ', grant_id),
           NULL, NULL, credits, NULL
    FROM loans
    UNION ALL
    SELECT customer, grant_period, 6, 'moved', 0,
           CONCAT('out to period ', CAST(work_period AS VARCHAR), ': ', grant_id),
           NULL, NULL, -credits, NULL
    FROM loans
    UNION ALL
    SELECT customer, period, 10, 'closing', 0, 'closing balance', NULL, NULL,
           CAST(0 AS DECIMAL(28, 6)), NULL
    FROM periods
), numbered AS (
    SELECT *,
           ROW_NUMBER() OVER (PARTITION BY customer
                              ORDER BY period, rank, entry, description, unit) AS place,
           ROW_NUMBER() OVER (PARTITION BY customer, period
                              ORDER BY rank, entry, description, unit) AS line
    FROM lines
), running AS (
    SELECT *, CAST(SUM(credits) OVER (PARTITION BY customer ORDER BY place)
                   AS DECIMAL(28, 6)) AS balance
    FROM numbered
)
SELECT r.customer, r.period, r.line, r.kind, r.description, r.unit, r.quantity,
       CASE WHEN r.kind = 'opening' THEN r.balance
            WHEN r.kind <> 'closing' THEN r.credits END AS credits,
       r.overage, CASE WHEN r.kind IN ('opening', 'closing') THEN r.balance END AS balance,
       CASE WHEN p.number IS NOT NULL THEN 'final' ELSE 'draft' END AS status
FROM running AS r
LEFT JOIN periods AS p ON p.customer = r.customer AND p.period = r.period
ORDER BY customer, period, line
