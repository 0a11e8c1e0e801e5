//! One batch into the log, exactly once.
//!
//! Owns the actions of a commit, its fence, and what an unclear answer means. Leaves the files to
//! the encoder, which has put them on the disk before.
//!
//! Invariant: a shard's batch is committed only upon a version whose fence is the entry before its
//! first. The log takes one entry of each version, so that nothing can come between the version
//! whose fence was seen and ours. After any error the log itself says what became of ours.
//! deltalake's own commit loop would do too, but loads a snapshot each time, and that takes
//! longer with every file of the table.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use deltalake::DeltaTableError;
use deltalake::kernel::transaction::CommitData;
use deltalake::kernel::{Action, Add, CommitInfo, Transaction};
use deltalake::logstore::{CommitOrBytes, LogStore, get_actions};
use deltalake::protocol::{DeltaOperation, SaveMode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::schema;
use super::stats::DayText;
use super::{Error, Ledger, NewFile, durable, fence_id, position_id};

/// How long a commit is tried again before it is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest wait after the first failure; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How far back the log is searched for the commit that moved a fence.
const SEARCHED_VERSIONS: u64 = 10_000;

/// The key of our part of a commitInfo.
const NAMEPLATE: &str = "purser";

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

/// Who committed, in each commitInfo.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
struct Nameplate {
    writer: String,
    batch: u64,
}

impl Ledger {
    /// Commits all of `commit` or nothing, and returns when it is durable. A commit that is
    /// already in the log, because its answer got lost, is done. Writes no checkpoint and cleans
    /// no log.
    ///
    /// # Errors
    ///
    /// [`Error::Fenced`] when another worker wrote to one of the shards: nothing was committed and
    /// this process must stop. [`Error::Busy`] after a minute of failures, [`Error::Sync`] when it
    /// is committed but may not survive a power loss.
    ///
    /// # Panics
    ///
    /// When a shard comes twice, its entries run backwards, or a file lies outside its partition.
    pub async fn commit(&mut self, commit: &Commit) -> Result<(), Error> {
        commit.check();
        let since = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut outcome = self.settle(commit).await;
        while let Err(Error::Delta(source)) = outcome {
            let waited = since.elapsed();
            if waited > PATIENCE {
                return Err(Error::Busy { waited, source });
            }
            if !matches!(*source, DeltaTableError::VersionAlreadyExists(_)) {
                let batch = commit.batch;
                tracing::warn!(batch, error = %source, "commit failed, trying again");
            }
            tokio::time::sleep(jittered(pause)).await;
            pause = LONGEST_PAUSE.min(pause * 2);
            outcome = match self.refresh().await {
                Ok(()) => self.settle(commit).await,
                Err(error) => Err(error),
            };
        }
        outcome?;
        self.make_durable().await
    }

    /// Commits upon the known version, or finds in the log what became of an earlier try.
    async fn settle(&mut self, commit: &Commit) -> Result<(), Error> {
        self.reload_if_overtaken().await?;
        if self.moved_fence(commit).await?.is_some() {
            self.refresh().await?;
            if let Some((shard, found)) = self.moved_fence(commit).await? {
                return self.judge(commit, shard, found).await;
            }
        }
        self.write(commit).await
    }

    /// The first shard whose fence is not where the batch begins, and where it is.
    async fn moved_fence<'a>(
        &self,
        commit: &'a Commit,
    ) -> Result<Option<(&'a ShardCommit, i64)>, Error> {
        for shard in &commit.shards {
            let found = self.last_entry(shard.shard).await?;
            if found != shard.first_entry - 1 {
                return Ok(Some((shard, found)));
            }
        }
        Ok(None)
    }

    /// Whether the fence moved by this very commit; else another worker owns the shard.
    async fn judge(&self, commit: &Commit, shard: &ShardCommit, found: i64) -> Result<(), Error> {
        let newest = self.newest_commit_of(shard.shard).await?;
        let is_ours = newest.as_deref().is_some_and(|actions| commit.is(actions));
        if is_ours && found == shard.last_entry {
            return Ok(());
        }
        let plate = newest.as_deref().and_then(nameplate);
        Err(Error::Fenced {
            shard: shard.shard,
            expected: shard.first_entry - 1,
            found,
            writer: plate.map(|plate| format!("{}, batch {}", plate.writer, plate.batch)),
        })
    }

    /// The actions of the newest commit that set the shard's fence, when the log still has them.
    async fn newest_commit_of(&self, shard: u32) -> Result<Option<Vec<Action>>, Error> {
        let fence = fence_id(shard);
        let log_store = self.table.log_store();
        let newest = self.version;
        for version in (newest.saturating_sub(SEARCHED_VERSIONS)..=newest).rev() {
            let Some(bytes) = log_store.read_commit_entry(version).await? else {
                return Ok(None);
            };
            let actions = get_actions(version, &bytes)?;
            let sets_fence =
                |action: &Action| matches!(action, Action::Txn(txn) if txn.app_id == fence);
            if actions.iter().any(sets_fence) {
                return Ok(Some(actions));
            }
        }
        Ok(None)
    }

    async fn write(&mut self, commit: &Commit) -> Result<(), Error> {
        let plate = Nameplate {
            writer: commit.writer.clone(),
            batch: commit.batch,
        };
        let plate = serde_json::to_value(plate).map_err(generic)?;
        let operation = DeltaOperation::Write {
            mode: SaveMode::Append,
            partition_by: Some(vec![schema::PARTITION.to_string()]),
            predicate: None,
        };
        let metadata = [(NAMEPLATE.to_string(), plate)].into();
        let transactions = commit.transactions();
        let data = CommitData::new(commit.adds()?, operation, metadata, transactions);
        let bytes = CommitOrBytes::LogBytes(data.get_bytes().map_err(DeltaTableError::from)?);
        let log_store = self.table.log_store();
        log_store
            .write_commit_entry(self.version + 1, bytes, Uuid::new_v4())
            .await
            .map_err(DeltaTableError::from)?;
        self.advance(data.app_transactions.iter());
        Ok(())
    }

    /// Syncs what was committed since the last time, others' commits too: ours stands upon them,
    /// and their writers may not have come to it.
    async fn make_durable(&mut self) -> Result<(), Error> {
        let Some(log) = &self.log_folder else {
            return Ok(());
        };
        let first = match self.durable {
            Some(version) => version + 1,
            None => self
                .last_checkpoint()
                .await?
                .map_or(0, |version| version + 1),
        };
        let newest = self.version;
        durable::sync_entries(log, first..=newest).await?;
        self.durable = Some(newest);
        Ok(())
    }
}

impl Commit {
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
                let folder = super::partition_folder(file.day);
                let within = file
                    .path
                    .strip_prefix(&folder)
                    .is_some_and(|x| x.starts_with('/'));
                assert!(within, "{} is not in {folder}", file.path);
            }
        }
    }

    /// Whether `actions` are this commit's: of the same writer and batch, with the same files.
    fn is(&self, actions: &[Action]) -> bool {
        let theirs: BTreeSet<&str> = actions
            .iter()
            .filter_map(|action| match action {
                Action::Add(add) => Some(add.path.as_str()),
                _ => None,
            })
            .collect();
        let ours: BTreeSet<&str> = self.files().map(|file| file.path.as_str()).collect();
        let plate = nameplate(actions);
        let by_us = plate.is_some_and(|x| x.writer == self.writer && x.batch == self.batch);
        by_us && ours == theirs
    }

    fn files(&self) -> impl Iterator<Item = &NewFile> {
        self.shards.iter().flat_map(|shard| &shard.files)
    }

    fn transactions(&self) -> Vec<Transaction> {
        let mut transactions = Vec::new();
        for shard in &self.shards {
            transactions.push(Transaction::new(fence_id(shard.shard), shard.last_entry));
            for (source, seq) in &shard.positions {
                transactions.push(Transaction::new(position_id(shard.shard, source), *seq));
            }
        }
        transactions
    }

    fn adds(&self) -> Result<Vec<Action>, Error> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_err(generic)?;
        let now_millis = i64::try_from(now.as_millis()).map_err(generic)?;
        self.files().map(|file| add(file, now_millis)).collect()
    }
}

fn add(file: &NewFile, now_millis: i64) -> Result<Action, Error> {
    let day = (
        schema::PARTITION.to_string(),
        Some(DayText(file.day).to_string()),
    );
    Ok(Action::Add(Add {
        path: file.path.clone(),
        partition_values: [day].into(),
        size: i64::try_from(file.size).map_err(generic)?,
        modification_time: now_millis,
        data_change: true,
        stats: Some(file.stats.to_json(file.rows)),
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    }))
}

fn nameplate(actions: &[Action]) -> Option<Nameplate> {
    let plate = actions.iter().find_map(|action| match action {
        Action::CommitInfo(CommitInfo { info, .. }) => info.get(NAMEPLATE),
        _ => None,
    })?;
    Nameplate::deserialize(plate).ok()
}

fn generic(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    DeltaTableError::GenericError {
        source: Box::new(source),
    }
    .into()
}

/// Between half of `pause` and all of it, so that writers that met once do not meet again.
fn jittered(pause: Duration) -> Duration {
    let dice = u32::from(Uuid::new_v4().as_bytes()[0]);
    pause / 2 + pause * dice / 512
}
