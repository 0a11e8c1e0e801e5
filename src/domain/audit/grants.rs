//! Openings, grants and expiries: what their rows should say.
//!
//! Owns what a wallet's opening, a pool, a granted credit and an expiry say by the price tables
//! and by the command that brought them. Leaves sums to `books`.
//!
//! Invariant: each function is true when the row can be applied to the wallet.

use super::books::Account;
use super::finding::{Fault, RowCheck};
use super::sequence::TIMER_IDX;
use crate::domain::command::{Granted, Opened};
use crate::domain::entry::{Entry, GrantId};
use crate::domain::event::Members;
use crate::domain::price::PriceBook;
use crate::domain::units::{Credits, Day, Timestamp};
use crate::domain::wallet::Wallet;

/// A wallet's opening: by a command, or on the default plan by a first usage.
pub(super) fn opening(
    check: &mut RowCheck<'_, '_>,
    book: &PriceBook,
    data: Option<&Members<'_>>,
) -> bool {
    let row = check.row;
    let today = row.received_at.day();
    let table = &book.tables()[book.in_force_or_first(row.received_at)];
    let mut is_sound = check.day("period", row.period, Some(today));
    let plan = match (row.data, data) {
        (None, _) => table.default_plan.as_deref(),
        (Some(_), Some(data)) => match Opened::read(data) {
            Ok(opened) => Some(opened.plan),
            Err(_) => {
                check.fault(Fault::Data);
                return false;
            }
        },
        (Some(_), None) => {
            check.fault(Fault::Data);
            return false;
        }
    };
    is_sound &= check.column("plan", row.plan, plan);
    if let Some(plan) = plan {
        let terms = book.terms_table(today.start(), plan);
        let version = Some(terms.version.as_str());
        is_sound &= check.column("price_version", row.price_version, version);
    }
    is_sound
}

/// A period's pool. `wallet` is as the row before left it, `None` when it is not known.
pub(super) fn pool(
    check: &mut RowCheck<'_, '_>,
    book: &PriceBook,
    (account, start): (&mut Account, Day),
    wallet: Option<&Wallet>,
) -> bool {
    let row = check.row;
    let expected = match (wallet, account.pool) {
        (None, _) => row.period,
        (Some(wallet), None) => Some(wallet.current.start),
        (Some(wallet), Some(_)) => Some(wallet.current.end),
    };
    let mut is_sound = check.day("period", row.period, expected);
    is_sound &= check.column("grant_id", row.grant_id, expected.map(GrantId::Pool));
    if let Some(wallet) = wallet {
        let plan = wallet.current.terms.plan.id.as_str();
        is_sound &= check.column("plan", row.plan, Some(plan));
    }
    // The opening's pool comes with it, every other one when a period is over.
    if account.pool.is_some() && (row.idx != TIMER_IDX || row.received_at < start.start()) {
        check.fault(Fault::NotOver);
        is_sound = false;
    }
    let table = row.plan.map(|plan| book.terms_table(start.start(), plan));
    match table
        .zip(row.plan)
        .and_then(|(t, id)| t.plan(id).zip(Some(t)))
    {
        None => {
            check.column("plan", row.plan, None);
            is_sound = false;
        }
        Some((plan, table)) => {
            let version = Some(table.version.as_str());
            is_sound &= check.column("price_version", row.price_version, version);
            is_sound &= check.column("delta", row.delta, Some(plan.pool));
            check.column("amount", row.amount, Some(plan.fee));
            check.column("currency", row.currency, Some(plan.currency.as_str()));
        }
    }
    let grace = book.tables()[book.in_force_or_first(row.received_at)]
        .rules
        .grace;
    let closes_at = start.start().plus(grace);
    let booked = account.pool(start, given(row), closes_at);
    is_sound & is_booked(check, booked)
}

/// Credits that a command gave.
pub(super) fn named(
    check: &mut RowCheck<'_, '_>,
    (account, id): (&mut Account, &str),
    data: Option<&Members<'_>>,
    wallet: Option<&Wallet>,
) -> bool {
    let row = check.row;
    let mut is_sound = true;
    if let Some((source, event)) = row.event_source.zip(row.event_id) {
        let expected = format!("{source}/{event}");
        is_sound &= check.column("grant_id", Some(id), Some(expected.as_str()));
    }
    current(check, wallet);
    let mut alive = (row.received_at, None);
    match data.map(|data| Granted::read(data, row.received_at)) {
        Some(Ok(granted)) => {
            is_sound &= check.column("delta", row.delta, Some(granted.credits));
            let (price, currency) = granted.price.unzip();
            check.column("amount", row.amount, price);
            check.column("currency", row.currency, currency);
            alive = (granted.order.effective_at, granted.order.expires_at);
        }
        Some(Err(_)) | None => {
            check.fault(Fault::Data);
            is_sound = false;
        }
    }
    let booked = account.named(row.entry, (id, given(row)), alive);
    is_sound & is_booked(check, booked)
}

/// The end of a grant with something left in it.
pub(super) fn expiry(
    check: &mut RowCheck<'_, '_>,
    (account, grant): (&mut Account, GrantId<'_>),
    wallet: Option<&Wallet>,
) -> bool {
    let row = check.row;
    let mut is_sound = true;
    if let Some((remaining, ends_at)) = account.held(grant) {
        let expected = Credits::from_i128(-remaining);
        is_sound &= check.column("delta", row.delta, expected);
        let is_over = ends_at.is_some_and(|end| end <= row.received_at);
        if !is_over || row.idx != TIMER_IDX {
            check.fault(Fault::NotOver);
            is_sound = false;
        }
    }
    match grant {
        GrantId::Named(_) => current(check, wallet),
        GrantId::Pool(start) => {
            check.day("period", row.period, Some(start));
            if let Some(wallet) = wallet {
                let plan = wallet.terms_of(start).plan.id.as_str();
                check.column("plan", row.plan, Some(plan));
            }
        }
    }
    let booked = account.expire(grant, -given(row));
    is_sound & is_booked(check, booked)
}

/// The moment that a row's balance is looked at by: a timer's own, however late it fired.
pub(super) fn as_of(row: &Entry<'_>, account: &Account) -> Timestamp {
    let due = match row.grant_id {
        _ if row.idx != TIMER_IDX => None,
        Some(GrantId::Pool(start)) if account.pool == Some(start) => Some(start.start()),
        Some(grant) => account.held(grant).and_then(|(_, ends_at)| ends_at),
        None => None,
    };
    due.unwrap_or(row.received_at)
}

/// The row is booked to the current period and plan.
fn current(check: &mut RowCheck<'_, '_>, wallet: Option<&Wallet>) {
    if let Some(wallet) = wallet {
        let row = check.row;
        check.day("period", row.period, Some(wallet.current.start));
        let plan = wallet.current.terms.plan.id.as_str();
        check.column("plan", row.plan, Some(plan));
    }
}

fn given(row: &Entry<'_>) -> i128 {
    i128::from(row.delta.unwrap_or_default().get())
}

fn is_booked(check: &mut RowCheck<'_, '_>, booked: Result<(), Fault>) -> bool {
    let is_booked = booked.is_ok();
    if let Err(fault) = booked {
        check.fault(fault);
    }
    is_booked
}
