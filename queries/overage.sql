-- Question:   Which charges did no grant cover, and what was billed for them?
-- Parameters: none; a view, so filter it with WHERE.
-- Units:      credits in credits; amount in `currency`, null when the plan blocks instead of
--             billing. Times are UTC.
-- One row is: the uncovered part of one event's charge. A reversed overage is a row with negative
--             credits and amount, the credit note: its event is the command that reversed it (which
--             one it undoes is in `reversals`), its period the one in which that came. A charge of
--             zero is never overage.
SELECT customer, period, used_at, received_at, kind, event_source, event_id, event_type,
       task, unit, credits, amount, currency, plan, price_version, price_id, late, shard, entry
FROM ledger
WHERE kind IN ('usage', 'reversal') AND grant_id IS NULL AND credits <> 0
ORDER BY customer, period, shard, entry
