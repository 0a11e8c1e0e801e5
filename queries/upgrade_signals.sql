-- Question:   Which customers have outgrown their plan, and which plan fits them?
-- Parameters: none; a view, so filter it with WHERE.
-- Units:      pool, used, overage, projected in credits; pace_per_day in credits a day (see `pace`);
--             used_percent as in `wallets`; costs and saving in `currency` for one period, rounded
--             half away from zero to nine places. period_end is exclusive.
-- One row is: one open wallet in its current period of which 80 percent or more is used, or that has
--             overage, or that is going to use more than its pool.
--
-- projected, pace and run_out_date are those of `forecasts`. A plan's cost is its fee and the
-- projected credits beyond its pool at its overage price; a plan that does not bill overage is
-- possible only when its pool is enough. Of the possible plans of `offers` in the wallet's currency
-- the cheapest fits (then the lower fee, then the id). The present plan is costed by the same
-- version, so that saving is never negative; both are null when the present plan would block.
WITH costs AS (
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
       f.pace_per_day, f.run_out_date, f.projected,
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
