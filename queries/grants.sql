-- Question:   Which credits did each wallet get, and what became of them?
-- Parameters: none; a view, so filter it with WHERE.
-- Units:      credits; amount (the fee of a pool, the price of a purchase) in `currency`, null when
--             nothing was asked. Times are UTC.
-- One row is: one grant. granted + given_back = remaining + consumed + expired + voided +
--             rolled_out, to the microcredit. `kind` is pool, rollover or granted (by command). A
--             pool that a change of plan made larger is still one row: granted and amount are the
--             sums. What a rollover was granted is what its pool rolled out; it has no amount of
--             its own (see `deferred`). What a reversal gave back stands in given_back, also where
--             it came to a grant that was gone: then the same is in expired. It pays in
--             [effective_at, expires_at), after all with a lower priority, then those that end sooner,
--             then by basis (promotional, rollover, pool, purchased). expires_at is null where it
--             never ends; a pool's is the closing of its period, whose late usage it still pays.
WITH sums AS (
    SELECT customer, grant_id,
           -- By its event first: a producer may call its own source "pool".
           CASE WHEN MAX(CASE WHEN kind = 'grant' AND event_type = 'purser.wallet.granted'
                              THEN 1 ELSE 0 END) = 1 THEN 'granted'
                WHEN grant_id LIKE 'pool/%' THEN 'pool'
                WHEN grant_id LIKE 'rollover/%' THEN 'rollover'
                ELSE 'granted' END AS kind,
           MIN(period) FILTER (WHERE kind IN ('grant', 'rollover') AND delta >= 0) AS period,
           MIN(received_at) FILTER (WHERE kind IN ('grant', 'rollover') AND delta >= 0)
               AS granted_at,
           CAST(COALESCE(SUM(delta) FILTER (WHERE kind = 'grant'
                                               OR kind = 'rollover' AND delta > 0), 0)
                AS DECIMAL(28, 6)) AS granted,
           CAST(COALESCE(-SUM(delta) FILTER (WHERE kind = 'usage'), 0) AS DECIMAL(28, 6))
               AS consumed,
           CAST(COALESCE(SUM(delta) FILTER (WHERE kind = 'reversal'), 0) AS DECIMAL(28, 6))
               AS given_back,
           CAST(COALESCE(-SUM(delta) FILTER (WHERE kind = 'expire'), 0) AS DECIMAL(28, 6))
               AS expired,
           CAST(COALESCE(-SUM(delta) FILTER (WHERE kind = 'void'), 0) AS DECIMAL(28, 6)) AS voided,
           CAST(COALESCE(-SUM(delta) FILTER (WHERE kind = 'rollover' AND delta < 0), 0)
                AS DECIMAL(28, 6)) AS rolled_out,
           CAST(COALESCE(SUM(delta), 0) AS DECIMAL(28, 6)) AS remaining,
           CAST(SUM(amount) FILTER (WHERE kind = 'grant') AS DECIMAL(28, 9)) AS amount,
           MAX(currency) FILTER (WHERE kind = 'grant') AS currency
    FROM ledger
    -- An alert may name a grant, but moves nothing.
    WHERE delta IS NOT NULL AND grant_id IS NOT NULL AND customer IS NOT NULL
    GROUP BY customer, grant_id
)
SELECT s.customer, s.grant_id, s.kind, COALESCE(t.basis, 'pool') AS basis,
       COALESCE(t.priority, 100) AS priority, s.period, s.granted_at,
       COALESCE(t.effective_at, ARROW_CAST(s.period, 'Timestamp(Microsecond, Some("UTC"))'))
           AS effective_at,
       CASE WHEN t.grant_id IS NULL THEN p.closes_at ELSE t.expires_at END AS expires_at,
       s.granted, s.consumed, s.given_back, s.expired, s.voided, s.rolled_out, s.remaining,
       s.amount, s.currency
FROM sums AS s
LEFT JOIN grant_terms AS t ON t.customer = s.customer AND t.grant_id = s.grant_id
LEFT JOIN periods AS p ON p.customer = s.customer AND p.period = s.period
ORDER BY s.customer, s.granted_at, s.grant_id
