//! Any bytes: what comes from outside is read as its rules say, and never stops the program.
//!
//! Owns making bytes (`mutant`) and holding what is read against plain readers of the tests' own
//! (`json`, `event`). `FUZZ_SECONDS=600 cargo test --release --test fuzz` goes on for so long with
//! each target; what fails is printed at its smallest, and belongs into the rows of `seeds`.
#![allow(clippy::print_stderr, reason = "how much was tried must be told")]

#[path = "fuzz/event.rs"]
mod event;
#[path = "fuzz/json.rs"]
mod json;
#[path = "fuzz/mutant.rs"]
mod mutant;
#[path = "fuzz/seeds.rs"]
mod seeds;

use std::time::{Duration, Instant};

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use purser::adapters::cloudevents::{ContentType, Readings};
use purser::adapters::price_files;
use purser::domain::customer::Shard;
use purser::domain::duplicates::DuplicateFilter;
use purser::domain::engine::{self, Arrival, Engine, Subject};
use purser::domain::entry::{Entry, Sink};
use purser::domain::identity::FilterKey;
use purser::domain::price::PriceBook;
use purser::domain::units::Timestamp;

use mutant::mutant;
use seeds::{EVENTS, PRICES, now};

/// Of the identities.
const KEY: FilterKey = [1, 2, 3, 4];
/// How many cases are tried at once.
const CASES: u32 = 2_000;

/// Tries a target until the time is over.
fn fuzz<S: Strategy>(strategy: &S, target: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let given = std::env::var("FUZZ_SECONDS").ok();
    let seconds = given.map_or(0, |seconds| seconds.parse().expect("a number"));
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut cases = 0;
    loop {
        let config = Config {
            cases: CASES,
            failure_persistence: None,
            max_shrink_iters: 100_000,
            ..Config::default()
        };
        if let Err(fault) = TestRunner::new(config).run(strategy, &target) {
            panic!("after {cases} cases: {fault}");
        }
        cases += u64::from(CASES);
        if Instant::now() >= end {
            break;
        }
    }
    eprintln!("{cases} cases");
}

#[test]
fn an_event_is_read_as_a_plain_reader_reads_it() {
    for known in EVENTS {
        event::check(known.as_bytes()).expect("as the plain reader");
    }
    fuzz(&mutant(EVENTS), |bytes| event::check(&bytes));
}

#[test]
fn a_message_is_cut_where_a_plain_reader_cuts_it() {
    let contents = [
        ContentType::Single,
        ContentType::Batch,
        ContentType::Lines,
        ContentType::Unstated,
    ];
    fuzz(&mutant(EVENTS), |bytes| {
        contents
            .iter()
            .try_for_each(|content| event::check_cut(&bytes, *content))
    });
}

#[test]
fn any_price_file_is_a_book_or_told_its_faults() {
    fuzz(&mutant(PRICES), |bytes| {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let lines = 1 + text.matches('\n').count();
        if let Err(faults) = price_files::load(&[("a.toml".to_owned(), text)]) {
            let is_placed = faults.iter().all(|fault| fault.line <= lines);
            if faults.is_empty() || !is_placed {
                return Err(TestCaseError::fail(format!("{faults:?} of {lines} lines")));
            }
        }
        Ok(())
    });
}

#[test]
fn whatever_the_prices_and_the_messages_each_event_becomes_rows() {
    let both = (mutant(PRICES), mutant(EVENTS));
    fuzz(&both, |(prices, message)| {
        let text = String::from_utf8_lossy(&prices).into_owned();
        let book = price_files::load(&[("a.toml".to_owned(), text)]);
        let book = book.unwrap_or_else(|_| seeds::book());
        rows(book, &message)
    });
}

/// Each event's rows are numbered, and there are some.
fn rows(book: PriceBook, message: &[u8]) -> Result<(), TestCaseError> {
    let shard = Shard { index: 0, count: 1 };
    let mut engine = Engine::new(shard, book, DuplicateFilter::unbounded(KEY));
    let mut sink = Numbers::default();
    let mut readings = Readings::new(KEY);
    for seq in 1..=2 {
        let place = engine::Message {
            source: "USAGE@2026-01-01T00:00:00Z",
            seq,
            arrival: Arrival::Broker {
                received_at: Timestamp::new(now().get() + seq),
                subject: Subject::parse("batch.0"),
            },
        };
        engine.begin(&place, &mut sink).expect("in memory");
        readings.clear();
        readings.add_message(message, ContentType::Unstated);
        let count = readings.count() as i32;
        for idx in 0..count {
            let (reading, raw) = (
                readings.get(idx as usize),
                readings.raw(idx as usize, message),
            );
            let decided = engine.event(&place, idx, (&reading, &raw), &mut sink);
            decided.expect("in memory");
        }
        let events = sink.0.iter().filter(|(_, of, idx)| *of == seq && *idx >= 0);
        let mut events: Vec<i32> = events.map(|(_, _, idx)| *idx).collect();
        events.dedup();
        if !events.iter().copied().eq(0..count) || count == 0 {
            return Err(TestCaseError::fail(format!(
                "{count} events became {events:?}"
            )));
        }
    }
    let entries = sink.0.iter().map(|(entry, ..)| *entry);
    if !entries.eq(1..=sink.0.len() as i64) {
        return Err(TestCaseError::fail("entries are not 1, 2, 3 …"));
    }
    Ok(())
}

/// Entry, seq and idx of each row.
#[derive(Default)]
struct Numbers(Vec<(i64, i64, i32)>);

impl Sink for Numbers {
    fn append(&mut self, row: &Entry<'_>) {
        self.0.push((row.entry, row.seq, row.idx));
    }
}
