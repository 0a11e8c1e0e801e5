//! The flags of `bench`.

use std::path::PathBuf;

use clap::Args as Flags;

/// Measures how fast `replay` is on this machine, as ratios against DuckDB on the same events.
///
/// Both take turns, and a ratio is of the medians. Fetches DuckDB by pip, works in a folder of its
/// own and removes it. The exit code is 1 when a figure is below what it must be.
#[derive(Debug, Flags)]
pub(in crate::cli) struct Bench {
    /// Lines of usage, of about 250 bytes each; one in a hundred is a copy
    #[arg(long, env = "PURSER_BENCH_EVENTS", default_value_t = 2_000_000,
        value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) events: u64,
    /// Customers that the events are of; few of them have most
    #[arg(long, env = "PURSER_BENCH_CUSTOMERS", default_value_t = 10_000,
        value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) customers: u64,
    /// How often each of them runs
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
}
