//! What the ledger must say of each event, told a second time and as plainly as can be.
//!
//! Owns the order of the checks and the charge of an event. Knows no engine, no batch and no
//! fault: a message is judged once, in its order. Leaves grants, periods and alerts to the
//! comparison with a clean run.

use std::collections::{BTreeMap, HashMap, HashSet};

use purser::domain::units::MICROS_PER_MINUTE;

use crate::story::{Deed, Fact, STRANGER, Sent, Story, Version};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Charged so many microcredits.
    Usage(i64),
    Command,
    Duplicate,
    Conflict,
    Rejected(&'static str),
}

/// What becomes of each event, by seq and idx.
pub(crate) fn outcomes(story: &Story) -> BTreeMap<(i64, i32), Outcome> {
    let mut model = Model {
        versions: &story.versions,
        now: 0,
        accepted: HashMap::new(),
        open: HashSet::new(),
    };
    let mut outcomes = BTreeMap::new();
    for (message, seq) in story.messages.iter().zip(1..) {
        model.now = model.now.max(message.received_at);
        for (fact, idx) in message.facts.iter().zip(0..) {
            let outcome = match fact {
                Fact::Empty => Outcome::Rejected("empty"),
                Fact::Malformed => Outcome::Rejected("malformed"),
                Fact::Event(sent) => model.judge(sent),
            };
            outcomes.insert((seq, idx), outcome);
        }
    }
    outcomes
}

struct Model<'a> {
    versions: &'a [Version],
    now: i64,
    /// By customer and id: the payload, and when it was accepted.
    accepted: HashMap<(String, String), (String, i64)>,
    open: HashSet<String>,
}

impl Model<'_> {
    fn judge(&mut self, sent: &Sent) -> Outcome {
        let rules = *self.version_at(self.now).unwrap_or(&self.versions[0]);
        let used_at = sent.used_at.unwrap_or(self.now);
        if sent.customer.contains(' ') {
            return Outcome::Rejected("bad_customer");
        }
        if !sent.fits_subject {
            return Outcome::Rejected("wrong_subject");
        }
        if sent.customer == STRANGER {
            return Outcome::Rejected("wrong_shard");
        }
        if used_at > self.now + 5 * MICROS_PER_MINUTE {
            return Outcome::Rejected("in_future");
        }
        if used_at < self.now - rules.window {
            return Outcome::Rejected("too_old");
        }
        let identity = (sent.customer.clone(), sent.id.clone());
        match self.accepted.get(&identity) {
            Some((payload, at)) if self.now - at <= rules.window => {
                return match *payload == sent.payload_text() {
                    true => Outcome::Duplicate,
                    false => Outcome::Conflict,
                };
            }
            _ => {}
        }
        let outcome = self.decide(sent, used_at, rules.default_plan);
        // A command's identity never ends.
        let at = match outcome {
            Outcome::Usage(_) => self.now,
            Outcome::Command => i64::MAX,
            _ => return outcome,
        };
        self.open.insert(sent.customer.clone());
        self.accepted.insert(identity, (sent.payload_text(), at));
        outcome
    }

    fn decide(&self, sent: &Sent, used_at: i64, default_plan: bool) -> Outcome {
        let is_open = self.open.contains(&sent.customer);
        match sent.deed {
            Deed::UnknownCommand => Outcome::Rejected("unknown_command"),
            Deed::BadCommand => Outcome::Rejected("bad_command"),
            Deed::Open(_) if is_open => Outcome::Rejected("already_open"),
            Deed::Grant(..) if !is_open => Outcome::Rejected("unknown_wallet"),
            Deed::Open(_) | Deed::Grant(..) => Outcome::Command,
            Deed::Docs(_) | Deed::Call | Deed::Unpriced if !is_open && !default_plan => {
                Outcome::Rejected("unknown_wallet")
            }
            Deed::Docs(_) | Deed::Call | Deed::Unpriced => {
                match (self.version_at(used_at), &sent.deed) {
                    (None, _) => Outcome::Rejected("no_price_version"),
                    (Some(_), Deed::Docs(..0)) => Outcome::Rejected("bad_measure"),
                    (Some(version), Deed::Docs(docs)) => Outcome::Usage(docs * version.docs),
                    (Some(version), Deed::Call) => Outcome::Usage(version.call),
                    (Some(_), _) => Outcome::Rejected("no_price"),
                }
            }
        }
    }

    fn version_at(&self, at: i64) -> Option<&Version> {
        self.versions.iter().rfind(|version| version.from <= at)
    }
}
