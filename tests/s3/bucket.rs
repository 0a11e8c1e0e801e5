//! A data folder in a bucket, and the program's commands on it.
//!
//! Owns the environment that the program gets, and made-up input. Leaves files of this machine to
//! `purser`, and the server to `support`.
//!
//! Invariant: no credentials of whoever runs the tests reach the program.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use purser::domain::rfc3339;
use purser::domain::units::Timestamp;

use crate::process::{Ended, Process};
use crate::purser::{ALL_ROWS, Place};
use crate::support::dice::{Dice, seed};
use crate::support::s3::S3Server;

/// The bucket of all tests but those who need another one.
pub(crate) const BUCKET: &str = "data";
/// Midnight of 1 March 2026.
const MARCH: &[u8] = b"2026-03-01T00:00:00Z";
const DAY_MICROS: i64 = 86_400_000_000;

pub(crate) struct Bucket {
    /// Input files, prices, the cache; and the local folder `data` to compare with.
    pub(crate) place: Place,
    /// The data folder's path in the bucket.
    folder: String,
    environment: BTreeMap<&'static str, String>,
    started: AtomicUsize,
}

impl Bucket {
    /// A folder of its own on a server.
    pub(crate) fn on(server: &S3Server) -> Self {
        Self::at(server, server.port(), BUCKET)
    }

    /// A folder in `bucket` of a server that is reached by `port`.
    pub(crate) fn at(server: &S3Server, port: u16, bucket: &str) -> Self {
        server.make_bucket(bucket);
        let folder = uuid::Uuid::new_v4().to_string();
        let environment = [
            ("PURSER_DATA", format!("s3://{bucket}/{folder}")),
            ("AWS_ACCESS_KEY_ID", "key".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
        ];
        Self {
            place: Place::new(),
            folder,
            environment: environment.into(),
            started: AtomicUsize::new(0),
        }
    }

    /// Sets a variable of the program's environment; an empty one is not there.
    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        self.environment.insert(name, value.to_owned());
    }

    pub(crate) fn environment(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let set = self.environment.iter();
        set.map(|(name, value)| (*name, value.as_str()))
    }

    /// Where the ledger's log has the entry of a version.
    pub(crate) fn log_entry(&self, version: u64) -> String {
        format!("{}/ledger/_delta_log/{version:020}.json", self.folder)
    }

    /// The cache folder.
    pub(crate) fn cache(&self) -> PathBuf {
        self.place.path("cache")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.place.command(arguments);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        command
            .env("PURSER_CACHE", self.cache())
            .envs(self.environment());
        command
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Process {
        self.start_command(self.command(arguments))
    }

    pub(crate) fn start_command(&self, command: Command) -> Process {
        let number = self.started.fetch_add(1, Ordering::AcqRel);
        let files = self.place.path(&format!("process-{number}"));
        Process::start(command, files.to_str().expect("UTF-8"))
    }

    /// Runs the program to its end, which must not take long.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).wait()
    }

    /// Runs what must succeed, and gives what it printed.
    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        ended.out
    }

    pub(crate) fn replay(&self, file: &str) -> String {
        self.done(&["replay", "--prices", "prices", file])
    }

    pub(crate) fn csv(&self, statement: &str) -> String {
        self.done(&["query", statement, "--format", "csv"])
    }

    /// Holds that the ledger here is that of `local`, row for row.
    pub(crate) fn assert_same_as(&self, local: &Place) {
        assert_same_rows(&local.csv(ALL_ROWS), &self.csv(ALL_ROWS));
    }
}

/// Holds that two answers are the same; tells the first row that is not.
pub(crate) fn assert_same_rows(expected: &str, found: &str) {
    let mut both = expected.lines().zip(found.lines());
    let first = both.find(|(one, other)| one != other);
    assert_eq!(first, None);
    assert_eq!(expected.lines().count(), found.lines().count());
}

/// `lines` events of seven customers on each of `days` days from 1 March 2026 on. A replay makes
/// a commit of each day.
pub(crate) fn events(days: usize, lines: usize) -> String {
    let march = rfc3339::parse(MARCH).expect("a time").get();
    let mut file = String::new();
    for number in 0..days * lines {
        let (day, line) = (number / lines, number % lines);
        let within = line as i64 * (DAY_MICROS / lines as i64);
        let time = Timestamp::new(march + day as i64 * DAY_MICROS + within);
        let event = event(&format!("e{number}"), number, time);
        writeln!(file, "{event}").expect("in memory");
        // A copy now and then.
        if number % 13 == 5 {
            writeln!(file, "{event}").expect("in memory");
        }
    }
    file
}

/// One usage event; `number` picks the customer and the quantity.
pub(crate) fn event(id: &str, number: usize, time: Timestamp) -> String {
    let (customer, documents) = (number % 7, number % 5);
    let time = rfc3339::format(time);
    format!(r#"{{"specversion":"1.0","id":"{id}","source":"/gateway","type":"document.analyzed","#)
        + &format!(r#""subject":"c{customer}","time":"{time}","#)
        + &format!(
            r#""data":{{"documents":{documents},"tokens":{}}}}}"#,
            700 + number % 100
        )
}

/// All files below a folder.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => files.extend(files_below(&path)),
            false => files.push(path),
        }
    }
    files
}

/// Chance, from a seed that is printed.
pub(crate) fn dice() -> Dice {
    Dice::new(seed("S3_SEED"))
}

/// How many rounds a test with random faults has.
pub(crate) fn rounds(short: usize) -> usize {
    let given = std::env::var("S3_ROUNDS").ok();
    given.map_or(short, |rounds| rounds.parse().expect("a number"))
}
