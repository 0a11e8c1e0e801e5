//! Comparing the books with the ledger.
//!
//! Owns what is compared: every column of every line of every invoice that was issued.

use crate::adapters::sql::session::Session;
use crate::jobs::sql::{AnswerError, answer};

/// Faults that are shown.
const SHOWN_MAX: usize = 20;

const COLUMNS: &str = "number, customer, period, period_end, issued_on, line, kind, description, \
     unit, quantity, credits, pool_used, overage, amount, currency, shard, last_entry";

/// What was compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Invoices in the books.
    pub issued: i64,
    /// Closed periods whose invoice is not in the books.
    pub missing: i64,
    /// Lines that only one of the two has.
    pub faults: usize,
    /// The first of them, in words.
    pub first: Vec<String>,
}

#[derive(serde::Deserialize)]
struct Counts {
    issued: i64,
    missing: i64,
}

/// A line that only one side has.
#[derive(serde::Deserialize)]
struct Lone {
    side: String,
    number: i64,
    customer: String,
    period: String,
    line: i64,
    description: String,
    quantity: String,
    amount: String,
}

/// Compares the issued invoices with what the ledger makes of their periods.
///
/// # Errors
///
/// The ledger or the books can't be read.
pub async fn check(session: &Session) -> Result<Checked, AnswerError> {
    let counts = "SELECT (SELECT COUNT(DISTINCT number) FROM invoices) AS issued,
        (SELECT COUNT(*) FROM periods
         WHERE number IS NOT NULL AND number NOT IN (SELECT number FROM invoices)) AS missing";
    let counts: Vec<Counts> = answer(session, counts, &[]).await?;
    // A line that stands in the books twice is a fault too: hence the counts.
    let lone = format!(
        "WITH made AS (
             SELECT {COLUMNS} FROM invoice_lines WHERE number IN (SELECT number FROM invoices)
         ), both AS (
             SELECT 1 AS books, 0 AS ledger, {COLUMNS} FROM invoices
             UNION ALL SELECT 0 AS books, 1 AS ledger, {COLUMNS} FROM made
         ), counted AS (
             SELECT SUM(books) AS books, SUM(ledger) AS ledger, {COLUMNS} FROM both
             GROUP BY {COLUMNS}
         )
         SELECT CASE WHEN books > ledger THEN 'books' ELSE 'ledger' END AS side,
                number, customer, period, line, description, quantity, amount
         FROM counted WHERE books <> ledger ORDER BY number, line, side"
    );
    let lone: Vec<Lone> = answer(session, &lone, &[]).await?;
    let mut checked = Checked {
        faults: lone.len(),
        ..Checked::default()
    };
    if let Some(counts) = counts.first() {
        (checked.issued, checked.missing) = (counts.issued, counts.missing);
    }
    let words = |lone: &Lone| {
        format!(
            "only in the {}: INV-{:06} of `{}`, period {}, line {}: {}, {}, {}",
            lone.side,
            lone.number,
            lone.customer,
            lone.period,
            lone.line,
            lone.description,
            lone.quantity,
            lone.amount
        )
    };
    checked.first = lone.iter().take(SHOWN_MAX).map(words).collect();
    Ok(checked)
}
