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
WITH clock AS (
    SELECT MAX(received_at) AS now FROM ledger
), uses AS (
    SELECT customer, period,
           CAST(GREATEST(COALESCE(SUM(credits), 0), 0) AS DECIMAL(28, 6)) AS credits,
           CAST(COALESCE(SUM(credits) FILTER (WHERE grant_id IS NULL), 0)
                AS DECIMAL(28, 6)) AS overage,
           -- Pools are granted by the clock and by every command but the one for other grants.
           CAST(COALESCE(SUM(delta) FILTER (WHERE kind = 'grant'), 0) AS DECIMAL(28, 6)) AS pool
    FROM ledger
    WHERE credits IS NOT NULL
       OR kind = 'grant' AND COALESCE(event_type, '') <> 'purser.wallet.granted'
    GROUP BY customer, period
), newest AS (
    SELECT p.customer, p.period, p.currency,
           ROW_NUMBER() OVER (PARTITION BY p.customer ORDER BY p.period DESC) AS ago
    FROM periods AS p
    CROSS JOIN clock AS c
    WHERE p.period <= CAST(c.now AS DATE)
), ended AS (
    SELECT p.customer, p.period, COALESCE(u.pool, CAST(0 AS DECIMAL(28, 6))) AS pool, p.currency,
           COALESCE(u.credits, CAST(0 AS DECIMAL(28, 6))) AS credits,
           COALESCE(u.overage, CAST(0 AS DECIMAL(28, 6))) AS overage,
           ROW_NUMBER() OVER (PARTITION BY p.customer ORDER BY p.period DESC) AS ago
    FROM periods AS p
    JOIN newest AS n ON n.customer = p.customer AND n.currency = p.currency AND n.ago = 1
    CROSS JOIN clock AS c
    LEFT JOIN uses AS u ON u.customer = p.customer AND u.period = p.period
    WHERE p.period_end <= CAST(c.now AS DATE)
), costs AS (
    -- What is counted without the plan is the same in each of a customer's rows.
    SELECT e.customer, t.plan AS offer, t.fee,
           COUNT(*) FILTER (WHERE ago <= 3) AS compared_periods,
           COUNT(*) FILTER (WHERE ago <= 3 AND overage > 0) AS overage_periods,
           COUNT(*) FILTER (WHERE ago <= 3 AND credits >= e.pool) AS ceiling_periods,
           COUNT(*) FILTER (WHERE ago <= 3 AND 10 * credits < 3 * e.pool) AS low_periods,
           COALESCE(MIN(ago) FILTER (WHERE credits < e.pool) - 1, COUNT(*)) AS periods_at_ceiling,
           MAX(credits) FILTER (WHERE ago = 1) AS newest,
           MAX(credits) FILTER (WHERE ago = 2) AS before,
           CASE WHEN COUNT(*) FILTER (WHERE ago <= 3 AND credits > t.pool
                                        AND t.overage_mode <> 'bill') = 0
                THEN CAST(SUM(CASE WHEN credits <= t.pool THEN CAST(t.fee AS DECIMAL(28, 9))
                                   WHEN t.overage_mode = 'bill'
                                   THEN CAST(t.fee + CAST((credits - t.pool) * t.overage_price
                                                          AS DECIMAL(27, 9)) AS DECIMAL(28, 9))
                                   END) FILTER (WHERE ago <= 3) AS DECIMAL(28, 9))
                END AS cost
    FROM ended AS e
    LEFT JOIN offers AS t ON t.currency = e.currency
    GROUP BY e.customer, t.plan, t.fee
), joined AS (
    SELECT w.customer, w.plan, w.period, w.period_end, w.used_percent, w.overage, w.pace,
           s.run_out_date, s.customer IS NOT NULL AS is_outgrown, s.reason AS outgrown,
           s.projected > s.pool AS is_heading_over, s.fitting_plan, s.saving AS saving_now,
           COALESCE(h.compared_periods, 0) AS compared_periods,
           COALESCE(h.overage_periods, 0) AS overage_periods,
           COALESCE(h.ceiling_periods, 0) AS ceiling_periods,
           COALESCE(h.low_periods, 0) AS low_periods,
           COALESCE(h.periods_at_ceiling, 0) AS periods_at_ceiling,
           CASE WHEN h.before > 0
                THEN TRY_CAST(100 * (h.newest - h.before) / h.before AS DECIMAL(18, 1))
                END AS growth,
           MAX(CASE WHEN h.offer = w.plan THEN h.cost END) OVER (PARTITION BY w.customer)
               AS cost_now_plan,
           CASE WHEN h.cost IS NOT NULL THEN h.offer END AS best_plan, h.cost AS best_plan_cost,
           ROW_NUMBER() OVER (PARTITION BY w.customer ORDER BY h.cost NULLS LAST, h.fee, h.offer)
               AS place,
           p.currency
    FROM wallets AS w
    JOIN periods AS p ON p.customer = w.customer AND p.period = w.period
    LEFT JOIN upgrade_signals AS s ON s.customer = w.customer
    LEFT JOIN costs AS h ON h.customer = w.customer
    WHERE w.status <> 'closed'
), called AS (
    SELECT *, CAST(cost_now_plan - best_plan_cost AS DECIMAL(28, 9)) AS saving,
           CASE WHEN is_outgrown OR overage_periods > 0 OR ceiling_periods > 0 THEN 'ceiling'
                WHEN low_periods >= 2 THEN 'under_use' END AS kind,
           CASE WHEN compared_periods = 1 THEN ' period' ELSE ' periods' END AS span
    FROM joined
    WHERE place = 1
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
