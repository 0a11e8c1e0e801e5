//! `purser query`, and how other commands print the answer of a view.

use std::io::{self, BufWriter, IsTerminal};
use std::path::Path;

use anyhow::Context;

use super::args::{AsOfFlag, Common, OutputFormat, Query};
use super::failure::Failure;
use super::progress::Bar;
use super::prompt;
use crate::adapters::sql::output::{OutputError, write};
use crate::adapters::sql::session::{Limits, Session, before_each};
use crate::jobs::sql;

pub(super) async fn run(common: &Common, args: Query) -> Result<(), Failure> {
    let text = match &args.sql {
        None if io::stdin().is_terminal() && io::stdout().is_terminal() => {
            return prompt::run(common, &args).await;
        }
        None => io::read_to_string(io::stdin()).context("reading standard input")?,
        Some(path) if Path::new(path).is_file() || is_name(path) => {
            std::fs::read_to_string(path).with_context(|| format!("reading {path}"))?
        }
        Some(text) => text.clone(),
    };
    if text.trim().is_empty() {
        let told = "there is no statement: write one, name its file, or pipe it in";
        return Err(anyhow::anyhow!(told).into());
    }
    let session = limited(common, &args).await?;
    print(&session, &text, &args.params, args.format.format).await?;
    Ok(())
}

/// Whether a statement can't be, but the name of a file is meant.
fn is_name(text: &str) -> bool {
    text.ends_with(".sql") && !text.contains(char::is_whitespace)
}

/// A session on the newest commit with the limits that were asked for.
pub(super) async fn limited(common: &Common, args: &Query) -> Result<Session, Failure> {
    let limits = Limits {
        memory_bytes_max: args.memory_mib.map(|mib| mib << 20),
    };
    Ok(sql::open(&common.folder()?, &limits, args.as_of.as_of).await?)
}

/// A session without a memory limit.
pub(super) async fn session(common: &Common, as_of: AsOfFlag) -> Result<Session, Failure> {
    let limits = Limits {
        memory_bytes_max: None,
    };
    Ok(sql::open(&common.folder()?, &limits, as_of.as_of).await?)
}

/// Prints the answer of a statement; gives the number of its rows.
pub(super) async fn print(
    session: &Session,
    statement: &str,
    params: &[(String, String)],
    format: OutputFormat,
) -> Result<u64, Failure> {
    let bar = Bar::new("");
    let (rows, read) = session.start(statement, params).await?;
    bar.watch(read);
    let mut out = BufWriter::new(io::stdout());
    let rows = before_each(rows, move || bar.end());
    match write(rows, format.into(), &mut out).await {
        // Whoever reads has seen enough.
        Err(OutputError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        written => Ok(written?),
    }
}
