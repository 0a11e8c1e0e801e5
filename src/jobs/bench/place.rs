//! Where one load of the bench works, and what all loads share.
//!
//! Owns running this program, writing events, reading what a ledger comes to, and the Python that
//! DuckDB runs in. Leaves what is measured to the loads.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::load::{self, Load, Times, Totals};
use super::measure::{Took, measured};
use super::{Bench, BenchError};
use crate::adapters::sql::session::Limits;
use crate::jobs::data::DataFolder;
use crate::jobs::sql::{self, answer};

/// The release of DuckDB that we compare with.
const DUCKDB: &str = "duckdb==2.0.0";

/// A load's folder, and what it was asked for.
pub(super) struct Place<'a> {
    pub(super) job: &'a Bench,
    pub(super) folder: PathBuf,
    told: &'a dyn Fn(&str),
}

impl<'a> Place<'a> {
    /// Makes the folder.
    pub(super) fn new(job: &'a Bench, name: &str, told: &'a dyn Fn(&str)) -> io::Result<Self> {
        let folder = job.folder.join(name);
        fs::create_dir(&folder)?;
        Ok(Self { job, folder, told })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Tells of a step.
    pub(super) fn tell(&self, step: &str) {
        (self.told)(step);
    }

    /// Tells whose turn it is.
    pub(super) fn turn(&self, round: u32, who: &str) {
        self.tell(&format!("round {round} of {}: {who}", self.job.rounds));
    }

    /// Writes events to a file of the folder.
    pub(super) fn write(
        &self,
        name: &str,
        load: Load,
        times: Times,
    ) -> io::Result<(PathBuf, Totals)> {
        self.tell(&format!("writing {} events", load.lines));
        let path = self.path(name);
        let totals = load::write(load, times, &mut BufWriter::new(File::create(&path)?))?;
        Ok((path, totals))
    }

    /// A command of this program that nothing in our own environment changes.
    pub(super) fn purser(&self, command: &str) -> Command {
        let mut purser = without_settings(&self.job.program);
        purser.arg(command);
        purser
    }

    /// A command that works on `data` by the load's prices.
    pub(super) fn working(&self, command: &str, data: &Path) -> Command {
        let mut purser = self.purser(command);
        purser
            .arg("--prices")
            .arg(self.job.prices())
            .arg("--data")
            .arg(data);
        purser
    }

    /// Replays a file, which must come to `expected`.
    pub(super) async fn replay(
        &self,
        (events, expected): (&Path, Totals),
        data: &Path,
    ) -> Result<Took, BenchError> {
        let (took, _) = measured(self.working("replay", data).arg(events))?;
        let name = events.file_name().unwrap_or_default().to_string_lossy();
        let found = read_totals(data, &format!("file:{name}")).await?;
        check("replay", found, expected)?;
        Ok(took)
    }

    /// Replays events that are in no file, since they may be more than the disk should hold.
    pub(super) async fn replay_at_once(
        &self,
        load: Load,
        times: Times,
        data: &Path,
    ) -> Result<(), BenchError> {
        let mut child = self
            .working("replay", data)
            .arg("-")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let written = match child.stdin.take() {
            Some(input) => load::write(load, times, &mut BufWriter::new(input)),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        };
        // Why it ended comes first: it is why it could not be written to.
        let ended = child.wait_with_output()?;
        if !ended.status.success() {
            let said = String::from_utf8_lossy(&ended.stderr);
            return Err(io::Error::other(format!("replay: {said}")).into());
        }
        check("replay", read_totals(data, "file:stdin").await?, written?)
    }

    /// A Python that has DuckDB: the one that was given, or one of our own.
    pub(super) fn python(&self) -> io::Result<PathBuf> {
        if let Some(python) = &self.job.python {
            return Ok(python.clone());
        }
        let home = self.job.folder.join("python");
        let python = home.join("bin/python3");
        if !home.exists() {
            self.tell("fetching DuckDB");
            measured(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
            measured(Command::new(&python).args(["-m", "pip", "install", "--quiet", DUCKDB]))?;
        }
        Ok(python)
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

/// What a script of DuckDB's prints.
#[derive(Deserialize)]
pub(super) struct Theirs {
    #[serde(flatten)]
    pub(super) took: Took,
    pub(super) totals: Totals,
}

/// Runs a script of DuckDB's to its end.
pub(super) fn theirs(script: &mut Command) -> Result<Theirs, BenchError> {
    let (_, printed) = measured(script)?;
    serde_json::from_str(&printed).map_err(|source| BenchError::Printed { printed, source })
}

/// No measurement counts of a run whose totals are wrong.
pub(super) fn check(who: &'static str, found: Totals, expected: Totals) -> Result<(), BenchError> {
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

async fn asked<R: for<'de> Deserialize<'de>>(
    data: &Path,
    statement: &str,
    params: &[(&str, &str)],
) -> Result<Option<R>, BenchError> {
    let limits = Limits {
        memory_bytes_max: None,
    };
    let folder = DataFolder::new(&data.to_string_lossy(), None)?;
    let session = sql::open(&folder, &limits, None).await?;
    Ok(answer(&session, statement, params).await?.pop())
}

/// What a ledger's usage of one source comes to.
pub(super) async fn read_totals(data: &Path, source: &str) -> Result<Totals, BenchError> {
    // Of an event that several grants paid the first row has the quantity.
    let statement = "SELECT COUNT(quantity) AS events,
        CAST(1000000 * SUM(credits) AS BIGINT) AS micros
        FROM ledger WHERE kind = 'usage' AND source = $source";
    let nothing = Totals {
        events: 0,
        micros: 0,
    };
    let found = asked(data, statement, &[("source", source)]).await?;
    Ok(found.unwrap_or(nothing))
}

pub(super) async fn entries(data: &Path) -> Result<u64, BenchError> {
    #[derive(Deserialize)]
    struct Count {
        entries: u64,
    }
    let statement = "SELECT COUNT(*) AS entries FROM ledger";
    let count: Option<Count> = asked(data, statement, &[]).await?;
    Ok(count.map_or(0, |count| count.entries))
}

/// All Parquet files of a table, by name, but for those of its log.
pub(super) fn parquet_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.ends_with("_delta_log") {
            continue;
        }
        if path.is_dir() {
            found.extend(parquet_files(&path)?);
        } else if path.extension().is_some_and(|ending| ending == "parquet") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Copies a folder, down to the disk, so that nobody later waits for that.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            fs::copy(&path, &target)?;
            File::open(&target)?.sync_all()?;
        }
    }
    Ok(())
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
}
