//! Publishing messages until the broker has stored them.
//!
//! Owns the window of unacknowledged messages, and trying again. Leaves what is published, on which
//! subject and under which id, to the caller.
//!
//! Invariant: what is not counted has not been acknowledged; no message is given up in silence.

use std::collections::VecDeque;
use std::error::Error;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::{self, ErrorCode};
use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;
use tokio::time::{Instant, sleep};

use super::{Connection, NatsError};

/// So many messages may wait for their acknowledgement; the client stops for ever at 5,000.
const WINDOW: usize = 2_000;

/// And so many bytes of bodies, however few messages that is.
const WINDOW_BYTES: usize = 64 * 1024 * 1024;

/// Pauses between attempts: the first, doubled up to the last.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// A message to publish.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub subject: String,
    /// `Nats-Msg-Id`: the broker stores a second message of one id within its window (two minutes
    /// by default) only once.
    pub id: String,
    pub content_type: Option<&'static str>,
    pub payload: Bytes,
}

/// What became of the messages so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Published {
    pub stored: u64,
    /// Of an id that the broker had already before we first sent it.
    pub duplicates: u64,
}

/// Publishes with many messages under way.
///
/// Messages are sent in the order in which they are given, and the stream has them in that order,
/// also one that is made meanwhile. Those that the broker refuses or loses, as when it goes away,
/// are sent again in that order, behind those that it took after them.
pub struct Publisher {
    connection: Connection,
    patience: Duration,
    /// The stream to make when none takes a message, and its subjects.
    missing: Option<(String, &'static [&'static str])>,
    under_way: FuturesOrdered<BoxFuture<'static, (Outgoing, Result<PublishAck, PublishError>)>>,
    under_way_bytes: usize,
    failed: VecDeque<Outgoing>,
    published: Published,
}

impl Publisher {
    /// A publisher that tries one message for `patience` before it gives up.
    pub fn new(connection: Connection, patience: Duration) -> Self {
        Self {
            connection,
            patience,
            missing: None,
            under_way: FuturesOrdered::new(),
            under_way_bytes: 0,
            failed: VecDeque::new(),
            published: Published::default(),
        }
    }

    /// Makes the stream `name`, if it may, when no stream takes a message.
    #[must_use]
    pub fn making(mut self, name: &str, subjects: &'static [&'static str]) -> Self {
        self.missing = Some((name.to_owned(), subjects));
        self
    }

    /// Sends a message; waits for the oldest acknowledgement when the window is full.
    ///
    /// # Errors
    ///
    /// [`NatsError::Unpublishable`], [`NatsError::Forbidden`] or [`NatsError::GaveUp`] name the
    /// message, which may be an earlier one. The others go on.
    /// [`NatsError::Subjects`], [`NatsError::Retention`] and [`NatsError::NoJetStream`] say why
    /// no stream takes messages.
    pub async fn publish(&mut self, message: Outgoing) -> Result<(), NatsError> {
        if !self.failed.is_empty() {
            self.settle().await?;
        }
        while self.under_way.len() >= WINDOW || self.under_way_bytes >= WINDOW_BYTES {
            self.land().await?;
        }
        match send(&self.connection, &message).await {
            Ok(ack) => {
                self.under_way_bytes += message.payload.len();
                self.under_way
                    .push_back(Box::pin(async move { (message, ack.await) }));
            }
            Err(fault) => self.set_aside(message, fault)?,
        }
        // Nothing follows the first before it is stored: were the stream made meanwhile, by
        // whomever, it would take those behind that came in time.
        if self.published == Published::default() {
            self.settle().await?;
        }
        Ok(())
    }

    /// Waits until everything given so far is stored.
    ///
    /// # Errors
    ///
    /// As [`Publisher::publish`].
    pub async fn settle(&mut self) -> Result<(), NatsError> {
        while !self.under_way.is_empty() {
            self.land().await?;
        }
        // What failed is sent again, one after the other.
        while let Some(message) = self.failed.pop_front() {
            self.retry(message).await?;
        }
        Ok(())
    }

    /// Waits until everything given so far is stored, and says how much that was in all.
    ///
    /// # Errors
    ///
    /// As [`Publisher::publish`].
    pub async fn finish(&mut self) -> Result<Published, NatsError> {
        self.settle().await?;
        Ok(self.published)
    }

    /// Awaits the oldest acknowledgement under way.
    async fn land(&mut self) -> Result<(), NatsError> {
        let Some((message, answer)) = self.under_way.next().await else {
            return Ok(());
        };
        self.under_way_bytes -= message.payload.len();
        match answer {
            Ok(ack) if ack.duplicate => self.published.duplicates += 1,
            Ok(_) => self.published.stored += 1,
            Err(fault) => return self.set_aside(message, fault),
        }
        Ok(())
    }

    fn set_aside(&mut self, message: Outgoing, source: PublishError) -> Result<(), NatsError> {
        let source = self.unless_final(&message, source)?;
        if self.failed.is_empty() && !self.may_make(&source) {
            tracing::warn!(subject = message.subject, fault = %source, "publishing again");
        }
        self.failed.push_back(message);
        Ok(())
    }

    async fn retry(&mut self, message: Outgoing) -> Result<(), NatsError> {
        let end = Instant::now() + self.patience;
        let mut pause = PAUSE_MIN;
        loop {
            let source = match attempt(&self.connection, &message).await {
                // A duplicate is most likely our own first attempt, whose answer was lost.
                Ok(_) => {
                    self.published.stored += 1;
                    return Ok(());
                }
                Err(fault) => fault,
            };
            let source = self.unless_final(&message, source)?;
            if self.may_make(&source) {
                self.make().await?;
                continue;
            }
            if Instant::now() >= end {
                let Outgoing { subject, id, .. } = message;
                return Err(NatsError::GaveUp {
                    subject,
                    id,
                    patience: self.patience,
                    source,
                });
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// The fault back, unless the same message would fail the same way again.
    fn unless_final(
        &self,
        message: &Outgoing,
        source: PublishError,
    ) -> Result<PublishError, NatsError> {
        let (subject, id) = (message.subject.clone(), message.id.clone());
        if self.connection.is_forbidden(&subject) {
            return Err(NatsError::Forbidden { subject, id });
        }
        match is_final(&source) {
            true => Err(NatsError::Unpublishable {
                subject,
                id,
                source,
            }),
            false => Ok(source),
        }
    }

    fn may_make(&self, fault: &PublishError) -> bool {
        self.missing.is_some() && fault.kind() == PublishErrorKind::StreamNotFound
    }

    /// Makes the stream; once, for then it is there or we may not.
    async fn make(&mut self) -> Result<(), NatsError> {
        let Some((name, subjects)) = self.missing.take() else {
            return Ok(());
        };
        match self.connection.ensure(&name, subjects).await {
            Ok(_) => Ok(()),
            Err(
                fault @ (NatsError::Subjects { .. }
                | NatsError::Retention { .. }
                | NatsError::NoJetStream),
            ) => Err(fault),
            Err(fault) => {
                tracing::debug!(%fault, "could not make the stream");
                Ok(())
            }
        }
    }
}

async fn attempt(connection: &Connection, message: &Outgoing) -> Result<PublishAck, PublishError> {
    send(connection, message).await?.await
}

async fn send(
    connection: &Connection,
    message: &Outgoing,
) -> Result<jetstream::context::PublishAckFuture, PublishError> {
    let mut headers = HeaderMap::new();
    headers.insert(async_nats::header::NATS_MESSAGE_ID, message.id.as_str());
    if let Some(content_type) = message.content_type {
        headers.insert("content-type", content_type);
    }
    let outgoing = PublishMessage::build()
        .payload(message.payload.clone())
        .headers(headers);
    connection
        .jetstream
        .send_publish(message.subject.clone(), outgoing)
        .await
}

/// Whether the same message would fail the same way again.
fn is_final(fault: &PublishError) -> bool {
    let answer = fault
        .source()
        .and_then(|cause| cause.downcast_ref::<jetstream::Error>());
    match fault.kind() {
        PublishErrorKind::MaxPayloadExceeded => true,
        PublishErrorKind::Other => answer
            .is_none_or(|answer| answer.error_code() == ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM),
        // No stream answers while the broker starts; the rest are lost answers.
        PublishErrorKind::StreamNotFound
        | PublishErrorKind::TimedOut
        | PublishErrorKind::BrokenPipe
        | PublishErrorKind::MaxAckPending
        | PublishErrorKind::WrongLastMessageId
        | PublishErrorKind::WrongLastSequence => false,
    }
}
