//! A whole wallet as text, and back.
//!
//! Owns the column `state` of the wallets table: JSON in the smallest units (microcredits, days
//! and microseconds since 1970), each part the row of its values in the order of the fields here;
//! with their names they would be twice as long. Leaves the columns that people query to `columns`.
//!
//! Invariant: what is read back is the wallet that was written; anything else is an error.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::WalletsError;
use crate::domain::units::{Credits, Day, Money, Timestamp};
use crate::domain::wallet::pace::{DailyUse, KEPT_DAYS};
use crate::domain::wallet::{
    Basis, BurnOrder, Closing, EndedPeriod, Grant, Period, Terms, ToCome, Wallet,
};

#[derive(Deserialize)]
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

#[derive(Deserialize)]
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

#[derive(Deserialize)]
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

#[derive(Deserialize)]
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
    let current = &wallet.current;
    serde_json::to_string(&(
        wallet.anchor,
        wallet.opened.get(),
        (
            current.start.get(),
            current.end.get(),
            named(&current.terms),
            current.pool.get(),
            current.fee.get(),
            current.remaining.get(),
            current.consumed.get(),
            current.overage.get(),
            current.had_overage,
            current.voided,
        ),
        wallet.ended.iter().map(ended).collect::<Vec<_>>(),
        wallet.grants.iter().map(given).collect::<Vec<_>>(),
        wallet.daily_use.latest.get(),
        wallet.daily_use.charged,
        ((wallet.reached >> 64) as u64, wallet.reached as u64),
        wallet.blocked,
        wallet.run_out_told,
        wallet.next_plan(),
        wallet
            .closing()
            .map(|closing| (closing.closed_at.get(), closing.voids_at.get())),
        wallet.touched.get(),
    ))
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
    let to_come = ToCome {
        next_plan: state.next_plan.map(Cow::into_owned),
        closing: state.closing.map(|(closed_at, voids_at)| Closing {
            closed_at: Timestamp::new(closed_at),
            voids_at: Timestamp::new(voids_at),
        }),
    };
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
        to_come: (to_come != ToCome::default()).then(|| Box::new(to_come)),
        touched: Timestamp::new(state.touched),
    })
}

fn named(terms: &Terms) -> Named<'_> {
    Named((&*terms.version).into(), terms.plan.id.as_str().into())
}

fn ended(period: &EndedPeriod) -> impl Serialize + '_ {
    (
        period.start.get(),
        period.end.get(),
        period.closes_at.get(),
        named(&period.terms),
        period.remaining.get(),
        period.had_overage,
        period.voided,
    )
}

fn given(grant: &Grant) -> impl Serialize + '_ {
    let basis = match grant.order.basis {
        Basis::Promotional => Word::Promotional,
        Basis::Rollover => Word::Rollover,
        Basis::Pool => Word::Pool,
        Basis::Purchased => Word::Purchased,
    };
    (
        &*grant.id,
        grant.order.priority,
        grant.order.expires_at.map(Timestamp::get),
        basis,
        grant.order.effective_at.get(),
        grant.remaining.get(),
        grant.expiring_told,
    )
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::price::{Alerts, Overage, Plan};

    /// As it was written once, and may still lie in a data folder.
    #[test]
    fn a_text_with_names_is_read_too() {
        let row = r#"[14,20740,[20740,20771,["v1","small"],9,8,7,6,5,true,false],
            [[1,2,3,["v1","small"],4,true,false]],[["g",50,null,"rollover",5,6,true]],
            20743,[0,1,2,3,4,5,6,7,8],[1,2],false,null,null,[8,9],17]"#;
        let named = r#"{"anchor":14,"opened":20740,"current":{"start":20740,"end":20771,
            "terms":["v1","small"],"pool":9,"fee":8,"remaining":7,"consumed":6,"overage":5,
            "had_overage":true,"voided":false},"ended":[{"start":1,"end":2,"closes_at":3,
            "terms":["v1","small"],"remaining":4,"had_overage":true,"voided":false}],
            "grants":[{"id":"g","priority":50,"expires_at":null,"basis":"rollover",
            "effective_at":5,"remaining":6,"expiring_told":true}],"latest_day":20743,
            "daily_use":[0,1,2,3,4,5,6,7,8],"reached":[1,2],"blocked":false,"run_out_told":null,
            "next_plan":null,"closing":[8,9],"touched":17}"#;
        let terms = |version: &str, plan: &str| Terms {
            version: Arc::from(version),
            plan: Plan {
                id: plan.to_owned(),
                name: String::new(),
                fee: Money::ZERO,
                currency: "EUR".to_owned(),
                pool: Credits::ZERO,
                alerts: Alerts::default(),
                overage: Overage::Block,
                rollover: None,
            },
        };
        for text in [row, named] {
            let wallet = read("acme", text, |version, plan| {
                Ok(Arc::new(terms(version, plan)))
            });
            let written = write(&wallet.expect("a wallet")).expect("a text");
            assert_eq!(written, row.replace(char::is_whitespace, ""));
        }
    }
}
