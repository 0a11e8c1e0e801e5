//! Making rows.
//!
//! Owns numbering (`entry`, `leg`), what a row says of its cause, and the alerts that follow
//! from a change. Leaves the other columns to whoever decides the row.

use std::sync::Arc;

use super::wallets::{Effect, TIMER_IDX, Wallets};
use super::{Engine, Message, RefusedCommand};
use crate::domain::alert::{About, Alert, Cause};
use crate::domain::command::BadCommand;
use crate::domain::entry::{Entry, GrantId, Kind, Mark, Note, Sink};
use crate::domain::event::{Event, Members};
use crate::domain::price::PriceBook;
use crate::domain::timers::{Timer, Timers};
use crate::domain::units::Timestamp;
use crate::domain::wallet::watch::Crossed;

/// Where rows come from: one event of a message, or a timer that a message woke.
pub(super) struct Origin<'a> {
    source: &'a str,
    seq: i64,
    idx: i32,
    next_leg: i32,
    now: Timestamp,
    /// Now, or the moment at which a timer was due: what a wallet's balance is looked at by.
    as_of: Timestamp,
    used_at: Option<Timestamp>,
    event_source: Option<&'a str>,
    event_id: Option<&'a str>,
    event_type: Option<&'a str>,
    pub(super) customer: Option<&'a str>,
}

impl<'a> Origin<'a> {
    pub(super) fn event(message: &Message<'a>, idx: i32, now: Timestamp) -> Self {
        Self {
            source: message.source,
            seq: message.seq,
            idx,
            next_leg: 0,
            now,
            as_of: now,
            used_at: None,
            event_source: None,
            event_id: None,
            event_type: None,
            customer: None,
        }
    }

    /// A timer that fires at `now`; `next_leg` counts on over all timers of a message.
    pub(super) fn timer(
        message: &Message<'a>,
        (now, timer): (Timestamp, &'a Timer),
        next_leg: i32,
    ) -> Self {
        let event = Self::event(message, TIMER_IDX, now);
        Self {
            next_leg,
            as_of: timer.due,
            customer: Some(&timer.customer),
            ..event
        }
    }

    pub(super) fn caused_by(&mut self, event: &Event<'a>, used_at: Timestamp) {
        self.used_at = Some(used_at);
        self.event_source = Some(event.source);
        self.event_id = Some(event.id);
        self.event_type = Some(event.event_type);
    }

    pub(super) fn refused(&self, fault: BadCommand) -> RefusedCommand {
        RefusedCommand {
            seq: self.seq,
            idx: self.idx,
            customer: self.customer.unwrap_or_default().to_owned(),
            event_id: self.event_id.unwrap_or_default().to_owned(),
            fault,
        }
    }

    pub(super) fn next_leg(&self) -> i32 {
        self.next_leg
    }

    /// The next row, numbered `entry`, with nothing but its cause.
    pub(super) fn row<'b>(&mut self, entry: i64, kind: Kind) -> Entry<'b>
    where
        'a: 'b,
    {
        let leg = self.next_leg;
        self.next_leg += 1;
        Entry {
            idx: self.idx,
            leg,
            customer: self.customer,
            used_at: self.used_at,
            event_source: self.event_source,
            event_id: self.event_id,
            event_type: self.event_type,
            ..Entry::bare(entry, (self.source, self.seq), kind, self.now)
        }
    }
}

/// What a row needs of the engine, and changes.
pub(super) struct Posting<'e> {
    pub(super) book: &'e PriceBook,
    wallets: &'e mut Wallets,
    timers: &'e mut Timers,
    last: &'e mut Mark,
}

impl Posting<'_> {
    /// Hands a row out, which is the last one now.
    pub(super) fn put(&mut self, row: &Entry<'_>, sink: &mut impl Sink) {
        *self.last = Mark::of(row);
        sink.append(row);
    }

    /// Applies a row to the wallet at `place`, then appends it with the balance that it left;
    /// gives what it brought about. `fill` sets its columns; `data` are the members of its `data`.
    pub(super) fn apply_and_append<'a: 'b, 'b>(
        &mut self,
        place: u32,
        origin: &mut Origin<'a>,
        (kind, data): (Kind, &Members<'_>),
        sink: &mut impl Sink,
        fill: impl FnOnce(&mut Entry<'b>),
    ) -> Option<Crossed> {
        let mut row = origin.row(self.last.entry + 1, kind);
        fill(&mut row);
        let around = (self.book, &mut *self.timers);
        let applied = self.wallets.apply(place, &row, data, around);
        let Effect { balance, crossed } = applied.expect("the engine's own rows can be applied");
        row.balance = Some(balance);
        self.put(&row, sink);
        crossed
    }
}

impl Engine {
    /// The parts that a row needs; what else the engine has stays at hand.
    pub(super) fn posting(&mut self) -> Posting<'_> {
        Posting {
            book: &self.book,
            wallets: &mut self.wallets,
            timers: &mut self.timers,
            last: &mut self.last,
        }
    }

    /// Appends a row that changes no wallet; `fill` sets its columns.
    pub(super) fn append<'a: 'b, 'b>(
        &mut self,
        origin: &mut Origin<'a>,
        kind: Kind,
        sink: &mut impl Sink,
        fill: impl FnOnce(&mut Entry<'b>),
    ) {
        let mut row = origin.row(self.last.entry + 1, kind);
        fill(&mut row);
        self.posting().put(&row, sink);
    }

    /// Appends the alerts that follow from what rows brought about, and hands them out.
    pub(super) fn alert(
        &mut self,
        place: u32,
        crossed: Option<Crossed>,
        origin: &mut Origin<'_>,
        sink: &mut impl Sink,
    ) {
        let Some(crossed) = crossed else { return };
        for (kind, period) in crossed.alerts(self.wallets.at(place)) {
            let about = About {
                kind,
                period,
                grant: None,
            };
            self.tell(place, about, origin, sink);
        }
    }

    /// Appends one alert, and hands it out.
    pub(super) fn tell(
        &mut self,
        place: u32,
        about: About<'_>,
        origin: &mut Origin<'_>,
        sink: &mut impl Sink,
    ) {
        let wallet = self.wallets.at(place);
        let terms = Arc::clone(wallet.terms_of(about.period));
        let balance = wallet.balance(origin.as_of);
        let offers = &self.book.tables()[self.book.in_force_or_first(origin.now)].plans;
        let cause = Cause {
            source: origin.source,
            seq: origin.seq,
            idx: origin.idx,
            event_id: origin.event_id,
            at: origin.as_of,
        };
        self.alerts.push(Alert::new(wallet, about, cause, offers));
        let mut row = origin.row(self.last.entry + 1, Kind::Alert);
        row.period = Some(about.period);
        row.grant_id = about.grant.map(GrantId::Named);
        row.balance = Some(balance);
        row.plan = Some(&terms.plan.id);
        row.price_version = Some(&terms.version);
        row.reason = Some(Note::Alert(about.kind));
        let around = (&*self.book, &mut self.timers);
        let applied = self.wallets.apply(place, &row, &Members::NONE, around);
        applied.expect("an alert can be applied");
        self.posting().put(&row, sink);
    }
}
