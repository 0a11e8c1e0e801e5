-- Question:   How fast does each wallet use credits?
-- Parameters: none; a view, so filter it with WHERE.
-- Units:      credits = net credits used at the days of [from_day, until_day), by used_at, never
--             below zero; a reversal counts on the day of its command. credits_per_day = credits
--             / days, cut to the microcredit.
-- One row is: one wallet. The days are the last full UTC days, at most seven, before the day of the
--             ledger's newest received_at, none before the wallet's first period. A wallet opened on
--             that very day has no full day yet: then that day alone counts as one.
WITH clock AS (
    SELECT CAST(MAX(received_at) AS DATE) AS today FROM ledger
), openings AS (
    SELECT customer, MIN(period) AS first_day FROM periods GROUP BY customer
), spans AS (
    SELECT customer,
           CASE WHEN first_day >= today THEN today
                ELSE GREATEST(first_day, CAST(today - INTERVAL '7 days' AS DATE)) END AS from_day,
           CASE WHEN first_day >= today THEN CAST(today + INTERVAL '1 day' AS DATE)
                ELSE today END AS until_day
    FROM openings CROSS JOIN clock
    WHERE today IS NOT NULL
), days AS (
    -- By day first, so that few rows are compared with the wallets' spans; bins take a third of the
    -- time that dates do.
    SELECT customer, DATE_BIN(INTERVAL '1 day', used_at) AS day, SUM(credits) AS credits
    FROM ledger
    WHERE credits IS NOT NULL
      AND used_at >= (SELECT ARROW_CAST(CAST(today - INTERVAL '7 days' AS DATE),
                                        'Timestamp(Microsecond, Some("UTC"))') FROM clock)
    GROUP BY customer, DATE_BIN(INTERVAL '1 day', used_at)
), used AS (
    SELECT s.customer, s.from_day, s.until_day, SUM(d.credits) AS credits
    FROM spans AS s
    LEFT JOIN days AS d ON d.customer = s.customer
                       AND CAST(d.day AS DATE) >= s.from_day AND CAST(d.day AS DATE) < s.until_day
    GROUP BY s.customer, s.from_day, s.until_day
), measured AS (
    SELECT customer, from_day, until_day,
           CAST(until_day AS INTEGER) - CAST(from_day AS INTEGER) AS days,
           CAST(GREATEST(COALESCE(credits, 0), 0) AS DECIMAL(28, 6)) AS credits
    FROM used
)
SELECT customer, from_day, until_day, days, credits,
       -- Taking off the remainder first leaves a division without one, exact in every engine.
       CAST((credits - credits % (days * 0.000001)) / days AS DECIMAL(28, 6)) AS credits_per_day
FROM measured
ORDER BY customer
