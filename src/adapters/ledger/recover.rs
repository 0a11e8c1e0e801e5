//! A shard's rows, read back from the table in the order in which they were decided.
//!
//! Owns finding the files that hold them and decoding them. Leaves turning columns into rows to
//! `rows`, and what rows do to `domain::engine`.
//!
//! Invariant: every row of the shard up to the fence comes exactly once, in order of `entry`, as
//! long as no file spans another's entries.

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use bytes::Bytes;
use object_store::ObjectStoreExt;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;

use super::ahead::ahead;
use super::delta::{self, Bounds, Ledger, LedgerFile};
use super::rows::{OF_NO_EFFECT, Rows};
use crate::domain::calendar;
use crate::domain::entry::Entry;
use crate::domain::units::Day;

/// Rows that are decoded at once.
const BATCH_ROWS: usize = 8 << 10;
/// Bytes that are, roughly.
const BATCH_BYTES: u64 = 64 << 20;

/// Why rows could not be read back.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    #[error("could not read the ledger's log")]
    Log(#[from] delta::Error),
    #[error("could not read {path}")]
    Store {
        path: String,
        #[source]
        source: object_store::Error,
    },
    #[error("could not decode {path}")]
    Parquet {
        path: String,
        #[source]
        source: ParquetError,
    },
    #[error("could not decode {path}")]
    Arrow {
        path: String,
        #[source]
        source: ArrowError,
    },
    #[error("{path} is damaged: put back a whole copy of it")]
    Damaged { path: String },
    #[error(
        "{path}: column `{column}` is missing, of another type, or lacks a value or a known word"
    )]
    Column { path: String, column: &'static str },
}

/// Hands all rows of `shard` above the entry `after` to `take`, a few at once, in order of entry,
/// with all that an engine is restored from: other fields are empty.
///
/// # Errors
///
/// A file can't be read, or `take` gives an error.
pub async fn rows<E: From<RecoverError>>(
    ledger: &mut Ledger,
    shard_after: (u32, i64),
    mut take: impl FnMut(&[Entry<'_>]) -> Result<(), E>,
) -> Result<(), E> {
    files(ledger, shard_after, &OF_NO_EFFECT, |_, rows| take(rows)).await
}

/// The same, whole rows and with the day of the partition that they lie in; `None` where that is no
/// day. Of rejected ones `data` is as kept.
///
/// # Errors
///
/// As [`rows`].
pub async fn rows_of_days<E: From<RecoverError>>(
    ledger: &mut Ledger,
    shard_after: (u32, i64),
    take: impl FnMut(Option<Day>, &[Entry<'_>]) -> Result<(), E>,
) -> Result<(), E> {
    files(ledger, shard_after, &[], take).await
}

async fn files<E: From<RecoverError>>(
    ledger: &mut Ledger,
    (shard, after): (u32, i64),
    left_out: &[&str],
    mut take: impl FnMut(Option<Day>, &[Entry<'_>]) -> Result<(), E>,
) -> Result<(), E> {
    let mut files = shard_files(ledger, shard).await?;
    files.retain(|file| file.entries.is_none_or(|entries| entries.max > after));
    files.sort_by_key(|file| file.entries.map_or(0, |entries| entries.min));
    let later = Bounds {
        min: after.saturating_add(1),
        max: i64::MAX,
    };
    for file in files {
        let partition = file.day.parse().ok().map(calendar::day);
        let content = Content::fetch(ledger, &file).await?;
        let path = file.path.to_string();
        let is_wanted = |group: &RowGroupMetaData| may_be_within(group, "entry", later);
        let read = |batch| Rows::read(&batch, &path, left_out);
        content.batches((left_out, is_wanted), read, |rows| {
            rows.each((shard, after), &mut |rows| take(partition, rows))
        })?;
    }
    Ok(())
}

pub(super) async fn shard_files(
    ledger: &mut Ledger,
    shard: u32,
) -> Result<Vec<LedgerFile>, RecoverError> {
    let mut files = ledger.files().await.map_err(RecoverError::Log)?;
    files.retain(|file| file.shards.is_none_or(|s| (s.min..=s.max).contains(&shard)));
    Ok(files)
}

/// A file's bytes.
pub(super) struct Content {
    path: String,
    bytes: Bytes,
}

impl Content {
    pub(super) async fn fetch(ledger: &Ledger, file: &LedgerFile) -> Result<Self, RecoverError> {
        let path = file.path.to_string();
        let failed = |source| RecoverError::Store {
            path: path.clone(),
            source,
        };
        let found = ledger.store().get(&file.path).await.map_err(failed)?;
        let bytes = found.bytes().await.map_err(failed)?;
        Ok(Self { path, bytes })
    }

    /// Hands over what `read` makes of the rows of the row groups that are wanted, some at once,
    /// without the columns that are left out.
    pub(super) fn batches<T: Send, E: From<RecoverError>>(
        self,
        (left_out, is_wanted): (&[&str], impl Fn(&RowGroupMetaData) -> bool),
        read: impl FnMut(RecordBatch) -> Result<T, RecoverError> + Send,
        each: impl FnMut(T) -> Result<(), E>,
    ) -> Result<(), E> {
        let path = self.path;
        let parquet = |source| RecoverError::Parquet {
            path: path.clone(),
            source,
        };
        let damaged = || RecoverError::Damaged { path: path.clone() };
        let reader = unpanicked(|| ParquetRecordBatchReaderBuilder::try_new(self.bytes));
        let reader = reader.ok_or_else(damaged)?.map_err(parquet)?;
        let groups = reader.metadata().row_groups().iter().enumerate();
        let groups = groups.filter(|(_, group)| is_wanted(group));
        let (mut indices, mut rows, mut bytes) = (Vec::new(), 0_u64, 0_u64);
        for (index, group) in groups {
            indices.push(index);
            rows = group.num_rows().unsigned_abs().saturating_add(rows);
            bytes = group.total_byte_size().unsigned_abs().saturating_add(bytes);
        }
        // Rows may be long.
        let fitting = BATCH_BYTES.saturating_mul(rows) / bytes.max(1);
        let columns = reader.parquet_schema().columns().iter().enumerate();
        let needed = columns.filter(|(_, column)| !left_out.contains(&column.name()));
        let needed = needed.map(|(index, _)| index);
        let needed = ProjectionMask::leaves(reader.parquet_schema(), needed);
        let mut reader = reader
            .with_projection(needed)
            .with_row_groups(indices)
            .with_batch_size((fitting as usize).clamp(1, BATCH_ROWS))
            .build()
            .map_err(parquet)?;
        let decoded = std::iter::from_fn(|| match unpanicked(|| reader.next()) {
            None => Some(Err(damaged())),
            Some(batch) => batch.map(|batch| {
                batch.map_err(|source| RecoverError::Arrow {
                    path: path.clone(),
                    source,
                })
            }),
        });
        // What is done with the rows takes longer.
        ahead(decoded, [read], each)
    }
}

/// What the library makes of a file that may be torn; it panics on some.
pub(super) fn unpanicked<T>(read: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(read)).ok()
}

/// False only when the statistics of the row group exclude it.
pub(super) fn may_be_within(group: &RowGroupMetaData, column: &str, within: Bounds<i64>) -> bool {
    let chunk = group
        .columns()
        .iter()
        .find(|chunk| chunk.column_path().string() == column);
    match chunk.and_then(|chunk| chunk.statistics()) {
        Some(Statistics::Int64(known)) => {
            let (min, max) = (known.min_opt(), known.max_opt());
            min.is_none_or(|min| *min <= within.max) && max.is_none_or(|max| *max >= within.min)
        }
        _ => true,
    }
}
