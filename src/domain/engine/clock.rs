//! The shard's clock and what falls due.
//!
//! Owns now, price versions coming into force, and firing timers: the end and the close of
//! periods, the expiry of grants. Leaves their order to `timers`.
//!
//! Invariant: now never goes back, and a wallet's own due timers fire before its own event.

use std::sync::Arc;

use super::rows::Origin;
use super::{Engine, Message};
use crate::domain::entry::{GrantId, Kind, Sink};
use crate::domain::event::Members;
use crate::domain::timers::{Timer, TimerKind};
use crate::domain::units::{Credits, Day, Timestamp};
use crate::domain::wallet::Grant;

/// Timers that may each write rows before one message, so that a month's end does not hold up
/// events.
pub const TIMERS_BEFORE_MESSAGE: u32 = 4_096;

impl Engine {
    pub(super) fn move_now(&mut self, to: Timestamp) {
        let before = self.now;
        self.now = Some(before.map_or(to, |now| now.max(to)));
        if before.map(Timestamp::day) != self.now.map(Timestamp::day) {
            let before = to.plus(-self.book.longest_window());
            self.filter.forget(before, self.last.entry + 1);
        }
    }

    /// A `prices` row for each version that now has reached.
    pub(super) fn record_versions(&mut self, origin: &mut Origin<'_>, sink: &mut impl Sink) {
        while let Some(table) = self.book.tables().get(self.recorded_versions.len())
            && self.now.is_some_and(|now| table.effective_from <= now)
        {
            let version = table.version.clone();
            self.append(origin, Kind::Prices, sink, |row| {
                row.price_version = Some(&version)
            });
            self.recorded_versions.push(version);
        }
    }

    /// Fires what is due by now, up to the bound.
    pub(super) fn fire_due(&mut self, message: &Message<'_>, sink: &mut impl Sink) {
        let Some(now) = self.now else { return };
        let mut fired = 0;
        while fired < TIMERS_BEFORE_MESSAGE {
            let Some(timer) = self.timers.pop_due(now) else {
                return;
            };
            fired += u32::from(self.fire(&timer, message, sink));
        }
    }

    /// Fires what is due of one wallet, where the bound has left timers behind.
    pub(super) fn fire_own(&mut self, customer: &str, message: &Message<'_>, sink: &mut impl Sink) {
        let Some(now) = self.now.filter(|now| self.timers.is_due(*now)) else {
            return;
        };
        let Some(place) = self.wallets.place(customer) else {
            return;
        };
        while let Some(timer) = self.next_timer(place).filter(|timer| timer.due <= now) {
            self.fire(&timer, message, sink);
        }
    }

    /// The wallet's own next timer.
    fn next_timer(&self, place: u32) -> Option<Timer> {
        let wallet = self.wallets.at(place);
        let end = (wallet.current.end.start(), TimerKind::PeriodEnd);
        let closes = wallet
            .ended
            .iter()
            .map(|ended| (ended.closes_at, TimerKind::PeriodClose));
        let expiries = wallet
            .grants
            .iter()
            .filter_map(|grant| Some((grant.order.expires_at?, TimerKind::GrantExpiry)));
        let (due, kind) = closes.chain(expiries).chain([end]).min()?;
        Some(Timer {
            due,
            customer: Arc::clone(&wallet.customer),
            kind,
        })
    }

    /// Fires a timer if the wallet still has it; true when it wrote a row.
    fn fire(&mut self, timer: &Timer, message: &Message<'_>, sink: &mut impl Sink) -> bool {
        let Some(place) = self.wallets.place(&timer.customer) else {
            return false;
        };
        let now = self.now.unwrap_or(timer.due);
        let mut origin = Origin::timer(message, (now, timer), self.timer_legs);
        let before = self.last.entry;
        match timer.kind {
            TimerKind::PeriodEnd => self.end_period(place, timer.due, &mut origin, sink),
            TimerKind::PeriodClose | TimerKind::GrantExpiry => {
                if let Some((grant, remaining)) = self.due_grant(place, timer) {
                    self.expire(place, (&grant.id(), remaining), &mut origin, sink);
                }
            }
        }
        self.timer_legs = origin.next_leg();
        self.last.entry > before
    }

    fn end_period(
        &mut self,
        place: u32,
        due: Timestamp,
        origin: &mut Origin<'_>,
        sink: &mut impl Sink,
    ) {
        let wallet = self.wallets.at(place);
        if wallet.current.end.start() != due {
            return;
        }
        let start = wallet.current.end;
        let plan = wallet.current.terms.plan.id.clone();
        let version = self.terms_version(start.start(), &plan);
        let reached = self.give_pool(place, (start, &plan, &version), origin, sink);
        self.alert(place, reached, origin, sink);
    }

    /// The grant of the wallet that ends by this timer, and what remains in it. Each grant has a
    /// timer of its own; of those that end at one instant the lowest id goes first.
    fn due_grant(&self, place: u32, timer: &Timer) -> Option<(DueGrant, Credits)> {
        let wallet = self.wallets.at(place);
        if timer.kind == TimerKind::PeriodClose {
            let ended = wallet
                .ended
                .iter()
                .find(|ended| ended.closes_at == timer.due)?;
            return Some((DueGrant::Pool(ended.start), ended.remaining));
        }
        let ending = |grant: &&Grant| grant.order.expires_at == Some(timer.due);
        let grant = wallet
            .grants
            .iter()
            .filter(ending)
            .min_by(|grant, other| grant.id.cmp(&other.id))?;
        Some((DueGrant::Named(Arc::clone(&grant.id)), grant.remaining))
    }

    fn expire(
        &mut self,
        place: u32,
        (grant, remaining): (&GrantId<'_>, Credits),
        origin: &mut Origin<'_>,
        sink: &mut impl Sink,
    ) {
        if remaining == Credits::ZERO {
            self.wallets.drop_spent(place, *grant);
            return;
        }
        let wallet = self.wallets.at(place);
        let period = match grant {
            GrantId::Pool(start) => *start,
            GrantId::Named(_) => wallet.current.start,
        };
        let terms = Arc::clone(wallet.terms_of(period));
        let row = (Kind::Expire, &Members::NONE);
        let reached = self.apply_and_append(place, origin, row, sink, |row| {
            row.period = Some(period);
            row.grant_id = Some(*grant);
            row.delta = Some(Credits::new(-remaining.get()));
            row.plan = Some(&terms.plan.id);
        });
        self.alert(place, reached, origin, sink);
    }
}

enum DueGrant {
    Pool(Day),
    Named(Arc<str>),
}

impl DueGrant {
    fn id(&self) -> GrantId<'_> {
        match self {
            Self::Pool(start) => GrantId::Pool(*start),
            Self::Named(id) => GrantId::Named(id),
        }
    }
}
