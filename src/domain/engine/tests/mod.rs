//! Stories: input lines and the rows that they lead to, as text.
//!
//! Owns the one helper that knows the engine's API. A story is a list of input lines (`line`), each
//! followed by its rows (`shown`), marked `|`; what a row shows beyond the usual is named in a
//! line `show …`. Leaves the rules of the prices' text to `prices`.
//!
//! Invariant: every story is also stopped after each message and gone on with by an engine that
//! came back from the rows so far, and its rows must add up (`audit`).

mod alerts;
mod audit;
mod broker;
mod burn_down;
mod checks;
mod clock;
mod clocks;
mod closings;
mod commands;
pub(in crate::domain) mod deeds;
mod duplicates;
mod edges;
mod grants;
mod line;
mod midnights;
mod openings;
mod overage;
mod periods;
mod plan_changes;
mod plan_terms;
mod prices;
mod properties;
mod restore;
mod reversal_checks;
mod reversals;
mod rollovers;
mod shown;
mod statuses;
mod versions;
mod voids;

use crate::domain::command::Reversed;
use crate::domain::customer::Shard;
use crate::domain::duplicates::DuplicateFilter;
use crate::domain::engine::{Arrival, Charged, Engine, Head, LoadedWallets, Message, Subject};
use crate::domain::entry::{Entry, Kind, Payload, RawBody, Sink};
use crate::domain::event::{Members, Reading};
use crate::domain::price::PriceBook;
use crate::domain::wallet::list::WalletList;
use line::{Line, Script};

pub(in crate::domain) use line::spans;

/// A plan of 1,000 credits that bills overage, one of 100 that blocks, and a credit a document.
const PRICES: &str = "
    version v1 from=2026-01-01 default=starter
    price docs type=usage each=docs:1
    price call type=call flat=0.5
    plan starter fee=99 pool=1000 bill=0.12
    plan small fee=10 pool=100
";

/// Rows, kept by leaking their texts: a test is soon over.
#[derive(Default)]
struct Rows(Vec<Entry<'static>>);

impl Sink for Rows {
    fn append(&mut self, row: &Entry<'_>) {
        self.0.push(shown::keep(row));
    }
}

/// The newest charge of an event, as the ledger's rows tell of it.
fn charge(rows: &[Entry<'_>], customer: Option<&str>, reversed: Reversed<'_>) -> Option<Charged> {
    let is_of = |row: &&Entry<'_>| {
        row.kind == Kind::Usage
            && row.customer == customer
            && row.event_source == Some(reversed.source)
            && row.event_id == Some(reversed.id)
    };
    let last = rows.iter().rfind(is_of)?;
    let mut charged = Charged::of(last);
    let own = rows.iter().filter(is_of);
    let own = own.filter(|row| (row.seq, row.idx) == (last.seq, last.idx));
    own.for_each(|row| charged.push(row));
    Some(charged)
}

fn filter(key: u64) -> DuplicateFilter {
    DuplicateFilter::unbounded([key; 4])
}

/// An engine and the rows that it has written.
struct Run {
    shard: Shard,
    book: PriceBook,
    engine: Engine,
    rows: Rows,
    /// Before the first message and after each.
    snapshots: Vec<Snapshot>,
}

/// What a checkpoint can be made of.
struct Snapshot {
    head: Head,
    wallets: WalletList,
}

impl Snapshot {
    fn of(engine: &Engine) -> Self {
        Self {
            head: engine.head(),
            wallets: engine.wallets().clone(),
        }
    }
}

impl Run {
    fn new(shard: Shard, book: PriceBook) -> Self {
        let engine = Engine::new(shard, book.clone(), filter(1));
        Self {
            shard,
            book,
            snapshots: vec![Snapshot::of(&engine)],
            engine,
            rows: Rows::default(),
        }
    }

    /// The run that comes back from the first `kept` rows of this one.
    fn restored(&self, kept: usize) -> Self {
        self.restored_by(Engine::new(self.shard, self.book.clone(), filter(3)), kept)
    }

    /// The run that comes back from a checkpoint and the rows after it, up to `kept`. It was
    /// begun after message `begun`, and its wallets were taken one, two, … messages later, none
    /// later than message `stopped`.
    fn restored_from(&self, begun: usize, (stopped, kept): (usize, usize)) -> Self {
        let mut engine = Engine::new(self.shard, self.book.clone(), filter(3));
        engine.resume(self.snapshots[begun].head.clone());
        for place in 0..self.snapshots[stopped].wallets.count() {
            let taken = &self.snapshots[stopped.min(begun + place % 4)];
            if let Some(wallet) = taken.wallets.starting_at(place).next() {
                let as_of = vec![taken.head.last.entry];
                engine.load(LoadedWallets::new(vec![wallet.clone()], as_of));
            }
        }
        self.restored_by(engine, kept)
    }

    fn restored_by(&self, mut engine: Engine, kept: usize) -> Self {
        let begun = engine.last_entry();
        for row in &self.rows.0[..kept] {
            let mut row = *row;
            let mut found = Vec::new();
            if let Some(Payload::Raw(raw)) = row.data {
                row.data = std::str::from_utf8(raw.bytes).ok().map(Payload::Data);
            }
            let is_read = matches!(row.kind, Kind::Wallet | Kind::Grant | Kind::Reversal);
            if let Some(Payload::Data(data)) = row.data.filter(|_| is_read) {
                found = spans(data);
            }
            let data = match row.data {
                Some(Payload::Data(data)) => Members::new(data, "", &found),
                _ => Members::NONE,
            };
            // What a ledger's reader leaves out.
            (row.task, row.unit, row.price_id, row.currency) = (None, None, None, None);
            (row.quantity, row.cost_usd, row.late) = (None, None, None);
            if row.entry <= begun {
                engine.restore_identity(&row, &data);
            } else {
                engine.restore(&row, &data).unwrap();
            }
        }
        engine.set_book(self.book.clone()).unwrap();
        let rows = Rows(self.rows.0[..kept].to_vec());
        Self {
            shard: self.shard,
            book: self.book.clone(),
            snapshots: vec![Snapshot::of(&engine)],
            engine,
            rows,
        }
    }

    /// Makes the charges known that a message takes back.
    fn recall(&mut self, lines: &[Line<'_>]) {
        let mut charges = Vec::new();
        for line in lines {
            if let Reading::Event(event) = line.reading()
                && let Some(reversed) = Reversed::of(&event)
            {
                charges.extend(charge(&self.rows.0, event.subject, reversed));
            }
        }
        self.engine.recall(charges);
    }

    /// Hands a message over; gives how many rows there were after each of its events.
    fn message(&mut self, seq: usize, lines: &[Line<'_>]) -> Vec<usize> {
        let first = &lines[0];
        let arrival = match first.subject {
            Some(subject) => Arrival::Broker {
                received_at: first.at.unwrap(),
                subject: Subject::parse(subject),
            },
            None => Arrival::File {
                wall_clock: first.wall,
            },
        };
        let message = Message {
            source: "S",
            seq: seq as i64 + 1,
            arrival,
        };
        self.recall(lines);
        self.engine.begin(&message, &mut self.rows).unwrap();
        let mut ends = Vec::new();
        for (idx, line) in lines.iter().enumerate() {
            let reading = line.reading();
            let raw = RawBody::whole(line.text.as_bytes());
            self.engine
                .event(&message, idx as i32, (&reading, &raw), &mut self.rows)
                .unwrap();
            ends.push(self.rows.0.len());
        }
        self.snapshots.push(Snapshot::of(&self.engine));
        ends
    }
}

/// Plays the input of `text` and compares it and its rows with all of `text`.
fn story(prices: &str, text: &str) {
    let script = Script::read(text);
    let told = play(prices, &script);
    let mut expected = String::new();
    for line in line::meant(text) {
        expected.push_str(&line.split_whitespace().collect::<Vec<_>>().join(" "));
        expected.push('\n');
    }
    assert!(
        told == expected,
        "the rows are:\n{told}\nand not:\n{expected}"
    );
}

/// The rows of a script, for stories that are too long to be told.
fn rows(prices: &str, text: &str) -> Vec<Entry<'static>> {
    let script = Script::read(text);
    let mut run = Run::new(script.shard, prices::book(prices));
    for (seq, lines) in script.messages().iter().enumerate() {
        run.message(seq, lines);
    }
    run.rows.0
}

/// The rows of a script, with the shard and the prices that they come of: for the audit.
pub(in crate::domain) fn ledger(
    prices: &str,
    text: &str,
) -> (Shard, PriceBook, Vec<Entry<'static>>) {
    let shard = Script::read(text).shard;
    (shard, prices::book(prices), rows(prices, text))
}

/// The script with its rows, as text.
fn play(prices: &str, script: &Script<'_>) -> String {
    let messages = script.messages();
    let mut run = Run::new(script.shard, prices::book(prices));
    let mut told: String = script.show.iter().map(|line| format!("{line}\n")).collect();
    let mut cuts = vec![0];
    for (seq, lines) in messages.iter().enumerate() {
        let mut from = run.rows.0.len();
        for (line, end) in lines.iter().zip(run.message(seq, lines)) {
            for setting in &line.settings {
                told.push_str(&format!("{setting}\n"));
            }
            told.push_str(&line.text.split_whitespace().collect::<Vec<_>>().join(" "));
            told.push('\n');
            for row in &run.rows.0[from..end] {
                told.push_str(&format!("| {}\n", shown::shown(row, line, &script.show)));
            }
            from = end;
        }
        cuts.push(from);
    }
    audit::check(&run);
    for (seq, kept) in cuts.iter().enumerate() {
        go_on(&run, &messages, (seq, *kept));
    }
    told
}

/// Comes back from the rows of the first `stopped` messages, hands over the others, and finds
/// the rows to be those of `run`, which never stopped.
fn go_on(run: &Run, messages: &[&[Line<'_>]], (stopped, kept): (usize, usize)) {
    go_on_with(run.restored(kept), run, messages, stopped);
    for begun in [0, stopped / 2, stopped.saturating_sub(1), stopped] {
        let again = run.restored_from(begun, (stopped, kept));
        go_on_with(again, run, messages, stopped);
    }
}

fn go_on_with(mut again: Run, run: &Run, messages: &[&[Line<'_>]], stopped: usize) {
    for (seq, lines) in messages.iter().enumerate().skip(stopped) {
        again.message(seq, lines);
    }
    for (again, row) in again.rows.0.iter().zip(&run.rows.0) {
        let (again, row) = (format!("{again:?}"), format!("{row:?}"));
        assert!(
            again == row,
            "stopped after message {stopped}: {again}\nand not {row}"
        );
    }
    assert_eq!(
        again.rows.0.len(),
        run.rows.0.len(),
        "stopped after message {stopped}"
    );
    assert_eq!(
        again.engine.now(),
        run.engine.now(),
        "stopped after message {stopped}"
    );
}
