//! Signals: rows of the view `signals` → events for sales.
//!
//! Owns the CloudEvent. Leaves who is called, and why, to the view.
//!
//! Invariant: a customer's signal of a kind is told once a period, however often this runs.

use serde_json::{Map, Value, json};

use super::sql::{AnswerError, answer};
use crate::adapters::jetstream::{Connection, NatsError, Signal};
use crate::adapters::sql::session::Session;

/// What was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub new: u64,
    /// Signals that were told before in their period.
    pub known: u64,
}

/// Why signals can't be told.
#[derive(Debug, thiserror::Error)]
pub enum SignalsError {
    #[error(transparent)]
    Answer(#[from] AnswerError),
    #[error(transparent)]
    Nats(#[from] NatsError),
}

/// Publishes the signals of one customer or all.
///
/// # Errors
///
/// The view can't be read, or the broker does not take a signal. What was told stays told, and a
/// second run tells the rest.
pub async fn publish(
    session: &Session,
    connection: &Connection,
    customer: Option<&str>,
) -> Result<Told, SignalsError> {
    let mut statement = "SELECT s.*, l.now AS told_of FROM signals AS s
        CROSS JOIN (SELECT MAX(received_at) AS now FROM ledger) AS l"
        .to_owned();
    let mut params = Vec::new();
    if let Some(customer) = customer {
        statement.push_str(" WHERE s.customer = $customer");
        params.push(("customer", customer));
    }
    statement.push_str(" ORDER BY s.score DESC, s.customer");
    let rows: Vec<Map<String, Value>> = answer(session, &statement, &params).await?;
    connection.ensure_signals().await?;
    let mut told = Told::default();
    for mut row in rows {
        let time = row.remove("told_of").unwrap_or_default();
        let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
        let signal = Signal {
            customer: text("customer"),
            kind: text("kind"),
            period: text("period"),
        };
        let Signal {
            customer,
            kind,
            period,
        } = signal;
        let event = json!({
            "specversion": "1.0",
            "id": format!("{customer}/{kind}/{period}"),
            "source": "purser",
            "type": format!("purser.signal.{kind}"),
            "subject": customer,
            "time": time,
            "datacontenttype": "application/json",
            "data": row,
        });
        match connection
            .tell(signal, event.to_string().into_bytes())
            .await?
        {
            true => told.new += 1,
            false => told.known += 1,
        }
    }
    Ok(told)
}
