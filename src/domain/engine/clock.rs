//! The shard's clock and what falls due.
//!
//! Owns now, price versions coming into force, and firing timers: the end and the close of periods
//! and wallets, the start and the expiry of grants, midnights. Leaves their order to `timers`.
//!
//! Invariant: now never goes back, and a wallet's own due timers fire before its own event.

use std::sync::Arc;

use super::rows::Origin;
use super::{Engine, Message};
use crate::domain::alert::About;
use crate::domain::entry::{AlertKind, GrantId, Kind, Payload, Sink, Status};
use crate::domain::event::Members;
use crate::domain::timers::{Timer, TimerKind};
use crate::domain::units::{Credits, Day, Timestamp};
use crate::domain::wallet::watch::Crossed;
use crate::domain::wallet::{Grant, rollover_id};

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

    /// When something falls due next, though no event comes.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.timers.next_due()
    }

    /// Fires what is due by now, up to the bound.
    pub(super) fn fire_due(&mut self, message: &Message<'_>, sink: &mut impl Sink) {
        let Some(now) = self.now else { return };
        let mut fired = 0;
        while fired < TIMERS_BEFORE_MESSAGE {
            // What fires may list its wallet for a midnight that is over already.
            self.look_at_midnights(now);
            let Some(timer) = self.timers.pop_due(now) else {
                return;
            };
            fired += u32::from(self.fire(&timer, message, sink));
        }
    }

    /// Makes a timer of each midnight that brings a wallet something, or may once the wallet's
    /// other timers have fired.
    fn look_at_midnights(&mut self, now: Timestamp) {
        while let Some((day, place)) = self.timers.pop_listed(now) {
            let at = day.start();
            let wallet = self.wallets.at(place);
            let waits = self
                .wallets
                .next_timer(place)
                .is_some_and(|timer| timer.due <= at);
            if waits || !wallet.midnight_alerts(at).is_empty() {
                self.timers.add(Timer {
                    due: at,
                    customer: Arc::clone(&wallet.customer),
                    kind: TimerKind::Midnight,
                });
            } else {
                self.timers.list(place, wallet.midnight_after(day));
            }
        }
    }

    /// Fires what is due of one wallet, where the bound has left timers behind.
    pub(super) fn fire_own(&mut self, customer: &str, message: &Message<'_>, sink: &mut impl Sink) {
        let is_due = |now: &Timestamp| self.next_due().is_some_and(|due| due <= *now);
        let Some(now) = self.now.filter(is_due) else {
            return;
        };
        let Some(place) = self.wallets.place(customer) else {
            return;
        };
        // The last midnight that was looked at since the wallet's last row.
        let mut looked: Option<Day> = None;
        loop {
            let wallet = self.wallets.at(place);
            let midnight = match looked {
                Some(day) => wallet.midnight_after(day),
                None => wallet.midnight_after_row(),
            };
            let midnight = midnight.map(|day| Timer {
                due: day.start(),
                customer: Arc::clone(&wallet.customer),
                kind: TimerKind::Midnight,
            });
            let next = self.wallets.next_timer(place).into_iter().chain(midnight);
            let Some(timer) = next.min().filter(|timer| timer.due <= now) else {
                return;
            };
            let is_midnight = timer.kind == TimerKind::Midnight;
            looked = is_midnight.then(|| timer.due.day());
            self.fire(&timer, message, sink);
        }
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
            TimerKind::WalletClose => self.end_wallet(place, timer.due, &mut origin, sink),
            TimerKind::GrantStart => self.start_grant(place, timer.due, &mut origin, sink),
            TimerKind::Midnight => self.midnight(place, timer.due, &mut origin, sink),
        }
        self.timer_legs = origin.next_leg();
        self.last.entry > before
    }

    /// Ends the current period: the next one's pool, then what is rolled over.
    fn end_period(
        &mut self,
        place: u32,
        due: Timestamp,
        origin: &mut Origin<'_>,
        sink: &mut impl Sink,
    ) {
        let wallet = self.wallets.at(place);
        if wallet.current.end.start() != due || wallet.closing().is_some() {
            return;
        }
        let (ended, start) = (wallet.current.start, wallet.current.end);
        let terms = Arc::clone(&wallet.current.terms);
        let moved = wallet.rolled_over();
        let plan = wallet.plan_to_come().to_owned();
        let version = self.terms_version(start.start(), &plan);
        let fee = None;
        let mut crossed = self.give_pool(place, (start, &plan, &version, fee), origin, sink);
        if moved > Credits::ZERO {
            let id = rollover_id(ended);
            let out = (Kind::Rollover, &Members::NONE);
            let left = self
                .posting()
                .apply_and_append(place, origin, out, sink, |row| {
                    row.period = Some(ended);
                    row.grant_id = Some(GrantId::Pool(ended));
                    row.delta = Some(Credits::new(-moved.get()));
                    row.plan = Some(&terms.plan.id);
                });
            let arrived = self
                .posting()
                .apply_and_append(place, origin, out, sink, |row| {
                    row.period = Some(start);
                    row.grant_id = Some(GrantId::Named(&id));
                    row.delta = Some(moved);
                    row.plan = Some(&plan);
                });
            Crossed::add(&mut crossed, left);
            Crossed::add(&mut crossed, arrived);
        }
        self.alert(place, crossed, origin, sink);
    }

    /// Ends a wallet whose grace after its closing is over: what is left is voided.
    fn end_wallet(
        &mut self,
        place: u32,
        due: Timestamp,
        origin: &mut Origin<'_>,
        sink: &mut impl Sink,
    ) {
        let wallet = self.wallets.at(place);
        if wallet
            .closing()
            .is_none_or(|closing| closing.voids_at != due)
        {
            return;
        }
        let left = wallet.left_to_void();
        let left: Vec<_> = left
            .map(|(grant, left)| (DueGrant::of(grant), left))
            .collect();
        for (grant, remaining) in left {
            self.end_grant(
                place,
                Kind::Void,
                (&grant.id(), remaining),
                (origin, None),
                sink,
            );
        }
    }

    /// Begins a grant that was to start later: its credits may end a wallet's being blocked.
    fn start_grant(
        &mut self,
        place: u32,
        due: Timestamp,
        origin: &mut Origin<'_>,
        sink: &mut impl Sink,
    ) {
        let wallet = self.wallets.at(place);
        let starts = |grant: &Grant| grant.order.effective_at == due && grant.is_alive(due);
        let is_news = wallet.status() == Status::Blocked
            && wallet.touched < due
            && wallet.grants.iter().any(starts)
            && wallet.balance(due) > Credits::ZERO;
        if is_news {
            let about = About {
                kind: AlertKind::Status(Status::Ok),
                period: wallet.current.start,
                grant: None,
            };
            self.tell(place, about, origin, sink);
        }
    }

    fn midnight(
        &mut self,
        place: u32,
        due: Timestamp,
        origin: &mut Origin<'_>,
        sink: &mut impl Sink,
    ) {
        let wallet = self.wallets.at(place);
        if due <= wallet.touched {
            return; // It was looked at before the wallet's last row.
        }
        let period = wallet.current.start;
        for (kind, grant) in wallet.midnight_alerts(due) {
            let about = About {
                kind,
                period,
                grant: grant.as_deref(),
            };
            self.tell(place, about, origin, sink);
        }
        let next = self.wallets.at(place).midnight_after(due.day());
        self.timers.list(place, next);
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
        self.end_grant(
            place,
            Kind::Expire,
            (grant, remaining),
            (origin, None),
            sink,
        );
    }

    /// Writes that what remains of a grant is gone, and what follows from that. `data` is the
    /// command that said so.
    pub(super) fn end_grant(
        &mut self,
        place: u32,
        kind: Kind,
        (grant, remaining): (&GrantId<'_>, Credits),
        (origin, data): (&mut Origin<'_>, Option<&str>),
        sink: &mut impl Sink,
    ) {
        let wallet = self.wallets.at(place);
        let period = match grant {
            GrantId::Pool(start) => *start,
            GrantId::Named(_) => wallet.current.start,
        };
        let terms = Arc::clone(wallet.terms_of(period));
        let crossed =
            self.posting()
                .apply_and_append(place, origin, (kind, &Members::NONE), sink, |row| {
                    row.period = Some(period);
                    row.grant_id = Some(*grant);
                    row.delta = Some(Credits::new(-remaining.get()));
                    row.plan = Some(&terms.plan.id);
                    row.data = data.map(Payload::Data);
                });
        self.alert(place, crossed, origin, sink);
    }
}

enum DueGrant {
    Pool(Day),
    Named(Arc<str>),
}

impl DueGrant {
    fn of(id: GrantId<'_>) -> Self {
        match id {
            GrantId::Pool(start) => Self::Pool(start),
            GrantId::Named(id) => Self::Named(Arc::from(id)),
        }
    }

    fn id(&self) -> GrantId<'_> {
        match self {
            Self::Pool(start) => GrantId::Pool(*start),
            Self::Named(id) => GrantId::Named(id),
        }
    }
}
