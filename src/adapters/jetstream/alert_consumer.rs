//! The durable consumer that holds a receiver's place among the alerts.
//!
//! Owns its settings: which subjects it takes, where it begins, how long an alert may be under
//! way. Leaves reading to `alert_reader`.
//!
//! Invariant: a consumer that is there keeps its place, whatever else is changed.

use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy, FromConsumer, pull};
use async_nats::jetstream::stream::ConsumerErrorKind;

use super::alert_reader::AlertReader;
use super::stream::api;
use super::{Connection, NatsError};

/// So many alerts of a receiver may be under way or wait to be tried again; more wait behind them
/// in the stream.
const PENDING_MAX: i64 = 1_000;

/// Which alerts a consumer that is not there yet begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// Those that come from now on.
    New,
    /// The oldest that the stream still has.
    Oldest,
}

/// What a receiver's consumer should be.
#[derive(Clone, Debug)]
pub struct WantedConsumer {
    /// Letters, digits, `-` and `_`.
    pub receiver: String,
    /// None of which takes what another one takes.
    pub subjects: Vec<String>,
    pub begin: Begin,
    /// An alert that was given out comes again when it is not acknowledged for so long.
    pub ack_wait: Duration,
}

/// The durable consumer of one receiver.
pub struct AlertConsumer {
    connection: Connection,
    stream: String,
    consumer: Consumer<pull::Config>,
}

impl WantedConsumer {
    /// The consumer's name.
    pub fn name(&self) -> String {
        format!("notify-{}", self.receiver)
    }
}

impl Connection {
    /// Makes the receiver's consumer if it is missing. One that is there goes on where it is, with
    /// the subjects and times that are wanted now.
    ///
    /// # Errors
    ///
    /// [`NatsError::Api`] when the broker refuses, also because a consumer of this name is of
    /// another kind.
    pub async fn alert_consumer(
        &self,
        stream: &str,
        wanted: &WantedConsumer,
    ) -> Result<AlertConsumer, NatsError> {
        let name = wanted.name();
        let found: Result<Consumer<pull::Config>, _> =
            self.jetstream.get_consumer_from_stream(&name, stream).await;
        let consumer = match found {
            Ok(found) => self.adapt(found, stream, wanted).await?,
            Err(fault) => match fault.kind() {
                ConsumerErrorKind::JetStream(error)
                    if error.error_code() == ErrorCode::CONSUMER_NOT_FOUND =>
                {
                    self.make(stream, wanted).await?
                }
                _ => return Err(api("look at a consumer of", stream, fault)),
            },
        };
        Ok(AlertConsumer {
            connection: self.clone(),
            stream: stream.to_owned(),
            consumer,
        })
    }

    async fn make(
        &self,
        stream: &str,
        wanted: &WantedConsumer,
    ) -> Result<Consumer<pull::Config>, NatsError> {
        let (deliver_policy, begins_with) = match wanted.begin {
            Begin::New => (DeliverPolicy::New, "the next alert"),
            Begin::Oldest => (DeliverPolicy::All, "the oldest alert in the stream"),
        };
        let settings = pull::Config {
            durable_name: Some(wanted.name()),
            description: Some("alerts for a receiver of purser notify".to_owned()),
            deliver_policy,
            ack_policy: AckPolicy::Explicit,
            ack_wait: wanted.ack_wait,
            filter_subjects: wanted.subjects.clone(),
            max_ack_pending: PENDING_MAX,
            ..pull::Config::default()
        };
        // Also when another process has made it meanwhile.
        let made = self
            .jetstream
            .create_consumer_on_stream(settings, stream)
            .await;
        let made = made.map_err(|fault| api("make a consumer on", stream, fault))?;
        let consumer = wanted.name();
        tracing::info!(stream, consumer, begins_with, "consumer made");
        Ok(made)
    }

    /// Has the broker change a consumer that is not as wanted; its place stays.
    async fn adapt(
        &self,
        found: Consumer<pull::Config>,
        stream: &str,
        wanted: &WantedConsumer,
    ) -> Result<Consumer<pull::Config>, NatsError> {
        let doing = "change a consumer of";
        let before = pull::Config::try_from_consumer_config(found.cached_info().config.clone());
        let before = before.map_err(|source| NatsError::Api {
            doing,
            stream: stream.to_owned(),
            source,
        })?;
        let settings = pull::Config {
            ack_policy: AckPolicy::Explicit,
            ack_wait: wanted.ack_wait,
            filter_subject: String::new(),
            filter_subjects: wanted.subjects.clone(),
            max_ack_pending: PENDING_MAX,
            ..before.clone()
        };
        if is_same(&before, &settings) {
            return Ok(found);
        }
        let changed = self
            .jetstream
            .update_consumer_on_stream(settings, stream)
            .await;
        let changed = changed.map_err(|fault| api(doing, stream, fault))?;
        tracing::info!(stream, consumer = wanted.name(), "consumer changed");
        Ok(changed)
    }
}

impl AlertConsumer {
    /// One more reader of the consumer's alerts.
    ///
    /// # Errors
    ///
    /// [`NatsError::Api`] when the client can't listen.
    pub async fn reader(&self) -> Result<AlertReader, NatsError> {
        AlertReader::open(&self.connection, &self.stream, &self.consumer).await
    }
}

/// Whether two settings of a consumer differ in nothing that is ours.
fn is_same(before: &pull::Config, wanted: &pull::Config) -> bool {
    let subjects = |settings: &pull::Config| {
        let mut subjects = settings.filter_subjects.clone();
        if !settings.filter_subject.is_empty() {
            subjects.push(settings.filter_subject.clone());
        }
        subjects.sort();
        subjects
    };
    let rest = |settings: &pull::Config| {
        (
            settings.ack_policy,
            settings.ack_wait,
            settings.max_ack_pending,
        )
    };
    subjects(before) == subjects(wanted) && rest(before) == rest(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consumer_is_changed_only_where_it_differs() {
        let one = pull::Config {
            filter_subjects: vec!["alerts.*.used.*".to_owned(), "alerts.*.status.*".to_owned()],
            ack_wait: Duration::from_secs(25),
            ..pull::Config::default()
        };
        let turned = pull::Config {
            filter_subjects: one.filter_subjects.iter().rev().cloned().collect(),
            ..one.clone()
        };
        assert!(is_same(&one, &turned));
        let single = pull::Config {
            filter_subjects: vec!["alerts.*.used.*".to_owned()],
            ..one.clone()
        };
        let single_in_the_old_place = pull::Config {
            filter_subject: "alerts.*.used.*".to_owned(),
            filter_subjects: Vec::new(),
            ..one.clone()
        };
        assert!(is_same(&single_in_the_old_place, &single));
        assert!(!is_same(&one, &single));
        let slower = pull::Config {
            ack_wait: Duration::from_secs(26),
            ..one.clone()
        };
        assert!(!is_same(&one, &slower));
    }
}
