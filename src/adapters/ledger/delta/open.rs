//! Finds or makes the ledger table of a data folder.
//!
//! Owns where the table is, its properties and the shard count in them. Leaves its columns to
//! `schema`.
//!
//! Invariant: the shard count is written once, by whoever creates the table first.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deltalake::kernel::transaction::{CommitProperties, PROTOCOL};
use deltalake::logstore::{CommitOrBytes, LogStore};
use deltalake::operations::create::CreateBuilder;
use deltalake::{DeltaTable, DeltaTableBuilder, DeltaTableError};
use object_store::ObjectStore;
use url::Url;
use uuid::Uuid;

use super::super::commit::KnownLog;
use super::super::footer_cache::FooterCache;
use super::super::schema;
use super::log::DeltaLog;
use super::{Error, Ledger, bucket, disk, s3, sync};

/// The table's folder below the data folder.
const TABLE: &str = "ledger";

/// The log store that writes an entry only if there is none of its version.
const CONDITIONAL_PUT: &str = "DefaultLogStore";

/// Table property: over how many shards the wallets are spread.
const SHARDS: &str = "purser.shards";

/// The data folder as a URL that ends in a slash. `given` is a URL or a local path, absolute or
/// relative to the working directory, which need not exist.
///
/// # Errors
///
/// [`Error::Location`] when it is empty or a URL that cannot have folders, [`Error::Ambiguous`] for
/// a path that the table's log and its files would not read the same way.
pub fn data_url(given: &str) -> Result<Url, Error> {
    let refused = || Error::Location {
        given: given.to_string(),
    };
    if given.contains("://") {
        let mut url = Url::parse(given).map_err(|_| refused())?;
        url.path_segments_mut()
            .map_err(|()| refused())?
            .pop_if_empty()
            .push("");
        return Ok(url);
    }
    let path = std::path::absolute(given).map_err(|_| refused())?;
    let shown = path.to_string_lossy();
    let is_escape = |at: usize| {
        let digits = shown.as_bytes().get(at + 1..at + 3);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if shown.contains('\\') || shown.match_indices('%').any(|(at, _)| is_escape(at)) {
        return Err(Error::Ambiguous {
            given: shown.into_owned(),
        });
    }
    Url::from_directory_path(path).map_err(|()| refused())
}

impl Ledger {
    /// Opens the newest version of the ledger below `data`, or `None` when there is no table.
    ///
    /// # Errors
    ///
    /// [`Error::Foreign`] when the table there is not ours, [`Error::Delta`] when its log cannot
    /// be read.
    pub async fn open(data: &Url) -> Result<Option<Self>, Error> {
        let mut table = table_at(data, TABLE)?;
        if !table.verify_deltatable_existence().await? {
            return Ok(None);
        }
        match table.load().await {
            Ok(()) => Self::of(table).map(Some),
            // A creation that was cut short leaves a folder without a first version.
            Err(DeltaTableError::NotATable(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Creates the ledger below `data` for `shard_count` shards, with its folders on a local
    /// disk, or opens the one that another process created meanwhile.
    ///
    /// # Errors
    ///
    /// [`Error::ShardCount`] when the table that is there has another number of shards; otherwise
    /// as [`Ledger::open`], and [`Error::Sync`].
    ///
    /// # Panics
    ///
    /// When `shard_count` is 0.
    pub async fn create(data: &Url, shard_count: u32) -> Result<Self, Error> {
        assert!(shard_count > 0, "a ledger without shards");
        let created = create_table(data, shard_count).await;
        let ledger = match (Self::open(data).await?, created) {
            (Some(ledger), _) => ledger,
            (None, Err(error)) => return Err(error),
            (None, Ok(())) => return Err(DeltaTableError::NotATable(data.to_string()).into()),
        };
        if ledger.shard_count != shard_count {
            return Err(Error::ShardCount {
                asked: shard_count,
                found: ledger.shard_count,
            });
        }
        match &ledger.log_folder {
            Some(log) => sync_names(log)?,
            None => ledger.check_conditional_put().await?,
        }
        Ok(ledger)
    }

    /// Makes sure that the store keeps what is there: puts the newest entry once more, which must
    /// be refused. Where it is not, nothing has changed.
    async fn check_conditional_put(&self) -> Result<(), Error> {
        let (version, log) = (self.known.version(), self.known.log.table.log_store());
        let Some(bytes) = log.read_commit_entry(version).await? else {
            return Ok(()); // Cleaned meanwhile: somebody works here, and has checked it.
        };
        let put = CommitOrBytes::LogBytes(bytes);
        let put = log.write_commit_entry(version, put, Uuid::new_v4()).await;
        match put.map_err(DeltaTableError::from) {
            Err(DeltaTableError::VersionAlreadyExists(_)) => Ok(()),
            Err(error) => Err(error.into()),
            Ok(()) => Err(Error::Overwrites {
                table: log.root_url().clone(),
            }),
        }
    }

    /// The ledger in `table`, which is loaded.
    fn of(table: DeltaTable) -> Result<Self, Error> {
        let shard_count = check(&table)?;
        let log_folder = local_folder(table.table_url()).map(|folder| folder.join("_delta_log"));
        let version = table.snapshot()?.version();
        Ok(Self {
            known: KnownLog::new(DeltaLog { table }, version),
            shard_count,
            log_folder,
            footers: Arc::new(FooterCache::new()),
        })
    }
}

/// Puts the names of the table's folders on the disk: whoever made them may not have come to it.
fn sync_names(log: &Path) -> Result<(), Error> {
    for (folder, above) in log.ancestors().take(4).zip(0..) {
        match sync(folder) {
            // Who may not list what the data folder lies in has not made it.
            Err(Error::Sync { source, .. })
                if above == 3 && source.kind() == ErrorKind::PermissionDenied => {}
            synced => synced?,
        }
    }
    Ok(())
}

/// Makes sure that a loaded table is a ledger of ours; gives its shard count.
pub(super) fn check(table: &DeltaTable) -> Result<u32, Error> {
    let foreign = |fault| Error::Foreign {
        table: table.table_url().clone(),
        fault,
    };
    let state = table.snapshot()?;
    PROTOCOL
        .can_write_to(state)
        .map_err(DeltaTableError::from)?;
    let log_store = table.log_store().name();
    if log_store != CONDITIONAL_PUT {
        return Err(foreign(format!("{log_store} has no conditional put")));
    }
    if let Some(column) = schema::missing_column(&state.schema())? {
        return Err(foreign(format!(
            "its column {column} is missing or of another type"
        )));
    }
    let shards = state.metadata().configuration().get(SHARDS);
    let shard_count = shards.and_then(|shards| shards.parse().ok());
    shard_count.ok_or_else(|| foreign(format!("its property {SHARDS} is no number")))
}

async fn create_table(data: &Url, shard_count: u32) -> Result<(), Error> {
    // A second creator must fail: with retries it would become version 1 and replace the
    // properties that the first one wrote.
    let once = CommitProperties::default().with_max_retries(0);
    CreateBuilder::new()
        .with_log_store(table_at(data, TABLE)?.log_store())
        .with_table_name(TABLE)
        .with_columns(schema::ledger_columns()?)
        .with_partition_columns([schema::PARTITION])
        .with_configuration(properties(shard_count))
        .with_raise_if_key_not_exists(false)
        .with_commit_properties(once)
        .await?;
    Ok(())
}

fn properties(shard_count: u32) -> [(&'static str, Option<String>); 4] {
    [
        (SHARDS, Some(shard_count.to_string())),
        (
            "delta.dataSkippingStatsColumns",
            Some(schema::SKIPPING.join(",")),
        ),
        ("delta.appendOnly", Some(true.to_string())),
        // Whoever maintains the table cleans its log; no other engine's commit may.
        ("delta.enableExpiredLogCleanup", Some(false.to_string())),
    ]
}

/// The table in the folder `name` below `data`, not yet loaded.
pub(crate) fn table_at(data: &Url, name: &str) -> Result<DeltaTable, Error> {
    let mut url = data.clone();
    url.path_segments_mut()
        .map_err(|()| Error::Location {
            given: data.to_string(),
        })?
        .pop_if_empty()
        .extend([name, ""]);
    build(url)
}

fn build(url: Url) -> Result<DeltaTable, Error> {
    s3::register();
    disk::register();
    match DeltaTableBuilder::from_url(url.clone())?.build() {
        Err(DeltaTableError::ObjectStore { source }) if url.scheme() == s3::SCHEME => {
            Err(bucket::unset(&url, source))
        }
        built => Ok(built?),
    }
}

/// Makes sure that a data folder in a bucket can be read; any other passes.
///
/// # Errors
///
/// [`Error::Bucket`], within seconds, says what to set.
pub async fn reach(data: &Url) -> Result<(), Error> {
    bucket::reach(data).await
}

/// The store whose paths begin at the data folder.
///
/// # Errors
///
/// The URL names no kind of store that we know.
pub fn data_store(data: &Url) -> Result<Arc<dyn ObjectStore>, Error> {
    Ok(build(data.clone())?.object_store())
}

fn local_folder(url: &Url) -> Option<PathBuf> {
    let is_file = url.scheme() == "file";
    is_file
        .then(|| url.to_file_path().ok())
        .flatten()
        .filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_data_folder_is_a_path_or_a_url() {
        for (given, url) in [
            ("/var/lib/a b", "file:///var/lib/a%20b/"),
            ("/var/lib/purser/", "file:///var/lib/purser/"),
            ("/100%/#1?", "file:///100%25/%231%3F/"),
            ("s3://bucket", "s3://bucket/"),
            ("s3://bucket/one/", "s3://bucket/one/"),
            ("file:///a%20b", "file:///a%20b/"),
        ] {
            assert_eq!(data_url(given).expect("a URL").as_str(), url, "{given}");
        }
        let here = std::env::current_dir().expect("a folder").join("new");
        let relative = data_url("new")
            .expect("a URL")
            .to_file_path()
            .expect("a path");
        assert_eq!(relative, here);
        for ambiguous in ["/a%20b", "/a%2Fb/c", "back\\slash"] {
            let refused = data_url(ambiguous).expect_err(ambiguous).to_string();
            assert!(refused.contains("another name"), "{refused}");
        }
        assert!(data_url("").is_err());
        assert!(data_url("http://[").is_err());
    }

    #[test]
    fn only_file_urls_are_local() {
        let folder = local_folder(&data_url("/a b").expect("a URL"));
        assert_eq!(folder.as_deref(), Some(Path::new("/a b/")));
        assert_eq!(
            local_folder(&data_url("s3://bucket/a").expect("a URL")),
            None
        );
    }
}
