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
SELECT customer, plan, period, period_end, pool, used, used_percent, overage, pace AS pace_per_day,
       run_out_date, projected, cost_now_plan, fitting_plan, fitting_plan_cost, saving, currency,
       reason
FROM fits
WHERE is_outgrown
ORDER BY customer
