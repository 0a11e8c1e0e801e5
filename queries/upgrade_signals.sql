-- Question:   Which customers have outgrown their plan, and which plan fits them?
-- Parameters: none; a view, so filter it with WHERE.
-- Units:      pool, used, overage, projected in credits; pace_per_day in credits a day (see `pace`);
--             used_percent as in `wallets`; costs and saving in `currency` for one period, rounded
--             half away from zero to nine places. period_end is exclusive.
-- One row is: one open wallet in its current period of which 80 percent or more is used, or that has
--             overage, or that is going to use more than its pool.
--
-- All is as of T, the newest received_at in the ledger. projected = used + overage so far, and until
-- the period's end the pace of `pace`, in whole minutes left, cut to the microcredit. A plan's cost
-- is its fee and the projected credits beyond its pool at its overage price; a plan that does not bill
-- overage is possible only when its pool is enough. Of the possible plans of `offers` in the
-- wallet's currency the cheapest fits (then the lower fee, then the id). The
-- present plan is costed by the same version, so that saving is never negative; both are null when
-- the present plan would block. run_out_date is null when the credits last until the period's end.
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
), forecasts AS (
    -- Taking off the remainder first leaves a division without one, exact in every engine.
    SELECT customer, plan, period, period_end, pool, used, overage, used_percent, pace, currency,
           next_minute, minutes_left,
           CAST(used + overage AS DECIMAL(28, 6))
           + CAST((ahead - ahead % (pace_minutes * 0.000001)) / pace_minutes
                  AS DECIMAL(18, 6)) AS projected,
           CASE WHEN pace_credits > 0
                THEN CAST((behind - behind % pace_credits) / pace_credits AS DECIMAL(28, 0))
                END AS minutes_to_empty
    FROM rates
), costs AS (
    SELECT f.customer, t.plan, t.fee,
           CASE WHEN f.projected <= t.pool THEN CAST(t.fee AS DECIMAL(28, 9))
                WHEN t.overage_mode = 'bill'
                THEN CAST(t.fee + CAST((f.projected - t.pool) * t.overage_price
                                       AS DECIMAL(27, 9)) AS DECIMAL(28, 9))
                END AS cost
    FROM forecasts AS f
    JOIN offers AS t ON t.currency = f.currency
), fits AS (
    SELECT customer, plan, cost,
           ROW_NUMBER() OVER (PARTITION BY customer ORDER BY cost, fee, plan) AS place
    FROM costs
    WHERE cost IS NOT NULL
)
SELECT f.customer, f.plan, f.period, f.period_end, f.pool, f.used, f.used_percent, f.overage,
       f.pace AS pace_per_day,
       CASE WHEN f.minutes_to_empty < f.minutes_left
            THEN CAST(TO_TIMESTAMP(60 * (f.next_minute + CAST(f.minutes_to_empty AS BIGINT)))
                      AS DATE) END AS run_out_date,
       CAST(f.projected AS DECIMAL(28, 6)) AS projected,
       n.cost AS cost_now_plan, b.plan AS fitting_plan, b.cost AS fitting_plan_cost,
       CAST(n.cost - b.cost AS DECIMAL(28, 9)) AS saving, f.currency,
       CONCAT_WS('; ',
           CASE WHEN f.used_percent >= 80
                THEN CONCAT(CAST(f.used_percent AS VARCHAR), ' % of the credits are used') END,
           CASE WHEN f.overage > 0
                THEN CONCAT(CAST(f.overage AS VARCHAR), ' credits of overage') END,
           CASE WHEN f.projected > f.pool
                THEN CONCAT('heading for ', CAST(CAST(f.projected AS DECIMAL(28, 0)) AS VARCHAR),
                            ' credits with a pool of ',
                            CAST(CAST(f.pool AS DECIMAL(18, 0)) AS VARCHAR)) END
       ) AS reason
FROM forecasts AS f
LEFT JOIN costs AS n ON n.customer = f.customer AND n.plan = f.plan
LEFT JOIN fits AS b ON b.customer = f.customer AND b.place = 1
WHERE f.used_percent >= 80 OR f.overage > 0 OR f.projected > f.pool
ORDER BY f.customer
