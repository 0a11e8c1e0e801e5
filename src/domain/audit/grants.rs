//! Openings, changes, grants and their ends: what their rows should say.
//!
//! Owns what a wallet's opening and changes, a pool, a granted credit, a rollover and the end of a
//! grant say by the price tables and by the command that brought them. Leaves sums to `books`.
//!
//! Invariant: each function is true when the row can be applied to the wallet.

use super::books::{Account, Rolling};
use super::finding::{Fault, RowCheck};
use super::sequence::TIMER_IDX;
use crate::domain::calendar::period_end;
use crate::domain::command::{ChangeAt, Granted, Opened, PLAN_CHANGED, PlanChanged, Voided};
use crate::domain::entry::{Entry, GrantId, Kind};
use crate::domain::event::Members;
use crate::domain::price::PriceBook;
use crate::domain::units::{Credits, Day, Money, Timestamp};
use crate::domain::wallet::{Period, Wallet, rollover_id};

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

/// A period's pool, or what a larger plan adds to it. `wallet` is as the row before left it, `None`
/// when it is not known.
pub(super) fn pool(
    check: &mut RowCheck<'_, '_>,
    book: &PriceBook,
    (account, start): (&mut Account, Day),
    wallet: Option<&Wallet>,
) -> bool {
    let row = check.row;
    let is_first = std::mem::take(&mut account.awaits_pool);
    let is_more = std::mem::take(&mut account.awaits_more);
    let expected = match wallet {
        None => row.period,
        Some(wallet) if is_first || is_more => Some(wallet.current.start),
        Some(wallet) => Some(wallet.current.end),
    };
    let mut is_sound = check.day("period", row.period, expected);
    is_sound &= check.column("grant_id", row.grant_id, expected.map(GrantId::Pool));
    if let Some(wallet) = wallet {
        let plan = match is_first || is_more {
            true => wallet.current.terms.plan.id.as_str(),
            false => wallet.plan_to_come(),
        };
        is_sound &= check.column("plan", row.plan, Some(plan));
    }
    // The opening's pool comes with it, every other one when a period is over.
    let is_over = row.idx == TIMER_IDX && row.received_at >= start.start();
    if !is_first && !is_more && !is_over {
        check.fault(Fault::NotOver);
        is_sound = false;
    }
    if wallet.is_some_and(|wallet| wallet.closing().is_some()) {
        check.fault(Fault::Closed);
        is_sound = false;
    }
    let given = wallet.filter(|_| is_more).map(|wallet| &wallet.current);
    is_sound &= pool_terms(check, book, start, given);
    if let Some(wallet) = wallet.filter(|_| !is_first && !is_more) {
        let (from, credits) = (wallet.current.start, wallet.rolled_over());
        account.rolling = (credits > Credits::ZERO).then_some(Rolling {
            from,
            credits,
            has_left: false,
        });
    }
    let grace = book.tables()[book.in_force_or_first(row.received_at)]
        .rules
        .grace;
    let closes_at = start.start().plus(grace);
    let booked = account.pool(start, self::given(row), closes_at);
    is_sound & is_booked(check, booked)
}

/// What a pool holds and costs by its plan, less what the period was `given` before.
fn pool_terms(
    check: &mut RowCheck<'_, '_>,
    book: &PriceBook,
    start: Day,
    given: Option<&Period>,
) -> bool {
    let row = check.row;
    let table = row.plan.map(|plan| book.terms_table(start.start(), plan));
    let found = table
        .zip(row.plan)
        .and_then(|(t, id)| t.plan(id).zip(Some(t)));
    let Some((plan, table)) = found else {
        check.column("plan", row.plan, None);
        return false;
    };
    let before = given.map(|period| (period.pool.get(), period.fee.get()));
    let (pool, fee) = before.unwrap_or_default();
    let version = Some(table.version.as_str());
    let credits = Credits::new((plan.pool.get() - pool).max(0));
    let mut is_sound = check.column("price_version", row.price_version, version);
    is_sound &= check.column("delta", row.delta, Some(credits));
    let fee = Money::new((plan.fee.get() - fee).max(0));
    is_sound &= check.column("amount", row.amount, Some(fee));
    check.column("currency", row.currency, Some(plan.currency.as_str()));
    is_sound
}

/// A change of plan, or the closing of the wallet.
pub(super) fn change(
    check: &mut RowCheck<'_, '_>,
    (book, data): (&PriceBook, Option<&Members<'_>>),
    account: &mut Account,
    wallet: Option<&Wallet>,
) -> bool {
    let row = check.row;
    let Some(wallet) = wallet else {
        account.awaits_more = row.event_type == Some(PLAN_CHANGED);
        return true;
    };
    let mut is_sound = check.day("period", row.period, Some(wallet.current.start));
    let current = &wallet.current.terms;
    let mut expected = (current.plan.id.as_str(), &*current.version);
    if row.event_type == Some(PLAN_CHANGED) {
        let Some(Ok(change)) = data.map(PlanChanged::read) else {
            check.fault(Fault::Data);
            return false;
        };
        if change.at == ChangeAt::Now {
            let terms = book.terms_table(wallet.current.start.start(), change.plan);
            expected = (change.plan, &terms.version);
            let current = &wallet.current;
            account.awaits_more = terms
                .plan(change.plan)
                .is_some_and(|plan| plan.pool > current.pool || plan.fee > current.fee);
        }
    }
    is_sound &= check.column("plan", row.plan, Some(expected.0));
    is_sound & check.column("price_version", row.price_version, Some(expected.1))
}

/// A period's rest, which leaves its pool and arrives in the grant that takes it over.
pub(super) fn rollover(
    check: &mut RowCheck<'_, '_>,
    (account, grant): (&mut Account, GrantId<'_>),
    wallet: Option<&Wallet>,
) -> bool {
    let row = check.row;
    let booked = match grant {
        GrantId::Pool(_) => account.roll_out(grant, -given(row)),
        GrantId::Named(id) => {
            let begins = account.pool.map_or(row.received_at, Day::start);
            let ends = wallet.and_then(rollover_ends);
            // As a pool, and unlike a command's, it ends by the message that wakes both.
            account.named(0, (id, given(row)), (begins, ends))
        }
    };
    let is_sound = is_booked(check, booked);
    let Some(wallet) = wallet else {
        return is_sound;
    };
    let Some(rolling) = account.rolling else {
        check.fault(Fault::NothingRolls);
        return false;
    };
    let (period, id, delta) = match rolling.has_left {
        false => (rolling.from, None, Credits::new(-rolling.credits.get())),
        true => (
            wallet.current.start,
            Some(rollover_id(rolling.from)),
            rolling.credits,
        ),
    };
    let expected = match &id {
        None => GrantId::Pool(rolling.from),
        Some(id) => GrantId::Named(id),
    };
    account.rolling = (!rolling.has_left).then_some(Rolling {
        has_left: true,
        ..rolling
    });
    let terms = wallet.terms_of(period);
    check.day("period", row.period, Some(period));
    check.column("plan", row.plan, Some(terms.plan.id.as_str()));
    let is_right = check.column("grant_id", row.grant_id, Some(expected));
    is_sound & is_right & check.column("delta", row.delta, Some(delta))
}

/// When the grant ends that takes over what the last period left.
fn rollover_ends(wallet: &Wallet) -> Option<Timestamp> {
    let rollover = wallet.ended.last()?.terms.plan.rollover?;
    let end = |day: Day| period_end(day, wallet.anchor);
    let ends = (0..rollover.periods).fold(wallet.current.start, |day, _| end(day));
    Some(ends.start())
}

/// What was left of a grant is taken: by a command, or when a closed wallet ends.
pub(super) fn void(
    check: &mut RowCheck<'_, '_>,
    (account, grant): (&mut Account, GrantId<'_>),
    data: Option<&Members<'_>>,
    wallet: Option<&Wallet>,
) -> bool {
    let row = check.row;
    let mut is_sound = true;
    if let Some((remaining, _)) = account.held(grant) {
        is_sound &= check.column("delta", row.delta, Credits::from_i128(-remaining));
    }
    if row.idx == TIMER_IDX {
        let closing = wallet.and_then(|wallet| wallet.closing());
        let is_due = closing.is_none_or(|closing| closing.voids_at <= row.received_at);
        if !is_due || (wallet.is_some() && closing.is_none()) {
            check.fault(Fault::NotOver);
            is_sound = false;
        }
    } else {
        let Some(Ok(voided)) = data.map(Voided::read) else {
            check.fault(Fault::Data);
            return false;
        };
        let named = GrantId::parse(voided.grant);
        is_sound &= check.column("grant_id", row.grant_id, Some(named));
    }
    ended_in(check, grant, wallet);
    let booked = account.void(grant, -given(row));
    is_sound & is_booked(check, booked)
}

/// The row is booked to the pool's own period, or to the current one.
fn ended_in(check: &mut RowCheck<'_, '_>, grant: GrantId<'_>, wallet: Option<&Wallet>) {
    let row = check.row;
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

/// The end of a grant with something left in it, or with something given back after it was over.
pub(super) fn expiry(
    check: &mut RowCheck<'_, '_>,
    (account, grant): (&mut Account, GrantId<'_>),
    wallet: Option<&Wallet>,
) -> bool {
    let row = check.row;
    let mut is_sound = true;
    let is_gone = row.idx != TIMER_IDX && account.is_gone(grant, row.received_at);
    if let Some((remaining, ends_at)) = account.held(grant) {
        let expected = Credits::from_i128(-remaining);
        is_sound &= check.column("delta", row.delta, expected);
        let is_over = ends_at.is_some_and(|end| end <= row.received_at);
        if !is_gone && (!is_over || row.idx != TIMER_IDX) {
            check.fault(Fault::NotOver);
            is_sound = false;
        }
    }
    match is_gone {
        true => current(check, wallet),
        false => ended_in(check, grant, wallet),
    }
    let booked = account.expire(grant, -given(row));
    is_sound & is_booked(check, booked)
}

/// The moment that a row's balance is looked at by: a timer's own, however late it fired.
pub(super) fn as_of(row: &Entry<'_>, account: &Account, wallet: Option<&Wallet>) -> Timestamp {
    let current = account.pool.map(Day::start);
    let due = match (row.kind, row.grant_id) {
        _ if row.idx != TIMER_IDX => None,
        (Kind::Grant, Some(GrantId::Pool(start))) => Some(start.start()),
        (Kind::Rollover, _) => current,
        (Kind::Void, _) => wallet
            .and_then(|wallet| wallet.closing())
            .map(|closing| closing.voids_at),
        (_, Some(grant)) => account.held(grant).and_then(|(_, ends_at)| ends_at),
        (_, None) => None,
    };
    due.unwrap_or(row.received_at)
}

/// The row is booked to the current period and plan.
pub(super) fn current(check: &mut RowCheck<'_, '_>, wallet: Option<&Wallet>) {
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
