//! Questions: requests that a worker answers from memory.
//!
//! Owns their subject, asking, and sending the answer. Leaves the answer to the job.

use async_nats::{Client, Message, Subscriber};
use bytes::Bytes;
use futures::StreamExt;

use super::{Connection, NatsError};

/// A request on `purser.balance.<customer>` asks for a wallet.
const BALANCE: &str = "purser.balance.";

/// Requests as they come.
pub struct Questions {
    client: Client,
    requests: Subscriber,
}

/// Somebody waits for the wallet of `customer`.
pub struct Question {
    pub customer: String,
    client: Client,
    request: Message,
}

impl Connection {
    /// Takes requests from now on.
    ///
    /// # Errors
    ///
    /// [`NatsError::Ask`] when the broker can't be asked for them.
    pub async fn questions(&self) -> Result<Questions, NatsError> {
        let client = self.client.clone();
        let requests = client.subscribe(format!("{BALANCE}*")).await;
        let requests = requests.map_err(|fault| NatsError::Ask(Box::new(fault)))?;
        Ok(Questions { client, requests })
    }

    /// What the owner of `customer`'s wallet answers; `None` while nobody does.
    pub async fn ask(&self, customer: &str) -> Option<Bytes> {
        let subject = format!("{BALANCE}{customer}");
        let answer = self.client.request(subject, Bytes::new()).await;
        Some(answer.ok()?.payload)
    }
}

impl Questions {
    /// The next request; `None` when the connection is closed for good.
    pub async fn next(&mut self) -> Option<Question> {
        loop {
            let request = self.requests.next().await?;
            let customer = request.subject.strip_prefix(BALANCE);
            if let Some(customer) = customer.filter(|_| request.reply.is_some()) {
                return Some(Question {
                    customer: customer.to_owned(),
                    client: self.client.clone(),
                    request,
                });
            }
        }
    }
}

impl Question {
    /// Sends the answer; whether it arrives, nobody knows.
    pub async fn answer(self, answer: Bytes) {
        let Some(reply) = self.request.reply else {
            return;
        };
        if let Err(fault) = self.client.publish(reply, answer).await {
            tracing::debug!(%fault, "an answer was not sent");
        }
    }
}
