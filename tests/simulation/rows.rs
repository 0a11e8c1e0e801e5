//! Ledger rows that are kept one by one.
//!
//! Owns a row's columns as the table keeps them, and giving them back as recovery reads them.
//!
//! Invariant: what comes back is what a Parquet file would give back.

use purser::adapters::ledger::kept_body;
use purser::domain::entry::{Entry, GrantId, Kind, Note, Payload, Sink};
use purser::domain::units::{Credits, Day, Money, Quantity, Timestamp};

/// A row, column by column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) entry: i64,
    pub(crate) source: String,
    pub(crate) seq: i64,
    pub(crate) idx: i32,
    pub(crate) leg: i32,
    pub(crate) kind: Kind,
    pub(crate) customer: Option<String>,
    period: Option<Day>,
    used_at: Option<Timestamp>,
    pub(crate) received_at: Timestamp,
    event_source: Option<String>,
    event_id: Option<String>,
    event_type: Option<String>,
    task: Option<String>,
    unit: Option<String>,
    quantity: Option<Quantity>,
    pub(crate) credits: Option<Credits>,
    grant_id: Option<String>,
    delta: Option<Credits>,
    balance: Option<Credits>,
    amount: Option<Money>,
    currency: Option<String>,
    cost_usd: Option<Money>,
    plan: Option<String>,
    price_version: Option<String>,
    price_id: Option<String>,
    late: Option<bool>,
    pub(crate) reason: Option<String>,
    pub(crate) data: Option<String>,
}

/// Rows, one by one.
#[derive(Default)]
pub(crate) struct OwnedRows(pub(crate) Vec<Row>);

/// Where a row stands in its message.
pub(crate) type Place = (i64, i32, i32);

impl Row {
    pub(crate) fn of(row: &Entry<'_>) -> Self {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Self {
            entry: row.entry,
            source: row.source.to_owned(),
            seq: row.seq,
            idx: row.idx,
            leg: row.leg,
            kind: row.kind,
            customer: own(row.customer),
            period: row.period,
            used_at: row.used_at,
            received_at: row.received_at,
            event_source: own(row.event_source),
            event_id: own(row.event_id),
            event_type: own(row.event_type),
            task: own(row.task),
            unit: own(row.unit),
            quantity: row.quantity,
            credits: row.credits,
            grant_id: row.grant_id.map(|id| id.to_string()),
            delta: row.delta,
            balance: row.balance,
            amount: row.amount,
            currency: own(row.currency),
            cost_usd: row.cost_usd,
            plan: own(row.plan),
            price_version: own(row.price_version),
            price_id: own(row.price_id),
            late: row.late,
            reason: row.reason.map(|reason| reason.to_string()),
            data: row.data.map(|data| match data {
                Payload::Data(text) => text.to_owned(),
                Payload::Raw(raw) => kept_body(raw).into_owned(),
            }),
        }
    }

    /// The row as it is read back.
    pub(crate) fn entry(&self) -> Entry<'_> {
        Entry {
            entry: self.entry,
            source: &self.source,
            seq: self.seq,
            idx: self.idx,
            leg: self.leg,
            kind: self.kind,
            customer: self.customer.as_deref(),
            period: self.period,
            used_at: self.used_at,
            received_at: self.received_at,
            event_source: self.event_source.as_deref(),
            event_id: self.event_id.as_deref(),
            event_type: self.event_type.as_deref(),
            task: self.task.as_deref(),
            unit: self.unit.as_deref(),
            quantity: self.quantity,
            credits: self.credits,
            grant_id: self.grant_id.as_deref().map(GrantId::parse),
            delta: self.delta,
            balance: self.balance,
            amount: self.amount,
            currency: self.currency.as_deref(),
            cost_usd: self.cost_usd,
            plan: self.plan.as_deref(),
            price_version: self.price_version.as_deref(),
            price_id: self.price_id.as_deref(),
            late: self.late,
            reason: self
                .reason
                .as_deref()
                .and_then(|text| Note::parse(self.kind, text)),
            data: self.data.as_deref().map(Payload::Data),
        }
    }

    pub(crate) fn place(&self) -> Place {
        (self.seq, self.idx, self.leg)
    }
}

impl Sink for OwnedRows {
    fn append(&mut self, row: &Entry<'_>) {
        self.0.push(Row::of(row));
    }
}
