//! Reading the alerts of a receiver one at a time, through whatever happens to the broker, and
//! telling the broker what became of each.
//!
//! Owns the pulls of a reader, and acknowledgements. Leaves the consumer to `alert_consumer`, and
//! what an alert says to the job.
//!
//! Invariant: an alert that was not acknowledged comes again. At most one pull of a reader is
//! under way, so that no alert waits here while its time runs out.

use std::time::Duration;

use async_nats::jetstream::consumer::{Consumer, pull};
use async_nats::jetstream::context::ConsumerInfoErrorKind;
use async_nats::jetstream::{self, AckKind};
use async_nats::{StatusCode, Subject, Subscriber};
use bytes::Bytes;
use futures::StreamExt;
use tokio::time::{sleep, timeout};

use super::delivery::from_nanos;
use super::stream::api;
use super::{Connection, NatsError};
use crate::domain::units::Timestamp;

/// The broker speaks at least this often while a reader waits …
const HEARTBEAT: Duration = Duration::from_secs(2);

/// … so long without a word, and what was asked counts as lost.
const SILENCE: Duration = Duration::from_secs(5);

/// A pull that waits longer ends, and is asked again.
const PULL_LIFE: Duration = Duration::from_secs(30);

/// The pause after trouble.
const PAUSE: Duration = Duration::from_millis(500);

/// A consumer counts as deleted when it was not found so often in a row.
const LOOKS_IN_VAIN_MAX: u32 = 3;

/// Why no more alerts can be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(
        "consumer {consumer} of stream {stream} was deleted; a start makes it anew, beginning with \
         the next alert; to read those that are in the stream too, stop `purser notify`, delete \
         the consumer if it is there again (`nats consumer rm {stream} {consumer}`), and start \
         with --from-start"
    )]
    Deleted { stream: String, consumer: String },
    #[error("the connection to nats was closed")]
    Closed,
}

/// The broker could not be told what became of an alert, which will come again.
#[derive(Debug, thiserror::Error)]
#[error("acknowledge an alert")]
pub struct AckError(#[source] async_nats::Error);

/// Reads alerts one at a time; the readers of a consumer share its alerts.
pub struct AlertReader {
    connection: Connection,
    stream: String,
    consumer: Consumer<pull::Config>,
    subscriber: Subscriber,
    inbox: Subject,
    /// Whether a pull is under way.
    is_asked: bool,
    /// How often in a row the consumer was not found.
    looks_in_vain: u32,
    /// Whether trouble was told and has not ended.
    is_troubled: bool,
}

/// One alert as it was given out.
pub struct DeliveredAlert {
    pub customer: String,
    pub kind: String,
    pub id: String,
    /// The CloudEvent, as JSON.
    pub payload: Bytes,
    /// When the broker stored it.
    pub stored_at: Timestamp,
    /// How often it was given out to this receiver, this time included.
    pub attempt: u32,
    pub(super) message: jetstream::Message,
}

impl AlertReader {
    /// Listens for what the broker will give out, and asks for nothing yet.
    pub(super) async fn open(
        connection: &Connection,
        stream: &str,
        consumer: &Consumer<pull::Config>,
    ) -> Result<Self, NatsError> {
        let inbox = connection.client.new_inbox();
        let subscriber = connection.client.subscribe(inbox.clone()).await;
        let subscriber = subscriber.map_err(|fault| api("listen to", stream, fault))?;
        Ok(Self {
            connection: connection.clone(),
            stream: stream.to_owned(),
            consumer: consumer.clone(),
            subscriber,
            inbox: inbox.into(),
            is_asked: false,
            looks_in_vain: 0,
            is_troubled: false,
        })
    }

    /// The next alert, whenever it comes; a broker that is away is waited for.
    ///
    /// Dropping the future loses nothing: what has arrived comes with the next call, or again.
    ///
    /// # Errors
    ///
    /// [`ReadError`], when waiting would be in vain.
    pub async fn next(&mut self) -> Result<DeliveredAlert, ReadError> {
        loop {
            if !self.connection.is_up() {
                // A question asked now would reach the broker later, together with many others.
                self.is_asked = false;
                sleep(PAUSE).await;
                continue;
            }
            if !self.is_asked {
                if let Err(fault) = self.ask().await {
                    self.trouble(&fault.to_string());
                    sleep(PAUSE).await;
                    continue;
                }
                self.is_asked = true;
            }
            match timeout(SILENCE, self.subscriber.next()).await {
                Ok(Some(message)) => {
                    let word = (message.status, message.description.clone());
                    let context = self.connection.jetstream.clone();
                    let message = jetstream::Message { message, context };
                    // Not by the status: the headers of an alert may hold one.
                    if let Some(alert) = DeliveredAlert::read(message) {
                        self.is_asked = false;
                        self.recovered();
                        return Ok(alert);
                    }
                    self.told(word.0, word.1.as_deref().unwrap_or_default())
                        .await?;
                }
                Ok(None) => return Err(ReadError::Closed),
                Err(_) => self.look("the broker says nothing").await?,
            }
        }
    }

    async fn ask(&self) -> Result<(), pull::BatchRequestError> {
        let pull = pull::BatchConfig {
            batch: 1,
            expires: Some(PULL_LIFE),
            idle_heartbeat: HEARTBEAT,
            ..pull::BatchConfig::default()
        };
        self.consumer.request_batch(pull, self.inbox.clone()).await
    }

    /// Takes in a word of the broker.
    async fn told(&mut self, status: Option<StatusCode>, text: &str) -> Result<(), ReadError> {
        match status {
            Some(StatusCode::IDLE_HEARTBEAT) => self.recovered(),
            Some(StatusCode::TIMEOUT) => {
                self.is_asked = false;
                self.recovered();
            }
            Some(status) => self.look(&format!("{status} {text}")).await?,
            None => self.look("a message that is no alert").await?,
        }
        Ok(())
    }

    /// After trouble: whether the consumer is still there.
    async fn look(&mut self, trouble: &str) -> Result<(), ReadError> {
        self.is_asked = false;
        self.trouble(trouble);
        if !self.connection.is_up() {
            return Ok(());
        }
        let found = self.consumer.get_info().await;
        match found.map_err(|fault| fault.kind()) {
            Ok(_) => self.looks_in_vain = 0,
            Err(ConsumerInfoErrorKind::NotFound | ConsumerInfoErrorKind::StreamNotFound) => {
                self.looks_in_vain += 1;
                if self.looks_in_vain >= LOOKS_IN_VAIN_MAX {
                    return Err(ReadError::Deleted {
                        stream: self.stream.clone(),
                        consumer: self.consumer.cached_info().name.clone(),
                    });
                }
            }
            Err(_) => {} // It can't be said; the broker may be starting.
        }
        sleep(PAUSE).await;
        Ok(())
    }

    fn trouble(&mut self, cause: &str) {
        if self.is_troubled {
            return;
        }
        self.is_troubled = true;
        let consumer = self.consumer.cached_info().name.as_str();
        tracing::warn!(consumer, cause, "reading alerts interrupted, trying again");
    }

    fn recovered(&mut self) {
        self.looks_in_vain = 0;
        if self.is_troubled {
            self.is_troubled = false;
            let consumer = self.consumer.cached_info().name.as_str();
            tracing::info!(consumer, "reading alerts again");
        }
    }
}

impl DeliveredAlert {
    /// `None` for what is no delivery of a stream.
    fn read(message: jetstream::Message) -> Option<Self> {
        let info = message.info().ok()?;
        let attempt = u32::try_from(info.delivered.max(1)).unwrap_or(u32::MAX);
        let nanos = i64::try_from(info.published.unix_timestamp_nanos()).unwrap_or(i64::MAX);
        let (customer, kind, id) = names(message.subject.as_str());
        Some(Self {
            customer: customer.to_owned(),
            kind: kind.to_owned(),
            id: id.to_owned(),
            payload: message.payload.clone(),
            stored_at: from_nanos(nanos),
            attempt,
            message,
        })
    }

    /// Tells the broker that the alert is dealt with, and waits until it knows.
    ///
    /// # Errors
    ///
    /// [`AckError`] when it does not answer; it may know or not.
    pub async fn done(&self) -> Result<(), AckError> {
        self.message.double_ack().await.map_err(AckError)
    }

    /// Tells the broker to give the alert out again after a pause.
    ///
    /// # Errors
    ///
    /// [`AckError`] when it can't be told; the alert comes again when its time is over.
    pub async fn again_after(&self, pause: Duration) -> Result<(), AckError> {
        let again = self.message.ack_with(AckKind::Nak(Some(pause)));
        again.await.map_err(AckError)
    }
}

/// Customer, kind and id in `alerts.<customer>.<kind>.<id>`; any other subject is an id.
fn names(subject: &str) -> (&str, &str, &str) {
    let mut parts = subject.splitn(4, '.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("alerts"), Some(customer), Some(kind), Some(id)) => (customer, kind, id),
        _ => ("", "", subject),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_the_subject() {
        for (subject, wanted) in [
            ("alerts.acme.used.0f", ("acme", "used", "0f")),
            ("alerts.a:b/c.run_out.1", ("a:b/c", "run_out", "1")),
            ("alerts.acme.used", ("", "", "alerts.acme.used")),
            ("other.acme.used.0f", ("", "", "other.acme.used.0f")),
        ] {
            assert_eq!(names(subject), wanted, "{subject}");
        }
    }
}
