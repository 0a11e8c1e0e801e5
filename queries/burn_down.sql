-- Question:   How did a wallet's credits run down, hour by hour?
-- Parameters: none; a view, so filter it with WHERE.
-- Units:      used, overage, balance in credits; used_percent as in `wallets`. Times are UTC.
-- One row is: one hour of one wallet in which it changed, as it stood at the end of it: the hour is
--             that of received_at, in the period that holds it. used = what grants paid for that
--             period so far, overage = what none covered, both net of reversals; balance = what
--             remains of all grants, so that it rises where credits arrive. An alert at 80 percent
--             is due where used_percent reaches 80: where balance falls to a fifth of used + balance.
WITH spans AS (
    -- Of a wallet that was closed and opened anew, the later period begins before the other ends.
    SELECT customer, period,
           LEAST(period_end, COALESCE(LEAD(period) OVER (PARTITION BY customer ORDER BY period),
                                      period_end)) AS until_day
    FROM periods
), moves AS (
    SELECT s.customer, s.period, l.shard, l.entry, l.balance,
           DATE_TRUNC('hour', l.received_at) AS hour,
           CASE WHEN l.period = s.period AND l.grant_id IS NOT NULL THEN l.credits END AS used,
           CASE WHEN l.period = s.period AND l.grant_id IS NULL THEN l.credits END AS overage
    FROM ledger AS l
    JOIN spans AS s ON s.customer = l.customer AND s.period <= CAST(l.received_at AS DATE)
                   AND CAST(l.received_at AS DATE) < s.until_day
    WHERE l.balance IS NOT NULL
), hours AS (
    SELECT customer, period, hour, MAX(entry) AS entry, SUM(used) AS used, SUM(overage) AS overage
    FROM moves
    GROUP BY customer, period, hour
), sums AS (
    SELECT h.customer, h.period, h.hour, h.entry, m.shard,
           CAST(COALESCE(SUM(h.used) OVER (PARTITION BY h.customer, h.period ORDER BY h.hour), 0)
                AS DECIMAL(28, 6)) AS used,
           CAST(COALESCE(SUM(h.overage) OVER (PARTITION BY h.customer, h.period ORDER BY h.hour), 0)
                AS DECIMAL(28, 6)) AS overage,
           CAST(m.balance AS DECIMAL(28, 6)) AS balance
    FROM hours AS h
    JOIN moves AS m ON m.customer = h.customer AND m.entry = h.entry
)
SELECT customer, period, hour, used, overage, balance,
       CASE WHEN used + balance > 0 AND used < 0 THEN CAST(0 AS DECIMAL(18, 2))
            WHEN used + balance > 0
            THEN CAST(0.01 * CAST((10000 * used - 10000 * used % (used + balance))
                                  / (used + balance) AS DECIMAL(18, 0)) AS DECIMAL(18, 2))
            END AS used_percent,
       shard, entry
FROM sums
ORDER BY customer, hour
