//! A broker, a folder, and the program's commands on them.
//!
//! Owns where files lie and how commands are called. Leaves processes to `process` and what a
//! ledger must hold to `sums`.

use std::cell::Cell;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Command;

use async_nats::HeaderMap;
use async_nats::jetstream::{self, Context};
use purser::jobs::data::DataFolder;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::input::prices;
use crate::process::{Ended, Process, poll};
use crate::support::ledger_csv;
use crate::support::nats::NatsServer;

pub(crate) struct World {
    pub(crate) server: NatsServer,
    pub(crate) folder: TempDir,
    runtime: Runtime,
    started: Cell<usize>,
}

impl World {
    /// A broker of its own, and a folder with the prices of `input`.
    pub(crate) fn new() -> Self {
        Self::with(NatsServer::start())
    }

    pub(crate) fn with(server: NatsServer) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = Runtime::new().expect("a runtime");
        let world = Self {
            server,
            folder,
            runtime,
            started: Cell::new(0),
        };
        for (name, text) in prices() {
            world.write(&format!("prices/{name}"), text.as_bytes());
        }
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file into the world's folder.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("make the folder");
        fs::write(&path, bytes).expect("write a file");
        path
    }

    /// `purser` with nothing of our own environment.
    pub(crate) fn purser(&self, data: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_purser"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PURSER_")) {
            command.env_remove(name);
        }
        command
            .env("PURSER_DATA", self.path(data))
            .env("PURSER_LOG_LEVEL", "debug");
        command
    }

    pub(crate) fn start(&self, command: Command, name: &str) -> Process {
        self.started.set(self.started.get() + 1);
        let files = self.path(&format!("{name}-{}", self.started.get()));
        Process::start(command, files.to_str().expect("UTF-8"))
    }

    /// `purser run` on `data`, committing every second, with the world's prices.
    pub(crate) fn run_command(&self, data: &str, more: &[&str]) -> Command {
        let mut command = self.purser(data);
        command.arg("run").args(["--nats", &self.server.url()]);
        command.arg("--prices").arg(self.path("prices")).args(more);
        if !more.contains(&"--commit-interval") {
            command.args(["--commit-interval", "1"]);
        }
        command
    }

    pub(crate) fn run(&self, data: &str, more: &[&str]) -> Process {
        self.start(self.run_command(data, more), "run")
    }

    /// A worker that has attached to the stream.
    pub(crate) fn worker(&self, data: &str, more: &[&str]) -> Process {
        let mut worker = self.run(data, more);
        worker.wait_for("reading", 1);
        worker
    }

    pub(crate) fn publish_command(&self, file: &Path, more: &[&str]) -> Command {
        let mut command = self.purser("nothing");
        command
            .arg("publish")
            .arg(file)
            .args(["--nats", &self.server.url()])
            .args(more);
        command
    }

    /// `purser publish`, which must end well.
    pub(crate) fn publish(&self, file: &Path, more: &[&str]) -> Ended {
        let ended = self
            .start(self.publish_command(file, more), "publish")
            .wait();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended
    }

    /// Publishes lines by `purser publish`, from a file called `name`.
    pub(crate) fn publish_lines(&self, name: &str, lines: &[String]) {
        self.publish(&self.write(name, (lines.join("\n") + "\n").as_bytes()), &[]);
    }

    /// `purser replay`, which must end well.
    pub(crate) fn replay(&self, data: &str, file: &Path) {
        let mut command = self.purser(data);
        command
            .arg("replay")
            .arg(file)
            .arg("--prices")
            .arg(self.path("prices"));
        let ended = self.start(command, "replay").wait();
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }

    /// Waits until the ledger has read the stream's first `messages`, ticks not counted; all of
    /// them have been sent.
    pub(crate) fn wait_for_position(&self, data: &str, messages: i64, worker: &mut Process) {
        self.wait_for_seq(data, messages, worker);
        self.wait_for_seq(data, self.place(messages), worker);
    }

    /// Waits until the ledger has read the stream up to `seq`.
    pub(crate) fn wait_for_seq(&self, data: &str, seq: i64, worker: &mut Process) {
        let table = self.path(data).join("ledger");
        let told = || format!("position {}\n", position(&table));
        poll(&format!("position {seq}"), told, || {
            let reached = position(&table) >= seq;
            assert!(
                reached || worker.is_running(),
                "the worker ended: {}",
                worker.log()
            );
            reached.then_some(())
        });
    }

    /// Waits for what a statement over the ledger gives.
    pub(crate) fn wait_for(&self, data: &str, worker: &mut Process, statement: &str, wanted: &str) {
        let told = || format!("{}\n{}", self.csv(data, statement), worker.log());
        poll(statement, told, || {
            (self.csv(data, statement) == wanted).then_some(())
        });
    }

    /// Starts a worker, waits until it has read the stream's first `messages`, ticks not counted,
    /// and stops it.
    pub(crate) fn work_until(&self, data: &str, messages: i64, more: &[&str]) {
        let mut worker = self.worker(data, more);
        self.wait_for_position(data, messages, &mut worker);
        worker.stop();
    }

    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// The answer of a statement over the ledger, without the header.
    pub(crate) fn csv(&self, data: &str, statement: &str) -> String {
        let folder =
            DataFolder::new(self.path(data).to_str().expect("UTF-8"), None).expect("a folder");
        let answer = self.block_on(ledger_csv(&folder, statement));
        answer
            .split_once('\n')
            .map(|(_, rows)| rows.to_owned())
            .unwrap_or_default()
    }

    /// JetStream by a client of the test's own.
    pub(crate) async fn jetstream(&self) -> Context {
        let client = async_nats::connect(self.server.url())
            .await
            .expect("connect");
        jetstream::new(client)
    }

    /// Publishes bodies as they are; gives the last one's place in the stream.
    pub(crate) fn send(&self, messages: &[(&str, Option<&str>, &[u8])]) -> i64 {
        self.block_on(async {
            let jetstream = self.jetstream().await;
            let mut last = 0;
            for (subject, content_type, body) in messages {
                let mut headers = HeaderMap::new();
                if let Some(content_type) = content_type {
                    headers.insert("content-type", *content_type);
                }
                let body = body.to_vec().into();
                let sent = jetstream.publish_with_headers((*subject).to_owned(), headers, body);
                last = sent.await.expect("sent").await.expect("stored").sequence;
            }
            last.cast_signed()
        })
    }

    /// The number of the stream's last message.
    pub(crate) fn last_seq(&self, stream: &str) -> i64 {
        self.block_on(async {
            let mut stream = self
                .jetstream()
                .await
                .get_stream(stream)
                .await
                .expect("the stream");
            let info = stream.info().await.expect("the stream's state");
            info.state.last_sequence.cast_signed()
        })
    }

    /// How many messages that are no ticks the stream has had.
    pub(crate) fn messages(&self) -> i64 {
        let last = self.last_seq("USAGE");
        let ticks = self.block_on(self.ticks());
        last - ticks.iter().filter(|tick| **tick <= last).count() as i64
    }

    /// The number in the stream of the n-th message that is no tick.
    fn place(&self, n: i64) -> i64 {
        let ticks = self.block_on(self.ticks());
        ticks
            .into_iter()
            .fold(n, |place, tick| place + i64::from(tick <= place))
    }

    /// The numbers in the stream of the ticks, which workers publish.
    async fn ticks(&self) -> Vec<i64> {
        let jetstream = self.jetstream().await;
        let stream = jetstream.get_stream("USAGE").await.expect("the stream");
        let (mut ticks, mut from) = (Vec::new(), 1);
        while let Ok(tick) = stream
            .get_first_raw_message_by_subject("clock.>", from)
            .await
        {
            ticks.push(tick.sequence.cast_signed());
            from = tick.sequence + 1;
        }
        ticks
    }

    /// All messages in stream `ALERTS`: when stored, subject, body.
    pub(crate) fn alerts(&self) -> Vec<(i128, String, Value)> {
        self.block_on(async {
            let mut stream = self
                .jetstream()
                .await
                .get_stream("ALERTS")
                .await
                .expect("ALERTS");
            let last = stream.info().await.expect("its state").state.last_sequence;
            let mut alerts = Vec::new();
            for seq in 1..=last {
                let message = stream.get_raw_message(seq).await.expect("an alert");
                let body = serde_json::from_slice(&message.payload).expect("JSON");
                let stored = message.time.unix_timestamp_nanos();
                alerts.push((stored, message.subject.to_string(), body));
            }
            alerts
        })
    }
}

/// The highest position that the table's log tells of; 0 while there is none.
pub(crate) fn position(table: &Path) -> i64 {
    let mut entries = log_entries(table);
    entries.sort_unstable_by(|a, b| b.cmp(a));
    let positions = entries.iter().map(|entry| {
        let text = fs::read_to_string(entry).unwrap_or_default();
        let actions = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        actions
            .filter(|action| {
                let id = action["txn"]["appId"].as_str().unwrap_or_default();
                id.starts_with("purser/0/")
            })
            .filter_map(|action| action["txn"]["version"].as_i64())
            .next()
    });
    positions.flatten().next().unwrap_or(0)
}

/// The table's commits that the log still has.
pub(crate) fn log_entries(table: &Path) -> Vec<PathBuf> {
    files_below(&table.join("_delta_log"), ".json")
}

/// All files of a folder and the folders in it whose names end with `end`.
pub(crate) fn files_below(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_below(&path, end));
        } else if path.to_str().is_some_and(|name| name.ends_with(end)) {
            found.push(path);
        }
    }
    found
}
