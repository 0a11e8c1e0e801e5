//! Batches: the engine's rows on their way to the ledger.
//!
//! Owns when a batch is cut: at a change of day, and when it is large or old. Leaves encoding
//! and committing to `writer`, which runs on a thread of its own.
//!
//! Invariant: a batch ends between two messages, holds rows of one day, and names the last
//! message of each source that is in it.

use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use crate::adapters::ledger::Columns;
use crate::domain::entry::{Entry, Sink};
use crate::domain::units::Day;

/// Rows that go to the encoder at once.
const CHUNK_ROWS: usize = 4 << 10;
/// Bytes that do.
const CHUNK_BYTES: usize = 4 << 20;
/// Rows of a batch.
const BATCH_ROWS: i64 = 1_000_000;
/// Bytes of a batch before encoding, roughly.
const BATCH_BYTES: usize = 512 << 20;

/// Rows of one day in memory. Those of the worker are [`Columns`], those of the simulation are
/// kept one by one.
pub trait Rows: Sink {
    /// No rows yet, of the same shard.
    fn like(&self) -> Self;

    fn rows(&self) -> usize;

    /// Roughly the memory that they take.
    fn bytes(&self) -> usize;
}

/// What the engine's thread hands to the writer's.
pub enum Work<R = Columns> {
    Rows(Box<R>),
    /// The rows since the last seal are a batch.
    Seal(Seal),
}

/// A batch: its entries `[first_entry, last_entry]` and the last seq of each of its sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    pub first_entry: i64,
    pub last_entry: i64,
    pub positions: Vec<(String, i64)>,
}

/// The writer has ended; why, it says itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ledger's writer has ended")]
pub struct WriterGone;

/// The sink that cuts batches.
pub struct Batches<R = Columns> {
    work: SyncSender<Work<R>>,
    rows: R,
    last_entry: i64,
    /// Entries before the batch at hand.
    sealed_entry: i64,
    sealed_bytes: usize,
    positions: Vec<(String, i64)>,
    /// Of the batch's rows, while it has some.
    day: Option<Day>,
    begun: Option<Instant>,
    interval: Duration,
    gone: bool,
}

impl<R: Rows> Batches<R> {
    /// Batches of the shard of `rows`, which are none yet, after `last_entry`; one is cut when its
    /// first row is `interval` old.
    pub fn new(rows: R, last_entry: i64, interval: Duration, work: SyncSender<Work<R>>) -> Self {
        Self {
            work,
            rows,
            last_entry,
            sealed_entry: last_entry,
            sealed_bytes: 0,
            positions: Vec::new(),
            day: None,
            begun: None,
            interval,
            gone: false,
        }
    }

    /// Call it after each message: cuts the batch if it is large.
    ///
    /// # Errors
    ///
    /// [`WriterGone`]: stop, and ask the writer why.
    pub fn after_message(&mut self) -> Result<(), WriterGone> {
        let rows = self.last_entry - self.sealed_entry;
        if rows >= BATCH_ROWS || self.sealed_bytes >= BATCH_BYTES {
            self.seal();
        }
        if self.gone { Err(WriterGone) } else { Ok(()) }
    }

    /// When the batch at hand is due; `None` while it is empty.
    pub fn due(&self) -> Option<Instant> {
        self.begun.map(|begun| begun + self.interval)
    }

    /// Cuts the batch at hand, if it has rows.
    pub fn seal(&mut self) {
        self.send_rows();
        if self.last_entry == self.sealed_entry {
            return;
        }
        let seal = Seal {
            first_entry: self.sealed_entry + 1,
            last_entry: self.last_entry,
            positions: std::mem::take(&mut self.positions),
        };
        self.gone |= self.work.send(Work::Seal(seal)).is_err();
        self.sealed_entry = self.last_entry;
        self.sealed_bytes = 0;
        self.day = None;
        self.begun = None;
    }

    fn send_rows(&mut self) {
        if self.rows.rows() > 0 {
            self.sealed_bytes += self.rows.bytes();
            let fresh = self.rows.like();
            let rows = std::mem::replace(&mut self.rows, fresh);
            self.gone |= self.work.send(Work::Rows(Box::new(rows))).is_err();
        }
    }
}

impl<R: Rows> Sink for Batches<R> {
    fn append(&mut self, row: &Entry<'_>) {
        // All rows of a message have one day, so that this is between two messages.
        let day = row.received_at.day();
        if self.day.is_some_and(|sealing| sealing != day) {
            self.seal();
        }
        self.day = Some(day);
        match self
            .positions
            .iter_mut()
            .find(|(source, _)| source == row.source)
        {
            Some((_, seq)) => *seq = row.seq,
            None => self.positions.push((row.source.to_owned(), row.seq)),
        }
        if self.begun.is_none() {
            self.begun = Some(Instant::now());
        }
        self.last_entry = row.entry;
        self.rows.append(row);
        // Also within a message, which may hold any number of events.
        if self.rows.rows() >= CHUNK_ROWS || self.rows.bytes() >= CHUNK_BYTES {
            self.send_rows();
        }
    }
}

impl Rows for Columns {
    fn like(&self) -> Self {
        self.like()
    }

    fn rows(&self) -> usize {
        self.rows()
    }

    fn bytes(&self) -> usize {
        self.bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;
    use crate::domain::entry::Kind;
    use crate::domain::units::Timestamp;

    const INTERVAL: Duration = Duration::from_secs(3_600);

    /// The days of rows.
    #[derive(Default)]
    struct Days(Vec<Day>);

    impl Sink for Days {
        fn append(&mut self, row: &Entry<'_>) {
            self.0.push(row.received_at.day());
        }
    }

    impl Rows for Days {
        fn like(&self) -> Self {
            Self::default()
        }

        fn rows(&self) -> usize {
            self.0.len()
        }

        fn bytes(&self) -> usize {
            0
        }
    }

    /// A day's rows may end where a chunk does, just before, and just behind it.
    #[test]
    fn a_batch_holds_rows_of_one_day_wherever_chunks_end() {
        let (first, second) = (Day::new(20_000), Day::new(20_001));
        for rows in [
            1,
            CHUNK_ROWS - 1,
            CHUNK_ROWS,
            CHUNK_ROWS + 1,
            3 * CHUNK_ROWS,
        ] {
            // Room for all, so that the one thread of this test never waits.
            let (work, taken) = sync_channel(100);
            let mut batches = Batches::new(Days::default(), 0, INTERVAL, work);
            let days = std::iter::repeat_n(first, rows).chain([second, second]);
            for (day, entry) in days.zip(1..) {
                batches.append(&row(entry, day.start()));
                batches.after_message().expect("nobody has gone");
            }
            batches.seal();
            drop(batches);
            let (mut sealed, mut open) = (Vec::new(), Vec::new());
            for one in taken {
                match one {
                    Work::Rows(days) => open.extend(days.0),
                    Work::Seal(seal) => sealed.push((seal.last_entry, std::mem::take(&mut open))),
                }
            }
            let last = rows as i64;
            let expected = [(last, vec![first; rows]), (last + 2, vec![second; 2])];
            assert!(sealed == expected, "{rows} rows on the first day");
        }
    }

    /// A message may hold any number of events.
    #[test]
    fn rows_are_handed_on_within_a_message() {
        let (work, taken) = sync_channel(100);
        let mut batches = Batches::new(Days::default(), 0, INTERVAL, work);
        for entry in 1..=5 * CHUNK_ROWS as i64 {
            batches.append(&row(entry, Timestamp::EPOCH));
        }
        assert_eq!(taken.try_iter().count(), 5);
    }

    fn row(entry: i64, received_at: Timestamp) -> Entry<'static> {
        Entry {
            entry,
            source: "file:a",
            seq: entry,
            idx: 0,
            leg: 0,
            kind: Kind::Rejected,
            customer: None,
            period: None,
            used_at: None,
            received_at,
            event_source: None,
            event_id: None,
            event_type: None,
            task: None,
            unit: None,
            quantity: None,
            credits: None,
            grant_id: None,
            delta: None,
            balance: None,
            amount: None,
            currency: None,
            cost_usd: None,
            plan: None,
            price_version: None,
            price_id: None,
            late: None,
            reason: None,
            data: None,
        }
    }
}
