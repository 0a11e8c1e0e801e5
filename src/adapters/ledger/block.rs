//! Rows on their way from the engine's thread to the encoder's.
//!
//! Owns keeping rows one after the other, as they come: a few streams of memory are written many
//! times faster than a stream for each column. Leaves making columns of them to `columns`.
//!
//! Invariant: what is kept of a row is all that its columns need, in little memory, since it goes
//! from one processor to another.

use std::fmt::Write;

use super::columns::kept_body;
use super::together::Together;
use crate::domain::entry::{Entry, GrantId, Kind, Note, Payload, Sink};
use crate::domain::units::{Credits, Day, Money, Quantity, Timestamp};

/// Rows of a block: few enough that they are still at hand when the other thread takes them.
pub const BLOCK_ROWS: usize = 1 << 8;
/// Bytes of a block, unless its last row is long.
const BLOCK_BYTES: usize = 128 << 10;

/// Rows of one day of one shard.
pub struct RowBlock {
    pub(super) rows: Vec<Row>,
    /// The texts that are each row's own, in the order of its lengths.
    text: String,
    /// `event_source` and `source`.
    pub(super) sources: Together<2>,
    /// `price_id`, `kind`, `event_type`, `price_version`, `task` and `unit`.
    pub(super) prices: Together<6>,
    /// `plan` and `currency`.
    pub(super) plans: Together<2>,
}

/// All of a row but its texts.
pub(super) struct Row {
    pub(super) entry: i64,
    pub(super) seq: i64,
    pub(super) received_at: Timestamp,
    /// By [`Number`]; which of them it has, by bit.
    numbers: [i64; NUMBERS],
    has: u16,
    pub(super) late: Option<bool>,
    /// The numbers of its texts in the block's field of that name.
    pub(super) source: u16,
    pub(super) price: u16,
    pub(super) plan: u16,
    pub(super) idx: i32,
    pub(super) leg: i32,
    /// Of its own texts in bytes, or [`NONE`].
    lengths: [u32; TEXTS],
}

/// What a row may have no number of.
#[derive(Clone, Copy)]
pub(super) enum Number {
    UsedAt,
    Period,
    Pool,
    Quantity,
    Credits,
    Delta,
    Balance,
    Amount,
    CostUsd,
}

const NUMBERS: usize = Number::CostUsd as usize + 1;

/// A row's own texts.
pub(super) struct OwnTexts<'a> {
    pub(super) customer: Option<&'a str>,
    pub(super) event_id: Option<&'a str>,
    /// The name of a grant that is no pool.
    pub(super) grant: Option<&'a str>,
    pub(super) reason: Option<&'a str>,
    pub(super) data: Option<&'a str>,
}

const TEXTS: usize = 5;
/// The length of no text.
const NONE: u32 = u32::MAX;

impl Default for RowBlock {
    fn default() -> Self {
        Self {
            rows: Vec::with_capacity(BLOCK_ROWS),
            text: String::with_capacity(BLOCK_BYTES / 2),
            sources: Together::default(),
            prices: Together::default(),
            plans: Together::default(),
        }
    }
}

impl RowBlock {
    /// Forgets all rows, and keeps their memory unless a row was long.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.text.clear();
        self.text.shrink_to(BLOCK_BYTES);
        self.sources.clear(BLOCK_BYTES);
        self.prices.clear(BLOCK_BYTES);
        self.plans.clear(BLOCK_BYTES);
    }

    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The memory that the rows take, in bytes.
    pub fn bytes(&self) -> usize {
        let together = self.sources.bytes() + self.prices.bytes() + self.plans.bytes();
        self.rows.len() * size_of::<Row>() + self.text.len() + together
    }

    /// It should be handed on before more is added.
    pub fn is_full(&self) -> bool {
        self.rows.len() >= BLOCK_ROWS || self.bytes() >= BLOCK_BYTES
    }

    /// The rows, as a ledger with them would give them back.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        let rows = self.rows.iter().zip(self.own_texts());
        rows.map(|(row, texts)| self.entry(row, &texts))
    }

    fn entry<'a>(&'a self, row: &Row, texts: &OwnTexts<'a>) -> Entry<'a> {
        let [event_source, source] = self.sources.texts(row.source);
        let [price_id, kind, event_type, price_version, task, unit] = self.prices.texts(row.price);
        let [plan, currency] = self.plans.texts(row.plan);
        let mut kinds = Kind::ALL.into_iter();
        let kind = kinds.find(|one| kind == Some(one.name()));
        let kind = kind.expect("a row has a kind");
        let pool = row.day(Number::Pool).map(GrantId::Pool);
        let credits = |number| row.number(number).map(Credits::new);
        let money = |number| row.number(number).map(Money::new);
        Entry {
            entry: row.entry,
            source: source.unwrap_or_default(),
            seq: row.seq,
            idx: row.idx,
            leg: row.leg,
            kind,
            customer: texts.customer,
            period: row.day(Number::Period),
            used_at: row.number(Number::UsedAt).map(Timestamp::new),
            received_at: row.received_at,
            event_source,
            event_id: texts.event_id,
            event_type,
            task,
            unit,
            quantity: row.number(Number::Quantity).map(Quantity::new),
            credits: credits(Number::Credits),
            grant_id: pool.or(texts.grant.map(GrantId::Named)),
            delta: credits(Number::Delta),
            balance: credits(Number::Balance),
            amount: money(Number::Amount),
            currency,
            cost_usd: money(Number::CostUsd),
            plan,
            price_version,
            price_id,
            late: row.late,
            reason: texts.reason.and_then(|reason| Note::parse(kind, reason)),
            data: texts.data.map(Payload::Data),
        }
    }

    /// The texts that are each row's own.
    pub(super) fn own_texts(&self) -> impl Iterator<Item = OwnTexts<'_>> {
        let mut rest = self.text.as_str();
        self.rows.iter().map(move |row| {
            let [customer, event_id, grant, reason, data] = row.lengths.map(|length| {
                let length = (length != NONE).then_some(length as usize)?;
                let (text, after) = rest.split_at(length);
                rest = after;
                Some(text)
            });
            OwnTexts {
                customer,
                event_id,
                grant,
                reason,
                data,
            }
        })
    }

    /// Adds a text, and gives its length.
    fn add(&mut self, text: Option<&str>) -> u32 {
        text.map_or(NONE, |text| {
            self.text.push_str(text);
            text.len() as u32
        })
    }
}

impl Row {
    pub(super) fn number(&self, number: Number) -> Option<i64> {
        let at = number as usize;
        (self.has >> at & 1 != 0).then_some(self.numbers[at])
    }

    pub(super) fn day(&self, number: Number) -> Option<Day> {
        self.number(number).map(|day| Day::new(day as i32))
    }
}

impl Sink for RowBlock {
    fn append(&mut self, row: &Entry<'_>) {
        let (pool, grant) = match row.grant_id {
            Some(GrantId::Pool(start)) => (Some(start), None),
            Some(GrantId::Named(name)) => (None, Some(name)),
            None => (None, None),
        };
        let body;
        let data = match row.data {
            Some(Payload::Data(text)) => Some(text),
            Some(Payload::Raw(raw)) => {
                body = kept_body(raw);
                Some(&*body)
            }
            None => None,
        };
        // In the order of `Number`.
        let numbers = [
            row.used_at.map(Timestamp::get),
            row.period.map(|day| day.get().into()),
            pool.map(|day| day.get().into()),
            row.quantity.map(Quantity::get),
            row.credits.map(Credits::get),
            row.delta.map(Credits::get),
            row.balance.map(Credits::get),
            row.amount.map(Money::get),
            row.cost_usd.map(Money::get),
        ];
        let bits = numbers.iter().zip(0..);
        let has = bits.fold(0, |has, (number, bit)| {
            has | u16::from(number.is_some()) << bit
        });
        let kind = Some(row.kind.name());
        let [id, of_type, version] = [row.price_id, row.event_type, row.price_version];
        let price = [id, kind, of_type, version, row.task, row.unit];
        let lengths = [
            self.add(row.customer),
            self.add(row.event_id),
            self.add(grant),
            row.reason.map_or(NONE, |reason| {
                let before = self.text.len();
                // Writing to memory does not fail.
                write!(self.text, "{reason}").ok();
                (self.text.len() - before) as u32
            }),
            self.add(data),
        ];
        self.rows.push(Row {
            entry: row.entry,
            seq: row.seq,
            received_at: row.received_at,
            numbers: numbers.map(Option::unwrap_or_default),
            has,
            late: row.late,
            source: self.sources.number([row.event_source, Some(row.source)]),
            price: self.prices.number(price),
            plan: self.plans.number([row.plan, row.currency]),
            idx: row.idx,
            leg: row.leg,
            lengths,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::entry::{AlertKind, RawBody, Reason};

    /// Two rows of everything, one of nothing, and whatever stands for another in a column.
    #[test]
    fn rows_come_out_as_they_went_in() {
        let bare = |entry| Entry::bare(entry, ("file:a", entry), Kind::Reversal, Timestamp::new(7));
        let full = |entry, text: &'static str| Entry {
            idx: -1,
            leg: 3,
            customer: Some(text),
            period: Some(Day::new(4)),
            used_at: Some(Timestamp::new(-5)),
            event_source: Some("é"),
            event_id: Some(""),
            event_type: Some("type"),
            task: Some("task"),
            unit: Some(text),
            quantity: Some(Quantity::new(i64::MAX)),
            credits: Some(Credits::new(i64::MIN)),
            grant_id: Some(GrantId::Named("pool/ish")),
            delta: Some(Credits::new(1)),
            balance: Some(Credits::new(2)),
            amount: Some(Money::new(3)),
            currency: Some("EUR"),
            cost_usd: Some(Money::new(4)),
            plan: Some("plan"),
            price_version: Some("version"),
            price_id: Some("price"),
            late: Some(false),
            reason: Some(Note::Reversed("words")),
            data: Some(Payload::Data("{}")),
            ..bare(entry)
        };
        let rows = [
            full(1, "one"),
            bare(2),
            full(3, "another"),
            Entry {
                kind: Kind::Rejected,
                grant_id: Some(GrantId::Pool(Day::new(20_000))),
                reason: Some(Note::Rejected(Reason::Empty)),
                late: Some(true),
                ..bare(4)
            },
            Entry {
                kind: Kind::Alert,
                reason: Some(Note::Alert(AlertKind::Used(80))),
                period: Some(Day::new(-1)),
                ..bare(5)
            },
        ];
        let mut block = RowBlock::default();
        for _ in 0..2 {
            rows.iter().for_each(|row| block.append(row));
            let shown = |row: &Entry<'_>| format!("{row:?}");
            let out: Vec<_> = block.iter().map(|row| shown(&row)).collect();
            assert_eq!(out, rows.each_ref().map(shown));
            block.clear();
        }
        block.append(&Entry {
            data: Some(Payload::Raw(RawBody::whole(b"\xff"))),
            ..bare(6)
        });
        let data = block.iter().next().and_then(|row| row.data);
        assert_eq!(data, Some(Payload::Data("base64:/w==")));
    }
}
