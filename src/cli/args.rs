//! The flags of every command.
//!
//! Owns their names, defaults and help. Every flag can also be set by the environment variable
//! that the help names.

mod answers;
mod bench;
mod explain;
mod notify;
mod serve;

use std::path::PathBuf;

use clap::{Args as Flags, Parser, Subcommand, ValueEnum};

use crate::domain::rfc3339;
use crate::domain::units::Timestamp;
use crate::jobs::data::{DataError, DataFolder};
use crate::jobs::shard::Attach;

pub(super) use answers::{AsOfFlag, Balance, Invoice, OutputFormat, Query, Report, Signals};
pub(super) use bench::Bench;
pub(super) use explain::{Explain, ExplainFormat};
pub(super) use notify::{Notify, NotifyFormat};
pub(super) use serve::Serve;

/// The credit wallet behind AI products: usage events in, credits, alerts and invoices out.
///
/// `purser demo` shows all of it in ten seconds. Exit codes: 0 done, 1 the answer is no (a check
/// failed), 2 it could not be done, 3 another worker owns the shard.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Args {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Flags)]
pub(super) struct Common {
    /// The data folder, or a bucket (s3://bucket/folder): the ledger and the price versions
    /// [default: ./purser-data]
    #[arg(long, global = true, env = "PURSER_DATA")]
    pub(super) data: Option<String>,
    /// Where files are kept that can be made again [default: `cache` in the data folder, or
    /// ./purser-cache if that is a bucket]
    #[arg(long, global = true, env = "PURSER_CACHE")]
    pub(super) cache: Option<PathBuf>,
    /// How logs are written to standard error
    #[arg(
        long,
        global = true,
        env = "PURSER_LOG_FORMAT",
        value_enum,
        default_value = "text"
    )]
    pub(super) log_format: LogFormat,
    /// How much is logged: error, warn, info, debug
    #[arg(long, global = true, env = "PURSER_LOG_LEVEL", default_value = "warn")]
    pub(super) log_level: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum LogFormat {
    Text,
    Json,
}

impl Common {
    /// The data folder that was named, or the default one.
    ///
    /// # Errors
    ///
    /// It is neither a folder nor a bucket.
    pub(super) fn folder(&self) -> Result<DataFolder, DataError> {
        DataFolder::new(
            self.data.as_deref().unwrap_or("./purser-data"),
            self.cache.as_deref(),
        )
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Demo(Demo),
    Replay(Replay),
    Run(Run),
    Publish(Publish),
    Notify(Notify),
    Query(Query),
    Invoice(Invoice),
    Signals(Signals),
    Report(Report),
    Balance(Balance),
    Explain(Explain),
    Serve(Serve),
    Maintain(Maintain),
    Bench(Bench),
    /// Proves that a data folder is whole and right, row by row
    ///
    /// Reads the whole ledger once: nothing is lost or there twice, credits are conserved, and
    /// every charge, balance and alert is what the price tables make of the events. Prints what
    /// was looked at and the first faults, each with its row. Exit code 1 when there is a fault,
    /// 2 when the ledger could not be read to its end.
    Verify,
    /// Checks price files, or puts versions in force
    #[command(subcommand)]
    Prices(Prices),
}

/// Replays one month of made-up usage of eight customers and prints what became of it.
///
/// Works in a fresh temporary folder, or in --data, and leaves it there to go on with SQL.
#[derive(Debug, Flags)]
pub(super) struct Demo {
    /// Another folder of price files than the demo's own
    #[arg(long, env = "PURSER_PRICES")]
    pub(super) prices: Option<PathBuf>,
}

/// Feeds events from files into the ledger, by the same engine that `run` uses.
///
/// A line is an event; seq is its number. A second replay of a file goes on where the first one
/// stopped, so that it changes nothing.
#[derive(Debug, Flags)]
pub(super) struct Replay {
    /// NDJSON files (plain, .gz, .zst); `-` reads standard input
    #[arg(required = true)]
    pub(super) files: Vec<PathBuf>,
    /// The ledger's name for the file [default: file:<its name>]
    #[arg(long, env = "PURSER_SOURCE")]
    pub(super) source: Option<String>,
    /// Moves time on to this moment after the last line, so that what falls due until then happens:
    /// periods end, grants expire. For example 2026-11-01T00:00:00Z
    #[arg(long, env = "PURSER_UNTIL", value_parser = time)]
    pub(super) until: Option<Timestamp>,
    #[command(flatten)]
    pub(super) shard: ShardFlags,
}

/// Reads a stream, keeps the wallets and writes the ledger, until it is told to stop.
///
/// The stream is made if it is missing. SIGTERM and SIGINT stop the worker: it finishes what it
/// has read, commits, and exits with 0.
#[derive(Debug, Flags)]
pub(super) struct Run {
    #[command(flatten)]
    pub(super) nats: Nats,
    #[command(flatten)]
    pub(super) stream: StreamFlag,
    #[command(flatten)]
    pub(super) shard: ShardFlags,
    /// How old the first row of a batch may grow before the batch is committed, in seconds
    #[arg(long, env = "PURSER_COMMIT_INTERVAL", default_value_t = 10)]
    pub(super) commit_interval: u64,
    /// How often the wallets are written to the table `wallets`, from which a restart goes on, in
    /// seconds
    #[arg(long, env = "PURSER_CHECKPOINT_INTERVAL", default_value_t = 300)]
    pub(super) checkpoint_interval: u64,
    /// Reads another stream than the one that the ledger knows, from its first message, or goes on
    /// behind messages that are lost: give it once, when the worker has stopped and said so
    #[arg(long, env = "PURSER_NEW_SOURCE")]
    pub(super) new_source: bool,
}

/// Publishes lines on usage.<customer> and wallet.<customer>, and waits until all are stored.
///
/// A line that is no event goes as it is on batch.0, for the ledger is where rejections belong.
#[derive(Debug, Flags)]
pub(super) struct Publish {
    /// NDJSON files (plain, .gz, .zst); `-` reads standard input
    #[arg(required = true)]
    pub(super) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) nats: Nats,
    #[command(flatten)]
    pub(super) stream: StreamFlag,
    /// Puts this many lines into a message, on batch.0; wallet commands still go by themselves
    #[arg(long, env = "PURSER_BATCH", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) batch: Option<u32>,
}

/// The broker, and who we are there.
#[derive(Clone, Flags)]
pub(super) struct Nats {
    /// Addresses of the broker, separated by commas
    #[arg(
        long = "nats",
        env = "PURSER_NATS",
        default_value = "nats://127.0.0.1:4222",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub(super) servers: Vec<String>,
    /// A credentials file (.creds)
    #[arg(long = "nats-creds", env = "PURSER_NATS_CREDS")]
    pub(super) credentials: Option<PathBuf>,
    /// A user; the password comes from PURSER_NATS_PASSWORD
    #[arg(long = "nats-user", env = "PURSER_NATS_USER")]
    pub(super) user: Option<String>,
    /// Certificates of the authority that signed the broker's, as PEM
    #[arg(long = "nats-ca", env = "PURSER_NATS_CA")]
    pub(super) authority: Option<PathBuf>,
    /// Our certificate, as PEM
    #[arg(long = "nats-cert", env = "PURSER_NATS_CERT", requires = "key")]
    pub(super) certificate: Option<PathBuf>,
    /// The key of our certificate, as PEM
    #[arg(long = "nats-key", env = "PURSER_NATS_KEY", requires = "certificate")]
    pub(super) key: Option<PathBuf>,
}

/// Without the addresses, which may hold a password.
impl std::fmt::Debug for Nats {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Nats").finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, Flags)]
pub(super) struct StreamFlag {
    /// The stream of usage
    #[arg(long, env = "PURSER_STREAM", default_value = "USAGE")]
    pub(super) stream: String,
}

/// What `replay` and `run` take of the shard that they work on.
#[derive(Clone, Debug, Flags)]
pub(super) struct ShardFlags {
    /// Which shard of how many: `0/1` is all wallets
    #[arg(long, env = "PURSER_SHARDS", default_value = "0/1", value_parser = shard)]
    pub(super) shards: crate::domain::customer::Shard,
    /// A folder of price files to publish first
    #[arg(long, env = "PURSER_PRICES")]
    pub(super) prices: Option<PathBuf>,
    /// Memory for the duplicate filter in MiB, at least 16; what does not fit lies in the cache
    /// folder
    #[arg(long, env = "PURSER_DEDUP_MEMORY", default_value_t = FILTER_MIB,
        value_parser = clap::value_parser!(u64).range(16..=1 << 20))]
    pub(super) dedup_memory: u64,
}

/// The default memory of the duplicate filter.
pub(super) const FILTER_MIB: u64 = 256;

impl ShardFlags {
    /// The shard in the data folder that was named.
    ///
    /// # Errors
    ///
    /// It is neither a folder nor a bucket.
    pub(super) fn attach(self, common: &Common) -> Result<Attach, DataError> {
        Ok(Attach {
            data: common.folder()?,
            shard: self.shards,
            prices: self.prices,
            filter_bytes: self.dedup_memory << 20,
        })
    }
}

/// Keeps the ledger's table fast: merges the small files of days that are over, checkpoints and
/// cleans its log, and deletes files that no version of it has named for a week.
///
/// Safe beside a running worker, and no row changes. Once a day is enough.
#[derive(Debug, Flags)]
pub(super) struct Maintain {
    /// Tells what would be done, and does nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

/// Checks price files, or puts versions in force.
#[derive(Debug, Subcommand)]
pub(super) enum Prices {
    /// Reads a folder of price files and tells every fault with its file and line
    Check { folder: PathBuf },
    /// Puts the versions of a folder into the data folder, for good
    Publish { folder: PathBuf },
}

fn shard(text: &str) -> Result<crate::domain::customer::Shard, String> {
    let parts = text
        .split_once('/')
        .and_then(|(index, count)| Some((index.parse::<u32>().ok()?, count.parse::<u32>().ok()?)));
    match parts {
        Some((index, count)) if index < count => {
            Ok(crate::domain::customer::Shard { index, count })
        }
        _ => Err("write INDEX/COUNT with INDEX below COUNT, such as 0/1 or 3/16".to_owned()),
    }
}

fn time(text: &str) -> Result<Timestamp, String> {
    let time = rfc3339::parse(text.as_bytes());
    time.ok_or_else(|| "write a time with its zone, such as 2026-11-01T00:00:00Z".to_owned())
}
