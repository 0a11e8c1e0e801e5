//! Which columns a row of each kind has, and which it can't have.
//!
//! Owns nulls. Leaves the values to the files beside this one.
//!
//! Invariant: only rows that charge, pay or bill have `credits`, `delta` or `amount`, so that
//! plain sums over all rows are right.

use super::finding::{Fault, RowCheck};
use super::sequence::TIMER_IDX;
use crate::domain::entry::{Entry, GrantId, Kind};

/// The columns that may be null, each a bit.
const NAMES: [&str; 21] = [
    "customer",
    "period",
    "used_at",
    "event_source",
    "event_id",
    "event_type",
    "task",
    "unit",
    "quantity",
    "credits",
    "grant_id",
    "delta",
    "balance",
    "amount",
    "currency",
    "cost_usd",
    "plan",
    "price_version",
    "price_id",
    "late",
    "reason",
];
const CUSTOMER: u32 = 1;
const PERIOD: u32 = 1 << 1;
/// used_at and the event's source, id and type.
const EVENT: u32 = 0b1111 << 2;
const TASK_AND_UNIT: u32 = 0b11 << 6;
const QUANTITY: u32 = 1 << 8;
const CREDITS: u32 = 1 << 9;
const GRANT: u32 = 1 << 10;
const GRANT_AND_DELTA: u32 = 0b11 << 10;
const BALANCE: u32 = 1 << 12;
const AMOUNT_AND_CURRENCY: u32 = 0b11 << 13;
const COST: u32 = 1 << 15;
const PLAN: u32 = 1 << 16;
const VERSION: u32 = 1 << 17;
const PRICE: u32 = 1 << 18;
const LATE: u32 = 1 << 19;
const REASON: u32 = 1 << 20;

/// What a row of its kind must have, and what it may have besides.
struct Shape {
    must: u32,
    may: u32,
}

fn shape(row: &Entry<'_>) -> Shape {
    let event = if row.idx == TIMER_IDX { 0 } else { EVENT };
    let wallet = CUSTOMER | PERIOD | BALANCE | PLAN | event;
    let exactly = |must| Shape { must, may: 0 };
    match row.kind {
        Kind::Usage => Shape {
            must: wallet | EVENT | TASK_AND_UNIT | CREDITS | VERSION | PRICE | LATE,
            may: QUANTITY | COST | GRANT_AND_DELTA | AMOUNT_AND_CURRENCY,
        },
        Kind::Grant => match row.grant_id {
            Some(GrantId::Named(_)) => Shape {
                must: wallet | GRANT_AND_DELTA,
                may: AMOUNT_AND_CURRENCY,
            },
            _ => exactly(wallet | GRANT_AND_DELTA | AMOUNT_AND_CURRENCY | VERSION),
        },
        Kind::Reversal => Shape {
            must: wallet | TASK_AND_UNIT | CREDITS | VERSION | PRICE | REASON,
            may: QUANTITY | COST | GRANT_AND_DELTA | AMOUNT_AND_CURRENCY,
        },
        Kind::Expire | Kind::Void | Kind::Rollover => exactly(wallet | GRANT_AND_DELTA),
        Kind::Wallet => exactly(wallet | VERSION),
        Kind::Alert => Shape {
            must: wallet | VERSION | REASON,
            may: GRANT,
        },
        Kind::Prices => exactly(VERSION),
        Kind::Tick => exactly(0),
        Kind::Duplicate | Kind::Conflict => exactly(CUSTOMER | EVENT),
        Kind::Rejected => Shape {
            must: REASON,
            may: CUSTOMER | EVENT,
        },
    }
}

fn present(row: &Entry<'_>) -> u32 {
    let columns = [
        row.customer.is_some(),
        row.period.is_some(),
        row.used_at.is_some(),
        row.event_source.is_some(),
        row.event_id.is_some(),
        row.event_type.is_some(),
        row.task.is_some(),
        row.unit.is_some(),
        row.quantity.is_some(),
        row.credits.is_some(),
        row.grant_id.is_some(),
        row.delta.is_some(),
        row.balance.is_some(),
        row.amount.is_some(),
        row.currency.is_some(),
        row.cost_usd.is_some(),
        row.plan.is_some(),
        row.price_version.is_some(),
        row.price_id.is_some(),
        row.late.is_some(),
        row.reason.is_some(),
    ];
    let bits = columns.iter().zip(0..);
    bits.fold(0, |all, (there, bit)| all | u32::from(*there) << bit)
}

/// Whether `data` is needed (true), forbidden (false), or either.
fn data(row: &Entry<'_>) -> Option<bool> {
    match (row.kind, row.grant_id) {
        (Kind::Usage | Kind::Reversal | Kind::Rejected, _) => Some(true),
        (Kind::Grant, Some(GrantId::Named(_))) => Some(true),
        (Kind::Void, _) => Some(row.idx != TIMER_IDX),
        (Kind::Wallet, _) => None,
        (Kind::Grant | Kind::Expire | Kind::Rollover | Kind::Prices | Kind::Alert, _)
        | (Kind::Duplicate | Kind::Conflict | Kind::Tick, _) => Some(false),
    }
}

/// Compares the nulls of a row with those of its kind; true when nothing is null that is needed.
pub(super) fn check(check: &mut RowCheck<'_, '_>) -> bool {
    let row = check.row;
    let (there, shape) = (present(row), shape(row));
    let lacks = shape.must & !there;
    let extra = there & !(shape.must | shape.may);
    let has_data = row.data.is_some();
    let lacks_data = data(row) == Some(true) && !has_data;
    let extra_data = data(row) == Some(false) && has_data;
    if lacks != 0 || lacks_data {
        check.fault(Fault::Null(names(lacks, lacks_data)));
    }
    if extra != 0 || extra_data {
        check.fault(Fault::NotNull(names(extra, extra_data)));
    }
    lacks == 0 && !lacks_data
}

fn names(columns: u32, with_data: bool) -> Vec<&'static str> {
    let chosen = NAMES.into_iter().zip(0..);
    let chosen = chosen.filter(|(_, bit)| columns & (1 << bit) != 0);
    let chosen = chosen.map(|(name, _)| name);
    chosen.chain(with_data.then_some("data")).collect()
}
