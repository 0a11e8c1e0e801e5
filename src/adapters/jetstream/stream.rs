//! The streams on the broker: made if missing, checked if there.
//!
//! Owns the settings that keep a ledger's input safe, what a stream is called as a source, and
//! looking at a stream. Leaves what the facts mean to `attach`.
//!
//! Invariant: an existing stream is never changed; one that would lose messages is refused.

use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::context::{RequestError, RequestErrorKind};
use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, RetentionPolicy, StorageType};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use super::delivery::{content_type_in, from_nanos};
use super::{Connection, Message, NatsError};
use crate::domain::units::Timestamp;

/// One incarnation of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamId {
    pub name: String,
    /// Cut to the microsecond.
    pub created: Timestamp,
}

impl StreamId {
    /// The ledger's `source`: `<name>@<created as RFC 3339>`.
    pub fn source(&self) -> String {
        match jiff::Timestamp::from_microsecond(self.created.get()) {
            Ok(created) => format!("{}@{created}", self.name),
            // Beyond the year 9999; the count still tells incarnations apart.
            Err(_) => format!("{}@{}", self.name, self.created.get()),
        }
    }
}

/// What a stream holds at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    pub stream: StreamId,
    /// 0 in a stream never used; last + 1 in one that was emptied.
    pub first_seq: u64,
    /// The last number given, whether or not the message is still there.
    pub last_seq: u64,
    pub messages: u64,
    pub bytes: u64,
}

impl Connection {
    /// Makes the stream if it is missing: on disk, kept without limit, refusing new messages when
    /// the broker is full. An existing one must take all `subjects` and delete nothing for having
    /// been read; what else may lose messages is logged as a warning.
    ///
    /// # Errors
    ///
    /// [`NatsError::Subjects`], [`NatsError::Retention`] name the difference;
    /// [`NatsError::NoJetStream`], [`NatsError::Api`] when the broker can't do it.
    pub async fn ensure(&self, name: &str, subjects: &[&str]) -> Result<StreamId, NatsError> {
        let info = self.ensure_with(input_settings(name, subjects)).await?;
        warn_of_losses(&info.config);
        Ok(id(&info))
    }

    /// What the stream holds now.
    ///
    /// # Errors
    ///
    /// [`NatsError::NoStream`] when there is none of this name.
    pub async fn facts(&self, name: &str) -> Result<Facts, NatsError> {
        let info = self.info(name).await?;
        Ok(Facts {
            stream: id(&info),
            first_seq: info.state.first_sequence,
            last_seq: info.state.last_sequence,
            messages: info.state.messages,
            bytes: info.state.bytes,
        })
    }

    /// The message at `seq`, or `None` when the stream does not hold it (any more).
    ///
    /// Reads it in one piece of JSON and not as a delivery, so that headers which this client
    /// cannot parse do no harm.
    ///
    /// # Errors
    ///
    /// [`NatsError::Api`] when the broker does not answer.
    pub async fn message_at(&self, name: &str, seq: u64) -> Result<Option<Message>, NatsError> {
        self.message(name, json!({ "seq": seq })).await
    }

    /// The first message at or behind `seq`, or `None` when there is none.
    ///
    /// # Errors
    ///
    /// As [`Connection::message_at`].
    pub async fn message_from(&self, name: &str, seq: u64) -> Result<Option<Message>, NatsError> {
        let any = json!({ "seq": seq, "next_by_subj": ">" });
        self.message(name, any).await
    }

    async fn message(&self, name: &str, wanted: Value) -> Result<Option<Message>, NatsError> {
        let doing = "read a message of";
        let subject = format!("STREAM.MSG.GET.{name}");
        let answer: Result<Response<Value>, RequestError> =
            self.jetstream.request(subject, &wanted).await;
        match answer.map_err(|fault| api(doing, name, fault))? {
            Response::Err { error } if error.error_code() == ErrorCode::NO_MESSAGE_FOUND => {
                Ok(None)
            }
            Response::Err { error } => Err(api(doing, name, error)),
            Response::Ok(answer) => match message(&answer["message"]) {
                Some(message) => Ok(Some(message)),
                None => Err(NatsError::Answer {
                    stream: name.to_owned(),
                    what: "a stored message without seq, time or body",
                }),
            },
        }
    }

    pub(super) async fn ensure_with(&self, wanted: Config) -> Result<Info, NatsError> {
        let name = wanted.name.clone();
        let subjects = wanted.subjects.clone();
        let info = match self.info(&name).await {
            Err(NatsError::NoStream { .. }) => {
                let made = self.jetstream.create_stream(wanted).await;
                made.map_err(|fault| match fault.kind() {
                    CreateStreamErrorKind::JetStreamUnavailable => NatsError::NoJetStream,
                    _ => api("make", &name, fault),
                })?;
                tracing::info!(stream = name, "stream made");
                // Read back, so that a stream that another process made meanwhile is checked too.
                self.info(&name).await?
            }
            found => found?,
        };
        check(&info.config, &subjects)?;
        Ok(info)
    }

    async fn info(&self, name: &str) -> Result<Info, NatsError> {
        match self.jetstream.get_stream(name).await {
            Ok(stream) => Ok(stream.cached_info().clone()),
            Err(fault) => Err(match fault.kind() {
                GetStreamErrorKind::JetStream(error) => match error.error_code() {
                    ErrorCode::STREAM_NOT_FOUND => NatsError::NoStream {
                        stream: name.to_owned(),
                    },
                    ErrorCode::JETSTREAM_NOT_ENABLED
                    | ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT => NatsError::NoJetStream,
                    _ => api("look at", name, error),
                },
                _ => match std::error::Error::source(&fault).and_then(|it| it.downcast_ref()) {
                    Some(cause) if is_unanswered(cause) => NatsError::NoJetStream,
                    _ => api("look at", name, fault),
                },
            }),
        }
    }
}

fn id(info: &Info) -> StreamId {
    let nanos = i64::try_from(info.created.unix_timestamp_nanos()).unwrap_or(i64::MAX);
    StreamId {
        name: info.config.name.clone(),
        created: from_nanos(nanos),
    }
}

/// Nobody listens on the API's subjects: JetStream is off.
fn is_unanswered(cause: &RequestError) -> bool {
    cause.kind() == RequestErrorKind::NoResponders
}

pub(super) fn api<E>(doing: &'static str, stream: &str, fault: E) -> NatsError
where
    E: std::error::Error + Send + Sync + 'static,
{
    NatsError::Api {
        doing,
        stream: stream.to_owned(),
        source: fault.into(),
    }
}

fn message(stored: &Value) -> Option<Message> {
    let bytes = |part: &Value| match part {
        Value::Null => Some(Vec::new()),
        part => STANDARD.decode(part.as_str()?).ok(),
    };
    let time: jiff::Timestamp = stored["time"].as_str()?.parse().ok()?;
    let nanos = i64::try_from(time.as_nanosecond()).ok()?;
    Some(Message {
        seq: stored["seq"].as_u64()?,
        received_at: from_nanos(nanos),
        subject: stored["subject"].as_str()?.into(),
        content_type: content_type_in(&bytes(&stored["hdrs"])?),
        payload: Bytes::from(bytes(&stored["data"])?),
    })
}

fn input_settings(name: &str, subjects: &[&str]) -> Config {
    Config {
        name: name.to_owned(),
        subjects: subjects
            .iter()
            .map(|subject| (*subject).to_owned())
            .collect(),
        storage: StorageType::File,
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::New,
        ..Config::default()
    }
}

fn check(found: &Config, needed: &[String]) -> Result<(), NatsError> {
    let retention = match found.retention {
        RetentionPolicy::Limits => None,
        RetentionPolicy::Interest => Some("interest"),
        RetentionPolicy::WorkQueue => Some("work-queue"),
    };
    if let Some(retention) = retention {
        return Err(NatsError::Retention {
            stream: found.name.clone(),
            found: retention,
        });
    }
    let taken = |subject: &&String| {
        found
            .subjects
            .iter()
            .any(|pattern| covers(pattern, subject))
    };
    let missing: Vec<_> = needed
        .iter()
        .filter(|subject| !taken(subject))
        .cloned()
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(NatsError::Subjects {
        stream: found.name.clone(),
        found: found.subjects.join(", "),
        missing: missing.join(", "),
    })
}

/// Whether every subject that `needed` stands for is one that `pattern` stands for.
fn covers(pattern: &str, needed: &str) -> bool {
    let mut needed = needed.split('.');
    for part in pattern.split('.') {
        match (part, needed.next()) {
            (">", Some(_)) => return true,
            ("*", Some(word)) if word != ">" => {}
            (part, Some(word)) if part == word => {}
            _ => return false,
        }
    }
    needed.next().is_none()
}

fn warn_of_losses(found: &Config) {
    let stream = found.name.as_str();
    let bounds = [
        found.max_messages,
        found.max_bytes,
        found.max_messages_per_subject,
    ];
    if found.discard == DiscardPolicy::Old && bounds.iter().any(|bound| *bound > 0) {
        tracing::warn!(
            stream,
            "when full, the stream deletes messages, read or not; discard new"
        );
    }
    if found.max_age > Duration::ZERO {
        let max_age = found.max_age;
        tracing::warn!(
            stream,
            ?max_age,
            "messages not read within the age limit are lost"
        );
    }
    if found.storage == StorageType::Memory {
        tracing::warn!(
            stream,
            "the stream is in memory; a restart of the broker empties it"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_what_it_takes_and_nothing_else() {
        for (pattern, needed, wanted) in [
            ("usage.*", "usage.*", true),
            ("usage.>", "usage.*", true),
            (">", "usage.*", true),
            ("usage.*", "usage.acme", true),
            ("usage.acme", "usage.*", false),
            ("usage.*", "usage.>", false),
            ("usage.*", "usage", false),
            ("usage.>", "usage", false),
            ("usage.*", "usage.a.b", false),
            ("*.*", "usage.*", true),
        ] {
            assert_eq!(covers(pattern, needed), wanted, "{pattern} {needed}");
        }
    }

    #[test]
    fn a_source_is_the_name_and_the_time_it_was_made() {
        let created = Timestamp::new(1_700_000_000_123_456);
        let stream = StreamId {
            name: "USAGE".into(),
            created,
        };
        assert_eq!(stream.source(), "USAGE@2023-11-14T22:13:20.123456Z");
    }
}
