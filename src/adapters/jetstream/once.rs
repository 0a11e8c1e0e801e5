//! Storing a message whose subject names it, once.
//!
//! Owns telling a message that is there already from a failure.
//!
//! Invariant: a subject that names its message holds one at most.

use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use tokio::time::timeout;

use super::connect::ANSWER_WAIT;
use super::stream::api;
use super::{Connection, NatsError};

impl Connection {
    /// Stores a message of `stream` on a subject that has none; whether it was not there before.
    ///
    /// # Errors
    ///
    /// [`NatsError::Api`] when the broker has not stored it within a few seconds, also because the
    /// stream is full; `doing` says what for.
    pub(super) async fn store_once(
        &self,
        (doing, stream): (&'static str, &str),
        subject: String,
        message: PublishMessage,
    ) -> Result<bool, NatsError> {
        let message = message.expected_last_subject_sequence(0);
        let stored = async { self.jetstream.send_publish(subject, message).await?.await };
        match timeout(ANSWER_WAIT, stored).await {
            Ok(Ok(_)) => Ok(true),
            Ok(Err(fault)) if fault.kind() == PublishErrorKind::WrongLastSequence => Ok(false),
            Ok(Err(fault)) => Err(api(doing, stream, fault)),
            Err(late) => Err(api(doing, stream, late)),
        }
    }
}
