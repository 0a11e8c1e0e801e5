//! Comparing the books with the ledger.
//!
//! Owns what is compared: every column of every line of every invoice that was issued, and its
//! sums.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Int64Type};
use datafusion::execution::SendableRecordBatchStream;

use super::{InvoiceError, Wanted};
use crate::adapters::ledger::{Booked, Books, lines_schema};
use crate::adapters::sql::output::{Format, rows_of, write};
use crate::adapters::sql::session::Session;
use crate::jobs::sql::{AnswerError, answer};

/// Faults that are shown.
const SHOWN_MAX: usize = 20;

/// Issued invoices whose lines do not come to the ledger's sums: credits exactly, money within the
/// half a cent that each line may be rounded by.
const SUMS: &str = "
    WITH lines AS (
        SELECT customer, period, SUM(credits) AS credits, SUM(amount) AS amount,
               CAST(0.005 * COUNT(*) AS DECIMAL(18, 3)) AS slack
        FROM invoices GROUP BY customer, period
    ), sums AS (
        SELECT customer, period, SUM(credits) AS credits, SUM(amount) AS amount
        FROM ledger WHERE credits IS NOT NULL OR amount IS NOT NULL GROUP BY customer, period
    )
    SELECT i.customer, i.period,
           CONCAT(CAST(i.credits AS VARCHAR), ' credits, ', CAST(i.amount AS VARCHAR)) AS lines,
           CONCAT(CAST(l.credits AS VARCHAR), ' credits, ', CAST(l.amount AS VARCHAR)) AS ledger
    FROM lines AS i LEFT JOIN sums AS l ON l.customer = i.customer AND l.period = i.period
    WHERE COALESCE(i.credits, 0) <> COALESCE(l.credits, 0)
       OR ABS(i.amount - COALESCE(l.amount, 0)) > i.slack
    ORDER BY i.customer, i.period";

/// What was compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Invoices in the books.
    pub issued: i64,
    /// Closed periods whose invoice is not in the books, by the month in which they start.
    pub missing: Vec<Missing>,
    /// Lines that only one of the two has, and periods whose sums differ.
    pub faults: usize,
    /// The first of them, in words.
    pub first: Vec<String>,
}

/// So many periods that start in a month, such as `2026-10`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct Missing {
    pub month: String,
    pub periods: i64,
}

impl Checked {
    fn tell(&mut self, fault: String) {
        self.faults += 1;
        if self.first.len() < SHOWN_MAX {
            self.first.push(fault);
        }
    }
}

/// A period whose lines and rows differ; what each comes to, in words.
#[derive(serde::Deserialize)]
struct Sums {
    customer: String,
    period: String,
    lines: String,
    ledger: String,
}

#[derive(serde::Deserialize)]
struct Counts {
    issued: i64,
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
    let counts = "SELECT COUNT(DISTINCT number) AS issued FROM invoices";
    let counts: Vec<Counts> = answer(session, counts, &[]).await?;
    let missing = "SELECT LEFT(CAST(period AS VARCHAR), 7) AS month, COUNT(*) AS periods
        FROM periods
        WHERE number IS NOT NULL AND number NOT IN (SELECT number FROM invoices)
        GROUP BY LEFT(CAST(period AS VARCHAR), 7) ORDER BY month";
    let mut checked = Checked {
        issued: counts.first().map_or(0, |counts| counts.issued),
        missing: answer(session, missing, &[]).await?,
        ..Checked::default()
    };
    let books = lines(session, "invoices", &[]).await?;
    let issued = "invoice_lines WHERE number IN (SELECT number FROM invoices)";
    compare(&books, &lines(session, issued, &[]).await?, &mut checked)?;
    // The lines against plain sums, lest both sides share a fault.
    let sums: Vec<Sums> = answer(session, SUMS, &[]).await?;
    for sums in sums {
        let Sums {
            customer,
            period,
            lines,
            ledger,
        } = sums;
        checked.tell(format!(
            "the lines of `{customer}`, period {period}, come to {lines}, the ledger to {ledger}"
        ));
    }
    Ok(checked)
}

/// Holds that the books have the same lines of the known invoices among the wanted.
pub(super) async fn same_as_booked(
    books: &Books,
    wanted: &Wanted,
    known: Vec<RecordBatch>,
) -> Result<(), InvoiceError> {
    let (condition, params) = wanted.condition();
    let session =
        Session::of_one("invoices", books.provider().await?).map_err(AnswerError::from)?;
    let booked = lines(&session, &format!("invoices WHERE {condition}"), &params).await?;
    let known = rows_of(lines_schema(), known).map_err(InvoiceError::Run)?;
    let mut checked = Checked::default();
    compare(&booked, &text(known).await?, &mut checked)?;
    match checked.first.into_iter().next() {
        None => Ok(()),
        Some(first) => Err(InvoiceError::Differ {
            faults: checked.faults,
            first,
        }),
    }
}

/// The number of a new invoice whose period the books have under another number.
pub(super) fn booked_otherwise(new: &[RecordBatch], issued: &BTreeMap<i64, Booked>) -> Option<i64> {
    let booked: BTreeSet<&Booked> = issued.values().collect();
    new.iter().find_map(|batch| {
        let numbers = batch.column_by_name("number")?.as_primitive::<Int64Type>();
        let customers = batch.column_by_name("customer")?.as_string::<i32>();
        let periods = batch.column_by_name("period")?.as_primitive::<Date32Type>();
        let mut rows = 0..batch.num_rows();
        let row = rows.find(|row| {
            let of = (customers.value(*row).to_owned(), periods.value(*row));
            booked.contains(&of)
        })?;
        Some(numbers.value(row))
    })
}

/// Counts the lines that only one side has.
fn compare(books: &[String], ledger: &[String], checked: &mut Checked) -> Result<(), AnswerError> {
    let (mut books, mut ledger) = (books.iter().peekable(), ledger.iter().peekable());
    loop {
        let (side, lone) = match (books.peek(), ledger.peek()) {
            (Some(one), Some(other)) if one == other => {
                books.next();
                ledger.next();
                continue;
            }
            (Some(one), Some(other)) if one < other => ("books", books.next()),
            (Some(_), None) => ("books", books.next()),
            (_, Some(_)) => ("ledger", ledger.next()),
            (None, None) => return Ok(()),
        };
        if let Some(lone) = lone {
            checked.tell(words(side, &serde_json::from_str(lone)?));
        }
    }
}

/// Lines as text, each with every column, sorted: a line that is there twice is there twice.
async fn lines(
    session: &Session,
    from: &str,
    params: &[(String, String)],
) -> Result<Vec<String>, AnswerError> {
    let schema = lines_schema();
    let columns = schema.fields().iter().map(|field| field.name().as_str());
    let columns = columns.collect::<Vec<_>>().join(", ");
    let statement = format!("SELECT {columns} FROM {from}");
    text(session.run(&statement, params).await?).await
}

async fn text(rows: SendableRecordBatchStream) -> Result<Vec<String>, AnswerError> {
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
