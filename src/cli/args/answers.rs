//! The flags of the commands that answer from the ledger.
//!
//! Owns how an answer is written and as of when it is.

use std::path::PathBuf;

use clap::{Args as Flags, ValueEnum};

use super::Nats;
use crate::adapters::sql::output::Format;
use crate::adapters::sql::session::AsOf;
use crate::domain::rfc3339;

/// Answers one SQL statement over the ledger and the views on it.
///
/// There are `ledger`, `periods`, `grant_terms`, `prices`, `plans` and the views `usage`,
/// `reversals`, `overage`, `grants`, `alerts`, `rejected`, `pace`, `standings`, `wallets`,
/// `burn_down`, `invoice_lines`, `usage_by_task`, `usage_by_day`, `margin_by_task`, `forecasts`,
/// `offers`, `fits`, `upgrade_signals`, `signals`, `deferred`, `liability`, `breakage`, `revenue`
/// and `statement`, the issued `invoices`, and `coded_ledger`: the ledger's rows, quicker to group
/// by `customer`, `task` and other texts that are repeated.
///
/// purser query "select customer, sum(credits) from usage group by customer"
///
/// Without a statement it reads one from standard input, and on a terminal it is a prompt with
/// history and completion.
#[derive(Debug, Flags)]
pub(in crate::cli) struct Query {
    /// The statement, or the path of a file that holds it [default: standard input, a prompt]
    pub(in crate::cli) sql: Option<String>,
    /// A value for `$name` in the statement, as name=value
    #[arg(long = "param", value_parser = param)]
    pub(in crate::cli) params: Vec<(String, String)>,
    #[command(flatten)]
    pub(in crate::cli) format: FormatFlag,
    #[command(flatten)]
    pub(in crate::cli) as_of: AsOfFlag,
    /// Memory that the query may use before it spills to disk, in MiB [default: no limit]
    #[arg(long, env = "PURSER_QUERY_MEMORY_MIB")]
    pub(in crate::cli) memory_mib: Option<usize>,
    /// Where the prompt keeps its history [default: ~/.local/state/purser/history]
    #[arg(long, env = "PURSER_HISTORY", value_name = "FILE")]
    pub(in crate::cli) history: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Flags)]
pub(in crate::cli) struct FormatFlag {
    /// How the answer is printed
    #[arg(long, env = "PURSER_FORMAT", value_enum, default_value = "table")]
    pub(in crate::cli) format: OutputFormat,
}

#[derive(Clone, Copy, Debug, Flags)]
pub(in crate::cli) struct AsOfFlag {
    /// Answers as the ledger stood then: a time, such as 2026-11-01T00:00:00Z, or the last entry of
    /// a ledger of one shard
    #[arg(long, env = "PURSER_AS_OF", value_parser = as_of)]
    pub(in crate::cli) as_of: Option<AsOf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum OutputFormat {
    Table,
    Csv,
    Json,
    Ndjson,
    Parquet,
}

impl From<OutputFormat> for Format {
    fn from(format: OutputFormat) -> Self {
        match format {
            OutputFormat::Table => Self::Table,
            OutputFormat::Csv => Self::Csv,
            OutputFormat::Json => Self::Json,
            OutputFormat::Ndjson => Self::Ndjson,
            OutputFormat::Parquet => Self::Parquet,
        }
    }
}

/// Prints the lines of each invoice, or issues the invoices of closed periods.
///
/// With --out each invoice is written as JSON and as a page (HTML, for A4 paper), all lines as CSV,
/// and those that are final are added to the table `invoices` of the data folder: a second run
/// makes nothing new. Periods that are open give drafts, which have no number.
///
/// purser invoice --period 2026-10 --out ./invoices
#[derive(Debug, Flags)]
pub(in crate::cli) struct Invoice {
    /// The month in which the periods start, such as 2026-10
    #[arg(long, env = "PURSER_PERIOD", value_parser = month,
        required_unless_present_any = ["check", "schema"])]
    pub(in crate::cli) period: Option<String>,
    /// One customer [default: all]
    #[arg(long, env = "PURSER_CUSTOMER")]
    pub(in crate::cli) customer: Option<String>,
    /// Issues the invoices, and writes them to this folder
    #[arg(long, env = "PURSER_OUT", value_name = "DIR", value_parser = folder,
        conflicts_with = "as_of")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// Compares the invoices that were issued with the ledger; exit code 1 if any line differs
    #[arg(long, conflicts_with_all = ["period", "customer", "out", "as_of"])]
    pub(in crate::cli) check: bool,
    /// Prints the JSON schema of an invoice
    #[arg(long, conflicts_with = "check")]
    pub(in crate::cli) schema: bool,
    #[command(flatten)]
    pub(in crate::cli) format: FormatFlag,
    #[command(flatten)]
    pub(in crate::cli) as_of: AsOfFlag,
}

/// Prints whom sales should call: who has outgrown a plan (kind `ceiling`) or does not use it
/// (`under_use`), the plan that would have been cheapest, a score up to 100 and the reasons.
///
/// A table has a line for each reason; --format csv has all columns. What a plan would cost is for
/// whole periods: what is charged already is not given back when a plan changes.
///
/// With --publish each is told on signals.<customer>.<kind>.<period> of the stream SIGNALS as a
/// CloudEvent, once a period, so that it can run every day.
#[derive(Debug, Flags)]
pub(in crate::cli) struct Signals {
    /// One customer [default: all]
    #[arg(long, env = "PURSER_CUSTOMER")]
    pub(in crate::cli) customer: Option<String>,
    /// Tells the broker
    #[arg(long, env = "PURSER_PUBLISH", conflicts_with = "as_of")]
    pub(in crate::cli) publish: bool,
    #[command(flatten)]
    pub(in crate::cli) nats: Nats,
    #[command(flatten)]
    pub(in crate::cli) format: FormatFlag,
    #[command(flatten)]
    pub(in crate::cli) as_of: AsOfFlag,
}

/// Makes a page of a customer's wallet, or of all: credits left against the thresholds, use by day
/// and task, pace, and when the credits run out.
///
/// One HTML file that needs nothing from elsewhere and no script.
///
/// purser report --customer acme --out acme.html
#[derive(Debug, Flags)]
pub(in crate::cli) struct Report {
    /// The customer
    #[arg(long, env = "PURSER_CUSTOMER", required_unless_present = "all")]
    pub(in crate::cli) customer: Option<String>,
    /// All wallets on one page, those with the most used first
    #[arg(long)]
    pub(in crate::cli) all: bool,
    /// Where to write it [default: standard output]
    #[arg(long, env = "PURSER_OUT", value_name = "FILE")]
    pub(in crate::cli) out: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) as_of: AsOfFlag,
}

/// Prints a wallet: plan, period, credits used and left, pace, status.
#[derive(Debug, Flags)]
pub(in crate::cli) struct Balance {
    pub(in crate::cli) customer: String,
    #[command(flatten)]
    pub(in crate::cli) format: FormatFlag,
    #[command(flatten)]
    pub(in crate::cli) as_of: AsOfFlag,
}

fn param(text: &str) -> Result<(String, String), String> {
    let pair = text
        .split_once('=')
        .ok_or("write name=value, such as customer=acme")?;
    Ok((pair.0.to_owned(), pair.1.to_owned()))
}

fn folder(text: &str) -> Result<PathBuf, String> {
    match text.contains("://") {
        true => Err("documents go to a folder of this machine, such as ./invoices".to_owned()),
        false => Ok(PathBuf::from(text)),
    }
}

fn as_of(text: &str) -> Result<AsOf, String> {
    let entry = text.parse().ok().filter(|entry| *entry > 0);
    let time = || rfc3339::parse(text.as_bytes()).map(AsOf::Time);
    entry.map(AsOf::Entry).or_else(time).ok_or_else(|| {
        "write a time with its zone, such as 2026-11-01T00:00:00Z, or an entry's number".to_owned()
    })
}

fn month(text: &str) -> Result<String, String> {
    let first_day = format!("{text}-01").parse::<jiff::civil::Date>();
    match first_day {
        Ok(_) if text.len() == 7 => Ok(text.to_owned()),
        _ => Err("write year and month, such as 2026-10".to_owned()),
    }
}
