//! Replay: files → ledger, by the same engine as from a broker.
//!
//! Owns going on where the last replay stopped. Leaves reading to `ahead`, taking lines to the
//! engine to `feeder` and commits to `writer`.
//!
//! Invariant: a line is handled once, however often its file is replayed.

mod ahead;
mod feeder;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::batches::{Batches, FindError};
use super::checkpoints::Checkpointer;
use super::shard::{
    Attach, AttachedShard, Parts, ShardError, attach, begin_to_keep_filter, keep_filter,
};
use super::writer::{Writer, WriterError};
use crate::adapters::files::{FileError, LineReader, Progress, STDIN};
use crate::domain::alert::Alert;
use crate::domain::duplicates::OlderFault;
use crate::domain::engine::WALL_CLOCK_SLACK;
use crate::domain::entry::is_stream;
use crate::domain::rfc3339;
use crate::domain::units::Timestamp;
use ahead::{Lines, read_ahead};
use feeder::{Feeder, UNTIL};

/// A file is read as fast as it goes, so that batches are cut by size, not by age.
const BATCH_INTERVAL: Duration = Duration::from_secs(3_600);

/// A checkpoint of the wallets is begun this long after the one before.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(60);

/// What to replay, and into what.
pub struct Replay {
    pub shard: Attach,
    pub file: PathBuf,
    /// The ledger's `source`; by default `file:` and the file's name.
    pub source: Option<String>,
    /// The machine's time: how far a line's time can move the shard's now.
    pub wall_clock: Timestamp,
    /// Moves now on to this time after the last line; not beyond the machine's.
    pub until: Option<Timestamp>,
}

/// What a replay did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    pub source: String,
    /// Lines that an earlier replay had handled.
    pub lines_known: u64,
    pub lines_new: u64,
    /// Rows that they brought.
    pub entries: i64,
    pub alerts: Vec<Alert>,
}

/// Why a replay stopped.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error(transparent)]
    Shard(#[from] ShardError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Writer(#[from] WriterError),
    #[error(transparent)]
    Filter(#[from] OlderFault),
    #[error("charges that are to be taken back can't be looked up")]
    Find(#[from] FindError),
    #[error(
        "this shard is fed by the stream `{0}`, and one shard is one stream: replay into another \
         --data folder, or publish the file to the stream with `purser publish`"
    )]
    FedByStream(String),
    #[error("--source `{0}` looks like a stream: leave out the `@` and the time")]
    StreamName(String),
    #[error("--source `{UNTIL}` is what the ledger calls --until: name another one")]
    UntilName,
    #[error(
        "--until {} lies ahead of this machine's clock: what has not come yet can't be replayed",
        rfc3339::format(*.0)
    )]
    Ahead(Timestamp),
    #[error(
        "{file} ends at line {lines}, but the ledger has read `{source_name}` up to line {known}: \
         name another --source"
    )]
    Shorter {
        file: PathBuf,
        lines: u64,
        source_name: String,
        known: u64,
    },
}

/// Whether a replay may move now on to `until`; for whoever replays several files.
///
/// # Errors
///
/// [`ReplayError::Ahead`]: it lies ahead of the wall clock.
pub fn check_until(until: Option<Timestamp>, wall_clock: Timestamp) -> Result<(), ReplayError> {
    let latest = wall_clock.plus(WALL_CLOCK_SLACK);
    match until.filter(|until| *until > latest) {
        Some(until) => Err(ReplayError::Ahead(until)),
        None => Ok(()),
    }
}

/// Replays a file; `progress` is called once it is open.
///
/// # Errors
///
/// See [`ReplayError`]. What was committed until then stays, and the next replay goes on there.
pub async fn replay(job: Replay, progress: impl FnOnce(Progress)) -> Result<Replayed, ReplayError> {
    let source = job.source.clone().unwrap_or_else(|| source_of(&job.file));
    if is_stream(&source) {
        return Err(ReplayError::StreamName(source));
    }
    if source == UNTIL {
        return Err(ReplayError::UntilName);
    }
    check_until(job.until, job.wall_clock)?;
    let reader = LineReader::open(&job.file)?;
    let attached = attach(&job.shard, &source).await?;
    if let Some(stream) = attached.sources().iter().find(|source| is_stream(source)) {
        return Err(ReplayError::FedByStream(stream.clone()));
    }
    let ticks = attached.position(UNTIL).await?.unwrap_or(0);
    progress(reader.progress());
    let work = move || feed(job, (source, ticks), attached, reader);
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| WriterError::Panicked)?
}

fn feed(
    job: Replay,
    (source, ticks): (String, i64),
    attached: AttachedShard,
    reader: LineReader,
) -> Result<Replayed, ReplayError> {
    let Parts {
        ledger,
        mut engine,
        last,
        mut newest,
        committed,
    } = attached.into_parts();
    let Attach { data, shard, .. } = &job.shard;
    let known = last.seq.unwrap_or(0).unsigned_abs();
    let first_entry = engine.last_entry();
    newest.sources.insert(source.clone());
    newest.sources.extend(job.until.map(|_| UNTIL.to_owned()));
    let mut checkpoints = Checkpointer {
        shard: shard.index,
        data: data.url().clone(),
        committed: Arc::clone(&committed),
        interval: CHECKPOINT_INTERVAL,
    }
    .start(newest);
    let (work, writer) = Writer {
        shard: shard.index,
        name: uuid::Uuid::new_v4().to_string(),
        ledger,
        folder: data.workplace(),
        alerts: None,
        committed,
    }
    .start();
    let mut batches = Batches::new(first_entry, BATCH_INTERVAL, work);
    let mut feeder = Feeder {
        source: &source,
        last: &last,
        known,
        wall_clock: job.wall_clock,
        line: 0,
        alerts: Vec::new(),
    };
    let blocks = read_ahead(reader, known, engine.filter_key());
    let mut outcome = Ok(());
    for block in blocks.ahead {
        outcome = match block {
            Ok(block) => {
                let outcome = feeder.block(&block, &mut engine, &mut batches);
                if let Lines::Read(readings) = block.lines {
                    // The thread that would use it again may have ended.
                    blocks.spent.send(readings).ok();
                }
                outcome
            }
            Err(fault) => Err(fault.into()),
        };
        if outcome.is_err() {
            break;
        }
        checkpoints.tend(&engine);
    }
    // One that stopped unexpectedly has not come to the end.
    if blocks.reader.join().is_err() && outcome.is_ok() {
        outcome = Err(WriterError::Panicked.into());
    }
    if let Some(until) = job
        .until
        .filter(|_| outcome.is_ok() && feeder.line >= known)
    {
        outcome = feeder.until((until, ticks), &mut engine, &mut batches);
    }
    // A filter that failed may have left a message half decided.
    let is_whole = !matches!(outcome, Err(ReplayError::Filter(_)));
    if is_whole {
        batches.seal();
    }
    let is_going_on = is_whole && batches.after_message().is_ok();
    drop(batches);
    if is_going_on {
        begin_to_keep_filter(&mut engine);
        checkpoints.take_rest(&engine);
    }
    writer.join()?;
    let entries = engine.last_entry() - first_entry;
    if is_whole {
        checkpoints.finish(|| keep_filter(engine));
    }
    outcome?;
    if feeder.line < known {
        let (file, lines) = (job.file, feeder.line);
        return Err(ReplayError::Shorter {
            file,
            lines,
            source_name: source,
            known,
        });
    }
    Ok(Replayed {
        lines_known: known,
        lines_new: feeder.line - known,
        entries,
        alerts: feeder.alerts,
        source,
    })
}

/// The ledger's name for a file.
fn source_of(file: &Path) -> String {
    let name = file
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let name = if file == Path::new(STDIN) {
        "stdin"
    } else {
        name
    };
    format!("file:{name}")
}
