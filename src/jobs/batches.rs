//! Batches: the engine's rows on their way to the ledger.
//!
//! Owns when a batch is cut: at a change of day, and when it is large or old. Leaves encoding
//! and committing to `writer`, which runs on a thread of its own.
//!
//! Invariant: a batch ends between two messages, holds rows of one day, and names the last
//! message of each source that is in it.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel};
use std::time::{Duration, Instant};

use super::recall::Recall;
use crate::adapters::ledger::{RecoverError, RowBlock, WantedCharge};
use crate::domain::engine::Charged;
use crate::domain::entry::{Entry, Kind, Sink};
use crate::domain::units::Timestamp;

/// Rows of a batch.
const BATCH_ROWS: i64 = 1_000_000;
/// Bytes of a batch before encoding, roughly.
const BATCH_BYTES: usize = 512 << 20;
/// Bytes of blocks that may be on their way while a batch is committed. The engine waits when there
/// are more.
const OUT_BYTES_MAX: usize = 32 << 20;
/// A batch of ticks alone, which tell nothing but the time, is cut when it is so old.
const TICKS_INTERVAL: Duration = Duration::from_secs(5 * 60);

/// What the engine's thread hands to the writer's.
pub enum Work {
    Rows(RowBlock),
    /// The rows since the last seal are a batch.
    Seal(Seal),
    /// Charges are looked for in the ledger, once all before is committed.
    Find(Find),
}

/// A question to the ledger, and where the answer goes.
pub struct Find {
    pub wanted: Vec<WantedCharge>,
    pub answer: Sender<Result<Vec<Charged>, RecoverError>>,
}

/// Charges could not be looked for.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    #[error(transparent)]
    Gone(#[from] WriterGone),
    #[error(transparent)]
    Read(#[from] RecoverError),
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
pub struct Batches {
    work: SyncSender<Work>,
    /// Blocks that were written come back by it, to be used again.
    spent: Receiver<RowBlock>,
    /// Those that have; the last one was in use just now, and is at hand.
    idle: Vec<RowBlock>,
    /// The bytes of those that have not, in their order, and of all together.
    out: VecDeque<usize>,
    out_bytes: usize,
    rows: RowBlock,
    last_entry: i64,
    /// Entries before the batch at hand.
    sealed_entry: i64,
    sealed_bytes: usize,
    positions: Vec<(String, i64)>,
    /// When its first row was received; all its rows are of that day.
    begun_at: Option<Timestamp>,
    /// When its first row came, and the first that is no tick.
    begun: Option<Instant>,
    begun_work: Option<Instant>,
    interval: Duration,
    gone: bool,
    /// Which rows are to be told of again.
    pub recall: Recall,
}

impl Batches {
    /// Batches after `last_entry`; one is cut when its first row is `interval` old. What was
    /// written comes back by `spent`, without its rows.
    pub fn new(
        last_entry: i64,
        interval: Duration,
        (work, spent): (SyncSender<Work>, Receiver<RowBlock>),
    ) -> Self {
        Self {
            work,
            spent,
            idle: Vec::new(),
            out: VecDeque::new(),
            out_bytes: 0,
            rows: RowBlock::default(),
            last_entry,
            sealed_entry: last_entry,
            sealed_bytes: 0,
            positions: Vec::new(),
            begun_at: None,
            begun: None,
            begun_work: None,
            interval,
            gone: false,
            recall: Recall::default(),
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
        let work = self.begun_work.map(|begun| begun + self.interval);
        let ticks = self.begun.map(|begun| begun + TICKS_INTERVAL);
        work.into_iter().chain(ticks).min()
    }

    /// When the first row of the batch at hand was received; `None` while it is empty.
    pub fn begun_at(&self) -> Option<Timestamp> {
        self.begun_at
    }

    /// Looks for charges in the ledger, as far as batches were cut. Waits for the answer. Call it
    /// between two messages.
    ///
    /// # Errors
    ///
    /// The writer has ended, or the ledger can't be read.
    pub fn find(&mut self, wanted: Vec<WantedCharge>) -> Result<Vec<Charged>, FindError> {
        let (answer, answered) = channel();
        let find = Work::Find(Find { wanted, answer });
        self.work.send(find).map_err(|_| WriterGone)?;
        let found = answered.recv().map_err(|_| WriterGone)?;
        Ok(found?)
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
        self.begun_at = None;
        self.begun = None;
        self.begun_work = None;
    }

    fn send_rows(&mut self) {
        if self.rows.rows() == 0 {
            return;
        }
        while let Ok(rows) = self.spent.try_recv() {
            self.take_back(rows);
        }
        while self.out_bytes > OUT_BYTES_MAX
            && let Ok(rows) = self.spent.recv()
        {
            self.take_back(rows);
        }
        let fresh = self.idle.pop().unwrap_or_default();
        let rows = std::mem::replace(&mut self.rows, fresh);
        let bytes = rows.bytes();
        self.sealed_bytes += bytes;
        self.out_bytes += bytes;
        self.out.push_back(bytes);
        self.gone |= self.work.send(Work::Rows(rows)).is_err();
    }

    fn take_back(&mut self, rows: RowBlock) {
        self.out_bytes -= self.out.pop_front().unwrap_or_default();
        self.idle.push(rows);
    }
}

impl Sink for Batches {
    fn append(&mut self, row: &Entry<'_>) {
        // All rows of a message have one day, so that this is between two messages.
        let is_of = |begun_at: Timestamp| begun_at.day() == row.received_at.day();
        if !self.begun_at.is_none_or(is_of) {
            self.seal();
        }
        self.begun_at = self.begun_at.or(Some(row.received_at));
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
        if self.begun_work.is_none() && row.kind != Kind::Tick {
            self.begun_work = Some(Instant::now());
        }
        self.last_entry = row.entry;
        self.recall.note(row);
        self.rows.append(row);
        // Also within a message, which may hold any number of events.
        if self.rows.is_full() {
            self.send_rows();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{RecvTimeoutError, sync_channel};

    use super::*;
    use crate::adapters::ledger::BLOCK_ROWS;
    use crate::domain::entry::Payload;
    use crate::domain::units::Day;

    const INTERVAL: Duration = Duration::from_secs(3_600);

    /// A day's rows may end where a block does, just before, and just behind it.
    #[test]
    fn a_batch_holds_rows_of_one_day_wherever_blocks_end() {
        let (first, second) = (Day::new(20_000), Day::new(20_001));
        for rows in [
            1,
            BLOCK_ROWS - 1,
            BLOCK_ROWS,
            BLOCK_ROWS + 1,
            3 * BLOCK_ROWS,
        ] {
            // Room for all, so that the one thread of this test never waits.
            let (work, taken) = sync_channel(100);
            let (_, spent) = channel();
            let mut batches = Batches::new(0, INTERVAL, (work, spent));
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
                    Work::Rows(rows) => open.extend(rows.iter().map(|row| row.received_at.day())),
                    Work::Seal(seal) => sealed.push((seal.last_entry, std::mem::take(&mut open))),
                    Work::Find(_) => panic!("nothing is looked for"),
                }
            }
            let last = rows as i64;
            let expected = [(last, vec![first; rows]), (last + 2, vec![second; 2])];
            assert!(sealed == expected, "{rows} rows on the first day");
        }
    }

    /// What tells nothing but the time may wait; anything else may not.
    #[test]
    fn a_batch_of_ticks_alone_waits_for_long() {
        let (work, _taken) = sync_channel(100);
        let (_, spent) = channel();
        let interval = Duration::from_secs(10);
        let mut batches = Batches::new(0, interval, (work, spent));
        let tick = Entry {
            kind: Kind::Tick,
            ..row(1, Timestamp::EPOCH)
        };
        batches.append(&tick);
        let later = |seconds| Instant::now() + Duration::from_secs(seconds);
        assert!(batches.due().is_some_and(|due| due > later(4 * 60)));
        batches.append(&row(2, Timestamp::EPOCH));
        assert!(batches.due().is_some_and(|due| due <= later(10)));
        batches.seal();
        assert_eq!(batches.due(), None);
    }

    /// A message may hold any number of events.
    #[test]
    fn rows_are_handed_on_within_a_message() {
        let (work, taken) = sync_channel(100);
        let (_, spent) = channel();
        let mut batches = Batches::new(0, INTERVAL, (work, spent));
        for entry in 1..=5 * BLOCK_ROWS as i64 {
            batches.append(&row(entry, Timestamp::EPOCH));
        }
        assert_eq!(taken.try_iter().count(), 5);
    }

    /// Also when each is long, and the writer takes its time.
    #[test]
    fn rows_on_their_way_do_not_fill_the_memory() {
        let (work, taken) = sync_channel(1_000);
        let (back, spent) = channel();
        let data = "x".repeat(1 << 20);
        let writer = std::thread::spawn(move || {
            let (mut held, mut most) = (Vec::<RowBlock>::new(), 0);
            loop {
                match taken.recv_timeout(Duration::from_millis(200)) {
                    Ok(Work::Rows(rows)) => {
                        held.push(rows);
                        most = most.max(held.iter().map(RowBlock::bytes).sum());
                    }
                    Err(RecvTimeoutError::Timeout) => {
                        for mut rows in held.drain(..) {
                            rows.clear();
                            // The engine may have come to its end.
                            back.send(rows).ok();
                        }
                    }
                    Ok(_) => panic!("neither sealed nor looked for"),
                    Err(RecvTimeoutError::Disconnected) => return most,
                }
            }
        });
        let mut batches = Batches::new(0, INTERVAL, (work, spent));
        for entry in 1..=100 {
            let data = Some(Payload::Data(&data));
            let row = row(entry, Timestamp::EPOCH);
            batches.append(&Entry { data, ..row });
        }
        drop(batches);
        let most = writer.join().expect("a writer");
        assert!(most < OUT_BYTES_MAX + (4 << 20), "{most}");
    }

    fn row(entry: i64, received_at: Timestamp) -> Entry<'static> {
        Entry::bare(entry, ("file:a", entry), Kind::Rejected, received_at)
    }
}
