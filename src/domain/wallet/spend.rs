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
        if let Some(ended) = self.ended.iter().find(|ended| ended.start == spend.period)
            && !offer(Payer::Pool(ended.start), ended.remaining)
        {
            return;
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
            let may_pay = grant.order.effective_at <= spend.used_at && grant.is_alive(spend.now);
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
