//! NATS JetStream: usage comes in from it, alerts and published events go out to it.
//!
//! Owns the connection, the streams' settings, reading a stream from a given place, and publishing
//! until the broker has stored. Leaves what a message means to `cloudevents`, and which place to
//! read from, and what to do when one of these stops, to the job.
//!
//! Invariant: a message is handed on exactly once and in the stream's order, or an error says which
//! one is missing; nothing counts as published before the broker has acknowledged it.

mod alerts;
mod attach;
mod connect;
mod delivery;
mod error;
mod publish;
mod pulls;
mod receive;
mod stream;

pub use alerts::{
    ALERT_SUBJECTS, Alert, AlertSender, AlertTask, AlertsClosed, start_alerts, worth_sending,
};
pub use async_nats::Subject;
pub use attach::{Attach, Known, Refusal, attach};
pub use connect::{Access, Connection, Login, TlsFiles};
pub use delivery::Message;
pub use error::NatsError;
pub use publish::{Outgoing, Published, Publisher};
pub use receive::Receiver;
pub use stream::{Facts, StreamId};
