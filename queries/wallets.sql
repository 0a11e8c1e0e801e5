-- Question:   How does each wallet stand in its newest period?
-- Parameters: none; a view, so filter it with WHERE.
-- Units:      pool, used, overage, remaining in credits; pace in credits a day (see `pace`);
--             used_percent = 100 * used / (used + remaining), cut to two places so that it shows 80
--             only when the alert at 80 is due, null when both are zero. period_end is exclusive.
-- One row is: one wallet. plan is the one it has now, pool all that the period's pool was granted
--             (after a change to a smaller plan more than that plan's). used = what grants paid for
--             this period and overage = what none covered, both net of reversals, so that they are
--             below zero where more came back than was used; used_percent is 0 then. remaining =
--             the balance of all grants in effect after the wallet's last entry, as_of_entry.
--             status: `blocked` when work was done without credits on a plan that does not bill it
--             and no credits have arrived since; `closed` from the command on, so that remaining
--             may be above zero until the grace is over; else `ok`. next_plan: the plan that a
--             change names from the next period on, else null.
WITH clock AS (
    SELECT CAST(MAX(received_at) AS DATE) AS today FROM ledger
), newest AS (
    SELECT customer, MAX(period) AS period
    FROM periods CROSS JOIN clock
    WHERE period <= today
    GROUP BY customer
), sums AS (
    SELECT customer, period,
           MAX(entry) AS as_of_entry,
           MAX(entry) FILTER (WHERE balance > 0 OR event_type = 'purser.wallet.opened')
               AS covered_entry,
           MAX(entry) FILTER (WHERE kind = 'usage' AND grant_id IS NULL AND credits > 0
                                AND amount IS NULL) AS unbilled_entry,
           MAX(entry) FILTER (WHERE kind = 'wallet') AS wallet_entry,
           MAX(entry) FILTER (WHERE kind = 'wallet' AND event_type = 'purser.wallet.closed')
               AS closed_entry,
           SUM(credits) FILTER (WHERE grant_id IS NOT NULL) AS used,
           SUM(credits) FILTER (WHERE grant_id IS NULL) AS overage,
           -- Pools are granted by the clock and by every command but the one for other grants.
           SUM(delta) FILTER (WHERE kind = 'grant'
                                AND COALESCE(event_type, '') <> 'purser.wallet.granted') AS pool
    FROM ledger
    WHERE balance IS NOT NULL
    GROUP BY customer, period
), marks AS (
    SELECT s.customer, n.period,
           MAX(s.as_of_entry) AS as_of_entry,
           MAX(s.covered_entry) AS covered_entry,
           MAX(s.unbilled_entry) AS unbilled_entry,
           MAX(s.wallet_entry) AS wallet_entry,
           MAX(s.closed_entry) AS closed_entry,
           SUM(s.used) FILTER (WHERE s.period = n.period) AS used,
           SUM(s.overage) FILTER (WHERE s.period = n.period) AS overage,
           SUM(s.pool) FILTER (WHERE s.period = n.period) AS pool
    FROM sums AS s
    JOIN newest AS n ON n.customer = s.customer
    GROUP BY s.customer, n.period
), standing AS (
    SELECT p.customer, b.plan, p.period, p.period_end,
           CAST(COALESCE(m.pool, 0) AS DECIMAL(28, 6)) AS pool,
           CAST(COALESCE(m.used, 0) AS DECIMAL(28, 6)) AS used,
           CAST(COALESCE(m.overage, 0) AS DECIMAL(28, 6)) AS overage,
           CAST(b.balance AS DECIMAL(28, 6)) AS remaining,
           CASE WHEN m.closed_entry = m.wallet_entry THEN 'closed'
                WHEN m.unbilled_entry > COALESCE(m.covered_entry, 0) THEN 'blocked'
                ELSE 'ok' END AS status,
           p.next_plan, m.as_of_entry
    FROM marks AS m
    JOIN periods AS p ON p.customer = m.customer AND p.period = m.period
    JOIN ledger AS b ON b.customer = m.customer AND b.entry = m.as_of_entry
    WHERE b.balance IS NOT NULL
)
SELECT s.customer, s.plan, s.period, s.period_end, s.pool, s.used, s.overage, s.remaining,
       CASE WHEN s.used + s.remaining > 0 AND s.used < 0 THEN CAST(0 AS DECIMAL(18, 2))
            WHEN s.used + s.remaining > 0
            THEN CAST(0.01 * CAST((10000 * s.used - 10000 * s.used % (s.used + s.remaining))
                                  / (s.used + s.remaining) AS DECIMAL(18, 0))
                      AS DECIMAL(18, 2)) END AS used_percent,
       a.credits_per_day AS pace,
       s.status, s.next_plan, s.as_of_entry
FROM standing AS s
LEFT JOIN pace AS a ON a.customer = s.customer
ORDER BY s.customer
