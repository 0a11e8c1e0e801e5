//! What an event does: the mix of usage and commands.
//!
//! Owns how often each kind comes, and which earlier events a command names. Leaves the rest of an
//! event to `story`, its text to `sent` and what becomes of it to `model`.

use purser::domain::calendar::{day_of_month, period_end};
use purser::domain::entry::GrantId;
use purser::domain::units::Timestamp;
use purser::domain::wallet::rollover_id;

use crate::dice::Dice;
use crate::sent::{Deed, SOURCE, Sent};
use crate::versions::PLANS;

/// Types and data of commands that lack something.
const BAD: [(&str, &str); 6] = [
    ("purser.wallet.granted", "{}"),
    ("purser.wallet.opened", r#"{"plan":"none"}"#),
    ("purser.wallet.plan_changed", r#"{"plan":"small"}"#),
    (
        "purser.wallet.plan_changed",
        r#"{"plan":"small","at":"noon"}"#,
    ),
    ("purser.wallet.voided", r#"{"grant":null}"#),
    (
        "purser.usage.reversed",
        r#"{"source":"/app","id":"e1","reason":""}"#,
    ),
];

/// An earlier event, and when its message was received.
#[derive(Clone, Copy)]
pub(crate) struct Past<'a> {
    pub(crate) received_at: i64,
    pub(crate) sent: &'a Sent,
}

pub(crate) fn usage(dice: &mut Dice) -> Deed {
    match dice.below(20) {
        0 => Deed::Unpriced,
        1 => Deed::Docs(-1),
        2..6 => Deed::Call,
        6..9 => Deed::Docs(dice.within(20, 90)),
        _ => Deed::Docs(dice.within(0, 9)),
    }
}

/// A command of a customer, of whom `past` are the earlier events.
pub(crate) fn command(dice: &mut Dice, past: &[Past<'_>]) -> Deed {
    match dice.below(40) {
        0 => Deed::UnknownCommand,
        1..3 => {
            let (event_type, data) = *dice.pick(&BAD);
            Deed::BadCommand(event_type, data)
        }
        3..10 => {
            let plan = *dice.pick(&PLANS);
            Deed::Open(plan, dice.hits(600).then(|| dice.within(1, 32)))
        }
        10..19 => {
            let hours = dice.hits(600).then(|| dice.within(1, 300));
            Deed::Grant(dice.within(1, 60), hours)
        }
        19..24 => {
            let plan = *dice.pick(&PLANS);
            let at = *dice.pick(&["now", "next_period"]);
            Deed::ChangePlan(plan, at)
        }
        24..29 => Deed::Void(grant(dice, past)),
        29..31 => Deed::Close,
        _ => reversal(dice, past),
    }
}

/// A grant that may hold something: one that was given, a pool, what was rolled over; or none.
fn grant(dice: &mut Dice, past: &[Past<'_>]) -> String {
    let is_grant = |past: &&Past<'_>| matches!(past.sent.deed, Deed::Grant(..));
    let granted: Vec<&Past<'_>> = past.iter().filter(is_grant).collect();
    if !granted.is_empty() && dice.hits(600) {
        return format!("{SOURCE}/{}", dice.pick(&granted).sent.id);
    }
    if past.is_empty() || dice.hits(50) {
        return format!("{SOURCE}/never");
    }
    // The wallet was opened when its customer was first heard of, or some other time.
    let opened = match dice.hits(500) {
        true => past[0].received_at,
        false => dice.pick(past).received_at,
    };
    let first = Timestamp::new(opened).day();
    let start = match dice.hits(300) {
        true => period_end(first, day_of_month(first)),
        false => first,
    };
    match dice.hits(150) {
        true => rollover_id(start),
        false => GrantId::Pool(start).to_string(),
    }
}

/// Usage, some of which was taken back already; or what never was.
fn reversal(dice: &mut Dice, past: &[Past<'_>]) -> Deed {
    let named = past.iter().filter_map(|past| match &past.sent.deed {
        Deed::Docs(_) | Deed::Call => Some(&past.sent.id),
        Deed::Reverse { id, .. } => Some(id),
        _ => None,
    });
    let named: Vec<&String> = named.collect();
    let id = match named.is_empty() || dice.hits(100) {
        true => "never".to_owned(),
        false => (*dice.pick(&named)).clone(),
    };
    let source = match dice.hits(50) {
        true => "/elsewhere",
        false => SOURCE,
    };
    Deed::Reverse { source, id }
}
