//! Rows found by what stands in one of their columns.
//!
//! Owns the search: row groups by their Bloom filters or least and greatest values, then rows by
//! the one column, so that little else is read. Leaves what is done with a row to the caller.
//!
//! Invariant: of several charges of one event the newest is found.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::panic::AssertUnwindSafe;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::Int64Type;
use futures::{FutureExt, StreamExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowPredicateFn, RowFilter};
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use parquet::errors::ParquetError;

use super::delta::{Bounds, Ledger, LedgerFile};
use super::pieces::{Pieces, store_error};
use super::recover::{RecoverError, may_be_within, shard_files};
use super::rows::Rows;
use crate::domain::engine::Charged;
use crate::domain::entry::{Entry, Kind, Mark};
use crate::domain::units::Timestamp;

/// The event of a charge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ChargeName {
    pub customer: String,
    pub source: String,
    pub id: String,
}

impl ChargeName {
    /// The event of a row.
    pub fn set_to(&mut self, row: &Entry<'_>) {
        for (name, value) in [
            (&mut self.customer, row.customer),
            (&mut self.source, row.event_source),
            (&mut self.id, row.event_id),
        ] {
            name.clear();
            name.push_str(value.unwrap_or_default());
        }
    }

    fn of(row: &Entry<'_>) -> Self {
        let mut name = Self::default();
        name.set_to(row);
        name
    }
}

/// A charge that is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedCharge {
    pub name: ChargeName,
    /// When it was received, if it is there.
    pub received: Bounds<Timestamp>,
}

/// Finds the newest charge of each event that is wanted; those that are not there are left out.
///
/// # Errors
///
/// A file can't be read.
pub async fn charges(
    ledger: &mut Ledger,
    shard: u32,
    wanted: Vec<WantedCharge>,
) -> Result<Vec<Charged>, RecoverError> {
    let mut files = shard_files(ledger, shard).await?;
    files.sort_by_key(|file| Reverse(file.entries.map_or(i64::MAX, |entries| entries.max)));
    let missing = wanted.into_iter().map(|one| (one.name, one.received));
    let mut missing: HashMap<ChargeName, Bounds<Timestamp>> = missing.collect();
    let mut found = Vec::new();
    for file in files {
        let may_be_in = |received: &Bounds<Timestamp>| {
            let overlaps =
                |file: Bounds<Timestamp>| file.min <= received.max && received.min <= file.max;
            file.received.is_none_or(overlaps)
        };
        let here = missing.iter().filter(|(_, received)| may_be_in(received));
        let values: BTreeSet<String> = here.map(|(name, _)| name.id.clone()).collect();
        if values.is_empty() {
            continue;
        }
        let only = Only {
            column: "event_id",
            values: Values::Texts(values),
        };
        // The newest charge of a file comes last in it.
        let mut newest = HashMap::new();
        each(ledger, (&file, shard), &only, &mut |row| {
            let name = ChargeName::of(row);
            if row.kind == Kind::Usage && missing.contains_key(&name) {
                add(&mut newest, name, row);
            }
            Ok::<(), RecoverError>(())
        })
        .await?;
        for (name, (_, charged)) in newest {
            missing.remove(&name);
            found.push(charged);
        }
    }
    Ok(found)
}

/// A charge, and the source, the message and the event in it.
type Placed = ((String, i64, i32), Charged);

/// Takes a row of a charge.
fn add(newest: &mut HashMap<ChargeName, Placed>, name: ChargeName, row: &Entry<'_>) {
    let place = (row.source.to_owned(), row.seq, row.idx);
    let begin = || (place.clone(), Charged::of(row));
    let (known, charged) = newest.entry(name).or_insert_with(begin);
    if *known != place {
        (*known, *charged) = begin();
    }
    charged.push(row);
}

/// Hands all rows of a kind to `take`, in order of entry.
///
/// # Errors
///
/// A file can't be read, or `take` gives an error.
pub async fn rows_of_kind<E: From<RecoverError>>(
    ledger: &mut Ledger,
    shard: u32,
    kind: Kind,
    mut take: impl FnMut(&Entry<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut files = shard_files(ledger, shard).await?;
    files.sort_by_key(|file| file.entries.map_or(0, |entries| entries.min));
    let only = Only {
        column: "kind",
        values: Values::Texts([kind.name().to_owned()].into()),
    };
    for file in files {
        each(ledger, (&file, shard), &only, &mut take).await?;
    }
    Ok(())
}

/// Hands the rows of one message of `source` to `take`, in order of entry.
///
/// # Errors
///
/// A file can't be read.
pub async fn message_rows(
    ledger: &mut Ledger,
    (shard, source, seq): (u32, &str, i64),
    mut take: impl FnMut(&Entry<'_>),
) -> Result<(), RecoverError> {
    let mut files = shard_files(ledger, shard).await?;
    files.retain(|file| {
        file.seqs
            .is_none_or(|seqs| (seqs.min..=seqs.max).contains(&seq))
    });
    files.sort_by_key(|file| Reverse(file.entries.map_or(i64::MAX, |entries| entries.max)));
    let only = Only {
        column: "seq",
        values: Values::Number(seq),
    };
    for file in files {
        let mut found = false;
        each(ledger, (&file, shard), &only, &mut |row| {
            if row.source == source {
                found = true;
                take(row);
            }
            Ok::<(), RecoverError>(())
        })
        .await?;
        // All rows of a message are in one file.
        if found {
            return Ok(());
        }
    }
    Ok(())
}

/// Whether the shard has this very row.
///
/// # Errors
///
/// A file can't be read.
pub async fn has_row(ledger: &mut Ledger, shard: u32, wanted: Mark) -> Result<bool, RecoverError> {
    let mut files = shard_files(ledger, shard).await?;
    files.retain(|file| {
        file.entries
            .is_none_or(|entries| (entries.min..=entries.max).contains(&wanted.entry))
    });
    let only = Only {
        column: "entry",
        values: Values::Number(wanted.entry),
    };
    let mut found = false;
    for file in files {
        each(ledger, (&file, shard), &only, &mut |row| {
            found |= Mark::of(row) == wanted;
            Ok::<(), RecoverError>(())
        })
        .await?;
    }
    Ok(found)
}

/// The rows whose `column` holds one of `values`.
#[derive(Clone)]
struct Only {
    column: &'static str,
    values: Values,
}

#[derive(Clone)]
enum Values {
    Texts(BTreeSet<String>),
    Number(i64),
}

impl Values {
    /// Which of a column's rows hold one; all of them where it is of another type.
    fn held_by(&self, column: &dyn Array) -> BooleanArray {
        let held: Option<BooleanArray> = match self {
            Self::Texts(values) => column.as_string_opt::<i32>().map(|texts| {
                let holds = |text: Option<&str>| text.is_some_and(|text| values.contains(text));
                texts.iter().map(|text| Some(holds(text))).collect()
            }),
            Self::Number(value) => column.as_primitive_opt::<Int64Type>().map(|numbers| {
                let holds = |number: Option<i64>| Some(number == Some(*value));
                numbers.iter().map(holds).collect()
            }),
        };
        held.unwrap_or_else(|| vec![true; column.len()].into())
    }
}

async fn each<E: From<RecoverError>>(
    ledger: &Ledger,
    (file, shard): (&LedgerFile, u32),
    only: &Only,
    take: &mut impl FnMut(&Entry<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let path = file.path.to_string();
    // What the library makes of a file that may be torn; it panics on some.
    let read = AssertUnwindSafe(read(ledger, file, only, |batch| {
        let mut each = |rows: &[Entry<'_>]| rows.iter().try_for_each(&mut *take);
        Rows::read(batch, &path, &[])?.each((shard, i64::MIN), &mut each)
    }));
    match read.catch_unwind().await {
        Ok(Ok(taken)) => taken,
        Ok(Err(ReadError::Column)) => {
            let column = only.column;
            Err(RecoverError::Column { path, column }.into())
        }
        Ok(Err(ReadError::Parquet(source))) => Err(match store_error(source) {
            Ok(source) => RecoverError::Store { path, source },
            Err(source) => RecoverError::Parquet { path, source },
        }
        .into()),
        Err(_) => Err(RecoverError::Damaged { path }.into()),
    }
}

/// A file can't be read.
enum ReadError {
    /// It lacks the column.
    Column,
    Parquet(ParquetError),
}

impl From<ParquetError> for ReadError {
    fn from(error: ParquetError) -> Self {
        Self::Parquet(error)
    }
}

/// Hands over the rows, batch by batch; of most files no more than the filters are read. Ends with
/// what `take` says.
async fn read<E>(
    ledger: &Ledger,
    file: &LedgerFile,
    only: &Only,
    mut take: impl FnMut(&RecordBatch) -> Result<(), E>,
) -> Result<Result<(), E>, ReadError> {
    let pieces = Pieces::of(file, ledger.store());
    let mut builder = ParquetRecordBatchStreamBuilder::new(pieces).await?;
    let columns = builder.parquet_schema().columns();
    let column = columns
        .iter()
        .position(|column| column.name() == only.column);
    let column = column.ok_or(ReadError::Column)?;
    let mut groups = Vec::new();
    for group in 0..builder.metadata().num_row_groups() {
        let may_hold = match &only.values {
            Values::Number(value) => {
                let only_it = Bounds {
                    min: *value,
                    max: *value,
                };
                may_be_within(builder.metadata().row_group(group), only.column, only_it)
            }
            Values::Texts(values) => {
                let filter = builder.get_row_group_column_bloom_filter(group, column);
                let filter = filter.await?;
                filter.is_none_or(|filter| values.iter().any(|text| filter.check(text.as_str())))
            }
        };
        if may_hold {
            groups.push(group);
        }
    }
    if groups.is_empty() {
        return Ok(Ok(()));
    }
    let mask = ProjectionMask::leaves(builder.parquet_schema(), [column]);
    let values = only.values.clone();
    let holds = ArrowPredicateFn::new(mask, move |batch| Ok(values.held_by(batch.column(0))));
    let rows = builder
        .with_row_groups(groups)
        .with_row_filter(RowFilter::new(vec![Box::new(holds)]));
    let mut rows = rows.build()?;
    while let Some(batch) = rows.next().await {
        if let Err(told) = take(&batch?) {
            return Ok(Err(told));
        }
    }
    Ok(Ok(()))
}
