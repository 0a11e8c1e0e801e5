//! Lines → engine, on the thread that replays.
//!
//! Owns taking lines to the engine one by one, and moving now on after the last. Leaves reading
//! them to `ahead`.
//!
//! Invariant: a line that the ledger has is compared with its rows, or passed over; never decided
//! again.

use super::ReplayError;
use super::ahead::{Ahead, Lines};
use crate::adapters::files::LongLine;
use crate::domain::alert::Alert;
use crate::domain::engine::{Arrival, Engine, Message, Subject, TOUCHED};
use crate::domain::entry::RawBody;
use crate::domain::event::Reading;
use crate::domain::units::Timestamp;
use crate::jobs::batches::{Batches, WriterGone};
use crate::jobs::last_message::LastMessage;
use crate::jobs::recall::{name_of, tell};
use crate::jobs::writer::WriterError;

/// The source of the ticks that move now on after the last line.
pub(super) const UNTIL: &str = "until";

/// Takes lines to the engine.
pub(super) struct Feeder<'a> {
    pub(super) source: &'a str,
    pub(super) last: &'a LastMessage,
    /// Lines up to this one are in the ledger.
    pub(super) known: u64,
    pub(super) wall_clock: Timestamp,
    /// The last line seen.
    pub(super) line: u64,
    pub(super) alerts: Vec<Alert>,
}

impl Feeder<'_> {
    pub(super) fn block(
        &mut self,
        Ahead { first, lines }: &Ahead,
        engine: &mut Engine,
        batches: &mut Batches,
    ) -> Result<(), ReplayError> {
        self.line = first - 1;
        match lines {
            Lines::Read(readings) => {
                let reversals = readings.reversals().iter();
                let new = reversals.filter(|event| first + **event as u64 > self.known);
                let wanted = new.filter_map(|event| name_of(&readings.get(*event)));
                // All at once are looked up sooner than one after the other.
                batches.recall.begin(wanted.collect());
                for event in 0..readings.count() {
                    if event % TOUCHED == 0 {
                        engine.touch(readings.who(event, TOUCHED));
                    }
                    self.line += 1;
                    let reading = readings.get(event);
                    self.event(&reading, &readings.line(event), engine, batches)?;
                }
                Ok(())
            }
            Lines::Long(long) => {
                self.line += 1;
                let LongLine {
                    head,
                    length,
                    is_text,
                    ..
                } = long;
                let raw = RawBody {
                    bytes: head,
                    length: *length,
                    is_text: *is_text,
                };
                let reading = if long.is_blank {
                    Reading::Empty
                } else {
                    Reading::Malformed
                };
                self.event(&reading, &raw, engine, batches)
            }
        }
    }

    /// Moves now on to `until` by ticks, one after the other until nothing is due any more; after
    /// the `ticks` that the ledger has.
    pub(super) fn until(
        &mut self,
        (until, ticks): (Timestamp, i64),
        engine: &mut Engine,
        batches: &mut Batches,
    ) -> Result<(), ReplayError> {
        let is_over = |engine: &Engine| {
            let is_due = engine.next_due().is_some_and(|due| due <= until);
            engine.now() >= Some(until) && !is_due
        };
        for seq in ticks + 1.. {
            if is_over(engine) {
                break;
            }
            let message = Message {
                source: UNTIL,
                seq,
                arrival: Arrival::Broker {
                    received_at: until,
                    subject: Subject::Clock,
                },
            };
            engine.begin(&message, batches)?;
            let nothing = (&Reading::Empty, &RawBody::whole(&[]));
            engine.event(&message, 0, nothing, batches)?;
            self.after_message(engine, batches)?;
        }
        Ok(())
    }

    fn after_message(
        &mut self,
        engine: &mut Engine,
        batches: &mut Batches,
    ) -> Result<(), ReplayError> {
        self.alerts.append(&mut engine.alerts);
        crate::jobs::log_bad_commands(engine, self.source);
        // The writer's own error says why it has gone.
        let sent = batches.after_message();
        Ok(sent.map_err(|WriterGone| WriterError::Panicked)?)
    }

    fn event(
        &mut self,
        reading: &Reading<'_>,
        raw: &RawBody<'_>,
        engine: &mut Engine,
        batches: &mut Batches,
    ) -> Result<(), ReplayError> {
        if self.line <= self.known {
            if self.line == self.known {
                self.last.check(self.source, (0, reading, *raw))?;
            }
            return Ok(());
        }
        let seq = self.line.cast_signed();
        let arrival = Arrival::File {
            wall_clock: self.wall_clock,
        };
        let message = Message {
            source: self.source,
            seq,
            arrival,
        };
        tell::<ReplayError>(name_of(reading).as_slice(), engine, batches)?;
        engine.begin(&message, batches)?;
        engine.event(&message, 0, (reading, raw), batches)?;
        self.after_message(engine, batches)
    }
}
