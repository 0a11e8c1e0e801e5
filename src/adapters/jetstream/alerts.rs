//! Alerts: published as soon as they are decided, stored once.
//!
//! Owns the alert stream's settings, the header that makes the broker refuse a second copy, and
//! trying until stored. Leaves the alert's body and id to the engine, and waiting before a commit
//! to the job.
//!
//! Invariant: an alert counts as stored only when the broker has said so, now or earlier.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::{Connection, NatsError};
use crate::domain::units::Timestamp;

/// What the alert stream takes.
pub const ALERT_SUBJECTS: &str = "alerts.>";

/// How long a new alert stream keeps an alert.
const ALERT_AGE_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Alerts that wait to be sent; a sender waits when there are more.
const WAITING_MAX: usize = 10_000;

/// Alerts that wait for their acknowledgement.
const WINDOW: usize = 256;

/// Pauses between attempts: the first, doubled up to the last.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// One alert to publish on `alerts.<customer>.<kind>.<id>`.
#[derive(Clone, Debug)]
pub struct Alert {
    pub customer: String,
    pub kind: String,
    pub id: String,
    /// The CloudEvent, as JSON.
    pub payload: Bytes,
}

/// The task that publishes alerts has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("publishing of alerts has ended")]
pub struct AlertsClosed;

/// Hands alerts over; clones feed the same task.
#[derive(Clone)]
pub struct AlertSender {
    queue: mpsc::Sender<(u64, Alert)>,
    handed_over: Arc<AtomicU64>,
    stored: watch::Receiver<u64>,
}

/// The task that publishes alerts.
pub struct AlertTask {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// Whether an alert of `occurred_at` may still be sent at `now`: not when it is older than half of
/// the stream's age limit, because once the first copy has aged out the broker would take a second.
/// Exactly half is sent. A stream without a limit (`None`) takes alerts of any age.
pub fn worth_sending(occurred_at: Timestamp, now: Timestamp, age_max: Option<Duration>) -> bool {
    let Some(age_max) = age_max else { return true };
    let half_micros = i64::try_from(age_max.as_micros() / 2).unwrap_or(i64::MAX);
    now <= occurred_at.plus(half_micros)
}

impl Connection {
    /// Makes the alert stream if it is missing (on disk, 30 days), and says how long it keeps an
    /// alert: `None` for ever.
    ///
    /// # Errors
    ///
    /// As [`Connection::ensure`].
    pub async fn ensure_alerts(&self, name: &str) -> Result<Option<Duration>, NatsError> {
        let info = self.ensure_with(Config {
            name: name.to_owned(),
            subjects: vec![ALERT_SUBJECTS.to_owned()],
            storage: StorageType::File,
            retention: RetentionPolicy::Limits,
            // Only age ends an alert; a full broker makes the worker wait rather than forget.
            discard: DiscardPolicy::New,
            max_age: ALERT_AGE_MAX,
            ..Config::default()
        });
        let age_max = info.await?.config.max_age;
        Ok((age_max > Duration::ZERO).then_some(age_max))
    }
}

/// Starts the task that publishes alerts, on the runtime of the caller.
pub fn start_alerts(connection: Connection) -> (AlertSender, AlertTask) {
    let (queue, waiting) = mpsc::channel(WAITING_MAX);
    let (stored_sender, stored) = watch::channel(0);
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(publish(connection, waiting, stored_sender, stopped));
    let handed_over = Arc::new(AtomicU64::new(0));
    (
        AlertSender {
            queue,
            handed_over,
            stored,
        },
        AlertTask { stop, task },
    )
}

impl AlertSender {
    /// Hands an alert over; it is published at once. Waits when ten thousand are waiting.
    ///
    /// # Errors
    ///
    /// [`AlertsClosed`] after [`AlertTask::close`].
    pub async fn send(&self, alert: Alert) -> Result<(), AlertsClosed> {
        // The place first, so that an alert that nobody waits for cannot exist.
        let place = self.queue.reserve().await.map_err(|_| AlertsClosed)?;
        place.send((self.handed_over.fetch_add(1, Ordering::AcqRel), alert));
        Ok(())
    }

    /// As [`AlertSender::send`], from a thread that is not part of a runtime.
    ///
    /// # Errors
    ///
    /// As [`AlertSender::send`].
    ///
    /// # Panics
    ///
    /// When called from within a runtime.
    pub fn send_blocking(&self, alert: Alert) -> Result<(), AlertsClosed> {
        let number = self.handed_over.fetch_add(1, Ordering::AcqRel);
        self.queue
            .blocking_send((number, alert))
            .map_err(|_| AlertsClosed)
    }

    /// Waits until everything that was handed over before this call is stored by the broker.
    ///
    /// # Errors
    ///
    /// [`AlertsClosed`] when the task ended before; the alerts are then not known to be stored.
    pub async fn all_stored(&self) -> Result<(), AlertsClosed> {
        let wanted = self.handed_over.load(Ordering::Acquire);
        let mut stored = self.stored.clone();
        let stored = stored.wait_for(|stored| *stored >= wanted).await;
        stored.map(|_| ()).map_err(|_| AlertsClosed)
    }
}

impl AlertTask {
    /// Takes no more alerts, and publishes those handed over for up to `patience`.
    ///
    /// # Errors
    ///
    /// [`AlertsClosed`] when some were not stored by then; their batch was not committed either,
    /// so that they are decided and sent again.
    pub async fn close(self, patience: Duration) -> Result<(), AlertsClosed> {
        let Self { stop, mut task } = self;
        if stop.send(()).is_err() {
            tracing::debug!("publishing of alerts had ended already");
        }
        match tokio::time::timeout(patience, &mut task).await {
            Ok(ended) => ended.map_err(|_| AlertsClosed),
            Err(_) => {
                task.abort();
                Err(AlertsClosed)
            }
        }
    }
}

/// Publishes what comes until told to stop, or until every sender is gone.
async fn publish(
    connection: Connection,
    mut waiting: mpsc::Receiver<(u64, Alert)>,
    stored: watch::Sender<u64>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut under_way = FuturesUnordered::new();
    let mut done = BTreeSet::new();
    let (mut open, mut stopping) = (true, false);
    while open || !under_way.is_empty() {
        tokio::select! {
            number = under_way.next(), if !under_way.is_empty() => done.extend(number),
            alert = waiting.recv(), if open && under_way.len() < WINDOW => match alert {
                Some((number, alert)) => under_way.push(deliver(&connection, number, alert)),
                None => open = false,
            },
            // An error is the task's handle dropped without closing: the senders then decide.
            told = &mut stopped, if !stopping => {
                stopping = true;
                if told.is_ok() {
                    waiting.close();
                }
            }
        }
        // All below this number are stored, whatever order they came and were stored in.
        stored.send_if_modified(|low| {
            let before = *low;
            while done.remove(low) {
                *low += 1;
            }
            *low != before
        });
    }
}

/// Publishes one alert until the broker has it.
async fn deliver(connection: &Connection, number: u64, alert: Alert) -> u64 {
    let subject = format!("alerts.{}.{}.{}", alert.customer, alert.kind, alert.id);
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/cloudevents+json");
    let mut pause = PAUSE_MIN;
    loop {
        let message = PublishMessage::build()
            .payload(alert.payload.clone())
            .headers(headers.clone())
            .expected_last_subject_sequence(0);
        let answer = match connection
            .jetstream
            .send_publish(subject.clone(), message)
            .await
        {
            Ok(ack) => ack.await,
            Err(fault) => Err(fault),
        };
        match answer {
            Ok(_) => return number,
            // The subject holds the alert's id, so what is there is this alert.
            Err(fault) if fault.kind() == PublishErrorKind::WrongLastSequence => return number,
            Err(fault) => tracing::warn!(subject, %fault, "alert not stored, trying again"),
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_sent_up_to_half_of_the_age_limit() {
        let (occurred_at, limit) = (Timestamp::new(1_000), Duration::from_micros(200));
        for (now, age_max, wanted) in [
            (1_000, Some(limit), true),
            (1_100, Some(limit), true),
            (1_101, Some(limit), false),
            (900, Some(limit), true), // the broker's clock may be behind
            (i64::MAX, None, true),
            (i64::MAX, Some(Duration::MAX), true),
        ] {
            let answer = worth_sending(occurred_at, Timestamp::new(now), age_max);
            assert_eq!(answer, wanted, "{now} {age_max:?}");
        }
    }
}
