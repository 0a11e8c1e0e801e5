//! The periods and grants of every wallet, worked out from the ledger.
//!
//! Owns reading the rows that open, change and close wallets, start periods and give credits, and
//! numbering the invoices of the periods that have closed. Leaves where a period ends to
//! `domain::calendar` and what a plan says to the price book.
//!
//! Invariant: as the engine reckons them, since both use the same calendar and the same rows. A
//! number, once given, is given again by every later state of the ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Int32Type, Int64Type, TimestampMicrosecondType};
use datafusion::catalog::TableProvider;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use futures::try_join;

use super::error::SqlError;
use super::session::{Limits, context_on, runtime};
use super::tables::{GrantRow, PeriodRow};
use crate::domain::calendar::{day_of_month, period_end};
use crate::domain::command::{
    CLOSED, ChangeAt, GRANTED, Granted, OPENED, Opened, PLAN_CHANGED, PlanChanged,
};
use crate::domain::event::Members;
use crate::domain::price::{Plan, PriceBook};
use crate::domain::units::{Day, Timestamp};
use crate::domain::wallet::BurnOrder;

/// Rollovers by themselves, since no other row's delta is looked at and few row groups have any.
const WALLETS_AND_GRANTS: &str = "
    WITH found AS (
        SELECT * FROM coded_ledger WHERE kind IN ('wallet', 'grant')
        UNION ALL
        SELECT * FROM coded_ledger WHERE kind = 'rollover' AND delta > 0
    )
    SELECT customer, kind, period, plan, price_version, received_at, event_type, entry, shard,
           grant_id
    FROM found ORDER BY customer, entry";

/// How far each shard is; of a single one the files' statistics tell.
const CLOCK: &str = "SELECT MAX(received_at) AS now FROM ledger";
const CLOCKS: &str = "SELECT MAX(received_at) AS now FROM ledger GROUP BY shard";

/// A row that opens or changes a wallet, or gives a pool.
struct Row<'a> {
    customer: &'a str,
    kind: &'a str,
    event_type: Option<&'a str>,
    /// First day of the period that it is booked to.
    start: Day,
    /// Version and plan.
    terms: (&'a str, &'a str),
    received_at: Timestamp,
    data: Option<&'a str>,
    shard: i32,
    grant_id: &'a str,
}

impl Row<'_> {
    /// What `read` makes of the command's members.
    fn of_data<T>(
        &self,
        members: Decode,
        mut read: impl FnMut(&Members<'_>) -> Option<T>,
    ) -> Option<T> {
        let mut found = None;
        members(self.data?, &mut |members| found = read(members));
        found
    }
}

/// Hands the members of a row's `data` to a reader, unless it is no JSON.
pub type Decode = fn(&str, &mut dyn FnMut(&Members<'_>));

/// One row for each wallet and period in a ledger of so many shards, and one for each grant that is
/// no pool. The two tables hold the same rows, the second with repeated texts as codes.
///
/// # Errors
///
/// The ledger can't be read.
pub async fn read_periods(
    (ledger, coded_ledger): (Arc<dyn TableProvider>, Arc<dyn TableProvider>),
    shard_count: u32,
    book: &PriceBook,
    decode: Decode,
) -> Result<(Vec<PeriodRow>, Vec<GrantRow>), SqlError> {
    let limits = Limits {
        memory_bytes_max: None,
    };
    let context = context_on(runtime(&limits).map_err(SqlError::Open)?);
    for (name, table) in [("ledger", ledger), ("coded_ledger", coded_ledger)] {
        context
            .register_table(name, table)
            .map_err(SqlError::Open)?;
    }
    let clock = if shard_count == 1 { CLOCK } else { CLOCKS };
    let (commands, batches, clock) = try_join!(
        commands(&context),
        rows(&context, WALLETS_AND_GRANTS),
        rows(&context, clock),
    )?;
    let mut reckoned = Reckoned {
        book,
        decode,
        anchor: 1,
        periods: Vec::new(),
        grants: BTreeMap::new(),
        closed: BTreeSet::new(),
        is_opened: false,
    };
    for batch in &batches {
        let text = |name| texts(batch, name).map_err(SqlError::Open);
        let (customers, kinds) = (text("customer")?, text("kind")?);
        let (plans, versions) = (text("plan")?, text("price_version")?);
        let (types, grants) = (text("event_type")?, text("grant_id")?);
        let starts = column(batch, "period")?.as_primitive::<Date32Type>();
        let times = column(batch, "received_at")?.as_primitive::<TimestampMicrosecondType>();
        let names = names(batch)?;
        for (row, name) in names.into_iter().enumerate() {
            let row = Row {
                customer: customers.value(row),
                kind: kinds.value(row),
                event_type: types.is_valid(row).then(|| types.value(row)),
                start: Day::new(starts.value(row)),
                terms: (versions.value(row), plans.value(row)),
                received_at: Timestamp::new(times.value(row)),
                data: commands.get(&name).map(String::as_str),
                shard: name.0,
                grant_id: grants.value(row),
            };
            reckoned.add(&row);
        }
    }
    let Reckoned {
        mut periods,
        grants,
        closed,
        ..
    } = reckoned;
    close_the_last(book, &mut periods);
    let mut clocks = Vec::new();
    for batch in clock {
        let times = column(&batch, "now")?.as_primitive::<TimestampMicrosecondType>();
        clocks.extend(times.iter().flatten());
    }
    // A shard that has no row yet may have periods of any time to come.
    if clocks.len() == shard_count as usize {
        number(&mut periods, &clocks, &closed);
    }
    let row = |((customer, grant_id), order)| GrantRow {
        customer,
        grant_id,
        order,
    };
    Ok((periods, grants.into_iter().map(row).collect()))
}

/// The `data` of each command, by its row's shard and entry. Asked for by itself, since no column
/// takes as long to read, and few rows have it.
async fn commands(context: &SessionContext) -> Result<BTreeMap<(i32, i64), String>, SqlError> {
    let sql = format!(
        "SELECT shard, entry, ARROW_CAST(data, 'Utf8') AS data
         FROM coded_ledger
         WHERE kind IN ('wallet', 'grant') AND data IS NOT NULL
               AND event_type IN ('{OPENED}', '{PLAN_CHANGED}', '{CLOSED}', '{GRANTED}')"
    );
    let mut commands = BTreeMap::new();
    for batch in rows(context, &sql).await? {
        let data = texts(&batch, "data").map_err(SqlError::Open)?;
        let data = data.iter().flatten().map(str::to_owned);
        commands.extend(names(&batch)?.into_iter().zip(data));
    }
    Ok(commands)
}

/// Shard and entry of each row.
fn names(batch: &RecordBatch) -> Result<Vec<(i32, i64)>, SqlError> {
    let shards = column(batch, "shard")?.as_primitive::<Int32Type>();
    let entries = column(batch, "entry")?.as_primitive::<Int64Type>();
    let shards = shards.values().iter().copied();
    Ok(shards.zip(entries.values().iter().copied()).collect())
}

async fn rows(context: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>, SqlError> {
    let frame = context.sql(sql).await.map_err(SqlError::Open)?;
    frame.collect().await.map_err(SqlError::Open)
}

/// The periods so far; those of one customer come one after the other.
struct Reckoned<'b> {
    book: &'b PriceBook,
    decode: Decode,
    /// Of the customer at hand.
    anchor: u8,
    periods: Vec<PeriodRow>,
    /// Of each customer and grant, the newest order; two commands may come to the same id.
    grants: BTreeMap<(String, String), BurnOrder>,
    /// Whose wallet is closed.
    closed: BTreeSet<String>,
    /// Whether the customer's wallet was opened, also anew, since its last pool.
    is_opened: bool,
}

impl Reckoned<'_> {
    fn add(&mut self, row: &Row<'_>) {
        match (row.kind, row.event_type) {
            ("wallet", Some(PLAN_CHANGED)) => self.change_plan(row),
            ("wallet", Some(CLOSED)) => self.close(row),
            ("wallet", _) => {
                let stated = |members: &Members<'_>| Opened::anchor_day(members).ok().flatten();
                let stated = row.of_data(self.decode, stated);
                self.anchor = stated.unwrap_or(day_of_month(row.start));
                self.closed.remove(row.customer);
                self.is_opened = true;
            }
            ("rollover", _) => self.roll_over(row),
            (_, Some(GRANTED)) => {
                let order = |members: &Members<'_>| {
                    let granted = Granted::read(members, row.received_at).ok();
                    granted.map(|granted| granted.order)
                };
                if let Some(order) = row.of_data(self.decode, order) {
                    self.give(row, order);
                }
            }
            _ => self.pool(row),
        }
    }

    fn give(&mut self, row: &Row<'_>, order: BurnOrder) {
        let id = (row.customer.to_owned(), row.grant_id.to_owned());
        self.grants.insert(id, order);
    }

    /// What is rolled over lives as long as the plan of the period that ended says.
    fn roll_over(&mut self, row: &Row<'_>) {
        let [.., ended, current] = self.periods.as_slice() else {
            return;
        };
        let plan = terms(self.book, (&ended.price_version, &ended.plan));
        let Some(rollover) = plan.and_then(|plan| plan.rollover) else {
            return;
        };
        let begins = Day::new(current.period);
        let order = BurnOrder::rolled_over(begins, rollover.periods, self.anchor);
        self.give(row, order);
    }

    /// The newest period of the row's customer.
    fn current(&mut self, row: &Row<'_>) -> Option<&mut PeriodRow> {
        let newest = self.periods.last_mut();
        newest.filter(|period| period.customer == row.customer)
    }

    /// A change from the next period on says what holds until then.
    fn change_plan(&mut self, row: &Row<'_>) {
        let terms = terms(self.book, row.terms).cloned();
        let later = |members: &Members<'_>| {
            let change = PlanChanged::read(members).ok();
            let change = change.filter(|change| change.at == ChangeAt::NextPeriod);
            change.map(|change| change.plan.to_owned())
        };
        let later = row.of_data(self.decode, later);
        if let Some((current, terms)) = self.current(row).zip(terms) {
            current.next_plan = later;
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
            period.next_plan = None;
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
            // A change that waited for this period has come.
            before.next_plan = None;
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
            next_plan: None,
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
