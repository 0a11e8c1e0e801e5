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
SELECT customer, plan, period, period_end, pool, used, overage, remaining, used_percent, pace,
       status, next_plan, as_of_entry
FROM standings
ORDER BY customer
