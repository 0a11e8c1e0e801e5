//! Columns of a file → rows.
//!
//! Owns which column a field of a row comes from. Leaves files to `recover` and `find`.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    Date32Type, Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType,
};

use super::recover::RecoverError;
use crate::domain::engine::TOUCHED;
use crate::domain::entry::{Entry, GrantId, Kind, Note, Payload};
use crate::domain::units::{Credits, Day, Money, Quantity, Timestamp};

/// Rows that are handed over at once, at most: as many as the engine looks at together.
const ROWS_TOGETHER: usize = TOUCHED;

/// Hands over the rows of `shard` above the entry `after`, some at once.
pub(super) fn rows_of<E: From<RecoverError>>(
    batch: &RecordBatch,
    path: &str,
    (shard, after): (u32, i64),
    take: &mut impl FnMut(&[Entry<'_>]) -> Result<(), E>,
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
    let mut rows: Vec<Entry<'_>> = Vec::with_capacity(ROWS_TOGETHER);
    let mut last_kind = Kind::Usage;
    let mut last_grant: Option<(&str, GrantId<'_>)> = None;
    for row in 0..batch.num_rows() {
        let number = entry(row).ok_or_else(|| of.wrong("entry"))?;
        if shards(row) != Some(shard.cast_signed()) || number <= after {
            continue;
        }
        // Most rows are of the kind of the row before them.
        let mut kinds = [last_kind].into_iter().chain(Kind::ALL);
        let kind = kind(row).and_then(|name| kinds.find(|kind| kind.name() == name));
        let kind = kind.ok_or_else(|| of.wrong("kind"))?;
        last_kind = kind;
        // Many name the pool of the row before them, and its date is slow to read.
        let grant = grant_id(row).map(|text| match last_grant {
            Some((last, grant)) if last == text => (last, grant),
            _ => (text, GrantId::parse(text)),
        });
        last_grant = grant.or(last_grant);
        rows.push(Entry {
            entry: number,
            source: source(row).unwrap_or_default(),
            seq: seq(row).ok_or_else(|| of.wrong("seq"))?,
            idx: idx(row).ok_or_else(|| of.wrong("idx"))?,
            leg: leg(row).ok_or_else(|| of.wrong("leg"))?,
            kind,
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
            grant_id: grant.map(|(_, grant)| grant),
            delta: delta(row).map(Credits::new),
            balance: balance(row).map(Credits::new),
            amount: amount(row).map(Money::new),
            currency: currency(row),
            cost_usd: cost_usd(row).map(Money::new),
            plan: plan(row),
            price_version: price_version(row),
            price_id: price_id(row),
            late: late(row),
            reason: reason(row).and_then(|text| Note::parse(kind, text)),
            data: data(row).map(Payload::Data),
        });
        if rows.len() == ROWS_TOGETHER {
            take(&rows)?;
            rows.clear();
        }
    }
    take(&rows)
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
