//! The plans of a price file.
//!
//! Owns their keys. Leaves single values to `form`, and which of them clash to `domain::price`.
//!
//! Invariant: nothing comes back for a plan that has a fault, which was then told.

use toml_edit::Value;

use super::form::{Field, Reader, Section};
use super::keys::{ALERTS, CREDITS, MONEY, OVERAGE};
use crate::domain::command::GRANTED_MAX;
use crate::domain::price::{Overage, Plan, thresholds};
use crate::domain::units::{Credits, Money};

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
    let used_alerts = reader.unless_absent(section, "alerts", used_alerts);
    let overage = reader.unless_absent(section, "overage", overage);
    Some(Plan {
        id: id?,
        name: name?,
        fee: fee?,
        currency: currency?,
        pool: pool?,
        used_alerts: used_alerts?.unwrap_or_default(),
        overage: overage?.unwrap_or(Overage::Block),
    })
}

fn money<'a>(reader: &mut Reader<'a>, field: Field<'a>) -> Option<Money> {
    Money::from_i128(reader.amount(field, MONEY)?)
}

/// A pool, which fits the ledger's balance together with all grants that a wallet may hold.
fn pool<'a>(reader: &mut Reader<'a>, field: Field<'a>) -> Option<Credits> {
    let pool = Credits::from_i128(reader.amount(field, CREDITS)?)?;
    if pool > GRANTED_MAX {
        let message =
            "`credits` must be below 500 billion; write e.g. credits = \"1000\"".to_owned();
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

fn used_alerts<'a>(reader: &mut Reader<'a>, field: Field<'a>) -> Option<Vec<u8>> {
    let section = reader.section(field, &ALERTS)?;
    let Some(used) = reader.optional(section, "used") else {
        return Some(Vec::new());
    };
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
