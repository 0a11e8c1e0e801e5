//! Checkpoints of wallets, so that a restart need not read the whole ledger.
//!
//! Owns when one is begun, taking the wallets a few at a time so that the engine never pauses,
//! and writing them on a thread of its own. Leaves the table to `adapters::ledger`.
//!
//! Invariant: a checkpoint is published only when the ledger has committed every row that is in
//! it. Nothing relies on one: a failure is told and costs the next restart time.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use url::Url;

use crate::adapters::ledger::{About, NewWallets, WalletRows, WalletsError, WalletsFile};
use crate::domain::engine::{Engine, Head};
use crate::domain::units::Timestamp;

/// Wallets that are taken at once.
const SLICE: usize = 4 << 10;
/// A checkpoint is worth its while when there is at least one new row for so many wallets: then
/// reading the rows would take about as long as reading the wallets.
const WALLETS_A_ROW: i64 = 8;
/// How often a finished checkpoint looks whether its rows are committed.
const LOOK: Duration = Duration::from_millis(50);

/// What the thread works with.
pub struct Checkpointer {
    pub shard: u32,
    /// The data folder.
    pub data: Url,
    /// The last entry that the ledger has committed.
    pub committed: Arc<AtomicI64>,
    /// A checkpoint is begun this long after the one before.
    pub interval: Duration,
}

/// The engine's side.
pub struct Checkpoints {
    work: Option<SyncSender<Piece>>,
    thread: Option<JoinHandle<()>>,
    interval: Duration,
    begun: Instant,
    newest: About,
    /// The one that is being taken.
    taking: Option<Taking>,
    /// What the thread had no room for.
    waiting: Option<Piece>,
}

struct Taking {
    head: Head,
    /// Wallets before this place are taken.
    place: usize,
}

enum Piece {
    Wallets(Box<WalletRows>),
    End(Box<About>),
    /// A wallet can't be written, so that the others are not worth it.
    Failed(WalletsError),
}

impl Checkpointer {
    /// Starts the thread. `newest` is the checkpoint that the shard has, or one of nothing; its
    /// sources are those that the ledger has, or will have, rows of.
    pub fn start(self, newest: About) -> Checkpoints {
        // A store that is slower than the engine slows the checkpoint only.
        let (work, pieces) = sync_channel(1);
        let interval = self.interval;
        Checkpoints {
            work: Some(work),
            thread: Some(std::thread::spawn(move || self.write_all(&pieces))),
            interval,
            begun: Instant::now(),
            newest,
            taking: None,
            waiting: None,
        }
    }

    fn write_all(self, pieces: &Receiver<Piece>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return tracing::warn!(%error, "no checkpoints will be written"),
        };
        let mut writing = Ok(None);
        let mut finished: Option<(NewWallets, i64)> = None;
        loop {
            let piece = match finished {
                None => pieces.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(_) => pieces.recv_timeout(LOOK),
            };
            let is_committed = |(_, last_entry): &mut (NewWallets, i64)| {
                *last_entry <= self.committed.load(Ordering::Acquire)
            };
            if let Some((new, last_entry)) = finished.take_if(is_committed) {
                match runtime.block_on(new.publish(&self.data)) {
                    Ok(()) => tracing::debug!(last_entry, "checkpoint written"),
                    Err(error) => tell(&error),
                }
            }
            match piece {
                Ok(Piece::Wallets(rows)) => {
                    writing = runtime.block_on(self.write(writing, *rows));
                }
                Ok(Piece::End(about)) => {
                    let file = std::mem::replace(&mut writing, Ok(None));
                    let last_entry = about.last.entry;
                    match runtime.block_on(self.finish(file, *about)) {
                        Ok(new) => finished = Some((new, last_entry)),
                        Err(error) => tell(&error),
                    }
                }
                Ok(Piece::Failed(error)) => writing = Err(error),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    async fn write(
        &self,
        file: Result<Option<WalletsFile>, WalletsError>,
        rows: WalletRows,
    ) -> Result<Option<WalletsFile>, WalletsError> {
        let mut file = match file? {
            Some(file) => file,
            None => WalletsFile::create(&self.data, self.shard)?,
        };
        file.write(rows).await?;
        Ok(Some(file))
    }

    async fn finish(
        &self,
        file: Result<Option<WalletsFile>, WalletsError>,
        about: About,
    ) -> Result<NewWallets, WalletsError> {
        let file = match file? {
            Some(file) => file,
            None => WalletsFile::create(&self.data, self.shard)?,
        };
        file.finish(about).await
    }
}

fn tell(error: &WalletsError) {
    let error: &dyn std::error::Error = error;
    tracing::warn!(
        error,
        "no checkpoint was written; the next restart takes longer"
    );
}

impl Checkpoints {
    /// Call it often, between messages: begins a checkpoint when it is time, and takes some
    /// wallets of the one that is begun.
    pub fn tend(&mut self, engine: &Engine) {
        if self.taking.is_none() && self.begun.elapsed() >= self.interval {
            self.begin(engine);
        }
        let Some(piece) = self.waiting.take().or_else(|| self.next_piece(engine)) else {
            return;
        };
        if let Some(work) = &self.work
            && let Err(TrySendError::Full(piece)) = work.try_send(piece)
        {
            self.waiting = Some(piece);
        }
    }

    /// Begins a last checkpoint if that is worth its while, and takes all wallets of the one that
    /// is begun. It is written meanwhile, and is seen once its rows are committed.
    pub fn take_rest(&mut self, engine: &Engine) {
        if self.taking.is_none() {
            self.begin(engine);
        }
        while let Some(piece) = self.waiting.take().or_else(|| self.next_piece(engine)) {
            let work = self.work.as_ref();
            if work.is_none_or(|work| work.send(piece).is_err()) {
                break;
            }
        }
    }

    /// Ends the thread, and does something beside it. All rows that will ever be committed are.
    pub fn finish(mut self, meanwhile: impl FnOnce()) {
        self.work = None;
        meanwhile();
        let thread = self.thread.take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::warn!("the checkpoints' thread stopped unexpectedly");
        }
    }

    /// Begins a checkpoint if there are enough new rows for it.
    fn begin(&mut self, engine: &Engine) {
        let head = engine.head();
        let new_rows = head.last.entry - self.newest.head.last.entry;
        let wallets = i64::try_from(engine.wallets().count()).unwrap_or(i64::MAX);
        if new_rows > 0 && new_rows.saturating_mul(WALLETS_A_ROW) >= wallets {
            self.begun = Instant::now();
            self.taking = Some(Taking { head, place: 0 });
        }
    }

    fn next_piece(&mut self, engine: &Engine) -> Option<Piece> {
        let taking = self.taking.as_mut()?;
        let now = engine.now().unwrap_or(Timestamp::EPOCH);
        let wallets = engine.wallets();
        if taking.place >= wallets.count() {
            self.newest.head = self.taking.take()?.head;
            self.newest.last = engine.mark();
            return Some(Piece::End(Box::new(self.newest.clone())));
        }
        let slice = slice(taking.place, wallets.count());
        taking.place = slice.end;
        let mut rows = WalletRows::default();
        for wallet in wallets.starting_at(slice.start).take(slice.len()) {
            if let Err(error) = rows.push(wallet, engine.last_entry(), now) {
                return Some(Piece::Failed(error.into()));
            }
        }
        Some(Piece::Wallets(Box::new(rows)))
    }
}

/// The places of the next wallets to be taken, of so many as there are now.
fn slice(place: usize, wallets: usize) -> Range<usize> {
    place..wallets.min(place + SLICE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wallets may be opened between two slices.
    #[test]
    fn slices_follow_each_other_however_many_wallets_come() {
        let mut taken = 0;
        for wallets in [SLICE - 96, SLICE + 104, SLICE + 104 + 2 * SLICE] {
            while taken < wallets {
                let slice = slice(taken, wallets);
                assert!(slice.start == taken && !slice.is_empty() && slice.end <= wallets);
                taken = slice.end;
            }
        }
    }
}
