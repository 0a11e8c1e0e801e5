//! Several files of one shard and day → one, row by row the same.
//!
//! Owns copying the rows in order of entry. Leaves which files, and putting the new one in their
//! place, to `delta::maintain`, and the encoding to `encode`.
//!
//! Invariant: nothing but the rows of the given files, each once, in the order of their entries.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{Field, Int64Type};
use arrow::error::ArrowError;

use super::columns::batch_schema;
use super::delta::{Ledger, Merge, NewFile};
use super::encode::{EncodeError, FileWriter};
use super::group::Group;
use super::recover::{Content, RecoverError};
use crate::domain::calendar;

/// Why files could not be merged.
#[derive(Debug, thiserror::Error)]
pub enum CompactError {
    #[error(transparent)]
    Read(#[from] RecoverError),
    #[error(transparent)]
    Write(#[from] EncodeError),
    #[error("`{day}` is no day")]
    Day { day: String },
    #[error("the files of {day} do not hold one run of entries: {found} follows {before}")]
    Order {
        day: String,
        before: i64,
        found: i64,
    },
}

/// Writes the rows of all files of `merge` into one, below the table's `folder`. Nothing names it
/// until it is put in their place.
///
/// # Errors
///
/// A file can't be read or written, or they do not hold one run of entries.
pub async fn compact(
    ledger: &Ledger,
    merge: &Merge,
    folder: &Path,
) -> Result<NewFile, CompactError> {
    let day = calendar::day(merge.day.parse().map_err(|_| CompactError::Day {
        day: merge.day.clone(),
    })?);
    let mut writer = FileWriter::create(folder, day)?;
    let mut group = Group::default();
    let mut before = None;
    for file in &merge.files {
        let content = Content::fetch(ledger, file).await?;
        content.batches((&[], |_| true), Ok, |batch| {
            let batch = narrowed(&batch)?;
            if let Some(entries) = batch.column_by_name("entry") {
                for entry in entries.as_primitive::<Int64Type>().values() {
                    follow(&mut before, *entry, &merge.day)?;
                }
            }
            group.add(batch.columns());
            if group.is_full() {
                writer.append(&group.values())?;
                group.clear();
            }
            Ok::<(), CompactError>(())
        })?;
    }
    if group.rows() > 0 {
        writer.append(&group.values())?;
    }
    Ok(writer.finish()?)
}

fn follow(before: &mut Option<i64>, entry: i64, day: &str) -> Result<(), CompactError> {
    match before.replace(entry) {
        Some(before) if before >= entry => Err(CompactError::Order {
            day: day.to_owned(),
            before,
            found: entry,
        }),
        _ => Ok(()),
    }
}

/// The batch with decimals of 64 bits, as the encoder takes them.
fn narrowed(batch: &RecordBatch) -> Result<RecordBatch, EncodeError> {
    let schema = batch_schema();
    let column = |field: &Arc<Field>| {
        let found = batch.column_by_name(field.name());
        let found = found.ok_or_else(|| {
            ArrowError::SchemaError(format!("column {} is missing", field.name()))
        })?;
        cast(found, field.data_type())
    };
    let columns = schema.fields().iter().map(column);
    let columns: Vec<ArrayRef> = columns.collect::<Result<_, ArrowError>>()?;
    Ok(RecordBatch::try_new(schema, columns)?)
}
