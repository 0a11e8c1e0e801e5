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
    SELECT f.*, t.plan AS offer, t.fee,
           CASE WHEN f.projected <= t.pool THEN CAST(t.fee AS DECIMAL(28, 9))
                WHEN t.overage_mode = 'bill'
                THEN CAST(t.fee + CAST((f.projected - t.pool) * t.overage_price
                                       AS DECIMAL(27, 9)) AS DECIMAL(28, 9))
                END AS cost
    FROM forecasts AS f
    LEFT JOIN offers AS t ON t.currency = f.currency
    WHERE f.used_percent >= 80 OR f.overage > 0 OR f.projected > f.pool
), fits AS (
    SELECT *,
           ROW_NUMBER() OVER (PARTITION BY customer ORDER BY cost NULLS LAST, fee, offer) AS place,
           MAX(CASE WHEN offer = plan THEN cost END) OVER (PARTITION BY customer) AS cost_now_plan
    FROM costs
)
SELECT customer, plan, period, period_end, pool, used, used_percent, overage, pace_per_day,
       run_out_date, projected, cost_now_plan,
       CASE WHEN cost IS NOT NULL THEN offer END AS fitting_plan, cost AS fitting_plan_cost,
       CAST(cost_now_plan - cost AS DECIMAL(28, 9)) AS saving, currency,
       CONCAT_WS('; ',
           CASE WHEN used_percent >= 80
                THEN CONCAT(CAST(used_percent AS VARCHAR), ' % of the credits are used') END,
           CASE WHEN overage > 0
                THEN CONCAT(CAST(overage AS VARCHAR), ' credits of overage') END,
           CASE WHEN projected > pool
                THEN CONCAT('heading for ', CAST(CAST(projected AS DECIMAL(28, 0)) AS VARCHAR),
                            ' credits with a pool of ',
                            CAST(CAST(pool AS DECIMAL(18, 0)) AS VARCHAR)) END
       ) AS reason
FROM fits
WHERE place = 1
ORDER BY customer
