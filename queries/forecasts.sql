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
WITH clock AS (
    SELECT now, CAST(now AS DATE) AS today,
           -- The minute that has not yet begun, so that what is left of this one does not count.
           CAST(DATE_PART('epoch', DATE_TRUNC('minute', now)) / 60 AS BIGINT)
           + CASE WHEN now > DATE_TRUNC('minute', now) THEN 1 ELSE 0 END AS next_minute
    FROM (SELECT MAX(received_at) AS now FROM ledger) AS newest
), spans AS (
    SELECT w.customer, w.plan, w.period, w.period_end, w.pool, w.used, w.overage, w.remaining,
           w.used_percent, w.pace, p.currency, a.credits AS pace_credits,
           1440 * a.days AS pace_minutes, c.next_minute,
           CAST(DATE_PART('epoch', w.period_end) / 60 AS BIGINT) - c.next_minute AS minutes_left
    FROM wallets AS w
    JOIN periods AS p ON p.customer = w.customer AND p.period = w.period
    JOIN pace AS a ON a.customer = w.customer
    CROSS JOIN clock AS c
    WHERE w.status <> 'closed' AND w.period <= c.today AND c.today < w.period_end
), rates AS (
    SELECT *,
           CAST(pace_credits * minutes_left AS DECIMAL(38, 6)) AS ahead,
           CAST(remaining * pace_minutes AS DECIMAL(38, 6)) AS behind
    FROM spans
), empties AS (
    -- Taking off the remainder first leaves a division without one, exact in every engine.
    SELECT *,
           CAST(used + overage AS DECIMAL(28, 6))
           + CAST((ahead - ahead % (pace_minutes * 0.000001)) / pace_minutes
                  AS DECIMAL(28, 6)) AS projected,
           CASE WHEN pace_credits > 0 AND remaining > 0
                THEN CAST((behind - behind % pace_credits) / pace_credits AS DECIMAL(28, 0))
                END AS minutes_to_empty
    FROM rates
), timed AS (
    SELECT *,
           CASE WHEN minutes_to_empty < minutes_left
                THEN TO_TIMESTAMP(60 * (next_minute + CAST(minutes_to_empty AS BIGINT)))
                END AS run_out_at
    FROM empties
)
SELECT customer, plan, period, period_end, pool, used, used_percent, overage, remaining,
       pace AS pace_per_day, CAST(projected AS DECIMAL(28, 6)) AS projected,
       ARROW_CAST(run_out_at, 'Timestamp(Microsecond, Some("UTC"))') AS run_out_at,
       CAST(run_out_at AS DATE) AS run_out_date, currency
FROM timed
ORDER BY customer
