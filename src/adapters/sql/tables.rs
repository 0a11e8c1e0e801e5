//! The tables that are computed and not stored: periods, terms of grants, prices, plans.
//!
//! Owns their columns and how rows become Arrow. Leaves computing the rows to the caller.
//!
//! Invariant: the units are the ledger's: credits and quantities in millionths, money in
//! billionths, instants in microseconds since 1970 in UTC, dates in days since 1970.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringViewArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;

use crate::domain::decimal::plain_from_scaled;
use crate::domain::entry::AlertKind;
use crate::domain::price::{Alerts, CREDITS_PLACES, Overage, Price, PriceBook, Shape};
use crate::domain::units::{Money, Timestamp};
use crate::domain::wallet::BurnOrder;

/// Digits of a decimal, before and after the point together.
const DECIMAL_DIGITS: u8 = 18;
const CREDIT_PLACES: i8 = 6;
const MONEY_PLACES: i8 = 9;

/// One period of one wallet, with the terms that hold for it.
pub struct PeriodRow {
    pub customer: String,
    /// First day, in days since 1970; the period's name.
    pub period: i32,
    /// The day after the last one.
    pub period_end: i32,
    /// When its rows stop changing: its end and the grace, in microseconds since 1970.
    pub closes_at: i64,
    pub plan: String,
    pub price_version: String,
    pub pool_microcredits: i64,
    pub fee_nanos: i64,
    pub currency: String,
    pub overage: Overage,
    /// The plan that a change names from the next period on.
    pub next_plan: Option<String>,
    /// The shard that owns the wallet.
    pub shard: i32,
    /// Of its invoice, from 1 in the order in which periods close; absent while the period is open.
    pub number: Option<i64>,
}

/// One grant that is no pool, and where it stands among those that may pay.
pub struct GrantRow {
    pub customer: String,
    pub grant_id: String,
    pub order: BurnOrder,
}

/// One price of one version of the price table.
pub struct PriceRow {
    pub version: String,
    /// Inclusive, in microseconds since 1970.
    pub effective_from: i64,
    pub price_id: String,
    pub task: String,
    pub unit: String,
    /// Which events it is for, in words.
    pub conditions: String,
    /// What it charges, in words: `1 credit per document`.
    pub charge: String,
    pub minimum_microcredits: Option<i64>,
    pub rounding: String,
}

/// One plan of one version of the price table.
pub struct PlanRow {
    pub version: String,
    /// Inclusive, in microseconds since 1970.
    pub effective_from: i64,
    pub plan: String,
    pub name: String,
    pub fee_nanos: i64,
    pub currency: String,
    pub pool_microcredits: i64,
    pub overage: Overage,
    /// The thresholds, in words.
    pub alerts: String,
}

/// The table `periods`: one row for each wallet and period. No rows make an empty table.
///
/// # Errors
///
/// When an amount does not fit the column's 18 digits.
pub fn periods(rows: &[PeriodRow]) -> Result<RecordBatch, ArrowError> {
    batch(vec![
        ("customer", texts(rows, |row| Some(&row.customer))),
        ("period", dates(rows, |row| row.period)),
        ("period_end", dates(rows, |row| row.period_end)),
        ("closes_at", instants(rows, |row| row.closes_at)),
        ("plan", texts(rows, |row| Some(&row.plan))),
        ("price_version", texts(rows, |row| Some(&row.price_version))),
        (
            "pool",
            decimals(rows, CREDIT_PLACES, |row| Some(row.pool_microcredits))?,
        ),
        (
            "fee",
            decimals(rows, MONEY_PLACES, |row| Some(row.fee_nanos))?,
        ),
        ("currency", texts(rows, |row| Some(&row.currency))),
        ("overage_mode", texts(rows, |row| Some(row.overage.mode()))),
        (
            "overage_price",
            decimals(rows, MONEY_PLACES, |row| {
                row.overage.price().map(Money::get)
            })?,
        ),
        ("next_plan", texts(rows, |row| row.next_plan.as_deref())),
        (
            "shard",
            Arc::new(Int32Array::from_iter_values(
                rows.iter().map(|row| row.shard),
            )),
        ),
        (
            "number",
            Arc::new(rows.iter().map(|row| row.number).collect::<Int64Array>()),
        ),
    ])
}

/// The table `grant_terms`: one row for each grant that is no pool. No rows make an empty table.
///
/// # Errors
///
/// None.
pub fn grant_terms(rows: &[GrantRow]) -> Result<RecordBatch, ArrowError> {
    let priorities = rows.iter().map(|row| row.order.priority);
    let expiries = rows
        .iter()
        .map(|row| row.order.expires_at.map(Timestamp::get));
    let expiries = expiries.collect::<TimestampMicrosecondArray>();
    batch(vec![
        ("customer", texts(rows, |row| Some(&row.customer))),
        ("grant_id", texts(rows, |row| Some(&row.grant_id))),
        ("basis", texts(rows, |row| Some(row.order.basis.name()))),
        (
            "priority",
            Arc::new(Int32Array::from_iter_values(priorities)),
        ),
        (
            "effective_at",
            instants(rows, |row| row.order.effective_at.get()),
        ),
        (
            "expires_at",
            Arc::new(expiries.with_data_type(instant_type())),
        ),
    ])
}

/// The table `prices`: one row for each version and price. No rows make an empty table.
///
/// # Errors
///
/// When an amount does not fit the column's 18 digits.
pub fn prices(rows: &[PriceRow]) -> Result<RecordBatch, ArrowError> {
    batch(vec![
        ("version", texts(rows, |row| Some(&row.version))),
        ("effective_from", instants(rows, |row| row.effective_from)),
        ("price_id", texts(rows, |row| Some(&row.price_id))),
        ("task", texts(rows, |row| Some(&row.task))),
        ("unit", texts(rows, |row| Some(&row.unit))),
        ("conditions", texts(rows, |row| Some(&row.conditions))),
        ("charge", texts(rows, |row| Some(&row.charge))),
        (
            "minimum",
            decimals(rows, CREDIT_PLACES, |row| row.minimum_microcredits)?,
        ),
        ("rounding", texts(rows, |row| Some(&row.rounding))),
    ])
}

/// The table `plans`: one row for each version and plan. No rows make an empty table.
///
/// # Errors
///
/// When an amount does not fit the column's 18 digits.
pub fn plans(rows: &[PlanRow]) -> Result<RecordBatch, ArrowError> {
    batch(vec![
        ("version", texts(rows, |row| Some(&row.version))),
        ("effective_from", instants(rows, |row| row.effective_from)),
        ("plan", texts(rows, |row| Some(&row.plan))),
        ("name", texts(rows, |row| Some(&row.name))),
        (
            "fee",
            decimals(rows, MONEY_PLACES, |row| Some(row.fee_nanos))?,
        ),
        ("currency", texts(rows, |row| Some(&row.currency))),
        (
            "pool",
            decimals(rows, CREDIT_PLACES, |row| Some(row.pool_microcredits))?,
        ),
        ("overage_mode", texts(rows, |row| Some(row.overage.mode()))),
        (
            "overage_price",
            decimals(rows, MONEY_PLACES, |row| {
                row.overage.price().map(Money::get)
            })?,
        ),
        ("alerts", texts(rows, |row| Some(&row.alerts))),
    ])
}

/// All prices of all versions.
pub fn price_rows(book: &PriceBook) -> Vec<PriceRow> {
    let rows = book.tables().iter().flat_map(|table| {
        table.prices.iter().map(|price| PriceRow {
            version: table.version.clone(),
            effective_from: table.effective_from.get(),
            price_id: price.id.clone(),
            task: price.task.clone(),
            unit: price.unit.clone(),
            conditions: price.when.to_string(),
            charge: charge(price),
            minimum_microcredits: Some(price.minimum.get()).filter(|minimum| *minimum > 0),
            rounding: price.rounding.to_string(),
        })
    });
    rows.collect()
}

/// All plans of all versions.
pub fn plan_rows(book: &PriceBook) -> Vec<PlanRow> {
    let rows = book.tables().iter().flat_map(|table| {
        table.plans.iter().map(|plan| PlanRow {
            version: table.version.clone(),
            effective_from: table.effective_from.get(),
            plan: plan.id.clone(),
            name: plan.name.clone(),
            fee_nanos: plan.fee.get(),
            currency: plan.currency.clone(),
            pool_microcredits: plan.pool.get(),
            overage: plan.overage,
            alerts: alerts(&plan.alerts),
        })
    });
    rows.collect()
}

/// `3 per document`, `0.25 per 1000 input_tokens + 1 per 1000 output_tokens`, in credits.
fn charge(price: &Price) -> String {
    match &price.shape {
        Shape::PerUnit { credits_pico, .. } | Shape::Flat { credits_pico } => {
            format!(
                "{} per {}",
                plain_from_scaled(*credits_pico, CREDITS_PLACES),
                price.unit
            )
        }
        components => components.to_string(),
    }
}

fn alerts(alerts: &Alerts) -> String {
    let used = alerts.used.iter().map(|percent| AlertKind::Used(*percent));
    let overage = alerts.overage.then_some(AlertKind::Overage);
    let run_out = alerts.run_out_within.map(AlertKind::RunOut);
    let expiring = alerts.expiring_within.map(AlertKind::Expiring);
    let all = used.chain(overage).chain(run_out).chain(expiring);
    all.map(|kind| kind.to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

/// The type of every instant of a session: microseconds in UTC.
fn instant_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch, ArrowError> {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
        .collect();
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    RecordBatch::try_new(
        schema,
        columns.into_iter().map(|(_, array)| array).collect(),
    )
}

/// Texts of the type in which the ledger is read, so that a join casts nothing.
fn texts<'a, R>(rows: &'a [R], text: impl Fn(&'a R) -> Option<&'a str>) -> ArrayRef {
    Arc::new(rows.iter().map(text).collect::<StringViewArray>())
}

fn dates<R>(rows: &[R], days: impl Fn(&R) -> i32) -> ArrayRef {
    Arc::new(Date32Array::from_iter_values(rows.iter().map(days)))
}

fn instants<R>(rows: &[R], micros: impl Fn(&R) -> i64) -> ArrayRef {
    let array = TimestampMicrosecondArray::from_iter_values(rows.iter().map(micros));
    Arc::new(array.with_data_type(instant_type()))
}

fn decimals<R>(
    rows: &[R],
    places: i8,
    smallest: impl Fn(&R) -> Option<i64>,
) -> Result<ArrayRef, ArrowError> {
    let array: Decimal128Array = rows
        .iter()
        .map(|row| smallest(row).map(i128::from))
        .collect();
    let array = array.with_precision_and_scale(DECIMAL_DIGITS, places)?;
    array.validate_decimal_precision(DECIMAL_DIGITS)?;
    Ok(Arc::new(array))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::util::pretty::pretty_format_batches;

    fn plan(fee_nanos: i64) -> PlanRow {
        PlanRow {
            version: "2026-10".into(),
            effective_from: 1_790_812_800_000_000,
            plan: "cube".into(),
            name: "Cube".into(),
            fee_nanos,
            currency: "USD".into(),
            pool_microcredits: 100_000_000,
            overage: Overage::Block,
            alerts: "used 80".into(),
        }
    }

    #[test]
    fn amounts_keep_their_places() {
        let table = pretty_format_batches(&[plans(&[plan(9_990_000_001)]).unwrap()]);
        let table = table.unwrap().to_string();
        assert!(
            table.contains("| 9.990000001 | USD      | 100.000000 | block "),
            "{table}"
        );
        assert!(table.contains("| 2026-10-01T00:00:00Z | cube "), "{table}");
    }

    #[test]
    fn an_amount_of_19_digits_is_refused() {
        assert!(plans(&[plan(999_999_999_999_999_999)]).is_ok());
        assert!(plans(&[plan(1_000_000_000_000_000_000)]).is_err());
    }

    #[test]
    fn empty_tables_have_their_columns() {
        assert_eq!(periods(&[]).unwrap().num_columns(), 14);
        assert_eq!(grant_terms(&[]).unwrap().num_columns(), 6);
        assert_eq!(prices(&[]).unwrap().num_columns(), 9);
        assert_eq!(plans(&[]).unwrap().num_columns(), 10);
    }
}
