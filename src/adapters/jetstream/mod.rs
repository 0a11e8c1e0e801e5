//! NATS JetStream: usage comes in from it, alerts and published events go out to it.
//!
//! Owns the connection, the streams' settings, reading a stream from a given place, reading alerts
//! for a receiver, publishing until the broker has stored, ticks and requests. Leaves what a
//! message means to `cloudevents`, and which place to read from, and what to do when one of these
//! stops, to the job.
//!
//! Invariant: a message is handed on exactly once and in the stream's order, or an error says which
//! one is missing; nothing counts as published before the broker has acknowledged it. An alert
//! comes again to its receiver until it is acknowledged.

mod alert_consumer;
mod alert_reader;
mod alerts;
mod attach;
mod clock;
mod connect;
mod dead_letters;
mod delivery;
mod error;
mod listen;
mod once;
mod publish;
mod pulls;
mod questions;
mod receive;
mod signals;
mod stream;

pub use alert_consumer::{AlertConsumer, Begin, WantedConsumer};
pub use alert_reader::{AckError, AlertReader, DeliveredAlert, ReadError};
pub use alerts::{
    ALERT_SUBJECTS, Alert, AlertSender, AlertTask, AlertsClosed, start_alerts, worth_sending,
};
pub use async_nats::Subject;
pub use attach::{Attach, Known, Refusal, attach};
pub use connect::{Access, Connection, Login, TlsFiles};
pub use dead_letters::{DEAD_LETTER_SUBJECTS, DeadLetter};
pub use delivery::Message;
pub use error::NatsError;
pub use listen::Listener;
pub use publish::{Outgoing, Published, Publisher};
pub use questions::{Question, Questions};
pub use receive::Receiver;
pub use signals::Signal;
pub use stream::{Facts, StreamId};
