-- Question:   How did a wallet's credits run down, hour by hour?
-- Parameters: none; a view, so filter it with WHERE.
-- Units:      used, overage, balance in credits; used_percent as in `wallets`. Times are UTC.
-- One row is: one hour of one wallet in which it changed, as it stood at the end of it, in the period
--             that was its newest then; the hour is that of received_at. used = what grants paid for
--             that period so far, overage = what none covered, both net of reversals; what came late
--             to a period that had ended is in no row. balance = what remains of all grants in
--             effect, so that it rises where credits arrive. An alert at 80 percent is due where
--             used_percent reaches 80: where balance falls to a fifth of used + balance.
WITH moves AS (
    -- A period begins with its pool.
    SELECT customer, period AS booked, entry, received_at, credits, grant_id, balance, shard,
           MAX(CASE WHEN kind = 'grant' AND grant_id = CONCAT('pool/', CAST(period AS VARCHAR))
                    THEN period END)
               OVER (PARTITION BY customer ORDER BY entry
                     ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS period
    FROM ledger
    WHERE balance IS NOT NULL
), hours AS (
    SELECT customer, period, DATE_TRUNC('hour', received_at) AS hour, shard, MAX(entry) AS entry,
           SUM(credits) FILTER (WHERE booked = period AND grant_id IS NOT NULL) AS used,
           SUM(credits) FILTER (WHERE booked = period AND grant_id IS NULL) AS overage
    FROM moves
    WHERE period IS NOT NULL
    GROUP BY customer, period, DATE_TRUNC('hour', received_at), shard
), sums AS (
    SELECT h.customer, h.period, h.hour, h.entry, h.shard,
           CAST(COALESCE(SUM(h.used) OVER (PARTITION BY h.customer, h.period ORDER BY h.hour), 0)
                AS DECIMAL(28, 6)) AS used,
           CAST(COALESCE(SUM(h.overage) OVER (PARTITION BY h.customer, h.period ORDER BY h.hour), 0)
                AS DECIMAL(28, 6)) AS overage,
           CAST(l.balance AS DECIMAL(28, 6)) AS balance
    FROM hours AS h
    JOIN ledger AS l ON l.customer = h.customer AND l.entry = h.entry
    WHERE l.balance IS NOT NULL
)
SELECT customer, period, hour, used, overage, balance,
       CASE WHEN used + balance > 0 AND used < 0 THEN CAST(0 AS DECIMAL(18, 2))
            WHEN used + balance > 0
            THEN CAST(0.01 * CAST((10000 * used - 10000 * used % (used + balance))
                                  / (used + balance) AS DECIMAL(18, 0)) AS DECIMAL(18, 2))
            END AS used_percent,
       shard, entry
FROM sums
ORDER BY customer, period, hour
