//! Run: a stream → ledger.
//!
//! Owns attaching to the stream, receiving, and the worker's end. Leaves the engine's thread to
//! `feed`, the ledger to `writer` and the broker to `adapters::jetstream`.
//!
//! Invariant: nothing but the ledger acknowledges a message: its rows and its place are committed
//! together. An alert is stored by the broker before the rows that tell of it are committed.

mod feed;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::data::DataFolder;
use super::prices::PricesError;
use super::shard::{AttachedShard, LastMessage, ShardError, attach, is_stream};
use super::writer::{Writer, WriterError};
use crate::adapters::jetstream::{
    Access, Attach, Connection, Known, Message, NatsError, Receiver, Refusal, StreamId,
    attach as attach_stream, start_alerts,
};
use crate::domain::customer::Shard;
use crate::domain::engine::RestoreError;
use crate::domain::units::Timestamp;
use feed::{AlertGate, Feed};

/// What a stream of usage takes: usage, mixed usage of a gateway, wallet commands.
pub const SUBJECTS: [&str; 3] = ["usage.*", "batch.*", "wallet.*"];
/// The stream of alerts.
const ALERTS: &str = "ALERTS";

/// Batches of messages that may wait for the engine.
const WAITING_BATCHES: usize = 4;
/// How long receiving waits for messages before the engine looks at the clock.
const IDLE: Duration = Duration::from_millis(100);
/// How often the worker tells how far behind it is.
const ROUND: Duration = Duration::from_secs(10);
/// How long a stopping worker tries to hand its last alerts to the broker.
const ALERT_PATIENCE: Duration = Duration::from_secs(10);

/// What to run on.
pub struct Run {
    pub data: DataFolder,
    pub shard: Shard,
    /// Price files to publish first.
    pub prices: Option<PathBuf>,
    pub access: Access,
    /// The stream's name.
    pub stream: String,
    /// Reads another stream than the one that the ledger knows, from its first message, or goes
    /// on behind messages that were lost.
    pub new_source: bool,
    /// A batch is committed when its first row is this old.
    pub commit_interval: Duration,
    /// The machine's clock.
    pub clock: fn() -> Timestamp,
}

/// What a worker did until it was told to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    pub messages: u64,
    pub entries: i64,
}

/// Why a worker stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Shard(#[from] ShardError),
    #[error(transparent)]
    Nats(#[from] NatsError),
    #[error("the stream can't be read on")]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Writer(#[from] WriterError),
    #[error("the price folder can't be used any more")]
    Prices(#[from] PricesError),
    #[error("the price folder can't be used any more")]
    Book(#[from] RestoreError),
    #[error(
        "message {seq} of {stream} is stamped more than 5 minutes ahead of this machine's clock: \
         set the clocks of the broker and of this machine right, then start again"
    )]
    AheadOfClock { stream: String, seq: u64 },
    #[error("the engine stopped unexpectedly")]
    Panicked,
}

/// Works until `stop` resolves; then finishes what it has read, commits, and returns.
///
/// # Errors
///
/// See [`RunError`]. What was committed stays; a new start goes on there.
pub async fn run(job: Run, stop: impl Future<Output = ()>) -> Result<Ran, RunError> {
    let connection = Connection::open(&job.access).await?;
    let stream = connection.ensure(&job.stream, &SUBJECTS).await?;
    let age_max = connection.ensure_alerts(ALERTS).await?;
    let source = stream.source();
    let attached = attach(&job.data, job.shard, &source, job.prices.as_deref()).await?;
    let next = start(&connection, &job, &stream, &attached).await?;
    let (ledger, engine, _) = attached.into_parts();
    tracing::info!(stream = source, next, "reading");

    let (sender, alert_task) = start_alerts(connection.clone());
    let writer = Writer {
        shard: job.shard.index,
        name: uuid::Uuid::new_v4().to_string(),
        ledger,
        folder: job.data.table(),
        alerts: Some(sender.clone()),
    };
    let (messages, waiting) = mpsc::channel(WAITING_BATCHES);
    let feed = Feed {
        source,
        prices: job.data.prices(),
        engine,
        commit_interval: job.commit_interval,
        clock: job.clock,
        alerts: AlertGate { sender, age_max },
    };
    let engine = std::thread::spawn(move || feed.run(writer, waiting));

    let mut receiver = Receiver::new(connection.clone(), stream, next);
    let received = receive(&mut receiver, messages, stop).await;
    let mut engine = tokio::task::spawn_blocking(move || engine.join());
    let in_time = tokio::time::timeout(ALERT_PATIENCE, &mut engine).await;
    receiver.close().await;
    // Gives up what the broker does not take, and with it the commit that waits for it.
    if alert_task.close(ALERT_PATIENCE).await.is_err() {
        tracing::warn!("the broker did not take all alerts; they will be sent after a restart");
    }
    let ended = match in_time {
        Ok(ended) => ended,
        Err(_) => engine.await,
    };
    let ran = ended
        .map_err(|_| RunError::Panicked)?
        .map_err(|_| RunError::Panicked)?;
    received?;
    ran
}

/// Where to go on in the stream; makes sure that it is the one that the ledger has read.
async fn start(
    connection: &Connection,
    job: &Run,
    stream: &StreamId,
    attached: &AttachedShard,
) -> Result<u64, RunError> {
    let source = stream.source();
    let facts = connection.facts(&stream.name).await?;
    let read = &attached.sources;
    let known_source = if read.contains(&source) {
        Some(source.clone())
    } else {
        // Of several incarnations of a stream the newest.
        read.iter().rev().find(|source| is_stream(source)).cloned()
    };
    let known = match known_source {
        None => None,
        Some(known) => {
            let position = attached.position(&known).await?.unwrap_or(0);
            Some(Known {
                source: known,
                position: position.unsigned_abs(),
            })
        }
    };
    match attach_stream(known.as_ref(), &facts) {
        Attach::Start { next } => {
            check_last(connection, stream, attached.last()).await?;
            Ok(next)
        }
        Attach::Refuse(refusal @ (Refusal::OtherStream { .. } | Refusal::Lost { .. }))
            if job.new_source =>
        {
            tracing::warn!(%refusal, "going on all the same, by --new-source");
            Ok(facts.first_seq.max(1))
        }
        Attach::Refuse(refusal) => Err(refusal.into()),
    }
}

/// Compares the last message that the ledger has read, if the stream still holds it.
async fn check_last(
    connection: &Connection,
    stream: &StreamId,
    last: &LastMessage,
) -> Result<(), RunError> {
    let Some(seq) = last.seq else { return Ok(()) };
    let Some(message) = connection
        .message_at(&stream.name, seq.unsigned_abs())
        .await?
    else {
        return Ok(());
    };
    feed::check_message(&stream.source(), &message, last)?;
    Ok(())
}

/// Hands messages to the engine until `stop` resolves or either side ends.
async fn receive(
    receiver: &mut Receiver,
    messages: mpsc::Sender<Vec<Message>>,
    stop: impl Future<Output = ()>,
) -> Result<(), RunError> {
    tokio::pin!(stop);
    let mut told = Instant::now();
    loop {
        if told.elapsed() >= ROUND {
            told = Instant::now();
            let (behind, replaced) = (receiver.pending(), receiver.replaced());
            tracing::info!(behind, replaced, "receiving");
        }
        let batch = tokio::select! {
            biased;
            () = &mut stop => {
                tracing::info!("stopping");
                return Ok(());
            }
            batch = receiver.next_batch(IDLE) => batch?,
        };
        // Also without messages, so that the engine looks at the clock.
        tokio::select! {
            sent = messages.send(batch) => {
                if sent.is_err() {
                    return Ok(()); // The engine has ended, and says itself why.
                }
            }
            () = &mut stop => return Ok(()),
        }
    }
}
