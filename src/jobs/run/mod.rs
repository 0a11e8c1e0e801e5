//! Run: a stream → ledger.
//!
//! Owns attaching, receiving, and the worker's end. Leaves where to go on to `place`, the engine's
//! thread to `feed`, the ledger to `writer` and the broker to `adapters::jetstream`.
//!
//! Invariant: nothing but the ledger acknowledges a message: its rows and its place are committed
//! together. An alert is stored by the broker before the rows that tell of it are committed.

mod asked;
mod batch;
mod feed;
mod place;
mod retry;
mod ticks;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::sync::mpsc;

use super::batches::FindError;
use super::checkpoints::Checkpointer;
use super::prices::{PriceFolder, PricesError};
use super::shard::{Attach as AttachShard, AttachedShard, Parts, ShardError, attach};
use super::writer::{Writer, WriterError};
use crate::adapters::jetstream::{
    Access, Connection, Message, NatsError, Receiver, Refusal, StreamId, start_alerts,
};
use crate::adapters::price_files::ReadError;
use crate::domain::duplicates::OlderFault;
use crate::domain::engine::RestoreError;
use crate::domain::units::Timestamp;
use asked::{ask, asking};
use batch::read_ahead;
use feed::{AlertGate, Feed, Look};
use place::{Place, start};
use retry::may_pass;
use ticks::{Pulse, tick};

/// What a stream of usage takes: usage, mixed usage of a gateway, wallet commands, ticks.
pub const SUBJECTS: [&str; 4] = ["usage.*", "batch.*", "wallet.*", "clock.*"];
/// The stream of alerts.
pub const ALERTS: &str = "ALERTS";

/// Batches of messages that may wait for the engine.
const WAITING_BATCHES: usize = 4;
/// How long receiving waits for messages before the engine looks at the clock.
const IDLE: Duration = Duration::from_millis(100);
/// How often the worker tells how far behind it is, and looks for new price versions.
const ROUND: Duration = Duration::from_secs(10);
/// How long a worker waits after a failure that may pass; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long a stopping worker tries to hand its last alerts to the broker.
const ALERT_PATIENCE: Duration = Duration::from_secs(10);

/// What to run on.
pub struct Run {
    pub shard: AttachShard,
    pub access: Access,
    /// The stream's name.
    pub stream: String,
    /// Reads another stream than the one that the ledger knows, from its first message, or goes
    /// on behind messages that were lost.
    pub new_source: bool,
    /// A batch is committed when its first row is this old.
    pub commit_interval: Duration,
    /// A checkpoint of the wallets is begun this long after the one before.
    pub checkpoint_interval: Duration,
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
    #[error(transparent)]
    Filter(#[from] OlderFault),
    #[error("charges that are to be taken back can't be looked up")]
    Find(#[from] FindError),
    #[error("the price folder can't be used any more")]
    Prices(#[from] PricesError),
    #[error("the price folder can't be used any more")]
    Book(#[from] RestoreError),
    #[error(
        "message {seq} of {stream} is stamped more than 5 minutes ahead of this machine's clock: \
         set the clocks of the broker and of this machine right, then start again"
    )]
    AheadOfClock { stream: String, seq: u64 },
    #[error("a new price version has a longer window: more of the ledger must be known")]
    LongerWindow,
    #[error("the engine stopped unexpectedly")]
    Panicked,
}

/// Works until `stop` resolves; then finishes what it has read, commits, and returns. Once it has
/// begun, a failure that may pass is told, and the shard is attached again after a pause.
///
/// # Errors
///
/// See [`RunError`]. What was committed stays; a new start goes on there.
pub async fn run(job: Run, stop: impl Future<Output = ()>) -> Result<Ran, RunError> {
    let stop = stop.shared();
    let mut all = Ran::default();
    let mut pause = FIRST_PAUSE;
    let mut has_begun = false;
    loop {
        let worker = match attach_worker(&job).await {
            Ok(worker) => worker,
            Err(error) => {
                rest(&mut pause, error, has_begun, stop.clone()).await?;
                continue;
            }
        };
        has_begun = true;
        let begun = Instant::now();
        let ended = worker.work(&job, stop.clone(), &mut all).await;
        if begun.elapsed() > LONGEST_PAUSE {
            pause = FIRST_PAUSE;
        }
        match ended {
            Ok(()) => return Ok(all),
            Err(error) => {
                let may_go_on = stop.peek().is_none();
                rest(&mut pause, error, may_go_on, stop.clone()).await?;
            }
        }
    }
}

/// Waits a while after a failure that may pass; hands on any other.
async fn rest(
    pause: &mut Duration,
    error: RunError,
    may_go_on: bool,
    stop: impl Future<Output = ()>,
) -> Result<(), RunError> {
    if !may_go_on || !may_pass(&error) {
        return Err(error);
    }
    let seconds = pause.as_secs();
    let cause: &dyn std::error::Error = &error;
    tracing::warn!(error = cause, "stopped, and starting again in {seconds} s");
    tokio::select! {
        () = tokio::time::sleep(*pause) => {}
        () = stop => return Err(error),
    }
    *pause = LONGEST_PAUSE.min(*pause * 2);
    Ok(())
}

/// A shard and its stream, ready to go on.
struct Worker {
    connection: Connection,
    stream: StreamId,
    /// How long the alert stream keeps an alert.
    age_max: Option<Duration>,
    attached: AttachedShard,
    place: Place,
}

async fn attach_worker(job: &Run) -> Result<Worker, RunError> {
    let connection = Connection::open(&job.access).await?;
    let stream = connection.ensure(&job.stream, &SUBJECTS).await?;
    let age_max = connection.ensure_alerts(ALERTS).await?;
    let source = stream.source();
    let attached = attach(&job.shard, &source).await?;
    let place = start(&connection, job, &stream, &attached).await?;
    tracing::info!(stream = source, next = place.next, "reading");
    Ok(Worker {
        connection,
        stream,
        age_max,
        attached,
        place,
    })
}

impl Worker {
    /// Works until `stop` resolves or something fails; adds what it did to `all`.
    async fn work(
        self,
        job: &Run,
        stop: impl Future<Output = ()>,
        all: &mut Ran,
    ) -> Result<(), RunError> {
        let source = self.stream.source();
        let AttachShard { data, shard, .. } = &job.shard;
        let folder = data.prices().map_err(ShardError::from)?;
        let Parts {
            ledger,
            engine,
            mut newest,
            committed,
            ..
        } = self.attached.into_parts();
        newest.sources.insert(source.clone());
        let (sender, alert_task) = start_alerts(self.connection.clone());
        let writer = Writer {
            shard: shard.index,
            name: uuid::Uuid::new_v4().to_string(),
            ledger,
            folder: data.workplace(),
            alerts: Some(sender.clone()),
            committed: Arc::clone(&committed),
        };
        let checkpoints = Checkpointer {
            shard: shard.index,
            data: data.url().clone(),
            committed,
            interval: job.checkpoint_interval,
        };
        let (messages, arriving) = mpsc::channel(1);
        let (work, waiting) = mpsc::channel(WAITING_BATCHES);
        let (sent, looks) = std::sync::mpsc::channel();
        let watch = tokio::spawn(watch_prices(folder, sent));
        let (asking, asked) = asking(work.clone());
        let asks = tokio::spawn(ask(self.connection.clone(), *shard, asking));
        let seq = self.place.next.saturating_sub(1);
        let pulse = Pulse::new(&engine, seq);
        let ticking = tick(
            self.connection.clone(),
            shard.index,
            (Arc::clone(&pulse), self.place.last),
            job.clock,
        );
        let ticks = tokio::spawn(ticking);
        let (spent, reader) = read_ahead(arriving, work, engine.filter_key());
        let feed = Feed {
            source,
            spent,
            looks,
            looked: Instant::now(),
            longest_window: engine.longest_window(),
            engine,
            commit_interval: job.commit_interval,
            clock: job.clock,
            alerts: AlertGate {
                sender,
                age_max: self.age_max,
            },
            checkpoints: checkpoints.start(newest),
            asked,
            pulse,
            seq: seq.cast_signed(),
        };
        let engine = std::thread::spawn(move || feed.run(writer, waiting));

        let mut receiver = Receiver::new(self.connection, self.stream, self.place.next);
        let received = receive(&mut receiver, messages, stop).await;
        ticks.abort();
        asks.abort();
        let mut engine = tokio::task::spawn_blocking(move || engine.join());
        let in_time = tokio::time::timeout(ALERT_PATIENCE, &mut engine).await;
        watch.abort();
        receiver.close().await;
        // Gives up what the broker does not take, and with it the commit that waits for it.
        if alert_task.close(ALERT_PATIENCE).await.is_err() {
            tracing::warn!("the broker did not take all alerts; they are sent after a restart");
        }
        let ended = match in_time {
            Ok(ended) => ended,
            Err(_) => engine.await,
        };
        let ran = ended
            .map_err(|_| RunError::Panicked)?
            .map_err(|_| RunError::Panicked)?;
        received?;
        let ran = ran?;
        // It has ended with the engine, at the latest.
        reader.join().map_err(|_| RunError::Panicked)?;
        all.messages += ran.messages;
        all.entries += ran.entries;
        Ok(())
    }
}

/// Looks for price versions that were published since, and sends each look.
async fn watch_prices(folder: PriceFolder, looks: Sender<Result<Look, PricesError>>) {
    let mut known = BTreeSet::new();
    loop {
        tokio::time::sleep(ROUND).await;
        let at = Instant::now();
        let sent = match folder.load().await {
            Ok(book) => {
                let versions = book.tables().iter().map(|table| table.version.clone());
                let versions: BTreeSet<_> = versions.collect();
                let book = (versions != known).then_some(book);
                known = versions;
                looks.send(Ok(Look { at, book }))
            }
            Err(PricesError::Read(error @ ReadError::Store { .. })) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "could not look for new price versions");
                continue;
            }
            Err(error) => looks.send(Err(error)),
        };
        if sent.is_err() {
            return; // The engine has ended.
        }
    }
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
