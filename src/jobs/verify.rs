//! Verify: is a data folder what the rules make of it?
//!
//! Owns reading each shard's rows once, with what the log and the price folder say. Leaves every
//! check to `domain::audit`.
//!
//! Invariant: reads only, and one version of the ledger; a worker may go on beside it.

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;

use super::data::{DataError, DataFolder};
use super::prices::PricesError;
use crate::adapters::cloudevents::Decoder;
use crate::adapters::identities::{IdentityRuns, Opening, Split, split};
use crate::adapters::ledger::{
    Ledger, RecoverError, newest_checkpoint, rows, rows_of_days, rows_of_kind,
};
use crate::domain::audit::{Audit, Log, Report};
use crate::domain::command::Reversed;
use crate::domain::customer::Shard;
use crate::domain::duplicates::{DuplicateFilter, OlderFault, Room};
use crate::domain::engine::Engine;
use crate::domain::entry::{Entry, Kind, Payload};
use crate::domain::event::Members;
use crate::domain::price::PriceBook;

/// Rows between two looks at the progress.
const STRIDE_ROWS: u64 = 8 << 10;
/// Memory for identities.
const FILTER_BYTES: u64 = 256 << 20;
/// Findings of a shard that are kept to be shown.
const FINDINGS_KEPT: usize = 10;

/// Why a ledger could not be looked at to its end.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Prices(#[from] PricesError),
    #[error(transparent)]
    Recover(#[from] RecoverError),
    #[error(transparent)]
    Filter(#[from] OlderFault),
}

/// How far a shard has been looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub shard: u32,
    pub rows: u64,
    pub rows_total: u64,
}

/// A folder that is deleted when it is no longer needed.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "could not delete a folder");
        }
    }
}

/// A shard that has been looked at.
pub struct Verified {
    pub shard: u32,
    pub report: Report,
    /// False when an error cut it short: what the log says was not held against the rows then.
    pub is_whole: bool,
}

/// Looks at all shards of a ledger, one after the other, and hands each over to `told`; gives the
/// number of faults.
///
/// # Errors
///
/// See [`VerifyError`]: there is no ledger, or something that it needs can't be read.
pub async fn verify(
    data: &DataFolder,
    mut progress: impl FnMut(Progress),
    mut told: impl FnMut(&Verified),
) -> Result<u64, VerifyError> {
    let mut ledger = data.ledger().await?;
    let book = data.prices()?.load().await?;
    let count = ledger.shard_count();
    let mut faults = 0;
    let scratch = Scratch(std::env::temp_dir().join(format!("purser-verify-{}", Uuid::new_v4())));
    for index in 0..count {
        let shard = Shard { index, count };
        let mut audit = audit(shard, book.clone(), &scratch.0)?;
        let looked = look(&mut ledger, index, &mut audit, &mut progress).await;
        let (report, looked) = match looked {
            Ok(log) => {
                let place = (shard, book.clone(), log.fence);
                if let Some(engine) = from_checkpoint(data, &mut ledger, place).await? {
                    audit.checkpoint(engine.wallets());
                }
                (audit.end(&log), Ok(()))
            }
            Err(error) => (audit.stop(), Err(error)),
        };
        faults += report.findings.count;
        told(&Verified {
            shard: index,
            report,
            is_whole: looked.is_ok(),
        });
        looked?;
    }
    Ok(faults)
}

/// An audit whose identities lie in a folder of its own as far as they do not fit in memory.
fn audit(shard: Shard, book: PriceBook, folder: &Path) -> Result<Audit, VerifyError> {
    let keys = RandomState::new();
    let Split {
        segments,
        segment_identities,
        runs_bytes,
    } = split(FILTER_BYTES);
    let opened = IdentityRuns::open(Opening {
        folder: folder.join(shard.index.to_string()),
        ledger_id: "verify".to_owned(),
        is_forked: false,
        budget_bytes: runs_bytes,
        window: book.longest_window(),
        fresh_key: [1, 2, 3, 4].map(|n| keys.hash_one(n)),
        committed: Arc::default(),
    })?;
    let room = Room {
        segments,
        segment_identities,
    };
    let filter = DuplicateFilter::bounded(opened.key, room, (Box::new(opened.runs), 0));
    Ok(Audit::new(shard, book, filter, FINDINGS_KEPT))
}

/// The wallets that the newest checkpoint and the rows after it lead to; `None` without one that
/// can be used.
async fn from_checkpoint(
    data: &DataFolder,
    ledger: &mut Ledger,
    (shard, book, fence): (Shard, PriceBook, i64),
) -> Result<Option<Engine>, VerifyError> {
    let filter = DuplicateFilter::unbounded([0; 4]);
    let mut engine = Engine::new(shard, book, filter);
    let found = newest_checkpoint(data.url(), ledger, shard.index).await;
    match found.and_then(|found| found.map(|found| found.load(&mut engine)).transpose()) {
        Ok(Some(_)) => {}
        Ok(None) => return Ok(None),
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "the checkpoint can't be used, so it is not verified");
            return Ok(None);
        }
    }
    let mut decoder = Decoder::default();
    let after = engine.last_entry();
    let mut fault = None;
    rows(ledger, (shard.index, after), |rows| {
        for row in rows.iter().filter(|row| row.entry <= fence) {
            let members = read_data(row).and_then(|data| decoder.members(data));
            if fault.is_none() {
                let members = members.unwrap_or(Members::NONE);
                fault = engine.restore(row, &members).err();
            }
        }
        Ok::<(), VerifyError>(())
    })
    .await?;
    if let Some(fault) = fault {
        let fault: &dyn std::error::Error = &fault;
        tracing::warn!(
            fault,
            "the rows after the checkpoint can't be applied to it"
        );
        return Ok(None);
    }
    Ok(Some(engine))
}

/// Takes all rows of a shard to its audit; gives what the log says of them.
async fn look(
    ledger: &mut Ledger,
    shard: u32,
    audit: &mut Audit,
    progress: &mut impl FnMut(Progress),
) -> Result<Log, VerifyError> {
    let fence = ledger.last_entry(shard).await.map_err(DataError::from)?;
    let rows_total = fence.unsigned_abs();
    let mut read = 0;
    let mut decoder = Decoder::default();
    for charge in taken_back(ledger, shard, &mut decoder).await {
        audit.expect_reversal(charge);
    }
    rows_of_days(ledger, (shard, i64::MIN), |partition, rows| {
        for row in rows {
            if read % STRIDE_ROWS == 0 {
                progress(Progress {
                    shard,
                    rows: read,
                    rows_total,
                });
            }
            read += 1;
            let members = read_data(row).and_then(|data| decoder.members(data));
            audit.row(row, partition, members.as_ref())?;
        }
        Ok::<(), VerifyError>(())
    })
    .await?;
    let mut positions = Vec::new();
    for source in audit.sources() {
        let position = ledger.position(shard, source).await;
        positions.push((source.to_owned(), position.map_err(DataError::from)?));
    }
    Ok(Log { fence, positions })
}

/// The events whose charges are taken back, as `(customer, source, id)`; where a file can't be
/// read, those before it, for the audit comes no further.
async fn taken_back(
    ledger: &mut Ledger,
    shard: u32,
    decoder: &mut Decoder,
) -> Vec<(String, String, String)> {
    let mut charges = Vec::new();
    let read = rows_of_kind(ledger, shard, Kind::Reversal, |row| {
        let members = read_data(row).and_then(|data| decoder.members(data));
        let reversed = members.and_then(|members| Reversed::read(&members).ok());
        if let Some((customer, reversed)) = row.customer.zip(reversed) {
            let names = [customer, reversed.source, reversed.id];
            charges.push(names.map(str::to_owned).into());
        }
        Ok::<(), RecoverError>(())
    })
    .await;
    if let Err(error) = read {
        let error: &dyn std::error::Error = &error;
        tracing::debug!(error, "not all reversals could be read ahead");
    }
    charges
}

/// The `data` of a row that was accepted; others' may be no JSON at all.
fn read_data<'r>(row: &Entry<'r>) -> Option<&'r str> {
    match (row.kind, row.data) {
        (Kind::Duplicate | Kind::Conflict | Kind::Rejected, _) => None,
        (_, Some(Payload::Data(data))) => Some(data),
        _ => None,
    }
}
