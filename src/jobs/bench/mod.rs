//! The bench: how fast `replay` is, as ratios against DuckDB in the same run.
//!
//! Owns the order of the rounds and the targets. Leaves the events to `load`, what a process takes
//! to `measure`, and what the other one does to `peer.py`.
//!
//! Invariant: contenders take turns, since a machine's pace changes from minute to minute; a
//! ratio is of medians, and of runs whose totals were right.

mod load;
mod measure;

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::data::{DataError, DataFolder};
use super::sql::{self, AnswerError, OpenError, answer};
use crate::adapters::sql::session::Limits;
pub use load::Load;
use load::{PRICES, Totals};
pub use measure::Spread;
use measure::{Took, measured};

/// The release of DuckDB that we compare with.
const DUCKDB: &str = "duckdb==2.0.0";

const SCRIPT: &str = include_str!("peer.py");

/// What to measure, and with what.
pub struct Bench {
    /// This program.
    pub program: PathBuf,
    /// A Python that has DuckDB; absent: one is made in `folder`.
    pub python: Option<PathBuf>,
    /// An empty folder, for the load and what is made of it.
    pub folder: PathBuf,
    pub load: Load,
    pub rounds: u32,
}

/// A line of the table.
#[derive(Clone, Debug)]
pub struct Figure {
    pub what: &'static str,
    pub ours: Spread,
    /// Absent: the figure stands for itself.
    pub theirs: Option<Spread>,
    pub unit: Unit,
    /// Hundredths: of ours, or of how much better ours is than theirs.
    pub value: u64,
    pub at_least: Target,
    pub aim: Target,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Micros,
    Bytes,
}

/// What a value should be, in hundredths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    AtLeast(u64),
    AtMost(u64),
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    #[error("could not write or run what the bench needs")]
    Io(#[from] io::Error),
    #[error("DuckDB printed what it should not: {printed}")]
    Printed {
        printed: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("{who} found {found:?} where the load has {expected:?}")]
    Totals {
        who: &'static str,
        found: (i64, i64),
        expected: (i64, i64),
    },
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Open(Box<OpenError>),
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

impl From<OpenError> for BenchError {
    fn from(fault: OpenError) -> Self {
        Self::Open(Box::new(fault))
    }
}

/// Measures; `told` hears of each step.
///
/// # Errors
///
/// See [`BenchError`].
pub async fn bench(job: &Bench, told: impl Fn(&str)) -> Result<Vec<Figure>, BenchError> {
    let events = job.folder.join("events.ndjson");
    told("writing the load");
    let expected = load::write(job.load, &mut BufWriter::new(File::create(&events)?))?;
    let prices = job.folder.join("prices");
    fs::create_dir_all(&prices)?;
    for (name, text) in PRICES {
        fs::write(prices.join(name), text)?;
    }
    let script = job.folder.join("peer.py");
    fs::write(&script, SCRIPT)?;
    let python = match &job.python {
        Some(python) => python.clone(),
        None => {
            told("fetching DuckDB");
            make_python(&job.folder)?
        }
    };

    let (mut ours, mut both, mut one) = (Vec::new(), Vec::new(), Vec::new());
    let mut ledger = (0, 0);
    for round in 1..=job.rounds {
        told(&format!("round {round} of {}: replay", job.rounds));
        let data = job.folder.join("data");
        let mut replay = without_settings(&job.program);
        replay
            .arg("replay")
            .arg(&events)
            .arg("--prices")
            .arg(&prices);
        let (took, _) = measured(replay.arg("--data").arg(&data))?;
        ours.push(took);
        check("replay", read_totals(&data).await?, expected)?;
        ledger = (size(&data.join("ledger"))?, entries(&data).await?);
        fs::remove_dir_all(&data)?;
        for (threads, all) in [("2", &mut both), ("1", &mut one)] {
            told(&format!(
                "round {round} of {}: DuckDB, {threads} threads",
                job.rounds
            ));
            let out = job.folder.join("rated");
            let mut command = Command::new(&python);
            command.arg(&script).arg(&events).arg(threads).arg(&out);
            let (_, printed) = measured(&mut command)?;
            let theirs: Theirs = serde_json::from_str(&printed)
                .map_err(|source| BenchError::Printed { printed, source })?;
            check("DuckDB", theirs.totals, expected)?;
            all.push(theirs.took);
            fs::remove_dir_all(&out)?;
        }
    }
    let of = |runs: &[Took], figure: fn(&Took) -> u64| Spread::of(runs.iter().map(figure));
    let wall = |took: &Took| took.wall_micros;
    let cpu = |took: &Took| took.cpu_micros;
    let peak = |took: &Took| took.peak_bytes;
    let [wall_ours, cpu_ours, peak_ours] = [wall, cpu, peak].map(|figure| of(&ours, figure));
    let [wall_theirs, peak_theirs] = [wall, peak].map(|figure| of(&both, figure));
    let cpu_theirs = of(&one, cpu);
    let bytes = ledger.0 / ledger.1.max(1);
    Ok(vec![
        Figure {
            what: "`replay`: speed against DuckDB with two threads",
            ours: wall_ours,
            theirs: Some(wall_theirs),
            unit: Unit::Micros,
            value: hundredths(wall_theirs, wall_ours),
            at_least: Target::AtLeast(200),
            aim: Target::AtLeast(300),
        },
        Figure {
            what: "`replay`: events a CPU-second against DuckDB with one thread",
            ours: cpu_ours,
            theirs: Some(cpu_theirs),
            unit: Unit::Micros,
            value: hundredths(cpu_theirs, cpu_ours),
            at_least: Target::AtLeast(170),
            aim: Target::AtLeast(230),
        },
        Figure {
            what: "`replay`: peak memory against DuckDB with two threads",
            ours: peak_ours,
            theirs: Some(peak_theirs),
            unit: Unit::Bytes,
            value: hundredths(peak_ours, peak_theirs),
            at_least: Target::AtMost(40),
            aim: Target::AtMost(25),
        },
        Figure {
            what: "ledger: bytes an entry",
            ours: Spread::of([bytes].into_iter()),
            theirs: None,
            unit: Unit::Bytes,
            value: 100 * bytes,
            at_least: Target::AtMost(8_000),
            aim: Target::AtMost(6_000),
        },
    ])
}

/// What DuckDB's script prints.
#[derive(Deserialize)]
struct Theirs {
    #[serde(flatten)]
    took: Took,
    totals: Totals,
}

impl Target {
    /// Whether `value` reaches it.
    pub fn is_met_by(self, value: u64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }
}

/// How many hundredths of `other` the median of `one` is, cut.
fn hundredths(one: Spread, other: Spread) -> u64 {
    100 * one.median / other.median.max(1)
}

fn check(who: &'static str, found: Totals, expected: Totals) -> Result<(), BenchError> {
    let pair = |totals: Totals| (totals.events, totals.micros);
    match found == expected {
        true => Ok(()),
        false => Err(BenchError::Totals {
            who,
            found: pair(found),
            expected: pair(expected),
        }),
    }
}

/// A command that nothing in our own environment changes.
fn without_settings(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PURSER_") {
            command.env_remove(name);
        }
    }
    command
}

async fn asked<R: for<'de> Deserialize<'de>>(
    data: &Path,
    statement: &str,
) -> Result<Option<R>, BenchError> {
    let limits = Limits {
        memory_bytes_max: None,
    };
    let folder = DataFolder::new(&data.to_string_lossy(), None)?;
    let session = sql::open(&folder, &limits, None).await?;
    Ok(answer(&session, statement, &[]).await?.pop())
}

/// What a ledger's usage comes to.
async fn read_totals(data: &Path) -> Result<Totals, BenchError> {
    let statement = "SELECT COUNT(DISTINCT seq) AS events,
        CAST(1000000 * SUM(credits) AS BIGINT) AS micros FROM ledger WHERE kind = 'usage'";
    let nothing = Totals {
        events: 0,
        micros: 0,
    };
    Ok(asked(data, statement).await?.unwrap_or(nothing))
}

async fn entries(data: &Path) -> Result<u64, BenchError> {
    #[derive(Deserialize)]
    struct Count {
        entries: u64,
    }
    let count: Option<Count> = asked(data, "SELECT COUNT(*) AS entries FROM ledger").await?;
    Ok(count.map_or(0, |count| count.entries))
}

/// Bytes of all Parquet files below a folder.
fn size(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if path.is_dir() {
            bytes += size(&path)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "parquet")
        {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}

/// A Python of its own with DuckDB in it.
fn make_python(folder: &Path) -> io::Result<PathBuf> {
    let home = folder.join("python");
    measured(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
    let python = home.join("bin/python3");
    measured(Command::new(&python).args(["-m", "pip", "install", "--quiet", DUCKDB]))?;
    Ok(python)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_total_is_no_measurement() {
        let right = Totals {
            events: 7,
            micros: 70,
        };
        assert!(check("one", right, right).is_ok());
        for (events, micros) in [(6, 70), (7, 71)] {
            let fault = check("one", Totals { events, micros }, right).unwrap_err();
            let told = format!("one found ({events}, {micros}) where the load has (7, 70)");
            assert_eq!(fault.to_string(), told);
        }
    }

    #[test]
    fn a_ratio_is_of_medians_and_a_target_has_a_side() {
        let spread = |median| Spread {
            least: 1,
            median,
            most: 900,
        };
        let value = hundredths(spread(300), spread(200));
        assert_eq!(value, 150);
        assert!(Target::AtLeast(150).is_met_by(value) && !Target::AtLeast(151).is_met_by(value));
        assert!(Target::AtMost(150).is_met_by(value) && !Target::AtMost(149).is_met_by(value));
    }
}
