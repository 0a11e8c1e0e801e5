//! The load of the bench: usage of many customers as NDJSON, from a seed.
//!
//! Owns what is used, and what it comes to by [`PRICES`]. Leaves who reads it to the contenders.
//!
//! Invariant: integers only and no clock, so that a seed gives the same bytes and totals anywhere.

use std::io::{self, Write};

use crate::domain::rfc3339;
use crate::domain::units::{MICROS_PER_DAY, MICROS_PER_HOUR, Timestamp};
use crate::jobs::random::Random;

/// The price tables of the load, by file name.
pub(super) const PRICES: [(&str, &str); 2] = [
    ("first.toml", include_str!("first.toml")),
    ("second.toml", include_str!("second.toml")),
];

/// 2026-10-16, in microseconds since 1970: from then on the second price table is in force.
const SECOND_TABLE: i64 = 1_792_108_800_000_000;
/// Microcredits of a document, of an input token and of an output token, in each table.
const CREDITS: [[i64; 3]; 2] = [[1_000_000, 50, 200], [800_000, 50, 150]];
/// Microcredits that an answer takes at least.
const ANSWER_MIN: i64 = 50_000;
/// A copy is of one of the last so many events.
const COPIED_LINES: usize = 10_000;
/// A prime, so that customers who follow each other have numbers that do not.
const SCATTER: u64 = 2_654_435_761;

/// How much of what.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub seed: u64,
    /// Lines, copies included.
    pub lines: u64,
    /// Each has an event if there are lines enough; few have most.
    pub customers: u64,
}

/// When the events are: from `begins` on for `lasts`, evenly, in microseconds (since 1970).
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    begins: i64,
    lasts: i64,
}

impl Times {
    /// Four days, the second price table in force from their middle on.
    pub(super) const BOTH_TABLES: Self = Self {
        begins: SECOND_TABLE - 2 * MICROS_PER_DAY,
        lasts: 4 * MICROS_PER_DAY,
    };
    /// The four days before those.
    pub(super) const BEFORE: Self = Self {
        begins: SECOND_TABLE - 6 * MICROS_PER_DAY,
        lasts: 4 * MICROS_PER_DAY,
    };

    /// October, both price tables in it, and five days of November: by then the periods of those
    /// who came on its first days have closed, and new ones have begun.
    pub(super) const MONTH: Self = Self {
        begins: SECOND_TABLE - 15 * MICROS_PER_DAY,
        lasts: 36 * MICROS_PER_DAY,
    };

    /// The hour before `now`, for a broker that stamps messages by a clock.
    pub(super) fn hour_before(now: Timestamp) -> Self {
        Self {
            begins: now.get() - MICROS_PER_HOUR,
            lasts: MICROS_PER_HOUR,
        }
    }
}

/// What a load comes to, whoever reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
pub(super) struct Totals {
    /// Events that are charged.
    pub(super) events: i64,
    /// What they come to, in microcredits.
    pub(super) micros: i64,
}

/// Writes the load, one event a line; one in a hundred is a copy.
///
/// # Errors
///
/// Those of `out`.
pub(super) fn write(load: Load, times: Times, out: &mut impl Write) -> io::Result<Totals> {
    let mut random = Random(load.seed);
    let mut recent: Vec<String> = Vec::new();
    let mut totals = Totals {
        events: 0,
        micros: 0,
    };
    // Customers who have had their turn.
    let mut turns = 0;
    for number in 0..load.lines {
        if !recent.is_empty() && random.between(1, 100) == 1 {
            out.write_all(random.one_of(&recent).as_bytes())?;
            continue;
        }
        let passed = times.lasts / load.lines.cast_signed() * number.cast_signed();
        let customer = match turns < (number + 1) * load.customers / load.lines {
            true => {
                turns += 1;
                turns * SCATTER % load.customers
            }
            false => draw(load.customers, &mut random),
        };
        let (line, micros) = event(number, customer, times.begins + passed, &mut random);
        let slot = totals.events as usize % COPIED_LINES;
        totals.events += 1;
        totals.micros += micros;
        out.write_all(line.as_bytes())?;
        match recent.get_mut(slot) {
            Some(old) => *old = line,
            None => recent.push(line),
        }
    }
    out.flush()?;
    Ok(totals)
}

/// The lower a number, the oftener it is drawn.
fn draw(customers: u64, random: &mut Random) -> u64 {
    let below = random.between(0, customers - 1);
    random.between(0, below)
}

/// A line of about 250 bytes, and the microcredits that it comes to.
fn event(number: u64, customer: u64, at: i64, random: &mut Random) -> (String, i64) {
    let [document, input, output] = CREDITS[usize::from(at >= SECOND_TABLE)];
    let time = rfc3339::format(Timestamp::new(at));
    let request = random.between(0, (1 << 48) - 1);
    let (kind, data, micros) = match random.between(1, 2) {
        1 => {
            let documents = random.between(1, 9).cast_signed();
            let data = format!(r#""documents":{documents},"pages":{}"#, documents * 7);
            ("document.analyzed", data, documents * document)
        }
        _ => {
            let tokens = [random.between(0, 8_999), random.between(0, 1_499)].map(u64::cast_signed);
            let data = format!(
                r#""input_tokens":{},"output_tokens":{}"#,
                tokens[0], tokens[1]
            );
            let micros = input * tokens[0] + output * tokens[1];
            ("llm.completion", data, micros.max(ANSWER_MIN))
        }
    };
    let line = format!(
        "{{\"specversion\":\"1.0\",\"id\":\"{number:08x}-{request:012x}\",\
         \"source\":\"/gateway/eu-{}\",\"type\":\"{kind}\",\
         \"subject\":\"customer-{customer:07}\",\"time\":\"{time}\",\
         \"data\":{{{data},\"model\":\"gpt-4o-mini\",\"region\":\"eu\"}}}}\n",
        number % 4,
    );
    (line, micros)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::adapters::cloudevents::Decoder;
    use crate::domain::event::Reading;

    #[test]
    fn a_seed_gives_the_same_bytes_and_every_line_is_an_event() {
        let load = Load {
            seed: 7,
            lines: 20_000,
            customers: 100,
        };
        let (mut first, mut second) = (Vec::new(), Vec::new());
        let times = Times::BOTH_TABLES;
        let totals = write(load, times, &mut first).unwrap();
        assert_eq!(write(load, times, &mut second).unwrap(), totals);
        assert!(first == second);
        let lines = first.split_inclusive(|byte| *byte == b'\n');
        assert_eq!(lines.clone().count(), 20_000);
        // One in a hundred is a copy.
        assert!((19_700..19_900).contains(&totals.events), "{totals:?}");
        let mut decoder = Decoder::default();
        for line in lines {
            let reading = decoder.read(&line[..line.len() - 1]);
            assert!(matches!(reading, Reading::Event(_)));
        }
        assert!(
            (225..275).contains(&(first.len() / 20_000)),
            "{}",
            first.len()
        );
    }
    #[test]
    fn each_customer_has_an_event() {
        let load = Load {
            seed: 7,
            lines: 2_000,
            customers: 1_000,
        };
        let mut lines = Vec::new();
        write(load, Times::BEFORE, &mut lines).unwrap();
        let lines = String::from_utf8(lines).unwrap();
        let customers = lines.lines().filter_map(|line| line.split('"').nth(19));
        let customers: BTreeSet<&str> = customers.collect();
        // But for those whose turn came in copies at the end.
        assert!((998..=1_000).contains(&customers.len()), "{customers:?}");
    }
}
