//! Rows on their way from the engine's thread to the encoder's.
//!
//! Owns keeping rows one after the other, as they come: a few streams of memory are written many
//! times faster than a stream for each column. Leaves making columns of them to `columns`.
//!
//! Invariant: what comes out is what a ledger with these rows would give back.

use super::columns::kept_body;
use crate::domain::entry::{Entry, GrantId, Kind, Note, Payload, Sink};
use crate::domain::units::{Credits, Day, Money, Quantity, Timestamp};

/// Rows of a block: few enough that they are still at hand when the other thread takes them.
pub const BLOCK_ROWS: usize = 1 << 8;
/// Bytes of a block, unless its last row is long.
const BLOCK_BYTES: usize = 128 << 10;

/// Rows of one day of one shard.
pub struct RowBlock {
    rows: Vec<Row>,
    /// The texts of all rows, each row's in the order of its lengths.
    text: String,
}

/// All of a row but its texts.
struct Row {
    entry: i64,
    seq: i64,
    idx: i32,
    leg: i32,
    kind: Kind,
    late: Option<bool>,
    /// What is no text of the columns of that name.
    reason: Option<Note<'static>>,
    pool: Option<Day>,
    period: Option<Day>,
    used_at: Option<Timestamp>,
    received_at: Timestamp,
    quantity: Option<Quantity>,
    credits: Option<Credits>,
    delta: Option<Credits>,
    balance: Option<Credits>,
    amount: Option<Money>,
    cost_usd: Option<Money>,
    /// Of its texts in bytes, or [`NONE`].
    lengths: [u32; TEXTS],
}

const TEXTS: usize = 14;
/// The length of no text.
const NONE: u32 = u32::MAX;

impl Default for RowBlock {
    fn default() -> Self {
        Self {
            rows: Vec::with_capacity(BLOCK_ROWS),
            text: String::with_capacity(BLOCK_BYTES / 2),
        }
    }
}

impl RowBlock {
    /// Forgets all rows, and keeps their memory unless a row was long.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.text.clear();
        self.text.shrink_to(BLOCK_BYTES);
    }

    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The memory that the rows take, in bytes.
    pub fn bytes(&self) -> usize {
        self.rows.len() * size_of::<Row>() + self.text.len()
    }

    /// It should be handed on before more is added.
    pub fn is_full(&self) -> bool {
        self.rows.len() >= BLOCK_ROWS || self.bytes() >= BLOCK_BYTES
    }

    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        let mut rest = self.text.as_str();
        self.rows.iter().map(move |row| row.entry(&mut rest))
    }
}

impl Sink for RowBlock {
    fn append(&mut self, row: &Entry<'_>) {
        let (pool, grant) = match row.grant_id {
            Some(GrantId::Pool(start)) => (Some(start), None),
            Some(GrantId::Named(name)) => (None, Some(name)),
            None => (None, None),
        };
        let (reason, words) = match row.reason {
            Some(Note::Rejected(reason)) => (Some(Note::Rejected(reason)), None),
            Some(Note::Alert(kind)) => (Some(Note::Alert(kind)), None),
            Some(Note::Reversed(words)) => (None, Some(words)),
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
        let texts = [
            Some(row.source),
            row.customer,
            row.event_source,
            row.event_id,
            row.event_type,
            row.task,
            row.unit,
            grant,
            row.currency,
            row.plan,
            row.price_version,
            row.price_id,
            words,
            data,
        ];
        let lengths = texts.map(|text| text.map_or(NONE, |text| text.len() as u32));
        for text in texts.into_iter().flatten() {
            self.text.push_str(text);
        }
        self.rows.push(Row {
            entry: row.entry,
            seq: row.seq,
            idx: row.idx,
            leg: row.leg,
            kind: row.kind,
            late: row.late,
            reason,
            pool,
            period: row.period,
            used_at: row.used_at,
            received_at: row.received_at,
            quantity: row.quantity,
            credits: row.credits,
            delta: row.delta,
            balance: row.balance,
            amount: row.amount,
            cost_usd: row.cost_usd,
            lengths,
        });
    }
}

impl Row {
    /// The row with its texts, which are the next ones.
    fn entry<'a>(&self, rest: &mut &'a str) -> Entry<'a> {
        let texts = self.lengths.map(|length| {
            let length = (length != NONE).then_some(length as usize)?;
            let (text, after) = rest.split_at(length);
            *rest = after;
            Some(text)
        });
        let [source, customer, event_source, event_id, event_type, ..] = texts;
        let [
            ..,
            task,
            unit,
            grant,
            currency,
            plan,
            price_version,
            price_id,
            words,
            data,
        ] = texts;
        let grant_id = match self.pool {
            Some(start) => Some(GrantId::Pool(start)),
            None => grant.map(GrantId::Named),
        };
        Entry {
            entry: self.entry,
            source: source.unwrap_or_default(),
            seq: self.seq,
            idx: self.idx,
            leg: self.leg,
            kind: self.kind,
            customer,
            period: self.period,
            used_at: self.used_at,
            received_at: self.received_at,
            event_source,
            event_id,
            event_type,
            task,
            unit,
            quantity: self.quantity,
            credits: self.credits,
            grant_id,
            delta: self.delta,
            balance: self.balance,
            amount: self.amount,
            currency,
            cost_usd: self.cost_usd,
            plan,
            price_version,
            price_id,
            late: self.late,
            reason: self.reason.or(words.map(Note::Reversed)),
            data: data.map(Payload::Data),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::entry::{AlertKind, RawBody, Reason};

    /// Two rows of everything, one of nothing, and whatever stands for another in a column.
    #[test]
    fn rows_come_out_as_they_went_in() {
        let bare = |entry| Entry::bare(entry, ("file:a", entry), Kind::Usage, Timestamp::new(7));
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
                grant_id: Some(GrantId::Pool(Day::new(20_000))),
                reason: Some(Note::Rejected(Reason::Empty)),
                ..bare(4)
            },
            Entry {
                reason: Some(Note::Alert(AlertKind::Used(80))),
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
