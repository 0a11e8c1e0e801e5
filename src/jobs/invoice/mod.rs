//! Invoices: lines of the ledger's view → documents and the books.
//!
//! Owns which invoices are issued and where they are written. Leaves the lines to the view
//! `invoice_lines`, a document's shape to `document`, its page to `page` and the table to
//! `adapters::ledger`.
//!
//! Invariant: what is issued is a function of the ledger alone, so a second run writes the same
//! bytes and adds nothing to the books.

mod check;
mod document;
mod page;

use std::io;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use futures::TryStreamExt;

use super::data::DataFolder;
use super::sql::{AnswerError, typed};
use crate::adapters::ledger::{Books, BooksError, lines_schema};
use crate::adapters::sql::error::SqlError;
use crate::adapters::sql::output::{Format, OutputError, rows_of, write};
use crate::adapters::sql::session::Session;
pub use check::{Checked, check};
pub use document::{Invoice, Line, MadeOf, Status, Total};

/// Which lines: of the periods that start in a month, and of one customer or all.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// `2026-10`
    pub month: String,
    pub customer: Option<String>,
}

/// What was issued.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Issued {
    /// Invoices that the books did not have.
    pub new: usize,
    /// Invoices that were issued before.
    pub known: usize,
    pub drafts: usize,
    /// Over all of these, by currency; of drafts apart.
    pub totals: Vec<Total>,
    pub draft_totals: Vec<Total>,
}

impl Issued {
    /// Whether there is no invoice at all.
    pub fn is_empty(&self) -> bool {
        self.new + self.known + self.drafts == 0
    }
}

/// Why invoices can't be issued or checked.
#[derive(Debug, thiserror::Error)]
pub enum InvoiceError {
    #[error(transparent)]
    Sql(#[from] SqlError),
    #[error("could not read the lines")]
    Run(#[from] DataFusionError),
    #[error(transparent)]
    Answer(#[from] AnswerError),
    #[error("could not write the lines as CSV")]
    Csv(#[from] OutputError),
    #[error(transparent)]
    Books(#[from] BooksError),
    #[error("could not bring the lines into the form of the books")]
    Lines(#[from] ArrowError),
    #[error("could not write an invoice as JSON")]
    Json(#[from] serde_json::Error),
    #[error("could not write {}", .path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl Wanted {
    /// The statement that gives the lines, and its parameters.
    pub fn lines(&self) -> (String, Vec<(String, String)>) {
        let (condition, params) = self.condition();
        let order = "ORDER BY customer, period, line";
        let statement = format!("SELECT * FROM invoice_lines WHERE {condition} {order}");
        (statement, params)
    }

    /// Which rows of `invoice_lines` are wanted, and the values of its parameters.
    pub fn condition(&self) -> (String, Vec<(String, String)>) {
        let first = format!("{}-01", self.month);
        let mut condition = "period >= CAST($first AS DATE) \
                             AND period < CAST($first AS DATE) + INTERVAL '1 month'"
            .to_owned();
        let mut params = vec![("first".to_owned(), first)];
        if let Some(customer) = &self.customer {
            condition.push_str(" AND customer = $customer");
            params.push(("customer".to_owned(), customer.clone()));
        }
        (condition, params)
    }
}

/// Writes the wanted invoices below `out`, each as JSON and as a page, and all their lines as CSV,
/// and adds those that are final to the books.
///
/// # Errors
///
/// The lines can't be read, or `out` or the books can't be written. What was written stays, and a
/// second run completes it.
pub async fn issue(
    session: &Session,
    data: &DataFolder,
    wanted: &Wanted,
    out: &Path,
) -> Result<Issued, InvoiceError> {
    let books = Books::open(data.url()).await?;
    let known = books.numbers().await?;
    let (statement, params) = wanted.lines();
    let rows = session.run(&statement, &params).await?;
    let schema = rows.schema();
    let batches: Vec<RecordBatch> = rows.try_collect().await?;
    let again = || rows_of(schema.clone(), batches.clone());
    let invoices = document::invoices(typed(again()?).await?);
    let is_there = |source| InvoiceError::Write {
        path: out.to_owned(),
        source,
    };
    std::fs::create_dir_all(out).map_err(is_there)?;
    let mut issued = Issued::default();
    for invoice in &invoices {
        let is_known = |number: &String| {
            let number = number.trim_start_matches("INV-").parse();
            number.is_ok_and(|number: i64| known.contains(&number))
        };
        match &invoice.number {
            None => issued.drafts += 1,
            Some(number) if is_known(number) => issued.known += 1,
            Some(_) => issued.new += 1,
        }
        write_documents(invoice, out)?;
    }
    let lines_of = |status: Status| {
        let invoices = invoices.iter().filter(move |one| one.status == status);
        document::totals(invoices.flat_map(|invoice| &invoice.lines))
    };
    issued.totals = lines_of(Status::Final);
    issued.draft_totals = lines_of(Status::Draft);
    let mut csv = Vec::new();
    if !issued.is_empty() {
        write(again()?, Format::Csv, &mut csv).await?;
        let customer = wanted.customer.as_ref();
        let customer = customer.map(|customer| format!("-{}", document::file_name(customer)));
        let name = format!("{}{}.csv", wanted.month, customer.unwrap_or_default());
        put(&out.join(format!("invoices-{name}")), &csv)?;
    }
    let new: Vec<RecordBatch> = batches
        .iter()
        .map(|batch| for_the_books(batch, |number| !known.contains(&number)))
        .collect::<Result<_, _>>()?;
    if issued.new > 0 {
        books.append(new).await?;
    }
    Ok(issued)
}

/// The JSON and the page of an invoice; the draft before it goes.
fn write_documents(invoice: &Invoice, out: &Path) -> Result<(), InvoiceError> {
    let json = format!("{}\n", serde_json::to_string_pretty(invoice)?);
    let html = page::page(invoice);
    for (form, text) in [("json", json), ("html", html)] {
        put(
            &out.join(format!("{}.{form}", invoice.file_stem())),
            text.as_bytes(),
        )?;
        let draft = out.join(format!("{}.{form}", invoice.draft_stem()));
        if invoice.number.is_some() && draft.exists() {
            std::fs::remove_file(&draft).map_err(|source| InvoiceError::Write {
                path: draft,
                source,
            })?;
        }
    }
    Ok(())
}

/// Writes a file under its name only when it is whole.
fn put(path: &Path, bytes: &[u8]) -> Result<(), InvoiceError> {
    let fault = |source| InvoiceError::Write {
        path: path.to_owned(),
        source,
    };
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    std::fs::write(&part, bytes).map_err(fault)?;
    std::fs::rename(&part, path).map_err(fault)
}

/// The lines of final invoices whose numbers `is_new` lets pass, with the columns of the books.
fn for_the_books(
    batch: &RecordBatch,
    is_new: impl Fn(i64) -> bool,
) -> Result<RecordBatch, ArrowError> {
    let missing = |name: &str| ArrowError::SchemaError(format!("no column {name}"));
    let numbers = batch.column_by_name("number");
    let numbers = numbers.ok_or_else(|| missing("number"))?;
    let numbers = numbers.as_primitive::<Int64Type>();
    let chosen: BooleanArray = (0..numbers.len())
        .map(|row| Some(numbers.is_valid(row) && is_new(numbers.value(row))))
        .collect();
    let batch = filter_record_batch(batch, &chosen)?;
    let schema = lines_schema();
    let columns = schema.fields().iter().map(|field| {
        let column = batch.column_by_name(field.name());
        cast(
            column.ok_or_else(|| missing(field.name()))?,
            field.data_type(),
        )
    });
    RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)
}
