-- Question:   Whom should sales call, why, and with which plan?
-- Parameters: none; a view, so filter it with WHERE.
-- Units:      score up to 100; used_percent, growth in percent, growth rounded half away from zero
--             to one place; overage in credits; saving_now in `currency` for a whole period like the current one;
--             costs and saving in `currency` over the compared_periods, rounded half away from zero
--             to nine places. period_end is exclusive.
-- One row is: one open wallet with a reason to call. `ceiling`: it is in `upgrade_signals`, or one of
--             its last periods had overage or was at its ceiling. `under_use`: none of these, and two
--             or three of its last periods used less than 30 percent of the pool.
--
-- plan to overage, run_out_date, fitting_plan and saving_now are of the current period and as in
-- `upgrade_signals`, null where that has no row; the rest looks back, on the last periods: the
-- newest three in the current currency that have ended, compared_periods of them. A period's pool
-- is all that it was granted as pool, and it is at the ceiling when its credits, net of the
-- reversals booked in it, reach that; periods_at_ceiling counts such periods back from the newest.
-- growth compares the newest with the one before, null where that used nothing or next to nothing.
-- Every plan of `offers` of the wallet's currency is costed for the last periods as they were used:
-- its fee and the credits beyond its pool at its overage price; a plan that blocks must have had
-- enough in each, else its cost is null. Purchases and promotions are left out. best_plan is the
-- cheapest (then the lower fee, then the id), and saving is what the present plan costs more. It
-- may be a smaller plan.
--
-- The score of `ceiling` adds 30 for 80 percent used, 20 for overage now, 20 for heading for more than
-- the pool, 10 for each last period with overage and 10 for each at the ceiling, 10 for growth of 20
-- percent and 10 for a saving now, up to 100. That of `under_use` adds 20 for each last period under
-- 30 percent, 20 for no use in a week, 10 for a decline of 20 percent and 10 for a saving, up to 100.
WITH called AS (
    SELECT customer, plan, period, period_end, used_percent, overage, pace, run_out_date,
           reason AS outgrown, projected > pool AS is_heading_over, fitting_plan,
           saving AS saving_now, compared_periods, overage_periods, ceiling_periods, low_periods,
           periods_at_ceiling, growth, last_cost_now_plan AS cost_now_plan, best_plan,
           best_plan_cost, last_saving AS saving, currency,
           CASE WHEN is_outgrown OR overage_periods > 0 OR ceiling_periods > 0 THEN 'ceiling'
                WHEN low_periods >= 2 THEN 'under_use' END AS kind,
           CASE WHEN compared_periods = 1 THEN ' period' ELSE ' periods' END AS span
    FROM fits
)
SELECT customer, kind,
       LEAST(100, CASE kind
           WHEN 'ceiling' THEN
               CASE WHEN used_percent >= 80 THEN 30 ELSE 0 END
               + CASE WHEN overage > 0 THEN 20 ELSE 0 END
               + CASE WHEN is_heading_over THEN 20 ELSE 0 END
               + 10 * overage_periods + 10 * ceiling_periods
               + CASE WHEN growth >= 20 THEN 10 ELSE 0 END
               + CASE WHEN saving_now > 0 THEN 10 ELSE 0 END
           ELSE 20 * low_periods
               + CASE WHEN pace = 0 THEN 20 ELSE 0 END
               + CASE WHEN growth <= -20 THEN 10 ELSE 0 END
               + CASE WHEN saving > 0 THEN 10 ELSE 0 END
       END) AS score,
       plan, period, period_end, used_percent, overage, run_out_date, fitting_plan, saving_now,
       periods_at_ceiling, growth, compared_periods, cost_now_plan, best_plan, best_plan_cost, saving,
       currency,
       CONCAT_WS('; ',
           outgrown,
           CASE WHEN run_out_date IS NOT NULL
                THEN CONCAT('runs out on ', CAST(run_out_date AS VARCHAR)) END,
           CASE WHEN saving_now > 0
                THEN CONCAT(fitting_plan, ' costs ',
                            CAST(CAST(saving_now AS DECIMAL(28, 2)) AS VARCHAR), ' ', currency,
                            ' less for a whole period like this one') END,
           CASE WHEN overage_periods > 0
                THEN CONCAT('overage in ', CAST(overage_periods AS VARCHAR), ' of the last ',
                            CAST(compared_periods AS VARCHAR), span) END,
           CASE WHEN ceiling_periods > 0
                THEN CONCAT('at the ceiling in ', CAST(ceiling_periods AS VARCHAR), ' of the last ',
                            CAST(compared_periods AS VARCHAR), span) END,
           CASE WHEN kind = 'ceiling' AND growth >= 20
                THEN CONCAT('growing by ', CAST(growth AS VARCHAR), ' %') END,
           CASE WHEN kind = 'under_use'
                THEN CONCAT('less than 30 % used in ', CAST(low_periods AS VARCHAR),
                            ' of the last ', CAST(compared_periods AS VARCHAR), span) END,
           CASE WHEN kind = 'under_use' AND pace = 0 THEN 'no use in a week' END,
           CASE WHEN kind = 'under_use' AND growth <= -20
                THEN CONCAT('shrinking by ', CAST(-growth AS VARCHAR), ' %') END,
           CASE WHEN saving > 0
                THEN CONCAT(best_plan, ' would have cost ',
                            CAST(CAST(saving AS DECIMAL(28, 2)) AS VARCHAR), ' ', currency,
                            ' less over ', CAST(compared_periods AS VARCHAR), span) END
       ) AS reasons
FROM called
WHERE kind IS NOT NULL
ORDER BY score DESC, customer
