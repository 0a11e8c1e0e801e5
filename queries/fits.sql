-- Question:   Which plan fits each wallet, for a period like the current one and for its last ones?
-- Parameters: none; a view, so filter it with WHERE. `upgrade_signals` and `signals` are read from it.
-- Units:      as in `upgrade_signals`, which explains the columns up to reason, and in `signals`, which
--             explains the rest; last_cost_now_plan and last_saving are its cost_now_plan and saving.
-- One row is: one open wallet. is_outgrown says that it is in `upgrade_signals`; else run_out_date,
--             cost_now_plan, fitting_plan and its cost, saving and reason are null.
WITH outgrown AS (
    SELECT *,
           COALESCE(is_current AND (used_percent >= 80 OR overage > 0 OR projected > pool), FALSE)
               AS is_outgrown
    FROM standings
    WHERE status <> 'closed'
), costs AS (
    SELECT s.*, t.plan AS offer, t.fee,
           CASE WHEN NOT s.is_outgrown THEN NULL
                WHEN s.projected <= t.pool THEN CAST(t.fee AS DECIMAL(28, 9))
                WHEN t.overage_mode = 'bill'
                THEN CAST(t.fee + CAST((s.projected - t.pool) * t.overage_price
                                       AS DECIMAL(27, 9)) AS DECIMAL(28, 9))
                END AS cost,
           CASE WHEN s.compared_periods > 0
                     AND (t.overage_mode = 'bill'
                          OR GREATEST(s.credits_1_ago, s.credits_2_ago, s.credits_3_ago)
                             <= t.pool)
                THEN CAST(s.compared_periods * t.fee
                          + COALESCE(CAST(GREATEST(s.credits_1_ago - t.pool, 0) * t.overage_price
                                          AS DECIMAL(27, 9)), 0)
                          + COALESCE(CAST(GREATEST(s.credits_2_ago - t.pool, 0) * t.overage_price
                                          AS DECIMAL(27, 9)), 0)
                          + COALESCE(CAST(GREATEST(s.credits_3_ago - t.pool, 0) * t.overage_price
                                          AS DECIMAL(27, 9)), 0)
                          AS DECIMAL(28, 9)) END AS last_cost
    FROM outgrown AS s
    LEFT JOIN offers AS t ON t.currency = s.currency
), placed AS (
    SELECT *,
           ROW_NUMBER() OVER (PARTITION BY customer ORDER BY cost NULLS LAST, fee, offer) AS place,
           MAX(CASE WHEN offer = plan THEN cost END) OVER (PARTITION BY customer) AS cost_now_plan,
           MAX(CASE WHEN offer = plan THEN last_cost END) OVER (PARTITION BY customer)
               AS last_cost_now_plan,
           FIRST_VALUE(CASE WHEN last_cost IS NOT NULL THEN offer END)
               OVER (PARTITION BY customer ORDER BY last_cost NULLS LAST, fee, offer) AS best_plan,
           MIN(last_cost) OVER (PARTITION BY customer) AS best_plan_cost
    FROM costs
)
SELECT customer, plan, period, period_end, pool, used, used_percent, overage, pace,
       CASE WHEN is_outgrown THEN run_out_date END AS run_out_date, projected, is_outgrown,
       cost_now_plan, CASE WHEN cost IS NOT NULL THEN offer END AS fitting_plan,
       cost AS fitting_plan_cost, CAST(cost_now_plan - cost AS DECIMAL(28, 9)) AS saving,
       CASE WHEN is_outgrown THEN CONCAT_WS('; ',
           CASE WHEN used_percent >= 80
                THEN CONCAT(CAST(used_percent AS VARCHAR), ' % of the credits are used') END,
           CASE WHEN overage > 0
                THEN CONCAT(CAST(overage AS VARCHAR), ' credits of overage') END,
           CASE WHEN projected > pool
                THEN CONCAT('heading for ', CAST(CAST(projected AS DECIMAL(28, 0)) AS VARCHAR),
                            ' credits with a pool of ',
                            CAST(CAST(pool AS DECIMAL(18, 0)) AS VARCHAR)) END) END AS reason,
       compared_periods, overage_periods, ceiling_periods, low_periods, periods_at_ceiling,
       CASE WHEN credits_2_ago > 0
            THEN TRY_CAST(100 * (credits_1_ago - credits_2_ago) / credits_2_ago AS DECIMAL(18, 1))
            END AS growth,
       last_cost_now_plan, best_plan, best_plan_cost,
       CAST(last_cost_now_plan - best_plan_cost AS DECIMAL(28, 9)) AS last_saving, currency
FROM placed
WHERE place = 1
ORDER BY customer
