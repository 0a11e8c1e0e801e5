//! Reading a stream from a given place on, through whatever happens to the broker.
//!
//! Owns the place to go on, when a consumer is replaced, and the order of what is handed on. Leaves
//! keeping the place to the ledger: the broker is told nothing of it.
//!
//! Invariant: what is handed on is `next`, `next + 1`, … without a gap; a number that the stream
//! no longer holds is an error, never skipped.

use std::time::Duration;

use futures::{FutureExt, StreamExt};
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::attach::{Attach, Known, Refusal, attach};
use super::delivery::{Delivery, content_type};
use super::pulls::{HEARTBEAT, Pulls};
use super::{Connection, Facts, Message, NatsError, StreamId};

/// One batch handed on holds at most this many messages (and what was pulled: about 8 MiB).
const BATCH_MESSAGES_MAX: usize = 10_000;

/// While more is known to be under way, a batch waits for this many messages …
const BATCH_MESSAGES_WANTED: usize = 1_000;

/// … but no longer than this.
const GATHER: Duration = Duration::from_millis(1);

/// So long without a word of the broker, and the consumer counts as gone.
const SILENCE: Duration = Duration::from_millis(HEARTBEAT.as_millis() as u64 * 5 / 2);

/// Pauses between attempts to make a consumer: the first, doubled up to the last.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// After so many consumers in a row that brought nothing though the stream holds more, messages
/// are fetched one by one: one with headers that the client cannot parse breaks the connection each
/// time it is delivered, and would stop the shard for ever.
const FRUITLESS_MAX: u32 = 2;

/// So many are fetched one by one before a consumer is tried again.
const FETCHED_SINGLY: u64 = 256;

/// Reads one stream.
pub struct Receiver {
    connection: Connection,
    stream: StreamId,
    next: u64,
    live: Option<Live>,
    batch: Vec<Message>,
    /// The last message handed on.
    last: Option<Message>,
    pending: u64,
    retry_at: Instant,
    pause: Duration,
    /// Consumers since the last message.
    fruitless: u32,
    replaced: u64,
}

/// The consumer in use.
struct Live {
    pulls: Pulls,
    heard: Instant,
    /// Which of the client's connections it was made on.
    connects: u64,
}

/// How a wait for messages ended.
enum Gathered {
    Batch,
    Nothing,
    Broken(String),
}

impl Receiver {
    /// Will read `stream` from `next` on. Connects nothing yet.
    pub fn new(connection: Connection, stream: StreamId, next: u64) -> Self {
        Self {
            connection,
            stream,
            next: next.max(1),
            live: None,
            batch: Vec::new(),
            last: None,
            pending: 0,
            retry_at: Instant::now(),
            pause: PAUSE_MIN,
            fruitless: 0,
            replaced: 0,
        }
    }

    /// How many messages waited in the stream behind the last one handed on.
    pub fn pending(&self) -> u64 {
        self.pending
    }

    /// How often a consumer had to be replaced.
    pub fn replaced(&self) -> u64 {
        self.replaced
    }

    /// The next messages, in order: as soon as there is one, and no later than `max_wait`, empty
    /// then. While a broker that is connected does not answer, a call may take some seconds longer.
    ///
    /// Dropping the future loses nothing: what has arrived comes with the next call.
    ///
    /// # Errors
    ///
    /// [`NatsError::Refused`] when the stream is another one, or has lost messages that were not
    /// read; [`NatsError::NoStream`] when it is gone. Everything else is retried for ever.
    pub async fn next_batch(&mut self, max_wait: Duration) -> Result<Vec<Message>, NatsError> {
        let deadline = Instant::now() + max_wait;
        loop {
            // Without a connection there is nothing to ask; the client reconnects by itself.
            let unconnected = self.live.is_none() && !self.connection.is_up();
            let open_at = if unconnected {
                Instant::now() + PAUSE_MIN
            } else {
                self.retry_at
            };
            let outcome = if self.live.is_some() {
                self.gather(deadline).await
            } else if open_at > deadline {
                sleep_until(deadline).await;
                Gathered::Nothing
            } else if unconnected {
                sleep_until(open_at).await;
                continue;
            } else {
                sleep_until(open_at).await;
                match self.open().await {
                    Ok(()) if self.batch.is_empty() => continue,
                    Ok(()) => Gathered::Batch,
                    Err(fault @ (NatsError::Refused(_) | NatsError::NoStream { .. })) => {
                        return Err(fault);
                    }
                    Err(fault) => Gathered::Broken(chain(&fault)),
                }
            };
            match outcome {
                Gathered::Batch | Gathered::Nothing => return Ok(self.take_batch()),
                Gathered::Broken(cause) => self.replace(&cause),
            }
            if !self.batch.is_empty() {
                return Ok(self.take_batch());
            }
        }
    }

    /// Stops, and has the broker forget the consumer. The connection stays.
    pub async fn close(self) {
        if let Some(live) = self.live {
            live.pulls.close().await;
        }
    }

    fn take_batch(&mut self) -> Vec<Message> {
        if let Some(last) = self.batch.last() {
            self.last = Some(last.clone());
        }
        std::mem::take(&mut self.batch)
    }

    fn replace(&mut self, cause: &str) {
        let (stream, next) = (self.stream.name.as_str(), self.next);
        tracing::warn!(stream, next, cause, "reading interrupted, starting again");
        self.live = None;
        self.replaced += 1;
        self.retry_at = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }

    /// Looks at the stream, and makes a consumer if it can be read on; or else fetches some
    /// messages into the batch.
    async fn open(&mut self) -> Result<(), NatsError> {
        let facts = self.connection.facts(&self.stream.name).await?;
        let known = Known {
            source: self.stream.source(),
            position: self.next - 1,
        };
        if let Attach::Refuse(refusal) = attach(Some(&known), &facts) {
            return Err(refusal.into());
        }
        self.check_last(&facts).await?;
        if self.next <= facts.last_seq {
            if self.fruitless >= FRUITLESS_MAX {
                return self.fetch_singly(&facts).await;
            }
            // The consumer would begin behind a hole and say nothing.
            self.fetch(self.next, &facts).await?;
            self.fruitless += 1;
        }
        let connects = self.connection.connects();
        let pulls = Pulls::open(&self.connection, &self.stream.name, self.next).await?;
        self.live = Some(Live {
            pulls,
            heard: Instant::now(),
            connects,
        });
        Ok(())
    }

    /// A stream that was rolled back while nobody looked, and has grown again, has another message
    /// where the last one was.
    async fn check_last(&self, facts: &Facts) -> Result<(), NatsError> {
        let Some(last) = self
            .last
            .as_ref()
            .filter(|last| last.seq >= facts.first_seq)
        else {
            return Ok(());
        };
        let found = self
            .connection
            .message_at(&self.stream.name, last.seq)
            .await?;
        let is_same = |found: &Message| {
            (found.received_at, &found.payload) == (last.received_at, &last.payload)
        };
        // One that was deleted since can't be compared, and was read.
        if found.as_ref().is_none_or(is_same) {
            return Ok(());
        }
        let (source_name, seq) = (self.stream.source(), last.seq);
        Err(Refusal::Replaced { source_name, seq }.into())
    }

    async fn fetch_singly(&mut self, facts: &Facts) -> Result<(), NatsError> {
        let stream = self.stream.name.as_str();
        tracing::warn!(
            stream,
            next = self.next,
            "messages do not arrive, fetching them singly"
        );
        let end = facts.last_seq.min(self.next + FETCHED_SINGLY - 1);
        while self.next <= end {
            let message = self.fetch(self.next, facts).await?;
            self.pending = facts.last_seq - message.seq;
            self.hand_on(message);
        }
        self.fruitless = 0;
        Ok(())
    }

    async fn fetch(&self, seq: u64, facts: &Facts) -> Result<Message, NatsError> {
        let message = self.connection.message_at(&self.stream.name, seq).await?;
        message.ok_or_else(|| {
            let (first, last) = (facts.first_seq, facts.last_seq);
            Refusal::Hole {
                source_name: self.stream.source(),
                seq,
                first,
                last,
            }
            .into()
        })
    }

    fn hand_on(&mut self, message: Message) {
        self.next = message.seq + 1;
        self.batch.push(message);
    }

    /// Fills the batch from the consumer. The batch is kept in `self` over every `await`.
    async fn gather(&mut self, deadline: Instant) -> Gathered {
        let mut gather_until = None;
        loop {
            let Some(live) = &mut self.live else {
                return Gathered::Broken("no consumer".to_owned());
            };
            // Read before draining, so that what came before the cut is not thrown away.
            let cut_off = self.connection.connects() != live.connects;
            if let Err(fault) = live.pulls.ask().await {
                return Gathered::Broken(fault.to_string());
            }
            if let Err(cause) = self.drain() {
                return Gathered::Broken(cause);
            }
            if cut_off {
                // The broker goes on with the same consumer and its heartbeats, and takes what was
                // on the wire for delivered.
                return Gathered::Broken("the connection was cut".to_owned());
            }
            let wait_until = if self.batch.is_empty() {
                deadline.min(self.heard() + SILENCE)
            } else if self.pending == 0 || self.batch.len() >= BATCH_MESSAGES_WANTED {
                return Gathered::Batch;
            } else {
                *gather_until.get_or_insert_with(|| Instant::now() + GATHER)
            };
            let Some(live) = &mut self.live else { continue };
            match timeout_at(wait_until, live.pulls.subscriber.next()).await {
                Ok(Some(message)) => {
                    live.heard = Instant::now();
                    if let Err(cause) = self.take(message) {
                        return Gathered::Broken(cause);
                    }
                }
                Ok(None) => return Gathered::Broken("the connection was closed".to_owned()),
                Err(_) if !self.batch.is_empty() => return Gathered::Batch,
                Err(_) if self.heard().elapsed() >= SILENCE => {
                    return Gathered::Broken("no heartbeat".to_owned());
                }
                Err(_) => return Gathered::Nothing,
            }
        }
    }

    fn heard(&self) -> Instant {
        self.live
            .as_ref()
            .map_or_else(Instant::now, |live| live.heard)
    }

    /// Takes what has arrived already, without waiting.
    fn drain(&mut self) -> Result<(), String> {
        let mut any = false;
        while self.batch.len() < BATCH_MESSAGES_MAX {
            let Some(live) = &mut self.live else { break };
            // Unconstrained, or tokio would pretend that nothing is there after 128 messages.
            let arrived = unconstrained(live.pulls.subscriber.next()).now_or_never();
            let Some(arrived) = arrived else { break };
            let message = arrived.ok_or("the connection was closed")?;
            any = true;
            self.take(message)?;
        }
        if any && let Some(live) = &mut self.live {
            live.heard = Instant::now();
        }
        Ok(())
    }

    /// Takes one message or a word of the broker; the error says why the consumer is of no use.
    fn take(&mut self, message: async_nats::Message) -> Result<(), String> {
        let Some(live) = &mut self.live else {
            return Ok(());
        };
        // Not by the status: a producer's headers may hold one.
        let delivery = message.reply.as_deref().and_then(Delivery::from_reply);
        let Some(delivery) = delivery else {
            return live.pulls.told(&message);
        };
        if delivery.seq != self.next {
            return Err(format!(
                "message {} came instead of {}",
                delivery.seq, self.next
            ));
        }
        live.pulls.arrived(message.length);
        self.pending = delivery.pending;
        self.fruitless = 0;
        self.pause = PAUSE_MIN;
        self.hand_on(Message {
            seq: delivery.seq,
            received_at: delivery.received_at,
            content_type: message.headers.as_ref().and_then(content_type),
            subject: message.subject,
            payload: message.payload,
        });
        Ok(())
    }
}

/// An error and its causes on one line.
fn chain(fault: &dyn std::error::Error) -> String {
    let mut text = fault.to_string();
    let mut cause = fault.source();
    while let Some(fault) = cause {
        text = format!("{text}: {fault}");
        cause = fault.source();
    }
    text
}
