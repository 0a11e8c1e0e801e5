//! What can go wrong with the broker.
//!
//! Owns the one error of this adapter. Leaves each refusal to read on to `attach`.
//!
//! Invariant: an error that leaves here is for a person or a supervisor; what time heals has been
//! retried before.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::attach::Refusal;

/// Why the broker cannot be used as asked.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    #[error("read the nats credentials file {}", path.display())]
    Credentials { path: PathBuf, source: io::Error },

    #[error("connect to nats at {servers}; {advice}")]
    Connect {
        servers: String,
        advice: &'static str,
        source: async_nats::ConnectError,
    },

    #[error(
        "the broker has no JetStream for this account; start it with `nats-server -js`, \
         or enable JetStream for the account"
    )]
    NoJetStream,

    #[error("there is no stream {stream} on the broker")]
    NoStream { stream: String },

    #[error(
        "stream {stream} takes {found} but not {missing}; add it with \
         `nats stream edit {stream} --subjects …`"
    )]
    Subjects {
        stream: String,
        found: String,
        missing: String,
    },

    #[error(
        "stream {stream} has {found} retention, which deletes messages that the ledger may still \
         need; make it with limits retention"
    )]
    Retention { stream: String, found: &'static str },

    #[error("{doing} stream {stream}")]
    Api {
        doing: &'static str,
        stream: String,
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    #[error("read stream {stream}: the broker sent {what}")]
    Answer { stream: String, what: &'static str },

    #[error("publish a tick on {subject}")]
    Tick {
        subject: String,
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    #[error("subscribe to requests on the broker")]
    Ask(#[source] Box<dyn std::error::Error + Send + Sync>),

    #[error(transparent)]
    Refused(#[from] Refusal),

    #[error(
        "publish {id} on {subject}: this user of the broker may not publish there; use the \
         credentials of one that may, for commands those of the billing system"
    )]
    Forbidden { subject: String, id: String },

    #[error("publish {id} on {subject}: the broker will never take it")]
    Unpublishable {
        subject: String,
        id: String,
        source: async_nats::jetstream::context::PublishError,
    },

    #[error(
        "publish {id} on {subject}: given up after {patience:?}; is there a stream that takes \
         this subject, has it room, and is the broker up?"
    )]
    GaveUp {
        subject: String,
        id: String,
        patience: Duration,
        source: async_nats::jetstream::context::PublishError,
    },

    #[error("close the connection to nats")]
    Close(#[source] Box<dyn std::error::Error + Send + Sync>),
}
