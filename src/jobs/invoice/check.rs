//! Comparing the books with the ledger.
//!
//! Owns what is compared: every column of every line of every invoice that was issued.

use crate::adapters::sql::output::{Format, write};
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

/// What is told of a line that only one side has.
#[derive(serde::Deserialize)]
struct Lone {
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
    let mut checked = Checked::default();
    if let Some(counts) = counts.first() {
        (checked.issued, checked.missing) = (counts.issued, counts.missing);
    }
    let books = lines(session, "invoices").await?;
    let issued = "invoice_lines WHERE number IN (SELECT number FROM invoices)";
    let ledger = lines(session, issued).await?;
    let (mut books, mut ledger) = (books.iter().peekable(), ledger.iter().peekable());
    loop {
        let (side, lone) = match (books.peek(), ledger.peek()) {
            (Some(one), Some(other)) if one == other => {
                (books.next(), ledger.next());
                continue;
            }
            (Some(one), Some(other)) if one < other => ("books", books.next()),
            (Some(_), None) => ("books", books.next()),
            (_, Some(_)) => ("ledger", ledger.next()),
            (None, None) => break,
        };
        checked.faults += 1;
        if let Some(lone) = lone.filter(|_| checked.first.len() < SHOWN_MAX) {
            checked
                .first
                .push(words(side, &serde_json::from_str(lone)?));
        }
    }
    Ok(checked)
}

/// Lines as text, each with every column, sorted: a line that is there twice is there twice.
async fn lines(session: &Session, from: &str) -> Result<Vec<String>, AnswerError> {
    let statement = format!("SELECT {COLUMNS} FROM {from}");
    let rows = session.run(&statement, &[]).await?;
    let mut text = Vec::new();
    write(rows, Format::Ndjson, &mut text).await?;
    let text = String::from_utf8_lossy(&text);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    Ok(lines)
}

fn words(side: &str, lone: &Lone) -> String {
    let Lone {
        number,
        customer,
        period,
        line,
        description,
        quantity,
        amount,
    } = lone;
    format!(
        "only in the {side}: INV-{number:06} of `{customer}`, period {period}, line {line}: \
         {description}, {quantity}, {amount}"
    )
}
