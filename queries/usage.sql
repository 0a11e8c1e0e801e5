-- Question:   What was used, by whom, and what did each event cost in credits and money?
-- Parameters: none; a view, so filter it with WHERE.
-- Units:      credits, from_grants, overage, net_credits, balance in credits; quantity in `unit`;
--             amount (overage billed) in `currency`; cost_usd in US dollars. Times are UTC.
-- One row is: one event of the kinds `usage` and `reversal`. A charge split over several ledger
--             rows is one row here. from_grants + overage = credits. `grants` lists what paid, in
--             the order of paying; `balance` is the wallet's after the event; `entry` is the
--             event's first.
--
-- A reversal is a row of its own, negative, in the period in which it came, so that plain sums of
-- credits are net. An event that was reversed keeps its row and its credits: reversed_by is the
-- command, `<source>/<id>`, reversed_at its received_at, and net_credits is 0. A reversal's row
-- says in `reverses` which event it undoes, has that one's task, unit and prices but the command's
-- used_at, and net_credits 0 too. So net_credits is what each event came to in the end,
-- SUM(net_credits) = SUM(credits) over all rows, and within a period the two differ where a
-- reversal came in a later one.
WITH further_legs AS (
    -- The first leg alone carries the quantity; further legs are few, hence a join and no grouping.
    SELECT customer, source, seq, idx,
           SUM(credits) AS credits,
           SUM(credits) FILTER (WHERE grant_id IS NULL) AS overage,
           SUM(amount) AS amount,
           MAX(currency) AS currency,
           STRING_AGG(grant_id, ', ' ORDER BY leg) AS grants,
           MAX(entry) AS last_entry
    FROM ledger
    WHERE kind IN ('usage', 'reversal') AND quantity IS NULL
    GROUP BY customer, source, seq, idx
), last_legs AS (
    SELECT l.customer, l.source, l.seq, l.idx, l.balance
    FROM ledger AS l
    JOIN further_legs AS f ON f.customer = l.customer AND f.last_entry = l.entry
    WHERE l.kind IN ('usage', 'reversal') AND l.quantity IS NULL
), links AS (
    -- Two rows for each reversal: its own entry, and that of the event it undoes.
    SELECT customer, UNNEST([entry, reversed_entry]) AS entry, entry AS reversal_entry,
           received_at AS reversed_at,
           CONCAT(event_source, '/', event_id) AS reversed_by,
           CONCAT(reversed_source, '/', reversed_id) AS reverses
    FROM reversals
    WHERE reversed_entry IS NOT NULL
)
SELECT l.customer, l.period, l.used_at, l.received_at, l.kind,
       l.event_source, l.event_id, l.event_type, l.task, l.unit, l.quantity,
       CAST(l.credits + COALESCE(f.credits, 0) AS DECIMAL(18, 6)) AS credits,
       CAST(CASE WHEN l.grant_id IS NULL THEN 0 ELSE l.credits END
            + COALESCE(f.credits, 0) - COALESCE(f.overage, 0) AS DECIMAL(18, 6)) AS from_grants,
       CAST(CASE WHEN l.grant_id IS NULL THEN l.credits ELSE 0 END
            + COALESCE(f.overage, 0) AS DECIMAL(18, 6)) AS overage,
       CAST(CASE WHEN r.entry IS NULL THEN l.credits + COALESCE(f.credits, 0) ELSE 0 END
            AS DECIMAL(18, 6)) AS net_credits,
       NULLIF(CONCAT_WS(', ', l.grant_id, f.grants), '') AS grants,
       CASE WHEN l.amount IS NULL THEN CAST(f.amount AS DECIMAL(18, 9))
            ELSE CAST(l.amount + COALESCE(f.amount, 0) AS DECIMAL(18, 9)) END AS amount,
       COALESCE(l.currency, f.currency) AS currency,
       l.cost_usd, COALESCE(b.balance, l.balance) AS balance,
       l.plan, l.price_version, l.price_id, l.late,
       CASE WHEN r.entry < r.reversal_entry THEN r.reversed_at END AS reversed_at,
       CASE WHEN r.entry < r.reversal_entry THEN r.reversed_by END AS reversed_by,
       CASE WHEN r.entry = r.reversal_entry THEN r.reverses END AS reverses,
       l.data, l.day, l.shard, l.entry, l.source, l.seq, l.idx
FROM ledger AS l
LEFT JOIN further_legs AS f
       ON f.customer = l.customer AND f.source = l.source AND f.seq = l.seq AND f.idx = l.idx
LEFT JOIN last_legs AS b
       ON b.customer = l.customer AND b.source = l.source AND b.seq = l.seq AND b.idx = l.idx
LEFT JOIN links AS r ON r.customer = l.customer AND r.entry = l.entry
WHERE l.kind IN ('usage', 'reversal') AND l.quantity IS NOT NULL
ORDER BY l.shard, l.entry
