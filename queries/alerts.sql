-- Question:   Which warnings were raised, when, and by which event?
-- Parameters: none; a view, so filter it with WHERE.
-- Units:      threshold in percent of the credits (`used`) or in days (`run_out`, `expiring`), null
--             where the alert has none; balance in credits. Times are UTC.
-- One row is: one alert: `used`, `overage` (the first of a period), `run_out`, `expiring` (grant_id
--             says which grant) or `status` (`status` says which: blocked, ok, closed). Its event
--             is the one that caused it, null when the clock did. An `overage` is of the period to
--             which the work was booked, which may have ended; all others are of the current one.
SELECT customer, period,
       SPLIT_PART(reason, ' ', 1) AS alert,
       TRY_CAST(SPLIT_PART(reason, ' ', 2) AS INTEGER) AS threshold,
       CASE WHEN reason LIKE 'status %' THEN SPLIT_PART(reason, ' ', 2) END AS status, grant_id,
       reason, event_source, event_id, event_type, used_at, received_at, balance, plan, shard, entry
FROM ledger
WHERE kind = 'alert'
ORDER BY shard, entry
