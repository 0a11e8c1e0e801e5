-- Question:   When does each wallet run out, and what will it have used by its period's end?
-- Parameters: none; a view, so filter it with WHERE.
-- Units:      pool, used, overage, remaining, projected in credits; pace_per_day in credits a day (see
--             `pace`); used_percent as in `wallets`. Times are UTC. period_end is exclusive.
-- One row is: one open wallet in its current period, as of T, the newest received_at in the ledger.
--             projected = used + overage so far, and until the period's end the pace of `pace`, in
--             whole minutes left, cut to the microcredit. run_out_at is the minute in which the last
--             credit goes, and run_out_date its day; both are null when nothing is left, and when the
--             credits last until the period's end. Grants that expire or arrive before then are not
--             foreseen.
SELECT customer, plan, period, period_end, pool, used, used_percent, overage, remaining,
       pace AS pace_per_day, projected, run_out_at, run_out_date, currency
FROM standings
WHERE is_current
ORDER BY customer
