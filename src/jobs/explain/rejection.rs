//! A rejection: what the check that failed looks at.
//!
//! Owns gathering the limits, the price table and the command's fault. Leaves the words for each
//! reason to the command line.

use super::charge::priced;
use super::{Records, Row};
use crate::adapters::cloudevents::Decoder;
use crate::domain::command::{
    BadCommand, GRANTED, Granted, OPENED, Opened, PLAN_CHANGED, PlanChanged, REVERSED, Reversed,
    VOIDED, Voided,
};
use crate::domain::customer::Shard;
use crate::domain::event::{Event, Reading};
use crate::domain::explain::Pricing;
use crate::domain::price::{PriceTable, Rules};
use crate::domain::units::Timestamp;

/// Why an event was refused, and what is needed to tell what would have passed.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// The bare word of the row.
    pub reason: String,
    /// As in force when it arrived.
    pub rules: Rules,
    /// The event's own `subject`, if its body could be read.
    pub subject: Option<String>,
    /// The shard that owns the customer, and how many there are.
    pub owner: Option<(u32, u32)>,
    /// The first version and since when it is in force.
    pub first_version: (String, Timestamp),
    /// As in force when it arrived.
    pub default_plan: Option<String>,
    /// What a command lacks.
    pub lacks: Option<String>,
    /// For refusals that the price table is the reason of.
    pub pricing: Option<Pricing>,
}

/// Gathers what the rejection in `row` is about.
pub(super) fn rejection(records: &Records, row: &Row) -> Rejection {
    let book = &records.book;
    let received_at = row.received_at.unwrap_or(Timestamp::EPOCH);
    let table = &book.tables()[book.in_force_or_first(received_at)];
    let first = &book.tables()[0];
    let mut decoder = Decoder::default();
    let body = row.data.as_deref().unwrap_or_default();
    let event = match decoder.read(body.as_bytes()) {
        Reading::Event(event) => Some(event),
        Reading::Empty | Reading::Malformed => None,
    };
    let reason = row.reason.clone().unwrap_or_default();
    let is_priced = matches!(reason.as_str(), "no_price" | "bad_measure" | "overflow");
    let count = records.shard_count;
    let owner = row.customer.as_deref().and_then(|customer| {
        let mut shards = (0..count).map(|index| Shard { index, count });
        shards.find(|shard| shard.owns(customer))
    });
    Rejection {
        rules: table.rules,
        subject: event.and_then(|event| event.subject.map(str::to_owned)),
        owner: owner.map(|shard| (shard.index, shard.count)),
        first_version: (first.version.clone(), first.effective_from),
        default_plan: table.default_plan.clone(),
        lacks: event
            .filter(|_| reason == "bad_command")
            .and_then(|event| fault(&event, table, received_at))
            .map(|fault| fault.to_string()),
        pricing: event
            .filter(|_| is_priced)
            .and_then(|event| priced(book, row, &event.members)),
        reason,
    }
}

/// What the command lacks; `None` when that is not in the event itself.
fn fault(event: &Event<'_>, table: &PriceTable, received_at: Timestamp) -> Option<BadCommand> {
    let data = &event.members;
    let known = |plan: &str| match table.plan(plan) {
        Some(_) => Ok(()),
        None => Err(BadCommand::UnknownPlan(plan.to_owned())),
    };
    let read = match event.event_type {
        OPENED => Opened::read(data).and_then(|opened| known(opened.plan)),
        PLAN_CHANGED => PlanChanged::read(data).and_then(|change| known(change.plan)),
        GRANTED => Granted::read(data, received_at).map(drop),
        VOIDED => Voided::read(data).map(drop),
        REVERSED => Reversed::read(data).map(drop),
        _ => Ok(()),
    };
    read.err()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::price_files::load;

    #[test]
    fn the_fault_of_every_command_is_told() {
        let prices = include_str!("../../../fixtures/prices/2026-09.toml");
        let book = load(&[("2026-09.toml".to_owned(), prices.to_owned())]).expect("a book");
        for (command, data, expected) in [
            (
                "wallet.opened",
                r#"{"plan":"none"}"#,
                "there is no plan `none`",
            ),
            (
                "wallet.plan_changed",
                r#"{"plan":"team"}"#,
                "`at` is missing",
            ),
            (
                "wallet.plan_changed",
                r#"{"plan":"none","at":"now"}"#,
                "there is no plan `none`",
            ),
            ("wallet.granted", r#"{"credits":"5"}"#, "`basis` is missing"),
            ("wallet.voided", "{}", "`grant` is missing"),
            (
                "usage.reversed",
                r#"{"source":"/s","id":"e"}"#,
                "`reason` is missing",
            ),
        ] {
            let line = format!(
                r#"{{"specversion":"1.0","id":"1","source":"/s","type":"purser.{command}",
                "subject":"acme","data":{data}}}"#
            );
            let mut decoder = Decoder::default();
            let Reading::Event(event) = decoder.read(line.as_bytes()) else {
                panic!("{line}");
            };
            let told = fault(&event, &book.tables()[0], Timestamp::EPOCH);
            let told = told.map(|fault| fault.to_string()).unwrap_or_default();
            assert!(told.starts_with(expected), "{told}");
        }
    }
}
