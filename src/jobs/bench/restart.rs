//! A restart: a checkpoint of many wallets and the entries after it, against reading their files.
//!
//! Owns the data folder that is started on, and the order of the rounds. Leaves what DuckDB does to
//! `read.py`.

use std::fs;
use std::process::Command;

use super::BenchError;
use super::broker::Broker;
use super::figure::{Figure, Target, time};
use super::load::{Load, Times};
use super::measure::{Took, measured, micros};
use super::place::{Place, parquet_files};
use super::worker::Worker;

const SCRIPT: &str = include_str!("read.py");

/// So many entries has one wallet after the checkpoint, at least and on average.
const ENTRIES_EACH: u64 = 2;

/// Measures from the start of a worker until it answers for its wallets.
pub(super) async fn restart(place: &Place<'_>) -> Result<Vec<Figure>, BenchError> {
    let before = Load {
        customers: (place.job.load.lines / ENTRIES_EACH).max(1),
        ..place.job.load
    };
    let after = Load {
        seed: before.seed.wrapping_add(1),
        ..before
    };
    let data = place.path("data");
    let (ledger, wallets) = (data.join("ledger"), data.join("wallets"));
    let (events, totals) = place.write("before.ndjson", before, Times::BEFORE)?;
    place.tell("replaying up to the checkpoint");
    place.replay((&events, totals), &data).await?;
    let old = parquet_files(&ledger)?;
    let kept = place.path("wallets");
    fs::rename(&wallets, &kept)?;
    let (events, totals) = place.write("after.ndjson", after, Times::BOTH_TABLES)?;
    place.tell("replaying what comes after it");
    place.replay((&events, totals), &data).await?;
    // A checkpoint is a cache, so that an older one does as well.
    fs::remove_dir_all(&wallets)?;
    fs::rename(&kept, &wallets)?;

    let checkpoints = parquet_files(&wallets)?.into_iter();
    let newest =
        checkpoints.max_by_key(|file| fs::metadata(file).and_then(|it| it.modified()).ok());
    let mut files = Vec::from_iter(newest);
    let all = parquet_files(&ledger)?.into_iter();
    files.extend(all.filter(|file| !old.contains(file)));
    let script = place.path("read.py");
    fs::write(&script, SCRIPT)?;
    let python = place.python()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=place.job.rounds {
        // A new one each time, with none of the ticks that a worker publishes.
        let broker = Broker::start(place)?;
        let connection = broker.connect().await?;
        place.turn(round, "a restart");
        let mut worker = Worker::start(place, &broker, &data)?;
        ours.push(micros(worker.handles(&connection, 0).await?));
        drop(worker);
        connection.close().await?;
        drop(broker);
        place.turn(round, "DuckDB reads the files");
        let least = [after.customers.saturating_sub(2), after.lines];
        let mut command = Command::new(&python);
        command
            .arg(&script)
            .args(least.map(|rows| rows.to_string()));
        let (_, printed) = measured(command.args(&files))?;
        let took: Took = serde_json::from_str(&printed)
            .map_err(|source| BenchError::Printed { printed, source })?;
        theirs.push(took.wall_micros);
    }
    let what = "restart: time against DuckDB that reads the checkpoint and the entries after it";
    let targets = [Target::AtMost(500), Target::AtMost(200)];
    Ok(vec![time(what, [ours, theirs], targets)])
}
