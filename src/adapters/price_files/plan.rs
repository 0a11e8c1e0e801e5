//! The plans of a price file.
//!
//! Owns their keys. Leaves single values to `form`, and which of them clash to `domain::price`.
//!
//! Invariant: nothing comes back for a plan that has a fault, which was then told.

use toml_edit::Value;

use super::form::{Field, Reader, Section};
use super::keys::{ALERTS, CREDITS, MONEY, OVERAGE, ROLLOVER};
use crate::domain::price::{Alerts, Overage, Plan, Rollover, thresholds};
use crate::domain::units::{Credits, Money};
use crate::domain::wallet::GRANTED_MAX;

/// Reads one `[[plan]]`.
pub(super) fn plan<'a>(reader: &mut Reader<'a>, section: Section<'a>) -> Option<Plan> {
    let id = reader.required_text(section, "id");
    let name = reader.required_text(section, "name");
    let fee = reader
        .required(section, "fee")
        .and_then(|field| money(reader, field));
    let currency = reader
        .required(section, "currency")
        .and_then(|field| currency(reader, field));
    let pool = reader
        .required(section, "credits")
        .and_then(|field| pool(reader, field));
    let alerts = reader.unless_absent(section, "alerts", alerts);
    let overage = reader.unless_absent(section, "overage", overage);
    let rollover = reader.unless_absent(section, "rollover", rollover);
    Some(Plan {
        id: id?,
        name: name?,
        fee: fee?,
        currency: currency?,
        pool: pool?,
        alerts: alerts?.unwrap_or_default(),
        overage: overage?.unwrap_or(Overage::Block),
        rollover: rollover?,
    })
}

fn money<'a>(reader: &mut Reader<'a>, field: Field<'a>) -> Option<Money> {
    Money::from_i128(reader.amount(field, MONEY)?)
}

/// A pool, which fits the ledger's balance together with all grants that a wallet may hold.
fn pool<'a>(reader: &mut Reader<'a>, field: Field<'a>) -> Option<Credits> {
    let pool = Credits::from_i128(reader.amount(field, CREDITS)?)?;
    if pool > GRANTED_MAX {
        let key = field.key;
        let message = format!("`{key}` must be below 500 billion; write e.g. {key} = \"1000\"");
        reader.tell(field.at, message);
        return None;
    }
    Some(pool)
}

fn currency<'a>(reader: &mut Reader<'a>, field: Field<'a>) -> Option<String> {
    let text = reader.text(field)?;
    let is_code = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    if !is_code {
        let message = format!(
            "`currency` {text:?} is no code of three capitals; write e.g. currency = \"USD\""
        );
        reader.tell(field.at, message);
    }
    is_code.then(|| text.to_owned())
}

/// The table is there: a period's first overage is told, and what the keys say.
fn alerts<'a>(reader: &mut Reader<'a>, field: Field<'a>) -> Option<Alerts> {
    let section = reader.section(field, &ALERTS)?;
    let used = reader.unless_absent(section, "used", used);
    let run_out = reader.unless_absent(section, "run_out_within_days", days);
    let expiring = reader.unless_absent(section, "expiring_within_days", days);
    Some(Alerts {
        used: used?.unwrap_or_default(),
        overage: true,
        run_out_within: run_out?,
        expiring_within: expiring?,
    })
}

fn days<'a>(reader: &mut Reader<'a>, field: Field<'a>) -> Option<u16> {
    let days = reader.integer(field, 1..=365)?;
    u16::try_from(days).ok()
}

fn rollover<'a>(reader: &mut Reader<'a>, field: Field<'a>) -> Option<Rollover> {
    let section = reader.section(field, &ROLLOVER)?;
    let max = reader
        .required(section, "max")
        .and_then(|field| pool(reader, field));
    let periods = reader
        .required(section, "periods")
        .and_then(|field| reader.integer(field, 1..=120));
    Some(Rollover {
        max: max?,
        periods: u16::try_from(periods?).ok()?,
    })
}

fn used<'a>(reader: &mut Reader<'a>, used: Field<'a>) -> Option<Vec<u8>> {
    let Some(array) = used.value().and_then(Value::as_array) else {
        reader.wrong_type(used, "a list of integers");
        return None;
    };
    let mut percents = Vec::new();
    let mut places = Vec::new();
    for value in array.iter() {
        match value.as_integer() {
            Some(percent) => {
                percents.push(percent);
                places.push(value.span().map_or(used.at, |span| span.start));
            }
            None => reader.wrong_element(used, value, "an integer"),
        }
    }
    match thresholds(&percents) {
        Ok(ascending) => (percents.len() == array.len()).then_some(ascending),
        Err(faults) => {
            for (index, fault) in faults {
                let message = format!("`used`: {fault}; write e.g. used = [50, 80, 100]");
                reader.tell(places[index], message);
            }
            None
        }
    }
}

fn overage<'a>(reader: &mut Reader<'a>, field: Field<'a>) -> Option<Overage> {
    let section = reader.section(field, &OVERAGE)?;
    let price = reader.unless_absent(section, "price", money);
    let mode = reader.required(section, "mode")?;
    match (reader.text(mode)?, reader.optional(section, "price")) {
        ("bill", _) => {
            reader.required(section, "price")?;
            price?.map(|price| Overage::Bill { price })
        }
        ("block", None) => Some(Overage::Block),
        ("block", Some(extra)) => {
            let message = "`price` does not go with mode \"block\"; take it out, or write \
                           mode = \"bill\"";
            reader.tell(extra.at, message.to_owned());
            None
        }
        (other, _) => {
            let message =
                format!("`mode` {other:?} is unknown; write mode = \"bill\" or mode = \"block\"");
            reader.tell(mode.at, message);
            None
        }
    }
}
