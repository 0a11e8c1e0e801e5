//! Ticks: messages that carry nothing but the broker's stamp.
//!
//! Owns their subject. Leaves when one is needed to the job.

use async_nats::jetstream::message::PublishMessage;
use tokio::time::timeout;

use super::connect::ANSWER_WAIT;
use super::{Connection, NatsError};

impl Connection {
    /// Publishes a tick of `shard` on `clock.<shard>`, and gives its place in the stream.
    ///
    /// # Errors
    ///
    /// [`NatsError::Tick`] when the broker does not take it; nobody but time is the worse for it.
    pub async fn tick(&self, shard: u32) -> Result<u64, NatsError> {
        let subject = format!("clock.{shard}");
        let failed = |source| NatsError::Tick {
            subject: subject.clone(),
            source,
        };
        let publish = async {
            let message = PublishMessage::build();
            let sent = self.jetstream.send_publish(subject.clone(), message).await;
            match sent {
                Ok(ack) => ack.await,
                Err(fault) => Err(fault),
            }
        };
        let ack = timeout(ANSWER_WAIT, publish).await;
        let ack = ack.map_err(|late| failed(late.into()))?;
        Ok(ack.map_err(|fault| failed(fault.into()))?.sequence)
    }
}
