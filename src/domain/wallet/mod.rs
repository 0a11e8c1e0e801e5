//! One customer's credits.
//!
//! Owns a wallet's periods, grants and balance, and how a ledger row changes them (`apply`).
//! Leaves what may pay to `spend`, the pace to `pace`, and the decision which rows there are to
//! `engine`.
//!
//! Invariant: state changes only by applying a row, and the same rows give the same wallet.

mod agreement;
pub mod pace;
pub mod spend;

use std::cmp::Ordering;
use std::sync::Arc;

use super::entry::GrantId;
use super::price::Plan;
use super::units::{Credits, Day, Timestamp};
use pace::DailyUse;

/// A plan as one version of the price table states it.
#[derive(Clone, Debug)]
pub struct Terms {
    pub version: Arc<str>,
    pub plan: Plan,
}

/// A wallet that was opened.
#[derive(Clone, Debug)]
pub struct Wallet {
    pub customer: Arc<str>,
    /// 1–31; periods start on it, or on the last day of a shorter month.
    pub anchor: u8,
    /// The first day of the first period.
    pub opened: Day,
    pub current: Period,
    /// Periods that have ended and not yet closed, oldest first.
    pub ended: Vec<EndedPeriod>,
    /// All grants but pools, in burn-down order.
    pub grants: Vec<Grant>,
    pub daily_use: DailyUse,
    /// Bit i: the i-th `used` threshold of the plan was reached after the last row.
    pub reached: u32,
    /// Work was done that no credits covered and nobody is billed for, and no credits have
    /// arrived since.
    pub blocked: bool,
}

/// The period that holds now, `[start, end)`.
#[derive(Clone, Debug)]
pub struct Period {
    pub start: Day,
    pub end: Day,
    pub terms: Arc<Terms>,
    /// What the pool held when it was given.
    pub pool: Credits,
    /// What the pool still holds.
    pub remaining: Credits,
    /// What grants, the pool and others, paid for usage booked to this period.
    pub consumed: Credits,
    /// Charges booked to this period that no grant covered.
    pub overage: Credits,
}

/// A period `[start, end)` that still takes its own late usage, until `closes_at` (exclusive).
#[derive(Clone, Debug)]
pub struct EndedPeriod {
    pub start: Day,
    pub end: Day,
    pub closes_at: Timestamp,
    pub terms: Arc<Terms>,
    pub remaining: Credits,
}

/// Credits that were bought or given, alive in `[effective_at, expires_at)`.
#[derive(Clone, Debug)]
pub struct Grant {
    pub id: Arc<str>,
    pub order: BurnOrder,
    pub remaining: Credits,
}

/// What decides which of two grants pays first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BurnOrder {
    /// Lower pays first.
    pub priority: i32,
    /// Sooner pays first; never pays last.
    pub expires_at: Option<Timestamp>,
    pub basis: Basis,
    pub effective_at: Timestamp,
}

/// Why credits were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    Promotional,
    Pool,
    Purchased,
}

impl Basis {
    /// The priority of a grant that states none.
    pub const fn default_priority(self) -> i32 {
        match self {
            Basis::Promotional => 50,
            Basis::Pool => 100,
            Basis::Purchased => 200,
        }
    }
}

impl BurnOrder {
    fn compare(&self, other: &Self) -> Ordering {
        let expiry = |order: &Self| order.expires_at.map_or(i64::MAX, Timestamp::get);
        self.priority
            .cmp(&other.priority)
            .then_with(|| expiry(self).cmp(&expiry(other)))
            .then_with(|| self.basis.cmp(&other.basis))
            .then_with(|| self.effective_at.cmp(&other.effective_at))
    }
}

impl Grant {
    /// Whether the grant is alive at `now`.
    pub fn is_alive(&self, now: Timestamp) -> bool {
        self.order.effective_at <= now && self.order.expires_at.is_none_or(|end| now < end)
    }
}

impl Period {
    /// A period before its pool is given.
    fn new(start: Day, end: Day, terms: Arc<Terms>) -> Self {
        let zero = Credits::ZERO;
        Self {
            start,
            end,
            terms,
            pool: zero,
            remaining: zero,
            consumed: zero,
            overage: zero,
        }
    }

    /// Where the pool stands among the grants that may pay.
    fn burn_order(&self) -> BurnOrder {
        BurnOrder {
            priority: Basis::Pool.default_priority(),
            expires_at: Some(self.end.start()),
            basis: Basis::Pool,
            effective_at: self.start.start(),
        }
    }
}

impl Wallet {
    /// A wallet as its opening row leaves it: without a pool. `[start, end)` is its first period.
    pub fn open(customer: Arc<str>, anchor: u8, start: Day, end: Day, terms: Arc<Terms>) -> Self {
        Self {
            customer,
            anchor,
            opened: start,
            current: Period::new(start, end, terms),
            ended: Vec::new(),
            grants: Vec::new(),
            daily_use: DailyUse::new(start),
            reached: 0,
            blocked: false,
        }
    }

    /// Credits that remain in the grants that are effective at `now`: the current pool and the
    /// grants that are alive. A pool whose period has ended is not in it.
    pub fn balance(&self, now: Timestamp) -> Credits {
        let alive = self.grants.iter().filter(|grant| grant.is_alive(now));
        let sum = alive.fold(self.current.remaining.get(), |sum, grant| {
            sum.saturating_add(grant.remaining.get())
        });
        Credits::new(sum)
    }

    /// Credits that remain in all grants but pools, effective or not.
    pub fn granted_remaining(&self) -> Credits {
        Credits::new(self.grants.iter().fold(0, |sum, grant| {
            i64::saturating_add(sum, grant.remaining.get())
        }))
    }

    /// Applies a pool's grant: the first one of a period starts it, and ends the one before.
    pub fn apply_pool(&mut self, start: Day, end: Day, pool: Credits, next: NextPeriod) {
        if start != self.current.start {
            let ended = std::mem::replace(&mut self.current, Period::new(start, end, next.terms));
            self.ended.push(EndedPeriod {
                start: ended.start,
                end: ended.end,
                closes_at: next.previous_closes_at,
                terms: ended.terms,
                remaining: ended.remaining,
            });
        }
        self.current.pool = Credits::new(self.current.pool.get() + pool.get());
        self.current.remaining = Credits::new(self.current.remaining.get() + pool.get());
    }

    /// Applies a grant that is no pool. One that has its id is spent and expired: no row told of
    /// its end, so a wallet that came back from rows may still have it.
    pub fn apply_grant(&mut self, grant: Grant) {
        self.grants.retain(|other| other.id != grant.id);
        let at = self.grants.partition_point(|other| {
            let order = other.order.compare(&grant.order);
            order.then_with(|| other.id.cmp(&grant.id)) == Ordering::Less
        });
        self.grants.insert(at, grant);
    }

    /// Applies the expiry of what remains in a grant: it is gone.
    pub fn apply_expiry(&mut self, grant: GrantId<'_>) {
        match grant {
            GrantId::Pool(start) => self.ended.retain(|period| period.start != start),
            GrantId::Named(id) => self.grants.retain(|grant| &*grant.id != id),
        }
    }

    /// Applies a charge, booked to the period that starts on `booked`: what `grant` paid of it,
    /// or overage.
    pub fn apply_usage(&mut self, usage: UsageRow<'_>) {
        let charge = usage.credits.get();
        match usage.grant {
            None => {}
            Some(GrantId::Pool(start)) if start == self.current.start => {
                self.current.remaining = less(self.current.remaining, charge);
            }
            Some(GrantId::Pool(start)) => {
                if let Some(period) = self.ended.iter_mut().find(|period| period.start == start) {
                    period.remaining = less(period.remaining, charge);
                }
            }
            Some(GrantId::Named(id)) => {
                if let Some(grant) = self.grants.iter_mut().find(|grant| &*grant.id == id) {
                    grant.remaining = less(grant.remaining, charge);
                }
            }
        }
        if usage.booked == self.current.start {
            let total = if usage.grant.is_some() {
                &mut self.current.consumed
            } else {
                &mut self.current.overage
            };
            *total = Credits::new(total.get().saturating_add(charge));
        }
        self.blocked |= usage.grant.is_none() && !usage.billed && usage.credits > Credits::ZERO;
        self.daily_use.add(usage.used_at.day(), usage.credits);
    }

    /// Looks at the status and the `used` thresholds again after a row; gives the thresholds that
    /// it newly reached, as bits.
    ///
    /// A threshold of t percent is reached when 100 · consumed ≥ t · (consumed + balance), and
    /// never at 0 ÷ 0.
    pub fn update_after(&mut self, balance: Credits) -> u32 {
        self.blocked &= balance == Credits::ZERO;
        let consumed = i128::from(self.current.consumed.get());
        let all = consumed + i128::from(balance.get());
        let mut reached = 0;
        if consumed > 0 {
            for (bit, threshold) in self.current.terms.plan.used_alerts.iter().enumerate() {
                let is_reached = 100 * consumed >= i128::from(*threshold) * all;
                reached |= u32::from(is_reached) << bit;
            }
        }
        let newly = reached & !self.reached;
        self.reached = reached;
        newly
    }
}

/// What a new period brings along.
pub struct NextPeriod {
    pub terms: Arc<Terms>,
    /// When the period that ends closes: its end and the grace.
    pub previous_closes_at: Timestamp,
}

/// A usage row as it touches the wallet.
#[derive(Clone, Copy, Debug)]
pub struct UsageRow<'a> {
    pub used_at: Timestamp,
    pub booked: Day,
    pub credits: Credits,
    /// `None`: overage.
    pub grant: Option<GrantId<'a>>,
    /// Overage that has a price.
    pub billed: bool,
}

fn less(remaining: Credits, charge: i64) -> Credits {
    Credits::new(remaining.get() - charge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::price::Overage;
    use crate::domain::units::Money;

    /// A wallet on thresholds 50, 80 and 100 whose pool holds 100.
    fn wallet() -> Wallet {
        let plan = Plan {
            id: "p".to_owned(),
            name: "P".to_owned(),
            fee: Money::ZERO,
            currency: "USD".to_owned(),
            pool: Credits::new(100),
            used_alerts: vec![50, 80, 100],
            overage: Overage::Block,
        };
        let terms = Arc::new(Terms {
            version: Arc::from("v"),
            plan,
        });
        let (start, end) = (Day::new(10), Day::new(40));
        let mut wallet = Wallet::open(Arc::from("acme"), 1, start, end, terms);
        wallet.current.remaining = Credits::new(100);
        wallet
    }

    #[test]
    fn a_threshold_is_newly_reached_once_until_a_row_makes_it_false() {
        let mut wallet = wallet();
        for (consumed, balance, newly) in [
            (0, 0, 0b000), // nothing of nothing
            (49, 51, 0b000),
            (50, 50, 0b001),
            (51, 49, 0b000),
            (51, 60, 0b000), // false again
            (80, 20, 0b011),
            (100, 0, 0b100),
            (100, 100, 0b000), // 50 still holds
            (100, 0, 0b110),
            (i64::MAX, i64::MAX, 0b000),
        ] {
            wallet.current.consumed = Credits::new(consumed);
            let reached = wallet.update_after(Credits::new(balance));
            assert_eq!(reached, newly, "{consumed} {balance}");
        }
    }

    #[test]
    fn the_balance_is_that_of_the_current_pool_and_the_grants_alive() {
        let mut wallet = wallet();
        for (id, from, until, credits) in [("a", 12, Some(15), 7), ("b", 0, None, 11)] {
            wallet.apply_grant(Grant {
                id: Arc::from(id),
                order: BurnOrder {
                    priority: 50,
                    expires_at: until.map(|day| Day::new(day).start()),
                    basis: Basis::Promotional,
                    effective_at: Day::new(from).start(),
                },
                remaining: Credits::new(credits),
            });
        }
        let just_before = |day| Day::new(day).start().plus(-1);
        for (at, balance) in [
            (just_before(12), 111),
            (Day::new(12).start(), 118),
            (just_before(15), 118),
            (Day::new(15).start(), 111),
        ] {
            assert_eq!(wallet.balance(at), Credits::new(balance), "{at:?}");
        }
        assert_eq!(wallet.granted_remaining(), Credits::new(18));
    }
}
