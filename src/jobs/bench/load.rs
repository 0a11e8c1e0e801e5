//! The load of the bench: usage of many customers as NDJSON, from a seed.
//!
//! Owns what is used, and what it comes to by [`PRICES`]. Leaves who reads it to the contenders.
//!
//! Invariant: integers only and no clock, so that a seed gives the same bytes and totals anywhere.

use std::io::{self, Write};

use crate::domain::rfc3339;
use crate::domain::units::{MICROS_PER_DAY, Timestamp};
use crate::jobs::random::Random;

/// The price tables of the load, by file name.
pub(super) const PRICES: [(&str, &str); 2] = [
    ("first.toml", include_str!("first.toml")),
    ("second.toml", include_str!("second.toml")),
];

/// 2026-10-14, in microseconds since 1970: two days before the second price table is in force.
const BEGINS: i64 = 1_791_936_000_000_000;
/// The load lasts so many days.
const DAYS: i64 = 4;
/// Microcredits of a document, of an input token and of an output token, in each table.
const CREDITS: [[i64; 3]; 2] = [[1_000_000, 50, 200], [800_000, 50, 150]];
/// Microcredits that an answer takes at least.
const ANSWER_MIN: i64 = 50_000;
/// A copy is of one of the last so many events.
const COPIED_LINES: usize = 10_000;

/// How much of what.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub seed: u64,
    /// Lines, copies included.
    pub lines: u64,
    pub customers: u64,
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
pub(super) fn write(load: Load, out: &mut impl Write) -> io::Result<Totals> {
    let mut random = Random(load.seed);
    let mut recent: Vec<String> = Vec::new();
    let mut totals = Totals {
        events: 0,
        micros: 0,
    };
    for number in 0..load.lines {
        if !recent.is_empty() && random.between(1, 100) == 1 {
            out.write_all(random.one_of(&recent).as_bytes())?;
            continue;
        }
        let passed = DAYS * MICROS_PER_DAY / load.lines.max(1).cast_signed() * number.cast_signed();
        let table = usize::from(passed >= 2 * MICROS_PER_DAY);
        let (line, micros) = event(load, number, BEGINS + passed, table, &mut random);
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

/// A line of about 250 bytes, and the microcredits that it comes to.
fn event(load: Load, number: u64, at: i64, table: usize, random: &mut Random) -> (String, i64) {
    let [document, input, output] = CREDITS[table];
    // The lower a number, the oftener it is drawn: few customers have most events.
    let below = random.between(0, load.customers - 1);
    let customer = random.between(0, below);
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
        let totals = write(load, &mut first).unwrap();
        assert_eq!(write(load, &mut second).unwrap(), totals);
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
}
