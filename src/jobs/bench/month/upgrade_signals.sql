-- What `queries/upgrade_signals.sql` answers, with the views below it, in DuckDB: one look at what
-- changed a wallet, and one at the usage of seven days.

-- What is known before a query lets it pass over files and row groups.
SET VARIABLE now = (SELECT MAX(received_at) FROM ledger);
SET VARIABLE today = CAST(getvariable('now') AS DATE);
SET VARIABLE week_ago = CAST(getvariable('today') - 7 AS TIMESTAMPTZ);
-- The minute that has not yet begun.
SET VARIABLE next_minute = (epoch_us(getvariable('now')) + 59_999_999) // 60_000_000;

CREATE TEMP TABLE sums AS
SELECT customer, period, MAX(entry) AS as_of_entry, arg_max(plan, entry) AS plan,
       arg_max(balance, entry) AS balance,
       MAX(entry) FILTER (WHERE balance > 0 OR event_type = 'purser.wallet.opened')
           AS covered_entry,
       MAX(entry) FILTER (WHERE kind = 'usage' AND grant_id IS NULL AND credits > 0
                            AND amount IS NULL) AS unbilled_entry,
       MAX(entry) FILTER (WHERE kind = 'wallet') AS wallet_entry,
       MAX(entry) FILTER (WHERE kind = 'wallet' AND event_type = 'purser.wallet.closed')
           AS closed_entry,
       SUM(credits) FILTER (WHERE grant_id IS NOT NULL) AS used,
       SUM(credits) FILTER (WHERE grant_id IS NULL) AS overage,
       SUM(delta) FILTER (WHERE kind = 'grant'
                            AND COALESCE(event_type, '') <> 'purser.wallet.granted') AS pool
FROM ledger
WHERE balance IS NOT NULL
GROUP BY customer, period;

CREATE TEMP TABLE pace AS
WITH openings AS (
    SELECT customer, MIN(period) AS first_day FROM periods GROUP BY customer
), spans AS (
    SELECT customer,
           CASE WHEN first_day >= getvariable('today') THEN getvariable('today')
                ELSE GREATEST(first_day, getvariable('today') - 7) END AS from_day,
           CASE WHEN first_day >= getvariable('today') THEN getvariable('today') + 1
                ELSE getvariable('today') END AS until_day
    FROM openings
), used AS (
    SELECT customer, CAST(used_at AS DATE) AS day, SUM(credits) AS credits
    FROM ledger
    WHERE credits IS NOT NULL AND used_at >= getvariable('week_ago')
    GROUP BY customer, CAST(used_at AS DATE)
), measured AS (
    SELECT s.customer, s.until_day - s.from_day AS days,
           CAST(GREATEST(COALESCE(SUM(u.credits), 0), 0) AS DECIMAL(28, 6)) AS credits
    FROM spans AS s
    LEFT JOIN used AS u ON u.customer = s.customer AND u.day >= s.from_day AND u.day < s.until_day
    GROUP BY s.customer, s.from_day, s.until_day
)
SELECT *, CAST((credits - credits % (days * 0.000001)) / days AS DECIMAL(28, 6)) AS credits_per_day
FROM measured;

CREATE TEMP TABLE wallets AS
WITH newest AS (
    SELECT customer, MAX(period) AS period FROM periods
    WHERE period <= getvariable('today')
    GROUP BY customer
), marks AS (
    SELECT n.customer, n.period, arg_max(s.plan, s.as_of_entry) AS plan,
           CAST(arg_max(s.balance, s.as_of_entry) AS DECIMAL(28, 6)) AS remaining,
           MAX(s.covered_entry) AS covered_entry, MAX(s.unbilled_entry) AS unbilled_entry,
           MAX(s.wallet_entry) AS wallet_entry, MAX(s.closed_entry) AS closed_entry,
           CAST(COALESCE(SUM(s.used) FILTER (WHERE s.period = n.period), 0) AS DECIMAL(28, 6))
               AS used,
           CAST(COALESCE(SUM(s.overage) FILTER (WHERE s.period = n.period), 0) AS DECIMAL(28, 6))
               AS overage,
           CAST(COALESCE(SUM(s.pool) FILTER (WHERE s.period = n.period), 0) AS DECIMAL(28, 6))
               AS pool
    FROM sums AS s
    JOIN newest AS n ON n.customer = s.customer
    GROUP BY n.customer, n.period
)
SELECT m.customer, m.plan, m.period, p.period_end, m.pool, m.used, m.overage, m.remaining,
       CASE WHEN m.used + m.remaining > 0 AND m.used < 0 THEN 0.00
            WHEN m.used + m.remaining > 0
            THEN CAST(0.01 * CAST((10000 * m.used - 10000 * m.used % (m.used + m.remaining))
                                  / (m.used + m.remaining) AS DECIMAL(18, 0)) AS DECIMAL(18, 2))
            END AS used_percent,
       a.credits_per_day AS pace, a.credits AS pace_credits, 1440 * a.days AS pace_minutes,
       CASE WHEN m.closed_entry = m.wallet_entry THEN 'closed'
            WHEN m.unbilled_entry > COALESCE(m.covered_entry, 0) THEN 'blocked'
            ELSE 'ok' END AS status,
       p.currency
FROM marks AS m
JOIN periods AS p ON p.customer = m.customer AND p.period = m.period
LEFT JOIN pace AS a ON a.customer = m.customer;

CREATE TEMP TABLE offers AS
SELECT * FROM plans
WHERE effective_from = (SELECT MAX(effective_from) FROM plans
                        WHERE effective_from <= getvariable('now'));

CREATE TEMP TABLE forecasts AS
WITH spans AS (
    SELECT *, epoch_us(period_end) // 60_000_000 - getvariable('next_minute') AS minutes_left
    FROM wallets
    WHERE status <> 'closed' AND period <= getvariable('today')
      AND getvariable('today') < period_end
), rates AS (
    SELECT *, CAST(pace_credits * minutes_left AS DECIMAL(38, 6)) AS ahead,
           CAST(remaining * pace_minutes AS DECIMAL(38, 6)) AS behind
    FROM spans
), empties AS (
    SELECT *,
           CAST(used + overage + CAST((ahead - ahead % (pace_minutes * 0.000001)) / pace_minutes
                                      AS DECIMAL(28, 6)) AS DECIMAL(28, 6)) AS projected,
           CASE WHEN pace_credits > 0 AND remaining > 0
                THEN CAST((behind - behind % pace_credits) / pace_credits AS DECIMAL(28, 0))
                END AS minutes_to_empty
    FROM rates
)
SELECT *, CASE WHEN minutes_to_empty < minutes_left
               THEN DATE '1970-01-01'
                    + CAST((getvariable('next_minute') + CAST(minutes_to_empty AS BIGINT)) // 1440
                           AS INTEGER) END AS run_out_date
FROM empties;

CREATE TEMP TABLE upgrade_signals AS
WITH costs AS (
    SELECT f.*, t.plan AS offer, t.fee,
           CASE WHEN f.projected <= t.pool THEN CAST(t.fee AS DECIMAL(28, 9))
                WHEN t.overage_mode = 'bill'
                THEN CAST(t.fee + CAST((f.projected - t.pool) * t.overage_price AS DECIMAL(27, 9))
                          AS DECIMAL(28, 9)) END AS cost
    FROM forecasts AS f
    LEFT JOIN offers AS t ON t.currency = f.currency
    WHERE f.used_percent >= 80 OR f.overage > 0 OR f.projected > f.pool
), fits AS (
    SELECT *,
           ROW_NUMBER() OVER (PARTITION BY customer ORDER BY cost NULLS LAST, fee, offer) AS place,
           MAX(CASE WHEN offer = plan THEN cost END) OVER (PARTITION BY customer) AS cost_now_plan
    FROM costs
)
SELECT customer, plan, period, period_end, pool, used, used_percent, overage, pace AS pace_per_day,
       run_out_date, projected, cost_now_plan,
       CASE WHEN cost IS NOT NULL THEN offer END AS fitting_plan, cost AS fitting_plan_cost,
       CAST(cost_now_plan - cost AS DECIMAL(28, 9)) AS saving, currency,
       concat_ws('; ',
           CASE WHEN used_percent >= 80 THEN used_percent || ' % of the credits are used' END,
           CASE WHEN overage > 0 THEN overage || ' credits of overage' END,
           CASE WHEN projected > pool
                THEN concat('heading for ', CAST(projected AS DECIMAL(28, 0)),
                            ' credits with a pool of ', CAST(pool AS DECIMAL(18, 0))) END
       ) AS reason
FROM fits
WHERE place = 1
ORDER BY customer;
