//! One customer's credits.
//!
//! Owns a wallet's periods, grants and balance. Leaves how a ledger row changes them to `apply`,
//! what may pay to `spend`, the pace to `pace`, what is worth an alert to `watch`, what was said
//! and has not come yet to `to_come`, where all of a shard lie to `list`, and the decision which
//! rows there are to `engine`.
//!
//! Invariant: state changes only by applying a row, and the same rows give the same wallet.

mod agreement;
pub mod apply;
pub mod list;
pub mod pace;
pub mod spend;
mod to_come;
pub mod watch;

use std::sync::Arc;

use super::calendar;
use super::entry::{GrantId, ROLLOVER_PREFIX, Status};
use super::price::Plan;
use super::units::{Credits, Day, Money, Timestamp};
use pace::DailyUse;
pub use to_come::{Closing, ToCome};
use watch::Thresholds;

/// All grants of a wallet but its pools hold less than this together: with a pool they fit the
/// ledger's `decimal(18,6)`.
pub const GRANTED_MAX: Credits = Credits::new(499_999_999_999_999_999);

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
    /// The `used` thresholds that were reached after the last row, by their number: also of plans
    /// that the wallet had before, as long as no row has made them false.
    pub reached: Thresholds,
    /// Work was done that no credits covered and nobody is billed for, and no credits have
    /// arrived since.
    pub blocked: bool,
    /// That the wallet runs out within so many days was told, and no row has made it untrue since.
    pub run_out_told: Option<u16>,
    /// Most wallets have nothing, and there are many wallets.
    pub to_come: Option<Box<ToCome>>,
    /// Midnights up to this instant were looked at.
    pub touched: Timestamp,
}

/// There are millions of them, and a charge looks at nearly all of one: four lines of memory.
const _: () = assert!(size_of::<Wallet>() <= 256);

/// The period that holds now, `[start, end)`.
#[derive(Clone, Debug)]
pub struct Period {
    pub start: Day,
    pub end: Day,
    pub terms: Arc<Terms>,
    /// What was given to the pool: the largest pool of the plans that the period has had.
    pub pool: Credits,
    /// What was billed for it: the largest of their fees.
    pub fee: Money,
    /// What the pool still holds.
    pub remaining: Credits,
    /// What grants, the pool and others, paid for usage booked to this period.
    pub consumed: Credits,
    /// Charges booked to this period that no grant covered.
    pub overage: Credits,
    /// There was such a charge, reversed or not.
    pub had_overage: bool,
    /// The pool was voided, and nothing was given to it since: what is given back to it is gone.
    pub voided: bool,
}

/// A period `[start, end)` that still takes its own late usage, until `closes_at` (exclusive).
#[derive(Clone, Debug)]
pub struct EndedPeriod {
    pub start: Day,
    pub end: Day,
    pub closes_at: Timestamp,
    pub terms: Arc<Terms>,
    pub remaining: Credits,
    pub had_overage: bool,
    pub voided: bool,
}

/// Credits that were bought or given, alive in `[effective_at, expires_at)`.
#[derive(Clone, Debug)]
pub struct Grant {
    pub id: Arc<str>,
    pub order: BurnOrder,
    pub remaining: Credits,
    /// That it ends soon was told.
    pub expiring_told: bool,
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

impl BurnOrder {
    /// That of credits which are rolled over: they begin with the period that starts on `begins`,
    /// and end with the last of so many `periods`.
    pub fn rolled_over(begins: Day, periods: u16, anchor: u8) -> Self {
        let mut end = begins;
        for _ in 0..periods {
            end = calendar::period_end(end, anchor);
        }
        Self {
            priority: Basis::Rollover.default_priority(),
            expires_at: Some(end.start()),
            basis: Basis::Rollover,
            effective_at: begins.start(),
        }
    }
}

/// Why credits were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    Promotional,
    Rollover,
    Pool,
    Purchased,
}

impl Basis {
    pub const ALL: [Basis; 4] = [
        Basis::Promotional,
        Basis::Rollover,
        Basis::Pool,
        Basis::Purchased,
    ];

    /// The word that commands and answers use.
    pub const fn name(self) -> &'static str {
        match self {
            Basis::Promotional => "promotional",
            Basis::Rollover => "rollover",
            Basis::Pool => "pool",
            Basis::Purchased => "purchased",
        }
    }

    /// The priority of a grant that states none.
    pub const fn default_priority(self) -> i32 {
        match self {
            Basis::Promotional => 50,
            Basis::Rollover => 90,
            Basis::Pool => 100,
            Basis::Purchased => 200,
        }
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
            fee: Money::ZERO,
            remaining: zero,
            consumed: zero,
            overage: zero,
            had_overage: false,
            voided: false,
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
            run_out_told: None,
            to_come: None,
            touched: start.start(),
        }
    }

    pub fn status(&self) -> Status {
        match (self.closing(), self.blocked) {
            (Some(_), _) => Status::Closed,
            (None, true) => Status::Blocked,
            (None, false) => Status::Ok,
        }
    }

    /// Whether the wallet takes usage of `used_at` at `now`: always, until it is closed; then what
    /// was used before, within the grace.
    pub fn takes(&self, used_at: Timestamp, now: Timestamp) -> bool {
        self.closing()
            .is_none_or(|closing| used_at < closing.closed_at && now < closing.voids_at)
    }

    /// What a grant that has not ended holds at `now`; `None` for one that is over, voided or was
    /// never given.
    pub fn held(&self, grant: GrantId<'_>, now: Timestamp) -> Option<Credits> {
        match grant {
            GrantId::Pool(start) if start == self.current.start => {
                (!self.current.voided).then_some(self.current.remaining)
            }
            GrantId::Pool(start) => {
                let ended = self.ended.iter().find(|ended| ended.start == start);
                ended
                    .filter(|ended| !ended.voided)
                    .map(|ended| ended.remaining)
            }
            GrantId::Named(id) => {
                let is_over = |grant: &&Grant| grant.order.expires_at.is_some_and(|end| end <= now);
                let grant = self.grants.iter().find(|grant| &*grant.id == id);
                let grant = grant.filter(|grant| !is_over(grant));
                grant.map(|grant| grant.remaining)
            }
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

    /// What the next period's grant takes over from the current pool: no more than the plan says,
    /// nor than a wallet may hold in grants.
    pub fn rolled_over(&self) -> Credits {
        let room = GRANTED_MAX.get() - self.granted_remaining().get();
        let max = self
            .current
            .terms
            .plan
            .rollover
            .map(|rollover| rollover.max);
        let max = max.unwrap_or_default().get().min(room).max(0);
        Credits::new(self.current.remaining.get().min(max))
    }

    /// The grant that took over what the period from `start` left.
    pub fn rollover_of(&self, start: Day) -> Option<&Grant> {
        let mut grants = self.grants.iter();
        let rolled = grants
            .clone()
            .any(|grant| grant.order.basis == Basis::Rollover);
        let id = rolled.then(|| rollover_id(start))?;
        grants.find(|grant| *grant.id == *id)
    }

    /// What is voided when the wallet closes, in that order: pools by period, then other grants in
    /// burn-down order; only those that hold something.
    pub fn left_to_void(&self) -> impl Iterator<Item = (GrantId<'_>, Credits)> {
        let ended = self.ended.iter();
        let ended = ended.map(|ended| (GrantId::Pool(ended.start), ended.remaining));
        let current = (GrantId::Pool(self.current.start), self.current.remaining);
        let grants = self.grants.iter();
        let grants = grants.map(|grant| (GrantId::Named(&grant.id), grant.remaining));
        let all = ended.chain([current]).chain(grants);
        all.filter(|(_, remaining)| *remaining > Credits::ZERO)
    }

    /// Credits that remain in all grants but pools, effective or not.
    pub fn granted_remaining(&self) -> Credits {
        Credits::new(self.grants.iter().fold(0, |sum, grant| {
            i64::saturating_add(sum, grant.remaining.get())
        }))
    }
}

/// The id of the grant that takes over what the period from `start` leaves.
pub fn rollover_id(start: Day) -> String {
    format!("{ROLLOVER_PREFIX}{}", calendar::civil(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::price::{Alerts, Overage};
    use crate::domain::units::Money;

    /// A wallet on thresholds 50, 80 and 100, and 7 days, whose pool holds 100, from day 10 until
    /// day 40.
    pub(super) fn wallet() -> Wallet {
        let plan = Plan {
            id: "p".to_owned(),
            name: "P".to_owned(),
            fee: Money::ZERO,
            currency: "USD".to_owned(),
            pool: Credits::new(100),
            alerts: Alerts {
                used: vec![50, 80, 100],
                run_out_within: Some(7),
                expiring_within: Some(7),
                ..Alerts::default()
            },
            overage: Overage::Block,
            rollover: None,
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
                expiring_told: false,
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
