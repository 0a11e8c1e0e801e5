//! From an event to its alert, while many events arrive.
//!
//! Owns the events, their pace, and taking the time by the event that an alert names as its cause.
//!
//! Invariant: each event that crosses a threshold has one alert, and no other has any.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{sleep, timeout};

use super::BenchError;
use super::broker::Broker;
use super::figure::{Figure, Target, Unit, once};
use super::measure::micros;
use super::place::Place;
use super::worker::Worker;
use crate::adapters::jetstream::{
    ALERT_SUBJECTS, Connection, Listener, NatsError, Outgoing, Publisher,
};
use crate::jobs::run::ALERTS;

/// Events a second.
const RATE: u64 = 20_000;
/// At most so many events: they take twenty seconds.
const EVENTS_MAX: u64 = 20 * RATE;
/// What is due is sent every so often.
const PACE: Duration = Duration::from_millis(2);
/// Of so many events one crosses a threshold: it is a new customer's, and takes over half of a
/// pool and less than 80 % by either price table. The others together take far less.
const CALM: u64 = 200;
const CROSSING_DOCUMENTS: u64 = 700;
/// Customers of the others.
const CALM_CUSTOMERS: u64 = 10_000;
/// How long an alert or an acknowledgement is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// When an alert came, and its body.
type Heard = (Instant, Bytes);

/// When each event was sent that crosses a threshold, by its id, and how long all took.
struct Sent {
    at: HashMap<String, Instant>,
    took: Duration,
}

/// Measures.
pub(super) async fn alerts(place: &Place<'_>) -> Result<Vec<Figure>, BenchError> {
    let broker = Broker::start(place)?;
    let (sending, hearing) = (broker.connect().await?, broker.connect().await?);
    let mut worker = Worker::start(place, &broker, &place.path("data"))?;
    worker.handles(&sending, 0).await?;
    let (told, mut heard) = unbounded_channel();
    let listening = tokio::spawn(listen(hearing.listen(ALERT_SUBJECTS).await?, told));

    let count = place.job.load.lines.min(EVENTS_MAX);
    place.tell(&format!("sending {count} events, {RATE} a second"));
    let mut sent = send(&sending, count).await?;
    let expected = sent.at.len() as u64;
    let mut latencies = Vec::new();
    let mut strange = 0;
    while !sent.at.is_empty() {
        let Ok(Some((at, alert))) = timeout(PATIENCE, heard.recv()).await else {
            break;
        };
        match cause(&alert).and_then(|id| sent.at.remove(&id)) {
            Some(sent_at) => latencies.push(micros(at.duration_since(sent_at))),
            None => strange += 1,
        }
    }
    worker.tell_to_stop()?;
    worker.wait()?;
    let stored = sending.facts(ALERTS).await?.messages;
    listening.abort();
    strange += waiting(&mut heard);
    let came = latencies.len() as u64;
    if (came, stored, strange) != (expected, expected, 0) {
        return Err(BenchError::Alerts {
            expected,
            came,
            stored,
            strange,
        });
    }
    Ok(figures(
        latencies,
        count * 1_000_000 / micros(sent.took).max(1),
    ))
}

/// How many alerts came behind the last one that was waited for.
fn waiting(heard: &mut UnboundedReceiver<Heard>) -> u64 {
    let mut count = 0;
    while heard.try_recv().is_ok() {
        count += 1;
    }
    count
}

async fn listen(mut listener: Listener, told: UnboundedSender<Heard>) {
    while let Some(alert) = listener.next().await {
        if told.send((Instant::now(), alert)).is_err() {
            return;
        }
    }
}

/// The id of the event that caused an alert.
fn cause(alert: &[u8]) -> Option<String> {
    let alert: Value = serde_json::from_slice(alert).ok()?;
    Some(alert["data"]["event_id"].as_str()?.to_owned())
}

/// Sends events at an even pace, and waits until all are stored.
async fn send(connection: &Connection, count: u64) -> Result<Sent, NatsError> {
    let mut publisher = Publisher::new(connection.clone(), PATIENCE);
    let mut at = HashMap::new();
    let begun = Instant::now();
    for number in 0..count {
        if begun + Duration::from_micros(number * 1_000_000 / RATE) > Instant::now() {
            sleep(PACE).await;
        }
        let (customer, documents) = match number % CALM {
            0 => (format!("new-{number}"), CROSSING_DOCUMENTS),
            _ => (format!("calm-{}", number % CALM_CUSTOMERS), 1),
        };
        let id = format!("e{number}");
        // Without a time: it is used when it is received.
        let event = format!(
            r#"{{"specversion":"1.0","id":"{id}","source":"/bench","type":"document.analyzed","#
        ) + &format!(r#""subject":"{customer}","data":{{"documents":{documents}}}}}"#);
        if documents == CROSSING_DOCUMENTS {
            at.insert(id.clone(), Instant::now());
        }
        let message = Outgoing {
            subject: format!("usage.{customer}"),
            id,
            content_type: Some("application/cloudevents+json"),
            payload: event.into(),
        };
        publisher.publish(message).await?;
    }
    publisher.finish().await?;
    let took = begun.elapsed();
    Ok(Sent { at, took })
}

fn figures(mut latencies: Vec<u64>, rate: u64) -> Vec<Figure> {
    latencies.sort_unstable();
    let last = latencies.len().saturating_sub(1);
    let latency = |what, permille: usize, at_least, aim| {
        let micros = latencies.get(last * permille / 1_000).copied().unwrap_or(0);
        Figure {
            what,
            ours: once(micros),
            theirs: None,
            unit: Unit::Micros,
            // Hundredths of milliseconds.
            value: micros / 10,
            at_least,
            aim,
        }
    };
    let at_most = |hundredths| Some(Target::AtMost(hundredths));
    vec![
        latency("event → alert, in ms: p50", 500, None, at_most(200)),
        latency(
            "event → alert, in ms: p99",
            990,
            at_most(5_000),
            at_most(1_000),
        ),
        latency("event → alert, in ms: the longest", 1_000, None, None),
        Figure {
            what: "events a second that arrived meanwhile",
            ours: once(rate),
            theirs: None,
            unit: Unit::Count,
            value: 100 * rate,
            at_least: Some(Target::AtLeast(1_900_000)),
            aim: None,
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_latencies() {
        let figures = figures((0..=100).rev().map(|n| n * 1_000).collect(), RATE);
        let values: Vec<u64> = figures.iter().map(|figure| figure.value).collect();
        assert_eq!(values, [5_000, 9_900, 10_000, 100 * RATE]);
        assert!(figures[1].is_missed());
    }

    #[test]
    fn an_alert_names_its_cause() {
        let alert = br#"{"id":"0f","data":{"event_id":"e7"}}"#;
        assert_eq!(cause(alert).as_deref(), Some("e7"));
        assert_eq!(cause(b"no alert"), None);
    }
}
