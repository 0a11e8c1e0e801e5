//! Requests for a wallet, answered from the engine's memory.
//!
//! Owns bringing requests to the engine's thread and the words of an answer. Leaves how a wallet
//! stands to `domain::engine`.
//!
//! Invariant: an answer is of one moment: all messages up to the seq that it names, and no other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use super::feed::Work;
use crate::adapters::jetstream::{Connection, Question};
use crate::domain::calendar::civil;
use crate::domain::customer::{Shard, is_customer};
use crate::domain::engine::{Engine, Standing};
use crate::domain::rfc3339;
use crate::domain::units::Timestamp;

/// Requests that may wait for the engine; more get no answer, and whoever asks runs out of time.
const WAITING_MAX: usize = 1_024;
/// A request that the engine does not come to in so long is given up.
const PATIENCE: Duration = Duration::from_secs(5);

/// The engine's end: requests that wait.
pub(super) struct Asked {
    waiting: mpsc::Receiver<Ask>,
    count: Arc<AtomicUsize>,
}

/// A customer, and where the answer goes.
struct Ask {
    customer: String,
    answer: oneshot::Sender<Bytes>,
}

/// The broker's end.
pub(super) struct Asking {
    asks: mpsc::Sender<Ask>,
    count: Arc<AtomicUsize>,
    /// Wakes an engine that waits for messages.
    wake: mpsc::Sender<Work>,
}

/// Both ends; the engine is woken through `wake`.
pub(super) fn asking(wake: mpsc::Sender<Work>) -> (Asking, Asked) {
    let (asks, waiting) = mpsc::channel(WAITING_MAX);
    let count = Arc::new(AtomicUsize::new(0));
    let asked = Asked {
        waiting,
        count: Arc::clone(&count),
    };
    (Asking { asks, count, wake }, asked)
}

impl Asked {
    /// Answers those that wait. Cheap when none does.
    pub(super) fn answer(&mut self, engine: &Engine, place: (&str, i64)) {
        if self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        // No more than may wait, lest those who ask without end hold up events.
        for _ in 0..WAITING_MAX {
            let Ok(ask) = self.waiting.try_recv() else {
                break;
            };
            self.count.fetch_sub(1, Ordering::Relaxed);
            let standing = engine.standing(&ask.customer);
            let now = engine.now();
            let answer = answer(&ask.customer, standing.as_ref(), place, now);
            if ask.answer.send(answer).is_err() {
                tracing::debug!("nobody waits for the answer any more");
            }
        }
    }
}

/// The answer as JSON.
fn answer(
    customer: &str,
    standing: Option<&Standing>,
    (source, seq): (&str, i64),
    now: Option<Timestamp>,
) -> Bytes {
    let as_of = now.map(|now| rfc3339::format(now).to_string());
    let place = json!({"source": source, "seq": seq, "time": as_of});
    let answer = match standing {
        None => json!({
            "customer": customer,
            "allowed": false,
            "status": "unknown",
            "as_of": place,
        }),
        Some(standing) => json!({
            "customer": customer,
            "allowed": standing.allowed,
            "status": if standing.opened { standing.status.name() } else { "new" },
            "balance": standing.balance.to_string(),
            "used": standing.used.to_string(),
            "used_percent": used_percent(standing),
            "overage": standing.overage.to_string(),
            "plan": standing.plan,
            "period": civil(standing.period).to_string(),
            "period_end": civil(standing.period_end).to_string(),
            "as_of": place,
        }),
    };
    Bytes::from(answer.to_string())
}

fn used_percent(standing: &Standing) -> String {
    crate::jobs::alert_event::used_percent(standing.used, standing.balance)
}

/// Brings requests for wallets of `shard` to the engine, for as long as it is polled.
pub(super) async fn ask(connection: Connection, shard: Shard, asking: Asking) {
    let mut questions = match connection.questions().await {
        Ok(questions) => questions,
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "requests for balances are not answered");
            return;
        }
    };
    while let Some(question) = questions.next().await {
        // Whoever owns the wallet answers, nobody else.
        if is_customer(&question.customer) && shard.owns(&question.customer) {
            asking.take(question);
        }
    }
}

impl Asking {
    fn take(&self, question: Question) {
        let (answer, answered) = oneshot::channel();
        let customer = question.customer.clone();
        if self.asks.try_send(Ask { customer, answer }).is_err() {
            tracing::warn!("more requests for balances than can be answered");
            return;
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        // A full queue is no harm: the engine is at work then, and looks by itself.
        if self.wake.try_send(Work::Wake).is_err() {
            tracing::trace!("the engine is awake");
        }
        tokio::spawn(async move {
            if let Ok(Ok(answer)) = tokio::time::timeout(PATIENCE, answered).await {
                question.answer(answer).await;
            }
        });
    }
}
