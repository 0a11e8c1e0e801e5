//! The flags of `bench`.

use std::path::PathBuf;

use clap::{Args as Flags, ValueEnum};

use crate::jobs::bench::Part;

/// Measures how fast Purser is on this machine, as ratios where another can do the same work.
///
/// Both take turns, and a ratio is of the medians. Fetches DuckDB by pip, and nats-server if there
/// is none, works in a folder of its own and removes it. The exit code is 1 when a figure is below
/// what it must be.
#[derive(Debug, Flags)]
pub(in crate::cli) struct Bench {
    /// What to measure [default: all of it]
    #[arg(
        value_enum,
        value_name = "LOAD",
        env = "PURSER_BENCH_LOADS",
        value_delimiter = ','
    )]
    pub(in crate::cli) loads: Vec<Load>,
    /// Lines of usage, of about 250 bytes each; one in a hundred is a copy
    #[arg(long, env = "PURSER_BENCH_EVENTS", default_value_t = 2_000_000,
        value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) events: u64,
    /// Customers that the events are of; few of them have most
    #[arg(long, env = "PURSER_BENCH_CUSTOMERS", default_value_t = 10_000,
        value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) customers: u64,
    /// Identities that a ledger knows already in `identities`
    #[arg(long, env = "PURSER_BENCH_IDENTITIES", default_value_t = 20_000_000,
        value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) identities: u64,
    /// Entries of the ledger in `queries`
    #[arg(long, env = "PURSER_BENCH_ENTRIES", default_value_t = 20_000_000,
        value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) entries: u64,
    /// How often each contender runs
    #[arg(long, env = "PURSER_BENCH_ROUNDS", default_value_t = 5,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) rounds: u32,
    /// What the events are made from
    #[arg(long, env = "PURSER_BENCH_SEED", default_value_t = 1)]
    pub(in crate::cli) seed: u64,
    /// Where to work [default: the system's temporary folder]
    #[arg(long, env = "PURSER_BENCH_WORK")]
    pub(in crate::cli) work: Option<PathBuf>,
    /// A Python that has DuckDB, instead of fetching one
    #[arg(long, env = "PURSER_BENCH_PYTHON")]
    pub(in crate::cli) python: Option<PathBuf>,
    /// A nats-server [default: the one on the path, or else it is fetched]
    #[arg(long, env = "PURSER_NATS_SERVER")]
    pub(in crate::cli) nats_server: Option<PathBuf>,
}

impl Bench {
    /// What was asked for.
    pub(in crate::cli) fn parts(&self) -> Vec<Part> {
        let asked = match &self.loads[..] {
            [] => Load::value_variants(),
            asked => asked,
        };
        asked.iter().copied().map(Part::from).collect()
    }
}

/// A load of the bench.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum Load {
    /// Files, against DuckDB
    Replay,
    /// `run` on a full stream, against a consumer that only counts and against `replay`
    Backlog,
    /// From an event to its alert while 20,000 events a second arrive
    Alerts,
    /// `replay` with a customer for every two events, against few customers
    Customers,
    /// `replay` into a ledger with many identities, against an empty one
    Identities,
    /// From a start to the first answer, against DuckDB reading the same files
    Restart,
    /// A month's invoice lines and the signals over many entries, against DuckDB
    Queries,
    /// The engine's longest pause while 20,000 events a second arrive and a month ends
    Pauses,
}

impl From<Load> for Part {
    fn from(load: Load) -> Self {
        match load {
            Load::Replay => Self::Replay,
            Load::Backlog => Self::Backlog,
            Load::Alerts => Self::Alerts,
            Load::Customers => Self::Customers,
            Load::Identities => Self::Identities,
            Load::Restart => Self::Restart,
            Load::Queries => Self::Queries,
            Load::Pauses => Self::Pauses,
        }
    }
}
