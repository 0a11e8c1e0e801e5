//! One batch into a log, exactly once.
//!
//! Owns which version of the log is known, the fences and positions in it, and what an unclear
//! answer means. Leaves how entries are kept to a [`Log`], and the files to the encoder, which has
//! put them on the disk before.
//!
//! Invariant: a shard's batch is committed only upon a version whose fence is the entry before its
//! first. The log takes one entry of each version, so that nothing can come between the version
//! whose fence was seen and ours. After any error the log itself says what became of ours. What is
//! known moves only forward.
//!
//! A log is cleaned behind a checkpoint, and where an entry was cleaned another one can be put that
//! nobody reads. So what was read or put upon a version counts only if the newest checkpoint, asked
//! for afterwards, is not beyond that version: then nothing that follows it can have been cleaned.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::delta::{NewFile, partition_folder};
use super::log::{Fate, Log, LogEntry, Nameplate};

/// How long a commit is tried again before it is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest wait after the first failure; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How far back the log is searched for the commit that moved a fence.
const SEARCHED_VERSIONS: u64 = 10_000;

/// What one process commits at once, for all of its shards.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Names the process that commits, and no other process ever.
    pub writer: String,
    /// Numbers the writer's batches.
    pub batch: u64,
    /// Each shard at most once.
    pub shards: Vec<ShardCommit>,
}

/// One shard's entries `[first_entry, last_entry]` and how far its sources are read with them.
#[derive(Clone, Debug)]
pub struct ShardCommit {
    pub shard: u32,
    pub first_entry: i64,
    /// One below `first_entry` when there are no entries.
    pub last_entry: i64,
    /// Source and the last seq of it that is in the entries.
    pub positions: Vec<(String, i64)>,
    pub files: Vec<NewFile>,
}

/// Why a commit did not come to its end.
#[derive(Debug)]
pub enum CommitError<E> {
    Fenced(Fenced),
    /// Failures for longer than a commit is tried, the last one at hand.
    Busy {
        waited: Duration,
        source: E,
    },
    Log(E),
}

/// Another worker owns the shard. Nothing of the batch was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fenced {
    pub shard: u32,
    /// The entry before the batch's first.
    pub expected: i64,
    /// The fence.
    pub found: i64,
    /// Who set it, when the log still tells.
    pub writer: Option<Nameplate>,
}

/// What became of a try.
enum Settled {
    Committed,
    Fenced(Fenced),
}

/// A log and the newest version of it that is known.
pub struct KnownLog<L> {
    pub(super) log: L,
    version: u64,
    /// Application ids and their newest values since the log was loaded.
    transactions: HashMap<String, i64>,
}

impl<L: Log> KnownLog<L> {
    /// A log that is loaded at `version`.
    pub fn new(log: L, version: u64) -> Self {
        Self {
            log,
            version,
            transactions: HashMap::new(),
        }
    }

    /// The version that is known.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The fence: number of the shard's last entry, 0 when it has none.
    ///
    /// # Errors
    ///
    /// The log can't be read.
    pub async fn last_entry(&self, shard: u32) -> Result<i64, L::Error> {
        Ok(self.transaction(&fence_id(shard)).await?.unwrap_or(0))
    }

    /// The last seq of `source` that is in the shard's rows.
    ///
    /// # Errors
    ///
    /// The log can't be read.
    pub async fn position(&self, shard: u32, source: &str) -> Result<Option<i64>, L::Error> {
        self.transaction(&position_id(shard, source)).await
    }

    /// Reads what others committed since.
    ///
    /// # Errors
    ///
    /// The log can't be read.
    pub async fn refresh(&mut self) -> Result<(), L::Error> {
        let mut read = Vec::new();
        let mut next = self.version + 1;
        while let Some(entry) = self.log.entry(next).await? {
            if entry.changes_table {
                return self.reload().await;
            }
            read.push(entry.transactions);
            next += 1;
        }
        if !self.reload_if_overtaken().await? {
            for transactions in read {
                self.advance(transactions);
            }
        }
        Ok(())
    }

    /// Commits all of `commit` or nothing. A commit that is already in the log, because its
    /// answer got lost, is done.
    ///
    /// # Errors
    ///
    /// See [`CommitError`]; whether it is committed is unknown but for [`CommitError::Fenced`].
    ///
    /// # Panics
    ///
    /// When a shard comes twice, its entries run backwards, or a file lies outside its partition.
    pub async fn commit(&mut self, commit: &Commit) -> Result<(), CommitError<L::Error>> {
        commit.check();
        let since = self.log.now();
        // When the try began: who slept through its patience looks at the log once more.
        let mut tried = since;
        let mut pause = FIRST_PAUSE;
        let mut outcome = self.settle(commit).await;
        loop {
            let source = match outcome {
                Ok(Settled::Committed) => return Ok(()),
                Ok(Settled::Fenced(fenced)) => return Err(CommitError::Fenced(fenced)),
                Err(source) => source,
            };
            let fate = L::fate(&source);
            if fate == Fate::Stop {
                return Err(CommitError::Log(source));
            }
            if tried - since > PATIENCE {
                let waited = self.log.now() - since;
                return Err(CommitError::Busy { waited, source });
            }
            if fate == Fate::TryAgain {
                let (batch, error) = (commit.batch, &source as &(dyn std::error::Error + 'static));
                tracing::warn!(batch, error, "commit failed, trying again");
            }
            self.log.rest(pause).await;
            tried = self.log.now();
            pause = LONGEST_PAUSE.min(pause * 2);
            outcome = match self.refresh().await {
                Ok(()) => self.settle(commit).await,
                Err(error) => Err(error),
            };
        }
    }

    /// Commits upon the known version, or finds in the log what became of an earlier try.
    async fn settle(&mut self, commit: &Commit) -> Result<Settled, L::Error> {
        loop {
            self.reload_if_overtaken().await?;
            if self.moved_fence(commit).await?.is_some() {
                self.refresh().await?;
                if let Some((shard, found)) = self.moved_fence(commit).await? {
                    let newest = self.newest_commit_of(shard.shard).await?;
                    return Ok(commit.judge(shard, found, newest));
                }
            }
            self.log.put(self.version + 1, commit).await?;
            if !self.reload_if_overtaken().await? {
                self.advance(commit.transactions());
                return Ok(Settled::Committed);
            }
        }
    }

    /// The first shard whose fence is not where the batch begins, and where it is.
    async fn moved_fence<'a>(
        &self,
        commit: &'a Commit,
    ) -> Result<Option<(&'a ShardCommit, i64)>, L::Error> {
        for shard in &commit.shards {
            let found = self.last_entry(shard.shard).await?;
            if found != shard.first_entry - 1 {
                return Ok(Some((shard, found)));
            }
        }
        Ok(None)
    }

    /// The newest commit that set the shard's fence, when the log still has it.
    async fn newest_commit_of(&self, shard: u32) -> Result<Option<LogEntry>, L::Error> {
        let fence = fence_id(shard);
        let newest = self.version;
        for version in (newest.saturating_sub(SEARCHED_VERSIONS)..=newest).rev() {
            let Some(entry) = self.log.entry(version).await? else {
                return Ok(None);
            };
            if entry.transactions.iter().any(|(id, _)| *id == fence) {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    async fn transaction(&self, id: &str) -> Result<Option<i64>, L::Error> {
        match self.transactions.get(id) {
            Some(value) => Ok(Some(*value)),
            None => self.log.loaded(id).await,
        }
    }

    /// Takes over the transactions of the next version.
    fn advance(&mut self, transactions: Vec<(String, i64)>) {
        self.transactions.extend(transactions);
        self.version += 1;
    }

    /// Loads the log anew when it may have been cleaned beyond the known version: the next one is
    /// then absent because it is gone, not because it is still to come. True when it did.
    async fn reload_if_overtaken(&mut self) -> Result<bool, L::Error> {
        let checkpoint = self.log.checkpoint().await?;
        let is_overtaken = checkpoint.is_some_and(|checkpoint| checkpoint > self.version);
        if is_overtaken {
            self.reload().await?;
        }
        Ok(is_overtaken)
    }

    async fn reload(&mut self) -> Result<(), L::Error> {
        self.version = self.log.load().await?;
        self.transactions.clear();
        Ok(())
    }
}

impl Commit {
    /// What the log keeps with the files: each shard's fence, and its position in each source.
    pub fn transactions(&self) -> Vec<(String, i64)> {
        let mut transactions = Vec::new();
        for shard in &self.shards {
            transactions.push((fence_id(shard.shard), shard.last_entry));
            for (source, seq) in &shard.positions {
                transactions.push((position_id(shard.shard, source), *seq));
            }
        }
        transactions
    }

    /// The name to put on its entry.
    pub fn nameplate(&self) -> Nameplate {
        Nameplate {
            writer: self.writer.clone(),
            batch: self.batch,
        }
    }

    /// The files of all shards.
    pub fn files(&self) -> impl Iterator<Item = &NewFile> {
        self.shards.iter().flat_map(|shard| &shard.files)
    }

    /// Whether the fence of `shard`, which is at `found`, was moved by this very commit: of the
    /// same writer and batch, with the same files. Else another worker owns the shard. (Where the
    /// log was cleaned, `newest` may be an entry of ours that nobody reads. With the fence at our
    /// last entry another worker has then committed the same rows, and we may go on upon them.)
    fn judge(&self, shard: &ShardCommit, found: i64, newest: Option<LogEntry>) -> Settled {
        let files = || self.files().map(|file| file.path.clone()).collect();
        let is_ours = newest.as_ref().is_some_and(|newest| {
            newest.nameplate == Some(self.nameplate()) && newest.files == files()
        });
        if is_ours && found == shard.last_entry {
            return Settled::Committed;
        }
        Settled::Fenced(Fenced {
            shard: shard.shard,
            expected: shard.first_entry - 1,
            found,
            writer: newest.and_then(|newest| newest.nameplate),
        })
    }

    fn check(&self) {
        let mut seen = BTreeSet::new();
        for shard in &self.shards {
            assert!(
                seen.insert(shard.shard),
                "shard {} comes twice",
                shard.shard
            );
            assert!(
                shard.last_entry >= shard.first_entry - 1,
                "entries run backwards"
            );
            for file in &shard.files {
                let folder = partition_folder(file.day);
                let within = file
                    .path
                    .strip_prefix(&folder)
                    .is_some_and(|x| x.starts_with('/'));
                assert!(within, "{} is not in {folder}", file.path);
            }
        }
    }
}

/// Under which application id the log keeps a shard's last entry.
fn fence_id(shard: u32) -> String {
    format!("purser/{shard}")
}

/// Under which application id the log keeps a source's last seq in a shard.
fn position_id(shard: u32, source: &str) -> String {
    format!("purser/{shard}/{source}")
}
