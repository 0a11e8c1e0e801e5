//! What producers send: price versions, and the messages of a stream.
//!
//! Owns the mix of usage, commands, copies, late and broken events, and each event twice: as the
//! bytes that the engine's readers get, and as the plain facts that the model judges. Leaves what
//! becomes of them to `model`.
//!
//! Invariant: one seed gives one story.

use purser::adapters::price_files;
use purser::domain::customer::Shard;
use purser::domain::price::PriceBook;
use purser::domain::rfc3339;
use purser::domain::units::{
    MICROS_PER_DAY as DAY, MICROS_PER_HOUR as HOUR, MICROS_PER_MINUTE as MINUTE, Timestamp,
};

use crate::dice::Dice;

pub(crate) const SHARD: Shard = Shard { index: 0, count: 2 };
/// Wallets of the shard, and one of the other.
const CUSTOMERS: [&str; 3] = ["bob", "cloe", "emil"];
pub(crate) const STRANGER: &str = "dora";
pub(crate) const STREAM: &str = "USAGE-0@2026-01-20T00:00:00Z";

/// 2026-01-20T09:00:00Z.
const START: i64 = 1_768_899_600_000_000;

pub(crate) struct Story {
    pub(crate) versions: Vec<Version>,
    /// Message 1 first.
    pub(crate) messages: Vec<Message>,
}

/// A price version.
#[derive(Clone, Copy)]
pub(crate) struct Version {
    pub(crate) from: i64,
    pub(crate) window: i64,
    pub(crate) default_plan: bool,
    /// Microcredits for each document.
    pub(crate) docs: i64,
    /// Microcredits for a call.
    pub(crate) call: i64,
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

/// An event that can be read.
#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) customer: String,
    pub(crate) id: String,
    /// `None`: it has no time.
    pub(crate) used_at: Option<i64>,
    pub(crate) deed: Deed,
    /// Whether it came on a subject for it.
    pub(crate) fits_subject: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Docs(i64),
    Call,
    /// A type that no price knows.
    Unpriced,
    Open(&'static str),
    /// Credits, and how many hours they live.
    Grant(i64, Option<i64>),
    UnknownCommand,
    BadCommand,
}

impl Deed {
    pub(crate) fn is_command(&self) -> bool {
        !matches!(self, Self::Docs(_) | Self::Call | Self::Unpriced)
    }
}

impl Story {
    pub(crate) fn new(dice: &mut Dice) -> Self {
        let mut story = Self {
            versions: versions(dice),
            messages: Vec::new(),
        };
        // A long story has long gaps, so that periods end in it.
        let pace = *dice.pick(&[10 * MINUTE, 3 * HOUR, 20 * HOUR]);
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
        let files = files.map(|(version, n)| (format!("v{n}.toml"), version.text(n)));
        price_files::load(&files.collect::<Vec<_>>()).expect("good prices")
    }

    fn message(&self, dice: &mut Dice, received_at: i64) -> Message {
        let count = if dice.hits(250) { dice.within(2, 6) } else { 1 };
        let mut lines = Vec::new();
        let mut facts = Vec::new();
        let customer = *dice.pick(&CUSTOMERS);
        let is_wallet = dice.hits(250);
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
        let earlier = self.messages.iter().flat_map(|message| &message.facts);
        let earlier: Vec<&Sent> = earlier
            .filter_map(|fact| match fact {
                Fact::Event(sent) if sent.deed.is_command() == is_wallet => Some(sent),
                _ => None,
            })
            .filter(|sent| owner.is_none_or(|owner| owner == sent.customer))
            .collect();
        let used_at = used_at(dice, now);
        if !earlier.is_empty() && dice.hits(250) {
            let copied = (*dice.pick(&earlier)).clone();
            return match dice.below(3) {
                0 => copied,
                1 => Sent { used_at, ..copied },
                _ => Sent {
                    used_at,
                    deed: deed(dice, is_wallet),
                    ..copied
                },
            };
        }
        let customer = match dice.below(30) {
            0 => STRANGER.to_owned(),
            1 => "no name".to_owned(),
            _ => owner.unwrap_or(*dice.pick(&CUSTOMERS)).to_owned(),
        };
        let is_command = is_wallet != dice.hits(30);
        Sent {
            customer,
            id: format!("e{}", dice.below(60)),
            used_at,
            deed: deed(dice, is_command),
            fits_subject: true,
        }
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

fn deed(dice: &mut Dice, is_command: bool) -> Deed {
    match (is_command, dice.below(20)) {
        (false, 0) => Deed::Unpriced,
        (false, 1) => Deed::Docs(-1),
        (false, 2..6) => Deed::Call,
        (false, 6..9) => Deed::Docs(dice.within(20, 90)),
        (false, _) => Deed::Docs(dice.within(0, 9)),
        (true, 0) => Deed::UnknownCommand,
        (true, 1) => Deed::BadCommand,
        (true, 2..5) => Deed::Open("small"),
        (true, 5..8) => Deed::Open("starter"),
        (true, _) => {
            let hours = dice.hits(600).then(|| dice.within(1, 300));
            Deed::Grant(dice.within(1, 60), hours)
        }
    }
}

impl Sent {
    fn json(&self) -> String {
        let (event_type, data) = self.payload();
        let time = self.used_at.map(|at| format!(r#""time":"{}","#, time(at)));
        format!(
            r#"{{"specversion":"1.0","id":"{}","source":"/app","type":"{event_type}",{}"subject":"{}","data":{data}}}"#,
            self.id,
            time.unwrap_or_default(),
            self.customer,
        )
    }

    /// Type and data.
    fn payload(&self) -> (&'static str, String) {
        match &self.deed {
            Deed::Docs(docs) => ("usage", format!(r#"{{"docs":{docs}}}"#)),
            Deed::Call => ("call", "{}".to_owned()),
            Deed::Unpriced => ("dance", "{}".to_owned()),
            Deed::Open(plan) => ("purser.wallet.opened", format!(r#"{{"plan":"{plan}"}}"#)),
            Deed::Grant(credits, hours) => {
                // A grant that names its end also names its beginning, lest it lie behind.
                let life = hours.map(|hours| {
                    let begin = self.used_at.unwrap_or(START);
                    let (from, to) = (time(begin), time(begin + hours * HOUR));
                    format!(r#","effective_at":"{from}","expires_at":"{to}""#)
                });
                let sold = r#""basis":"purchased","price":"7.5","currency":"USD""#;
                let data = format!(
                    r#"{{"credits":"{credits}",{sold}{}}}"#,
                    life.unwrap_or_default()
                );
                ("purser.wallet.granted", data)
            }
            Deed::UnknownCommand => ("purser.wallet.painted", "{}".to_owned()),
            Deed::BadCommand => ("purser.wallet.granted", "{}".to_owned()),
        }
    }

    /// What tells a copy from a conflict.
    pub(crate) fn payload_text(&self) -> String {
        let (event_type, data) = self.payload();
        format!("{event_type} {data}")
    }
}

fn time(at: i64) -> String {
    rfc3339::format(Timestamp::new(at)).to_string()
}

/// One to three versions; usage may be older than the first.
fn versions(dice: &mut Dice) -> Vec<Version> {
    let mut from = START - dice.within(DAY, 30 * DAY);
    let mut versions = Vec::new();
    for _ in 0..dice.within(1, 4) {
        versions.push(Version {
            from,
            window: dice.within(2, 21) * DAY,
            default_plan: dice.hits(800),
            docs: dice.within(1, 4) * 500_000,
            call: dice.within(1, 4) * 250_000,
        });
        from = from.max(START) + dice.within(HOUR, 12 * DAY);
    }
    versions
}

impl Version {
    fn text(&self, n: usize) -> String {
        let price = |micros: i64| format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        let default = match self.default_plan {
            true => "default_plan = \"starter\"",
            false => "",
        };
        format!(
            r#"
            version = "v{n}"
            effective_from = "{from}"
            {default}
            rules = {{ window_days = {window}, grace_hours = 24 }}
            price = [
                {{ id = "docs", task = "document", unit = "page", when = {{ type = "usage" }}, quantity = "docs", credits = "{docs}" }},
                {{ id = "call", task = "call", unit = "call", when = {{ type = "call" }}, credits = "{call}" }},
            ]
            cost = [ {{ when = {{ type = "usage" }}, components = [ {{ measure = "docs", per = 1, usd = "0.0{n}" }} ] }} ]
            plan = [
                {{ id = "starter", name = "Starter", fee = "99.00", currency = "USD", credits = "{pool}00", alerts = {{ used = [50, 80, 100] }}, overage = {{ mode = "bill", price = "0.1{n}" }} }},
                {{ id = "small", name = "Small", fee = "10.00", currency = "USD", credits = "20", alerts = {{ used = [1, 50, 100] }} }},
            ]
            "#,
            from = time(self.from),
            window = self.window / DAY,
            docs = price(self.docs),
            call = price(self.call),
            pool = n,
        )
    }
}
