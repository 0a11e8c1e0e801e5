//! Rows → columns in memory.
//!
//! Owns which field of a row goes to which column, and what is kept of a rejected body. Leaves a
//! column's memory to `buffers` and `codes`, and Parquet to `encode`.
//!
//! Invariant: all columns have as many values as there are rows; appending a row allocates only
//! when a buffer grows.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{ArrayRef, PrimitiveArray};
use arrow::datatypes::{
    Date32Type, Decimal64Type, Int32Type, Int64Type, SchemaRef, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hashbrown::HashMap;

use super::buffers::{Fixed, Flags, Texts};
use super::codes::Codes;
use super::group::{Group, Held};
use super::schema::{CREDIT_PLACES, MONEY_PLACES, file_schema, narrow};
use crate::domain::entry::{Entry, GrantId, Payload, RawBody, Sink};
use crate::domain::units::Day;

/// What is kept of a rejected body, in bytes.
const RAW_BYTES_MAX: usize = 64 << 10;

/// Rows of one day of one shard, on their way to a file.
#[derive(Default)]
pub struct Columns {
    shard: i32,
    /// Their day; all rows have the same.
    day: Option<Day>,
    entry: Fixed<Int64Type>,
    source: Codes,
    seq: Fixed<Int64Type>,
    idx: Fixed<Int32Type>,
    leg: Fixed<Int32Type>,
    kind: Codes,
    customer: Codes,
    period: Fixed<Date32Type>,
    used_at: Fixed<TimestampMicrosecondType>,
    received_at: Fixed<TimestampMicrosecondType>,
    event_source: Codes,
    event_id: Texts,
    event_type: Codes,
    task: Codes,
    unit: Codes,
    quantity: Fixed<Decimal64Type>,
    credits: Fixed<Decimal64Type>,
    grant_id: Codes,
    /// The ids of pools, each written once.
    pool_ids: HashMap<Day, String>,
    delta: Fixed<Decimal64Type>,
    balance: Fixed<Decimal64Type>,
    amount: Fixed<Decimal64Type>,
    currency: Codes,
    cost_usd: Fixed<Decimal64Type>,
    plan: Codes,
    price_version: Codes,
    price_id: Codes,
    late: Flags,
    reason: Codes,
    data: Texts,
}

impl Columns {
    /// No rows yet, of `shard`.
    pub fn new(shard: u32) -> Self {
        Self {
            shard: shard.cast_signed(),
            ..Self::default()
        }
    }

    /// No rows yet, of the same shard, with room for as many as these, so that buffers need not
    /// grow again.
    pub fn like(&self) -> Self {
        Self {
            shard: self.shard,
            day: None,
            entry: self.entry.like(),
            source: self.source.like(),
            seq: self.seq.like(),
            idx: self.idx.like(),
            leg: self.leg.like(),
            kind: self.kind.like(),
            customer: self.customer.like(),
            period: self.period.like(),
            used_at: self.used_at.like(),
            received_at: self.received_at.like(),
            event_source: self.event_source.like(),
            event_id: self.event_id.like(),
            event_type: self.event_type.like(),
            task: self.task.like(),
            unit: self.unit.like(),
            quantity: self.quantity.like(),
            credits: self.credits.like(),
            grant_id: self.grant_id.like(),
            pool_ids: HashMap::new(),
            delta: self.delta.like(),
            balance: self.balance.like(),
            amount: self.amount.like(),
            currency: self.currency.like(),
            cost_usd: self.cost_usd.like(),
            plan: self.plan.like(),
            price_version: self.price_version.like(),
            price_id: self.price_id.like(),
            late: self.late.like(),
            reason: self.reason.like(),
            data: self.data.like(),
        }
    }

    pub fn rows(&self) -> usize {
        self.entry.values.len()
    }

    /// Roughly the memory that the rows take, in bytes: the texts that may be long, and a
    /// part for the rest.
    pub fn bytes(&self) -> usize {
        let texts = self.data.bytes.len() + self.event_id.bytes.len();
        let repeated = self.event_source.text.len() + self.customer.text.len();
        self.rows() * 256 + texts + repeated
    }

    pub fn day(&self) -> Option<Day> {
        self.day
    }

    /// The columns as Parquet writes them, in the table's order without `day`.
    ///
    /// # Errors
    ///
    /// A decimal with too many digits, which these have not.
    pub(super) fn into_group(self) -> Result<Group, ArrowError> {
        let rows = self.rows();
        let shard = PrimitiveArray::<Int32Type>::from_value(self.shard, rows);
        let array = |array: ArrayRef| Held::Arrays(vec![array]);
        let columns = vec![
            array(Arc::new(shard)),
            array(self.entry.into_array()),
            Held::Codes(self.source),
            array(self.seq.into_array()),
            array(self.idx.into_array()),
            array(self.leg.into_array()),
            Held::Codes(self.kind),
            Held::Codes(self.customer),
            array(self.period.into_array()),
            array(self.used_at.into_instants()),
            array(self.received_at.into_instants()),
            Held::Codes(self.event_source),
            array(self.event_id.into_array()?),
            Held::Codes(self.event_type),
            Held::Codes(self.task),
            Held::Codes(self.unit),
            array(self.quantity.into_decimals(CREDIT_PLACES)?),
            array(self.credits.into_decimals(CREDIT_PLACES)?),
            Held::Codes(self.grant_id),
            array(self.delta.into_decimals(CREDIT_PLACES)?),
            array(self.balance.into_decimals(CREDIT_PLACES)?),
            array(self.amount.into_decimals(MONEY_PLACES)?),
            Held::Codes(self.currency),
            array(self.cost_usd.into_decimals(MONEY_PLACES)?),
            Held::Codes(self.plan),
            Held::Codes(self.price_version),
            Held::Codes(self.price_id),
            array(self.late.into_array()),
            Held::Codes(self.reason),
            array(self.data.into_array()?),
        ];
        Ok(Group::of(rows, columns))
    }
}

/// The file's schema with decimals of 64 bits.
pub(super) fn batch_schema() -> SchemaRef {
    narrow(&file_schema())
}

impl Sink for Columns {
    fn append(&mut self, row: &Entry<'_>) {
        let day = row.received_at.day();
        assert!(
            *self.day.get_or_insert(day) == day,
            "rows of two days in one batch"
        );
        self.entry.push(row.entry);
        self.source.push(row.source);
        self.seq.push(row.seq);
        self.idx.push(row.idx);
        self.leg.push(row.leg);
        self.kind.push(row.kind.name());
        self.customer.push_option(row.customer);
        self.period.push_option(row.period.map(Day::get));
        self.used_at.push_option(row.used_at.map(|at| at.get()));
        self.received_at.push(row.received_at.get());
        self.event_source.push_option(row.event_source);
        self.event_id.push_option(row.event_id);
        self.event_type.push_option(row.event_type);
        self.task.push_option(row.task);
        self.unit.push_option(row.unit);
        self.quantity
            .push_option(row.quantity.map(|quantity| quantity.get()));
        self.credits
            .push_option(row.credits.map(|credits| credits.get()));
        match row.grant_id {
            None => self.grant_id.push_option(None),
            Some(GrantId::Named(name)) => self.grant_id.push(name),
            Some(pool @ GrantId::Pool(start)) => {
                let ids = self.pool_ids.entry(start);
                self.grant_id.push(ids.or_insert_with(|| pool.to_string()));
            }
        }
        self.delta.push_option(row.delta.map(|delta| delta.get()));
        self.balance
            .push_option(row.balance.map(|balance| balance.get()));
        self.amount
            .push_option(row.amount.map(|amount| amount.get()));
        self.currency.push_option(row.currency);
        self.cost_usd
            .push_option(row.cost_usd.map(|cost| cost.get()));
        self.plan.push_option(row.plan);
        self.price_version.push_option(row.price_version);
        self.price_id.push_option(row.price_id);
        self.late.push_option(row.late);
        self.reason.push_display(row.reason);
        match row.data {
            None => self.data.push_option(None),
            Some(Payload::Data(text)) => self.data.push(text),
            Some(Payload::Raw(raw)) => self.data.push(&kept_body(raw)),
        }
    }
}

/// What is kept of a rejected body: its text, or base64 where it is none; the first 64 KiB, and
/// then how long it was.
pub fn kept_body(raw: RawBody<'_>) -> Cow<'_, str> {
    let kept = &raw.bytes[..raw.bytes.len().min(RAW_BYTES_MAX)];
    let text = match std::str::from_utf8(kept) {
        Ok(text) if raw.is_text => Cow::Borrowed(text),
        // The cut went through a character.
        Err(cut) if raw.is_text => String::from_utf8_lossy(&kept[..cut.valid_up_to()]),
        _ => Cow::Owned(format!("base64:{}", STANDARD.encode(kept))),
    };
    if raw.length > RAW_BYTES_MAX {
        return Cow::Owned(format!("{text}…[{} bytes]", raw.length));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(bytes: &[u8], length: usize, is_text: bool) -> String {
        kept_body(RawBody {
            bytes,
            length,
            is_text,
        })
        .into_owned()
    }

    #[test]
    fn a_rejected_body_is_kept_as_text_or_base64_and_cut() {
        assert_eq!(raw(b"{half", 5, true), "{half");
        assert_eq!(raw(b"\xff\0", 2, false), "base64:/wA=");
        let exact = vec![b'x'; RAW_BYTES_MAX];
        assert_eq!(raw(&exact, exact.len(), true).len(), RAW_BYTES_MAX);
        let wide = "é".repeat(40_000);
        let wide = format!("x{wide}");
        let kept = raw(wide.as_bytes(), wide.len(), true);
        assert!(
            kept.ends_with("é…[80001 bytes]"),
            "{}",
            &kept[kept.len() - 30..]
        );
        assert_eq!(kept.len(), RAW_BYTES_MAX - 1 + "…[80001 bytes]".len());
        let long = raw(&exact, 9_000_000, false);
        assert!(long.starts_with("base64:") && long.ends_with("…[9000000 bytes]"));
    }
}
