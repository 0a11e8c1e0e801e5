//! `purser query`, and how other commands print the answer of a view.

use std::io::{self, BufWriter};
use std::path::Path;

use anyhow::Context;

use super::args::{AsOfFlag, Common, OutputFormat, Query};
use super::failure::Failure;
use crate::adapters::sql::output::{OutputError, write};
use crate::adapters::sql::session::{Limits, Session};
use crate::jobs::sql;

pub(super) async fn run(common: &Common, args: Query) -> Result<(), Failure> {
    let is_file = Path::new(&args.sql).is_file();
    let text = if is_file {
        std::fs::read_to_string(&args.sql).with_context(|| format!("reading {}", args.sql))?
    } else {
        args.sql.clone()
    };
    let limits = Limits {
        memory_bytes_max: args.memory_mib.map(|mib| mib << 20),
    };
    let session = sql::open(&common.folder()?, &limits, args.as_of.as_of).await?;
    print(&session, &text, &args.params, args.format.format).await?;
    Ok(())
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
    let rows = session.run(statement, params).await?;
    let mut out = BufWriter::new(io::stdout());
    match write(rows, format.into(), &mut out).await {
        // Whoever reads has seen enough.
        Err(OutputError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        written => Ok(written?),
    }
}
