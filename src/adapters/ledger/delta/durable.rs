//! Makes the log survive a power loss on a local disk.
//!
//! Owns fsync of log entries and checkpoints; nothing in object_store or deltalake does it. Leaves
//! data files to their writer, who syncs them before they are committed.
//!
//! Invariant: when a call returns, what it was given is on the disk, and so is its name.

use std::fs::File;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::Error;

/// Syncs the log entries of `versions` in the folder `log`, then the folder.
///
/// Entries that are no longer there were cleaned behind a checkpoint and are not missed.
pub(super) async fn sync_entries(log: &Path, versions: RangeInclusive<u64>) -> Result<(), Error> {
    let files = versions
        .map(|version| log.join(format!("{version:020}.json")))
        .collect();
    sync(log, files).await
}

/// Syncs the checkpoint of `version` and the pointer to it, then the folder `log`.
pub(super) async fn sync_checkpoint(log: &Path, version: u64) -> Result<(), Error> {
    let checkpoint = log.join(format!("{version:020}.checkpoint.parquet"));
    sync(log, vec![checkpoint, log.join("_last_checkpoint")]).await
}

/// Syncs the names of a new table's folders, from `log` up to the parent of the data folder.
pub(super) async fn sync_new_folders(log: &Path) -> Result<(), Error> {
    for folder in log.ancestors().skip(1).take(3) {
        sync(folder, Vec::new()).await?;
    }
    Ok(())
}

async fn sync(folder: &Path, files: Vec<PathBuf>) -> Result<(), Error> {
    let folder = folder.to_path_buf();
    let failed = |source| Error::Sync {
        folder: folder.clone(),
        source,
    };
    let task = {
        let folder = folder.clone();
        tokio::task::spawn_blocking(move || sync_blocking(&folder, &files))
    };
    task.await
        .map_err(|stopped| failed(io::Error::other(stopped)))?
        .map_err(failed)
}

fn sync_blocking(folder: &Path, files: &[PathBuf]) -> io::Result<()> {
    for file in files {
        match File::open(file) {
            Ok(file) => file.sync_all()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    File::open(folder)?.sync_all()
}
