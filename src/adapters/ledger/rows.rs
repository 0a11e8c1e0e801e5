//! Columns of a file → rows.
//!
//! Owns which column a field of a row comes from, and which columns a wallet needs. Leaves files to
//! `recover` and `find`.

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray, RecordBatch,
    StringArray,
};
use arrow::datatypes::{
    Date32Type, Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType,
};

use super::recover::RecoverError;
use crate::domain::engine::TOUCHED;
use crate::domain::entry::{Entry, GrantId, Kind, Note, Payload};
use crate::domain::units::{Credits, Day, Money, Quantity, Timestamp};

/// Rows that are handed over at once, at most: as many as the engine looks at together.
const ROWS_TOGETHER: usize = TOUCHED;

/// Columns that change no wallet and make no identity.
pub(super) const OF_NO_EFFECT: [&str; 7] = [
    "task", "unit", "quantity", "currency", "cost_usd", "price_id", "late",
];

/// The rows of a batch, made ready to be gone through.
pub(super) struct Rows {
    shard: PrimitiveArray<Int32Type>,
    entry: PrimitiveArray<Int64Type>,
    source: Texts,
    seq: PrimitiveArray<Int64Type>,
    idx: PrimitiveArray<Int32Type>,
    leg: PrimitiveArray<Int32Type>,
    kind: Vec<Kind>,
    customer: Texts,
    period: Numbers<Date32Type>,
    used_at: Numbers<TimestampMicrosecondType>,
    received_at: PrimitiveArray<TimestampMicrosecondType>,
    event_source: Texts,
    event_id: Texts,
    event_type: Texts,
    task: Texts,
    unit: Texts,
    quantity: Numbers<Int64Type>,
    credits: Numbers<Int64Type>,
    grant_id: Texts,
    delta: Numbers<Int64Type>,
    balance: Numbers<Int64Type>,
    amount: Numbers<Int64Type>,
    currency: Texts,
    cost_usd: Numbers<Int64Type>,
    plan: Texts,
    price_version: Texts,
    price_id: Texts,
    late: Option<BooleanArray>,
    reason: Texts,
    data: Texts,
}

impl Rows {
    /// Reads a batch of the file at `path`, without the columns that were left out of it: their
    /// fields are empty.
    ///
    /// # Errors
    ///
    /// Another column is missing, of another type, holds an unknown word or no value where each
    /// row has one; then none of the batch's rows is handed over.
    pub(super) fn read(
        batch: &RecordBatch,
        path: &str,
        left_out: &[&str],
    ) -> Result<Self, RecoverError> {
        let of = Batch {
            batch,
            path,
            left_out,
        };
        Ok(Self {
            shard: of.whole("shard")?,
            entry: of.whole("entry")?,
            source: of.texts("source")?,
            seq: of.whole("seq")?,
            idx: of.whole("idx")?,
            leg: of.whole("leg")?,
            kind: of.kinds()?,
            customer: of.texts("customer")?,
            period: of.numbers("period")?,
            used_at: of.numbers("used_at")?,
            received_at: of.whole("received_at")?,
            event_source: of.texts("event_source")?,
            event_id: of.texts("event_id")?,
            event_type: of.texts("event_type")?,
            task: of.texts("task")?,
            unit: of.texts("unit")?,
            quantity: of.decimals("quantity")?,
            credits: of.decimals("credits")?,
            grant_id: of.texts("grant_id")?,
            delta: of.decimals("delta")?,
            balance: of.decimals("balance")?,
            amount: of.decimals("amount")?,
            currency: of.texts("currency")?,
            cost_usd: of.decimals("cost_usd")?,
            plan: of.texts("plan")?,
            price_version: of.texts("price_version")?,
            price_id: of.texts("price_id")?,
            late: of.typed("late", |array| array.as_boolean_opt())?,
            reason: of.texts("reason")?,
            data: of.texts("data")?,
        })
    }

    /// Hands over the rows of `shard` above the entry `after`, some at once.
    ///
    /// # Errors
    ///
    /// Those of `take`.
    pub(super) fn each<E>(
        &self,
        (shard, after): (u32, i64),
        take: &mut impl FnMut(&[Entry<'_>]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rows: Vec<Entry<'_>> = Vec::with_capacity(ROWS_TOGETHER);
        let mut last_grant: Option<(&str, GrantId<'_>)> = None;
        for (row, kind) in self.kind.iter().enumerate() {
            let number = self.entry.value(row);
            if self.shard.value(row) != shard.cast_signed() || number <= after {
                continue;
            }
            // Many name the pool of the row before them, and its date is slow to read.
            let grant = self.grant_id.get(row).map(|text| match last_grant {
                Some((last, grant)) if last == text => (last, grant),
                _ => (text, GrantId::parse(text)),
            });
            last_grant = grant.or(last_grant);
            rows.push(Entry {
                grant_id: grant.map(|(_, grant)| grant),
                ..self.row(row, *kind)
            });
            if rows.len() == ROWS_TOGETHER {
                take(&rows)?;
                rows.clear();
            }
        }
        take(&rows)
    }

    /// All of a row but its grant.
    #[inline]
    fn row(&self, row: usize, kind: Kind) -> Entry<'_> {
        let late = self.late.as_ref().filter(|late| late.is_valid(row));
        Entry {
            entry: self.entry.value(row),
            source: self.source.get(row).unwrap_or_default(),
            seq: self.seq.value(row),
            idx: self.idx.value(row),
            leg: self.leg.value(row),
            kind,
            customer: self.customer.get(row),
            period: self.period.get(row).map(Day::new),
            used_at: self.used_at.get(row).map(Timestamp::new),
            received_at: Timestamp::new(self.received_at.value(row)),
            event_source: self.event_source.get(row),
            event_id: self.event_id.get(row),
            event_type: self.event_type.get(row),
            task: self.task.get(row),
            unit: self.unit.get(row),
            quantity: self.quantity.get(row).map(Quantity::new),
            credits: self.credits.get(row).map(Credits::new),
            grant_id: None,
            delta: self.delta.get(row).map(Credits::new),
            balance: self.balance.get(row).map(Credits::new),
            amount: self.amount.get(row).map(Money::new),
            currency: self.currency.get(row),
            cost_usd: self.cost_usd.get(row).map(Money::new),
            plan: self.plan.get(row),
            price_version: self.price_version.get(row),
            price_id: self.price_id.get(row),
            late: late.map(|late| late.value(row)),
            reason: self
                .reason
                .get(row)
                .and_then(|text| Note::parse(kind, text)),
            data: self.data.get(row).map(Payload::Data),
        }
    }
}

/// A column of texts; a null where there is none, and all nulls if it was not read.
struct Texts(Option<StringArray>);

impl Texts {
    #[inline]
    fn get(&self, row: usize) -> Option<&str> {
        let texts = self.0.as_ref().filter(|texts| texts.is_valid(row));
        texts.map(|texts| texts.value(row))
    }
}

/// The same of numbers.
struct Numbers<T: ArrowPrimitiveType>(Option<PrimitiveArray<T>>);

impl<T: ArrowPrimitiveType> Numbers<T> {
    #[inline]
    fn get(&self, row: usize) -> Option<T::Native> {
        let numbers = self.0.as_ref().filter(|numbers| numbers.is_valid(row));
        numbers.map(|numbers| numbers.value(row))
    }
}

/// A batch's columns by name.
struct Batch<'a> {
    batch: &'a RecordBatch,
    path: &'a str,
    left_out: &'a [&'a str],
}

impl Batch<'_> {
    fn wrong(&self, column: &'static str) -> RecoverError {
        RecoverError::Column {
            path: self.path.to_owned(),
            column,
        }
    }

    /// A column as `cast` knows it.
    fn typed<A: Clone>(
        &self,
        column: &'static str,
        cast: impl Fn(&ArrayRef) -> Option<&A>,
    ) -> Result<Option<A>, RecoverError> {
        match self.batch.column_by_name(column) {
            Some(array) => match cast(array) {
                Some(array) => Ok(Some(array.clone())),
                None => Err(self.wrong(column)),
            },
            None if self.left_out.contains(&column) => Ok(None),
            None => Err(self.wrong(column)),
        }
    }

    fn numbers<T: ArrowPrimitiveType>(
        &self,
        column: &'static str,
    ) -> Result<Numbers<T>, RecoverError> {
        Ok(Numbers(
            self.typed(column, |array| array.as_primitive_opt())?,
        ))
    }

    /// A column without nulls.
    fn whole<T: ArrowPrimitiveType>(
        &self,
        column: &'static str,
    ) -> Result<PrimitiveArray<T>, RecoverError> {
        let whole = self.numbers(column)?.0;
        let whole = whole.filter(|numbers| numbers.null_count() == 0);
        whole.ok_or_else(|| self.wrong(column))
    }

    /// Decimals of at most 18 digits, in their smallest unit.
    fn decimals(&self, column: &'static str) -> Result<Numbers<Int64Type>, RecoverError> {
        let Numbers(decimals) = self.numbers::<Decimal128Type>(column)?;
        let narrow = |decimals: PrimitiveArray<Decimal128Type>| {
            decimals.unary_opt(|value| i64::try_from(value).ok())
        };
        Ok(Numbers(decimals.map(narrow)))
    }

    fn texts(&self, column: &'static str) -> Result<Texts, RecoverError> {
        Ok(Texts(self.typed(column, |array| array.as_string_opt())?))
    }

    fn kinds(&self) -> Result<Vec<Kind>, RecoverError> {
        let names = self.texts("kind")?;
        let mut last = Kind::Usage;
        let kinds = (0..self.batch.num_rows()).map(|row| {
            // Most rows are of the kind of the row before them.
            let mut kinds = [last].into_iter().chain(Kind::ALL);
            let name = names.get(row);
            let kind = name.and_then(|name| kinds.find(|kind| kind.name() == name));
            last = kind.ok_or_else(|| self.wrong("kind"))?;
            Ok(last)
        });
        kinds.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::ledger::schema::file_schema;

    #[test]
    fn only_a_column_that_was_left_out_may_be_missing() {
        let batch = RecordBatch::new_empty(file_schema());
        assert!(Rows::read(&batch, "a file", &[]).is_ok());
        for at in 0..batch.num_columns() {
            let mut less = batch.clone();
            let name = less.schema().field(at).name().clone();
            less.remove_column(at);
            let read = |left_out| Rows::read(&less, "a file", left_out).map(|_| ());
            let told = read(&[]).expect_err(&name).to_string();
            assert!(
                told.starts_with(&format!("a file: column `{name}` is missing")),
                "{told}"
            );
            let is_of_no_effect = OF_NO_EFFECT.contains(&name.as_str());
            assert_eq!(read(&OF_NO_EFFECT).is_ok(), is_of_no_effect, "{name}");
        }
    }
}
