//! A load: lines sent one after the other, whatever becomes of the broker.
//!
//! Owns sending each line again until the broker has stored it; by its id it is stored once. So
//! the stream holds the lines in their order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use async_nats::jetstream::{self, Context};
use async_nats::{ConnectOptions, HeaderMap};

/// Between two lines, until there is hurry.
const PACE: Duration = Duration::from_millis(1);
/// How long an answer is waited for before the line is sent again.
const ANSWER: Duration = Duration::from_secs(1);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) struct Load {
    hurry: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Load {
    /// Begins to send lines, the last of which will be the stream's message `until`.
    pub(crate) fn start(url: &str, until: i64, lines: &[Vec<u8>]) -> Self {
        let hurry = Arc::new(AtomicBool::new(false));
        let (url, lines, told) = (url.to_owned(), lines.to_vec(), Arc::clone(&hurry));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime
                .expect("a runtime")
                .block_on(send(&url, until, lines, &told));
        });
        Self { hurry, thread }
    }

    /// Sends the rest without waiting between lines; false when there was none.
    pub(crate) fn finish(self) -> bool {
        let had_rest = !self.thread.is_finished();
        self.hurry.store(true, Ordering::Relaxed);
        self.thread.join().expect("all lines are sent");
        had_rest
    }
}

async fn send(url: &str, until: i64, lines: Vec<Vec<u8>>, hurry: &AtomicBool) {
    // The broker may be away when it begins.
    let client = ConnectOptions::new().retry_on_initial_connect();
    let client = client.connect(url).await.expect("an address");
    let jetstream = jetstream::new(client);
    let first = until - lines.len() as i64;
    for (line, number) in lines.into_iter().zip(first..) {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", format!("load-{number}"));
        while !is_stored(&jetstream, &headers, &line).await {
            tokio::time::sleep(PAUSE).await;
        }
        if !hurry.load(Ordering::Relaxed) {
            tokio::time::sleep(PACE).await;
        }
    }
}

async fn is_stored(jetstream: &Context, headers: &HeaderMap, line: &[u8]) -> bool {
    let line = line.to_vec().into();
    let sent = jetstream.publish_with_headers("batch.0", headers.clone(), line);
    let stored = async { sent.await?.await };
    matches!(tokio::time::timeout(ANSWER, stored).await, Ok(Ok(_)))
}
