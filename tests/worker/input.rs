//! Made-up input: price files, and lines of events from a seed.
//!
//! Owns a mix of all that a stream can hold. Times lie so that a file and a broker give the same
//! sums: the first line is the newest, and the windows of the prices are wide.
//!
//! Invariant: one seed and one base time give the same lines.

use purser::domain::rfc3339;
use purser::domain::units::Timestamp;

use crate::support::dice::Dice;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
const CUSTOMERS: u64 = 40;

/// The machine's clock.
pub(crate) fn now() -> Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().expect("a clock after 1970");
    Timestamp::new(i64::try_from(since.as_micros()).expect("a clock before the year 290000"))
}

pub(crate) fn text(at: Timestamp) -> String {
    rfc3339::format(at).to_string()
}

/// The seed of this run.
pub(crate) fn seed() -> u64 {
    crate::support::dice::seed("WORKER_SEED")
}

/// Two price versions by file name; the second has held for twenty days.
pub(crate) fn prices() -> Vec<(String, String)> {
    let today = now().day().start();
    [("v1", 300, "2"), ("v2", 20, "1")]
        .map(|(version, days, credits)| {
            let table = table(version, today.plus(-days * DAY), credits);
            (format!("{version}.toml"), table)
        })
        .into()
}

/// A price file; a document costs `credits`.
pub(crate) fn table(version: &str, from: Timestamp, credits: &str) -> String {
    let plan = |id: &str, fee: &str, pool: &str, overage: &str| {
        format!(
            "[[plan]]\nid = \"{id}\"\nname = \"Plan {id}\"\nfee = \"{fee}\"\ncurrency = \"USD\"\n\
             credits = \"{pool}\"\nalerts = {{ used = [50, 80, 100] }}\noverage = {overage}\n"
        )
    };
    let plans = [
        plan(
            "starter",
            "99",
            "1000",
            "{ mode = \"bill\", price = \"0.12\" }",
        ),
        plan(
            "team",
            "150",
            "1500",
            "{ mode = \"bill\", price = \"0.1\" }",
        ),
        plan("capped", "10", "100", "{ mode = \"block\" }"),
    ];
    format!(
        "version = \"{version}\"\neffective_from = \"{}\"\ndefault_plan = \"starter\"\n\
         [rules]\nwindow_days = 1000\n\
         [[price]]\nid = \"document\"\ntask = \"document analysed\"\nunit = \"document\"\n\
         when = {{ type = \"document.analyzed\" }}\nquantity = \"documents\"\n\
         credits = \"{credits}\"\n\
         [[price]]\nid = \"answer\"\ntask = \"assistant answer\"\nunit = \"answer\"\n\
         when = {{ type = \"llm.completion\" }}\nminimum = \"0.01\"\n\
         components = [ {{ measure = \"tokens\", per = 1000, credits = \"0.333\" }} ]\n\
         [[cost]]\nwhen = {{ type = \"llm.completion\" }}\n\
         components = [ {{ measure = \"tokens\", per = 1000000, usd = \"2.5\" }} ]\n{}",
        text(from),
        plans.concat(),
    )
}

/// One event; `data` is its JSON.
pub(crate) fn event(customer: &str, id: &str, event_type: &str, data: &str) -> String {
    format!(
        "{{\"specversion\":\"1.0\",\"id\":\"{id}\",\"source\":\"/test\",\"type\":\"{event_type}\",\
         \"subject\":\"{customer}\",\"data\":{data}}}"
    )
}

/// The event with a time.
pub(crate) fn timed(event: &str, at: Timestamp) -> String {
    event.replacen(
        "\"data\"",
        &format!("\"time\":\"{}\",\"data\"", text(at)),
        1,
    )
}

/// Usage of so many documents, now.
pub(crate) fn documents(customer: &str, id: &str, count: u64) -> String {
    event(
        customer,
        id,
        "document.analyzed",
        &format!("{{\"documents\":{count}}}"),
    )
}

/// So many lines of usage, some of them twice: their sums are the same in any order.
pub(crate) fn plain_lines(seed: u64, count: usize) -> Vec<String> {
    let mut random = Dice::new(seed);
    // A file without any time has no now.
    let first = documents("plain-0", "first", 1);
    let mut lines = vec![timed(&first, now())];
    while lines.len() < count {
        let number = lines.len() as u64;
        let line = if random.below(20) == 0 {
            lines[random.below(number) as usize].clone()
        } else {
            let customer = format!("plain-{}", random.below(10));
            documents(&customer, &number.to_string(), random.below(6))
        };
        lines.push(line);
    }
    lines
}

/// So many lines of everything, each without its end.
pub(crate) fn mixed_lines(seed: u64, count: usize) -> Vec<Vec<u8>> {
    let mut mixer = Mixer {
        random: Dice::new(seed),
        base: now(),
        used: Vec::new(),
        number: 0,
    };
    let first = mixer.usage(0);
    let mut lines = vec![first.into_bytes()];
    lines.extend((1..count).map(|_| mixer.line()));
    lines
}

/// The lines as a file.
pub(crate) fn file(lines: &[Vec<u8>]) -> Vec<u8> {
    lines
        .iter()
        .flat_map(|line| line.iter().chain(b"\n"))
        .copied()
        .collect()
}

struct Mixer {
    random: Dice,
    /// The time of the newest usage.
    base: Timestamp,
    /// Customer and id of usage so far.
    used: Vec<(String, u64)>,
    number: u64,
}

impl Mixer {
    fn line(&mut self) -> Vec<u8> {
        let line = match self.random.below(100) {
            0..5 => self.again("first"),
            5..8 => self.again("other"),
            8..11 => return self.broken(),
            11..13 => self.far(),
            13..15 => self.command(),
            _ => {
                let age = self.random.below(3_600) as i64;
                self.usage(age * SECOND)
            }
        };
        line.into_bytes()
    }

    fn customer(&mut self) -> String {
        format!("c{}", self.random.below(CUSTOMERS))
    }

    /// Usage as old as `age`; the data follow from the number, so that a copy can be made.
    fn usage(&mut self, age: i64) -> String {
        self.number += 1;
        let customer = self.customer();
        self.used.push((customer.clone(), self.number));
        self.usage_of(&customer, self.number, age, "first")
    }

    fn usage_of(&mut self, customer: &str, number: u64, age: i64, content: &str) -> String {
        let (event_type, data) = match number % 3 {
            0 => (
                "llm.completion",
                format!("{{\"tokens\":{}.5,\"note\":\"{content}\"}}", number % 9_000),
            ),
            _ => (
                "document.analyzed",
                format!("{{\"documents\":{},\"note\":\"{content}\"}}", number % 7),
            ),
        };
        self.timed(
            &event(customer, &number.to_string(), event_type, &data),
            age,
        )
    }

    fn timed(&self, event: &str, age: i64) -> String {
        timed(event, self.base.plus(-age))
    }

    /// A copy of earlier usage, or a conflict with it.
    fn again(&mut self, content: &str) -> String {
        let at = self.random.below(self.used.len() as u64) as usize;
        let (customer, number) = self.used[at].clone();
        self.usage_of(&customer, number, SECOND, content)
    }

    /// Usage of long ago or of tomorrow.
    fn far(&mut self) -> String {
        match self.random.below(6) {
            0 => self.usage(400 * DAY),
            1 => self.usage(1_100 * DAY),
            2 => self.usage(-DAY),
            _ => {
                let days = 1 + self.random.below(60) as i64;
                self.usage(days * DAY)
            }
        }
    }

    fn command(&mut self) -> String {
        self.number += 1;
        let (kind, data) = match self.random.below(6) {
            0 => ("opened", "{\"plan\":\"team\"}".to_owned()),
            1 => ("opened", "{\"plan\":\"capped\"}".to_owned()),
            2 => ("opened", "{}".to_owned()),
            3 => ("dreamt", "{}".to_owned()),
            basis => {
                let basis = if basis == 4 {
                    "promotional"
                } else {
                    "purchased"
                };
                let (from, until) = (self.base.plus(-99 * DAY), self.base.plus(99 * DAY));
                let (from, until) = (text(from), text(until));
                let credits = self.random.below(200);
                let span = format!("\"effective_at\":\"{from}\",\"expires_at\":\"{until}\"");
                let price = "\"price\":\"9.99\",\"currency\":\"USD\"";
                let data =
                    format!("\"credits\":\"{credits}.25\",\"basis\":\"{basis}\",{span},{price}");
                ("granted", format!("{{{data}}}"))
            }
        };
        // Usage of a customer that was never opened opens it, so only a grant shows the lack.
        let customer = match self.random.below(10) {
            0 if kind == "granted" => "nobody".to_owned(),
            _ => self.customer(),
        };
        let id = format!("command-{}", self.number);
        self.timed(
            &event(&customer, &id, &format!("purser.wallet.{kind}"), &data),
            SECOND,
        )
    }

    /// A line that is rejected.
    fn broken(&mut self) -> Vec<u8> {
        self.number += 1;
        let id = format!("broken-{}", self.number);
        let customer = self.customer();
        let good = documents(&customer, &id, 1);
        let text = match self.random.below(14) {
            0 => String::new(),
            1 => " \t ".to_owned(),
            2 => good[..good.len() - 3].to_owned(),
            3 => "[1,2]".to_owned(),
            4 => format!("[{good}]"),
            5 => documents("two words", &id, 1),
            6 => documents("a.b", &id, 1),
            7 => good.replace("1.0", "2.0"),
            8 => good.replace("\"data\"", "\"time\":\"2026-10-01T00:00:00\",\"data\""),
            9 => event(&customer, &id, "document.analyzed", "{\"documents\":-1}"),
            10 => event(
                &customer,
                &id,
                "document.analyzed",
                "{\"documents\":999999999999}",
            ),
            11 => event(&customer, &id, "never.priced", "{}"),
            12 => "x".repeat(100_000),
            _ => {
                let mut bytes = good.into_bytes();
                bytes[20] = 0xff;
                return bytes;
            }
        };
        text.into_bytes()
    }
}
