//! Wallets → columns of the wallets table.
//!
//! Owns which columns there are, for people to query, and their memory. Leaves the column that
//! recovery reads, `state`, to `state`.
//!
//! Invariant: a row stands alone: it is its wallet after the entry `as_of_entry`.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Date32Type, Decimal64Type, Int64Type, SchemaRef};
use arrow::error::ArrowError;

use super::super::buffers::{Fixed, Texts};
use super::super::schema::{CREDIT_PLACES, CREDITS, Column, Type, always, arrow_schema, narrow};
use super::state;
use crate::domain::units::Timestamp;
use crate::domain::wallet::Wallet;

/// The column that the table is partitioned by.
pub(super) const PARTITION: &str = "shard";

/// All columns in the table's order.
pub(super) const COLUMNS: [Column; 12] = [
    always(
        "shard",
        Type::Int,
        "the shard that the wallet is in; the partition",
    ),
    always("customer", Type::Text, "who holds the wallet"),
    always("plan", Type::Text, "the plan of the current period"),
    always("period", Type::Date, "first day of the current period"),
    always(
        "pool",
        CREDITS,
        "what the period's pool held when it was given",
    ),
    always("used", CREDITS, "what grants paid for this period"),
    always("remaining", CREDITS, "credits left in the effective grants"),
    always(
        "overage",
        CREDITS,
        "charges of this period that no grant covered",
    ),
    always(
        "pace",
        CREDITS,
        "credits a day over the last full days, at most seven",
    ),
    always("status", Type::Text, "ok, blocked or closed"),
    always(
        "as_of_entry",
        Type::Long,
        "the last ledger entry that is in the row",
    ),
    always(
        "state",
        Type::Text,
        "the whole wallet, for a worker's restart",
    ),
];

/// Some wallets of a shard, on their way to the table.
#[derive(Default)]
pub struct WalletRows {
    customer: Texts,
    plan: Texts,
    period: Fixed<Date32Type>,
    amounts: [Fixed<Decimal64Type>; 5],
    status: Texts,
    as_of_entry: Fixed<Int64Type>,
    state: Texts,
}

impl WalletRows {
    /// Appends a wallet as it is after the entry `as_of_entry`, at `now`.
    ///
    /// # Errors
    ///
    /// None with a wallet; the library allows for values that have no JSON.
    pub fn push(
        &mut self,
        wallet: &Wallet,
        as_of_entry: i64,
        now: Timestamp,
    ) -> Result<(), serde_json::Error> {
        let state = state::write(wallet)?;
        let current = &wallet.current;
        self.customer.push(&wallet.customer);
        self.plan.push(&current.terms.plan.id);
        self.period.push(current.start.get());
        let pace = wallet.daily_use.pace(now, wallet.opened).per_day();
        let balance = wallet.balance(now);
        let amounts = [
            current.pool,
            current.consumed,
            balance,
            current.overage,
            pace,
        ];
        for (column, amount) in self.amounts.iter_mut().zip(amounts) {
            column.push(amount.get());
        }
        self.status.push(wallet.status().name());
        self.as_of_entry.push(as_of_entry);
        self.state.push(&state);
        Ok(())
    }

    pub(super) fn into_batch(self) -> Result<RecordBatch, ArrowError> {
        let [pool, used, remaining, overage, pace] = self.amounts;
        let columns: Vec<ArrayRef> = vec![
            self.customer.into_array()?,
            self.plan.into_array()?,
            self.period.into_array(),
            pool.into_decimals(CREDIT_PLACES)?,
            used.into_decimals(CREDIT_PLACES)?,
            remaining.into_decimals(CREDIT_PLACES)?,
            overage.into_decimals(CREDIT_PLACES)?,
            pace.into_decimals(CREDIT_PLACES)?,
            self.status.into_array()?,
            self.as_of_entry.into_array(),
            self.state.into_array()?,
        ];
        RecordBatch::try_new(batch_schema(), columns)
    }
}

/// The schema of a file: all columns but the partition, decimals of 64 bits.
pub(super) fn batch_schema() -> SchemaRef {
    narrow(&arrow_schema(&COLUMNS[1..]))
}
