//! SQL over a data folder.
//!
//! Owns joining the ledger and the price files into a session. Leaves queries to `adapters::sql`.
//!
//! Invariant: a session shows the newest commit at the moment when it was opened.

use arrow::error::ArrowError;

use super::data::{DataError, DataFolder};
use super::prices::PricesError;
use crate::adapters::cloudevents::Decoder;
use crate::adapters::ledger;
use crate::adapters::sql::error::SqlError;
use crate::adapters::sql::read_periods;
use crate::adapters::sql::session::{Limits, Session, Tables};
use crate::adapters::sql::tables;
use crate::domain::command::Opened;

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
    #[error("could not make the tables of periods, prices and plans")]
    Tables(#[from] ArrowError),
}

/// Opens a session over the ledger and the prices of `data`.
///
/// # Errors
///
/// There is no ledger, or it or the price files can't be read.
pub async fn open(data: &DataFolder, limits: &Limits) -> Result<Session, OpenError> {
    let mut ledger = data.ledger().await?;
    let book = data.prices()?.load().await?;
    let provider = ledger.provider().await?;
    let anchor_day = |data: &str| {
        let mut decoder = Decoder::default();
        let members = decoder.members(data)?;
        Opened::anchor_day(&members).ok().flatten()
    };
    let periods = read_periods(provider.clone(), &book, anchor_day).await?;
    let tables = Tables {
        ledger: provider,
        periods: tables::periods(&periods)?,
        prices: tables::prices(&tables::price_rows(&book))?,
        plans: tables::plans(&tables::plan_rows(&book))?,
    };
    Ok(Session::open(tables, limits).await?)
}
