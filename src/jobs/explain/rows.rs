//! Ledger rows, read by SQL for an explanation.
//!
//! Owns their shape and the statements. Leaves what they mean to the rest of `explain`.
//!
//! Invariant: no digit is lost, since decimals come as text; kinds, grants and reasons stay words,
//! so that a ledger that knows more of them than this program can still be explained.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::ExplainError;
use crate::adapters::sql::session::Session;
use crate::domain::calendar;
use crate::domain::decimal::scaled_from_plain;
use crate::domain::rfc3339;
use crate::domain::units::{Credits, Day, Money, Quantity, Timestamp};
use crate::jobs::sql::answer;

/// Rows of one statement that are looked at; more stand in the ledger only of an event that was
/// sent again and again.
pub const ROWS_MAX: usize = 10_000;

const COLUMNS: &str = "shard, entry, source, seq, idx, leg, kind, customer, period, used_at, \
     received_at, event_source, event_id, event_type, quantity, task, unit, credits, grant_id, \
     delta, balance, amount, currency, cost_usd, plan, price_version, price_id, late, reason, data";

/// A row of the ledger; fields are its columns.
#[derive(Clone, Debug, Deserialize)]
pub struct Row {
    pub shard: u32,
    pub entry: i64,
    pub source: String,
    pub seq: i64,
    pub idx: i32,
    pub leg: i32,
    pub kind: String,
    pub customer: Option<String>,
    #[serde(deserialize_with = "day")]
    pub period: Option<Day>,
    #[serde(deserialize_with = "instant")]
    pub used_at: Option<Timestamp>,
    #[serde(deserialize_with = "instant")]
    pub received_at: Option<Timestamp>,
    pub event_source: Option<String>,
    pub event_id: Option<String>,
    pub event_type: Option<String>,
    pub task: Option<String>,
    pub unit: Option<String>,
    #[serde(deserialize_with = "quantity")]
    pub quantity: Option<Quantity>,
    #[serde(deserialize_with = "credits")]
    pub credits: Option<Credits>,
    pub grant_id: Option<String>,
    #[serde(deserialize_with = "credits")]
    pub delta: Option<Credits>,
    #[serde(deserialize_with = "credits")]
    pub balance: Option<Credits>,
    #[serde(deserialize_with = "money")]
    pub amount: Option<Money>,
    pub currency: Option<String>,
    #[serde(deserialize_with = "money")]
    pub cost_usd: Option<Money>,
    pub plan: Option<String>,
    pub price_version: Option<String>,
    pub price_id: Option<String>,
    pub late: Option<bool>,
    pub reason: Option<String>,
    pub data: Option<String>,
}

/// Where a row came from: a place in a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamPlace {
    pub shard: u32,
    pub source: String,
    pub seq: i64,
    pub idx: i32,
}

impl Row {
    pub fn place(&self) -> StreamPlace {
        StreamPlace {
            shard: self.shard,
            source: self.source.clone(),
            seq: self.seq,
            idx: self.idx,
        }
    }
}

/// One of a wallet's periods, as the view `periods` has it.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct PeriodRow {
    #[serde(deserialize_with = "day")]
    pub(super) period: Option<Day>,
    #[serde(deserialize_with = "day")]
    pub(super) period_end: Option<Day>,
    #[serde(deserialize_with = "instant")]
    pub(super) closes_at: Option<Timestamp>,
}

/// The rows of the ledger that meet a condition, in order of shard and entry.
pub(super) async fn ledger_rows(
    session: &Session,
    condition: &str,
    params: &[(&str, &str)],
) -> Result<Vec<Row>, ExplainError> {
    let statement = format!(
        "SELECT {COLUMNS} FROM ledger WHERE {condition} ORDER BY shard, entry LIMIT {ROWS_MAX}"
    );
    Ok(answer(session, &statement, params).await?)
}

fn credits<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Credits>, D::Error> {
    amount(from, 6, Credits::from_i128)
}

fn quantity<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Quantity>, D::Error> {
    amount(from, 6, Quantity::from_i128)
}

fn money<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Money>, D::Error> {
    amount(from, 9, Money::from_i128)
}

fn amount<'de, D: Deserializer<'de>, T>(
    from: D,
    places: u32,
    wrap: impl Fn(i128) -> Option<T>,
) -> Result<Option<T>, D::Error> {
    read(from, "decimal", |text| {
        let (sign, magnitude) = match text.strip_prefix('-') {
            Some(magnitude) => (-1, magnitude),
            None => (1, text),
        };
        wrap(sign * scaled_from_plain(magnitude, places).ok()?)
    })
}

fn day<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Day>, D::Error> {
    read(from, "date", |text| text.parse().ok().map(calendar::day))
}

fn instant<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    read(from, "time", |text| rfc3339::parse(text.as_bytes()))
}

/// A text that is read as something else, or null.
fn read<'de, D: Deserializer<'de>, T>(
    from: D,
    what: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, D::Error> {
    let Some(text) = Option::<String>::deserialize(from)? else {
        return Ok(None);
    };
    match parse(&text) {
        Some(value) => Ok(Some(value)),
        None => Err(D::Error::custom(format!("{text:?} is no {what}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_without_losing_a_digit() {
        let line = r#"{"shard":0,"entry":7,"source":"s","seq":1,"idx":0,"leg":2,"kind":"tick",
            "customer":null,"period":"2026-10-01","used_at":null,
            "received_at":"2026-10-01T00:00:00.000001Z","event_source":null,"event_id":null,
            "event_type":null,"task":null,"unit":null,"quantity":"-0.000001",
            "credits":"999999999999.999999","grant_id":null,"delta":null,"balance":"0.000000",
            "amount":"-1.500000001","currency":null,"cost_usd":null,"plan":null,
            "price_version":null,"price_id":null,"late":true,"reason":null,"data":null}"#;
        let row: Row = serde_json::from_str(line).expect("a row");
        assert_eq!(
            (row.entry, row.kind.as_str(), row.late),
            (7, "tick", Some(true))
        );
        let period = row.period.map(|day| calendar::civil(day).to_string());
        assert_eq!(period.as_deref(), Some("2026-10-01"));
        let received_at = row.received_at.map(|at| rfc3339::format(at).to_string());
        assert_eq!(received_at.as_deref(), Some("2026-10-01T00:00:00.000001Z"));
        assert_eq!(row.quantity, Some(Quantity::new(-1)));
        assert_eq!(row.credits, Some(Credits::new(999_999_999_999_999_999)));
        assert_eq!((row.balance, row.delta), (Some(Credits::ZERO), None));
        assert_eq!(row.amount, Some(Money::new(-1_500_000_001)));
        for wrong in ["1.5e3", "1.0000001", "x"] {
            let line = line.replace("-0.000001", wrong);
            assert!(serde_json::from_str::<Row>(&line).is_err(), "{wrong}");
        }
    }
}
