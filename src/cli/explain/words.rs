//! The words of an explanation that the page and the JSON share.
//!
//! Owns why an event was refused and what would have passed, and what a payer is. Leaves the order
//! of things to `text` and `json`.
//!
//! Invariant: what a producer wrote is printed without control characters, and cut.

use crate::domain::command::COMMAND_PREFIX;
use crate::domain::decimal::plain_from_scaled;
use crate::domain::price::Overage;
use crate::domain::rfc3339;
use crate::domain::units::{Credits, MICROS_PER_DAY, MICROS_PER_MINUTE, Money, Timestamp};
use crate::jobs::explain::{Granted, Payer, Rejection, Row, StreamPlace};

/// Characters of a producer's text that are printed.
const SHOWN_CHARS_MAX: usize = 2_000;

/// A producer's text for a terminal: cut, and control characters spelled out.
pub(super) fn clean(text: &str) -> String {
    let mut shown = String::new();
    for (index, c) in text.chars().enumerate() {
        if index == SHOWN_CHARS_MAX {
            shown.push_str(&format!("…[{} bytes]", text.len()));
            break;
        }
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// The shortest plain decimal of a count of 10^-`places`, of either sign.
pub(super) fn plain(smallest: i128, places: u32) -> String {
    let sign = if smallest < 0 { "-" } else { "" };
    format!("{sign}{}", plain_from_scaled(smallest.abs(), places))
}

pub(super) fn credits(credits: Credits) -> String {
    plain(i128::from(credits.get()), 6)
}

pub(super) fn money(money: Money) -> String {
    plain(i128::from(money.get()), 9)
}

pub(super) fn time(at: Option<Timestamp>) -> String {
    at.map_or("no time".to_owned(), |at| rfc3339::format(at).to_string())
}

/// `file:story.ndjson, message 27`; the event's number where a message has several.
pub(super) fn place(place: &StreamPlace) -> String {
    let StreamPlace {
        source, seq, idx, ..
    } = place;
    let source = clean(source);
    match idx {
        0 => format!("{source}, message {seq}"),
        idx => format!("{source}, message {seq}, event {idx} of it"),
    }
}

/// What a command did, by its type.
pub(super) fn command(event_type: Option<&str>) -> &'static str {
    match event_type {
        Some("purser.wallet.opened") => "opened the wallet",
        Some("purser.wallet.plan_changed") => "changed the plan",
        Some("purser.wallet.granted") => "granted credits",
        Some("purser.wallet.voided") => "voided a grant",
        Some("purser.wallet.closed") => "closed the wallet",
        _ => "changed the wallet",
    }
}

/// `pool`, `rollover`, `purchased`, `promotional`, `grant` or `overage`.
pub(super) fn payer_kind(payer: &Payer) -> &str {
    match payer {
        Payer::Pool => "pool",
        Payer::Rollover => "rollover",
        Payer::Grant(granted) => {
            let basis = granted
                .as_ref()
                .and_then(|granted| granted.basis.as_deref());
            match basis {
                Some("purchased") => "purchased",
                Some("promotional") => "promotional",
                _ => "grant",
            }
        }
        Payer::Overage(_) => "overage",
    }
}

/// What paid a part of a charge.
pub(super) fn payer(row: &Row, payer: &Payer) -> String {
    let grant = clean(row.grant_id.as_deref().unwrap_or_default());
    match payer {
        Payer::Pool => format!("from {grant}, the pool of that period"),
        Payer::Rollover => format!("from {grant}, what that period left over"),
        Payer::Grant(None) => format!("from {grant}, whose own row is not in the ledger"),
        Payer::Grant(Some(granted)) => {
            format!("from {grant}, {}", describe(payer_kind(payer), granted))
        }
        Payer::Overage(terms) => overage(row, *terms),
    }
}

fn describe(kind: &str, granted: &Granted) -> String {
    let Granted {
        granted_at,
        credits: given,
        expires_at,
        ..
    } = granted;
    let given = given.map(credits).unwrap_or_default();
    let expires = match expires_at {
        Some(at) => format!("expires at {}", clean(at)),
        None => "never expires".to_owned(),
    };
    format!("{kind}, {given} given at {}, {expires}", time(*granted_at))
}

fn overage(row: &Row, terms: Option<Overage>) -> String {
    let currency = row.currency.as_deref().unwrap_or_default();
    match (terms, row.amount) {
        (Some(Overage::Bill { price }), Some(amount)) => format!(
            "overage: no grant was left to pay it; at {} a credit = {} {}",
            money(price),
            money(amount),
            clean(currency)
        ),
        (Some(Overage::Block), _) => {
            "overage: no grant was left to pay it; it is not billed and blocks the wallet"
                .to_owned()
        }
        _ => "overage: no grant was left to pay it".to_owned(),
    }
}

/// Which check refused the event, and what would have passed.
pub(super) fn refusal(row: &Row, rejection: &Rejection) -> String {
    let event_type = row.event_type.as_deref().unwrap_or_default();
    let is_command = event_type.starts_with(COMMAND_PREFIX);
    let customer = clean(row.customer.as_deref().unwrap_or_default());
    match (rejection.reason.as_str(), is_command) {
        ("bad_customer", _) => bad_customer(rejection),
        ("wrong_shard", _) => wrong_shard(row, rejection),
        ("in_future" | "too_old", _) => wrong_time(row, rejection),
        ("unknown_wallet", true) => format!(
            "`{customer}` has no open wallet: nobody opened one, or it was closed, and of commands \
             purser.wallet.opened alone passes then"
        ),
        ("unknown_wallet", false) => match &rejection.default_plan {
            Some(_) => format!("the wallet of `{customer}` is closed, and usage does not open it"),
            None => format!(
                "`{customer}` has no open wallet, and the price version in force has no \
                 `default_plan` for customers that nobody opened"
            ),
        },
        ("no_price_version", _) => {
            let (first, since) = &rejection.first_version;
            let since = time(Some(*since));
            format!(
                "no price version was in force at its time; the first, {first}, is since {since}"
            )
        }
        ("overflow", true) => {
            "with it the wallet's grants would hold more than the ledger can count".to_owned()
        }
        ("bad_command", _) => match &rejection.lacks {
            Some(fault) => format!("its `data` is not right: {}", clean(fault)),
            None => "its `data` does not go with the wallet as it was, as when a grant's id is \
                     taken or another plan bills in another currency; the log of that time says \
                     what"
                .to_owned(),
        },
        ("already_open", _) => format!(
            "`{customer}` has a wallet, which is open or not closed to its end; \
             purser.wallet.plan_changed changes its plan"
        ),
        (reason, _) => match always(reason) {
            Some(words) => words.to_owned(),
            None => format!("the check `{}` failed", clean(reason)),
        },
    }
}

/// The words for reasons that need no more than themselves.
fn always(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "empty" => "there was nothing in it; an event is a JSON object",
        "malformed" => {
            "it is no CloudEvent 1.0 in JSON with `id`, `source`, `type`, `subject` and, if there \
             is any, an object as `data`"
        }
        "wrong_subject" => {
            "it came on a subject of the broker that is not for it; usage passes on \
             usage.<customer> of its own customer or on batch.<shard>, a command on \
             wallet.<customer> of its own customer"
        }
        "no_price" => "no price is for it; one whose conditions all hold would have passed",
        "bad_measure" => {
            "a number that its price or cost counts is missing, negative, or 10^12 or more"
        }
        "overflow" => "its charge or its cost is 10^9 or more; less would have passed",
        "unknown_command" => {
            "there is no such command; a type that does not begin with `purser.` is usage"
        }
        "nothing_remaining" => {
            "the grant that it names holds nothing, or is not there; only one with credits left \
             can be voided"
        }
        "unknown_event" => {
            "it names no usage that was charged to this customer; source and id must be those of \
             the usage"
        }
        _ => return None,
    })
}

fn bad_customer(rejection: &Rejection) -> String {
    let subject = match &rejection.subject {
        Some(subject) => format!("`{}`", clean(subject)),
        None => "what it holds".to_owned(),
    };
    format!(
        "`subject` must name a customer, and {subject} does not: 1 to 128 bytes, without white \
         space, control characters, `.`, `*` and `>`"
    )
}

fn wrong_shard(row: &Row, rejection: &Rejection) -> String {
    let (own, customer) = (row.shard, row.customer.as_deref().unwrap_or_default());
    let passes = match rejection.owner {
        Some((index, count)) => format!("; it would have passed on shard {index} of {count}"),
        None => String::new(),
    };
    format!("shard {own} does not own `{}`{passes}", clean(customer))
}

fn wrong_time(row: &Row, rejection: &Rejection) -> String {
    let received_at = row.received_at.unwrap_or(Timestamp::EPOCH);
    let rules = rejection.rules;
    if rejection.reason == "in_future" {
        let last = time(Some(received_at.plus(rules.future)));
        let minutes = rules.future / MICROS_PER_MINUTE;
        format!(
            "its time is too far ahead; up to {last} would have passed, {minutes} minutes after \
             it was received"
        )
    } else {
        let first = time(Some(received_at.plus(-rules.window)));
        let days = rules.window / MICROS_PER_DAY;
        format!(
            "its time is too long ago; from {first} on would have passed, {days} days before it \
             was received"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_producers_text_can_not_steer_a_terminal() {
        assert_eq!(clean("a\u{1b}[2Jb\n\u{9b}é"), "a\\u{1b}[2Jb\\n\\u{9b}é");
        let long = clean(&"é".repeat(2_001));
        assert_eq!(long, format!("{}…[4002 bytes]", "é".repeat(2_000)));
        assert_eq!(clean(&"x".repeat(2_000)), "x".repeat(2_000));
    }

    #[test]
    fn amounts_are_as_short_as_can_be() {
        assert_eq!(credits(Credits::new(-1_500_000)), "-1.5");
        assert_eq!(money(Money::new(12_546_000_000)), "12.546");
        assert_eq!(credits(Credits::ZERO), "0");
    }
}
