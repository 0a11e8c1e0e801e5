//! One consumer, and how much has been asked of it.
//!
//! Owns the consumer's settings, the pulls under way and the broker's words about them. Leaves the
//! messages, and what to do when the consumer is of no use any more, to `receive`.
//!
//! Invariant: between one and two pulls' bytes are under way, counted as the broker counts them.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy, pull};
use async_nats::{HeaderMap, StatusCode, Subject, Subscriber};

use super::stream::api;
use super::{Connection, NatsError};

/// One pull. Two of them stay far below the 64 MB at which the broker cuts a client off, and hold
/// tens of thousands of small messages, so that the next is under way while one is worked on.
pub(super) const PULL_BYTES: usize = 4 * 1024 * 1024;

/// More messages than fit into a pull, since each costs 45 bytes and more with its subjects. So
/// every pull ends by its bytes, which both sides can count.
const PULL_MESSAGES: usize = PULL_BYTES / 40;

/// What the client may have to buffer: two pulls and the broker's words between the messages.
pub(super) const IN_FLIGHT_MESSAGES_MAX: usize = 2 * PULL_MESSAGES + 1_024;

/// The broker speaks at least this often while a pull waits.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(1);

/// A pull that waits longer ends, and is asked again.
const PULL_LIFE: Duration = Duration::from_secs(30);

/// The broker forgets a consumer that nobody pulls from for so long.
const CONSUMER_IDLE_MAX: Duration = Duration::from_secs(60);

/// How long the broker may take to delete a consumer, which it would forget anyway.
const FAREWELL: Duration = Duration::from_secs(1);

pub(super) struct Pulls {
    pub(super) subscriber: Subscriber,
    connection: Connection,
    consumer: Consumer<pull::Config>,
    stream: String,
    inbox: Subject,
    asked_bytes: usize,
    single: Single,
}

/// A message over [`PULL_BYTES`] needs a pull of its own, without a bound.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Single {
    No,
    Needed,
    Asked,
}

impl Pulls {
    /// Makes a consumer that begins at `next`. Nothing is acknowledged, because the ledger keeps
    /// the place.
    pub(super) async fn open(
        connection: &Connection,
        stream: &str,
        next: u64,
    ) -> Result<Self, NatsError> {
        let fault = |fault| api("make a consumer on", stream, fault);
        let inbox = connection.client.new_inbox();
        // Before the consumer, so that nothing can be delivered to nobody.
        let subscriber = connection.client.subscribe(inbox.clone()).await;
        let subscriber = subscriber.map_err(|fault| api("listen to", stream, fault))?;
        let settings = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence {
                start_sequence: next,
            },
            ack_policy: AckPolicy::None,
            inactive_threshold: CONSUMER_IDLE_MAX,
            num_replicas: 1,
            memory_storage: true,
            ..pull::Config::default()
        };
        let consumer = connection
            .jetstream
            .create_consumer_on_stream(settings, stream)
            .await
            .map_err(fault)?;
        Ok(Self {
            subscriber,
            connection: connection.clone(),
            consumer,
            stream: stream.to_owned(),
            inbox: inbox.into(),
            asked_bytes: 0,
            single: Single::No,
        })
    }

    /// Sees to it that enough is under way.
    pub(super) async fn ask(&mut self) -> Result<(), pull::BatchRequestError> {
        match self.single {
            Single::Asked => {}
            Single::Needed => {
                self.pull(1, 0).await?;
                self.single = Single::Asked;
            }
            Single::No => {
                while self.asked_bytes <= PULL_BYTES {
                    self.pull(PULL_MESSAGES, PULL_BYTES).await?;
                    self.asked_bytes += PULL_BYTES;
                }
            }
        }
        Ok(())
    }

    async fn pull(&self, batch: usize, max_bytes: usize) -> Result<(), pull::BatchRequestError> {
        let pull = pull::BatchConfig {
            batch,
            max_bytes,
            expires: Some(PULL_LIFE),
            idle_heartbeat: HEARTBEAT,
            ..pull::BatchConfig::default()
        };
        self.consumer.request_batch(pull, self.inbox.clone()).await
    }

    /// Counts a message of `length` bytes: subjects, headers and body, as the broker does.
    pub(super) fn arrived(&mut self, length: usize) {
        match self.single {
            // The pull without bound brings the next message; no other pull could.
            Single::Asked => self.single = Single::No,
            Single::Needed | Single::No => {
                self.asked_bytes = self.asked_bytes.saturating_sub(length);
            }
        }
    }

    /// Takes in a word of the broker; the error says that the consumer is of no use any more.
    pub(super) fn told(&mut self, word: &async_nats::Message) -> Result<(), String> {
        let (status, text) = (word.status, word.description.as_deref().unwrap_or_default());
        let too_large = text.starts_with("Message Size Exceeds MaxBytes");
        match status {
            Some(StatusCode::IDLE_HEARTBEAT) => Ok(()),
            Some(StatusCode::TIMEOUT) => {
                self.ended(bytes_left(word.headers.as_ref()));
                Ok(())
            }
            Some(StatusCode::REQUEST_TERMINATED) if too_large => {
                let left = bytes_left(word.headers.as_ref());
                self.ended(left);
                if left >= PULL_BYTES {
                    self.single = Single::Needed;
                }
                Ok(())
            }
            Some(status) => Err(format!("{status} {text}")),
            None => Err("a message that is not of the stream".to_owned()),
        }
    }

    /// A pull has ended with `left` of its bytes unused.
    fn ended(&mut self, left: usize) {
        if left == 0 && self.single == Single::Asked {
            self.single = Single::Needed;
        }
        self.asked_bytes = self.asked_bytes.saturating_sub(left);
    }

    /// Has the broker forget the consumer now, if it can be reached.
    pub(super) async fn close(self) {
        let name = &self.consumer.cached_info().name;
        let farewell = self
            .connection
            .jetstream
            .delete_consumer_from_stream(name, self.stream.as_str());
        match tokio::time::timeout(FAREWELL, farewell).await {
            Ok(Ok(_)) => {}
            _ => tracing::debug!(
                stream = self.stream,
                "consumer left for the broker to forget"
            ),
        }
    }
}

fn bytes_left(headers: Option<&HeaderMap>) -> usize {
    let left = headers.and_then(|headers| headers.get("Nats-Pending-Bytes"));
    left.and_then(|left| left.as_str().parse().ok())
        .unwrap_or(0)
}
