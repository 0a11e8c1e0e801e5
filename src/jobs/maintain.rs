//! Maintain: many small files of days that are over → few large ones, and nothing left that
//! nobody needs.
//!
//! Owns the order: merge, checkpoint the table's log, clean it, delete old files. Leaves each to
//! `adapters::ledger`.
//!
//! Invariant: safe beside a running worker, and at any moment of being killed: no row changes.

use super::data::{DataError, DataFolder};
use crate::adapters::ledger::{self, CompactError, compact};

/// Log entries after the table's newest checkpoint that are worth another: a running worker
/// writes one at a hundred itself, and two writers at once are to be avoided.
const LOG_ENTRIES: u64 = 110;

/// What was done, or, by a dry run, would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maintained {
    /// Files that were merged, and those they became.
    pub files_before: usize,
    pub files_after: usize,
    pub checkpointed: bool,
    pub log_entries_deleted: usize,
    pub files_deleted: usize,
}

/// Why it stopped; what was done until then stays.
#[derive(Debug, thiserror::Error)]
pub enum MaintainError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Compact(#[from] CompactError),
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
}

/// Maintains the ledger of `data`; `told` hears of each step, by name and how far it is.
///
/// # Errors
///
/// See [`MaintainError`].
pub async fn maintain(
    data: &DataFolder,
    dry_run: bool,
    mut told: impl FnMut(&str, usize, usize),
) -> Result<Maintained, MaintainError> {
    let mut ledger = data.ledger().await?;
    data.make_workplace()?;
    let mut done = Maintained::default();
    let merges = ledger.merges().await?;
    for (index, merge) in merges.iter().enumerate() {
        told(&merge.day, index, merges.len());
        if !dry_run {
            let merged = compact(&ledger, merge, &data.workplace()).await?;
            ledger.bring(&merged, &data.workplace()).await?;
            if !ledger.replace(merge, &merged).await? {
                tracing::info!(day = merge.day, "merged by somebody else meanwhile");
                continue;
            }
        }
        done.files_before += merge.files.len();
        done.files_after += 1;
    }
    if ledger.commits_since_checkpoint().await? >= LOG_ENTRIES {
        told("log", 0, 1);
        done.checkpointed = true;
        if !dry_run {
            ledger.checkpoint().await?;
            done.log_entries_deleted = ledger.clean_log().await?;
        }
    }
    told("old files", 0, 1);
    done.files_deleted = ledger.vacuum(dry_run).await?.len();
    Ok(done)
}
