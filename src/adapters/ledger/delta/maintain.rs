//! Keeping the table fast: few large files, a short log, nothing on the disk that nobody needs.
//!
//! Owns which files are merged and the commit that replaces them. Leaves the merged file to
//! `ledger::compact`, and what may be deleted to deltalake, by the table's own retention.
//!
//! Invariant: no row changes. Files are replaced only if all of them are still in the table, and
//! each merged file holds a run of one shard's entries that no other file of that shard is in.

use std::collections::BTreeMap;

use deltalake::checkpoints::cleanup_metadata;
use deltalake::kernel::transaction::{CommitData, CommitProperties};
use deltalake::kernel::{Action, Add};
use deltalake::logstore::{CommitOrBytes, LogStore};
use deltalake::operations::vacuum::VacuumMode;
use deltalake::protocol::DeltaOperation;
use deltalake::{DeltaTable, DeltaTableError};
use uuid::Uuid;

use super::log::{add, now_millis};
use super::{Error, Ledger, LedgerFile, NewFile};

/// A file that holds fewer rows is merged with others of its day and shard.
const MERGED_ROWS: u64 = 4 << 20;

/// Files of one shard and day to be merged, in order of entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merge {
    pub day: String,
    pub shard: u32,
    pub files: Vec<LedgerFile>,
}

impl Ledger {
    /// What is worth merging: runs of small files of the days before the newest one, each run to
    /// become one file of at most about [`MERGED_ROWS`] rows.
    ///
    /// # Errors
    ///
    /// [`Error::Delta`] when the log cannot be read.
    pub async fn merges(&mut self) -> Result<Vec<Merge>, Error> {
        let files = self.files().await?;
        let newest = files.iter().map(|file| file.day.clone()).max();
        let mut of_shards: BTreeMap<(String, u32), Vec<LedgerFile>> = BTreeMap::new();
        for file in files {
            // A file whose statistics say too little is left as it is.
            let one_shard = file.shards.filter(|shards| shards.min == shards.max);
            let (Some(shard), Some(_), Some(_)) = (one_shard, file.entries, file.rows) else {
                continue;
            };
            if Some(&file.day) != newest.as_ref() {
                let place = (file.day.clone(), shard.min);
                of_shards.entry(place).or_default().push(file);
            }
        }
        let merges = of_shards.into_iter().flat_map(|((day, shard), files)| {
            let runs = runs(files).into_iter();
            runs.map(move |files| Merge {
                day: day.clone(),
                shard,
                files,
            })
        });
        Ok(merges.collect())
    }

    /// Puts `merged` in the place of the files of `merge`; false when one of them is no longer
    /// in the table, for then somebody else has merged it.
    ///
    /// # Errors
    ///
    /// [`Error::Delta`] when the log cannot be written.
    pub async fn replace(&mut self, merge: &Merge, merged: &NewFile) -> Result<bool, Error> {
        loop {
            self.refresh().await?;
            let Some(mut actions) = self.removals(merge).await? else {
                return Ok(false);
            };
            actions.push(Action::Add(Add {
                data_change: false,
                ..add(merged, now_millis()?)?
            }));
            let operation = DeltaOperation::Optimize {
                predicate: None,
                target_size: i64::try_from(merged.size).unwrap_or(i64::MAX),
            };
            let data = CommitData::new(actions, operation, [].into(), Vec::new());
            let bytes = CommitOrBytes::LogBytes(data.get_bytes().map_err(DeltaTableError::from)?);
            let version = self.known.version() + 1;
            let put = self.known.log.table.log_store();
            let put = put.write_commit_entry(version, bytes, Uuid::new_v4()).await;
            match put.map_err(DeltaTableError::from) {
                Ok(()) => {
                    self.refresh().await?;
                    return Ok(true);
                }
                // A worker was faster.
                Err(DeltaTableError::VersionAlreadyExists(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The actions that take the files of `merge` out; `None` when one is not there.
    async fn removals(&mut self, merge: &Merge) -> Result<Option<Vec<Action>>, Error> {
        self.catch_up().await?;
        let log = self.known.log.state()?.snapshot().try_log_data()?;
        let is_merged = |path| merge.files.iter().any(|file| file.path == path);
        let there = log
            .iter()
            .filter(|file| is_merged(file.object_store_path()));
        let removals = there.map(|file| Action::Remove(file.remove_action(false)));
        let removals: Vec<Action> = removals.collect();
        Ok((removals.len() == merge.files.len()).then_some(removals))
    }

    /// Deletes log entries before the newest checkpoint that are older than the table's log
    /// retention (30 days unless it says otherwise); gives how many.
    ///
    /// # Errors
    ///
    /// [`Error::Delta`] when the log cannot be read or cleaned.
    pub async fn clean_log(&mut self) -> Result<usize, Error> {
        self.catch_up().await?;
        Ok(cleanup_metadata(&self.known.log.table, None).await?)
    }

    /// Deletes files that no version of the table has named for as long as its retention (a week
    /// unless it says otherwise); gives their paths. With `dry_run` it deletes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Delta`] when the files cannot be listed or deleted.
    pub async fn vacuum(&mut self, dry_run: bool) -> Result<Vec<String>, Error> {
        self.catch_up().await?;
        let table = self.known.log.table.clone();
        let quiet = CommitProperties::default()
            .with_create_checkpoint(false)
            .with_cleanup_expired_logs(Some(false));
        let (_, found): (DeltaTable, _) = table
            .vacuum()
            .with_mode(VacuumMode::Full)
            .with_dry_run(dry_run)
            .with_commit_properties(quiet)
            .await?;
        self.refresh().await?;
        Ok(found.files_deleted)
    }
}

/// Runs of two files or more that follow each other in order of entry and are small together.
fn runs(mut files: Vec<LedgerFile>) -> Vec<Vec<LedgerFile>> {
    files.sort_by_key(|file| file.entries.map(|entries| entries.min));
    let mut runs: Vec<(u64, Vec<LedgerFile>)> = Vec::new();
    for file in files {
        let rows = file.rows.unwrap_or(u64::MAX);
        match runs.last_mut() {
            Some((sum, run)) if sum.saturating_add(rows) <= MERGED_ROWS => {
                *sum += rows;
                run.push(file);
            }
            _ => runs.push((rows, vec![file])),
        }
    }
    let runs = runs.into_iter().map(|(_, run)| run);
    runs.filter(|run| run.len() > 1).collect()
}
