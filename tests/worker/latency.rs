//! From an event to its alert, measured by whoever publishes the one and receives the other.
//!
//! With `LATENCY_RATE=20000 LATENCY_SECONDS=30`, in release and with `--nocapture`, it prints the
//! figures; the short run only holds that each alert comes, once.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use async_nats::Client;
use futures::StreamExt;
use tokio::sync::mpsc;

use crate::input::documents;
use crate::world::World;

/// Of so many events one crosses a threshold.
const CALM: u64 = 200;
/// Customers of the others.
const CUSTOMERS: u64 = 10_000;

fn number(name: &str, default: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn latency() {
    let (rate, seconds) = (number("LATENCY_RATE", 500), number("LATENCY_SECONDS", 3));
    let world = World::new();
    let worker = world.worker("data", &["--commit-interval", "10"]);
    let (sent, received) = world.block_on(async {
        let server = world.server.url();
        let (publisher, reader) = (connect(&server).await, connect(&server).await);
        let mut alerts = reader.subscribe("alerts.>").await.expect("subscribed");
        reader.flush().await.expect("flushed");
        let (told, mut heard) = mpsc::unbounded_channel();
        let reading = tokio::spawn(async move {
            while let Some(alert) = alerts.next().await {
                let customer = alert.subject.split('.').nth(1).map(str::to_owned);
                if told
                    .send((customer.unwrap_or_default(), Instant::now()))
                    .is_err()
                {
                    return;
                }
            }
        });
        let sent = publish(&publisher, rate, seconds).await;
        let mut received = HashMap::new();
        let patience = Duration::from_secs(30);
        while received.len() < sent.len() {
            let next = tokio::time::timeout(patience, heard.recv()).await;
            let (customer, at) = next.expect("an alert in time").expect("a reader");
            assert!(
                received.insert(customer, at).is_none(),
                "an alert came twice"
            );
        }
        reading.abort();
        (sent, received)
    });
    worker.stop();
    let mut micros: Vec<u128> = sent
        .iter()
        .map(|(customer, at)| received[customer].duration_since(*at).as_micros())
        .collect();
    micros.sort_unstable();
    let at = |permille: usize| micros[(micros.len() - 1) * permille / 1_000];
    eprintln!(
        "{rate} events/s for {seconds} s, {} alerts: p50 {} µs, p90 {} µs, p99 {} µs, most {} µs",
        micros.len(),
        at(500),
        at(900),
        at(990),
        at(1_000),
    );
}

async fn connect(server: &str) -> Client {
    async_nats::connect(server).await.expect("connect")
}

/// Publishes at an even rate; gives when each event went that crosses a threshold, by customer.
async fn publish(client: &Client, rate: u64, seconds: u64) -> HashMap<String, Instant> {
    let begun = Instant::now();
    let mut sent = HashMap::new();
    for number in 0..rate * seconds {
        // Every two milliseconds what is due by then.
        let due = begun + Duration::from_micros(number * 1_000_000 / rate);
        if due > Instant::now() {
            client.flush().await.expect("flushed");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let (customer, pages) = match number % CALM {
            0 => (format!("hot-{number}"), 500),
            _ => (format!("calm-{}", number % CUSTOMERS), 1),
        };
        let event = documents(&customer, &format!("e{number}"), pages);
        let subject = format!("usage.{customer}");
        if pages > 1 {
            client.flush().await.expect("flushed");
            sent.insert(customer, Instant::now());
        }
        client.publish(subject, event.into()).await.expect("sent");
        if pages > 1 {
            client.flush().await.expect("flushed");
        }
    }
    client.flush().await.expect("flushed");
    sent
}
