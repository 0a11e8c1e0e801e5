//! Who pays for a charge.
//!
//! Owns the period that usage is booked to and the order in which grants pay. Moves nothing:
//! the rows that follow from a plan do.
//!
//! Invariant: the legs of a plan add up to the charge, and no grant pays more than it holds.

use std::sync::Arc;

use super::{BurnOrder, Wallet};
use crate::domain::entry::GrantId;
use crate::domain::units::{Credits, Day, Timestamp};
use crate::domain::wallet::Terms;
use std::cmp::Ordering;

/// The period that usage belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Booking {
    pub period: Day,
    pub late: bool,
}

/// A part of a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    pub payer: Payer,
    pub credits: Credits,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payer {
    Pool(Day),
    Grant(Arc<str>),
    Overage,
}

impl Payer {
    /// The grant that pays; `None` for overage.
    pub fn grant_id(&self) -> Option<GrantId<'_>> {
        match self {
            Payer::Pool(period) => Some(GrantId::Pool(*period)),
            Payer::Grant(id) => Some(GrantId::Named(id)),
            Payer::Overage => None,
        }
    }
}

impl Wallet {
    /// The period that holds `used_at`, if it is open, else the current one. Usage of a period
    /// that has ended is late; usage stamped a few minutes ahead of the next is not.
    pub fn book(&self, used_at: Timestamp) -> Booking {
        if used_at >= self.current.start.start() {
            return Booking {
                period: self.current.start,
                late: false,
            };
        }
        // Usage from before the opening belongs to the first period.
        let used_at = used_at.max(self.opened.start());
        let holds = |start: Day, end: Day| start.start() <= used_at && used_at < end.start();
        let ended = self
            .ended
            .iter()
            .find(|period| holds(period.start, period.end));
        Booking {
            period: ended.map_or(self.current.start, |period| period.start),
            late: true,
        }
    }

    /// The terms of an open period.
    pub fn terms_of(&self, period: Day) -> &Arc<Terms> {
        let ended = self.ended.iter().find(|ended| ended.start == period);
        ended.map_or(&self.current.terms, |ended| &ended.terms)
    }

    /// Splits `charge` over what may pay for usage of `used_at` booked to `period`, into `legs`,
    /// in burn-down order; the rest is overage. A charge of zero is one leg that names the first
    /// grant that may pay, whatever it still holds.
    pub fn plan_spend(&self, spend: Spend, legs: &mut Vec<Leg>) {
        legs.clear();
        let mut left = spend.charge;
        let mut first = None;
        self.each_payer(spend, |payer, remaining| {
            let part = left.min(remaining);
            if part > Credits::ZERO {
                left = Credits::new(left.get() - part.get());
                legs.push(Leg {
                    payer: payer.clone(),
                    credits: part,
                });
            }
            first.get_or_insert(payer);
            left > Credits::ZERO
        });
        if left > Credits::ZERO {
            legs.push(Leg {
                payer: Payer::Overage,
                credits: left,
            });
        } else if legs.is_empty() {
            let payer = first.unwrap_or(Payer::Overage);
            legs.push(Leg {
                payer,
                credits: Credits::ZERO,
            });
        }
    }

    /// Offers the grants that may pay, in burn-down order, until `offer` says false.
    fn each_payer(&self, spend: Spend, mut offer: impl FnMut(Payer, Credits) -> bool) {
        // Late usage: the old pool, then what was rolled over from it, then the others.
        let mut rolled = None;
        if let Some(ended) = self.ended.iter().find(|ended| ended.start == spend.period) {
            if !offer(Payer::Pool(ended.start), ended.remaining) {
                return;
            }
            rolled = self.rollover_of(ended.start);
            let alive = rolled.filter(|grant| grant.is_alive(spend.now));
            if let Some(grant) = alive
                && !offer(Payer::Grant(Arc::clone(&grant.id)), grant.remaining)
            {
                return;
            }
        }
        let mut pool = (spend.period == self.current.start).then(|| self.current.burn_order());
        for grant in &self.grants {
            if pool
                .as_ref()
                .is_some_and(|pool| goes_first(pool, &grant.order))
            {
                pool = None;
                if !offer(Payer::Pool(self.current.start), self.current.remaining) {
                    return;
                }
            }
            let may_pay = grant.order.effective_at <= spend.used_at
                && grant.is_alive(spend.now)
                && rolled.is_none_or(|rolled| rolled.id != grant.id);
            if may_pay && !offer(Payer::Grant(Arc::clone(&grant.id)), grant.remaining) {
                return;
            }
        }
        if pool.is_some() {
            offer(Payer::Pool(self.current.start), self.current.remaining);
        }
    }
}

/// What is to be paid.
#[derive(Clone, Copy, Debug)]
pub struct Spend {
    pub used_at: Timestamp,
    pub now: Timestamp,
    pub period: Day,
    pub charge: Credits,
}

fn goes_first(pool: &BurnOrder, grant: &BurnOrder) -> bool {
    pool.compare(grant) == Ordering::Less
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::price::{Alerts, Overage, Plan};
    use crate::domain::units::Money;
    use crate::domain::wallet::{Basis, EndedPeriod, Grant};

    /// Opened on day 10; `[10, 40)` has ended with 5 left, `[40, 70)` is current with 20.
    /// Grants are `id basis priority from-until left`, `-` in place of the default.
    fn wallet(grants: &str) -> Wallet {
        let plan = Plan {
            id: "p".to_owned(),
            name: "P".to_owned(),
            fee: Money::ZERO,
            currency: "USD".to_owned(),
            pool: Credits::ZERO,
            alerts: Alerts::default(),
            overage: Overage::Block,
            rollover: None,
        };
        let terms = Arc::new(Terms {
            version: Arc::from("v"),
            plan,
        });
        let (start, end) = (Day::new(40), Day::new(70));
        let mut wallet = Wallet::open(Arc::from("acme"), 1, start, end, Arc::clone(&terms));
        wallet.opened = Day::new(10);
        wallet.current.remaining = Credits::new(20);
        wallet.ended.push(EndedPeriod {
            start: Day::new(10),
            end: start,
            closes_at: Day::new(41).start(),
            terms,
            remaining: Credits::new(5),
            had_overage: false,
            voided: false,
        });
        for line in grants.lines().filter(|line| !line.trim().is_empty()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [id, basis, priority, alive, left] = words[..] else {
                panic!("{line}")
            };
            let basis = match basis {
                "promotional" => Basis::Promotional,
                "rollover" => Basis::Rollover,
                _ => Basis::Purchased,
            };
            let (from, until) = alive.split_once('-').unwrap();
            let at = |day: &str| day.parse().ok().map(|day| Day::new(day).start());
            wallet.apply_grant(Grant {
                id: Arc::from(id),
                order: BurnOrder {
                    priority: priority.parse().unwrap_or(basis.default_priority()),
                    expires_at: at(until),
                    basis,
                    effective_at: at(from).unwrap(),
                },
                remaining: Credits::new(left.parse().unwrap()),
                expiring_told: false,
            });
        }
        wallet
    }

    #[test]
    fn usage_belongs_to_the_open_period_that_holds_it() {
        for (used_on, period, late) in [
            (70, 40, false), // ahead of the next period
            (69, 40, false),
            (40, 40, false),
            (39, 10, true),
            (10, 10, true),
            (9, 10, true), // from before the opening
            (-400, 10, true),
        ] {
            let booking = Booking {
                period: Day::new(period),
                late,
            };
            let used_at = Day::new(used_on).start();
            assert_eq!(wallet("").book(used_at), booking, "{used_on}");
        }
        let mut closed = wallet("");
        closed.ended.clear();
        for used_on in [39, 9] {
            let booking = closed.book(Day::new(used_on).start());
            assert!(booking.period == Day::new(40) && booking.late, "{used_on}");
        }
    }

    /// Rows are `charge used_on now period -> payer left…`, by day.
    fn check(grants: &str, rows: &str) {
        let wallet = wallet(grants);
        let mut legs = Vec::new();
        for row in rows.lines().filter(|row| !row.trim().is_empty()) {
            let (given, expected) = row.split_once("->").unwrap();
            let numbers: Vec<i32> = given
                .split_whitespace()
                .map(|n| n.parse().unwrap())
                .collect();
            let [charge, used_on, now, period] = numbers[..] else {
                panic!("{row}")
            };
            let spend = Spend {
                used_at: Day::new(used_on).start(),
                now: Day::new(now).start(),
                period: Day::new(period),
                charge: Credits::new(i64::from(charge)),
            };
            wallet.plan_spend(spend, &mut legs);
            let told = legs.iter().map(|leg| {
                let payer = match &leg.payer {
                    Payer::Pool(start) => format!("pool{}", start.get()),
                    Payer::Grant(id) => id.to_string(),
                    Payer::Overage => "overage".to_owned(),
                };
                format!("{payer} {}", leg.credits.get())
            });
            let told = told.collect::<Vec<_>>().join(", ");
            assert_eq!(told, expected.trim(), "{row}");
        }
    }

    #[test]
    fn grants_pay_in_burn_down_order_and_the_rest_is_overage() {
        check(
            "given promotional - 30-50 3
             soon  purchased 100 30-60 2
             never purchased 100 30-   4
             later promotional - 45-   9",
            "1  44 44 40 -> given 1
             3  44 44 40 -> given 3
             4  44 44 40 -> given 3, soon 1
             99 44 44 40 -> given 3, soon 2, pool40 20, never 4, overage 70
             99 44 50 40 -> soon 2, pool40 20, never 4, overage 73
             99 45 45 40 -> given 3, later 9, soon 2, pool40 20, never 4, overage 61
             99 44 45 40 -> given 3, soon 2, pool40 20, never 4, overage 70
             99 45 44 40 -> given 3, soon 2, pool40 20, never 4, overage 70
             99 39 40 10 -> pool10 5, given 3, soon 2, never 4, overage 85
             99 29 40 10 -> pool10 5, overage 94
             0  44 44 40 -> given 0
             0  44 50 40 -> soon 0
             0  39 40 10 -> pool10 0",
        );
        // Day 10 is 1970-01-11: late usage draws it, though it began later.
        check(
            "rollover/1970-01-11 rollover - 40-70 4
             given promotional - 30- 3",
            "99 39 40 10 -> pool10 5, rollover/1970-01-11 4, given 3, overage 87
             99 44 44 40 -> given 3, rollover/1970-01-11 4, pool40 20, overage 72
             99 39 70 10 -> pool10 5, given 3, overage 91",
        );
        check(
            "spent purchased 1 30- 0",
            "0  44 44 40 -> spent 0
             20 44 44 40 -> pool40 20",
        );
    }
}
