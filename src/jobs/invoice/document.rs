//! An invoice as a document.
//!
//! Owns its shape, which is published as a JSON schema, and its totals. Leaves the lines, their
//! sums and the rounding to the view `invoice_lines`.
//!
//! Invariant: the same lines give the same document to the byte; amounts are decimals in strings,
//! so that no reader loses a digit.

use std::collections::BTreeMap;
use std::hash::Hasher;

use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher24;

use crate::domain::decimal::scaled_from_plain;

/// So much of a customer goes into a file's name.
const NAME_BYTES_MAX: usize = 150;

/// An invoice of one customer for one billing period.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Invoice {
    /// `INV-000001`, `INV-000002` … in the order in which periods close, without a gap; null for a
    /// draft.
    pub number: Option<String>,
    #[serde(skip)]
    pub(super) index: Option<i64>,
    pub status: Status,
    pub customer: String,
    /// The first day of the period.
    pub period: String,
    /// The day after the last day of the period.
    pub period_end: String,
    /// The day on which the period closed; null for a draft.
    pub issued_on: Option<String>,
    pub lines: Vec<Line>,
    /// One for each currency.
    pub totals: Vec<Total>,
    pub made_of: MadeOf,
}

/// Whether the invoice can still change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The period is open: lines may come and grow.
    Draft,
    /// The period is closed: nothing will change any more.
    Final,
}

/// A line. Its amount is rounded to the cent, once.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    /// From 1.
    pub line: i64,
    /// `fee` of a plan, `change` to a larger plan, `usage` of a task, `late` usage of an earlier
    /// period, `reversal` of usage (a credit note), `grant` that was purchased.
    pub kind: String,
    pub description: String,
    /// What `quantity` counts.
    pub unit: String,
    pub quantity: String,
    /// What the usage was charged, in credits; null where the line is none of usage.
    pub credits: Option<String>,
    /// The part of the credits that grants paid.
    pub pool_used: Option<String>,
    /// The part of the credits that no grant covered, which `amount` is for.
    pub overage: Option<String>,
    pub amount: String,
    pub currency: Option<String>,
}

/// What all lines of a currency come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Total {
    pub currency: Option<String>,
    pub amount: String,
}

/// The ledger's entries of which the invoice is made: those up to `last_entry` of `shard`.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct MadeOf {
    pub shard: i32,
    pub last_entry: i64,
}

/// A row of `invoice_lines`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Row {
    number: Option<i64>,
    status: Status,
    customer: String,
    period: String,
    period_end: String,
    issued_on: Option<String>,
    shard: i32,
    last_entry: i64,
    #[serde(flatten)]
    line: Line,
}

impl Invoice {
    /// The schema of the JSON form.
    pub fn schema() -> Schema {
        schema_for!(Invoice)
    }

    /// The name of the invoice's files, without what says their form.
    pub fn file_stem(&self) -> String {
        match &self.number {
            Some(number) => number.clone(),
            None => self.draft_stem(),
        }
    }

    /// The same, as long as the invoice is a draft.
    pub(super) fn draft_stem(&self) -> String {
        format!("draft-{}-{}", self.period, file_name(&self.customer))
    }
}

/// A customer as a part of a file's name; a name that no file system would take ends in a hash.
pub(super) fn file_name(customer: &str) -> String {
    let name: String = url::form_urlencoded::byte_serialize(customer.as_bytes()).collect();
    if name.len() <= NAME_BYTES_MAX {
        return name;
    }
    let mut hasher = SipHasher24::new();
    hasher.write(customer.as_bytes());
    format!("{}-{:016x}", &name[..NAME_BYTES_MAX], hasher.finish())
}

/// Groups rows, which come by customer, period and line.
pub(super) fn invoices(rows: Vec<Row>) -> Vec<Invoice> {
    let mut invoices: Vec<Invoice> = Vec::new();
    for row in rows {
        let is_next = |last: &Invoice| last.customer != row.customer || last.period != row.period;
        if invoices.last().is_none_or(is_next) {
            invoices.push(Invoice {
                number: row.number.map(|number| format!("INV-{number:06}")),
                index: row.number,
                status: row.status,
                customer: row.customer,
                period: row.period,
                period_end: row.period_end,
                issued_on: row.issued_on,
                lines: Vec::new(),
                totals: Vec::new(),
                made_of: MadeOf {
                    shard: row.shard,
                    last_entry: row.last_entry,
                },
            });
        }
        if let Some(invoice) = invoices.last_mut() {
            invoice.lines.push(row.line);
        }
    }
    for invoice in &mut invoices {
        invoice.totals = totals(&invoice.lines);
    }
    invoices
}

/// The sum of each currency's lines.
pub(super) fn totals<'a>(lines: impl IntoIterator<Item = &'a Line>) -> Vec<Total> {
    let mut sums: BTreeMap<Option<&str>, i128> = BTreeMap::new();
    for line in lines {
        *sums.entry(line.currency.as_deref()).or_default() += cents(&line.amount);
    }
    let total = |(currency, sum): (Option<&str>, i128)| {
        let (sign, cents) = (if sum < 0 { "-" } else { "" }, sum.unsigned_abs());
        Total {
            currency: currency.map(str::to_owned),
            amount: format!("{sign}{}.{:02}", cents / 100, cents % 100),
        }
    };
    sums.into_iter().map(total).collect()
}

/// An amount of a line, which has two places.
fn cents(amount: &str) -> i128 {
    let (sign, magnitude) = match amount.strip_prefix('-') {
        Some(magnitude) => (-1, magnitude),
        None => (1, amount),
    };
    sign * scaled_from_plain(magnitude, 2).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(customer: &str, period: &str, amount: &str, currency: &str) -> Row {
        let text = format!(
            r#"{{"number":null,"status":"draft","customer":"{customer}","period":"{period}",
            "period_end":"2026-11-01","issued_on":null,"shard":0,"last_entry":7,"line":1,
            "kind":"fee","description":"Starter","unit":"period","quantity":"1.000000",
            "credits":null,"pool_used":null,"overage":null,"amount":"{amount}",
            "currency":"{currency}"}}"#
        );
        serde_json::from_str(&text).expect("a row")
    }

    #[test]
    fn lines_come_to_totals_by_customer_period_and_currency() {
        let invoices = invoices(vec![
            row("acme", "2026-10-01", "99.00", "USD"),
            row("acme", "2026-10-01", "-99.05", "USD"),
            row("acme", "2026-10-01", "0.10", "EUR"),
            row("acme", "2026-11-01", "1.00", "USD"),
            row("birch", "2026-11-01", "2.00", "USD"),
        ]);
        let told = |invoice: &Invoice| {
            let totals = invoice.totals.iter();
            let totals = totals.map(|total| format!("{:?} {}", total.currency, total.amount));
            format!(
                "{} {} {}",
                invoice.customer,
                invoice.lines.len(),
                totals.collect::<Vec<_>>().join(", ")
            )
        };
        let told: Vec<String> = invoices.iter().map(told).collect();
        assert_eq!(
            told,
            [
                r#"acme 3 Some("EUR") 0.10, Some("USD") -0.05"#,
                r#"acme 1 Some("USD") 1.00"#,
                r#"birch 1 Some("USD") 2.00"#,
            ]
        );
    }

    #[test]
    fn a_draft_has_a_name_that_any_file_system_takes() {
        let invoice = &invoices(vec![row("a/b:ü", "2026-10-01", "1.00", "USD")])[0];
        assert_eq!(invoice.file_stem(), "draft-2026-10-01-a%2Fb%3A%C3%BC");
        let long = &invoices(vec![row(&"ü".repeat(64), "2026-10-01", "1.00", "USD")])[0];
        assert_eq!(long.file_stem().len(), 17 + 150 + 17);
    }
}
