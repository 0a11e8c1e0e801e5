//! The periods of every wallet, worked out from the ledger.
//!
//! Owns reading the rows that open wallets and start periods. Leaves where a period ends to
//! `domain::calendar` and what a plan says to the price book.
//!
//! Invariant: as the engine reckons them, since both use the same calendar and the same rows.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, TimestampMicrosecondType};
use datafusion::catalog::TableProvider;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;

use super::error::SqlError;
use super::tables::PeriodRow;
use crate::domain::calendar::{day_of_month, period_end};
use crate::domain::price::PriceBook;
use crate::domain::units::{Day, Timestamp};

const OPENINGS_AND_POOLS: &str = "
    SELECT customer, kind, period, plan, price_version, received_at, entry, data
    FROM ledger
    WHERE kind = 'wallet' OR kind = 'grant' AND grant_id = CONCAT('pool/', CAST(period AS VARCHAR))
    ORDER BY customer, entry";

/// One row for each wallet and period in `ledger`. `anchor_day` reads the anchor day from the
/// `data` of the command that opened a wallet.
///
/// # Errors
///
/// The ledger can't be read.
pub async fn read_periods(
    ledger: Arc<dyn TableProvider>,
    book: &PriceBook,
    anchor_day: impl Fn(&str) -> Option<u8>,
) -> Result<Vec<PeriodRow>, SqlError> {
    let context = SessionContext::new();
    context
        .register_table("ledger", ledger)
        .map_err(SqlError::Open)?;
    let frame = context
        .sql(OPENINGS_AND_POOLS)
        .await
        .map_err(SqlError::Open)?;
    let batches = frame.collect().await.map_err(SqlError::Open)?;
    let mut anchors = HashMap::new();
    let mut periods: Vec<PeriodRow> = Vec::new();
    for batch in &batches {
        let text = |name| texts(batch, name).map_err(SqlError::Open);
        let (customers, kinds, data) = (text("customer")?, text("kind")?, text("data")?);
        let (plans, versions) = (text("plan")?, text("price_version")?);
        let starts = column(batch, "period")?.as_primitive::<Date32Type>();
        let times = column(batch, "received_at")?.as_primitive::<TimestampMicrosecondType>();
        for row in 0..batch.num_rows() {
            let (customer, start) = (customers.value(row), Day::new(starts.value(row)));
            if kinds.value(row) == "wallet" {
                let stated = data
                    .is_valid(row)
                    .then(|| anchor_day(data.value(row)))
                    .flatten();
                anchors.insert(customer.to_owned(), stated.unwrap_or(day_of_month(start)));
                continue;
            }
            if let Some(before) = periods
                .last_mut()
                .filter(|period| period.customer == customer)
            {
                // The row that starts a period ends the one before, by the rules then in force.
                let received_at = Timestamp::new(times.value(row));
                before.closes_at = closes_at(book, before.period_end, received_at);
            }
            let anchor = anchors
                .get(customer)
                .copied()
                .unwrap_or(day_of_month(start));
            let end = period_end(start, anchor).get();
            let closes_at = closes_at(book, end, Day::new(end).start());
            let terms = (versions.value(row), plans.value(row));
            periods.extend(period(book, terms, customer, (start, end, closes_at)));
        }
    }
    Ok(periods)
}

fn texts(batch: &RecordBatch, name: &str) -> Result<StringArray, DataFusionError> {
    let found = column(batch, name).map_err(|_| missing(name))?;
    Ok(cast(found, &DataType::Utf8)?.as_string::<i32>().clone())
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, SqlError> {
    batch
        .column_by_name(name)
        .ok_or_else(|| SqlError::Open(missing(name)))
}

fn missing(name: &str) -> DataFusionError {
    DataFusionError::Internal(format!("no column {name}"))
}

fn closes_at(book: &PriceBook, end: i32, received_at: Timestamp) -> i64 {
    let rules = book.tables()[book.in_force_or_first(received_at)].rules;
    Day::new(end).start().plus(rules.grace).get()
}

fn period(
    book: &PriceBook,
    (version, plan): (&str, &str),
    customer: &str,
    (start, period_end, closes_at): (Day, i32, i64),
) -> Option<PeriodRow> {
    let table = book
        .tables()
        .iter()
        .find(|table| table.version == version)?;
    let terms = table.plan(plan)?;
    Some(PeriodRow {
        customer: customer.to_owned(),
        period: start.get(),
        period_end,
        closes_at,
        plan: plan.to_owned(),
        price_version: version.to_owned(),
        pool_microcredits: terms.pool.get(),
        fee_nanos: terms.fee.get(),
        currency: terms.currency.clone(),
        overage: terms.overage,
    })
}
