//! `run` on a backlog: against a consumer that only counts, and against `replay`.
//!
//! Owns filling a stream, and the order of the rounds. Leaves the worker to `worker`.

use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;

use super::BenchError;
use super::broker::Broker;
use super::figure::{Figure, Target, speed};
use super::load::{Times, Totals};
use super::measure::{measured, micros};
use super::place::{Place, check, read_totals};
use super::worker::{STREAM, Worker};
use crate::adapters::jetstream::{Access, Connection, Facts, Receiver};

/// Lines of a message of a gateway.
const BATCH: &str = "100";
/// How long the counting consumer waits for messages at once.
const WAIT: Duration = Duration::from_secs(1);

/// Measures; the totals of each ledger are checked.
pub(super) async fn backlog(place: &Place<'_>) -> Result<Vec<Figure>, BenchError> {
    let times = Times::hour_before(place.job.now);
    let (events, expected) = place.write("events.ndjson", place.job.load, times)?;
    let load = (events.as_path(), expected);
    Ok(vec![
        singly(place, load).await?,
        in_batches(place, load).await?,
    ])
}

/// One event a message.
async fn singly(
    place: &Place<'_>,
    (events, expected): (&Path, Totals),
) -> Result<Figure, BenchError> {
    let broker = Broker::start(place)?;
    publish(place, &broker, events, &[])?;
    let connection = broker.connect().await?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=place.job.rounds {
        let facts = connection.facts(STREAM).await?;
        place.turn(round, "a consumer that counts");
        theirs.push(count(broker.access(), &facts)?);
        place.turn(round, "run, one event a message");
        ours.push(run(place, (&broker, &connection), &facts, expected).await?);
    }
    connection.close().await?;
    let what = "`run` on a backlog, one event a message: speed against a consumer that counts";
    let targets = [Target::AtLeast(50), Target::AtLeast(70)];
    Ok(speed(what, [ours, theirs], targets))
}

/// A hundred events a message.
async fn in_batches(
    place: &Place<'_>,
    (events, expected): (&Path, Totals),
) -> Result<Figure, BenchError> {
    let broker = Broker::start(place)?;
    publish(place, &broker, events, &["--batch", BATCH])?;
    let connection = broker.connect().await?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=place.job.rounds {
        let facts = connection.facts(STREAM).await?;
        place.turn(round, "replay");
        let data = place.path("data");
        let took = place.replay((events, expected), &data).await?;
        theirs.push(took.wall_micros);
        fs::remove_dir_all(&data)?;
        place.turn(round, "run, 100 events a message");
        ours.push(run(place, (&broker, &connection), &facts, expected).await?);
    }
    connection.close().await?;
    let what = "`run` on a backlog, 100 events a message: speed against `replay`";
    let targets = [Target::AtLeast(75), Target::AtLeast(90)];
    Ok(speed(what, [ours, theirs], targets))
}

/// Fills the stream.
fn publish(place: &Place<'_>, broker: &Broker, events: &Path, more: &[&str]) -> io::Result<()> {
    place.tell("publishing");
    let mut publish = place.purser("publish");
    publish.args(["--stream", STREAM, "--nats", &broker.url()]);
    measured(publish.args(more).arg(events))?;
    Ok(())
}

/// From the start of a worker to the commit of the last message, in microseconds.
async fn run(
    place: &Place<'_>,
    (broker, connection): (&Broker, &Connection),
    facts: &Facts,
    expected: Totals,
) -> Result<u64, BenchError> {
    let (source, last) = (facts.stream.source(), facts.last_seq);
    let data = place.path("data");
    let mut worker = Worker::start(place, broker, &data)?;
    worker.handles(connection, last).await?;
    let took = worker.commits(&source, last).await?;
    worker.wait()?;
    check("run", read_totals(&data, &source).await?, expected)?;
    fs::remove_dir_all(&data)?;
    Ok(micros(took))
}

/// From asking for the first message to the last one, in microseconds: with the worker's own way
/// to read, alone on a thread.
fn count(access: Access, facts: &Facts) -> Result<u64, BenchError> {
    let facts = facts.clone();
    let counting = thread::spawn(move || -> Result<u64, BenchError> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(count_all(&access, facts))
    });
    let ended = counting.join();
    ended.map_err(|_| io::Error::other("counting stopped unexpectedly"))?
}

async fn count_all(access: &Access, facts: Facts) -> Result<u64, BenchError> {
    let connection = Connection::open(access).await?;
    let begun = Instant::now();
    let mut receiver = Receiver::new(connection.clone(), facts.stream, 1);
    let mut counted = 0;
    while counted < facts.last_seq {
        counted += receiver.next_batch(WAIT).await?.len() as u64;
    }
    let took = begun.elapsed();
    receiver.close().await;
    connection.close().await?;
    Ok(micros(took))
}
