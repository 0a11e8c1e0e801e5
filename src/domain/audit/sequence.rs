//! Nothing lost, nothing twice: the numbers of rows.
//!
//! Owns entries, seqs, idxs and legs, the order of `received_at`, and that every event has one
//! outcome. Leaves what the rows say to the files beside this one.
//!
//! Invariant: what is kept is one seq for each source and one message; after a fault the numbers
//! are followed from where they are, so that one gap is one finding.

use hashbrown::HashMap;

use super::finding::{At, Fault, Findings, RowPlace};
use crate::domain::engine::TIMERS_BEFORE_MESSAGE;
use crate::domain::entry::{Entry, Kind, is_stream};
use crate::domain::units::Timestamp;

/// The idx of rows that a timer brought.
pub(super) const TIMER_IDX: i32 = -1;

/// What a row is to the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The same entry again, or an older one.
    Again,
    /// One more row of the same event.
    SameEvent,
    /// The first row of an event, or a row of a timer.
    Next,
}

#[derive(Default)]
pub(super) struct Sequence {
    pub(super) last_entry: i64,
    received_at: Option<Timestamp>,
    /// The last seq of each source.
    pub(super) sources: HashMap<String, i64>,
    /// The last row.
    last: RowPlace,
    message: Message,
}

/// How far a message has come.
#[derive(Default)]
struct Message {
    first_entry: i64,
    next_leg: i32,
    timer_legs: i32,
    outcome: Option<Kind>,
    /// The last event; −1 before the first.
    idx: i32,
}

impl Message {
    fn new(first_entry: i64) -> Self {
        Self {
            first_entry,
            idx: TIMER_IDX,
            ..Self::default()
        }
    }
}

impl Sequence {
    /// Holds a row against those before it.
    pub(super) fn follow(&mut self, row: &Entry<'_>, findings: &mut Findings) -> Step {
        let next = self.last_entry.saturating_add(1);
        if row.entry < next {
            let last = self.last_entry;
            findings.of_row(row, Fault::EntryAgain { last });
            return Step::Again;
        }
        if row.entry > next {
            let (from, to) = (next, row.entry - 1);
            findings.of_row(row, Fault::EntriesMissing { from, to });
        }
        let is_first = self.last_entry == 0;
        self.last_entry = row.entry;
        let is_next = is_first || row.source != self.last.source || row.seq != self.last.seq;
        match self.received_at {
            Some(before) if row.received_at < before => {
                findings.of_row(row, Fault::TimeGoesBack { before });
            }
            Some(same) if !is_next && row.received_at != same => {
                findings.of_row(row, Fault::OtherTime(same));
            }
            _ => self.received_at = Some(row.received_at),
        }
        if is_next {
            self.end_message(findings);
            self.begin_message(row, findings);
        }
        let step = self.leg(row, findings);
        self.last.set(row);
        self.outcome(row, findings);
        step
    }

    /// Ends the last message.
    pub(super) fn end_message(&mut self, findings: &mut Findings) {
        if self.last_entry > 0 && self.last.kind.is_some() {
            self.end_event(findings);
        }
    }

    /// Now, and the last message's first entry, if that left no timer due: it fires no more than
    /// so many.
    pub(super) fn all_fired(&self) -> Option<(Timestamp, i64)> {
        let is_bounded = self.message.timer_legs.unsigned_abs() >= TIMERS_BEFORE_MESSAGE;
        let now = self.received_at.filter(|_| !is_bounded)?;
        Some((now, self.message.first_entry))
    }

    fn end_event(&mut self, findings: &mut Findings) {
        if self.message.outcome.is_none() {
            let last = &self.last;
            findings.add(|| At::Row(last.clone()), Fault::NoOutcome);
        }
    }

    fn begin_message(&mut self, row: &Entry<'_>, findings: &mut Findings) {
        self.message = Message::new(row.entry);
        let last = match self.sources.get_mut(row.source) {
            Some(last) => std::mem::replace(last, row.seq.max(*last)),
            None => {
                self.sources.insert(row.source.to_owned(), row.seq);
                // A stream's first messages may be gone; a file begins with its first line.
                let first = if is_stream(row.source) { row.seq } else { 1 };
                first.saturating_sub(1)
            }
        };
        let next = last.saturating_add(1);
        if row.seq > next {
            let (from, to) = (next, row.seq - 1);
            findings.of_row(row, Fault::SeqsMissing { from, to });
        } else if row.seq < next {
            findings.of_row(row, Fault::SeqAgain { last });
        }
    }

    fn leg(&mut self, row: &Entry<'_>, findings: &mut Findings) -> Step {
        if row.idx == TIMER_IDX {
            let expected = self.message.timer_legs;
            if row.leg != expected {
                findings.of_row(row, Fault::Leg { expected });
            }
            self.message.timer_legs = row.leg.saturating_add(1);
            return Step::Next;
        }
        let is_same = row.idx == self.message.idx;
        if !is_same {
            if self.message.idx >= 0 {
                self.end_event(findings);
            }
            let expected = self.message.idx.saturating_add(1);
            if row.idx != expected {
                findings.of_row(row, Fault::Idx { expected });
            }
            self.message.idx = row.idx;
            self.message.next_leg = 0;
            self.message.outcome = None;
        }
        let expected = self.message.next_leg;
        if row.leg != expected {
            findings.of_row(row, Fault::Leg { expected });
        }
        self.message.next_leg = row.leg.saturating_add(1);
        if is_same { Step::SameEvent } else { Step::Next }
    }

    /// Every event is a usage, a duplicate, a conflict, a rejection or a wallet entry.
    fn outcome(&mut self, row: &Entry<'_>, findings: &mut Findings) {
        let is_outcome = match row.kind {
            Kind::Usage | Kind::Duplicate | Kind::Conflict | Kind::Rejected => true,
            Kind::Reversal | Kind::Tick => true,
            Kind::Wallet | Kind::Grant | Kind::Void => row.data.is_some(),
            Kind::Expire | Kind::Rollover | Kind::Prices | Kind::Alert => false,
        };
        if row.idx == TIMER_IDX || !is_outcome {
            return;
        }
        match self.message.outcome.replace(row.kind) {
            None => {}
            // A charge, and what takes it back, may have several rows.
            Some(Kind::Usage) if row.kind == Kind::Usage => {}
            Some(Kind::Reversal) if row.kind == Kind::Reversal => {}
            Some(other) => findings.of_row(row, Fault::TwoOutcomes(other)),
        }
    }
}
