//! The prompt of `purser query`: one statement after the other, on the newest commit each.
//!
//! Owns editing, history, completion and the commands that begin with a backslash. Leaves answering
//! to `query`.

use std::borrow::Cow;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Config, Context, Editor, Helper};
use serde::Deserialize;

use super::args::{Common, OutputFormat, Query};
use super::failure::Failure;
use super::query::{limited, print};
use crate::adapters::sql::session::Session;
use crate::adapters::sql::typed::{Typed, cut, is_ended};
use crate::jobs::sql::answer;

/// Statements that the history keeps.
const HISTORY_MAX: usize = 10_000;

const HELP: &str = "a statement ends with `;`, Tab completes names, Ctrl-C stops a statement
\\d        the tables and views        \\d NAME   the columns of one
\\?        this                        \\q        ends (so does Ctrl-D)";

const TABLES: &str = "SELECT table_name AS name, COUNT(*) AS columns
    FROM information_schema.columns WHERE table_schema = 'public'
    GROUP BY table_name ORDER BY table_name";
const COLUMNS: &str = "SELECT column_name AS column, data_type AS type
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $name
    ORDER BY ordinal_position";

/// Words of SQL that are worth completing.
const WORDS: [&str; 44] = [
    "AND",
    "ASC",
    "AVG",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "COUNT",
    "DATE",
    "DECIMAL",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "ELSE",
    "END",
    "EXPLAIN",
    "FILTER",
    "FROM",
    "GROUP",
    "HAVING",
    "IN",
    "INTERVAL",
    "IS",
    "JOIN",
    "LEFT",
    "LIKE",
    "LIMIT",
    "MAX",
    "MIN",
    "NOT",
    "NULL",
    "NULLS",
    "ON",
    "OR",
    "ORDER",
    "OVER",
    "PARTITION",
    "SELECT",
    "SUM",
    "THEN",
    "UNION",
    "WHEN",
    "WHERE",
    "WITH",
];

pub(super) async fn run(common: &Common, args: &Query) -> Result<(), Failure> {
    let session = limited(common, args).await?;
    let config = Config::builder()
        .max_history_size(HISTORY_MAX)
        .and_then(|config| config.history_ignore_dups(true))
        .context("setting up the prompt")?
        .build();
    let mut editor: Editor<Names, DefaultHistory> =
        Editor::with_config(config).context("setting up the prompt")?;
    editor.set_helper(Some(Names(names(&session).await?)));
    let mut history = args.history.clone().or_else(history_path);
    if let Some(path) = history.as_deref().filter(|path| path.exists())
        && let Err(fault) = editor.load_history(path)
    {
        eprintln!("the history in {} can't be read: {fault}", path.display());
    }
    println!("purser {}: \\? for help", env!("CARGO_PKG_VERSION"));
    loop {
        let line = match tokio::task::block_in_place(|| editor.readline("purser> ")) {
            Ok(line) => line,
            // What was typed is given up.
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(fault) => return Err(anyhow::Error::from(fault).into()),
        };
        let text = line.trim();
        if text.is_empty() {
            continue;
        }
        editor
            .add_history_entry(text)
            .context("keeping the history")?;
        // At once, since a terminal may be closed at any time.
        if let Some(path) = &history
            && let Err(fault) = keep(&mut editor, path)
        {
            eprintln!("the history can't be kept in {}: {fault:#}", path.display());
            history = None;
        }
        if ["\\q", "exit", "quit"].contains(&without_end(text)) {
            break;
        }
        obey(common, args, text).await;
    }
    Ok(())
}

/// Answers what was typed, up to the first statement that fails or is stopped: that is told, and
/// the prompt goes on.
async fn obey(common: &Common, args: &Query, text: &str) {
    let asked = match is_command(text) {
        true => vec![command(text)],
        false => cut(text).into_iter().map(Asked::Statement).collect(),
    };
    for asked in asked {
        let begun = Instant::now();
        let outcome = tokio::select! {
            outcome = answered(common, args, asked) => outcome,
            _ = tokio::signal::ctrl_c() => Err(Failure::No("stopped".to_owned())),
        };
        match outcome {
            Ok(()) => eprintln!("{:.1?}", begun.elapsed()),
            Err(Failure::No(told)) => return eprintln!("{told}"),
            Err(Failure::Unable(fault) | Failure::Fenced(fault)) => return eprintln!("{fault:#}"),
        }
    }
}

/// What a person may ask for.
enum Asked<'t> {
    Statement(Typed<'t>),
    Tables,
    Columns(&'t str),
    Help,
    Unknown(&'t str),
}

fn is_command(text: &str) -> bool {
    text.starts_with('\\') || ["exit", "quit", "help"].contains(&without_end(text))
}

fn command(text: &str) -> Asked<'_> {
    let words: Vec<&str> = without_end(text).split_whitespace().collect();
    match words[..] {
        ["\\?" | "help"] => Asked::Help,
        ["\\d"] => Asked::Tables,
        ["\\d", name] if !name.contains(';') => Asked::Columns(name),
        _ => Asked::Unknown(text),
    }
}

async fn answered(common: &Common, args: &Query, asked: Asked<'_>) -> Result<(), Failure> {
    // Each statement sees the newest commit.
    let session = limited(common, args).await?;
    let format = OutputFormat::Table;
    match asked {
        Asked::Statement(Typed { sql, parameters }) => {
            let given = args.params.iter();
            let given = given.filter(|(name, _)| parameters.contains(name));
            let given: Vec<_> = given.cloned().collect();
            print(&session, sql, &given, args.format.format).await?;
        }
        Asked::Tables => _ = print(&session, TABLES, &[], format).await?,
        Asked::Columns(name) => {
            let tables: Vec<Name> = answer(&session, TABLES, &[]).await?;
            let mut tables = tables.into_iter().map(|table| table.name);
            let Some(name) = tables.find(|table| table.eq_ignore_ascii_case(name)) else {
                let told = format!("there is no table or view {name}; \\d tells which there are");
                return Err(Failure::No(told));
            };
            print(&session, COLUMNS, &[("name".to_owned(), name)], format).await?;
        }
        Asked::Help => eprintln!("{HELP}"),
        Asked::Unknown(other) => {
            let told = format!("there is no {other}; \\? tells what there is");
            return Err(Failure::No(told));
        }
    }
    Ok(())
}

/// A command may be ended as a statement is.
fn without_end(text: &str) -> &str {
    text.trim_end_matches(';').trim_end()
}

/// Where shells and tools keep such things.
fn history_path() -> Option<PathBuf> {
    let state = env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.filter(|path| path.is_absolute());
    let home = || env::var_os("HOME").map(|home| Path::new(&home).join(".local/state"));
    Some(state.or_else(home)?.join("purser/history"))
}

fn keep(editor: &mut Editor<Names, DefaultHistory>, path: &Path) -> Result<(), anyhow::Error> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    editor.append_history(path)?;
    Ok(())
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

/// The names of tables and columns.
async fn names(session: &Session) -> Result<Vec<String>, Failure> {
    let statement = "SELECT table_name AS name FROM information_schema.columns
        WHERE table_schema = 'public'
        UNION SELECT column_name FROM information_schema.columns WHERE table_schema = 'public'
        ORDER BY name";
    let names: Vec<Name> = answer(session, statement, &[]).await?;
    Ok(names.into_iter().map(|name| name.name).collect())
}

/// What Tab completes: these names, and words of SQL.
struct Names(Vec<String>);

impl Names {
    /// What the word at the end of `text` may become, and where it begins.
    fn complete(&self, text: &str) -> (usize, Vec<String>) {
        let is_of_name = |letter: char| letter.is_alphanumeric() || letter == '_';
        let start = text
            .char_indices()
            .rev()
            .take_while(|(_, letter)| is_of_name(*letter))
            .last()
            .map_or(text.len(), |(at, _)| at);
        let typed = text[start..].to_lowercase();
        if typed.is_empty() {
            return (start, Vec::new());
        }
        let names = self.0.iter().filter(|name| name.starts_with(&typed));
        let mut found: Vec<String> = names.cloned().collect();
        let words = WORDS.iter().map(|word| word.to_lowercase());
        let words = words.filter(|word| word.starts_with(&typed));
        // As it was begun.
        let is_upper = text[start..].starts_with(char::is_uppercase);
        found.extend(words.map(|word| match is_upper {
            true => word.to_uppercase(),
            false => word,
        }));
        (start, found)
    }
}

impl Completer for Names {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.complete(&line[..at]))
    }
}

impl Validator for Names {
    fn validate(&self, typed: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = typed.input().trim();
        Ok(match is_command(text) || is_ended(text) {
            true => ValidationResult::Valid(None),
            false => ValidationResult::Incomplete,
        })
    }
}

impl Hinter for Names {
    type Hint = String;
}

impl Highlighter for Names {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        Cow::Borrowed(line)
    }
}

impl Helper for Names {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_words_complete_as_they_were_begun() {
        let names = Names(
            ["used_at", "used_percent", "wallets"]
                .map(str::to_owned)
                .to_vec(),
        );
        for (typed, start, found) in [
            ("select use", 7, &["used_at", "used_percent"][..]),
            ("select w.used_p", 9, &["used_percent"]),
            ("select * from w", 14, &["wallets", "when", "where", "with"]),
            ("SELECT 1 WHE", 9, &["WHEN", "WHERE"]),
            ("select ", 7, &[]),
            ("sélect used_a", 8, &["used_at"]),
        ] {
            let found = found
                .iter()
                .map(|word| (*word).to_owned())
                .collect::<Vec<_>>();
            assert_eq!(names.complete(typed), (start, found), "{typed}");
        }
    }
}
