//! The engine: events in, ledger rows out.
//!
//! Owns the order of the checks (here), the clock and what falls due (`clock`), charges
//! (`charge`), commands (`commands`, `changes`, `reversals`), rows (`rows`), what a row does to a
//! wallet (`apply`), a look at what comes (`touch`), coming back from a ledger (`restore`) and
//! folding one (`fold`).
//! Leaves reading bytes to `adapters::cloudevents` and keeping rows to the sink.
//!
//! Invariant: the same messages give the same rows, however they are cut into batches. A new row
//! changes the wallets by the same function as one read back from the ledger.

mod apply;
mod changes;
mod charge;
mod clock;
mod commands;
mod fold;
mod restore;
mod reversals;
mod rows;
mod standing;
mod touch;
mod wallets;

use std::sync::Arc;

use super::alert::Alert;
use super::command::{BadCommand, COMMAND_PREFIX, REVERSED};
use super::customer::{Shard, is_customer};
use super::duplicates::{DuplicateFilter, Occupied, OlderFault, Verdict};
use super::entry::{Kind, Mark, Payload, RawBody, Reason, Sink};
use super::event::{Event, Reading};
use super::price::PriceBook;
use super::rating::Scratch;
use super::timers::Timers;
use super::units::{MICROS_PER_MINUTE, Timestamp};
use super::wallet::Terms;
use super::wallet::list::WalletList;
use super::wallet::spend::Leg;
pub use apply::is_opening;
pub use clock::TIMERS_BEFORE_MESSAGE;
pub use fold::{Fold, Folded};
pub use restore::{Head, RestoreError};
pub use reversals::{Charged, ChargedLeg};
use rows::Origin;
pub use standing::Standing;
pub use touch::TOUCHED;
use wallets::Wallets;
pub use wallets::{ApplyError, KnownTerms, LoadedWallets};

/// How far beyond the wall clock a time may lie and still move a shard's now.
pub const WALL_CLOCK_SLACK: i64 = 5 * MICROS_PER_MINUTE;

/// One shard: its clock, wallets, timers and duplicate filter.
pub struct Engine {
    shard: Shard,
    book: Arc<PriceBook>,
    /// The versions that have a `prices` row; always the book's first ones.
    recorded_versions: Vec<String>,
    now: Option<Timestamp>,
    last: Mark,
    wallets: Wallets,
    timers: Timers,
    filter: DuplicateFilter,
    /// Legs that the message's timers have had.
    timer_legs: i32,
    rating: Scratch,
    legs: Vec<Leg>,
    /// Those of the last charge, since counting references is dear.
    terms: Option<Arc<Terms>>,
    /// Charges that the message at hand may take back.
    recalled: Vec<Charged>,
    /// Alerts since the caller last took them.
    pub alerts: Vec<Alert>,
    /// Commands refused as `bad_command` since the caller last took them.
    pub bad_commands: Vec<RefusedCommand>,
}

/// What a command lacks, for the log; its row has only the bare reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedCommand {
    pub seq: i64,
    pub idx: i32,
    pub customer: String,
    pub event_id: String,
    pub fault: BadCommand,
}

/// A message as its source handed it over.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The stream or file.
    pub source: &'a str,
    pub seq: i64,
    pub arrival: Arrival<'a>,
}

impl Message<'_> {
    fn is_tick(&self) -> bool {
        let Arrival::Broker { subject, .. } = self.arrival else {
            return false;
        };
        subject == Subject::Clock
    }
}

/// How a message came, and what that says of time.
#[derive(Clone, Copy, Debug)]
pub enum Arrival<'a> {
    /// A broker stamped it.
    Broker {
        received_at: Timestamp,
        subject: Subject<'a>,
    },
    /// A line of a file: its event's time moves now, unless it lies beyond `wall_clock` + 5
    /// minutes.
    File { wall_clock: Timestamp },
}

/// The subject that a message was published on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// `usage.<customer>`: that customer's usage.
    Usage(&'a str),
    /// `batch.<shard>`: usage of anybody.
    Batch,
    /// `wallet.<customer>`: that customer's commands.
    Wallet(&'a str),
    /// `clock.<shard>`: nothing but the broker's stamp.
    Clock,
    /// Not ours.
    Other,
}

impl<'a> Subject<'a> {
    /// Reads a NATS subject.
    pub fn parse(subject: &'a str) -> Self {
        match subject.split_once('.') {
            Some(("usage", customer)) => Self::Usage(customer),
            Some(("batch", _)) => Self::Batch,
            Some(("wallet", customer)) => Self::Wallet(customer),
            Some(("clock", _)) => Self::Clock,
            _ => Self::Other,
        }
    }

    fn admits(self, customer: &str, is_command: bool) -> bool {
        match self {
            Self::Usage(token) => !is_command && token == customer,
            Self::Batch => !is_command,
            Self::Wallet(token) => is_command && token == customer,
            Self::Clock | Self::Other => false,
        }
    }
}

/// An event that has passed the checks on its form.
#[derive(Clone, Copy)]
struct Admitted<'a> {
    event: &'a Event<'a>,
    customer: &'a str,
    used_at: Timestamp,
    now: Timestamp,
}

/// Why an event was not accepted.
enum Refused {
    Rejected(Reason),
    /// What it asks for was done before.
    Copy(Kind),
    /// Nobody can tell now.
    Undecided(OlderFault),
}

impl From<Reason> for Refused {
    fn from(reason: Reason) -> Self {
        Self::Rejected(reason)
    }
}

impl From<OlderFault> for Refused {
    fn from(fault: OlderFault) -> Self {
        Self::Undecided(fault)
    }
}

impl Engine {
    /// The engine of a shard whose ledger is empty; `filter` too, or what is left of it.
    pub fn new(shard: Shard, book: PriceBook, filter: DuplicateFilter) -> Self {
        Self {
            shard,
            book: Arc::new(book),
            recorded_versions: Vec::new(),
            now: None,
            last: Mark::default(),
            wallets: Wallets::default(),
            timers: Timers::default(),
            filter,
            timer_legs: 0,
            rating: Scratch::default(),
            legs: Vec::new(),
            terms: None,
            recalled: Vec::new(),
            alerts: Vec::new(),
            bad_commands: Vec::new(),
        }
    }

    /// The number of the last row; 0 before the first.
    pub fn last_entry(&self) -> i64 {
        self.last.entry
    }

    /// The highest `received_at` seen; `None` before the first event.
    pub fn now(&self) -> Option<Timestamp> {
        self.now
    }

    /// For how long, in microseconds, a copy of a charged event must be found.
    pub fn longest_window(&self) -> i64 {
        self.book.longest_window()
    }

    /// The last row.
    pub fn mark(&self) -> Mark {
        self.last
    }

    /// All wallets, in the order in which they were opened.
    pub fn wallets(&self) -> &WalletList {
        self.wallets.all()
    }

    /// Starts a message: moves now to the broker's stamp and fires what is due by then. Call it
    /// before the events of the message.
    ///
    /// # Errors
    ///
    /// The duplicate filter can't keep what it has: stop, and come back from the ledger.
    pub fn begin(&mut self, message: &Message<'_>, sink: &mut impl Sink) -> Result<(), OlderFault> {
        let last = self.last;
        self.filter.make_room(|| last)?;
        self.timer_legs = 0;
        if let Arrival::Broker { received_at, .. } = message.arrival {
            self.move_now(received_at);
            self.fire_due(message, sink);
        }
        Ok(())
    }

    /// Handles the `idx`-th event of `message`: a charge, a change of a wallet, or a row that
    /// says why not. `raw` is kept if it is rejected.
    ///
    /// # Errors
    ///
    /// The duplicate filter can't be read: nothing was decided on the event. Stop, and come back
    /// from the ledger.
    pub fn event(
        &mut self,
        message: &Message<'_>,
        idx: i32,
        (reading, raw): (&Reading<'_>, &RawBody<'_>),
        sink: &mut impl Sink,
    ) -> Result<(), OlderFault> {
        let known_time = match reading {
            Reading::Event(event) => event.time.or(self.now).map(|time| (event, time)),
            Reading::Empty | Reading::Malformed => None,
        };
        let customer = known_time
            .and_then(|(event, _)| event.subject)
            .filter(|subject| is_customer(subject));
        if let Arrival::File { wall_clock } = message.arrival {
            let time = known_time
                .filter(|_| customer.is_some())
                .map(|(_, time)| time);
            if let Some(time) = time.filter(|time| *time <= wall_clock.plus(WALL_CLOCK_SLACK)) {
                self.move_now(time);
            }
            self.fire_due(message, sink);
        }
        if let Some(customer) = customer {
            self.fire_own(customer, message, sink);
        }
        let now = self.now.unwrap_or(Timestamp::EPOCH);
        let mut origin = Origin::event(message, idx, now);
        self.record_versions(&mut origin, sink);
        let reason = match (reading, known_time, customer) {
            (Reading::Empty, _, _) if message.is_tick() => {
                self.append(&mut origin, Kind::Tick, sink, |_| {});
                return Ok(());
            }
            (Reading::Empty, _, _) => Reason::Empty,
            (_, None, _) => Reason::Malformed,
            (_, Some((event, used_at)), None) => {
                origin.caused_by(event, used_at);
                Reason::BadCustomer
            }
            (_, Some((event, used_at)), Some(customer)) => {
                origin.caused_by(event, used_at);
                origin.customer = Some(customer);
                let admitted = Admitted {
                    event,
                    customer,
                    used_at,
                    now,
                };
                match self.admit(message, &admitted, &mut origin, sink) {
                    Ok(()) => return Ok(()),
                    Err(Refused::Rejected(reason)) => reason,
                    Err(Refused::Copy(kind)) => {
                        self.append(&mut origin, kind, sink, |_| {});
                        return Ok(());
                    }
                    Err(Refused::Undecided(fault)) => return Err(fault),
                }
            }
        };
        self.reject(&mut origin, reason, raw, sink);
        Ok(())
    }

    /// The checks that usage and commands share, in their order, then each one's own.
    fn admit(
        &mut self,
        message: &Message<'_>,
        admitted: &Admitted<'_>,
        origin: &mut Origin<'_>,
        sink: &mut impl Sink,
    ) -> Result<(), Refused> {
        let Admitted {
            event,
            customer,
            used_at,
            now,
            ..
        } = *admitted;
        let is_command = event.event_type.starts_with(COMMAND_PREFIX);
        if let Arrival::Broker { subject, .. } = message.arrival
            && !subject.admits(customer, is_command)
        {
            return Err(Reason::WrongSubject.into());
        }
        if !self.shard.owns(customer) {
            return Err(Reason::WrongShard.into());
        }
        let rules = self.book.tables()[self.book.in_force_or_first(now)].rules;
        if used_at > now.plus(rules.future) {
            return Err(Reason::InFuture.into());
        }
        if used_at < now.plus(-rules.window) {
            return Err(Reason::TooOld.into());
        }
        let payload = (event.event_type, event.data);
        let reckon = || {
            self.filter
                .identity(customer, event.source, event.id, payload)
        };
        let identity = event.identity.unwrap_or_else(reckon);
        debug_assert_eq!(identity, reckon(), "reckoned with another key");
        // A copy of an accepted event is a row without its `data`, and nothing else.
        match self.filter.verdict(identity, now, rules.window)? {
            Verdict::New => {}
            Verdict::Duplicate => return Err(Refused::Copy(Kind::Duplicate)),
            Verdict::Conflict => return Err(Refused::Copy(Kind::Conflict)),
        }
        if event.event_type == REVERSED {
            self.command_reversed(admitted, origin, sink)?;
            self.filter.occupy(identity, Occupied::ForEver);
        } else if is_command {
            self.command(admitted, origin, sink)?;
            self.filter.occupy(identity, Occupied::ForEver);
        } else {
            self.charge(admitted, origin, sink)?;
            self.filter.occupy(identity, Occupied::Since(now));
        }
        Ok(())
    }

    fn reject(
        &mut self,
        origin: &mut Origin<'_>,
        reason: Reason,
        raw: &RawBody<'_>,
        sink: &mut impl Sink,
    ) {
        self.append(origin, Kind::Rejected, sink, |row| {
            row.reason = Some(super::entry::Note::Rejected(reason));
            row.data = Some(Payload::Raw(*raw));
        });
    }
}

#[cfg(test)]
pub(in crate::domain) mod tests;
