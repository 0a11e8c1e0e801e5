//! The Delta Lake table at `<data>/ledger`.
//!
//! Owns opening and creating it, its fences and positions, its files and its checkpoint. Leaves
//! the commit to `commit`, statistics to `stats`, fsync to `durable` and the Parquet files to the
//! encoder.
//!
//! Invariant: what is known is one version of the log, which only `refresh` and `commit` move, and
//! only forward. Fences and positions follow the log entry by entry, for a new snapshot costs more
//! with every file of the table; the snapshot catches up when its files are asked for.

mod commit;
mod durable;
mod open;
mod stats;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use datafusion::catalog::TableProvider;
use deltalake::kernel::{Action, LogicalFileView, Transaction};
use deltalake::logstore::{LogStore, get_actions};
use deltalake::table::state::DeltaTableState;
use deltalake::{DeltaTable, DeltaTableError, checkpoints};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::Deserialize;
use url::Url;

pub use commit::{Commit, ShardCommit};
pub use open::data_url;
pub(super) use stats::{Bounds, ColumnStats, FileStats, partition_folder};
pub use stats::{LedgerFile, NewFile};

use crate::domain::units::Timestamp;
use stats::Known;

/// An open ledger table and the newest version of it that we know.
pub struct Ledger {
    /// Loaded, at `version` or before it.
    table: DeltaTable,
    version: u64,
    /// The `txn` actions since the table was loaded: application id and its newest value.
    transactions: HashMap<String, i64>,
    shard_count: u32,
    /// The log's folder, when it is on a local disk.
    log_folder: Option<PathBuf>,
    /// The log entries up to this version are on the disk; unknown until the first commit.
    durable: Option<u64>,
}

/// Why the ledger could not be opened, read or committed to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the data folder is neither a path nor a URL: {given}")]
    Location { given: String },
    #[error("the table at {table} is not a ledger of this version: {fault}")]
    Foreign { table: Url, fault: String },
    #[error("the ledger has {found} shards, not {asked}")]
    ShardCount { asked: u32, found: u32 },
    /// Another worker owns the shard. Nothing of the batch was committed.
    #[error(
        "shard {shard} belongs to another worker{}: its last entry is {found}, not {expected}",
        .writer.as_ref().map(|writer| format!(" ({writer})")).unwrap_or_default()
    )]
    Fenced {
        shard: u32,
        expected: i64,
        found: i64,
        writer: Option<String>,
    },
    /// Whether the batch was committed is unknown; the fence tells.
    #[error("could not commit to the ledger within {} s", .waited.as_secs())]
    Busy {
        waited: Duration,
        #[source]
        source: Box<DeltaTableError>,
    },
    /// Committed, but perhaps not on the disk: nothing may rely on it.
    #[error("could not sync {}", .folder.display())]
    Sync {
        folder: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("could not read or write the ledger's Delta log")]
    Delta(#[source] Box<DeltaTableError>),
}

impl From<DeltaTableError> for Error {
    fn from(source: DeltaTableError) -> Self {
        Self::Delta(Box::new(source))
    }
}

impl Ledger {
    /// N: over how many shards the wallets are spread, for ever.
    #[cfg(test)]
    fn shard_count(&self) -> u32 {
        self.shard_count
    }

    /// The version of the table that is known.
    #[cfg(test)]
    fn version(&self) -> u64 {
        self.version
    }

    /// Reads what others committed since.
    ///
    /// # Errors
    ///
    /// [`Error::Delta`] when the log cannot be read, [`Error::Foreign`] when somebody changed the
    /// table so that it is no ledger of ours.
    pub async fn refresh(&mut self) -> Result<(), Error> {
        let log_store = self.table.log_store();
        while let Some(bytes) = log_store.read_commit_entry(self.version + 1).await? {
            let actions = get_actions(self.version + 1, &bytes)?;
            if actions
                .iter()
                .any(|x| matches!(x, Action::Metadata(_) | Action::Protocol(_)))
            {
                return self.reload().await;
            }
            self.advance(actions.iter().filter_map(|action| match action {
                Action::Txn(txn) => Some(txn),
                _ => None,
            }));
        }
        self.reload_if_overtaken().await
    }

    /// The fence: number of the shard's last entry, 0 when it has none.
    ///
    /// # Errors
    ///
    /// [`Error::Delta`] when the log cannot be read.
    pub async fn last_entry(&self, shard: u32) -> Result<i64, Error> {
        Ok(self.transaction(&fence_id(shard)).await?.unwrap_or(0))
    }

    /// The last seq of `source` that is in the shard's rows.
    ///
    /// # Errors
    ///
    /// [`Error::Delta`] when the log cannot be read.
    pub async fn position(&self, shard: u32, source: &str) -> Result<Option<i64>, Error> {
        self.transaction(&position_id(shard, source)).await
    }

    /// The data files, in no order. A shard's rows above entry E are in those that may hold a
    /// higher one; what they hold of other shards and below must be skipped.
    ///
    /// # Errors
    ///
    /// [`Error::Delta`] when the log cannot be read.
    pub async fn files(&mut self) -> Result<Vec<LedgerFile>, Error> {
        self.catch_up().await?;
        let log = self.state()?.snapshot().try_log_data()?;
        Ok(log.iter().map(|file| ledger_file(&file)).collect())
    }

    /// The highest `received_at` in the table; `None` while it is empty.
    ///
    /// # Errors
    ///
    /// [`Error::Delta`] when the log cannot be read.
    pub async fn now(&mut self) -> Result<Option<Timestamp>, Error> {
        self.catch_up().await?;
        let log = self.state()?.snapshot().try_log_data()?;
        let newest = |file: LogicalFileView| Known::read(&file.stats()?).newest();
        Ok(log.iter().filter_map(newest).max())
    }

    /// The store that [`LedgerFile::path`] is relative to. The partition column is in no file.
    pub fn store(&self) -> Arc<dyn ObjectStore> {
        self.table.object_store()
    }

    /// The known version as a table for DataFusion. It stays at that version: to see the newest
    /// commit, [`Ledger::refresh`] and register a new one for each query.
    ///
    /// # Errors
    ///
    /// [`Error::Delta`] when the log cannot be read.
    pub async fn provider(&mut self) -> Result<Arc<dyn TableProvider>, Error> {
        self.catch_up().await?;
        Ok(self
            .table
            .table_provider()
            .await
            .map_err(DeltaTableError::from)?)
    }

    /// How many log entries a reader must replay after the newest checkpoint.
    ///
    /// # Errors
    ///
    /// [`Error::Delta`] when the log cannot be read.
    pub async fn commits_since_checkpoint(&self) -> Result<u64, Error> {
        let first = self
            .last_checkpoint()
            .await?
            .map_or(0, |version| version + 1);
        Ok((self.version + 1).saturating_sub(first))
    }

    /// Writes a Delta checkpoint of the known version and cleans no log. One process at a time
    /// may do so: two have corrupted each other's.
    ///
    /// # Errors
    ///
    /// [`Error::Delta`] when it cannot be written, [`Error::Sync`] when it may not be on the disk.
    pub async fn checkpoint(&mut self) -> Result<(), Error> {
        self.catch_up().await?;
        checkpoints::create_checkpoint(&self.table, None).await?;
        match &self.log_folder {
            Some(log) => durable::sync_checkpoint(log, self.version).await,
            None => Ok(()),
        }
    }

    /// Takes over the `txn` actions of the next version.
    fn advance<'a>(&mut self, transactions: impl Iterator<Item = &'a Transaction>) {
        for transaction in transactions {
            self.transactions
                .insert(transaction.app_id.clone(), transaction.version);
        }
        self.version += 1;
    }

    /// Loads the table anew when the log was cleaned beyond the known version: the next version
    /// is then absent because it is gone, not because it is still to come.
    async fn reload_if_overtaken(&mut self) -> Result<(), Error> {
        let entry = Path::from(format!("_delta_log/{:020}.json", self.version));
        match self.store().head(&entry).await {
            Ok(_) => Ok(()),
            Err(object_store::Error::NotFound { .. }) => self.reload().await,
            Err(error) => Err(DeltaTableError::from(error).into()),
        }
    }

    async fn reload(&mut self) -> Result<(), Error> {
        let mut table = DeltaTable::new(self.table.log_store());
        table.load().await?;
        let durable = self.durable;
        *self = Self {
            durable,
            ..Self::of(table)?
        };
        Ok(())
    }

    async fn catch_up(&mut self) -> Result<(), Error> {
        Ok(self.table.update_incremental(Some(self.version)).await?)
    }

    async fn last_checkpoint(&self) -> Result<Option<u64>, Error> {
        #[derive(Deserialize)]
        struct Hint {
            version: u64,
        }

        let pointer = Path::from("_delta_log/_last_checkpoint");
        let bytes = match self.store().get(&pointer).await {
            Ok(found) => found.bytes().await,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => Err(error),
        };
        let bytes = bytes.map_err(DeltaTableError::from)?;
        // A reader that cannot make sense of the pointer does without it.
        Ok(serde_json::from_slice::<Hint>(&bytes)
            .ok()
            .map(|hint| hint.version))
    }

    async fn transaction(&self, id: &str) -> Result<Option<i64>, Error> {
        if let Some(value) = self.transactions.get(id) {
            return Ok(Some(*value));
        }
        let log_store = self.table.log_store();
        Ok(self
            .state()?
            .transaction_version(log_store.as_ref(), id)
            .await?)
    }

    fn state(&self) -> Result<&DeltaTableState, Error> {
        Ok(self.table.snapshot()?)
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

fn ledger_file(file: &LogicalFileView) -> LedgerFile {
    let known = file
        .stats()
        .map(|stats| Known::read(&stats))
        .unwrap_or_default();
    let mut partition = file.partition_values_map();
    LedgerFile {
        path: file.object_store_path(),
        size: u64::try_from(file.size()).unwrap_or_default(),
        rows: known.num_records,
        day: partition
            .remove(super::schema::PARTITION)
            .flatten()
            .unwrap_or_default(),
        shards: known.shards(),
        entries: known.entries(),
    }
}
