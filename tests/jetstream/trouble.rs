//! What goes wrong between a stream and its reader.

use std::time::{Duration, Instant};

use bytes::Bytes;
use purser::adapters::jetstream::{
    Attach, Known, NatsError, Published, Publisher, Receiver, Refusal, attach,
};

use super::nats::NatsServer;
use super::{
    PATIENCE, body, connect, number, outgoing, publish_all, read, read_at_least, usage_stream,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_or_stopped_costs_no_message() {
    let mut server = NatsServer::start();
    let connection = connect(&server).await;
    let stream = usage_stream(&connection).await;
    let publishing = tokio::spawn({
        let connection = connection.clone();
        async move {
            let mut publisher = Publisher::new(connection, PATIENCE);
            for number in 1..60_001 {
                publisher
                    .publish(outgoing(number, body(number, 200)))
                    .await
                    .unwrap();
                if number % 100 == 0 {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
            publisher.finish().await.unwrap()
        }
    });
    let mut receiver = Receiver::new(connection.clone(), stream, 1);
    let mut messages = read_at_least(&mut receiver, 5_000).await;
    server.kill9();
    messages.extend(
        receiver
            .next_batch(Duration::from_millis(500))
            .await
            .unwrap(),
    );
    server.start_again();
    messages.extend(read_at_least(&mut receiver, 10_000).await);
    server.stop();
    server.start_again();
    let published = publishing.await.unwrap();
    let left = 60_000 - messages.len() as u64;
    messages.extend(read(&mut receiver, left).await);
    assert!(receiver.replaced() >= 2, "the restarts were not seen");
    for (seq, message) in (1..).zip(&messages) {
        assert_eq!(message.seq, seq);
    }
    let mut numbers: Vec<_> = messages.iter().map(number).collect();
    numbers.sort_unstable();
    assert!(
        numbers.iter().copied().eq(1..60_001),
        "a message was lost or stored twice"
    );
    assert_eq!(
        published,
        Published {
            stored: 60_000,
            duplicates: 0
        }
    );
}

#[tokio::test]
async fn messages_that_are_gone_are_an_error_before_and_while_reading() {
    let server = NatsServer::start();
    let connection = connect(&server).await;
    let stream = usage_stream(&connection).await;
    publish_all(&connection, 1..11, 20).await;
    let direct = async_nats::connect(server.url()).await.unwrap();
    let direct = async_nats::jetstream::new(direct)
        .get_stream("USAGE")
        .await
        .unwrap();
    let known = Known {
        source: stream.source(),
        position: 4,
    };

    direct.delete_message(7).await.unwrap();
    let facts = connection.facts("USAGE").await.unwrap();
    assert_eq!(attach(Some(&known), &facts), Attach::Start { next: 5 });
    let mut receiver = Receiver::new(connection.clone(), stream.clone(), 5);
    assert_eq!(read(&mut receiver, 2).await.len(), 2);
    let fault = next_fault(&mut receiver).await;
    assert!(
        matches!(fault, NatsError::Refused(Refusal::Hole { seq: 7, .. })),
        "{fault:?}"
    );

    direct.purge().sequence(9).await.unwrap();
    let facts = connection.facts("USAGE").await.unwrap();
    let Attach::Refuse(refusal) = attach(Some(&known), &facts) else {
        panic!("not refused")
    };
    assert!(
        matches!(
            refusal,
            Refusal::Lost {
                missing: 5,
                first: 9,
                ..
            }
        ),
        "{refusal:?}"
    );
    let fault = next_fault(&mut receiver).await;
    assert!(
        matches!(fault, NatsError::Refused(Refusal::Lost { .. })),
        "{fault:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_rolled_back_while_nobody_looked_is_an_error_also_when_it_has_grown_again() {
    let mut server = NatsServer::start();
    let connection = connect(&server).await;
    let stream = usage_stream(&connection).await;
    publish_all(&connection, 1..7, 20).await;
    server.stop();
    server.save();
    server.start_again();
    publish_all(&connection, 7..11, 20).await;
    let mut receiver = Receiver::new(connection.clone(), stream, 1);
    read(&mut receiver, 10).await;
    server.stop();
    server.restore();
    server.start_again();
    let fault = next_fault(&mut receiver).await;
    assert!(
        matches!(
            fault,
            NatsError::Refused(Refusal::RolledBack { last: 6, .. })
        ),
        "{fault:?}"
    );
    publish_all(&connection, 21..30, 20).await;
    let fault = next_fault(&mut receiver).await;
    assert!(
        matches!(fault, NatsError::Refused(Refusal::Replaced { seq: 10, .. })),
        "{fault:?}"
    );
}

/// The error that comes instead of messages.
async fn next_fault(receiver: &mut Receiver) -> NatsError {
    loop {
        match receiver.next_batch(Duration::from_millis(100)).await {
            Ok(messages) => assert!(messages.is_empty(), "read on behind what is gone"),
            Err(fault) => return fault,
        }
    }
}

/// 20,000 messages of 25 KB are 500 MB; unbounded pulls made the broker cut the client off.
#[tokio::test(flavor = "multi_thread")]
async fn large_messages_do_not_choke_the_connection() {
    let server = NatsServer::start();
    let connection = connect(&server).await;
    let stream = usage_stream(&connection).await;
    publish_all(&connection, 1..20_001, 25_000).await;
    let mut receiver = Receiver::new(connection.clone(), stream, 1);
    let mut next = 1;
    let begun = Instant::now();
    while next <= 20_000 {
        assert!(begun.elapsed() < PATIENCE, "stuck at {next}");
        for message in receiver
            .next_batch(Duration::from_millis(100))
            .await
            .unwrap()
        {
            assert_eq!((message.seq, number(&message)), (next, next));
            next += 1;
        }
        // A slow reader.
        if next % 50 == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    assert_eq!(receiver.replaced(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_all_sizes_come_without_a_stall() {
    let server = NatsServer::start_with("max_payload: 16MB");
    let connection = connect(&server).await;
    let stream = usage_stream(&connection).await;
    let mut publisher = Publisher::new(connection.clone(), PATIENCE);
    // Beyond one pull's bytes, beyond both pulls', and some whose sizes add up to a pull exactly.
    let sizes = [9, 5_000_000, 100, 10_000_000, 4_000_000, 8_000_000].into_iter();
    let sizes: Vec<usize> = sizes
        .chain((0..3_000).map(|at| 1 + at * 7 % 9_000))
        .collect();
    for (number, bytes) in (1..).zip(&sizes) {
        publisher
            .publish(outgoing(number, Bytes::from(vec![b'x'; *bytes])))
            .await
            .unwrap();
    }
    publisher.finish().await.unwrap();
    let mut receiver = Receiver::new(connection.clone(), stream, 1);
    let messages = read(&mut receiver, sizes.len() as u64).await;
    assert!(
        messages
            .iter()
            .map(|message| message.payload.len())
            .eq(sizes)
    );
    assert_eq!(receiver.replaced(), 0);
}

/// A producer that writes the protocol by hand can store headers that the client takes for a
/// broken connection, or for a word of the broker.
#[tokio::test(flavor = "multi_thread")]
async fn headers_of_a_hostile_producer_stop_nothing() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = NatsServer::start();
    let connection = connect(&server).await;
    let stream = usage_stream(&connection).await;
    let address = server.url().replace("nats://", "");
    let mut raw = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut wire = b"CONNECT {\"verbose\":false,\"headers\":true}\r\n".to_vec();
    let blocks: [&[u8]; 3] = [
        b"NATS/1.0 409 Consumer Deleted\r\n\r\n",
        b"NATS/1.0\r\nname: \xff\xfe\r\n\r\n",
        b"NATS/1.0\r\nno colon\r\nContent-Type: a/b\r\n\r\n",
    ];
    for block in blocks {
        let head = format!("HPUB usage.acme {} {}\r\n", block.len(), block.len() + 2);
        wire.extend_from_slice(head.as_bytes());
        wire.extend_from_slice(block);
        wire.extend_from_slice(b"hi\r\n");
    }
    wire.extend_from_slice(b"PING\r\n");
    raw.write_all(&wire).await.unwrap();
    let mut said = vec![0; 4_096];
    while !String::from_utf8_lossy(&said).contains("PONG") {
        assert!(raw.read(&mut said).await.unwrap() > 0, "cut off");
    }
    let mut receiver = Receiver::new(connection.clone(), stream, 1);
    let messages = read(&mut receiver, 3).await;
    assert!(messages.iter().all(|message| &message.payload[..] == b"hi"));
    assert_eq!(messages[2].content_type.as_deref(), Some("a/b"));
    let mut publisher = Publisher::new(connection, PATIENCE);
    publisher.publish(outgoing(4, body(4, 9))).await.unwrap();
    publisher.finish().await.unwrap();
    assert_eq!(number(&read(&mut receiver, 1).await[0]), 4);
}
