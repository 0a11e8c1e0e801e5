//! A broker, a folder, and `purser notify` on them.
//!
//! Owns starting it, publishing alerts, and what the broker tells of consumers and dead letters.

use std::cell::Cell;
use std::fs;
use std::future::Future;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{self, pull};
use async_nats::jetstream::{self, Context, stream};
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::nats::NatsServer;
use crate::process::{Process, poll};

/// What signs for `--to`.
pub(crate) const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
pub(crate) const OTHER_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub(crate) struct World {
    pub(crate) server: NatsServer,
    folder: TempDir,
    runtime: Runtime,
    started: Cell<usize>,
}

/// A dead letter as the stream holds it.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) subject: String,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Vec<u8>,
}

impl Letter {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.as_str())
    }
}

/// The alert's CloudEvent.
pub(crate) fn body(customer: &str, kind: &str, id: &str) -> Vec<u8> {
    let event = json!({
        "specversion": "1.0", "id": id, "source": "purser", "type": format!("purser.alert.{kind}"),
        "subject": customer, "time": "2026-10-06T16:31:30.996000Z",
        "datacontenttype": "application/json",
        "data": {
            "customer": customer, "threshold": 80, "used_percent": "81.50", "used": "815.016650",
            "balance": "184.983350", "overage": "0.000000", "plan": "starter",
            "plan_name": "Starter", "pool": "1000.000000", "period": "2026-10-01",
            "period_end": "2026-11-01", "pace_per_day": "133.625720",
            "run_out_date": "2026-10-08", "projected": "4197.232096", "fitting_plan": "team",
            "fitting_plan_name": "Team", "fitting_plan_cost": "399.000000000", "currency": "USD",
            "event_id": "evt-000803",
        },
    });
    event.to_string().into_bytes()
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            server: NatsServer::start(),
            folder: tempfile::tempdir().expect("a folder"),
            runtime: Runtime::new().expect("a runtime"),
            started: Cell::new(0),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and gives its path as a text.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).expect("a written file");
        path.to_str().expect("UTF-8").to_owned()
    }

    /// `purser notify` with short pauses and a secret for `--to`.
    pub(crate) fn command(&self, more: &[&str]) -> Command {
        let server = self.server.url();
        let mut command = bare(&[&["notify", "--nats", server.as_str()][..], more].concat());
        command
            .env("PURSER_LOG_LEVEL", "debug")
            .env("PURSER_NOTIFY_FIRST_PAUSE", "50ms")
            .env("PURSER_NOTIFY_LONGEST_PAUSE", "200ms")
            .env("PURSER_WEBHOOK_SECRET", SECRET);
        command
    }

    /// One that has its consumers.
    pub(crate) fn start(&self, command: Command) -> Process {
        self.started.set(self.started.get() + 1);
        let files = self.path(&format!("notify-{}", self.started.get()));
        let mut process = Process::start(command, files.to_str().expect("UTF-8"));
        process.wait_for("notifying", 1);
        process
    }

    pub(crate) fn notify(&self, more: &[&str]) -> Process {
        self.start(self.command(more))
    }

    fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    async fn jetstream(&self) -> Context {
        let client = async_nats::connect(self.server.url()).await;
        jetstream::new(client.expect("connect"))
    }

    /// Makes the stream of alerts with an age limit, which only the first to make it can do.
    pub(crate) fn limit_age(&self, max_age: Duration) {
        self.block_on(async {
            let made = self.jetstream().await.create_stream(alerts(max_age)).await;
            made.expect("the stream of alerts");
        });
    }

    /// Publishes alerts of `(customer, kind, id)`; the stream is made if it is missing.
    pub(crate) fn publish(&self, alerts: &[(&str, &str, &str)]) {
        let alerts = alerts.iter().map(|(customer, kind, id)| {
            let subject = format!("alerts.{customer}.{kind}.{id}");
            (subject, body(customer, kind, id))
        });
        self.publish_raw(alerts.collect());
    }

    pub(crate) fn publish_raw(&self, messages: Vec<(String, Vec<u8>)>) {
        self.block_on(async {
            let jetstream = self.jetstream().await;
            let made = jetstream.get_or_create_stream(alerts(Duration::ZERO)).await;
            made.expect("the stream of alerts");
            for (subject, body) in messages {
                let sent = jetstream.publish(subject, body.into()).await;
                sent.expect("sent").await.expect("stored");
            }
        });
    }

    /// What the broker tells of a receiver's consumer.
    pub(crate) fn consumer(&self, receiver: &str) -> consumer::Info {
        self.block_on(async {
            let name = format!("notify-{receiver}");
            let found: consumer::Consumer<pull::Config> = self
                .jetstream()
                .await
                .get_consumer_from_stream(name, "ALERTS")
                .await
                .expect("the consumer");
            found.cached_info().clone()
        })
    }

    pub(crate) fn delete_consumer(&self, receiver: &str) {
        self.block_on(async {
            let name = format!("notify-{receiver}");
            let jetstream = self.jetstream().await;
            let deleted = jetstream.delete_consumer_from_stream(name, "ALERTS").await;
            deleted.expect("deleted");
        });
    }

    /// Waits until the broker knows of every alert of a receiver what became of it.
    pub(crate) fn wait_until_settled(&self, receiver: &str, log: impl Fn() -> String) {
        poll(&format!("{receiver} to be settled"), log, || {
            let info = self.consumer(receiver);
            (info.num_ack_pending == 0 && info.num_pending == 0).then_some(())
        });
    }

    pub(crate) fn letters(&self) -> Vec<Letter> {
        self.block_on(async {
            let jetstream = self.jetstream().await;
            let found = jetstream.get_stream("ALERTS-DEAD").await;
            let stream = found.expect("the stream of dead letters");
            let last = stream.cached_info().state.last_sequence;
            let mut letters = Vec::new();
            for seq in 1..=last {
                let message = stream.get_raw_message(seq).await.expect("a dead letter");
                letters.push(Letter {
                    subject: message.subject.to_string(),
                    headers: message.headers,
                    payload: message.payload.to_vec(),
                });
            }
            letters
        })
    }

    /// Waits until there are so many dead letters.
    pub(crate) fn wait_for_letters(&self, count: usize, log: impl Fn() -> String) -> Vec<Letter> {
        poll(&format!("{count} dead letters"), log, || {
            let letters = self.letters();
            (letters.len() >= count).then_some(letters)
        })
    }
}

/// The stream of alerts; an age limit of zero is none.
fn alerts(max_age: Duration) -> stream::Config {
    stream::Config {
        name: "ALERTS".to_owned(),
        subjects: vec!["alerts.>".to_owned()],
        max_age,
        ..stream::Config::default()
    }
}

/// The program with nothing of our own environment.
pub(crate) fn bare(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_purser"));
    for (name, _) in std::env::vars() {
        let is_proxy = name.to_lowercase().ends_with("_proxy");
        if name.starts_with("PURSER_") || is_proxy {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null());
    command
}
