//! How a ledger row changes a wallet.
//!
//! Owns the effect of each kind of row. Leaves which rows there are to `engine`, and reading them
//! to its `wallets`.
//!
//! Invariant: an effect depends on the row and the wallet alone, so that live, coming back and the
//! audit give the same.

use std::cmp::Ordering;
use std::sync::Arc;

use super::{BurnOrder, Closing, EndedPeriod, Grant, Period, Terms, Wallet};
use crate::domain::entry::{AlertKind, GrantId, Status};
use crate::domain::units::{Credits, Day, Money, Timestamp};

/// A pool as its row gives it.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    pub start: Day,
    pub end: Day,
    pub credits: Credits,
    pub fee: Money,
}

/// What a new period brings along.
pub struct NextPeriod {
    pub terms: Arc<Terms>,
    /// When the period that ends closes: its end and the grace.
    pub previous_closes_at: Timestamp,
}

/// A usage or reversal row as it touches the wallet.
#[derive(Clone, Copy, Debug)]
pub struct UsageRow<'a> {
    pub used_at: Timestamp,
    pub booked: Day,
    /// Negative when it gives back.
    pub credits: Credits,
    /// `None`: overage.
    pub grant: Option<GrantId<'a>>,
    /// Overage that has a price.
    pub billed: bool,
}

impl Wallet {
    /// Applies a pool's grant: the first one of a period starts it, and ends the one before; a
    /// later one is what a larger plan adds.
    pub fn apply_pool(&mut self, pool: Pool, next: NextPeriod) {
        if pool.start != self.current.start {
            let begun = Period::new(pool.start, pool.end, next.terms);
            let ended = std::mem::replace(&mut self.current, begun);
            self.ended.push(EndedPeriod {
                start: ended.start,
                end: ended.end,
                closes_at: next.previous_closes_at,
                terms: ended.terms,
                remaining: ended.remaining,
                had_overage: ended.had_overage,
                voided: ended.voided,
            });
            self.forget_next_plan();
        }
        let current = &mut self.current;
        current.voided &= pool.credits == Credits::ZERO;
        current.pool = Credits::new(current.pool.get() + pool.credits.get());
        current.remaining = Credits::new(current.remaining.get() + pool.credits.get());
        current.fee = Money::new(current.fee.get() + pool.fee.get());
    }

    /// Applies a change of plan within the period.
    pub fn apply_plan(&mut self, terms: Arc<Terms>) {
        self.current.terms = terms;
        self.forget_next_plan();
    }

    /// Applies a change of plan from the next period on.
    pub fn apply_next_plan(&mut self, plan: &str) {
        self.to_come.get_or_insert_default().next_plan = Some(plan.to_owned());
    }

    pub fn apply_closing(&mut self, closing: Closing) {
        self.to_come.get_or_insert_default().closing = Some(closing);
        self.forget_next_plan();
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

    /// Applies the end of a grant: it is gone, and so is the period of a pool.
    pub fn apply_expiry(&mut self, grant: GrantId<'_>) {
        match grant {
            GrantId::Pool(start) => self.ended.retain(|period| period.start != start),
            GrantId::Named(id) => self.grants.retain(|grant| &*grant.id != id),
        }
    }

    /// Applies that what came back to the pool of a period from `start` is gone at once: the period
    /// is over, which no row may have told, or its pool was voided.
    pub fn apply_returned_in_vain(&mut self, start: Day, now: Timestamp) {
        let is_open = |ended: &EndedPeriod| ended.start != start || now < ended.closes_at;
        self.ended.retain(is_open);
    }

    /// Applies the voiding of a grant: what it held is gone. A pool's period goes on without it.
    pub fn apply_void(&mut self, grant: GrantId<'_>) {
        match grant {
            GrantId::Pool(start) if start == self.current.start => {
                (self.current.remaining, self.current.voided) = (Credits::ZERO, true);
            }
            GrantId::Pool(start) => {
                if let Some(ended) = self.ended.iter_mut().find(|ended| ended.start == start) {
                    (ended.remaining, ended.voided) = (Credits::ZERO, true);
                }
            }
            GrantId::Named(_) => self.apply_expiry(grant),
        }
    }

    /// Applies that `credits` left a pool for the grant that takes them over.
    pub fn apply_rollover_out(&mut self, start: Day, credits: Credits) {
        if let Some(remaining) = self.pool_mut(start) {
            *remaining = less(*remaining, credits.get());
        }
    }

    /// Applies a charge, or what a reversal gives back: what `grant` paid, or overage. A grant that
    /// is gone stays so. Gives the period that has its first overage by this.
    pub fn apply_usage(&mut self, usage: UsageRow<'_>) -> Option<Day> {
        let charge = usage.credits.get();
        let remaining = match usage.grant {
            None => None,
            Some(grant @ GrantId::Pool(start)) => {
                let is_there = self.held(grant, usage.used_at).is_some();
                self.pool_mut(start).filter(|_| is_there)
            }
            Some(GrantId::Named(id)) => {
                let grant = self.grants.iter_mut().find(|grant| &*grant.id == id);
                grant.map(|grant| &mut grant.remaining)
            }
        };
        if let Some(remaining) = remaining {
            *remaining = less(*remaining, charge);
        }
        if usage.booked == self.current.start {
            let total = if usage.grant.is_some() {
                &mut self.current.consumed
            } else {
                &mut self.current.overage
            };
            *total = Credits::new(total.get().saturating_add(charge));
        }
        self.daily_use.add(usage.used_at.day(), usage.credits);
        if usage.grant.is_some() || usage.credits <= Credits::ZERO {
            return None;
        }
        self.blocked |= !usage.billed;
        let ended = self.ended.iter_mut();
        let mut ended = ended.filter(|ended| ended.start == usage.booked);
        let had_overage = match ended.next() {
            Some(ended) => &mut ended.had_overage,
            None => &mut self.current.had_overage,
        };
        let is_first = !std::mem::replace(had_overage, true);
        is_first.then_some(usage.booked)
    }

    /// Applies that an alert was told; `grant` is the one that it names.
    pub fn apply_alert(&mut self, alert: AlertKind, grant: Option<GrantId<'_>>) {
        match (alert, grant) {
            (AlertKind::RunOut(days), _) => self.run_out_told = Some(days),
            (AlertKind::Expiring(_), Some(GrantId::Named(id))) => {
                let grant = self.grants.iter_mut().find(|grant| &*grant.id == id);
                if let Some(grant) = grant {
                    grant.expiring_told = true;
                }
            }
            (AlertKind::Status(status), _) => self.blocked = status == Status::Blocked,
            (AlertKind::Used(_) | AlertKind::Overage | AlertKind::Expiring(_), _) => {}
        }
    }

    /// What the pool of a period that is open holds.
    fn pool_mut(&mut self, start: Day) -> Option<&mut Credits> {
        if start == self.current.start {
            return Some(&mut self.current.remaining);
        }
        let ended = self.ended.iter_mut().find(|ended| ended.start == start);
        ended.map(|ended| &mut ended.remaining)
    }
}

impl BurnOrder {
    /// Which of two grants pays first.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let expiry = |order: &Self| order.expires_at.map_or(i64::MAX, Timestamp::get);
        self.priority
            .cmp(&other.priority)
            .then_with(|| expiry(self).cmp(&expiry(other)))
            .then_with(|| self.basis.cmp(&other.basis))
            .then_with(|| self.effective_at.cmp(&other.effective_at))
    }
}

fn less(remaining: Credits, charge: i64) -> Credits {
    Credits::new(remaining.get() - charge)
}
