//! The real program, run on a data folder of its own.
//!
//! Owns starting it, and what it printed. Leaves what it should print to the tests.
//!
//! Invariant: nothing of the surrounding environment reaches the program but what a test sets.
#![allow(dead_code, reason = "each test program uses another part of this")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Map, Value};
use tempfile::TempDir;

/// One version: half a credit a document, a plan of 100 credits that bills overage.
pub(crate) const PRICES: &str = r#"
version = "2026-01"
effective_from = "2026-01-01T00:00:00Z"
default_plan = "starter"

[[price]]
id = "document"
task = "document analysed"
unit = "document"
when = { type = "document.analyzed" }
quantity = "documents"
credits = "0.5"

[[cost]]
when = { type = "document.analyzed" }
components = [{ measure = "tokens", per = 1000, usd = "0.003" }]

[[plan]]
id = "starter"
name = "Starter"
fee = "99.00"
currency = "USD"
credits = "100"
alerts = { used = [50, 80, 100] }
overage = { mode = "bill", price = "0.12" }
"#;

/// Every column of the ledger, row by row.
pub(crate) const ALL_ROWS: &str = "SELECT * FROM ledger ORDER BY shard, entry";

/// A folder with input files, price files in `prices`, and the data folder `data`.
pub(crate) struct Place {
    folder: TempDir,
}

/// What a run of the program left.
#[derive(Debug)]
pub(crate) struct Ran {
    /// -1 when a signal ended it.
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A usage event of `customer`; `time` is within March 2026, such as `05T10:00:00Z`.
pub(crate) fn usage(id: &str, customer: &str, time: &str) -> String {
    format!(r#"{{"specversion":"1.0","id":"{id}","source":"/gateway","type":"document.analyzed","#)
        + &format!(
            r#""subject":"{customer}","time":"2026-03-{time}","data":{{"documents":2,"tokens":700}}}}"#
        )
}

/// A command for the wallet of `customer`; `time` is within 2026, such as `03-05T10:00:00Z`.
pub(crate) fn wallet_command(customer: &str, time: &str, kind: &str, data: &str) -> String {
    format!(r#"{{"specversion":"1.0","id":"{kind}-{time}","source":"/billing","#)
        + &format!(r#""type":"purser.wallet.{kind}","subject":"{customer}","#)
        + &format!(r#""time":"2026-{time}","data":{data}}}"#)
}

impl Place {
    /// With [`PRICES`] in `prices`, and nothing published.
    pub(crate) fn new() -> Self {
        let place = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        fs::create_dir(place.path("prices")).expect("a folder");
        place.write("prices/2026-01.toml", PRICES);
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).expect("a written file");
        path
    }

    /// The program, to be started in this folder on its `data`.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_purser"));
        let ours = std::env::vars().filter(|(name, _)| name.starts_with("PURSER_"));
        for (name, _) in ours {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("PURSER_DATA", "data")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        ran(self.command(arguments).output().expect("a run"))
    }

    /// Runs what must succeed, and gives what it printed.
    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}{}", ran.out, ran.err);
        ran.out
    }

    /// Replays a file; the price files are published if they are not yet.
    pub(crate) fn replay(&self, file: &str) -> String {
        self.done(&["replay", "--prices", "prices", file])
    }

    pub(crate) fn csv(&self, statement: &str) -> String {
        self.done(&["query", statement, "--format", "csv"])
    }

    /// The rows of an answer; decimals are strings.
    pub(crate) fn rows(&self, statement: &str) -> Vec<Map<String, Value>> {
        let lines = self.done(&["query", statement, "--format", "ndjson"]);
        let parse = |line| serde_json::from_str(line).expect("an object");
        lines.lines().map(parse).collect()
    }

    /// The single number that a statement answers.
    pub(crate) fn number(&self, statement: &str) -> i64 {
        let answer = self.csv(statement);
        let number = answer.lines().nth(1).and_then(|line| line.parse().ok());
        number.unwrap_or_else(|| panic!("{statement}: {answer}"))
    }

    /// The entries of the table's log, oldest first.
    pub(crate) fn commits(&self) -> Vec<Vec<Value>> {
        let entries = fs::read_dir(self.path("data/ledger/_delta_log")).expect("a log");
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| entry.expect("an entry").path())
            .collect();
        paths.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
        paths.sort();
        paths.iter().map(|path| actions(path)).collect()
    }

    /// That no entry and no place of an event is missing or there twice: `lines` is what the
    /// source `file:<name>` holds.
    pub(crate) fn check_whole(&self, name: &str, lines: usize) {
        // Of all rows, and of those of the source.
        let counts = self.csv(&format!(
            "SELECT count(*), count(DISTINCT entry), min(entry), max(entry), \
             count(DISTINCT concat_ws(' ', source, seq, idx, leg)), \
             count(DISTINCT CASE WHEN source = 'file:{name}' THEN seq END), \
             max(CASE WHEN source = 'file:{name}' THEN seq END), min(seq) FROM ledger"
        ));
        let numbers: Vec<&str> = counts.lines().nth(1).expect("a row").split(',').collect();
        let [
            rows,
            entries,
            first,
            last,
            places,
            seqs,
            last_seq,
            first_seq,
        ] = numbers[..]
        else {
            panic!("{counts}");
        };
        assert_eq!(
            (first, entries, last),
            ("1", rows, rows),
            "entries run 1, 2, 3 …"
        );
        assert_eq!(places, rows, "a place holds one row");
        let lines = lines.to_string();
        assert_eq!(
            (first_seq, seqs, last_seq),
            ("1", &*lines, &*lines),
            "each line has rows"
        );
        self.done(&["verify"]);
    }
}

fn actions(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("a log entry");
    let parse = |line| serde_json::from_str(line).expect("an action");
    text.lines().map(parse).collect()
}

pub(crate) fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}
