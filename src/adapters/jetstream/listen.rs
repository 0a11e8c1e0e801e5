//! Messages as they pass, with no stream between.
//!
//! Owns listening to a subject. Leaves what a message means to the job.

use async_nats::Subscriber;
use bytes::Bytes;
use futures::StreamExt;

use super::stream::api;
use super::{Connection, NatsError};

/// The bodies of messages, in the order in which they arrive.
pub struct Listener {
    messages: Subscriber,
}

impl Connection {
    /// Hears what is published on `subject` from now on, whether or not a stream takes it.
    ///
    /// # Errors
    ///
    /// [`NatsError::Api`] when the broker can't be asked for it.
    pub async fn listen(&self, subject: &'static str) -> Result<Listener, NatsError> {
        let messages = self.client.subscribe(subject).await;
        let messages = messages.map_err(|fault| api("listen to", subject, fault))?;
        let flushed = self.client.flush().await;
        flushed.map_err(|fault| api("listen to", subject, fault))?;
        Ok(Listener { messages })
    }
}

impl Listener {
    /// The next body; `None` when the connection is closed for good.
    pub async fn next(&mut self) -> Option<Bytes> {
        Some(self.messages.next().await?.payload)
    }
}
