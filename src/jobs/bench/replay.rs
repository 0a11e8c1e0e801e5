//! `replay` against DuckDB: speed, time of processors, memory, and the ledger's size.
//!
//! Owns the order of the rounds. Leaves what DuckDB does to `peer.py`.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use super::BenchError;
use super::figure::{Figure, Target, Unit, hundredths, once};
use super::load::Times;
use super::measure::{Spread, Took};
use super::place::{Place, check, entries, parquet_files, theirs};

const SCRIPT: &str = include_str!("peer.py");

/// Measures; all totals are checked.
pub(super) async fn replay(place: &Place<'_>) -> Result<Vec<Figure>, BenchError> {
    let (events, expected) = place.write("events.ndjson", place.job.load, Times::BOTH_TABLES)?;
    let script = place.path("peer.py");
    fs::write(&script, SCRIPT)?;
    let python = place.python()?;

    let (mut ours, mut both, mut one) = (Vec::new(), Vec::new(), Vec::new());
    let mut entry_bytes = 0;
    for round in 1..=place.job.rounds {
        place.turn(round, "replay");
        let data = place.path("data");
        ours.push(place.replay((&events, expected), &data).await?);
        let files = parquet_files(&data.join("ledger"))?;
        entry_bytes = size(&files)? / entries(&data).await?.max(1);
        fs::remove_dir_all(&data)?;
        for (threads, all) in [("2", &mut both), ("1", &mut one)] {
            place.turn(round, &format!("DuckDB, threads: {threads}"));
            let out = place.path("rated");
            let mut command = Command::new(&python);
            command.arg(&script).arg(&events).arg(threads).arg(&out);
            let theirs = theirs(&mut command)?;
            check("DuckDB", theirs.totals, expected)?;
            all.push(theirs.took);
            fs::remove_dir_all(&out)?;
        }
    }
    Ok(figures(&ours, [&both, &one], entry_bytes))
}

/// `both` and `one`: DuckDB with so many threads.
fn figures(ours: &[Took], [both, one]: [&[Took]; 2], entry_bytes: u64) -> Vec<Figure> {
    let of = |runs: &[Took], figure: fn(&Took) -> u64| Spread::of(runs.iter().map(figure));
    let wall = |took: &Took| took.wall_micros;
    let cpu = |took: &Took| took.cpu_micros;
    let peak = |took: &Took| took.peak_bytes;
    let [wall_ours, cpu_ours, peak_ours] = [wall, cpu, peak].map(|figure| of(ours, figure));
    let [wall_theirs, peak_theirs] = [wall, peak].map(|figure| of(both, figure));
    let cpu_theirs = of(one, cpu);
    vec![
        Figure {
            what: "`replay`: speed against DuckDB with two threads",
            ours: wall_ours,
            theirs: Some(wall_theirs),
            unit: Unit::Micros,
            value: hundredths(wall_theirs, wall_ours),
            at_least: Some(Target::AtLeast(200)),
            aim: Some(Target::AtLeast(300)),
        },
        Figure {
            what: "`replay`: events a CPU-second against DuckDB with one thread",
            ours: cpu_ours,
            theirs: Some(cpu_theirs),
            unit: Unit::Micros,
            value: hundredths(cpu_theirs, cpu_ours),
            at_least: Some(Target::AtLeast(170)),
            aim: Some(Target::AtLeast(230)),
        },
        Figure {
            what: "`replay`: peak memory against DuckDB with two threads",
            ours: peak_ours,
            theirs: Some(peak_theirs),
            unit: Unit::Bytes,
            value: hundredths(peak_ours, peak_theirs),
            at_least: Some(Target::AtMost(40)),
            aim: Some(Target::AtMost(25)),
        },
        Figure {
            what: "ledger: bytes an entry",
            ours: once(entry_bytes),
            theirs: None,
            unit: Unit::Bytes,
            value: 100 * entry_bytes,
            at_least: Some(Target::AtMost(8_000)),
            aim: Some(Target::AtMost(6_000)),
        },
    ]
}

fn size(files: &[PathBuf]) -> io::Result<u64> {
    let sizes = files
        .iter()
        .map(|file| fs::metadata(file).map(|data| data.len()));
    sizes.sum()
}
