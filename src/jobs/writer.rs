//! The writer: batches → files → commits, on a thread of its own.
//!
//! Owns the order: rows into the day's file, the file onto the disk, the alerts to the broker, then
//! the commit; and answers what the engine asks of the ledger in between. Leaves what a commit is
//! to `adapters::ledger`.
//!
//! Invariant: nothing of a batch is visible before all of it is on the disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use tokio::runtime::Runtime;

use super::batches::{Find, Seal, Work};
use crate::adapters::jetstream::{AlertSender, AlertsClosed};
use crate::adapters::ledger::{
    self, Columns, Commit, EncodeError, FileWriter, Ledger, RowBlock, ShardCommit, charges,
};

/// Blocks of rows that may wait while a batch is committed; the engine bounds their bytes.
const WAITING: usize = 256;
/// Commits between two checkpoints of the table's log: without them each commit and each opening
/// takes longer than the one before.
const COMMITS_A_CHECKPOINT: u64 = 100;

/// Why writing stopped.
#[derive(Debug, thiserror::Error)]
pub enum WriterError {
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    #[error("alerts could not be handed to the broker")]
    Alerts(#[from] AlertsClosed),
    #[error("the writer stopped unexpectedly")]
    Panicked,
}

/// Who writes, and what a commit waits for.
pub struct Writer {
    pub shard: u32,
    /// Names this process in the log, and no other ever.
    pub name: String,
    pub ledger: Ledger,
    /// Where files are written before they are committed.
    pub folder: PathBuf,
    /// `None` when alerts are not sent.
    pub alerts: Option<AlertSender>,
    /// Told the last entry of each commit.
    pub committed: Arc<AtomicI64>,
}

/// The running thread.
pub struct WriterThread {
    thread: JoinHandle<Result<Ledger, WriterError>>,
}

impl Writer {
    /// Starts the thread; what is sent to it is written in order, until the sender is dropped.
    /// Blocks come back without their rows.
    pub fn start(self) -> ((SyncSender<Work>, Receiver<RowBlock>), WriterThread) {
        let (work, waiting) = sync_channel(WAITING);
        let (spent, again) = channel();
        let thread = std::thread::spawn(move || self.write(&waiting, &spent));
        ((work, again), WriterThread { thread })
    }

    fn write(
        mut self,
        work: &Receiver<Work>,
        spent: &Sender<RowBlock>,
    ) -> Result<Ledger, WriterError> {
        let runtime = runtime()?;
        let mut file: Option<FileWriter> = None;
        let mut columns = Columns::new(self.shard);
        let mut batch = 0;
        let mut since_checkpoint = runtime.block_on(self.ledger.commits_since_checkpoint())?;
        for work in work {
            match work {
                Work::Rows(mut rows) => {
                    columns.append(&rows);
                    if columns.is_full() {
                        self.write_group(&mut file, &mut columns)?;
                    }
                    rows.clear();
                    // Whoever would use it again may have ended.
                    spent.send(rows).ok();
                }
                Work::Find(Find { wanted, answer }) => {
                    let found = charges(&mut self.ledger, self.shard, wanted);
                    let found = runtime.block_on(found);
                    if answer.send(found).is_err() {
                        tracing::debug!("nobody waits for the charges any more");
                    }
                }
                Work::Seal(seal) => {
                    batch += 1;
                    self.write_group(&mut file, &mut columns)?;
                    runtime.block_on(self.commit(file.take(), seal, batch))?;
                    since_checkpoint += 1;
                    if since_checkpoint >= COMMITS_A_CHECKPOINT {
                        runtime.block_on(self.ledger.checkpoint())?;
                        since_checkpoint = 0;
                    }
                }
            }
        }
        Ok(self.ledger)
    }

    /// Takes the columns' rows, if they have any, to the file of their day.
    fn write_group(
        &self,
        file: &mut Option<FileWriter>,
        columns: &mut Columns,
    ) -> Result<(), WriterError> {
        if let Some(day) = columns.day() {
            let open = match file.take() {
                Some(open) => {
                    assert_eq!(open.day(), day, "a batch of two days");
                    open
                }
                None => FileWriter::create(&self.folder, day)?,
            };
            file.insert(open).write(columns)?;
            columns.clear();
        }
        Ok(())
    }

    async fn commit(
        &mut self,
        file: Option<FileWriter>,
        seal: Seal,
        batch: u64,
    ) -> Result<(), WriterError> {
        let file = file.map(FileWriter::finish).transpose()?;
        if let Some(file) = &file {
            self.ledger.bring(file, &self.folder).await?;
        }
        if let Some(alerts) = &self.alerts {
            alerts.all_stored().await?;
        }
        let (entries, last_entry) = (seal.last_entry + 1 - seal.first_entry, seal.last_entry);
        let shard = ShardCommit {
            shard: self.shard,
            first_entry: seal.first_entry,
            last_entry,
            positions: seal.positions,
            files: file.into_iter().collect(),
        };
        let commit = Commit {
            writer: self.name.clone(),
            batch,
            shards: vec![shard],
        };
        self.ledger.commit(&commit).await?;
        self.committed.store(last_entry, Ordering::Release);
        tracing::debug!(batch, entries, last_entry, "committed");
        Ok(())
    }
}

impl WriterThread {
    /// Whether the thread has ended, which it does by itself only on an error.
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits until all that was sent is committed; the sender must be dropped before.
    ///
    /// # Errors
    ///
    /// Why writing stopped, if it did.
    pub fn join(self) -> Result<Ledger, WriterError> {
        self.thread.join().map_err(|_| WriterError::Panicked)?
    }
}

fn runtime() -> Result<Runtime, WriterError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.map_err(|source| {
        WriterError::Encode(EncodeError::Io {
            path: PathBuf::new(),
            source,
        })
    })
}
