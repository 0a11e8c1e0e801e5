//! What producers send: price versions, and the messages of a stream.
//!
//! Owns the mix of usage, commands, ticks, copies, late and broken events, and each message twice:
//! as the bytes that the engine's readers get, and as the plain facts that the model judges.
//! Leaves what an event does to `deeds`, its text to `sent`, and what becomes of it to `model`.
//!
//! Invariant: one seed gives one story.

use purser::adapters::price_files;
use purser::domain::customer::Shard;
use purser::domain::price::PriceBook;
use purser::domain::units::{
    MICROS_PER_DAY as DAY, MICROS_PER_HOUR as HOUR, MICROS_PER_MINUTE as MINUTE,
};

use crate::deeds::{self, Past};
use crate::dice::Dice;
use crate::sent::{Deed, Sent};
use crate::versions::{Version, versions};

pub(crate) const SHARD: Shard = Shard { index: 0, count: 2 };
/// Wallets of the shard, and one of the other.
const CUSTOMERS: [&str; 3] = ["bob", "cloe", "emil"];
pub(crate) const STRANGER: &str = "dora";
pub(crate) const STREAM: &str = "USAGE-0@2026-01-20T00:00:00Z";

/// 2026-01-20T09:00:00Z.
pub(crate) const START: i64 = 1_768_899_600_000_000;

pub(crate) struct Story {
    pub(crate) versions: Vec<Version>,
    /// Message 1 first.
    pub(crate) messages: Vec<Message>,
}

#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) received_at: i64,
    pub(crate) subject: String,
    pub(crate) body: String,
    /// What the events in `body` are.
    pub(crate) facts: Vec<Fact>,
}

#[derive(Clone)]
pub(crate) enum Fact {
    Empty,
    Malformed,
    Event(Sent),
}

impl Story {
    pub(crate) fn new(dice: &mut Dice) -> Self {
        let mut story = Self {
            versions: versions(dice),
            messages: Vec::new(),
        };
        // A long story has long gaps, so that periods end in it.
        let pace = *dice.pick(&[10 * MINUTE, 3 * HOUR, 20 * HOUR, 40 * HOUR]);
        let mut clock = START;
        for _ in 0..dice.within(5, 70) {
            clock += match dice.below(12) {
                0 => 0,
                1 => DAY / 2 + dice.within(0, 2 * pace),
                _ => dice.within(0, pace),
            };
            // A broker's clock may be put back.
            let received_at = clock
                - if dice.hits(50) {
                    dice.within(0, HOUR)
                } else {
                    0
                };
            let message = match story.messages.is_empty() || dice.hits(920) {
                true => story.message(dice, received_at),
                // The producer did not get the answer and sends all of it again.
                false => Message {
                    received_at,
                    ..dice.pick(&story.messages).clone()
                },
            };
            story.messages.push(message);
        }
        story
    }

    /// The price book of the first `count` versions.
    pub(crate) fn book(&self, count: usize) -> PriceBook {
        let files = self.versions[..count].iter().zip(1..);
        let files = files.map(|(version, n)| (format!("v{n}.toml"), version.text()));
        price_files::load(&files.collect::<Vec<_>>()).expect("good prices")
    }

    fn message(&self, dice: &mut Dice, received_at: i64) -> Message {
        if dice.hits(80) {
            return Message::tick(received_at);
        }
        let count = if dice.hits(250) { dice.within(2, 6) } else { 1 };
        let mut lines = Vec::new();
        let mut facts = Vec::new();
        let customer = *dice.pick(&CUSTOMERS);
        let is_wallet = dice.hits(300);
        let subject = match dice.below(30) {
            0 => "clock.0".to_owned(),
            _ if is_wallet => format!("wallet.{customer}"),
            1..=12 => "batch.0".to_owned(),
            _ => format!("usage.{customer}"),
        };
        for _ in 0..count {
            // Whoever may only speak for one customer seldom tries it for others.
            let owner = Some(customer).filter(|_| subject != "batch.0" && !dice.hits(50));
            let mut sent = self.event(dice, (owner, is_wallet), received_at);
            sent.fits_subject = match subject.split_once('.') {
                Some(("usage", token)) => !sent.deed.is_command() && token == sent.customer,
                Some(("wallet", token)) => sent.deed.is_command() && token == sent.customer,
                Some(("batch", _)) => !sent.deed.is_command(),
                _ => false,
            };
            let (line, fact) = match dice.below(40) {
                0 => (String::new(), Fact::Empty),
                1 => (sent.json().replace("\"id\"", "\"no\""), Fact::Malformed),
                2 => ("{\"specversion\":".to_owned(), Fact::Malformed),
                _ => (sent.json(), Fact::Event(sent)),
            };
            lines.push(line);
            facts.push(fact);
        }
        let body = match facts[..] {
            [Fact::Event(_)] if dice.hits(300) => format!("[{}]", lines[0]),
            _ => lines.iter().map(|line| format!("{line}\n")).collect(),
        };
        Message {
            received_at,
            subject,
            body,
            facts,
        }
    }

    /// A new event, or a copy of an earlier one with another time or other data.
    fn event(&self, dice: &mut Dice, (owner, is_wallet): (Option<&str>, bool), now: i64) -> Sent {
        let past = self.past();
        let is_alike = |past: &&Past<'_>| {
            let is_of_owner = owner.is_none_or(|owner| owner == past.sent.customer);
            is_of_owner && past.sent.deed.is_command() == is_wallet
        };
        let alike: Vec<&Past<'_>> = past.iter().filter(is_alike).collect();
        let used_at = used_at(dice, now);
        if !alike.is_empty() && dice.hits(250) {
            let copied = dice.pick(&alike).sent.clone();
            return match dice.below(3) {
                0 => copied,
                1 => Sent { used_at, ..copied },
                _ => Sent {
                    used_at,
                    deed: deed(dice, (copied.customer.as_str(), is_wallet), &past),
                    ..copied
                },
            };
        }
        let customer = match dice.below(30) {
            0 => STRANGER,
            1 => "no name",
            _ => owner.unwrap_or(*dice.pick(&CUSTOMERS)),
        };
        let is_command = is_wallet != dice.hits(30);
        // Some commands have the ids of usage.
        let ids = if is_command { 200 } else { 60 };
        Sent {
            customer: customer.to_owned(),
            id: format!("e{}", dice.below(ids)),
            used_at,
            deed: deed(dice, (customer, is_command), &past),
            fits_subject: true,
        }
    }

    /// All earlier events that can be read.
    fn past(&self) -> Vec<Past<'_>> {
        let messages = self.messages.iter();
        let past = messages.flat_map(|message| {
            message.facts.iter().filter_map(move |fact| match fact {
                Fact::Empty | Fact::Malformed => None,
                Fact::Event(sent) => Some(Past {
                    received_at: message.received_at,
                    sent,
                }),
            })
        });
        past.collect()
    }
}

impl Message {
    /// Nothing but the broker's stamp.
    fn tick(received_at: i64) -> Self {
        Self {
            received_at,
            subject: "clock.0".to_owned(),
            body: String::new(),
            facts: vec![Fact::Empty],
        }
    }

    pub(crate) fn is_on_clock(&self) -> bool {
        self.subject.starts_with("clock.")
    }
}

/// Mostly just now, or late, too late, early, too early, or not said.
fn used_at(dice: &mut Dice, now: i64) -> Option<i64> {
    match dice.below(20) {
        0 => None,
        1 => Some(now + dice.within(0, 10 * MINUTE)),
        2..5 => Some(now - dice.within(0, 2 * DAY)),
        5..7 => Some(now - dice.within(0, 25 * DAY)),
        _ => Some(now - dice.within(0, MINUTE)),
    }
}

fn deed(dice: &mut Dice, (customer, is_command): (&str, bool), past: &[Past<'_>]) -> Deed {
    if !is_command {
        return deeds::usage(dice);
    }
    let is_own = |past: &&Past<'_>| past.sent.customer == customer;
    let own: Vec<Past<'_>> = past.iter().filter(is_own).copied().collect();
    deeds::command(dice, &own)
}
