//! The Delta Lake table at `<data>/ledger`.
//!
//! Owns opening and creating it, its files and its checkpoint. Leaves fences, positions and what
//! is known of the log to `ledger::commit`, the log's entries to `log`, statistics to `stats`,
//! fsync to `disk`, buckets to `s3`, `bucket` and `upload`, and the Parquet files to the
//! encoder.
//!
//! Invariant: what is known is one version of the log, which only `refresh` and `commit` move, and
//! only forward. Fences and positions follow the log entry by entry, for a new snapshot costs more
//! with every file of the table; the snapshot catches up when its files are asked for.

mod bucket;
mod disk;
mod log;
mod maintain;
mod open;
mod s3;
mod stats;
#[cfg(test)]
mod tests;
mod upload;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use datafusion::catalog::TableProvider;
use datafusion::prelude::SessionContext;
use deltalake::kernel::LogicalFileView;
use deltalake::{DeltaTableError, checkpoints};
use object_store::ObjectStore;
use url::Url;

pub use bucket::Trouble;
pub(super) use disk::sync_folder;
pub use maintain::Merge;
pub(super) use open::table_at;
pub use open::{data_store, data_url, reach};
pub use stats::{Bounds, LedgerFile, NewFile};
pub(super) use stats::{ColumnStats, FileStats, partition_folder};
pub(super) use upload::PIECE_BYTES;

use super::commit::{Commit, KnownLog};
use super::footer_cache::FooterCache;
use super::log::Log;
use crate::domain::units::Timestamp;
use log::DeltaLog;
use stats::Known;

/// An open ledger table and the newest version of it that we know.
pub struct Ledger {
    /// Its table is loaded, at the known version or before it.
    known: KnownLog<DeltaLog>,
    shard_count: u32,
    /// The log's folder, when it is on a local disk.
    log_folder: Option<PathBuf>,
    footers: Arc<FooterCache>,
}

/// Why the ledger could not be opened, read or committed to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the data folder is neither a path nor a URL: {given}")]
    Location { given: String },
    #[error(
        "the path {given} holds a backslash, or a `%` with two hexadecimal digits behind it, and \
         would be taken for another one: give the data folder another name"
    )]
    Ambiguous { given: String },
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
    #[error("can't use {bucket} at {endpoint}: {trouble}")]
    Bucket {
        bucket: String,
        endpoint: String,
        trouble: Trouble,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error(
        "{table} is on a store that overwrites what is there, so that two workers could too: it \
         ignores `If-None-Match`; use a newer release of it, or another"
    )]
    Overwrites { table: Url },
    #[error("could not read {} to upload it", .path.display())]
    Upload {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("could not upload {path}")]
    Bring {
        path: String,
        #[source]
        source: object_store::Error,
    },
    /// What was written may not survive a power loss: nothing may rely on it.
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
    pub fn shard_count(&self) -> u32 {
        self.shard_count
    }

    /// Tells this table from every other one, for ever.
    ///
    /// # Errors
    ///
    /// [`Error::Delta`] when the log cannot be read.
    pub fn id(&self) -> Result<String, Error> {
        Ok(self.known.log.state()?.metadata().id().to_owned())
    }

    /// The version of the table that is known.
    pub fn version(&self) -> u64 {
        self.known.version()
    }

    /// Reads what others committed since.
    ///
    /// # Errors
    ///
    /// [`Error::Delta`] when the log cannot be read, [`Error::Foreign`] when somebody changed the
    /// table so that it is no ledger of ours.
    pub async fn refresh(&mut self) -> Result<(), Error> {
        self.known.refresh().await
    }

    /// The fence: number of the shard's last entry, 0 when it has none.
    ///
    /// # Errors
    ///
    /// [`Error::Delta`] when the log cannot be read.
    pub async fn last_entry(&self, shard: u32) -> Result<i64, Error> {
        self.known.last_entry(shard).await
    }

    /// The last seq of `source` that is in the shard's rows.
    ///
    /// # Errors
    ///
    /// [`Error::Delta`] when the log cannot be read.
    pub async fn position(&self, shard: u32, source: &str) -> Result<Option<i64>, Error> {
        self.known.position(shard, source).await
    }

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
    /// As [`KnownLog::commit`].
    pub async fn commit(&mut self, commit: &Commit) -> Result<(), Error> {
        self.known.commit(commit).await?;
        self.sync_log()
    }

    /// The data files, in no order. A shard's rows above entry E are in those that may hold a
    /// higher one; what they hold of other shards and below must be skipped.
    ///
    /// # Errors
    ///
    /// [`Error::Delta`] when the log cannot be read.
    pub async fn files(&mut self) -> Result<Vec<LedgerFile>, Error> {
        self.catch_up().await?;
        let log = self.known.log.state()?.snapshot().try_log_data()?;
        Ok(log.iter().map(|file| ledger_file(&file)).collect())
    }

    /// The highest `received_at` in the table; `None` while it is empty.
    ///
    /// # Errors
    ///
    /// [`Error::Delta`] when the log cannot be read.
    pub async fn now(&mut self) -> Result<Option<Timestamp>, Error> {
        self.catch_up().await?;
        let log = self.known.log.state()?.snapshot().try_log_data()?;
        let newest = |file: LogicalFileView| Known::read(&file.stats()?).newest();
        Ok(log.iter().filter_map(newest).max())
    }

    /// The store that [`LedgerFile::path`] is relative to. The partition column is in no file.
    pub fn store(&self) -> Arc<dyn ObjectStore> {
        self.known.log.table.object_store()
    }

    /// The footers of its files that were read.
    pub(super) fn footers(&self) -> Arc<FooterCache> {
        Arc::clone(&self.footers)
    }

    /// The known version as a table for DataFusion. It stays at that version: to see the newest
    /// commit, [`Ledger::refresh`] and register a new one for each query.
    ///
    /// # Errors
    ///
    /// [`Error::Delta`] when the log cannot be read.
    pub async fn provider(&mut self) -> Result<Arc<dyn TableProvider>, Error> {
        self.catch_up().await?;
        // A session that has filters passed on does so itself: asked to as well, the table would
        // pass each on a second time, and each row would be filtered twice.
        let plain = SessionContext::new().state();
        let table = &self.known.log.table;
        let provider = table.table_provider().with_session(Arc::new(plain)).await;
        Ok(provider.map_err(DeltaTableError::from)?)
    }

    /// How many log entries a reader must replay after the newest checkpoint.
    ///
    /// # Errors
    ///
    /// [`Error::Delta`] when the log cannot be read.
    pub async fn commits_since_checkpoint(&self) -> Result<u64, Error> {
        let first = self
            .known
            .log
            .checkpoint()
            .await?
            .map_or(0, |version| version + 1);
        Ok((self.known.version() + 1).saturating_sub(first))
    }

    /// Writes a Delta checkpoint of the known version and cleans no log. One process at a time
    /// may do so: two have corrupted each other's.
    ///
    /// # Errors
    ///
    /// [`Error::Delta`] when it cannot be written.
    pub async fn checkpoint(&mut self) -> Result<(), Error> {
        self.catch_up().await?;
        Ok(checkpoints::create_checkpoint(&self.known.log.table, None).await?)
    }

    /// Puts the names of all log entries on the disk: those that others put there, on which ours
    /// stands, and ours when its own answer was lost.
    fn sync_log(&self) -> Result<(), Error> {
        self.log_folder.as_deref().map_or(Ok(()), sync)
    }

    async fn catch_up(&mut self) -> Result<(), Error> {
        let version = self.known.version();
        Ok(self
            .known
            .log
            .table
            .update_incremental(Some(version))
            .await?)
    }
}

fn sync(folder: &Path) -> Result<(), Error> {
    sync_folder(folder).map_err(|source| Error::Sync {
        folder: folder.to_owned(),
        source,
    })
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
        seqs: known.seqs(),
        received: known.received(),
    }
}
