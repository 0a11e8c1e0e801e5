//! A whole wallet as text, and back.
//!
//! Owns the column `state` of the wallets table: JSON in the smallest units (microcredits, days
//! and microseconds since 1970), each part the row of its values in the order of the fields here;
//! with their names they would be twice as long. Leaves the columns that people query to `columns`.
//!
//! Invariant: what is read back is the wallet that was written; anything else is an error.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;

use super::WalletsError;
use super::values::{Torn, Values};
use crate::domain::engine::ApplyError;
use crate::domain::units::{Credits, Day, Money, Timestamp};
use crate::domain::wallet::pace::{DailyUse, KEPT_DAYS};
use crate::domain::wallet::{
    Basis, BurnOrder, Closing, EndedPeriod, Grant, Period, Terms, ToCome, Wallet,
};

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
    terms: impl FnMut(&str, &str) -> Result<Arc<Terms>, ApplyError>,
) -> Result<Wallet, WalletsError> {
    let mut row = Values::new(text);
    read_row(customer, &mut row, terms).map_err(|fault| match fault {
        Fault::Terms(error) => error.into(),
        Fault::Text => {
            let at = text.len() - row.rest().len();
            WalletsError::Unfit(format!(
                "the state of `{customer}` is torn or of another version, at byte {at}"
            ))
        }
    })
}

fn read_row(
    customer: &str,
    row: &mut Values<'_>,
    mut terms: impl FnMut(&str, &str) -> Result<Arc<Terms>, ApplyError>,
) -> Result<Wallet, Fault> {
    row.begin()?;
    let wallet = Wallet {
        customer: Arc::from(customer),
        anchor: row.number()?,
        opened: Day::new(row.number()?),
        current: period(row, &mut terms)?,
        ended: row.list(|row| ended_period(row, &mut terms))?,
        grants: row.list(grant)?,
        daily_use: DailyUse {
            latest: Day::new(row.number()?),
            charged: charged(row)?,
        },
        reached: reached(row)?,
        blocked: row.flag()?,
        run_out_told: row.optional(Values::number)?,
        to_come: to_come(row)?,
        touched: Timestamp::new(row.number()?),
    };
    row.end()?;
    let is_all = row.rest().is_empty();
    is_all.then_some(wallet).ok_or(Fault::Text)
}

/// Finds a plan as a version states it.
type Find<'f> = dyn FnMut(&str, &str) -> Result<Arc<Terms>, ApplyError> + 'f;

fn period(row: &mut Values<'_>, find: &mut Find<'_>) -> Result<Period, Fault> {
    row.begin()?;
    let period = Period {
        start: Day::new(row.number()?),
        end: Day::new(row.number()?),
        terms: terms(row, find)?,
        pool: Credits::new(row.number()?),
        fee: Money::new(row.number()?),
        remaining: Credits::new(row.number()?),
        consumed: Credits::new(row.number()?),
        overage: Credits::new(row.number()?),
        had_overage: row.flag()?,
        voided: row.flag()?,
    };
    row.end()?;
    Ok(period)
}

fn ended_period(row: &mut Values<'_>, find: &mut Find<'_>) -> Result<EndedPeriod, Fault> {
    row.begin()?;
    let ended = EndedPeriod {
        start: Day::new(row.number()?),
        end: Day::new(row.number()?),
        closes_at: Timestamp::new(row.number()?),
        terms: terms(row, find)?,
        remaining: Credits::new(row.number()?),
        had_overage: row.flag()?,
        voided: row.flag()?,
    };
    row.end()?;
    Ok(ended)
}

fn terms(row: &mut Values<'_>, find: &mut Find<'_>) -> Result<Arc<Terms>, Fault> {
    row.begin()?;
    let (version, plan) = (row.text()?, row.text()?);
    row.end()?;
    find(&version, &plan).map_err(Fault::Terms)
}

fn grant(row: &mut Values<'_>) -> Result<Grant, Fault> {
    row.begin()?;
    let grant = Grant {
        id: Arc::from(&*row.text()?),
        order: BurnOrder {
            priority: row.number()?,
            expires_at: row.optional(Values::number)?.map(Timestamp::new),
            basis: basis(&row.text()?)?,
            effective_at: Timestamp::new(row.number()?),
        },
        remaining: Credits::new(row.number()?),
        expiring_told: row.flag()?,
    };
    row.end()?;
    Ok(grant)
}

fn basis(word: &str) -> Result<Basis, Fault> {
    let mut all = Basis::ALL.into_iter();
    all.find(|basis| basis.name() == word).ok_or(Fault::Text)
}

fn charged(row: &mut Values<'_>) -> Result<[i64; KEPT_DAYS], Fault> {
    row.begin()?;
    let mut charged = [0; KEPT_DAYS];
    for day in &mut charged {
        *day = row.number()?;
    }
    row.end()?;
    Ok(charged)
}

/// Written as its upper and its lower half.
fn reached(row: &mut Values<'_>) -> Result<u128, Fault> {
    row.begin()?;
    let (upper, lower): (u64, u64) = (row.number()?, row.number()?);
    row.end()?;
    Ok(u128::from(upper) << 64 | u128::from(lower))
}

/// The next plan; and when the wallet was closed, and when what is left is voided.
fn to_come(row: &mut Values<'_>) -> Result<Option<Box<ToCome>>, Fault> {
    let next_plan = row.optional(Values::text)?.map(Cow::into_owned);
    let closing = row.optional(|row| {
        row.begin()?;
        let closing = Closing {
            closed_at: Timestamp::new(row.number()?),
            voids_at: Timestamp::new(row.number()?),
        };
        row.end()?;
        Ok::<_, Torn>(closing)
    })?;
    let to_come = ToCome { next_plan, closing };
    Ok((to_come != ToCome::default()).then(|| Box::new(to_come)))
}

/// Why a wallet can't be read.
enum Fault {
    /// The text is not what was written.
    Text,
    Terms(ApplyError),
}

impl From<Torn> for Fault {
    fn from(_: Torn) -> Self {
        Self::Text
    }
}

/// Price version and plan.
fn named(terms: &Terms) -> (&str, &str) {
    (&terms.version, &terms.plan.id)
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
    (
        &*grant.id,
        grant.order.priority,
        grant.order.expires_at.map(Timestamp::get),
        grant.order.basis.name(),
        grant.order.effective_at.get(),
        grant.remaining.get(),
        grant.expiring_told,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::price::{Alerts, Overage, Plan};

    fn terms(version: &str, plan: &str) -> Result<Arc<Terms>, ApplyError> {
        Ok(Arc::new(Terms {
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
        }))
    }

    #[test]
    fn a_text_is_read_whole_or_not_at_all() {
        for text in [
            r#"[14,20740,[20740,20771,["v1","small"],9,8,7,6,5,true,false],[[1,2,3,["v1","small"],4,true,false]],[["g\"\\",50,null,"rollover",5,-6,true],["h",1,7,"promotional",5,6,false]],20743,[0,1,2,3,4,5,6,7,8],[18446744073709551615,2],false,null,"large",[8,9],17]"#,
            r#"[1,-2,[3,4,["v1","é\n"],0,0,0,0,0,false,true],[],[],5,[0,0,0,0,0,0,0,0,0],[0,0],true,80,null,null,-9223372036854775808]"#,
        ] {
            let wallet = read("acme", text, terms).expect("a wallet");
            assert_eq!(write(&wallet).expect("a text"), text);
            let bounds = (0..text.len()).filter(|at| text.is_char_boundary(*at));
            for at in bounds {
                assert!(read("acme", &text[..at], terms).is_err(), "{at}");
            }
            for wrong in [
                format!("{text} "),
                text.replace(",[", ", ["),
                text.replace("[0,", "[0,0,"),
                text.replace("true", "1"),
            ] {
                let error = read("acme", &wrong, terms).expect_err(&wrong).to_string();
                let told = "the state of `acme` is torn or of another version, at byte";
                assert!(error.contains(told), "{error}");
            }
            // Another byte anywhere makes another wallet or none.
            for (at, _) in text.char_indices().filter(|(_, char)| char.is_ascii()) {
                for byte in "0159-,\"\\[]n \n".chars() {
                    let mut other = text.to_owned();
                    other.replace_range(at..at + 1, byte.encode_utf8(&mut [0; 4]));
                    if let Ok(wallet) = read("acme", &other, terms) {
                        assert_eq!(write(&wallet).expect("a text"), other);
                    }
                }
            }
        }
    }
}
