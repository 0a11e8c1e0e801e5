//! Explain: what became of the events that have an id, and why.
//!
//! Owns finding their rows, and putting beside each the price table, the grants, the original and
//! the reversals that it is about. Leaves reading rows to `rows`, single outcomes to `charge` and
//! `rejection`, sums and reasons to `domain::explain`, words to the command line.
//!
//! Invariant: reads only, and shows one state of the ledger; what the rows say is never changed by
//! what is reckoned beside them.

mod charge;
mod rejection;
mod rows;

use std::collections::HashMap;

use super::data::{DataError, DataFolder};
use super::prices::PricesError;
use super::sql::{self, AnswerError, OpenError};
use crate::adapters::cloudevents::Decoder;
use crate::adapters::sql::session::{Limits, Session};
use crate::domain::command;
use crate::domain::event::{Members, Value};
use crate::domain::price::PriceBook;
pub use charge::{Charge, Granted, Leg, Payer, Reversed};
pub use rejection::Rejection;
use rows::ledger_rows;
pub use rows::{ROWS_MAX, Row, StreamPlace};

/// Rejected bodies that are shown when no event has the id.
const NEAR_MAX: usize = 5;

/// Why nothing can be explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Prices(#[from] PricesError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

/// What explanations are made from: one state of the ledger, and all price versions.
pub struct Records {
    session: Session,
    book: PriceBook,
    shard_count: u32,
}

/// Which events to look for.
#[derive(Clone, Debug)]
pub struct Question {
    pub event_id: String,
    pub customer: Option<String>,
    pub source: Option<String>,
}

/// The events that a question is about.
#[derive(Clone, Debug)]
pub struct Found {
    pub identities: Vec<Identity>,
    /// There are more rows than [`ROWS_MAX`]; the first ones are here.
    pub is_cut: bool,
}

/// All arrivals of one customer, source and id, in the order in which they were decided.
#[derive(Clone, Debug)]
pub struct Identity {
    /// `None` where no valid one was read.
    pub customer: Option<String>,
    pub source: Option<String>,
    /// The rows of each, at least one.
    pub arrivals: Vec<Vec<Row>>,
}

/// An identity, explained.
#[derive(Clone, Debug)]
pub struct Story {
    pub customer: Option<String>,
    pub source: Option<String>,
    pub arrivals: Vec<Arrival>,
}

/// One arrival of an event.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The row that says most of the event itself.
    pub event: Row,
    /// All rows that it brought.
    pub rows: Vec<Row>,
    /// Members of a command's `data` that it does not have, which nothing reads.
    pub unread: Vec<String>,
    pub outcome: Outcome,
}

/// What became of an arrival.
#[derive(Clone, Debug)]
pub enum Outcome {
    Charge(Box<Charge>),
    /// A command that changed its wallet; the rows say how.
    Command,
    /// A command that gave back a charge.
    Reversal(Box<Reversal>),
    /// A copy, or one that contradicts an earlier arrival: the place of that one in the story.
    Copy(Option<usize>),
    Rejection(Box<Rejection>),
}

/// What a command gave back.
#[derive(Clone, Debug)]
pub struct Reversal {
    /// Source and id of the event that it names.
    pub named: Option<(String, String)>,
    /// The rows of that event's charge; none when they are not found.
    pub original: Vec<Row>,
}

/// Opens the ledger and the price files of `data`.
///
/// # Errors
///
/// There is no ledger, or it or the price files can't be read.
pub async fn open(data: &DataFolder) -> Result<Records, ExplainError> {
    let limits = Limits {
        memory_bytes_max: None,
    };
    Ok(Records {
        session: sql::open(data, &limits, None).await?,
        book: data.prices()?.load().await?,
        shard_count: data.ledger().await?.shard_count(),
    })
}

/// Finds the events that have an id, and tells those of several customers or sources apart.
///
/// # Errors
///
/// The ledger can't be read.
pub async fn find(records: &Records, question: &Question) -> Result<Found, ExplainError> {
    let mut condition = "event_id = $id".to_owned();
    let mut params = vec![("id", question.event_id.as_str())];
    if let Some(customer) = &question.customer {
        condition.push_str(" AND customer = $customer");
        params.push(("customer", customer.as_str()));
    }
    if let Some(source) = &question.source {
        condition.push_str(" AND event_source = $source");
        params.push(("source", source.as_str()));
    }
    let rows = ledger_rows(&records.session, &condition, &params).await?;
    let is_cut = rows.len() == ROWS_MAX;
    Ok(Found {
        identities: identities(rows),
        is_cut,
    })
}

/// Rejected bodies without an id of their own that mention `event_id`; a few, the first ones.
///
/// # Errors
///
/// The ledger can't be read.
pub async fn near_misses(records: &Records, event_id: &str) -> Result<Vec<Row>, ExplainError> {
    // `_` is left as the joker that it is: what it lets through is looked at again.
    let literal = event_id.replace(['\\', '%'], "_");
    let pattern = format!("%{literal}%");
    let condition = "kind = 'rejected' AND event_id IS NULL AND data LIKE $pattern";
    let params = [("pattern", pattern.as_str())];
    let mut rows = ledger_rows(&records.session, condition, &params).await?;
    rows.retain(|row| {
        row.data
            .as_ref()
            .is_some_and(|data| data.contains(event_id))
    });
    rows.truncate(NEAR_MAX);
    Ok(rows)
}

/// Explains every arrival of an event.
///
/// # Errors
///
/// The ledger can't be read.
pub async fn explain(records: &Records, identity: Identity) -> Result<Story, ExplainError> {
    let Identity {
        customer,
        source,
        arrivals,
    } = identity;
    // A reversal is of the newest charge before it.
    let rows = arrivals.iter().flatten();
    let charges = rows.filter(|row| row.kind == "usage");
    let charges: Vec<i64> = charges.map(|row| row.entry).collect();
    let mut told: Vec<Arrival> = Vec::with_capacity(arrivals.len());
    for rows in arrivals {
        let Some(event) = event_row(&rows).cloned() else {
            continue;
        };
        let (rows, outcome) = if has(&rows, "rejected") {
            let rejection = rejection::rejection(records, &event);
            (rows, Outcome::Rejection(Box::new(rejection)))
        } else if has(&rows, "duplicate") || has(&rows, "conflict") {
            let is_original = |arrival: &Arrival| {
                !matches!(arrival.outcome, Outcome::Copy(_) | Outcome::Rejection(_))
            };
            (rows, Outcome::Copy(told.iter().rposition(is_original)))
        } else {
            let rows = place_rows(records, &event).await?;
            let last = rows.last().map_or(event.entry, |row| row.entry);
            let next = charges.iter().copied().find(|charge| *charge > last);
            let between = (last, next.unwrap_or(i64::MAX));
            let outcome = if has(&rows, "usage") {
                let charge = charge::charge(records, (&event, &rows), between).await?;
                Outcome::Charge(Box::new(charge))
            } else if has(&rows, "reversal") {
                Outcome::Reversal(Box::new(reversal(records, &event).await?))
            } else {
                Outcome::Command
            };
            (rows, outcome)
        };
        told.push(Arrival {
            unread: unread(&event),
            event,
            rows,
            outcome,
        });
    }
    Ok(Story {
        customer,
        source,
        arrivals: told,
    })
}

/// Whether any of the rows is of this kind.
fn has(rows: &[Row], kind: &str) -> bool {
    rows.iter().any(|row| row.kind == kind)
}

/// Splits rows, which are in order, by customer and source, and then by arrival.
fn identities(rows: Vec<Row>) -> Vec<Identity> {
    let mut found: Vec<Identity> = Vec::new();
    let mut known = HashMap::new();
    for row in rows {
        let key = (row.customer.clone(), row.event_source.clone());
        let at = *known.entry(key).or_insert_with_key(|(customer, source)| {
            found.push(Identity {
                customer: customer.clone(),
                source: source.clone(),
                arrivals: Vec::new(),
            });
            found.len() - 1
        });
        let arrivals = &mut found[at].arrivals;
        match arrivals.last_mut() {
            Some(arrival) if arrival[0].place() == row.place() => arrival.push(row),
            _ => arrivals.push(vec![row]),
        }
    }
    found
}

/// The row that says most of the event: one with its `data`, or else the first.
fn event_row(rows: &[Row]) -> Option<&Row> {
    rows.iter()
        .find(|row| row.data.is_some())
        .or_else(|| rows.first())
}

/// All rows of the place that `row` came from, those that do not name the event too.
async fn place_rows(records: &Records, row: &Row) -> Result<Vec<Row>, ExplainError> {
    let (shard, seq, idx) = (row.shard, row.seq, row.idx);
    let condition = format!("source = $source AND shard = {shard} AND seq = {seq} AND idx = {idx}");
    let params = [("source", row.source.as_str())];
    ledger_rows(&records.session, &condition, &params).await
}

/// What a command that gave back a charge names, and the newest such charge before it.
async fn reversal(records: &Records, event: &Row) -> Result<Reversal, ExplainError> {
    let named = event.data.as_deref().and_then(named);
    let (Some((source, id)), Some(customer)) = (&named, &event.customer) else {
        let original = Vec::new();
        return Ok(Reversal { named, original });
    };
    let condition = "event_id = $id AND event_source = $source AND customer = $customer \
                     AND kind = 'usage'";
    let params = [
        ("id", id.as_str()),
        ("source", source.as_str()),
        ("customer", customer.as_str()),
    ];
    let mut original = ledger_rows(&records.session, condition, &params).await?;
    original.retain(|row| row.shard == event.shard && row.entry < event.entry);
    if let Some(newest) = original.last().map(Row::place) {
        original.retain(|row| row.place() == newest);
    }
    Ok(Reversal { named, original })
}

/// The members of an accepted command's `data` that are none of its own.
fn unread(event: &Row) -> Vec<String> {
    let own = command::members_of(event.event_type.as_deref().unwrap_or_default());
    let mut decoder = Decoder::default();
    // That of a rejection is the whole body.
    let is_told = !own.is_empty() && event.kind != "rejected";
    let data = event.data.as_deref().filter(|_| is_told);
    let Some(members) = data.and_then(|data| decoder.members(data)) else {
        return Vec::new();
    };
    let others = members.iter().filter(|(name, _)| !own.contains(name));
    others.map(|(name, _)| name.to_owned()).collect()
}

/// Source and id of the event that a reversal's `data` names.
fn named(data: &str) -> Option<(String, String)> {
    let mut decoder = Decoder::default();
    let members = decoder.members(data)?;
    Some((text(&members, "source")?, text(&members, "id")?))
}

fn text(members: &Members<'_>, name: &str) -> Option<String> {
    match members.get(name) {
        Some(Value::Text(text)) => Some(text.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(customer: &str, seq: i64, entry: i64, kind: &str) -> Row {
        let text = format!(
            r#"{{"shard":0,"entry":{entry},"source":"s","seq":{seq},"idx":0,"leg":0,
            "kind":"{kind}","customer":"{customer}","period":null,"used_at":null,
            "received_at":null,"event_source":"/s","event_id":"e","event_type":null,"task":null,
            "unit":null,"quantity":null,"credits":null,"grant_id":null,"delta":null,
            "balance":null,"amount":null,"currency":null,"cost_usd":null,"plan":null,
            "price_version":null,"price_id":null,"late":null,"reason":null,"data":null}}"#
        );
        serde_json::from_str(&text).expect("a row")
    }

    #[test]
    fn rows_are_told_apart_by_customer_and_then_by_arrival() {
        let rows = vec![
            row("acme", 1, 1, "usage"),
            row("acme", 1, 2, "usage"),
            row("birch", 2, 3, "usage"),
            row("acme", 3, 4, "duplicate"),
        ];
        let found = identities(rows);
        let shape = |identity: &Identity| {
            let counts: Vec<usize> = identity.arrivals.iter().map(Vec::len).collect();
            (identity.customer.clone().unwrap_or_default(), counts)
        };
        let shapes: Vec<_> = found.iter().map(shape).collect();
        let expected = [
            ("acme".to_owned(), vec![2, 1]),
            ("birch".to_owned(), vec![1]),
        ];
        assert_eq!(shapes, expected);
    }

    #[test]
    fn a_commands_members_that_nothing_reads_are_told() {
        let given = |event_type: &str| Row {
            event_type: Some(event_type.to_owned()),
            data: Some(r#"{"credits":"5","expires-at":"2026-12-01","note":1}"#.to_owned()),
            ..row("acme", 1, 1, "grant")
        };
        let told = unread(&given("purser.wallet.granted"));
        assert_eq!(told, ["expires-at", "note"]);
        assert!(unread(&given("document.analyzed")).is_empty());
        let refused = Row {
            kind: "rejected".to_owned(),
            ..given("purser.wallet.granted")
        };
        assert!(unread(&refused).is_empty());
    }

    #[test]
    fn a_reversal_names_its_event() {
        let named = named(r#"{"source":"/g","id":"a-1","reason":"broken"}"#);
        assert_eq!(named, Some(("/g".to_owned(), "a-1".to_owned())));
        for data in [r#"{"source":"/g"}"#, r#"{"source":"/g","id":7}"#, "[]", ""] {
            assert_eq!(super::named(data), None, "{data}");
        }
    }
}
