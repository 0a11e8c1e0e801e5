-- Question:   How does each wallet stand, where is it heading, and how did its last periods end?
-- Parameters: none; a view, so filter it with WHERE. `wallets`, `forecasts`, `fits` and `signals` are
--             read from it, so that the ledger is read once for all of them.
-- Units:      pool, used, overage, remaining, projected and credits_1_ago to 3 in credits; pace in
--             credits a day (see `pace`); used_percent as in `wallets`. Times are UTC. period_end is
--             exclusive.
-- One row is: one wallet in its newest period; what `wallets` and `forecasts` have is explained
--             there. is_current: the wallet is open and T, the newest received_at in the ledger, is
--             in the period; else projected and what follows it up to run_out_date is null. The last
--             periods are the newest three in the current currency that have ended,
--             compared_periods of them; credits_1_ago is what the newest came to, net of the
--             reversals booked in it and never below zero. A period's pool is all that it was
--             granted as pool. overage_periods had overage, ceiling_periods came to their pool or
--             more, low_periods to less than 30 percent of it. periods_at_ceiling counts those that
--             came to their pool back from the newest, also beyond three.
WITH clock AS (
    SELECT now, CAST(now AS DATE) AS today,
           -- The minute that has not yet begun, so that what is left of this one does not count.
           CAST(DATE_PART('epoch', DATE_TRUNC('minute', now)) / 60 AS BIGINT)
           + CASE WHEN now > DATE_TRUNC('minute', now) THEN 1 ELSE 0 END AS next_minute
    FROM (SELECT MAX(received_at) AS now FROM ledger) AS newest
), sums AS (
    SELECT CAST(l.customer AS VARCHAR) AS customer, l.period,
           MAX(entry) AS as_of_entry,
           -- The entry comes before the balance, so that the greatest ends with the newest balance.
           MAX(CAST(entry AS DECIMAL(38, 6)) * 1000000000000 + balance) AS newest,
           MAX(entry) FILTER (WHERE balance > 0) AS covered_entry,
           -- Only usage has credits above zero.
           MAX(entry) FILTER (WHERE grant_id IS NULL AND credits > 0 AND amount IS NULL)
               AS unbilled_entry,
           SUM(credits) FILTER (WHERE grant_id IS NOT NULL) AS used,
           SUM(credits) FILTER (WHERE grant_id IS NULL) AS overage
    FROM coded_ledger AS l
    WHERE balance IS NOT NULL
    GROUP BY CAST(l.customer AS VARCHAR), l.period
), changes AS (
    -- By themselves, since few row groups have any.
    SELECT CAST(l.customer AS VARCHAR) AS customer, l.period,
           MAX(entry) FILTER (WHERE kind = 'wallet') AS wallet_entry,
           MAX(entry) FILTER (WHERE event_type = 'purser.wallet.opened') AS opened_entry,
           MAX(entry) FILTER (WHERE kind = 'wallet' AND event_type = 'purser.wallet.closed')
               AS closed_entry,
           -- Pools are granted by the clock and by every command but the one for other grants.
           SUM(delta) FILTER (WHERE kind = 'grant'
                                AND COALESCE(event_type, '') <> 'purser.wallet.granted') AS pool
    FROM coded_ledger AS l
    WHERE kind IN ('wallet', 'grant') AND balance IS NOT NULL
    GROUP BY CAST(l.customer AS VARCHAR), l.period
), booked AS (
    -- back counts a wallet's periods from the newest. One has not begun when the ledger is shown up to
    -- a row before its pool; what is booked to it is the wallet's all the same.
    SELECT s.customer, p.period, p.period_end, p.plan, p.currency, p.next_plan, s.as_of_entry,
           s.newest, GREATEST(s.covered_entry, c.opened_entry) AS covered_entry, s.unbilled_entry,
           c.wallet_entry, c.closed_entry, COALESCE(s.used, 0) AS used,
           COALESCE(s.overage, 0) AS overage, COALESCE(c.pool, 0) AS pool,
           ROW_NUMBER() OVER (PARTITION BY s.customer ORDER BY p.period DESC NULLS LAST) AS back,
           FIRST_VALUE(p.currency) OVER (PARTITION BY s.customer ORDER BY p.period DESC NULLS LAST)
               AS currency_now
    FROM sums AS s
    LEFT JOIN changes AS c ON c.customer = s.customer AND c.period = s.period
    LEFT JOIN periods AS p ON p.customer = s.customer AND p.period = s.period
), ended AS (
    SELECT *, currency = currency_now AND period_end <= today AS has_ended,
           GREATEST(used + overage, 0) AS credits
    FROM booked CROSS JOIN clock
), counted AS (
    -- ago counts those that have ended, in the currency of the newest.
    SELECT *, CASE WHEN has_ended
                   THEN ROW_NUMBER() OVER (PARTITION BY customer, has_ended ORDER BY period DESC)
                   END AS ago
    FROM ended
), marks AS (
    SELECT customer,
           MAX(period) AS period,
           MAX(period_end) FILTER (WHERE back = 1) AS period_end,
           MAX(plan) FILTER (WHERE back = 1) AS plan,
           MAX(next_plan) FILTER (WHERE back = 1) AS next_plan,
           MAX(currency_now) AS currency,
           CAST(SUM(pool) FILTER (WHERE back = 1) AS DECIMAL(28, 6)) AS pool,
           CAST(SUM(used) FILTER (WHERE back = 1) AS DECIMAL(28, 6)) AS used,
           CAST(SUM(overage) FILTER (WHERE back = 1) AS DECIMAL(28, 6)) AS overage,
           CAST(MAX(newest) % 1000000000000 AS DECIMAL(28, 6)) AS remaining,
           CASE WHEN MAX(closed_entry) = MAX(wallet_entry) THEN 'closed'
                WHEN MAX(unbilled_entry) > COALESCE(MAX(covered_entry), 0) THEN 'blocked'
                ELSE 'ok' END AS status,
           MAX(as_of_entry) AS as_of_entry,
           COUNT(*) FILTER (WHERE ago <= 3) AS compared_periods,
           COUNT(*) FILTER (WHERE ago <= 3 AND overage > 0) AS overage_periods,
           COUNT(*) FILTER (WHERE ago <= 3 AND credits >= pool) AS ceiling_periods,
           COUNT(*) FILTER (WHERE ago <= 3 AND 10 * credits < 3 * pool) AS low_periods,
           COALESCE(MIN(ago) FILTER (WHERE credits < pool) - 1, COUNT(ago)) AS periods_at_ceiling,
           MAX(credits) FILTER (WHERE ago = 1) AS credits_1_ago,
           MAX(credits) FILTER (WHERE ago = 2) AS credits_2_ago,
           MAX(credits) FILTER (WHERE ago = 3) AS credits_3_ago
    FROM counted
    GROUP BY customer
    HAVING MAX(period) IS NOT NULL
), paced AS (
    SELECT m.*, a.credits_per_day AS pace, a.credits AS pace_credits, 1440 * a.days AS pace_minutes,
           c.next_minute,
           m.status <> 'closed' AND m.period <= c.today AND c.today < m.period_end AS is_current
    FROM marks AS m
    LEFT JOIN pace AS a ON a.customer = m.customer
    CROSS JOIN clock AS c
), rates AS (
    SELECT *,
           CASE WHEN is_current
                THEN CAST(DATE_PART('epoch', period_end) / 60 AS BIGINT) - next_minute
                END AS minutes_left
    FROM paced
), ahead AS (
    SELECT *,
           CAST(pace_credits * minutes_left AS DECIMAL(38, 6)) AS ahead,
           CAST(remaining * pace_minutes AS DECIMAL(38, 6)) AS behind
    FROM rates
), empties AS (
    -- Taking off the remainder first leaves a division without one, exact in every engine.
    SELECT *,
           CAST(used + overage AS DECIMAL(28, 6))
           + CAST((ahead - ahead % (pace_minutes * 0.000001)) / pace_minutes
                  AS DECIMAL(28, 6)) AS projected,
           CASE WHEN pace_credits > 0 AND remaining > 0
                THEN CAST((behind - behind % pace_credits) / pace_credits AS DECIMAL(28, 0))
                END AS minutes_to_empty
    FROM ahead
), timed AS (
    SELECT *,
           CASE WHEN minutes_to_empty < minutes_left
                THEN TO_TIMESTAMP(60 * (next_minute + CAST(minutes_to_empty AS BIGINT)))
                END AS run_out_at
    FROM empties
)
SELECT customer, plan, period, period_end, pool, used, overage, remaining,
       CASE WHEN used + remaining > 0 AND used < 0 THEN CAST(0 AS DECIMAL(18, 2))
            WHEN used + remaining > 0
            THEN CAST(0.01 * CAST((10000 * used - 10000 * used % (used + remaining))
                                  / (used + remaining) AS DECIMAL(18, 0))
                      AS DECIMAL(18, 2)) END AS used_percent,
       pace, status, next_plan, as_of_entry, currency, is_current,
       CAST(projected AS DECIMAL(28, 6)) AS projected,
       ARROW_CAST(run_out_at, 'Timestamp(Microsecond, Some("UTC"))') AS run_out_at,
       CAST(run_out_at AS DATE) AS run_out_date,
       compared_periods, overage_periods, ceiling_periods, low_periods, periods_at_ceiling,
       credits_1_ago, credits_2_ago, credits_3_ago
FROM timed
ORDER BY customer
