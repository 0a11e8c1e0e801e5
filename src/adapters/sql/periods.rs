//! The periods of every wallet, worked out from the ledger.
//!
//! Owns reading the rows that open, change and close wallets and start periods, and numbering the
//! invoices of those that have closed. Leaves where a period ends to `domain::calendar` and what a
//! plan says to the price book.
//!
//! Invariant: as the engine reckons them, since both use the same calendar and the same rows. A
//! number, once given, is given again by every later state of the ledger.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Int32Type, TimestampMicrosecondType};
use datafusion::catalog::TableProvider;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;

use super::error::SqlError;
use super::tables::PeriodRow;
use crate::domain::calendar::{day_of_month, period_end};
use crate::domain::command::{CLOSED, PLAN_CHANGED};
use crate::domain::price::{Plan, PriceBook};
use crate::domain::units::{Day, Timestamp};

const WALLETS_AND_POOLS: &str = "
    SELECT customer, kind, period, plan, price_version, received_at, event_type, entry, data, shard
    FROM ledger
    WHERE kind = 'wallet' OR kind = 'grant' AND grant_id = CONCAT('pool/', CAST(period AS VARCHAR))
    ORDER BY customer, entry";

/// How far each shard is.
const CLOCKS: &str = "SELECT MAX(received_at) AS now FROM ledger GROUP BY shard";

/// A row that opens or changes a wallet, or gives a pool.
struct Row<'a> {
    customer: &'a str,
    is_wallet: bool,
    event_type: Option<&'a str>,
    /// First day of the period that it is booked to.
    start: Day,
    /// Version and plan.
    terms: (&'a str, &'a str),
    received_at: Timestamp,
    data: Option<&'a str>,
    shard: i32,
}

/// One row for each wallet and period in `ledger`, of so many shards. `anchor_day` reads the anchor
/// day from the `data` of the command that opened a wallet.
///
/// # Errors
///
/// The ledger can't be read.
pub async fn read_periods(
    (ledger, shard_count): (Arc<dyn TableProvider>, u32),
    book: &PriceBook,
    anchor_day: impl Fn(&str) -> Option<u8>,
) -> Result<Vec<PeriodRow>, SqlError> {
    let context = SessionContext::new();
    context
        .register_table("ledger", ledger)
        .map_err(SqlError::Open)?;
    let frame = context
        .sql(WALLETS_AND_POOLS)
        .await
        .map_err(SqlError::Open)?;
    let batches = frame.collect().await.map_err(SqlError::Open)?;
    let mut reckoned = Reckoned {
        book,
        anchor: 1,
        periods: Vec::new(),
        closed: BTreeSet::new(),
        is_opened: false,
    };
    for batch in &batches {
        let text = |name| texts(batch, name).map_err(SqlError::Open);
        let (customers, kinds, data) = (text("customer")?, text("kind")?, text("data")?);
        let (plans, versions) = (text("plan")?, text("price_version")?);
        let types = text("event_type")?;
        let starts = column(batch, "period")?.as_primitive::<Date32Type>();
        let times = column(batch, "received_at")?.as_primitive::<TimestampMicrosecondType>();
        let shards = column(batch, "shard")?.as_primitive::<Int32Type>();
        for row in 0..batch.num_rows() {
            let row = Row {
                customer: customers.value(row),
                is_wallet: kinds.value(row) == "wallet",
                event_type: types.is_valid(row).then(|| types.value(row)),
                start: Day::new(starts.value(row)),
                terms: (versions.value(row), plans.value(row)),
                received_at: Timestamp::new(times.value(row)),
                data: data.is_valid(row).then(|| data.value(row)),
                shard: shards.value(row),
            };
            reckoned.add(&row, &anchor_day);
        }
    }
    let Reckoned {
        mut periods,
        closed,
        ..
    } = reckoned;
    close_the_last(book, &mut periods);
    let frame = context.sql(CLOCKS).await.map_err(SqlError::Open)?;
    let mut clocks = Vec::new();
    for batch in frame.collect().await.map_err(SqlError::Open)? {
        let times = column(&batch, "now")?.as_primitive::<TimestampMicrosecondType>();
        clocks.extend(times.iter().flatten());
    }
    // A shard that has no row yet may have periods of any time to come.
    if clocks.len() == shard_count as usize {
        number(&mut periods, &clocks, &closed);
    }
    Ok(periods)
}

/// The periods so far; those of one customer come one after the other.
struct Reckoned<'b> {
    book: &'b PriceBook,
    /// Of the customer at hand.
    anchor: u8,
    periods: Vec<PeriodRow>,
    /// Whose wallet is closed.
    closed: BTreeSet<String>,
    /// Whether the customer's wallet was opened, also anew, since its last pool.
    is_opened: bool,
}

impl Reckoned<'_> {
    fn add(&mut self, row: &Row<'_>, anchor_day: impl Fn(&str) -> Option<u8>) {
        match (row.is_wallet, row.event_type) {
            (true, Some(PLAN_CHANGED)) => self.change_plan(row),
            (true, Some(CLOSED)) => self.close(row),
            (true, _) => {
                let stated = row.data.and_then(anchor_day);
                self.anchor = stated.unwrap_or(day_of_month(row.start));
                self.closed.remove(row.customer);
                self.is_opened = true;
            }
            (false, _) => self.pool(row),
        }
    }

    /// The newest period of the row's customer.
    fn current(&mut self, row: &Row<'_>) -> Option<&mut PeriodRow> {
        let newest = self.periods.last_mut();
        newest.filter(|period| period.customer == row.customer)
    }

    /// A change from the next period on says what holds until then.
    fn change_plan(&mut self, row: &Row<'_>) {
        let terms = terms(self.book, row.terms).cloned();
        if let Some((current, terms)) = self.current(row).zip(terms) {
            let (version, plan) = row.terms;
            current.plan = plan.to_owned();
            current.price_version = version.to_owned();
            set_terms(current, &terms);
        }
    }

    /// What is still open ends with the grace after the closing.
    fn close(&mut self, row: &Row<'_>) {
        let grace = grace(self.book, row.received_at);
        let ends = row.received_at.plus(grace).get();
        self.closed.insert(row.customer.to_owned());
        let own = self.periods.iter_mut().rev();
        for period in own.take_while(|period| period.customer == row.customer) {
            // On its first day the wallet may be opened anew, into the same period.
            let first_day = Day::new(period.period + 1).start().get();
            period.closes_at = period.closes_at.min(ends.max(first_day));
        }
    }

    fn pool(&mut self, row: &Row<'_>) {
        // The row that starts a period ends the one before, by the rules then in force; but not
        // one that the wallet's closing ended.
        let grace_now = grace(self.book, row.received_at);
        let is_opened = std::mem::take(&mut self.is_opened);
        if let Some(before) = self.current(row) {
            if before.period == row.start.get() && !is_opened {
                return; // what a larger plan adds to the pool
            }
            if before.period == row.start.get() {
                self.periods.pop(); // closed and opened anew within its first day
            } else if before.closes_at == i64::MAX {
                let end = Day::new(before.period_end).start();
                before.closes_at = end.plus(grace_now).get();
            }
        }
        let Some(terms) = terms(self.book, row.terms) else {
            return;
        };
        let end = period_end(row.start, self.anchor).start();
        let (version, plan) = row.terms;
        let mut period = PeriodRow {
            customer: row.customer.to_owned(),
            period: row.start.get(),
            period_end: end.day().get(),
            closes_at: i64::MAX,
            plan: plan.to_owned(),
            price_version: version.to_owned(),
            pool_microcredits: 0,
            fee_nanos: 0,
            currency: String::new(),
            overage: terms.overage,
            shard: row.shard,
            number: None,
        };
        set_terms(&mut period, terms);
        self.periods.push(period);
    }
}

/// What a period that goes on is to close at, by the rules in force at its end.
fn close_the_last(book: &PriceBook, periods: &mut [PeriodRow]) {
    for period in periods {
        if period.closes_at == i64::MAX {
            let end = Day::new(period.period_end).start();
            period.closes_at = end.plus(grace(book, end)).get();
        }
    }
}

/// Numbers the closed periods' invoices in the order of closing, for which every later closing must
/// come later: not before the slowest shard's now, nor before the end of a period whose next one
/// has not begun yet (so many may fall due at once that the rows come with later messages).
fn number(periods: &mut [PeriodRow], clocks: &[i64], closed: &BTreeSet<String>) {
    let mut horizon = clocks.iter().copied().min().unwrap_or(i64::MIN);
    for (at, period) in periods.iter().enumerate() {
        let next = periods.get(at + 1);
        let is_newest = next.is_none_or(|next| next.customer != period.customer);
        if is_newest && !closed.contains(&period.customer) {
            horizon = horizon.min(Day::new(period.period_end).start().get());
        }
    }
    // One that closes at the horizon itself may have a fellow that nobody has seen yet.
    let is_closed = |period: &&mut PeriodRow| period.closes_at < horizon;
    let mut finals: Vec<&mut PeriodRow> = periods.iter_mut().filter(is_closed).collect();
    finals.sort_by(|a, b| {
        let key = |row: &PeriodRow| (row.closes_at, row.period);
        key(a)
            .cmp(&key(b))
            .then_with(|| a.customer.cmp(&b.customer))
    });
    for (period, number) in finals.into_iter().zip(1..) {
        period.number = Some(number);
    }
}

fn grace(book: &PriceBook, at: Timestamp) -> i64 {
    book.tables()[book.in_force_or_first(at)].rules.grace
}

fn terms<'b>(book: &'b PriceBook, (version, plan): (&str, &str)) -> Option<&'b Plan> {
    let tables = book.tables().iter();
    let mut tables = tables.filter(|table| table.version == version);
    tables.next().and_then(|table| table.plan(plan))
}

fn set_terms(period: &mut PeriodRow, plan: &Plan) {
    period.pool_microcredits = plan.pool.get();
    period.fee_nanos = plan.fee.get();
    period.currency.clone_from(&plan.currency);
    period.overage = plan.overage;
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
