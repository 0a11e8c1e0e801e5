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

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options, filter_record_batch};
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;
use arrow::util::display::FormatOptions;
use datafusion::error::DataFusionError;
use futures::TryStreamExt;

use super::data::DataFolder;
use super::sql::{AnswerError, typed};
use crate::adapters::ledger::{Books, BooksError, lines_schema};
use crate::adapters::sql::error::SqlError;
use crate::adapters::sql::output::{Format, OutputError, rows_of, write};
use crate::adapters::sql::session::Session;
pub use check::{Checked, Missing, check};
pub use document::{Invoice, Line, MadeOf, Status, Total};

/// Which lines: of the periods that start in a month, and of one customer or all.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// `2026-10`
    pub month: String,
    pub customer: Option<String>,
}

/// So often the books are opened again when others write them.
const ATTEMPTS: usize = 10;

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
    #[error(
        "the books and the ledger differ in {faults} lines, so nothing was issued: {first}; \
         `purser invoice --check` tells all; the books must be those of this ledger"
    )]
    Differ { faults: usize, first: String },
    #[error("could not write {}", .path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl Wanted {
    /// The statement that gives these columns of the lines, and its parameters.
    pub fn lines(&self, columns: &str) -> (String, Vec<(String, String)>) {
        let (condition, params) = self.condition();
        let order = "ORDER BY customer, period, line";
        let statement = format!("SELECT {columns} FROM invoice_lines WHERE {condition} {order}");
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
/// and adds those that are final to the books, first of all.
///
/// # Errors
///
/// The lines can't be read, or `out` or the books can't be written; [`InvoiceError::Differ`] when
/// the books say something else of an invoice, and then nothing was written. What was written
/// stays, and a second run completes it.
pub async fn issue(
    session: &Session,
    data: &DataFolder,
    wanted: &Wanted,
    out: &Path,
) -> Result<Issued, InvoiceError> {
    let (statement, params) = wanted.lines("*");
    let rows = session.run(&statement, &params).await?;
    let schema = rows.schema();
    let batches: Vec<RecordBatch> = rows.try_collect().await?;
    let again = || rows_of(schema.clone(), batches.clone());
    let invoices = document::invoices(typed(again()?).await?);
    let known = enter(data, wanted, &batches).await?;
    let mut issued = Issued::default();
    for invoice in &invoices {
        match invoice.index {
            None => issued.drafts += 1,
            Some(number) if known.contains(&number) => issued.known += 1,
            Some(_) => issued.new += 1,
        }
    }
    let lines_of = |status: Status| {
        let invoices = invoices.iter().filter(move |one| one.status == status);
        document::totals(invoices.flat_map(|invoice| &invoice.lines))
    };
    issued.totals = lines_of(Status::Final);
    issued.draft_totals = lines_of(Status::Draft);
    if issued.is_empty() {
        return Ok(issued);
    }
    let fault = |source| InvoiceError::Write {
        path: out.to_owned(),
        source,
    };
    std::fs::create_dir_all(out).map_err(fault)?;
    for invoice in &invoices {
        write_documents(invoice, out)?;
    }
    let mut csv = Vec::new();
    write(again()?, Format::Csv, &mut csv).await?;
    let customer = wanted.customer.as_ref();
    let customer = customer.map(|customer| format!("-{}", document::file_name(customer)));
    let name = format!("{}{}.csv", wanted.month, customer.unwrap_or_default());
    put(&out.join(format!("invoices-{name}")), &csv)?;
    Ok(issued)
}

/// Enters the final invoices that the books don't have; gives the numbers of those that they had.
async fn enter(
    data: &DataFolder,
    wanted: &Wanted,
    batches: &[RecordBatch],
) -> Result<BTreeSet<i64>, InvoiceError> {
    for _ in 0..ATTEMPTS {
        let books = Books::open(data.url()).await?;
        let issued = books.issued().await?;
        let lines = |is_known: bool| {
            let chosen = |number: i64| issued.contains_key(&number) == is_known;
            let batches = batches.iter().map(|batch| for_the_books(batch, chosen));
            batches.collect::<Result<Vec<_>, _>>()
        };
        let (known, new) = (lines(true)?, lines(false)?);
        check::same_as_booked(&books, wanted, known).await?;
        if let Some(number) = check::booked_otherwise(&new, &issued) {
            return Err(InvoiceError::Differ {
                faults: 1,
                first: format!("INV-{number:06} is in the books under another number"),
            });
        }
        let numbers = issued.into_keys().collect();
        if new.iter().all(|batch| batch.num_rows() == 0) {
            return Ok(numbers);
        }
        match books.append(new).await {
            Ok(()) => return Ok(numbers),
            Err(BooksError::Overtaken) => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    Err(BooksError::Overtaken.into())
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
    // Another process may write the same file.
    part.push(format!(".{}.part", std::process::id()));
    std::fs::write(&part, bytes).map_err(fault)?;
    std::fs::rename(&part, path).map_err(fault)
}

/// A cast that fails where a value has no room.
const EXACT: CastOptions<'_> = CastOptions {
    safe: false,
    format_options: FormatOptions::new(),
};

/// The lines of final invoices whose numbers `is_chosen` lets pass, with the columns of the books.
fn for_the_books(
    batch: &RecordBatch,
    is_chosen: impl Fn(i64) -> bool,
) -> Result<RecordBatch, ArrowError> {
    let missing = |name: &str| ArrowError::SchemaError(format!("no column {name}"));
    let numbers = batch.column_by_name("number");
    let numbers = numbers.ok_or_else(|| missing("number"))?;
    let numbers = numbers.as_primitive::<Int64Type>();
    let chosen: BooleanArray = (0..numbers.len())
        .map(|row| Some(numbers.is_valid(row) && is_chosen(numbers.value(row))))
        .collect();
    let batch = filter_record_batch(batch, &chosen)?;
    let schema = lines_schema();
    let columns = schema.fields().iter().map(|field| {
        let column = batch.column_by_name(field.name());
        let column = column.ok_or_else(|| missing(field.name()))?;
        cast_with_options(column, field.data_type(), &EXACT)
    });
    RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)
}
