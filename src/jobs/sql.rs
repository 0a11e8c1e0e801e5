//! SQL over a data folder.
//!
//! Owns joining the ledger and the price files into a session. Leaves queries to `adapters::sql`.
//!
//! Invariant: a session shows the newest commit at the moment when it was opened, or that state cut
//! at an earlier row.

use std::sync::Arc;

use arrow::error::ArrowError;
use datafusion::catalog::TableProvider;
use datafusion::execution::SendableRecordBatchStream;
use serde::de::DeserializeOwned;

use super::data::{DataError, DataFolder};
use super::prices::PricesError;
use crate::adapters::cloudevents::Decoder;
use crate::adapters::ledger::{self, Books, BooksError, CodedLedger, Ledger};
use crate::adapters::sql::error::SqlError;
use crate::adapters::sql::output::{Format, OutputError, write};
use crate::adapters::sql::session::{AsOf, Limits, Session, Tables, up_to};
use crate::adapters::sql::tables;
use crate::adapters::sql::{Decode, read_periods};

/// Why a data folder can't be queried.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    #[error(transparent)]
    Prices(#[from] PricesError),
    #[error(transparent)]
    Sql(#[from] SqlError),
    #[error(transparent)]
    Books(#[from] BooksError),
    #[error("could not make the tables of periods, prices and plans")]
    Tables(#[from] ArrowError),
    #[error(
        "the ledger has {0} shards, each with entries of its own: give --as-of a time, such as \
         2026-11-01T00:00:00Z"
    )]
    ManyShards(u32),
}

/// Opens a session over the ledger, up to `as_of` if it is given, and the prices of `data`.
///
/// # Errors
///
/// There is no ledger, or it, the books or the price files can't be read; an entry was given for a
/// ledger of several shards.
pub async fn open(
    data: &DataFolder,
    limits: &Limits,
    as_of: Option<AsOf>,
) -> Result<Session, OpenError> {
    let mut ledger = data.ledger().await?;
    let tables = tables(data, &mut ledger, as_of).await?;
    Ok(Session::open(tables, limits)?)
}

/// The tables of a session over the newest commit of `ledger`, up to `as_of` if it is given.
///
/// # Errors
///
/// As [`open`].
pub(super) async fn tables(
    data: &DataFolder,
    ledger: &mut Ledger,
    as_of: Option<AsOf>,
) -> Result<Tables, OpenError> {
    let book = data.prices()?.load().await?;
    let shard_count = ledger.shard_count();
    if matches!(as_of, Some(AsOf::Entry(_))) && shard_count > 1 {
        return Err(OpenError::ManyShards(shard_count));
    }
    let cut = |rows: Arc<dyn TableProvider>| match as_of {
        None => Ok(rows),
        Some(as_of) => up_to(rows, as_of),
    };
    let provider = cut(ledger.provider().await?)?;
    let coded_ledger = cut(Arc::new(CodedLedger::of(ledger).await?))?;
    let books = Books::open(data.url()).await?;
    let decode: Decode = |data, read| {
        if let Some(members) = Decoder::default().members(data) {
            read(&members);
        }
    };
    let rows = (provider.clone(), coded_ledger.clone());
    let (periods, grants) = read_periods(rows, shard_count, &book, decode).await?;
    Ok(Tables {
        ledger: provider,
        coded_ledger,
        periods: tables::periods(&periods)?,
        grant_terms: tables::grant_terms(&grants)?,
        prices: tables::prices(&tables::price_rows(&book))?,
        plans: tables::plans(&tables::plan_rows(&book))?,
        invoices: books.provider().await?,
    })
}

/// Why the rows of an answer can't be read.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    #[error(transparent)]
    Sql(#[from] SqlError),
    #[error("could not read the rows of an answer")]
    Read(#[from] OutputError),
    #[error("could not understand a row of an answer")]
    Row(#[from] serde_json::Error),
}

/// The rows of a statement's answer, read by their columns' names.
///
/// # Errors
///
/// The statement fails, or a row is not of that shape.
pub async fn answer<T: DeserializeOwned>(
    session: &Session,
    statement: &str,
    params: &[(&str, &str)],
) -> Result<Vec<T>, AnswerError> {
    let params: Vec<(String, String)> = params
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    typed(session.run(statement, &params).await?).await
}

/// The rows of an answer, read by their columns' names.
///
/// # Errors
///
/// The statement fails on the way, or a row is not of that shape.
pub async fn typed<T: DeserializeOwned>(
    rows: SendableRecordBatchStream,
) -> Result<Vec<T>, AnswerError> {
    let mut text = Vec::new();
    write(rows, Format::Ndjson, &mut text).await?;
    let lines = text.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    Ok(lines
        .map(serde_json::from_slice)
        .collect::<Result<_, _>>()?)
}
