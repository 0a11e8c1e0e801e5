//! Wallets → columns of the wallets table.
//!
//! Owns which columns there are, for people to query, and their memory. Leaves the column that
//! recovery reads, `state`, to `state`.
//!
//! Invariant: a row stands alone: it is its wallet after the entry `as_of_entry`.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Builder, Decimal64Builder, Int64Builder, RecordBatch, StringBuilder,
};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use super::super::schema::{
    CREDIT_PLACES, CREDITS, Column, DECIMAL_DIGITS, Type, always, arrow_schema, narrow,
};
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
    customer: StringBuilder,
    plan: StringBuilder,
    period: Date32Builder,
    amounts: [Decimal64Builder; 5],
    status: StringBuilder,
    as_of_entry: Int64Builder,
    state: StringBuilder,
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
        self.customer.append_value(&wallet.customer);
        self.plan.append_value(&current.terms.plan.id);
        self.period.append_value(current.start.get());
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
            column.append_value(amount.get());
        }
        self.status.append_value(wallet.status().name());
        self.as_of_entry.append_value(as_of_entry);
        self.state.append_value(&state);
        Ok(())
    }

    pub(super) fn into_batch(mut self) -> Result<RecordBatch, ArrowError> {
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.customer.finish()),
            Arc::new(self.plan.finish()),
            Arc::new(self.period.finish()),
        ];
        let places = CREDIT_PLACES.cast_signed();
        for mut amounts in self.amounts {
            let amounts = amounts.finish();
            columns.push(Arc::new(
                amounts.with_precision_and_scale(DECIMAL_DIGITS, places)?,
            ));
        }
        let rest: [ArrayRef; 3] = [
            Arc::new(self.status.finish()),
            Arc::new(self.as_of_entry.finish()),
            Arc::new(self.state.finish()),
        ];
        columns.extend(rest);
        RecordBatch::try_new(batch_schema(), columns)
    }
}

/// The schema of a file: all columns but the partition, decimals of 64 bits.
pub(super) fn batch_schema() -> SchemaRef {
    narrow(&arrow_schema(&COLUMNS[1..]))
}
