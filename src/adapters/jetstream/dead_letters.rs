//! Dead letters: alerts that their receiver will not get, kept with the reason.
//!
//! Owns their stream, subjects and headers. Leaves which alerts are dead to the job.
//!
//! Invariant: a dead letter is there once; the caller acknowledges its alert only after the broker
//! has stored it.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};

use super::alert_reader::DeliveredAlert;
use super::{Connection, NatsError};

/// What the stream of dead letters takes; no subject of an alert, or a dead one would be read as
/// a new one.
pub const DEAD_LETTER_SUBJECTS: &str = "dead.alerts.>";

/// How long a new stream of dead letters keeps one.
const DEAD_LETTER_AGE_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How much a new stream of dead letters holds, so that a receiver that is gone does not take the
/// room of usage and alerts. A full one takes no more, and alerts stay where they are.
const DEAD_LETTER_BYTES_MAX: i64 = 1 << 30;

/// An alert that its receiver will not get.
pub struct DeadLetter<'a> {
    pub receiver: &'a str,
    pub reason: &'a str,
    /// The status of the last answer, if there was one.
    pub status: Option<u16>,
    pub alert: &'a DeliveredAlert,
}

impl Connection {
    /// Makes the stream of dead letters if it is missing (on disk, 30 days, 1 GiB).
    ///
    /// # Errors
    ///
    /// As [`Connection::ensure`].
    pub async fn ensure_dead_letters(&self, name: &str) -> Result<(), NatsError> {
        let info = self.ensure_with(Config {
            name: name.to_owned(),
            subjects: vec![DEAD_LETTER_SUBJECTS.to_owned()],
            storage: StorageType::File,
            retention: RetentionPolicy::Limits,
            discard: DiscardPolicy::New,
            max_age: DEAD_LETTER_AGE_MAX,
            max_bytes: DEAD_LETTER_BYTES_MAX,
            ..Config::default()
        });
        info.await.map(|_| ())
    }

    /// Stores a dead letter on `dead.alerts.<receiver>.<alert id>`: the alert as it was, and why
    /// it is dead in headers. One that is there already stays as it is.
    ///
    /// # Errors
    ///
    /// [`NatsError::Api`] when the broker has not stored it within a few seconds, also because the
    /// stream is full.
    pub async fn bury(&self, stream: &str, letter: &DeadLetter<'_>) -> Result<(), NatsError> {
        let DeadLetter {
            receiver, alert, ..
        } = *letter;
        let message = PublishMessage::build()
            .payload(alert.payload.clone())
            .headers(why(letter));
        let subject = format!("dead.alerts.{receiver}.{}", alert.id);
        self.store_once(("store a dead letter in", stream), subject, message)
            .await
            .map(|_| ())
    }
}

/// The headers of a dead letter.
fn why(letter: &DeadLetter<'_>) -> HeaderMap {
    let alert = letter.alert;
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/cloudevents+json");
    headers.insert("Purser-Receiver", letter.receiver);
    // A header is one line.
    let reason = letter.reason.replace(char::is_control, " ");
    headers.insert("Purser-Reason", reason);
    headers.insert("Purser-Attempts", alert.attempt.to_string());
    if let Some(status) = letter.status {
        headers.insert("Purser-Status", status.to_string());
    }
    headers.insert("Purser-Subject", alert.message.subject.as_str());
    headers
}
