//! Notify: the alert stream → webhooks and lines.
//!
//! Owns the receivers, their readers, and the end. Leaves each alert to `desk`, consumers to
//! `adapters::jetstream`, and requests to `adapters::webhook`.
//!
//! Invariant: each receiver has a consumer and readers of its own, so that none waits for another;
//! the broker keeps the place of each. Delivery is at least once; every copy has the alert's id.

mod decide;
mod desk;
mod filter;
mod rest;
mod text;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

pub use decide::Terms;
pub use filter::{Filter, FilterFault, KINDS};

use self::decide::Limits;
use self::desk::{Counts, Desk, Tally};
use self::rest::Rest;
use super::run::ALERTS;
use crate::adapters::jetstream::{Access, Connection, NatsError, ReadError, WantedConsumer};
use crate::adapters::notify_file::{Format, TIMEOUT};
use crate::adapters::webhook::{ClientFault, Poster, Target};
use crate::domain::units::Timestamp;

pub use crate::adapters::jetstream::Begin;

/// The stream of dead letters.
pub const DEAD_LETTERS: &str = "ALERTS-DEAD";

/// Requests to one webhook at the same time. Several, so that one slow answer does not hold up
/// the next alert.
const READERS: usize = 4;
/// What an attempt may take beyond its request: a dead letter and an acknowledgement.
const ATTEMPT_SLACK: Duration = Duration::from_secs(10);
/// How often is told what was done.
const ROUND: Duration = Duration::from_secs(10);
/// How long requests that are under way may take once it is told to stop.
const STOP_PATIENCE: Duration = Duration::from_secs(8);

/// What to tell whom.
pub struct Notify {
    pub access: Access,
    /// Of names that differ.
    pub receivers: Vec<Receiver>,
    /// Which alerts a receiver begins with that was never served before.
    pub begin: Begin,
    pub terms: Terms,
    /// The machine's clock.
    pub clock: fn() -> Timestamp,
    /// Prints a line, and waits until it is handed over.
    pub print: fn(&str) -> io::Result<()>,
}

/// Who gets alerts.
pub struct Receiver {
    /// Letters, digits, `-` and `_`; under this name the broker keeps its place.
    pub name: String,
    pub filter: Filter,
    pub via: Via,
}

/// How a receiver gets alerts.
pub enum Via {
    Stdout,
    Webhook { target: Target, format: Format },
}

/// What became of alerts until it was told to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notified {
    pub delivered: u64,
    pub dead: u64,
}

/// Why notifying stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    #[error(transparent)]
    Nats(#[from] NatsError),
    #[error(transparent)]
    Client(#[from] ClientFault),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(
        "stream {stream} drops an alert after {age_max:?}; that must be longer than \
         --give-up-after ({give_up_after:?}) and twice --longest-pause ({longest_pause:?}) \
         together, or alerts vanish: lower these, or raise the stream's limit with \
         `nats stream edit {stream} --max-age …`"
    )]
    TooLong {
        stream: &'static str,
        age_max: Duration,
        give_up_after: Duration,
        longest_pause: Duration,
    },
    #[error("print an alert")]
    Print(#[source] io::Error),
    #[error("a receiver's task stopped unexpectedly")]
    Panicked,
}

impl Notify {
    /// Refuses a stream that drops alerts before they are given up. Lines are never given up.
    fn check(&self, age_max: Option<Duration>) -> Result<(), NotifyError> {
        let is_webhook = |receiver: &Receiver| matches!(receiver.via, Via::Webhook { .. });
        match age_max {
            Some(age_max) if self.receivers.iter().any(is_webhook) && !self.terms.fit(age_max) => {
                Err(NotifyError::TooLong {
                    stream: ALERTS,
                    age_max,
                    give_up_after: self.terms.give_up_after,
                    longest_pause: self.terms.longest_pause,
                })
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Receiver {
    /// The broker gives an alert out again when nothing was heard of it for so long.
    fn ack_wait(&self) -> Duration {
        let request = match &self.via {
            Via::Stdout => TIMEOUT,
            Via::Webhook { target, .. } => target.timeout,
        };
        request + ATTEMPT_SLACK
    }

    /// Lines are printed one at a time, in order.
    fn readers(&self) -> usize {
        match self.via {
            Via::Stdout => 1,
            Via::Webhook { .. } => READERS,
        }
    }
}

/// Delivers alerts until `stop` resolves; then finishes the requests that are under way, within a
/// few seconds, and returns. A broker that goes away meanwhile is waited for.
///
/// # Errors
///
/// See [`NotifyError`]. What was not acknowledged comes again at the next start.
pub async fn notify(job: Notify, stop: impl Future<Output = ()>) -> Result<Notified, NotifyError> {
    let connection = Connection::open(&job.access).await?;
    let age_max = connection.ensure_alerts(ALERTS).await?;
    job.check(age_max)?;
    connection.ensure_dead_letters(DEAD_LETTERS).await?;
    let mut crew = Crew::start(job, &connection, age_max).await?;
    let ended = crew.work(stop).await;
    let notified = crew.finish().await;
    if let Err(fault) = connection.close().await {
        let fault: &dyn std::error::Error = &fault;
        tracing::debug!(fault, "the connection had ended");
    }
    ended.map(|()| notified)
}

/// The tasks that serve the receivers.
struct Crew {
    tasks: JoinSet<Result<(), NotifyError>>,
    watches: Vec<Watch>,
    stopping: watch::Sender<bool>,
}

impl Crew {
    /// `age_max` is the stream's.
    async fn start(
        job: Notify,
        connection: &Connection,
        age_max: Option<Duration>,
    ) -> Result<Self, NotifyError> {
        let poster = Poster::new()?;
        let started = (job.clock)();
        let (stopping, stopped) = watch::channel(false);
        let mut crew = Self {
            tasks: JoinSet::new(),
            watches: Vec::new(),
            stopping,
        };
        for receiver in job.receivers {
            let wanted = WantedConsumer {
                receiver: receiver.name.clone(),
                subjects: receiver.filter.subjects(),
                begin: job.begin,
                ack_wait: receiver.ack_wait(),
            };
            let consumer = connection.alert_consumer(ALERTS, &wanted).await?;
            let limits = Limits {
                terms: job.terms,
                age_max,
                ack_wait: wanted.ack_wait,
            };
            let readers = receiver.readers();
            let desk = Arc::new(Desk {
                connection: connection.clone(),
                poster: poster.clone(),
                receiver,
                limits,
                rest: Rest::default(),
                clock: job.clock,
                print: job.print,
                started,
                tally: Tally::default(),
            });
            for _ in 0..readers {
                let (desk, stopped) = (Arc::clone(&desk), stopped.clone());
                let reader = consumer.reader().await?;
                let task = async move { desk.serve(reader, stopped).await };
                crew.tasks.spawn(task);
            }
            crew.watches.push(Watch {
                desk,
                before: Counts::default(),
                is_failing: false,
            });
        }
        tracing::info!(receivers = crew.watches.len(), "notifying");
        Ok(crew)
    }

    /// Waits for `stop`, or for the first failure that nothing here can mend.
    async fn work(&mut self, stop: impl Future<Output = ()>) -> Result<(), NotifyError> {
        tokio::pin!(stop);
        let mut round = interval(ROUND);
        loop {
            tokio::select! {
                () = &mut stop => {
                    tracing::info!("stopping");
                    return Ok(());
                }
                Some(ended) = self.tasks.join_next() => {
                    ended.map_err(|_| NotifyError::Panicked)??;
                }
                _ = round.tick() => self.tell(),
            }
        }
    }

    /// Lets the alerts at hand be finished.
    async fn finish(mut self) -> Notified {
        self.stopping.send_replace(true);
        let tasks = &mut self.tasks;
        let rest = async { while tasks.join_next().await.is_some() {} };
        if timeout(STOP_PATIENCE, rest).await.is_err() {
            tracing::warn!("some requests were not finished; they are made again after a start");
        }
        self.tell();
        let mut notified = Notified::default();
        for watch in &self.watches {
            let counts = watch.desk.tally.counts();
            notified.delivered += counts.delivered;
            notified.dead += counts.dead;
        }
        notified
    }

    fn tell(&mut self) {
        for watch in &mut self.watches {
            watch.tell();
        }
    }
}

/// Tells the log how a receiver does: each turn for the worse or the better once, and never a
/// single alert.
struct Watch {
    desk: Arc<Desk>,
    before: Counts,
    is_failing: bool,
}

impl Watch {
    fn tell(&mut self) {
        let now = self.desk.tally.counts();
        let delivered = now.delivered - self.before.delivered;
        let again = now.again - self.before.again;
        let dead = now.dead - self.before.dead;
        self.before = now;
        if delivered + again + dead == 0 {
            return;
        }
        let receiver = self.desk.receiver.name.as_str();
        tracing::info!(receiver, delivered, again, dead, "alerts");
        if dead > 0 {
            let reason = self.desk.tally.dead.reason();
            tracing::warn!(receiver, dead, reason, "alerts became dead letters");
        }
        if delivered > 0 && self.is_failing {
            self.is_failing = false;
            tracing::info!(receiver, "receiver takes alerts again");
        } else if delivered == 0 && again > 0 && !self.is_failing {
            self.is_failing = true;
            let reason = self.desk.tally.again.reason();
            tracing::warn!(receiver, reason, "receiver takes no alerts, trying again");
        }
    }
}
