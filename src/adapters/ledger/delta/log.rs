//! The table's Delta log, entry by entry.
//!
//! Owns the actions of a commit, and reading an entry's. Leaves when to commit, and what an unclear
//! answer means, to `ledger::commit`, fsync to `disk`.
//!
//! Invariant: an entry is put only if there is none of its version. deltalake's own commit loop
//! would do too, but loads a snapshot each time, and that takes longer with every file of the
//! table.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use deltalake::kernel::transaction::CommitData;
use deltalake::kernel::{Action, Add, CommitInfo, Transaction};
use deltalake::logstore::{CommitOrBytes, LogStore, get_actions};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::table::state::DeltaTableState;
use deltalake::{DeltaTable, DeltaTableError};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde::Deserialize;
use uuid::Uuid;

use super::super::commit::{Commit, CommitError, Fenced};
use super::super::log::{Fate, Log, LogEntry, Nameplate};
use super::super::schema;
use super::stats::DayText;
use super::upload::is_refused;
use super::{Error, NewFile, open};

/// The key of our part of a commitInfo.
const NAMEPLATE: &str = "purser";

/// The log of a table that is loaded.
pub(super) struct DeltaLog {
    pub(super) table: DeltaTable,
}

impl DeltaLog {
    pub(super) fn state(&self) -> Result<&DeltaTableState, Error> {
        Ok(self.table.snapshot()?)
    }
}

impl Log for DeltaLog {
    type Error = Error;

    async fn load(&mut self) -> Result<u64, Error> {
        let mut table = DeltaTable::new(self.table.log_store());
        table.load().await?;
        open::check(&table)?;
        self.table = table;
        Ok(self.state()?.version())
    }

    async fn loaded(&self, id: &str) -> Result<Option<i64>, Error> {
        let log_store = self.table.log_store();
        Ok(self
            .state()?
            .transaction_version(log_store.as_ref(), id)
            .await?)
    }

    async fn entry(&self, version: u64) -> Result<Option<LogEntry>, Error> {
        let Some(bytes) = self.table.log_store().read_commit_entry(version).await? else {
            return Ok(None);
        };
        let actions = get_actions(version, &bytes)?;
        Ok(Some(entry(actions)))
    }

    async fn checkpoint(&self) -> Result<Option<u64>, Error> {
        #[derive(Deserialize)]
        struct Hint {
            version: u64,
        }

        let pointer = Path::from("_delta_log/_last_checkpoint");
        let bytes = match self.table.object_store().get(&pointer).await {
            Ok(found) => found.bytes().await,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => Err(error),
        };
        let bytes = bytes.map_err(DeltaTableError::from)?;
        // A reader that cannot make sense of the pointer does without it.
        let hint = serde_json::from_slice::<Hint>(&bytes);
        Ok(hint.ok().map(|hint| hint.version))
    }

    async fn put(&self, version: u64, commit: &Commit) -> Result<(), Error> {
        let plate = serde_json::to_value(commit.nameplate()).map_err(generic)?;
        let operation = DeltaOperation::Write {
            mode: SaveMode::Append,
            partition_by: Some(vec![schema::PARTITION.to_string()]),
            predicate: None,
        };
        let metadata = [(NAMEPLATE.to_string(), plate)].into();
        let transactions = commit.transactions().into_iter();
        let transactions = transactions.map(|(id, value)| Transaction::new(id, value));
        let data = CommitData::new(adds(commit)?, operation, metadata, transactions.collect());
        let bytes = CommitOrBytes::LogBytes(data.get_bytes().map_err(DeltaTableError::from)?);
        let log_store = self.table.log_store();
        log_store
            .write_commit_entry(version, bytes, Uuid::new_v4())
            .await
            .map_err(DeltaTableError::from)?;
        Ok(())
    }

    fn fate(error: &Error) -> Fate {
        match error {
            Error::Delta(source) => match **source {
                DeltaTableError::VersionAlreadyExists(_) => Fate::Taken,
                _ if is_refused(&**source) => Fate::Stop,
                _ => Fate::TryAgain,
            },
            Error::Location { .. }
            | Error::Ambiguous { .. }
            | Error::Foreign { .. }
            | Error::ShardCount { .. } => Fate::Stop,
            Error::Fenced { .. } | Error::Busy { .. } => Fate::Stop,
            Error::Bucket { .. } | Error::Overwrites { .. } => Fate::Stop,
            Error::Upload { .. } | Error::Bring { .. } | Error::Sync { .. } => Fate::Stop,
        }
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    /// Between half of `pause` and all of it, so that writers that met once do not meet again.
    async fn rest(&self, pause: Duration) {
        let dice = u32::from(Uuid::new_v4().as_bytes()[0]);
        tokio::time::sleep(pause / 2 + pause * dice / 512).await;
    }
}

impl From<CommitError<Error>> for Error {
    fn from(error: CommitError<Error>) -> Self {
        match error {
            CommitError::Fenced(Fenced {
                shard,
                expected,
                found,
                writer,
            }) => Self::Fenced {
                shard,
                expected,
                found,
                writer: writer.map(|plate| format!("{}, batch {}", plate.writer, plate.batch)),
            },
            CommitError::Busy { waited, source } => match source {
                Self::Delta(source) => Self::Busy { waited, source },
                lasting => lasting,
            },
            CommitError::Log(source) => source,
        }
    }
}

fn entry(actions: Vec<Action>) -> LogEntry {
    let mut entry = LogEntry::default();
    for action in actions {
        match action {
            Action::Txn(txn) => entry.transactions.push((txn.app_id, txn.version)),
            Action::Add(add) => {
                entry.files.insert(add.path);
            }
            Action::CommitInfo(CommitInfo { info, .. }) => {
                let plate = info.get(NAMEPLATE);
                entry.nameplate = plate.and_then(|plate| Nameplate::deserialize(plate).ok());
            }
            Action::Metadata(_) | Action::Protocol(_) => entry.changes_table = true,
            _ => {}
        }
    }
    entry
}

fn adds(commit: &Commit) -> Result<Vec<Action>, Error> {
    let now_millis = now_millis()?;
    let add = |file| Ok(Action::Add(add(file, now_millis)?));
    commit.files().map(add).collect()
}

/// Milliseconds since 1970 by this machine's clock.
pub(super) fn now_millis() -> Result<i64, Error> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(generic)?;
    i64::try_from(now.as_millis()).map_err(generic)
}

pub(super) fn add(file: &NewFile, now_millis: i64) -> Result<Add, Error> {
    let day = (
        schema::PARTITION.to_string(),
        Some(DayText(file.day).to_string()),
    );
    Ok(Add {
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
    })
}

fn generic(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    DeltaTableError::GenericError {
        source: Box::new(source),
    }
    .into()
}
