-- Question:   What was refused, and why?
-- Parameters: none; a view, so filter it with WHERE.
-- Units:      none. Times are UTC; used_at is null where the event could not be read that far.
-- One row is: one event or command that changed nothing. `data` is what arrived: text, or `base64:`
--             and base64. Duplicates and conflicts are not here; they are in `ledger` by their kind.
SELECT received_at, reason, customer, event_source, event_id, event_type, used_at,
       source, seq, idx, data, shard, entry
FROM ledger
WHERE kind = 'rejected'
ORDER BY shard, entry
