//! A wallet's books: what was granted, and what became of it.
//!
//! Owns the sums of each grant and the balance, reckoned from the rows alone, apart from the
//! wallet that the engine folds. Leaves what a row should say to the files beside this one.
//!
//! Invariant: for each grant, granted + given back = remaining + consumed + expired + voided +
//! rolled out; totals only rise, and what remains is what they leave. Spent grants that are over
//! are forgotten, and begin anew with nothing when something is given back to them.

use super::finding::Fault;
use crate::domain::entry::GrantId;
use crate::domain::units::{Credits, Day, Timestamp};

/// The books of one wallet.
#[derive(Default)]
pub(super) struct Account {
    grants: Vec<Totals>,
    /// The current period's pool; `None` before the first.
    pub(super) pool: Option<Day>,
    /// The wallet was opened, and its pool has not come yet.
    pub(super) awaits_pool: bool,
    /// The plan changed to a larger one, and what it adds to the pool has not come yet.
    pub(super) awaits_more: bool,
    /// What should leave the pool of a period that has ended, and arrive in the grant that takes it
    /// over; both rows come next.
    pub(super) rolling: Option<Rolling>,
    /// What the last row's balance was looked at by.
    as_of: Timestamp,
    /// By how much the last stated balance was off.
    drift: i128,
    /// Whether the wallet that is folded from the rows has all of them. It takes none after one
    /// that can't be right.
    pub(super) is_followed: bool,
}

/// A period's rest on its way.
#[derive(Clone, Copy)]
pub(super) struct Rolling {
    pub(super) from: Day,
    pub(super) credits: Credits,
    pub(super) has_left: bool,
}

/// One grant; amounts in microcredits.
struct Totals {
    id: Id,
    /// The row that gave it; 0 of a pool.
    entry: i64,
    effective_at: Timestamp,
    /// Of a pool: when the period closes; unknown until the next one begins.
    ends_at: Option<Timestamp>,
    granted: i128,
    given_back: i128,
    consumed: i128,
    expired: i128,
    voided: i128,
    rolled_out: i128,
    /// It is over, and what is given back to it is gone at once.
    is_gone: bool,
    /// It was told that its end is missing.
    is_told: bool,
}

#[derive(PartialEq, Eq)]
enum Id {
    Pool(Day),
    Named(Box<str>),
}

impl Id {
    fn get(&self) -> GrantId<'_> {
        match self {
            Self::Pool(start) => GrantId::Pool(*start),
            Self::Named(name) => GrantId::Named(name),
        }
    }
}

impl Totals {
    fn remaining(&self) -> i128 {
        let left = self.consumed + self.expired + self.voided + self.rolled_out;
        self.granted + self.given_back - left
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.ends_at.is_some_and(|end| end <= now)
    }
}

impl Account {
    /// The wallet is opened, perhaps anew: what it had before is gone.
    pub(super) fn open(&mut self) {
        self.awaits_pool = true;
        self.pool = None;
        self.grants.iter_mut().for_each(|held| held.is_gone = true);
    }

    /// A pool was given, which ends the period before it: that closes at `closes_at`.
    pub(super) fn pool(
        &mut self,
        start: Day,
        credits: i128,
        closes_at: Timestamp,
    ) -> Result<(), Fault> {
        let before = self.pool.filter(|before| *before != start);
        let since = (0, start.start(), None);
        match self.find(GrantId::Pool(start)) {
            // What a larger plan adds.
            Some(known) => {
                known.granted += credits;
                known.is_gone &= credits == 0;
            }
            None => self.grant(Id::Pool(start), since, credits)?,
        }
        self.pool = Some(start);
        if let Some(ended) = before.and_then(|before| self.find(GrantId::Pool(before))) {
            ended.ends_at = Some(closes_at);
        }
        Ok(())
    }

    /// Entry `entry` gave credits that are alive in `[effective_at, expires_at)`.
    pub(super) fn named(
        &mut self,
        entry: i64,
        (id, credits): (&str, i128),
        (effective_at, expires_at): (Timestamp, Option<Timestamp>),
    ) -> Result<(), Fault> {
        let since = (entry, effective_at, expires_at);
        self.grant(Id::Named(id.into()), since, credits)
    }

    fn grant(
        &mut self,
        id: Id,
        (entry, effective_at, ends_at): (i64, Timestamp, Option<Timestamp>),
        granted: i128,
    ) -> Result<(), Fault> {
        if self.find(id.get()).is_some() {
            return Err(Fault::GrantAgain);
        }
        self.grants.push(Totals {
            id,
            entry,
            effective_at,
            ends_at,
            granted,
            given_back: 0,
            consumed: 0,
            expired: 0,
            voided: 0,
            rolled_out: 0,
            is_gone: false,
            is_told: false,
        });
        Ok(())
    }

    /// Something returns to a grant; `ends_at` of one that is forgotten was before now.
    pub(super) fn give_back(&mut self, grant: GrantId<'_>, credits: i128, now: Timestamp) {
        if self.find(grant).is_none() {
            let id = match grant {
                GrantId::Pool(start) => Id::Pool(start),
                GrantId::Named(id) => Id::Named(id.into()),
            };
            // Never twice: there was none.
            let _known = self.grant(id, (0, now, Some(now)), 0);
            if let Some(forgotten) = self.find(grant) {
                forgotten.is_gone = true;
            }
        }
        if let Some(found) = self.find(grant) {
            found.given_back += credits;
        }
    }

    /// Whether what is given back to a grant is gone at once.
    pub(super) fn is_gone(&self, grant: GrantId<'_>, now: Timestamp) -> bool {
        let found = self.grants.iter().find(|held| held.id.get() == grant);
        found.is_none_or(|found| found.is_gone || found.is_over(now))
    }

    /// A grant paid.
    pub(super) fn consume(&mut self, grant: GrantId<'_>, credits: i128) -> Result<(), Fault> {
        let found = self.find(grant).ok_or(Fault::NoGrant)?;
        let before = found.remaining();
        found.consumed += credits;
        at_least_zero(found.remaining(), before)
    }

    /// A grant lost what it had left by its end, or what was given back after it.
    pub(super) fn expire(&mut self, grant: GrantId<'_>, credits: i128) -> Result<(), Fault> {
        let found = self.find(grant).ok_or(Fault::NoGrant)?;
        let before = found.remaining();
        found.expired += credits;
        at_least_zero(found.remaining(), before)
    }

    /// Somebody took what was left.
    pub(super) fn void(&mut self, grant: GrantId<'_>, credits: i128) -> Result<(), Fault> {
        let found = self.find(grant).ok_or(Fault::NoGrant)?;
        let before = found.remaining();
        found.voided += credits;
        found.is_gone = true;
        at_least_zero(found.remaining(), before)
    }

    /// Something left a pool for the grant that takes it over.
    pub(super) fn roll_out(&mut self, grant: GrantId<'_>, credits: i128) -> Result<(), Fault> {
        let found = self.find(grant).ok_or(Fault::NoGrant)?;
        let before = found.remaining();
        found.rolled_out += credits;
        at_least_zero(found.remaining(), before)
    }

    /// What remains in a grant, and when it ends or ended.
    pub(super) fn held(&self, grant: GrantId<'_>) -> Option<(i128, Option<Timestamp>)> {
        let found = self.grants.iter().find(|held| held.id.get() == grant)?;
        Some((found.remaining(), found.ends_at))
    }

    /// The balance at `as_of`: of the current pool and the grants that are alive then.
    pub(super) fn balance(&mut self, as_of: Timestamp) -> i128 {
        self.as_of = as_of;
        self.same_balance()
    }

    /// The balance at the moment of the row before.
    pub(super) fn same_balance(&self) -> i128 {
        let effective = self.grants.iter().filter(|held| match held.id {
            Id::Pool(start) => self.pool == Some(start) && !held.is_gone,
            Id::Named(_) => {
                held.effective_at <= self.as_of && !held.is_over(self.as_of) && !held.is_gone
            }
        });
        effective.map(Totals::remaining).sum()
    }

    /// Whether a stated balance is neither right nor off by as much as the one before it, which
    /// was told already.
    pub(super) fn is_news(&mut self, stated: Credits, balance: i128) -> bool {
        let drift = i128::from(stated.get()) - balance;
        let before = std::mem::replace(&mut self.drift, drift);
        drift != 0 && drift != before
    }

    /// When all that is due by `now` has fired, but for what was granted from entry `from` on:
    /// forgets grants that are over and empty, handing each to `spent`, and gives one that is over
    /// and not empty, if there is one.
    pub(super) fn sweep(
        &mut self,
        (now, from): (Timestamp, i64),
        mut spent: impl FnMut(GrantId<'_>),
    ) -> Option<Fault> {
        let mut overdue = None;
        self.grants.retain_mut(|held| {
            let is_over = held.is_over(now) && held.entry < from;
            if !is_over && !held.is_gone {
                return true;
            }
            if held.remaining() == 0 {
                spent(held.id.get());
                return false;
            }
            if !std::mem::replace(&mut held.is_told, true) {
                overdue = Some(Fault::Overdue {
                    grant: held.id.get().to_string(),
                    remaining: micros(held.remaining()),
                });
            }
            true
        });
        overdue
    }

    /// Each grant and what remains in it.
    pub(super) fn each(&self) -> impl Iterator<Item = (GrantId<'_>, i128)> {
        self.grants
            .iter()
            .map(|held| (held.id.get(), held.remaining()))
    }

    /// Σ remaining of all grants.
    pub(super) fn remaining(&self) -> i128 {
        self.grants.iter().map(Totals::remaining).sum()
    }

    fn find(&mut self, grant: GrantId<'_>) -> Option<&mut Totals> {
        self.grants.iter_mut().find(|held| held.id.get() == grant)
    }
}

fn at_least_zero(remaining: i128, before: i128) -> Result<(), Fault> {
    if remaining >= 0 {
        return Ok(());
    }
    let remaining = micros(before);
    Err(Fault::BelowZero { remaining })
}

/// Microcredits as credits.
pub(super) fn micros(amount: i128) -> String {
    decimal(amount, 6)
}

/// Units of 10^-`places` as a plain decimal with all its places.
pub(super) fn decimal(amount: i128, places: u32) -> String {
    let one = 10_u128.pow(places);
    let sign = if amount < 0 { "-" } else { "" };
    let (whole, part) = (amount.unsigned_abs() / one, amount.unsigned_abs() % one);
    format!("{sign}{whole}.{part:0width$}", width = places as usize)
}
