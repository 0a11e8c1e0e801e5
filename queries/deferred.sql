-- Question:   What was paid for each grant, and in which period is how much of it earned?
-- Parameters: none; a view, so filter it with WHERE.
-- Units:      credits in credits, 0 or more but for `used`, which reversals lower; money (opening,
--             billed, closing and every column that ends in _amount) in `currency`.
-- One row is: one grant that somebody paid for, in one period in which anything happened to it.
--             kind is pool, rollover or granted (a purchase) as in `grants`. Money: opening +
--             billed + in_amount = used_amount + lost_amount + out_amount + closing. Credits:
--             remaining before + granted = used + expired + voided + out_credits + remaining.
--             `closing` is the part of what was paid that stands for the credits which remain; it
--             is the grant's next row's opening.
--
-- The price of a credit is what was paid for its grant divided by the credits granted, cut to 12
-- places: for a purchase its price by its credits, for a pool all fees of the period by all its
-- credits, so that a change to a larger plan gives every credit of the pool one price. What remains
-- is worth that price times the credits, cut to the nano; all that was paid while nothing is used;
-- 0 when nothing remains. It is reckoned from the state at the end of each period, never added up,
-- and what was used or lost (expired, voided) is what it takes off. So every number is cut once and
-- the parts of a grant add up to what was paid for it exactly; what cutting the price leaves over,
-- less than 10^-12 for each credit granted, is earned with the first credits used. Credits that a
-- pool rolls over take their worth along into the rollover grant (out_amount there, in_amount
-- here).
--
-- Rows count in the period to which they are booked, but late work of an ended period that was paid
-- by a grant of a later one (a rollover is) counts in that grant's first period, for nothing is
-- earned before it is billed. What a reversal gives back is used less in the reversal's period; to
-- a grant that is gone also lost more there; to a pool that has ended and is still open it is used
-- less and lost more in the pool's own. A fee without credits is earned at once, as used_amount.
-- Promotions without a price, plans without a fee, and overage are not here.
WITH moves AS (
    SELECT customer, grant_id, period,
           MAX(CASE WHEN kind = 'grant' AND event_type = 'purser.wallet.granted' THEN 1 ELSE 0 END)
               AS by_command,
           MIN(period) FILTER (WHERE kind = 'grant' OR kind = 'rollover' AND delta > 0) AS born,
           COALESCE(SUM(delta) FILTER (WHERE kind = 'grant' OR kind = 'rollover' AND delta > 0), 0)
               AS granted,
           COALESCE(-SUM(delta) FILTER (WHERE kind IN ('usage', 'reversal')), 0) AS used,
           COALESCE(-SUM(delta) FILTER (WHERE kind = 'expire'), 0) AS expired,
           COALESCE(-SUM(delta) FILTER (WHERE kind = 'void'), 0) AS voided,
           COALESCE(-SUM(delta) FILTER (WHERE kind = 'rollover' AND delta < 0), 0) AS out_credits,
           COALESCE(SUM(amount) FILTER (WHERE kind = 'grant'), 0) AS billed,
           MAX(currency) FILTER (WHERE kind = 'grant') AS currency
    FROM ledger
    WHERE delta IS NOT NULL AND grant_id IS NOT NULL AND customer IS NOT NULL
    GROUP BY customer, grant_id, period
), marked AS (
    SELECT *, MAX(by_command) OVER whole AS is_command, MIN(born) OVER whole AS first_period,
           MAX(currency) OVER whole AS grant_currency, SUM(billed) OVER whole AS price
    FROM moves
    WINDOW whole AS (PARTITION BY customer, grant_id)
), kinds AS (
    -- Pools and rollovers are known by their ids, unless a command made a grant of such an id.
    SELECT *,
           CASE WHEN is_command = 1 THEN 'granted' WHEN grant_id LIKE 'pool/%' THEN 'pool'
                ELSE 'rollover' END AS kind
    FROM marked
), returns AS (
    -- Of a pool that has ended nothing moves but what reversals give back. What did not expire at
    -- once came back while the pool's period was open, whose close takes it.
    SELECT *,
           CASE WHEN kind = 'pool' AND period > first_period THEN used + expired + voided ELSE 0 END
               AS returned
    FROM kinds
), placed AS (
    SELECT customer, grant_id, kind, GREATEST(period, first_period) AS period,
           MAX(grant_currency) AS currency, MAX(price) AS price,
           CAST(SUM(granted) AS DECIMAL(28, 6)) AS granted,
           CAST(SUM(used - returned + CASE WHEN period = first_period THEN all_returned ELSE 0 END)
                AS DECIMAL(28, 6)) AS used,
           CAST(SUM(expired) AS DECIMAL(28, 6)) AS expired,
           CAST(SUM(voided) AS DECIMAL(28, 6)) AS voided,
           CAST(SUM(out_credits) AS DECIMAL(28, 6)) AS out_credits,
           CAST(SUM(billed) AS DECIMAL(28, 9)) AS billed
    FROM (SELECT *, SUM(returned) OVER (PARTITION BY customer, grant_id) AS all_returned
          FROM returns) AS summed
    GROUP BY customer, grant_id, kind, GREATEST(period, first_period)
), pools AS (
    SELECT customer, CONCAT('rollover/', SUBSTR(grant_id, 6)) AS rollover_id, grant_id,
           MAX(currency) AS currency, CAST(SUM(granted) AS DECIMAL(28, 6)) AS granted,
           CAST(SUM(out_credits) AS DECIMAL(28, 6)) AS out_credits,
           CAST(SUM(billed) AS DECIMAL(28, 9)) AS price
    FROM placed
    WHERE kind = 'pool' AND price > 0
    GROUP BY customer, grant_id
    HAVING SUM(out_credits) > 0
), quotients AS (
    SELECT *, price / NULLIF(granted, 0) AS quotient FROM pools
), worths AS (
    -- A cast rounds, so what is cut off goes first.
    SELECT *, CAST(quotient - quotient % 0.000000000001 AS DECIMAL(28, 12))
              * CAST(out_credits AS DECIMAL(18, 6)) AS exact
    FROM quotients
), rolled AS (
    SELECT customer, rollover_id, grant_id, currency,
           CASE WHEN out_credits = granted THEN price
                ELSE CAST(exact - exact % 0.000000001 AS DECIMAL(28, 9)) END AS amount
    FROM worths
), paid AS (
    SELECT p.customer, p.grant_id, p.kind, p.period, COALESCE(r.currency, p.currency) AS currency,
           p.granted, p.used, p.expired, p.voided, p.out_credits, p.billed,
           CAST(CASE WHEN p.kind = 'rollover' AND p.granted > 0 THEN r.amount ELSE 0 END
                AS DECIMAL(28, 9)) AS in_amount,
           CAST(CASE WHEN p.out_credits > 0 THEN o.amount ELSE 0 END
                AS DECIMAL(28, 9)) AS out_amount
    FROM placed AS p
    LEFT JOIN rolled AS r ON p.kind = 'rollover' AND r.customer = p.customer
                         AND r.rollover_id = p.grant_id
    LEFT JOIN rolled AS o ON p.kind = 'pool' AND o.customer = p.customer
                         AND o.grant_id = p.grant_id
    WHERE (p.price > 0 OR r.amount > 0)
      AND (p.granted <> 0 OR p.used <> 0 OR p.expired <> 0 OR p.voided <> 0 OR p.out_credits <> 0
           OR p.billed <> 0)
), states AS (
    SELECT *,
           CAST(SUM(granted) OVER so_far AS DECIMAL(28, 6)) AS all_granted,
           CAST(SUM(out_credits) OVER so_far AS DECIMAL(28, 6)) AS all_out,
           CAST(SUM(billed + in_amount) OVER so_far AS DECIMAL(28, 9)) AS all_paid,
           CAST(SUM(out_amount) OVER so_far AS DECIMAL(28, 9)) AS all_out_amount,
           CAST(SUM(granted - used - expired - voided - out_credits) OVER so_far
                AS DECIMAL(18, 6)) AS remaining
    FROM paid
    WINDOW so_far AS (PARTITION BY customer, grant_id ORDER BY period)
), prices AS (
    SELECT *, all_paid / NULLIF(all_granted, 0) AS quotient,
           CAST(remaining + expired + voided AS DECIMAL(18, 6)) AS before_loss
    FROM states
), exact AS (
    SELECT *, CAST(quotient - quotient % 0.000000000001 AS DECIMAL(28, 12)) AS credit_price
    FROM prices
), ends AS (
    SELECT *,
           CASE WHEN all_granted = 0 THEN CAST(0 AS DECIMAL(28, 9))
                WHEN remaining + all_out = all_granted
                THEN CAST(all_paid - all_out_amount AS DECIMAL(28, 9))
                ELSE CAST(credit_price * remaining - credit_price * remaining % 0.000000001
                          AS DECIMAL(28, 9)) END AS closing,
           CASE WHEN all_granted = 0 THEN CAST(0 AS DECIMAL(28, 9))
                WHEN before_loss + all_out = all_granted
                THEN CAST(all_paid - all_out_amount AS DECIMAL(28, 9))
                ELSE CAST(credit_price * before_loss - credit_price * before_loss % 0.000000001
                          AS DECIMAL(28, 9)) END AS closing_before_loss
    FROM exact
), steps AS (
    SELECT *,
           COALESCE(LAG(closing) OVER (PARTITION BY customer, grant_id ORDER BY period), 0)
               AS opening
    FROM ends
)
SELECT customer, grant_id, kind, period, granted, used, expired, voided, out_credits,
       CAST(remaining AS DECIMAL(28, 6)) AS remaining,
       CAST(opening AS DECIMAL(28, 9)) AS opening, billed, in_amount,
       CAST(opening + billed + in_amount - out_amount - closing_before_loss AS DECIMAL(28, 9))
           AS used_amount,
       CAST(closing_before_loss - closing AS DECIMAL(28, 9)) AS lost_amount,
       out_amount, closing, currency
FROM steps
ORDER BY customer, period, grant_id
