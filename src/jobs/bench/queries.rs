//! A month's invoice lines, and the signals, over a large ledger: `query` against DuckDB.
//!
//! Owns the ledger, what is asked of it, and the order of the rounds. Leaves what DuckDB does to
//! `month.py` and its SQL in `month`.
//!
//! DuckDB is spared what it cannot see: it is handed our tables of periods and plans, which we
//! reckon anew, from the ledger and the price files, for each question. All else both do from the
//! files of the ledger, and both write the whole answer as CSV.
//!
//! Invariant: a round counts when both answers have as many rows, and the same sum.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::BenchError;
use super::figure::{Figure, Target, time};
use super::load::{Load, Times, Totals};
use super::measure::{Took, measured};
use super::place::{Place, check, theirs};
use crate::jobs::invoice::Wanted;

/// What DuckDB runs, by file name.
const SCRIPTS: [(&str, &str); 4] = [
    ("month.py", include_str!("month.py")),
    (
        "month/invoice_lines.sql",
        include_str!("month/invoice_lines.sql"),
    ),
    (
        "month/upgrade_signals.sql",
        include_str!("month/upgrade_signals.sql"),
    ),
    ("month/signals.sql", include_str!("month/signals.sql")),
];

/// The month of the invoice lines: nearly all that [`Times::MONTH`] has is booked to it.
const MONTH: &str = "2026-10";

/// What is asked.
struct Question {
    what: &'static str,
    /// Which answers it.
    view: &'static str,
    /// Its last column is a whole number, that of `month.py`.
    statement: String,
    params: Vec<(String, String)>,
}

/// What is asked of: a ledger, and what DuckDB is handed besides.
struct Asked {
    python: PathBuf,
    data: PathBuf,
    periods: PathBuf,
    plans: PathBuf,
}

/// Measures; all totals are checked.
pub(super) async fn queries(place: &Place<'_>) -> Result<Vec<Figure>, BenchError> {
    // Each line makes an entry, a copy too.
    let load = Load {
        lines: place.job.entries,
        ..place.job.load
    };
    let data = place.path("data");
    place.tell(&format!("replaying {} events", load.lines));
    place.replay_at_once(load, Times::MONTH, &data).await?;
    fs::create_dir(place.path("month"))?;
    for (name, text) in SCRIPTS {
        fs::write(place.path(name), text)?;
    }
    let asked = Asked {
        python: place.python()?,
        periods: write_table(place, &data, "periods")?,
        plans: write_table(place, &data, "plans")?,
        data,
    };

    let questions = questions();
    let mut times = questions.each_ref().map(|_| [Vec::new(), Vec::new()]);
    for round in 1..=place.job.rounds {
        for (question, [ours, theirs]) in questions.iter().zip(&mut times) {
            place.turn(round, &format!("query, {}", question.view));
            let (took, expected) = question.ask(place, &asked)?;
            ours.push(took.wall_micros);
            place.turn(round, &format!("DuckDB, {}", question.view));
            let (took, found) = question.ask_duckdb(place, &asked)?;
            check("DuckDB", found, expected)?;
            theirs.push(took.wall_micros);
        }
    }
    let targets = [Target::AtMost(120), Target::AtMost(80)];
    let figures = questions
        .iter()
        .zip(times)
        .map(|(question, times)| time(question.what, times, targets));
    Ok(figures.collect())
}

fn questions() -> [Question; 3] {
    let wanted = Wanted {
        month: MONTH.to_owned(),
        customer: None,
    };
    let (lines, params) = wanted.lines("*, CAST(100 * amount AS BIGINT) AS checked");
    let upgrades = "SELECT *, CAST(1000000 * projected AS BIGINT) AS checked FROM upgrade_signals
        ORDER BY customer";
    let signals = "SELECT *, score AS checked FROM signals ORDER BY score DESC, customer";
    [
        Question {
            what: "`query`, a month's invoice lines: time against DuckDB with two threads",
            view: "invoice_lines",
            statement: lines,
            params,
        },
        Question {
            what: "`query`, the upgrade signals: time against DuckDB with two threads",
            view: "upgrade_signals",
            statement: upgrades.to_owned(),
            params: Vec::new(),
        },
        Question {
            what: "`query`, all signals: time against DuckDB with two threads",
            view: "signals",
            statement: signals.to_owned(),
            params: Vec::new(),
        },
    ]
}

impl Question {
    /// What `query` took, and what its answer comes to.
    fn ask(&self, place: &Place<'_>, asked: &Asked) -> Result<(Took, Totals), BenchError> {
        let mut query = query(place, &asked.data, "csv");
        for (name, value) in &self.params {
            query.arg("--param").arg(format!("{name}={value}"));
        }
        let (took, answer) = measured(query.arg(&self.statement))?;
        Ok((took, totals(&answer)?))
    }

    /// What DuckDB took, and what its answer comes to.
    fn ask_duckdb(&self, place: &Place<'_>, asked: &Asked) -> Result<(Took, Totals), BenchError> {
        let mut command = Command::new(&asked.python);
        command
            .arg(place.path("month.py"))
            .arg(self.view)
            .arg(asked.data.join("ledger"))
            .args([&asked.periods, &asked.plans])
            .arg(format!("{MONTH}-01"))
            .arg(place.path("answer.csv"));
        let theirs = theirs(&mut command)?;
        Ok((theirs.took, theirs.totals))
    }
}

/// A query over `data`, without its statement.
fn query(place: &Place<'_>, data: &Path, format: &str) -> Command {
    let mut query = place.purser("query");
    query.arg("--data").arg(data).args(["--format", format]);
    query
}

/// Writes a table as Parquet.
fn write_table(place: &Place<'_>, data: &Path, table: &str) -> io::Result<PathBuf> {
    let path = place.path(&format!("{table}.parquet"));
    let mut query = query(place, data, "parquet");
    query
        .arg(format!("SELECT * FROM {table}"))
        .stdout(File::create(&path)?);
    let ended = query.status()?;
    match ended.success() {
        true => Ok(path),
        false => Err(io::Error::other(format!("{query:?}: {ended}"))),
    }
}

/// The rows of an answer in CSV, and the sum of its last column, of whole numbers.
fn totals(answer: &str) -> io::Result<Totals> {
    let mut totals = Totals {
        events: 0,
        micros: 0,
    };
    for row in answer.lines().skip(1) {
        let number = row.rsplit(',').next().unwrap_or_default();
        let number: i64 = number
            .parse()
            .map_err(|_| io::Error::other(format!("no number at the end of {row}")))?;
        totals.events += 1;
        totals.micros += number;
    }
    Ok(totals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_comes_to_its_rows_and_the_sum_of_its_last_column() {
        let answer = "task,amount,checked\n\"late, a bit\",0.12,12\nreversal,-0.05,-5\n";
        let expected = Totals {
            events: 2,
            micros: 7,
        };
        assert_eq!(totals(answer).unwrap(), expected);
        assert_eq!(totals("task,checked\n").unwrap().events, 0);
        assert!(totals("task,checked\nfee,\n").is_err());
    }

    #[test]
    fn each_question_has_its_script() {
        for question in questions() {
            let name = format!("month/{}.sql", question.view);
            assert!(SCRIPTS.iter().any(|(script, _)| *script == name), "{name}");
        }
    }
}
