//! A shard's rows, read back from the table in the order in which they were decided.
//!
//! Owns finding the files that hold them and turning their columns into rows. Leaves what the
//! rows do to `domain::engine`.
//!
//! Invariant: every row of the shard up to the fence comes exactly once, in order of `entry`, as
//! long as no file spans another's entries.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    Date32Type, Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use object_store::ObjectStoreExt;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

use super::delta::{self, Ledger, LedgerFile};
use crate::domain::entry::{Entry, GrantId, Kind, Note, Payload};
use crate::domain::units::{Credits, Day, Money, Quantity, Timestamp};

/// Rows that are decoded at once.
const BATCH_ROWS: usize = 8 << 10;

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
    #[error("{path}: column `{column}` is missing, of another type or holds an unknown word")]
    Column { path: String, column: &'static str },
}

/// Hands all rows of `shard` to `each`, in order of entry; of rejected ones `data` is as kept.
///
/// # Errors
///
/// A file can't be read, or `each` gives an error.
pub async fn rows<E: From<RecoverError>>(
    ledger: &mut Ledger,
    shard: u32,
    mut each: impl FnMut(&Entry<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut files = ledger.files().await.map_err(RecoverError::Log)?;
    files.retain(|file| file.shards.is_none_or(|s| (s.min..=s.max).contains(&shard)));
    files.sort_by_key(|file| file.entries.map_or(0, |entries| entries.min));
    for file in files {
        let path = file.path.to_string();
        let bytes = fetch(ledger, &file).await?;
        let parquet = |source| RecoverError::Parquet {
            path: path.clone(),
            source,
        };
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(parquet)?;
        let reader = reader
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(parquet)?;
        for batch in reader {
            let batch = batch.map_err(|source| RecoverError::Arrow {
                path: path.clone(),
                source,
            });
            each_row(&batch?, &path, shard, &mut each)?;
        }
    }
    Ok(())
}

async fn fetch(ledger: &Ledger, file: &LedgerFile) -> Result<bytes::Bytes, RecoverError> {
    let failed = |source| RecoverError::Store {
        path: file.path.to_string(),
        source,
    };
    let found = ledger.store().get(&file.path).await.map_err(failed)?;
    found.bytes().await.map_err(failed)
}

fn each_row<E: From<RecoverError>>(
    batch: &RecordBatch,
    path: &str,
    shard: u32,
    each: &mut impl FnMut(&Entry<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let of = Batch { batch, path };
    let shards = of.fixed::<Int32Type>("shard")?;
    let (entry, seq) = (
        of.fixed::<Int64Type>("entry")?,
        of.fixed::<Int64Type>("seq")?,
    );
    let (idx, leg) = (of.fixed::<Int32Type>("idx")?, of.fixed::<Int32Type>("leg")?);
    let (source, kind) = (of.text("source")?, of.text("kind")?);
    let (customer, period) = (of.text("customer")?, of.fixed::<Date32Type>("period")?);
    let used_at = of.fixed::<TimestampMicrosecondType>("used_at")?;
    let received_at = of.fixed::<TimestampMicrosecondType>("received_at")?;
    let (event_source, event_id) = (of.text("event_source")?, of.text("event_id")?);
    let (event_type, task, unit) = (of.text("event_type")?, of.text("task")?, of.text("unit")?);
    let (quantity, credits) = (of.decimal("quantity")?, of.decimal("credits")?);
    let (grant_id, delta) = (of.text("grant_id")?, of.decimal("delta")?);
    let (balance, amount) = (of.decimal("balance")?, of.decimal("amount")?);
    let (currency, cost_usd) = (of.text("currency")?, of.decimal("cost_usd")?);
    let (plan, price_version) = (of.text("plan")?, of.text("price_version")?);
    let (price_id, late) = (of.text("price_id")?, of.flag("late")?);
    let (reason, data) = (of.text("reason")?, of.text("data")?);
    for row in 0..batch.num_rows() {
        if shards(row) != Some(shard.cast_signed()) {
            continue;
        }
        let kind = kind(row).and_then(|name| Kind::ALL.into_iter().find(|k| k.name() == name));
        each(&Entry {
            entry: entry(row).ok_or_else(|| of.wrong("entry"))?,
            source: source(row).unwrap_or_default(),
            seq: seq(row).ok_or_else(|| of.wrong("seq"))?,
            idx: idx(row).ok_or_else(|| of.wrong("idx"))?,
            leg: leg(row).ok_or_else(|| of.wrong("leg"))?,
            kind: kind.ok_or_else(|| of.wrong("kind"))?,
            customer: customer(row),
            period: period(row).map(Day::new),
            used_at: used_at(row).map(Timestamp::new),
            received_at: Timestamp::new(received_at(row).ok_or_else(|| of.wrong("received_at"))?),
            event_source: event_source(row),
            event_id: event_id(row),
            event_type: event_type(row),
            task: task(row),
            unit: unit(row),
            quantity: quantity(row).map(Quantity::new),
            credits: credits(row).map(Credits::new),
            grant_id: grant_id(row).map(GrantId::parse),
            delta: delta(row).map(Credits::new),
            balance: balance(row).map(Credits::new),
            amount: amount(row).map(Money::new),
            currency: currency(row),
            cost_usd: cost_usd(row).map(Money::new),
            plan: plan(row),
            price_version: price_version(row),
            price_id: price_id(row),
            late: late(row),
            reason: reason(row).and_then(Note::parse),
            data: data(row).map(Payload::Data),
        })?;
    }
    Ok(())
}

/// A batch's columns by name, each as a function from row to value.
struct Batch<'a> {
    batch: &'a RecordBatch,
    path: &'a str,
}

impl<'a> Batch<'a> {
    fn wrong(&self, column: &'static str) -> RecoverError {
        RecoverError::Column {
            path: self.path.to_owned(),
            column,
        }
    }

    fn array(&self, column: &'static str) -> Result<&'a dyn Array, RecoverError> {
        let array = self
            .batch
            .column_by_name(column)
            .ok_or_else(|| self.wrong(column))?;
        Ok(array.as_ref())
    }

    fn fixed<T: arrow::datatypes::ArrowPrimitiveType>(
        &self,
        column: &'static str,
    ) -> Result<impl Fn(usize) -> Option<T::Native> + use<'a, T>, RecoverError> {
        let array = self.array(column)?.as_primitive_opt::<T>();
        let array = array.ok_or_else(|| self.wrong(column))?;
        Ok(move |row| array.is_valid(row).then(|| array.value(row)))
    }

    /// Decimals of at most 18 digits, in their smallest unit.
    fn decimal(
        &self,
        column: &'static str,
    ) -> Result<impl Fn(usize) -> Option<i64> + use<'a>, RecoverError> {
        let value = self.fixed::<Decimal128Type>(column)?;
        Ok(move |row| value(row).and_then(|value| i64::try_from(value).ok()))
    }

    fn text(
        &self,
        column: &'static str,
    ) -> Result<impl Fn(usize) -> Option<&'a str> + use<'a>, RecoverError> {
        let array = self.array(column)?.as_string_opt::<i32>();
        let array = array.ok_or_else(|| self.wrong(column))?;
        Ok(move |row| array.is_valid(row).then(|| array.value(row)))
    }

    fn flag(
        &self,
        column: &'static str,
    ) -> Result<impl Fn(usize) -> Option<bool> + use<'a>, RecoverError> {
        let array = self.array(column)?.as_boolean_opt();
        let array = array.ok_or_else(|| self.wrong(column))?;
        Ok(move |row| array.is_valid(row).then(|| array.value(row)))
    }
}
