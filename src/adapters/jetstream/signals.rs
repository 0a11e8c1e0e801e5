//! The stream of signals to sales.
//!
//! Owns its settings and subjects. Leaves what a signal says to the job.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};

use super::{Connection, NatsError};

/// The stream of signals.
const SIGNALS: &str = "SIGNALS";
/// Longer than any period, so that a signal of a period is known for all of it.
const AGE_MAX: Duration = Duration::from_secs(100 * 24 * 60 * 60);

/// A signal to be told once: one for each customer, kind and period.
#[derive(Clone, Copy, Debug)]
pub struct Signal<'a> {
    pub customer: &'a str,
    pub kind: &'a str,
    /// First day of the period.
    pub period: &'a str,
}

impl Connection {
    /// Makes the stream of signals if it is missing (on disk, 100 days).
    ///
    /// # Errors
    ///
    /// As [`Connection::ensure`].
    pub async fn ensure_signals(&self) -> Result<(), NatsError> {
        let info = self.ensure_with(Config {
            name: SIGNALS.to_owned(),
            subjects: vec!["signals.>".to_owned()],
            storage: StorageType::File,
            retention: RetentionPolicy::Limits,
            discard: DiscardPolicy::New,
            max_age: AGE_MAX,
            ..Config::default()
        });
        info.await.map(|_| ())
    }

    /// Stores a signal on `signals.<customer>.<kind>.<period>`; whether it was not told before.
    ///
    /// # Errors
    ///
    /// [`NatsError::Api`] when the broker has not stored it within a few seconds.
    pub async fn tell(&self, signal: Signal<'_>, payload: Vec<u8>) -> Result<bool, NatsError> {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/cloudevents+json");
        let message = PublishMessage::build()
            .payload(payload.into())
            .headers(headers);
        let Signal {
            customer,
            kind,
            period,
        } = signal;
        let subject = format!("signals.{customer}.{kind}.{period}");
        self.store_once(("store a signal in", SIGNALS), subject, message)
            .await
    }
}
