//! A whole wallet as text, and back.
//!
//! Owns the column `state` of the wallets table: JSON in the smallest units (microcredits, days
//! and microseconds since 1970). Leaves the columns that people query to `columns`.
//!
//! Invariant: what is read back is the wallet that was written; anything else is an error.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::WalletsError;
use crate::domain::units::{Credits, Day, Money, Timestamp};
use crate::domain::wallet::pace::{DailyUse, KEPT_DAYS};
use crate::domain::wallet::{Basis, BurnOrder, Closing, EndedPeriod, Grant, Period, Terms, Wallet};

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct State<'a> {
    anchor: u8,
    opened: i32,
    #[serde(borrow)]
    current: Current<'a>,
    ended: Vec<Ended<'a>>,
    grants: Vec<Given<'a>>,
    latest_day: i32,
    daily_use: [i64; KEPT_DAYS],
    /// The upper and the lower half.
    reached: (u64, u64),
    blocked: bool,
    run_out_told: Option<u16>,
    #[serde(borrow)]
    next_plan: Option<Cow<'a, str>>,
    /// When it was closed, and when what is left is voided.
    closing: Option<(i64, i64)>,
    touched: i64,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Current<'a> {
    start: i32,
    end: i32,
    #[serde(borrow)]
    terms: Named<'a>,
    pool: i64,
    fee: i64,
    remaining: i64,
    consumed: i64,
    overage: i64,
    had_overage: bool,
    voided: bool,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Ended<'a> {
    start: i32,
    end: i32,
    closes_at: i64,
    #[serde(borrow)]
    terms: Named<'a>,
    remaining: i64,
    had_overage: bool,
    voided: bool,
}

/// Price version and plan.
#[derive(Deserialize, Serialize)]
struct Named<'a>(#[serde(borrow)] Cow<'a, str>, #[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Given<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    priority: i32,
    expires_at: Option<i64>,
    basis: Word,
    effective_at: i64,
    remaining: i64,
    expiring_told: bool,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Promotional,
    Rollover,
    Pool,
    Purchased,
}

/// The wallet as text.
///
/// # Errors
///
/// None with a wallet; the library allows for values that have no JSON.
pub(super) fn write(wallet: &Wallet) -> Result<String, serde_json::Error> {
    serde_json::to_string(&State {
        anchor: wallet.anchor,
        opened: wallet.opened.get(),
        current: Current {
            start: wallet.current.start.get(),
            end: wallet.current.end.get(),
            terms: named(&wallet.current.terms),
            pool: wallet.current.pool.get(),
            fee: wallet.current.fee.get(),
            remaining: wallet.current.remaining.get(),
            consumed: wallet.current.consumed.get(),
            overage: wallet.current.overage.get(),
            had_overage: wallet.current.had_overage,
            voided: wallet.current.voided,
        },
        ended: wallet.ended.iter().map(ended).collect(),
        grants: wallet.grants.iter().map(given).collect(),
        latest_day: wallet.daily_use.latest.get(),
        daily_use: wallet.daily_use.charged,
        reached: ((wallet.reached >> 64) as u64, wallet.reached as u64),
        blocked: wallet.blocked,
        run_out_told: wallet.run_out_told,
        next_plan: wallet.next_plan.as_deref().map(Cow::from),
        closing: wallet
            .closing
            .map(|closing| (closing.closed_at.get(), closing.voids_at.get())),
        touched: wallet.touched.get(),
    })
}

/// The wallet of `customer` that `text` tells of; `terms` finds a plan as a version states it.
///
/// # Errors
///
/// The text is not what `write` wrote, or `terms` gives an error.
pub(super) fn read(
    customer: &str,
    text: &str,
    mut terms: impl FnMut(&str, &str) -> Result<Arc<Terms>, WalletsError>,
) -> Result<Wallet, WalletsError> {
    let state: State<'_> = serde_json::from_str(text)?;
    let mut found = |named: &Named<'_>| terms(&named.0, &named.1);
    let current = Period {
        start: Day::new(state.current.start),
        end: Day::new(state.current.end),
        terms: found(&state.current.terms)?,
        pool: Credits::new(state.current.pool),
        fee: Money::new(state.current.fee),
        remaining: Credits::new(state.current.remaining),
        consumed: Credits::new(state.current.consumed),
        overage: Credits::new(state.current.overage),
        had_overage: state.current.had_overage,
        voided: state.current.voided,
    };
    let ended = state.ended.iter().map(|ended| {
        Ok(EndedPeriod {
            start: Day::new(ended.start),
            end: Day::new(ended.end),
            closes_at: Timestamp::new(ended.closes_at),
            terms: found(&ended.terms)?,
            remaining: Credits::new(ended.remaining),
            had_overage: ended.had_overage,
            voided: ended.voided,
        })
    });
    Ok(Wallet {
        customer: Arc::from(customer),
        anchor: state.anchor,
        opened: Day::new(state.opened),
        current,
        ended: ended.collect::<Result<_, WalletsError>>()?,
        grants: state.grants.iter().map(grant).collect(),
        daily_use: DailyUse {
            latest: Day::new(state.latest_day),
            charged: state.daily_use,
        },
        reached: u128::from(state.reached.0) << 64 | u128::from(state.reached.1),
        blocked: state.blocked,
        run_out_told: state.run_out_told,
        next_plan: state.next_plan.map(Cow::into_owned),
        closing: state.closing.map(|(closed_at, voids_at)| Closing {
            closed_at: Timestamp::new(closed_at),
            voids_at: Timestamp::new(voids_at),
        }),
        touched: Timestamp::new(state.touched),
    })
}

fn named(terms: &Terms) -> Named<'_> {
    Named((&*terms.version).into(), terms.plan.id.as_str().into())
}

fn ended(period: &EndedPeriod) -> Ended<'_> {
    Ended {
        start: period.start.get(),
        end: period.end.get(),
        closes_at: period.closes_at.get(),
        terms: named(&period.terms),
        remaining: period.remaining.get(),
        had_overage: period.had_overage,
        voided: period.voided,
    }
}

fn given(grant: &Grant) -> Given<'_> {
    Given {
        id: (&*grant.id).into(),
        priority: grant.order.priority,
        expires_at: grant.order.expires_at.map(Timestamp::get),
        basis: match grant.order.basis {
            Basis::Promotional => Word::Promotional,
            Basis::Rollover => Word::Rollover,
            Basis::Pool => Word::Pool,
            Basis::Purchased => Word::Purchased,
        },
        effective_at: grant.order.effective_at.get(),
        remaining: grant.remaining.get(),
        expiring_told: grant.expiring_told,
    }
}

fn grant(given: &Given<'_>) -> Grant {
    Grant {
        id: Arc::from(&*given.id),
        order: BurnOrder {
            priority: given.priority,
            expires_at: given.expires_at.map(Timestamp::new),
            basis: match given.basis {
                Word::Promotional => Basis::Promotional,
                Word::Rollover => Basis::Rollover,
                Word::Pool => Basis::Pool,
                Word::Purchased => Basis::Purchased,
            },
            effective_at: Timestamp::new(given.effective_at),
        },
        remaining: Credits::new(given.remaining),
        expiring_told: given.expiring_told,
    }
}
