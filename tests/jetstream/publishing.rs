//! Publishing and alerts.

use std::time::Duration;

use bytes::Bytes;
use purser::adapters::jetstream::{
    Alert, NatsError, Outgoing, Published, Publisher, Receiver, start_alerts,
};

use super::nats::NatsServer;
use super::{PATIENCE, body, connect, number, outgoing, read, usage_stream};

#[tokio::test]
async fn an_id_published_twice_is_a_duplicate_and_the_header_arrives() {
    let server = NatsServer::start();
    let connection = connect(&server).await;
    let stream = usage_stream(&connection).await;
    let mut publisher = Publisher::new(connection.clone(), PATIENCE);
    let message = Outgoing {
        content_type: Some("application/x-ndjson"),
        ..outgoing(1, body(1, 9))
    };
    publisher.publish(message.clone()).await.unwrap();
    publisher.publish(message).await.unwrap();
    assert_eq!(
        publisher.finish().await.unwrap(),
        Published {
            stored: 1,
            duplicates: 1
        }
    );
    let mut receiver = Receiver::new(connection, stream, 1);
    let messages = read(&mut receiver, 1).await;
    assert_eq!(
        messages[0].content_type.as_deref(),
        Some("application/x-ndjson")
    );
    assert_eq!(&*messages[0].subject, "usage.acme");
}

#[tokio::test]
async fn a_message_that_no_stream_takes_is_given_up_by_name() {
    let server = NatsServer::start();
    let connection = connect(&server).await;
    let mut publisher = Publisher::new(connection, Duration::from_millis(200));
    let published = publisher.publish(outgoing(7, body(7, 9))).await;
    let fault = published.unwrap_err();
    assert!(matches!(fault, NatsError::GaveUp { .. }), "{fault:?}");
    assert!(
        fault.to_string().starts_with("publish 7 on usage.acme"),
        "{fault}"
    );
}

#[tokio::test]
async fn a_missing_stream_is_made_when_none_takes_a_message() {
    let server = NatsServer::start();
    let connection = connect(&server).await;
    assert!(connection.facts("USAGE").await.is_err(), "it is there");
    let publisher = Publisher::new(connection.clone(), Duration::from_millis(200));
    let mut publisher = publisher.making("USAGE", &super::SUBJECTS);
    for number in 1..=3 {
        let message = outgoing(number, body(number, 9));
        publisher.publish(message).await.unwrap();
    }
    assert_eq!(publisher.finish().await.unwrap().stored, 3);
    assert_eq!(connection.facts("USAGE").await.unwrap().messages, 3);
}

/// A worker that starts beside `publish` makes the stream too.
#[tokio::test]
async fn the_order_holds_though_the_stream_is_made_by_another_meanwhile() {
    let server = NatsServer::start();
    let connection = connect(&server).await;
    let mut publisher =
        Publisher::new(connection.clone(), PATIENCE).making("USAGE", &super::SUBJECTS);
    for number in 1..=2 {
        let message = outgoing(number, body(number, 9));
        publisher.publish(message).await.unwrap();
    }
    // Whatever was sent has reached the broker before this is answered.
    let stream = usage_stream(&connection).await;
    publisher.publish(outgoing(3, body(3, 9))).await.unwrap();
    assert_eq!(publisher.finish().await.unwrap().stored, 3);
    let messages = read(&mut Receiver::new(connection, stream, 1), 3).await;
    assert_eq!(messages.iter().map(number).collect::<Vec<_>>(), [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_sent_twice_is_stored_once_and_outlives_a_restart() {
    let mut server = NatsServer::start();
    let connection = connect(&server).await;
    let thirty_days = Duration::from_secs(30 * 86_400);
    assert_eq!(
        connection.ensure_alerts("ALERTS").await.unwrap(),
        Some(thirty_days)
    );
    let alert = |id: &str| Alert {
        customer: "acme".into(),
        kind: "used".into(),
        id: id.into(),
        payload: Bytes::from_static(b"{}"),
    };
    let (sender, task) = start_alerts(connection.clone());
    for id in ["a", "b", "a"] {
        sender.send(alert(id)).await.unwrap();
    }
    sender.all_stored().await.unwrap();
    assert_eq!(connection.facts("ALERTS").await.unwrap().messages, 2);

    server.kill9();
    let blocked = sender.clone();
    let thread = std::thread::spawn(move || blocked.send_blocking(alert("c")));
    thread.join().unwrap().unwrap();
    let wait = tokio::time::timeout(Duration::from_millis(300), sender.all_stored());
    assert!(wait.await.is_err(), "stored by a dead broker");
    server.start_again();
    tokio::time::timeout(PATIENCE, sender.all_stored())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(connection.facts("ALERTS").await.unwrap().messages, 3);
    let stored = connection.message_at("ALERTS", 3).await.unwrap().unwrap();
    assert_eq!(&*stored.subject, "alerts.acme.used.c");
    assert_eq!(
        stored.content_type.as_deref(),
        Some("application/cloudevents+json")
    );

    task.close(Duration::from_secs(5)).await.unwrap();
    assert!(sender.send(alert("d")).await.is_err());
}
