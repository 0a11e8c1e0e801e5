//! What the ledger must say of each event, told a second time and as plainly as can be.
//!
//! Owns the order of the checks, the charge of an event, which wallets are open, and what was
//! taken back. Knows no engine, no batch and no fault: a message is judged once, in its order.
//! Leaves what grants hold, periods and alerts to the comparison with a clean run.

use std::collections::{BTreeMap, HashMap, HashSet};

use purser::domain::units::MICROS_PER_MINUTE;

use crate::sent::{Deed, SOURCE, Sent};
use crate::story::{Fact, STRANGER, Story};
use crate::versions::Version;

/// The seq and idx of an event.
pub(crate) type EventPlace = (i64, i32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Charged so many microcredits.
    Usage(i64),
    /// So many microcredits were taken back.
    Reversal(i64),
    Command,
    Tick,
    Duplicate,
    Conflict,
    Rejected(&'static str),
}

/// What becomes of each event. `voids` are the commands that took what a grant held: whether it
/// held something the model does not know, and believes them where it may have.
pub(crate) fn outcomes(
    story: &Story,
    voids: &HashSet<EventPlace>,
) -> BTreeMap<EventPlace, Outcome> {
    let mut model = Model {
        versions: &story.versions,
        voids,
        now: 0,
        accepted: HashMap::new(),
        wallets: HashMap::new(),
        charged: HashMap::new(),
        reversed: HashSet::new(),
    };
    let mut outcomes = BTreeMap::new();
    for (message, seq) in story.messages.iter().zip(1..) {
        model.now = model.now.max(message.received_at);
        for (fact, idx) in message.facts.iter().zip(0..) {
            let outcome = match fact {
                Fact::Empty if message.is_on_clock() => Outcome::Tick,
                Fact::Empty => Outcome::Rejected("empty"),
                Fact::Malformed => Outcome::Rejected("malformed"),
                Fact::Event(sent) => model.judge((seq, idx), sent),
            };
            outcomes.insert((seq, idx), outcome);
        }
    }
    outcomes
}

struct Model<'a> {
    versions: &'a [Version],
    voids: &'a HashSet<EventPlace>,
    now: i64,
    /// By customer and id: the payload, and when it was accepted.
    accepted: HashMap<(String, String), (String, i64)>,
    /// Those that were ever opened.
    wallets: HashMap<String, Wallet>,
    /// By customer and name: the newest charge of each event.
    charged: HashMap<(String, String), i64>,
    reversed: HashSet<(String, String)>,
}

#[derive(Default)]
struct Wallet {
    closing: Option<Closing>,
    /// By id, those that commands gave and none has voided: when each ends.
    grants: HashMap<String, Option<i64>>,
}

#[derive(Clone, Copy)]
struct Closing {
    closed_at: i64,
    /// When the grace is over.
    voids_at: i64,
}

impl Model<'_> {
    fn judge(&mut self, place: EventPlace, sent: &Sent) -> Outcome {
        let rules = self.rules();
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
        let outcome = match sent.deed.is_command() {
            true => self.command(place, sent),
            false => self.charge(sent, used_at),
        };
        // A command's identity never ends.
        let at = match outcome {
            Outcome::Usage(_) => self.now,
            Outcome::Command | Outcome::Reversal(_) => i64::MAX,
            _ => return outcome,
        };
        self.accepted.insert(identity, (sent.payload_text(), at));
        outcome
    }

    fn charge(&mut self, sent: &Sent, used_at: i64) -> Outcome {
        let takes = match self
            .wallets
            .get(&sent.customer)
            .map(|wallet| wallet.closing)
        {
            None => self.rules().default_plan,
            Some(None) => true,
            Some(Some(closing)) => used_at < closing.closed_at && self.now < closing.voids_at,
        };
        if !takes {
            return Outcome::Rejected("unknown_wallet");
        }
        let Some(version) = self.version_at(used_at) else {
            return Outcome::Rejected("no_price_version");
        };
        let charge = match sent.deed {
            Deed::Docs(..0) => return Outcome::Rejected("bad_measure"),
            Deed::Docs(docs) => docs * version.docs,
            Deed::Call => version.call,
            _ => return Outcome::Rejected("no_price"),
        };
        self.wallets.entry(sent.customer.clone()).or_default();
        let name = format!("{SOURCE}/{}", sent.id);
        self.charged.insert((sent.customer.clone(), name), charge);
        Outcome::Usage(charge)
    }

    fn command(&mut self, place: EventPlace, sent: &Sent) -> Outcome {
        let (now, rules) = (self.now, self.rules());
        match sent.deed {
            Deed::UnknownCommand => return Outcome::Rejected("unknown_command"),
            Deed::BadCommand(..) => return Outcome::Rejected("bad_command"),
            Deed::Open(plan, _) | Deed::ChangePlan(plan, _) if !rules.has_plan(plan) => {
                return Outcome::Rejected("bad_command");
            }
            Deed::Open(..) => return self.open(&sent.customer),
            _ => {}
        }
        let wallet = self.wallets.get_mut(&sent.customer);
        let Some(wallet) = wallet.filter(|wallet| wallet.closing.is_none()) else {
            return Outcome::Rejected("unknown_wallet");
        };
        match &sent.deed {
            Deed::Grant(..) => {
                let ends = sent.life().map(|(_, ends)| ends);
                wallet.grants.insert(format!("{SOURCE}/{}", sent.id), ends);
            }
            Deed::Void(grant) => {
                if !(wallet.may_hold(grant, now) && self.voids.contains(&place)) {
                    return Outcome::Rejected("nothing_remaining");
                }
                wallet.grants.remove(grant);
            }
            Deed::Close => {
                wallet.closing = Some(Closing {
                    closed_at: now,
                    voids_at: now + rules.grace,
                });
            }
            Deed::Reverse { source, id } => {
                let name = format!("{source}/{id}");
                return self.reverse((sent.customer.clone(), name));
            }
            _ => {}
        }
        Outcome::Command
    }

    fn open(&mut self, customer: &str) -> Outcome {
        let now = self.now;
        let is_open = |wallet: &Wallet| {
            let closing = wallet.closing;
            closing.is_none_or(|closing| now < closing.voids_at)
        };
        if self.wallets.get(customer).is_some_and(is_open) {
            return Outcome::Rejected("already_open");
        }
        let wallet = Wallet::default();
        self.wallets.insert(customer.to_owned(), wallet);
        Outcome::Command
    }

    fn reverse(&mut self, event: (String, String)) -> Outcome {
        let Some(charge) = self.charged.get(&event).copied() else {
            return Outcome::Rejected("unknown_event");
        };
        match self.reversed.insert(event) {
            true => Outcome::Reversal(charge),
            false => Outcome::Duplicate,
        }
    }

    /// The version whose rules hold now.
    fn rules(&self) -> Version {
        self.version_at(self.now).unwrap_or(self.versions[0])
    }

    fn version_at(&self, at: i64) -> Option<Version> {
        let found = self.versions.iter().rfind(|version| version.from <= at);
        found.copied()
    }
}

impl Wallet {
    /// Whether a grant may hold something: pools and what they left are not known here.
    fn may_hold(&self, grant: &str, now: i64) -> bool {
        let is_of_period = grant.starts_with("pool/") || grant.starts_with("rollover/");
        let given = self.grants.get(grant);
        is_of_period || given.is_some_and(|ends| ends.is_none_or(|ends| now < ends))
    }
}
