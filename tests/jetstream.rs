//! The JetStream adapter against a real server.
//!
//! Owns what can only be seen with a broker: order, restarts, acknowledgements. Leaves the pure
//! decisions to the tables beside them.

#[path = "support/nats.rs"]
mod nats;
#[path = "jetstream/publishing.rs"]
mod publishing;
#[path = "jetstream/trouble.rs"]
mod trouble;

use std::time::{Duration, Instant};

use async_nats::jetstream::stream::{Config, RetentionPolicy};
use bytes::Bytes;
use nats::NatsServer;
use purser::adapters::jetstream::{
    Access, Attach, Connection, Login, Message, Outgoing, Published, Publisher, Receiver, StreamId,
    TlsFiles, attach,
};
use purser::domain::units::Timestamp;

const SUBJECTS: [&str; 4] = ["usage.*", "batch.0", "wallet.*", "clock.0"];
const PATIENCE: Duration = Duration::from_secs(60);

fn access(server: &NatsServer) -> Access {
    Access {
        servers: vec![server.url()],
        name: "purser test".into(),
        login: Login::Address,
        tls: TlsFiles::default(),
    }
}

async fn connect(server: &NatsServer) -> Connection {
    Connection::open(&access(server)).await.unwrap()
}

async fn usage_stream(connection: &Connection) -> StreamId {
    connection.ensure("USAGE", &SUBJECTS).await.unwrap()
}

fn outgoing(number: u64, payload: Bytes) -> Outgoing {
    Outgoing {
        subject: "usage.acme".into(),
        id: number.to_string(),
        content_type: None,
        payload,
    }
}

async fn publish_all(connection: &Connection, numbers: std::ops::Range<u64>, bytes: usize) {
    let mut publisher = Publisher::new(connection.clone(), PATIENCE);
    let count = numbers.end - numbers.start;
    for number in numbers {
        publisher
            .publish(outgoing(number, body(number, bytes)))
            .await
            .unwrap();
    }
    assert_eq!(
        publisher.finish().await.unwrap(),
        Published {
            stored: count,
            duplicates: 0
        }
    );
}

/// The number, filled up to `bytes`.
fn body(number: u64, bytes: usize) -> Bytes {
    format!("{number:0bytes$}").into()
}

fn number(message: &Message) -> u64 {
    std::str::from_utf8(&message.payload)
        .unwrap()
        .parse()
        .unwrap()
}

/// Reads `count` messages and holds that each is in its place; a broker that says nothing for too
/// long fails the test.
async fn read(receiver: &mut Receiver, count: u64) -> Vec<Message> {
    let mut messages = Vec::new();
    let end = Instant::now() + PATIENCE;
    while (messages.len() as u64) < count {
        assert!(
            Instant::now() < end,
            "only {} messages came",
            messages.len()
        );
        messages.extend(
            receiver
                .next_batch(Duration::from_millis(100))
                .await
                .unwrap(),
        );
    }
    assert_eq!(messages.len() as u64, count);
    messages
}

fn now() -> Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    Timestamp::new(i64::try_from(since.as_micros()).unwrap())
}

#[tokio::test]
async fn a_stream_is_made_once_and_known_again() {
    let server = NatsServer::start();
    let connection = connect(&server).await;
    let before = now();
    let first = usage_stream(&connection).await;
    assert_eq!(first, usage_stream(&connection).await);
    assert!((before..=now()).contains(&first.created));
    assert!(first.source().starts_with("USAGE@20"));
    let facts = connection.facts("USAGE").await.unwrap();
    assert_eq!(
        (facts.first_seq, facts.last_seq, facts.messages, facts.bytes),
        (0, 0, 0, 0)
    );
    assert_eq!(attach(None, &facts), Attach::Start { next: 1 });
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_stream_that_would_lose_messages_is_refused() {
    let server = NatsServer::start();
    let connection = connect(&server).await;
    let direct = async_nats::connect(server.url()).await.unwrap();
    let direct = async_nats::jetstream::new(direct);
    let subjects = vec!["usage.*".to_owned(), "batch.0".to_owned()];
    let work = Config {
        name: "WORK".into(),
        subjects,
        ..Config::default()
    };
    direct.create_stream(work.clone()).await.unwrap();
    let fault = connection
        .ensure("WORK", &SUBJECTS)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        fault.contains("usage.*, batch.0 but not wallet.*, clock.0"),
        "{fault}"
    );
    direct.delete_stream("WORK").await.unwrap();
    let work = Config {
        retention: RetentionPolicy::WorkQueue,
        ..work
    };
    direct.create_stream(work).await.unwrap();
    let fault = connection
        .ensure("WORK", &["usage.*"])
        .await
        .unwrap_err()
        .to_string();
    assert!(fault.contains("work-queue retention"), "{fault}");
}

#[tokio::test]
async fn an_unreachable_broker_is_told_with_what_to_try() {
    let mut server = NatsServer::start();
    server.stop();
    let Err(fault) = Connection::open(&access(&server)).await else {
        panic!("connected")
    };
    let text = fault.to_string();
    assert!(
        text.contains(&server.url()) && text.contains("nats-server -js"),
        "{text}"
    );
}

#[tokio::test]
async fn a_hundred_thousand_messages_come_in_order_with_seq_and_time() {
    let server = NatsServer::start();
    let connection = connect(&server).await;
    let stream = usage_stream(&connection).await;
    let before = now();
    publish_all(&connection, 1..100_001, 20).await;
    let after = now();
    let mut receiver = Receiver::new(connection.clone(), stream, 1);
    let messages = read(&mut receiver, 100_000).await;
    let mut last = before;
    for (at, message) in (1..).zip(&messages) {
        assert_eq!((message.seq, number(message)), (at, at));
        assert!((last..=after).contains(&message.received_at), "{message:?}");
        last = message.received_at;
    }
    assert_eq!((receiver.pending(), receiver.replaced()), (0, 0));
    // A message read alone is the one that was delivered.
    let alone = connection.message_at("USAGE", 70_000).await.unwrap();
    assert_eq!(alone.as_ref(), Some(&messages[69_999]));
    assert_eq!(connection.message_at("USAGE", 100_001).await.unwrap(), None);
    receiver.close().await;
}

async fn read_at_least(receiver: &mut Receiver, count: usize) -> Vec<Message> {
    let mut messages = Vec::new();
    let end = Instant::now() + PATIENCE;
    while messages.len() < count {
        assert!(
            Instant::now() < end,
            "only {} messages came",
            messages.len()
        );
        messages.extend(
            receiver
                .next_batch(Duration::from_millis(100))
                .await
                .unwrap(),
        );
    }
    messages
}

#[tokio::test(flavor = "multi_thread")]
async fn one_message_comes_at_once() {
    let server = NatsServer::start();
    let connection = connect(&server).await;
    let stream = usage_stream(&connection).await;
    let mut receiver = Receiver::new(connection.clone(), stream, 1);
    assert!(
        receiver
            .next_batch(Duration::from_millis(50))
            .await
            .unwrap()
            .is_empty()
    );
    let mut delays = Vec::new();
    for at in 1..200 {
        let sent = Instant::now();
        let mut publisher = Publisher::new(connection.clone(), PATIENCE);
        publisher
            .publish(outgoing(at, body(at, 200)))
            .await
            .unwrap();
        let messages = receiver.next_batch(Duration::from_secs(5)).await.unwrap();
        delays.push(sent.elapsed());
        assert_eq!(messages.len(), 1);
        publisher.finish().await.unwrap();
    }
    delays.sort_unstable();
    assert!(
        delays[100] < Duration::from_millis(5),
        "median {:?}",
        delays[100]
    );
}
