//! The bench: how fast Purser is, in figures that are ratios where another can do the same.
//!
//! Owns which loads there are, and their order. Leaves each to a file of its name, the events to
//! `load`, what a process takes to `measure`, and the broker and workers to `broker` and `worker`.
//!
//! Invariant: contenders take turns, since a machine's pace changes from minute to minute; a
//! ratio is of medians, and of runs whose totals were right.

mod alerts;
mod backlog;
mod broker;
mod customers;
mod figure;
mod identities;
mod load;
mod measure;
mod pauses;
mod place;
mod queries;
mod replay;
mod restart;
mod worker;

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use super::data::DataError;
use super::shard::ShardError;
use super::sql::{AnswerError, OpenError};
use super::writer::WriterError;
use crate::adapters::files::FileError;
use crate::adapters::jetstream::NatsError;
use crate::domain::duplicates::OlderFault;
use crate::domain::units::Timestamp;
pub use figure::{Figure, Target, Unit};
pub use load::Load;
use load::PRICES;
pub use measure::Spread;
use place::Place;

/// What to measure, and with what.
pub struct Bench {
    pub parts: Vec<Part>,
    /// This program.
    pub program: PathBuf,
    /// A Python that has DuckDB; absent: one is made in `folder`.
    pub python: Option<PathBuf>,
    /// Absent: the one on the path, or else one is fetched into `folder`.
    pub nats_server: Option<PathBuf>,
    /// An empty folder, for the load and what is made of it.
    pub folder: PathBuf,
    pub load: Load,
    /// So many identities a ledger knows already.
    pub identities: u64,
    /// So many entries, or a few more, has the ledger that is queried.
    pub entries: u64,
    pub rounds: u32,
    /// What the machine's clock shows.
    pub now: Timestamp,
}

/// A part of the bench.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Replay,
    Backlog,
    Alerts,
    Customers,
    Identities,
    Restart,
    Queries,
    Pauses,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    #[error("could not write or run what the bench needs")]
    Io(#[from] io::Error),
    #[error("DuckDB printed what it should not: {printed}")]
    Printed {
        printed: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("{who} found {found:?} where the load has {expected:?}")]
    Totals {
        who: &'static str,
        found: (i64, i64),
        expected: (i64, i64),
    },
    #[error("the worker ended too early, by {status}: {said}")]
    Worker { status: ExitStatus, said: String },
    #[error(
        "of {expected} alerts {came} came and {stored} are stored, and {strange} came that should \
         not"
    )]
    Alerts {
        expected: u64,
        came: u64,
        stored: u64,
        strange: u64,
    },
    #[error(transparent)]
    Nats(Box<NatsError>),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Open(Box<OpenError>),
    #[error(transparent)]
    Answer(#[from] AnswerError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Shard(Box<ShardError>),
    #[error(transparent)]
    Filter(#[from] OlderFault),
    #[error(transparent)]
    Writer(Box<WriterError>),
}

impl From<OpenError> for BenchError {
    fn from(fault: OpenError) -> Self {
        Self::Open(Box::new(fault))
    }
}

impl From<ShardError> for BenchError {
    fn from(fault: ShardError) -> Self {
        Self::Shard(Box::new(fault))
    }
}

impl From<WriterError> for BenchError {
    fn from(fault: WriterError) -> Self {
        Self::Writer(Box::new(fault))
    }
}

impl From<NatsError> for BenchError {
    fn from(fault: NatsError) -> Self {
        Self::Nats(Box::new(fault))
    }
}

impl Bench {
    /// Where the price files of all loads lie.
    fn prices(&self) -> PathBuf {
        self.folder.join("prices")
    }
}

/// Measures; `told` hears of each step.
///
/// # Errors
///
/// See [`BenchError`].
pub async fn bench(job: &Bench, told: impl Fn(&str)) -> Result<Vec<Figure>, BenchError> {
    fs::create_dir_all(job.prices())?;
    for (name, text) in PRICES {
        fs::write(job.prices().join(name), text)?;
    }
    let mut figures = Vec::new();
    for (part, number) in job.parts.iter().zip(1..) {
        let place = Place::new(job, &format!("part-{number}"), &told)?;
        let measured = match part {
            Part::Replay => replay::replay(&place).await,
            Part::Backlog => backlog::backlog(&place).await,
            Part::Alerts => alerts::alerts(&place).await,
            Part::Customers => customers::customers(&place).await,
            Part::Identities => identities::identities(&place).await,
            Part::Restart => restart::restart(&place).await,
            Part::Queries => queries::queries(&place).await,
            Part::Pauses => pauses::pauses(&place).await,
        };
        figures.extend(measured?);
        fs::remove_dir_all(&place.folder)?;
    }
    Ok(figures)
}
