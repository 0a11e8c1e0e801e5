//! The engine's longest pause, while events come at an even pace and a month ends.
//!
//! Owns when events come, and what of the engine's thread is timed. Leaves the events to `load`,
//! and what that thread does to the parts of a worker: shard, batches, writer, checkpoints.
//!
//! Invariant: whatever came before is committed before the first event is timed.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::BenchError;
use super::figure::{Figure, Target, Unit, once};
use super::load::Times;
use super::measure::micros;
use super::place::{Place, check, read_totals};
use crate::adapters::cloudevents::Readings;
use crate::adapters::files::{Block, LineReader};
use crate::domain::customer::Shard;
use crate::domain::engine::{Arrival, Engine, Message, Subject, TOUCHED};
use crate::domain::event::Reading;
use crate::domain::units::{Day, MICROS_PER_HOUR, Timestamp};
use crate::jobs::alert_event::cloud_event;
use crate::jobs::batches::{Batches, WriterGone};
use crate::jobs::checkpoints::{Checkpointer, Checkpoints};
use crate::jobs::data::DataFolder;
use crate::jobs::shard::{Attach, AttachedShard, attach, keep_filter};
use crate::jobs::writer::{Writer, WriterError};

/// The ledger's name for where the events come from.
const SOURCE: &str = "bench";
/// 2026-10-01, when all wallets are opened, and 2026-11-01, when their periods end.
const OCTOBER: Timestamp = Day::new(20_727).start();
const NOVEMBER: Timestamp = Day::new(20_758).start();

/// Events a second, and from one to the next, in microseconds.
const RATE: u64 = 20_000;
const GAP: u64 = 1_000_000 / RATE;
/// At most so many events are timed: they take forty seconds.
const EVENTS_MAX: u64 = 40 * RATE;
const CUSTOMERS_MAX: u64 = 100_000;
/// Events that each customer has before, on average: with them the duplicate filter becomes full,
/// and hands over what it has, while events are timed.
const EVENTS_BEFORE: u64 = 12;
/// A worker's by default.
const FILTER_BYTES: u64 = 256 << 20;
/// Shorter than a worker's, so that there are many commits, and some checkpoints.
const COMMIT_INTERVAL: Duration = Duration::from_secs(1);
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(10);
/// Between two looks whether all is committed.
const LOOK: Duration = Duration::from_millis(10);

/// The engine's thread.
struct Feed {
    engine: Engine,
    batches: Batches,
    checkpoints: Checkpoints,
    /// The last message, and when it was received.
    seq: i64,
    now: Timestamp,
    /// The longest time that each step took, by its name.
    longest: BTreeMap<&'static str, Duration>,
}

/// Measures; the ledger's totals are checked, and that all periods have ended.
pub(super) async fn pauses(place: &Place<'_>) -> Result<Vec<Figure>, BenchError> {
    let mut timed = place.job.load;
    timed.lines = timed.lines.min(EVENTS_MAX);
    timed.customers = timed.lines.min(CUSTOMERS_MAX);
    let mut before = timed;
    before.seed = timed.seed.wrapping_add(1);
    before.lines = EVENTS_BEFORE * timed.customers;
    let count = timed.lines;
    // Their times are not looked at, but they are charged by the prices of then.
    let october = Times::hour_before(OCTOBER.plus(MICROS_PER_HOUR));
    let (before, mut total) = place.write("before.ndjson", before, october)?;
    let (events, more) = place.write("events.ndjson", timed, Times::hour_before(NOVEMBER))?;
    let data = place.path("data");
    let job = Attach {
        data: DataFolder::new(&data.to_string_lossy(), None)?,
        shard: Shard::WHOLE,
        prices: Some(place.job.prices()),
        filter_bytes: FILTER_BYTES,
    };
    let attached = attach(&job, SOURCE).await?;
    place.tell(&format!("{count} events, {RATE} a second"));
    let begins = NOVEMBER.plus(-(count / 2 * GAP).cast_signed());
    let work = move || measure(&job, attached, &before, (&events, begins));
    let ended = tokio::task::spawn_blocking(work).await;
    let (longest, took, periods) = ended.map_err(|_| WriterError::Panicked)??;
    total.events += more.events;
    total.micros += more.micros;
    check("the ledger", read_totals(&data, SOURCE).await?, total)?;
    place.tell(&format!(
        "{count} events and {periods} ends of periods in {took:?}: {longest:?}"
    ));
    let pause = micros(longest.into_values().max().unwrap_or_default());
    Ok(vec![Figure {
        what: "the engine's longest pause, in ms, with a month's end in between",
        ours: once(pause),
        theirs: None,
        unit: Unit::Micros,
        value: pause / 10, // hundredths of milliseconds
        at_least: Some(Target::AtMost(10_000)),
        aim: Some(Target::AtMost(2_000)),
    }])
}

/// Handles the events `before` as fast as they go, then `events` from `begins` on at their pace;
/// gives what took how long, the time of all, and how many periods ended.
fn measure(
    job: &Attach,
    attached: AttachedShard,
    before: &Path,
    (events, begins): (&Path, Timestamp),
) -> Result<(BTreeMap<&'static str, Duration>, Duration, usize), BenchError> {
    let mut parts = attached.into_parts();
    let (data, shard) = (&job.data, job.shard.index);
    parts.newest.sources.insert(SOURCE.to_owned());
    let checkpoints = Checkpointer {
        shard,
        data: data.url().clone(),
        committed: Arc::clone(&parts.committed),
        interval: CHECKPOINT_INTERVAL,
    };
    let writer = Writer {
        shard,
        name: uuid::Uuid::new_v4().to_string(),
        ledger: parts.ledger,
        folder: data.workplace(),
        alerts: None,
        committed: Arc::clone(&parts.committed),
    };
    let (work, writer) = writer.start();
    let last_entry = parts.engine.last_entry();
    let mut feed = Feed {
        engine: parts.engine,
        batches: Batches::new(last_entry, COMMIT_INTERVAL, work),
        checkpoints: checkpoints.start(parts.newest),
        seq: 0,
        now: OCTOBER,
        longest: BTreeMap::new(),
    };
    let mut fed = feed.handle(before, OCTOBER, 0);
    feed.batches.seal();
    let last_entry = feed.engine.last_entry();
    while parts.committed.load(Ordering::Acquire) < last_entry && !writer.has_ended() {
        sleep(LOOK);
    }
    feed.longest.clear();
    if fed.is_ok() {
        fed = feed.handle(events, begins, GAP);
        feed.batches.seal();
    }
    drop(feed.batches);
    // The writer's error comes first: it is why the engine could not go on.
    writer.join()?;
    let took = fed?;
    let wallets = feed.engine.wallets();
    if wallets.iter().any(|it| it.current.start != NOVEMBER.day()) {
        return Err(io::Error::other("a period has not ended").into());
    }
    let periods = wallets.count();
    feed.checkpoints.take_rest(&feed.engine);
    feed.checkpoints.finish(|| keep_filter(feed.engine));
    Ok((feed.longest, took, periods))
}

impl Feed {
    /// Handles a file's events, each as a message that is received `gap` microseconds after the one
    /// before, from `begins` on; those of a millisecond come at once. Gives the time of all.
    fn handle(&mut self, path: &Path, begins: Timestamp, gap: u64) -> Result<Duration, BenchError> {
        let mut reader = LineReader::open(path)?;
        let mut readings = Readings::new(self.engine.filter_key());
        let (begun, mut number) = (Instant::now(), 0_u64);
        while let Some(Block::Lines { bytes, .. }) = reader.next_block()? {
            readings.read_lines(bytes, 0);
            for event in 0..readings.count() {
                let passed = number * gap;
                if number % (RATE / 1_000) == 0 {
                    self.between_messages();
                    let due = begun + Duration::from_micros(passed);
                    sleep(due.saturating_duration_since(Instant::now()));
                }
                number += 1;
                self.now = begins.plus(passed.cast_signed());
                let taken = Instant::now();
                self.message(&readings, event)?;
                self.note("message", taken);
            }
        }
        Ok(begun.elapsed())
    }

    /// What a worker does between messages.
    fn between_messages(&mut self) {
        let begun = Instant::now();
        if self.batches.due().is_some_and(|due| due <= begun) {
            self.batches.seal();
            self.note("seal", begun);
        }
        let begun = Instant::now();
        self.checkpoints.tend(&self.engine);
        self.note("checkpoint", begun);
    }

    fn note(&mut self, what: &'static str, begun: Instant) {
        let (took, longest) = (begun.elapsed(), self.longest.entry(what).or_default());
        *longest = took.max(*longest);
    }

    fn message(&mut self, all: &Readings, event: usize) -> Result<(), BenchError> {
        let (mut reading, raw) = (all.get(event), all.line(event));
        let mut subject = Subject::Other;
        if let Reading::Event(event) = &mut reading {
            event.time = None; // it is used when it is received
            subject = event.subject.map_or(subject, Subject::Usage);
        }
        self.seq += 1;
        let message = Message {
            source: SOURCE,
            seq: self.seq,
            arrival: Arrival::Broker {
                received_at: self.now,
                subject,
            },
        };
        self.engine.begin(&message, &mut self.batches)?;
        if event.is_multiple_of(TOUCHED) {
            self.engine.touch(all.who(event, TOUCHED));
        }
        let event = (&reading, &raw);
        self.engine.event(&message, 0, event, &mut self.batches)?;
        for alert in self.engine.alerts.drain(..) {
            black_box(cloud_event(&alert));
        }
        // The writer's own error says why it has gone.
        let sent = self.batches.after_message();
        Ok(sent.map_err(|WriterGone| WriterError::Panicked)?)
    }
}
