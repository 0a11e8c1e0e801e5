//! The demo's input: October 2026 of eight customers, as NDJSON in order of arrival.
//!
//! Owns the story: who uses how much, and what goes wrong on the way. Leaves prices and plans to
//! `fixtures/prices`, whose words it speaks, and every verdict to the engine.
//!
//! Invariant: a fixed seed, integers only, no clock, so the same bytes on every machine.

use std::io::{self, Write};

use super::random::Random;

const SEED: u64 = 20_261_001;
const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const DAYS: u64 = 31;

/// Monday to Sunday.
const WEEK: [u64; 7] = [100, 108, 112, 104, 86, 7, 5];
/// The hours of a day in UTC: an office with a lunch break and a few night owls.
const HOURS: [u64; 24] = [
    1, 1, 1, 1, 1, 2, 6, 22, 62, 95, 100, 90, 55, 85, 100, 92, 70, 42, 20, 10, 6, 4, 2, 1,
];
const DOCUMENTS: &str = "document.analyzed";
const DEAL: &str = "deal.packaged";
const ANSWER: &str = "llm.completion";
const PAGES: &str = "document.translated";
const VOICE: &str = "voice.transcribed";
const TYPES: [&str; 5] = [DOCUMENTS, DEAL, ANSWER, PAGES, VOICE];
#[rustfmt::skip]
const MODELS: [&str; 5] = ["gpt-4o", "gpt-4o", "claude-opus", "gpt-4o-mini", "claude-haiku"];
/// Bought by birch-legal.
const PURCHASE_AT: u64 = 20 * DAY + 9 * HOUR;
const PURCHASE: &str =
    r#"{"credits":"2000","basis":"purchased","price":"170.00","currency":"USD"}"#;

struct Customer {
    name: &'static str,
    /// `None`: opened by the first usage, on the default plan.
    plan: Option<&'static str>,
    events: u64,
    /// In one event.
    documents_max: u64,
    /// Weights of the types.
    mix: [u64; 5],
    /// Multiplies the weight of a day, counted from 0.
    course: fn(u64) -> u64,
}

#[rustfmt::skip] // A table is easier to compare.
const CUSTOMERS: [Customer; 8] = [
    // A little beyond its pool, yet the next plan would be dearer.
    Customer { name: "atlas-bank", plan: Some("business"), events: 2_200, documents_max: 22,
        mix: [36, 5, 45, 8, 6], course: |_| 1 },
    // Buys credits when four fifths are used.
    Customer { name: "birch-legal", plan: Some("team"), events: 900, documents_max: 9,
        mix: [26, 5, 45, 18, 6], course: |_| 1 },
    // Grows all month and runs out in its last days.
    Customer { name: "cobalt-realty", plan: Some("team"), events: 760, documents_max: 9,
        mix: [40, 5, 40, 5, 10], course: |day| day + 1 },
    // Reaches 80 % and goes quiet.
    Customer { name: "dune-logistics", plan: Some("team"), events: 460, documents_max: 10,
        mix: [45, 5, 30, 15, 5], course: |day| u64::from(day <= 20) },
    // Far beyond its pool: the next plan would have been cheaper.
    Customer { name: "ember-studio", plan: None, events: 420, documents_max: 8,
        mix: [50, 9, 30, 6, 5], course: |_| 1 },
    // Crosses 50 % and no more.
    Customer { name: "flint-advisors", plan: None, events: 90, documents_max: 7,
        mix: [40, 5, 40, 10, 5], course: |_| 1 },
    // Pays for far more than it uses.
    Customer { name: "grove-clinic", plan: Some("team"), events: 70, documents_max: 5,
        mix: [15, 0, 30, 5, 50], course: |_| 1 },
    Customer { name: "harbor-notary", plan: None, events: 40, documents_max: 4,
        mix: [30, 0, 30, 40, 0], course: |_| 1 },
];

/// What was written: lines of each kind; the `delayed` are among `usage`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DemoCounts {
    pub commands: usize,
    pub usage: usize,
    pub delayed: usize,
    pub duplicates: usize,
    pub conflicts: usize,
    pub broken: usize,
}

/// Writes the month, one event a line.
///
/// `usage` is what will be charged. Each duplicate or conflict comes after what it repeats; each
/// broken line is a first try, which its producer then sends in order.
///
/// # Errors
///
/// Those of `out`.
pub fn write_october(out: &mut impl Write) -> io::Result<DemoCounts> {
    let mut random = Random(SEED);
    let mut counts = DemoCounts::default();
    let mut lines = Vec::new();
    let events = events(&mut random);
    for event in &events {
        counts.commands += usize::from(event.is_command());
        counts.usage += usize::from(!event.is_command());
        counts.delayed += usize::from(event.arrives_at > event.used_at + HOUR);
        lines.push((event.arrives_at, event.line()));
    }
    for number in 0..events.len() / 100 {
        let mut again = random.one_of(&events).clone();
        again.arrives_at += random.between(2 * SECOND, 2 * HOUR);
        if number % 3 == 0 {
            again.used_at = again.arrives_at; // Stamped anew, yet the same event.
        }
        lines.push((again.arrives_at, again.line()));
        counts.duplicates += 1;
    }
    let is_documents = |event: &&Event| event.event_type == DOCUMENTS;
    let documents: Vec<&Event> = events.iter().filter(is_documents).collect();
    for _ in 0..3 {
        let mut other = (*random.one_of(&documents)).clone();
        other.arrives_at += random.between(HOUR, DAY);
        other.data = other.data.replace("\"documents\":", "\"documents\":1");
        lines.push((other.arrives_at, other.line()));
        counts.conflicts += 1;
    }
    for fault in 0..events.len() * 3 / 1_000 {
        let event = random.one_of(&documents);
        let first_try_at = event.arrives_at - random.between(SECOND, MINUTE);
        lines.push((first_try_at, broken(fault, event)));
        counts.broken += 1;
    }
    lines.sort_by_key(|(arrives_at, _)| *arrives_at); // Stable, so the commands stay first.
    for (_, line) in &lines {
        writeln!(out, "{line}")?;
    }
    Ok(counts)
}

/// Commands and usage, each once and in order; by time of use, as their ids are.
fn events(random: &mut Random) -> Vec<Event> {
    let mut events = Vec::new();
    for customer in &CUSTOMERS {
        if let Some(plan) = customer.plan {
            let data = format!(r#"{{"plan":"{plan}"}}"#);
            events.push(Event::new(customer.name, 0, ("purser.wallet.opened", data)));
        }
        let weekdays = WEEK.iter().cycle().skip(3); // The month begins on a Thursday.
        let weight = |(weekday, day)| weekday * (customer.course)(day);
        let days: Vec<u64> = weekdays.zip(0..DAYS).map(weight).collect();
        for _ in 0..customer.events {
            let (day, hour) = (random.weighted(&days), random.weighted(&HOURS));
            // Not in the first minute, so that a broken first try is in October too.
            let used_at = day * DAY + hour * HOUR + random.between(MINUTE, HOUR - 1);
            let mut event = Event::new(customer.name, used_at, work(random, customer));
            // One in fifty waits in some queue, but all arrive within the month.
            let waits = used_at < 28 * DAY && random.between(1, 50) == 1;
            let most = if waits { 3 * DAY } else { 4 * SECOND };
            event.arrives_at += random.between(most / 20, most);
            events.push(event);
        }
    }
    let bought = ("purser.wallet.granted", PURCHASE.to_owned());
    events.push(Event::new("birch-legal", PURCHASE_AT, bought));
    events.sort_by_key(|event| event.used_at);
    for (number, event) in (1..).zip(&mut events) {
        event.id = format!("evt-{number:06}");
    }
    events
}

/// Type and `data` of one piece of work.
fn work(random: &mut Random, customer: &Customer) -> (&'static str, String) {
    let (event_type, model) = (random.weighted(&customer.mix), random.one_of(&MODELS));
    let event_type = TYPES[event_type as usize];
    let mut some = |least, most| random.between(least, most);
    let llm = |input: u64, output: u64| {
        format!(r#""model":"{model}","input_tokens":{input},"output_tokens":{output}"#)
    };
    let data = match event_type {
        DOCUMENTS => {
            let documents = some(1, customer.documents_max);
            let llm = llm(documents * some(2_500, 9_000), documents * some(150, 700));
            format!(r#""documents":{documents},{llm}"#)
        }
        DEAL => llm(some(90_000, 260_000), some(4_000, 14_000)),
        ANSWER => llm(some(60, 6_000), some(10, 900)),
        PAGES => format!(
            r#""pages":{},"certified":{}"#,
            some(1, 24),
            some(1, 10) == 1
        ),
        _ => format!(r#""minutes":{}.{:02}"#, some(1, 45), some(0, 99)),
    };
    (event_type, format!("{{{data}}}"))
}

/// `event` as a faulty producer sends it; the faults take turns.
fn broken(fault: usize, event: &Event) -> String {
    let (line, customer) = (event.line(), event.customer);
    match fault % 6 {
        0 => line[..line.len() / 2].to_owned(),
        1 => line.replace("\"input_tokens\":", "\"input_tokens\":-"),
        2 => line.replace(event.event_type, "document.shredded"),
        3 => line.replace(customer, &customer.replace('-', ".")),
        4 => line.replace(&format!("\"id\":\"{}\",", event.id), ""),
        _ => line.replace("\"time\":\"2026-10", "\"time\":\"2026-08"), // Beyond the window.
    }
}

/// An event and its two moments, in milliseconds since the month began.
#[derive(Clone)]
struct Event {
    id: String,
    customer: &'static str,
    event_type: &'static str,
    data: String,
    used_at: u64,
    arrives_at: u64,
}

impl Event {
    fn new(customer: &'static str, at: u64, (event_type, data): (&'static str, String)) -> Self {
        let (id, used_at, arrives_at) = (String::new(), at, at);
        Self {
            id,
            customer,
            event_type,
            data,
            used_at,
            arrives_at,
        }
    }

    fn is_command(&self) -> bool {
        self.event_type.starts_with("purser.")
    }

    fn line(&self) -> String {
        let source = ["/gateway/eu-1", "/billing"][usize::from(self.is_command())];
        let time = self.used_at.min(DAYS * DAY - 1); // A retry may come when October is over.
        let (day, hour, minute) = (time / DAY + 1, time / HOUR % 24, time / MINUTE % 60);
        let (second, milli) = (time / SECOND % 60, time % SECOND);
        let time = format!("2026-10-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z");
        let (id, kind, customer) = (&self.id, self.event_type, self.customer);
        let head = format!(r#""specversion":"1.0","id":"{id}","source":"{source}""#);
        let what = format!(r#""type":"{kind}","subject":"{customer}","time":"{time}""#);
        format!(r#"{{{head},{what},"data":{}}}"#, self.data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_writes_the_same_bytes_and_all_kinds() {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        let counts = write_october(&mut first).unwrap();
        assert_eq!(write_october(&mut second).unwrap(), counts);
        assert!(first == second);
        let wanted =
            "commands: 6, usage: 4940, delayed: 95, duplicates: 49, conflicts: 3, broken: 14";
        assert_eq!(format!("{counts:?}"), format!("DemoCounts {{ {wanted} }}"));
        let lines = first.split(|byte| *byte == b'\n').count() - 1;
        assert_eq!(lines, 6 + 4_940 + 49 + 3 + 14);
    }
}
