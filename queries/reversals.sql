-- Question:   Which usage was reversed, when, why, and what came back?
-- Parameters: none; a view, so filter it with WHERE.
-- Units:      quantity in `unit`; credits, to_grants, overage in credits, as given back: 0 or more;
--             amount, the money of the credit note, in `currency`, 0 or less, null when the overage
--             was never billed. Times are UTC.
-- One row is: one reversal, named by its command (event_source, event_id) and booked to `period`,
--             the one then open. It reverses the customer's event (reversed_source, reversed_id),
--             which is booked to reversed_period and whose first ledger row is reversed_entry.
--             to_grants + overage = credits. Of to_grants, `lapsed` expired at once: what came back
--             to grants that had ended or been voided.
--
-- The ledger holds the name of the reversed event in the command's `data` alone, and SQL here reads
-- no JSON: the name is cut out of the text. Where that fails (values nested deeper than one level
-- before it, \u escapes but those of &, < and >) the columns reversed_* are null; the others never
-- depend on it.
WITH texts AS (
    SELECT '"(?:[^"\\]|\\.)*"' AS a_text
), items AS (
    -- A text, a number or word, an object or list without another one in it.
    SELECT a_text,
           CONCAT('(?:', a_text, '|[^"\[\]{},\s]+|\{(?:[^{}"]|', a_text, ')*\}|\[(?:[^\[\]"]|',
                  a_text, ')*\])') AS a_value
    FROM texts
), members AS (
    -- As many members as can be stand before the name, since of one given twice the last holds.
    SELECT CONCAT('^\s*\{(?:\s*', a_text, '\s*:\s*', a_value, '\s*,)*\s*"') AS before,
           '"\s*:\s*"((?:[^"\\]|\\.)*)"' AS after
    FROM items
), commands AS (
    SELECT customer, period, received_at, shard, source, seq, idx,
           MAX(event_source) AS event_source, MAX(event_id) AS event_id, MAX(reason) AS reason,
           MAX(data) AS data, MAX(task) AS task, MAX(unit) AS unit,
           CAST(COALESCE(-SUM(quantity), 0) AS DECIMAL(28, 6)) AS quantity,
           CAST(COALESCE(-SUM(credits), 0) AS DECIMAL(28, 6)) AS credits,
           CAST(COALESCE(-SUM(credits) FILTER (WHERE grant_id IS NOT NULL), 0)
                AS DECIMAL(28, 6)) AS to_grants,
           CAST(COALESCE(-SUM(credits) FILTER (WHERE kind = 'reversal' AND grant_id IS NULL), 0)
                AS DECIMAL(28, 6)) AS overage,
           CAST(COALESCE(-SUM(delta) FILTER (WHERE kind = 'expire'), 0) AS DECIMAL(28, 6)) AS lapsed,
           CAST(SUM(amount) AS DECIMAL(28, 9)) AS amount, MAX(currency) AS currency,
           MIN(entry) AS entry, MAX(entry) AS last_entry
    FROM ledger
    WHERE kind = 'reversal' OR kind = 'expire' AND idx >= 0    -- a clock's rows have idx -1
    GROUP BY customer, period, received_at, shard, source, seq, idx
), quoted AS (
    -- No text of JSON holds the character 1, so it can stand for `\\` while the rest is read.
    SELECT c.*,
           REPLACE(REGEXP_MATCH(c.data, CONCAT(m.before, 'source', m.after))[1], '\\', CHR(1))
               AS quoted_source,
           REPLACE(REGEXP_MATCH(c.data, CONCAT(m.before, 'id', m.after))[1], '\\', CHR(1))
               AS quoted_id
    FROM commands AS c
    CROSS JOIN members AS m
), plain AS (
    SELECT *,
           REGEXP_REPLACE(REGEXP_REPLACE(REGEXP_REPLACE(REGEXP_REPLACE(quoted_source,
               '\\(["/])', '$1', 'g'), '\\u0026', '&', 'g'), '\\u003[cC]', '<', 'g'),
               '\\u003[eE]', '>', 'g') AS plain_source,
           REGEXP_REPLACE(REGEXP_REPLACE(REGEXP_REPLACE(REGEXP_REPLACE(quoted_id,
               '\\(["/])', '$1', 'g'), '\\u0026', '&', 'g'), '\\u003[cC]', '<', 'g'),
               '\\u003[eE]', '>', 'g') AS plain_id
    FROM quoted
), named AS (
    SELECT *,
           CASE WHEN STRPOS(plain_source, '\') = 0 THEN REPLACE(plain_source, CHR(1), '\') END
               AS reversed_source,
           CASE WHEN STRPOS(plain_id, '\') = 0 THEN REPLACE(plain_id, CHR(1), '\') END
               AS reversed_id
    FROM plain
), found AS (
    -- An id may be charged anew once its window is over: the newest before the reversal is meant.
    SELECT n.customer, n.entry, u.period AS reversed_period, u.entry AS reversed_entry,
           ROW_NUMBER() OVER (PARTITION BY n.customer, n.entry ORDER BY u.entry DESC) AS place
    FROM named AS n
    JOIN ledger AS u ON u.customer = n.customer AND u.event_source = n.reversed_source
                    AND u.event_id = n.reversed_id AND u.entry < n.entry
    WHERE u.kind = 'usage' AND u.quantity IS NOT NULL
)
SELECT n.customer, n.period, n.received_at, n.event_source, n.event_id, n.reason,
       n.reversed_source, n.reversed_id, f.reversed_period, n.task, n.unit, n.quantity,
       n.credits, n.to_grants, n.overage, n.lapsed, n.amount, n.currency,
       f.reversed_entry, n.shard, n.entry, n.last_entry
FROM named AS n
LEFT JOIN found AS f ON f.customer = n.customer AND f.entry = n.entry AND f.place = 1
ORDER BY n.shard, n.entry
