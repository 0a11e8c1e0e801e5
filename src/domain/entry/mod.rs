//! One ledger row.
//!
//! Owns the row's fields, as the engine decides them; what a row records in `kind`, and why in
//! `reason`. Leaves their columns to `adapters::ledger`.
//!
//! Invariant: a row says all that its effect on a wallet needs, so that applying the rows of a
//! ledger again gives the wallets again.

mod kind;
mod reason;

use std::fmt;

use super::calendar;
use super::rfc3339;
use super::text::GOLDEN;
use super::units::{Credits, Day, Money, Quantity, Timestamp};
pub use kind::Kind;
pub use reason::{AlertKind, Note, Reason, Status};

/// A grant within its wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GrantId<'a> {
    /// The pool of the period that starts on this day.
    Pool(Day),
    /// `<source>/<id>` of the command that made it, or `rollover/<period it came from>`.
    Named(&'a str),
}

impl<'a> GrantId<'a> {
    /// Reads what `Display` wrote.
    pub fn parse(text: &'a str) -> Self {
        let pool = text
            .strip_prefix(POOL_PREFIX)
            .and_then(|day| day.parse().ok());
        pool.map_or(Self::Named(text), |date| Self::Pool(calendar::day(date)))
    }
}

/// Ids of pools begin so; a command's source may not.
pub const POOL_PREFIX: &str = "pool/";
/// Ids of rollovers begin so; a command's source may not.
pub const ROLLOVER_PREFIX: &str = "rollover/";

impl fmt::Display for GrantId<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pool(day) => write!(out, "{POOL_PREFIX}{}", calendar::civil(*day)),
            Self::Named(name) => out.write_str(name),
        }
    }
}

/// The column `data`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// The event's `data` as received; read back from a ledger, whatever the column holds.
    Data(&'a str),
    /// The body of what was rejected, which may be no text.
    Raw(RawBody<'a>),
}

/// The bytes of a rejected event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawBody<'a> {
    /// All of them, or the first part of a line that was too long to be kept.
    pub bytes: &'a [u8],
    /// How many there were.
    pub length: usize,
    /// Whether all of them, also those not kept, were UTF-8.
    pub is_text: bool,
}

impl<'a> RawBody<'a> {
    /// A body that is known to be UTF-8, and held whole.
    pub fn text(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            length: bytes.len(),
            is_text: true,
        }
    }

    /// A body that is held whole.
    pub fn whole(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            length: bytes.len(),
            is_text: std::str::from_utf8(bytes).is_ok(),
        }
    }
}

/// A row of the ledger; fields are its columns, `None` is null. What each holds is the ledger
/// table's contract.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    pub entry: i64,
    pub source: &'a str,
    pub seq: i64,
    pub idx: i32,
    pub leg: i32,
    pub kind: Kind,
    pub customer: Option<&'a str>,
    pub period: Option<Day>,
    pub used_at: Option<Timestamp>,
    pub received_at: Timestamp,
    pub event_source: Option<&'a str>,
    pub event_id: Option<&'a str>,
    pub event_type: Option<&'a str>,
    pub task: Option<&'a str>,
    pub unit: Option<&'a str>,
    pub quantity: Option<Quantity>,
    pub credits: Option<Credits>,
    pub grant_id: Option<GrantId<'a>>,
    pub delta: Option<Credits>,
    pub balance: Option<Credits>,
    pub amount: Option<Money>,
    pub currency: Option<&'a str>,
    pub cost_usd: Option<Money>,
    pub plan: Option<&'a str>,
    pub price_version: Option<&'a str>,
    pub price_id: Option<&'a str>,
    pub late: Option<bool>,
    pub reason: Option<Note<'a>>,
    pub data: Option<Payload<'a>>,
}

impl<'a> Entry<'a> {
    /// A row with nothing but its number, its message, its kind and when that was received.
    #[inline]
    pub fn bare(
        entry: i64,
        (source, seq): (&'a str, i64),
        kind: Kind,
        received_at: Timestamp,
    ) -> Self {
        Self {
            entry,
            source,
            seq,
            idx: 0,
            leg: 0,
            kind,
            customer: None,
            period: None,
            used_at: None,
            received_at,
            event_source: None,
            event_id: None,
            event_type: None,
            task: None,
            unit: None,
            quantity: None,
            credits: None,
            grant_id: None,
            delta: None,
            balance: None,
            amount: None,
            currency: None,
            cost_usd: None,
            plan: None,
            price_version: None,
            price_id: None,
            late: None,
            reason: None,
            data: None,
        }
    }
}

/// Whether a source is a stream: its name, `@`, and when it was made.
pub fn is_stream(source: &str) -> bool {
    let made = source.rsplit_once('@').map(|(_, made)| made);
    made.is_some_and(|made| rfc3339::parse(made.as_bytes()).is_some())
}

/// Tells a row from any other that could have its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// 0 before the first row.
    pub entry: i64,
    /// Of where the row came from, when, and what caused it.
    pub hash: u64,
}

impl Mark {
    pub fn of(row: &Entry<'_>) -> Self {
        let mut hash = Fold(0);
        let place = i64::from(row.idx) << 32 ^ i64::from(row.leg);
        for number in [row.seq, place, row.received_at.get()] {
            hash.add(number.cast_unsigned());
        }
        for text in [Some(row.source), row.customer, row.event_id] {
            hash.add_text(text.unwrap_or_default());
        }
        Self {
            entry: row.entry,
            hash: hash.0,
        }
    }
}

/// A quick hash: it guards against mistakes, and not against malice.
struct Fold(u64);

impl Fold {
    fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(GOLDEN);
    }

    fn add_text(&mut self, text: &str) {
        self.add(text.len() as u64);
        let (words, rest) = text.as_bytes().as_chunks();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let last = rest
                .iter()
                .rev()
                .fold(0, |last, byte| last << 8 | u64::from(*byte));
            self.add(last);
        }
    }
}

/// Where the engine puts what it decides, row by row in the order of `entry`.
pub trait Sink {
    fn append(&mut self, row: &Entry<'_>);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grant_ids_go_both_ways() {
        for text in [
            "pool/2026-10-01",
            "/billing/invoice-7",
            "pool/ish",
            "pool/2026-13-01",
        ] {
            assert_eq!(GrantId::parse(text).to_string(), text);
        }
        assert_eq!(
            GrantId::parse("pool/1970-01-02"),
            GrantId::Pool(Day::new(1))
        );
    }
}
