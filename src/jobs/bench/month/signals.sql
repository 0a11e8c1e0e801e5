-- What `queries/signals.sql` answers, after `upgrade_signals.sql`: what the periods before came to
-- is in its tables, so that the ledger is not read again.

CREATE TEMP TABLE signals AS
WITH uses AS (
    SELECT customer, period,
           CAST(GREATEST(COALESCE(used, 0) + COALESCE(overage, 0), 0) AS DECIMAL(28, 6)) AS credits,
           CAST(COALESCE(overage, 0) AS DECIMAL(28, 6)) AS overage,
           CAST(COALESCE(pool, 0) AS DECIMAL(28, 6)) AS pool
    FROM sums
), newest AS (
    SELECT customer, arg_max(currency, period) AS currency FROM periods
    WHERE period <= getvariable('today')
    GROUP BY customer
), ended AS (
    SELECT p.customer, COALESCE(u.pool, 0) AS pool, p.currency, COALESCE(u.credits, 0) AS credits,
           COALESCE(u.overage, 0) AS overage,
           ROW_NUMBER() OVER (PARTITION BY p.customer ORDER BY p.period DESC) AS ago
    FROM periods AS p
    JOIN newest AS n ON n.customer = p.customer AND n.currency = p.currency
    LEFT JOIN uses AS u ON u.customer = p.customer AND u.period = p.period
    WHERE p.period_end <= getvariable('today')
), costs AS (
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
           w.currency
    FROM wallets AS w
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
       periods_at_ceiling, growth, compared_periods, cost_now_plan, best_plan, best_plan_cost,
       saving, currency,
       concat_ws('; ',
           outgrown,
           'runs out on ' || run_out_date,
           CASE WHEN saving_now > 0
                THEN concat(fitting_plan, ' costs ', CAST(saving_now AS DECIMAL(28, 2)), ' ',
                            currency, ' less for a whole period like this one') END,
           CASE WHEN overage_periods > 0
                THEN concat('overage in ', overage_periods, ' of the last ', compared_periods, span)
                END,
           CASE WHEN ceiling_periods > 0
                THEN concat('at the ceiling in ', ceiling_periods, ' of the last ',
                            compared_periods, span) END,
           CASE WHEN kind = 'ceiling' AND growth >= 20 THEN concat('growing by ', growth, ' %') END,
           CASE WHEN kind = 'under_use'
                THEN concat('less than 30 % used in ', low_periods, ' of the last ',
                            compared_periods, span) END,
           CASE WHEN kind = 'under_use' AND pace = 0 THEN 'no use in a week' END,
           CASE WHEN kind = 'under_use' AND growth <= -20
                THEN concat('shrinking by ', -growth, ' %') END,
           CASE WHEN saving > 0
                THEN concat(best_plan, ' would have cost ', CAST(saving AS DECIMAL(28, 2)), ' ',
                            currency, ' less over ', compared_periods, span) END
       ) AS reasons
FROM called
WHERE kind IS NOT NULL
ORDER BY score DESC, customer;
