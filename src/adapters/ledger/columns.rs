//! Rows → columns in memory.
//!
//! Owns which field of a row goes to which column, and what is kept of a rejected body. Leaves a
//! column's memory to `buffers` and `codes`, and Parquet to `encode`.
//!
//! Invariant: all columns have as many rows.

use std::borrow::Cow;

use arrow::datatypes::SchemaRef;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hashbrown::HashMap;

use super::block::{Number, Row, RowBlock};
use super::buffers::{Fixed, Texts};
use super::codes::Codes;
use super::group::{GROUP_BYTES, GROUP_ROWS, Values};
use super::schema::{file_schema, narrow};
use crate::domain::entry::{GrantId, RawBody};
use crate::domain::units::Day;

/// What is kept of a rejected body, in bytes.
const RAW_BYTES_MAX: usize = 64 << 10;

/// Rows of one day of one shard, on their way to a file.
#[derive(Default)]
pub struct Columns {
    of_shard: i32,
    /// Their day; all rows have the same.
    day: Option<Day>,
    shard: Fixed<i32>,
    entry: Fixed<i64>,
    source: Codes,
    seq: Fixed<i64>,
    idx: Fixed<i32>,
    leg: Fixed<i32>,
    kind: Codes,
    customer: Codes,
    period: Fixed<i32>,
    used_at: Fixed<i64>,
    received_at: Fixed<i64>,
    event_source: Codes,
    event_id: Texts,
    event_type: Codes,
    task: Codes,
    unit: Codes,
    quantity: Fixed<i64>,
    credits: Fixed<i64>,
    grant_id: Codes,
    /// The codes of pools' ids, each written once.
    pools: HashMap<Day, u32>,
    delta: Fixed<i64>,
    balance: Fixed<i64>,
    amount: Fixed<i64>,
    currency: Codes,
    cost_usd: Fixed<i64>,
    plan: Codes,
    price_version: Codes,
    price_id: Codes,
    late: Fixed<bool>,
    reason: Codes,
    data: Texts,
}

impl Columns {
    /// No rows yet, of `shard`.
    pub fn new(shard: u32) -> Self {
        Self {
            of_shard: shard.cast_signed(),
            ..Self::default()
        }
    }

    /// Forgets all rows, and keeps their memory, for fresh memory is dear.
    pub fn clear(&mut self) {
        let Self {
            of_shard: _,
            day,
            shard,
            entry,
            source,
            seq,
            idx,
            leg,
            kind,
            customer,
            period,
            used_at,
            received_at,
            event_source,
            event_id,
            event_type,
            task,
            unit,
            quantity,
            credits,
            grant_id,
            pools,
            delta,
            balance,
            amount,
            currency,
            cost_usd,
            plan,
            price_version,
            price_id,
            late,
            reason,
            data,
        } = self;
        *day = None;
        for ints in [shard, idx, leg, period] {
            ints.clear();
        }
        let longs = [entry, seq, used_at, received_at, quantity, credits];
        for longs in longs.into_iter().chain([delta, balance, amount, cost_usd]) {
            longs.clear();
        }
        let codes = [source, kind, customer, event_source, event_type, task, unit];
        let more = [grant_id, currency, plan, price_version, price_id, reason];
        for codes in codes.into_iter().chain(more) {
            codes.clear();
        }
        for texts in [event_id, data] {
            texts.clear();
        }
        late.clear();
        pools.clear();
    }

    /// They should be encoded before more is added.
    pub fn is_full(&self) -> bool {
        self.rows() >= GROUP_ROWS || self.bytes() >= GROUP_BYTES
    }

    fn rows(&self) -> usize {
        self.entry.values.len()
    }

    /// Roughly the memory that the rows take: the texts that may be long, and a part for the rest.
    fn bytes(&self) -> usize {
        let texts = self.data.bytes.len() + self.event_id.bytes.len();
        let repeated = self.event_source.text.len() + self.customer.text.len();
        self.rows() * 256 + texts + repeated
    }

    /// The rows' day; `None` when there are none.
    pub fn day(&self) -> Option<Day> {
        self.day
    }

    /// The columns as Parquet writes them, in the table's order without `day`.
    pub(super) fn values(&self) -> [Values<'_>; 30] {
        [
            Values::Ints(&self.shard),
            Values::Longs(&self.entry),
            Values::Codes(&self.source),
            Values::Longs(&self.seq),
            Values::Ints(&self.idx),
            Values::Ints(&self.leg),
            Values::Codes(&self.kind),
            Values::Codes(&self.customer),
            Values::Ints(&self.period),
            Values::Longs(&self.used_at),
            Values::Longs(&self.received_at),
            Values::Codes(&self.event_source),
            Values::Texts(&self.event_id),
            Values::Codes(&self.event_type),
            Values::Codes(&self.task),
            Values::Codes(&self.unit),
            Values::Longs(&self.quantity),
            Values::Longs(&self.credits),
            Values::Codes(&self.grant_id),
            Values::Longs(&self.delta),
            Values::Longs(&self.balance),
            Values::Longs(&self.amount),
            Values::Codes(&self.currency),
            Values::Longs(&self.cost_usd),
            Values::Codes(&self.plan),
            Values::Codes(&self.price_version),
            Values::Codes(&self.price_id),
            Values::Flags(&self.late),
            Values::Codes(&self.reason),
            Values::Texts(&self.data),
        ]
    }
}

/// The file's schema with decimals of 64 bits.
pub(super) fn batch_schema() -> SchemaRef {
    narrow(&file_schema())
}

impl Columns {
    /// Adds the rows of a block.
    ///
    /// # Panics
    ///
    /// They are of more than one day, or of another day than those before.
    pub fn append(&mut self, block: &RowBlock) {
        let rows = block.rows.iter();
        let Some(first) = block.rows.first() else {
            return;
        };
        let day = *self.day.get_or_insert(first.received_at.day());
        let whole = day.start()..Day::new(day.get() + 1).start();
        let is_of = |row: &Row| whole.contains(&row.received_at);
        assert!(rows.clone().all(is_of), "rows of two days in one batch");

        let of_shard = self.of_shard;
        self.shard.extend(rows.clone().map(|_| of_shard));
        self.entry.extend(rows.clone().map(|row| row.entry));
        self.seq.extend(rows.clone().map(|row| row.seq));
        self.idx.extend(rows.clone().map(|row| row.idx));
        self.leg.extend(rows.clone().map(|row| row.leg));
        let received = rows.clone().map(|row| row.received_at.get());
        self.received_at.extend(received);
        for (column, number) in [
            (&mut self.used_at, Number::UsedAt),
            (&mut self.quantity, Number::Quantity),
            (&mut self.credits, Number::Credits),
            (&mut self.delta, Number::Delta),
            (&mut self.balance, Number::Balance),
            (&mut self.amount, Number::Amount),
            (&mut self.cost_usd, Number::CostUsd),
        ] {
            column.extend_options(rows.clone().map(|row| row.number(number)));
        }
        let period = rows.clone().map(|row| row.day(Number::Period));
        self.period
            .extend_options(period.map(|day| day.map(Day::get)));
        self.late.extend_options(rows.clone().map(|row| row.late));

        let sources = [&mut self.event_source, &mut self.source];
        block
            .sources
            .add_to(sources, rows.clone().map(|row| row.source));
        let prices = [
            &mut self.price_id,
            &mut self.kind,
            &mut self.event_type,
            &mut self.price_version,
            &mut self.task,
            &mut self.unit,
        ];
        block
            .prices
            .add_to(prices, rows.clone().map(|row| row.price));
        let plans = [&mut self.plan, &mut self.currency];
        block.plans.add_to(plans, rows.clone().map(|row| row.plan));

        for (row, texts) in rows.zip(block.own_texts()) {
            self.customer.push_option(texts.customer);
            self.event_id.push_option(texts.event_id);
            self.reason.push_option(texts.reason);
            self.data.push_option(texts.data);
            match row.day(Number::Pool) {
                None => self.grant_id.push_option(texts.grant),
                Some(start) => {
                    let grant_id = &mut self.grant_id;
                    let code = self.pools.entry(start);
                    let code =
                        code.or_insert_with(|| grant_id.code(&GrantId::Pool(start).to_string()));
                    grant_id.push_code(Some(*code));
                }
            }
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
