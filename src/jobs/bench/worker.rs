//! `purser run` as a process of its own.
//!
//! Owns starting it, how far it has come, and its end. Leaves what it is measured by to the loads.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::sleep;

use super::BenchError;
use super::broker::Broker;
use super::place::Place;
use crate::adapters::jetstream::Connection;
use crate::jobs::data::{DataError, DataFolder};

/// The stream that it reads.
pub(super) const STREAM: &str = "USAGE";

/// Between two looks how far it is.
const LOOK: Duration = Duration::from_millis(10);
/// Any wallet: its answer names the last message that was handled.
const ASKED: &str = "customer-0000000";

/// A running worker; one that is dropped is killed.
pub(super) struct Worker {
    child: Child,
    begun: Instant,
    data: PathBuf,
    log: PathBuf,
}

impl Worker {
    /// Starts a worker on a data folder; its prices are published if the folder is empty.
    pub(super) fn start(place: &Place<'_>, broker: &Broker, data: &Path) -> io::Result<Self> {
        let log = place.path("worker.log");
        let begun = Instant::now();
        let child = place
            .working("run", data)
            .args(["--stream", STREAM, "--nats", &broker.url()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()?;
        Ok(Self {
            child,
            begun,
            data: data.to_owned(),
            log,
        })
    }

    /// Waits until it answers requests, and has handled message `seq` of the stream; gives the
    /// time since its start.
    pub(super) async fn handles(
        &mut self,
        connection: &Connection,
        seq: u64,
    ) -> Result<Duration, BenchError> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Err(self.ended(status));
            }
            let answer = connection.ask(ASKED).await;
            let answer: Option<Value> = answer.and_then(|it| serde_json::from_slice(&it).ok());
            let handled = answer.and_then(|it| it["as_of"]["seq"].as_u64());
            if handled.is_some_and(|handled| handled >= seq) {
                return Ok(self.begun.elapsed());
            }
            sleep(LOOK).await;
        }
    }

    /// Tells it to stop, and waits until message `seq` of `source` is committed; gives the time
    /// since its start.
    pub(super) async fn commits(&mut self, source: &str, seq: u64) -> Result<Duration, BenchError> {
        self.tell_to_stop()?;
        let folder = DataFolder::new(&self.data.to_string_lossy(), None)?;
        loop {
            // Before the look at the ledger, which is the last one then.
            let ended = self.child.try_wait()?;
            if let Some(ledger) = folder.find_ledger().await? {
                let position = ledger.position(0, source).await;
                let position = position.map_err(DataError::from)?.unwrap_or(0);
                if position.unsigned_abs() >= seq {
                    return Ok(self.begun.elapsed());
                }
            }
            if let Some(status) = ended {
                return Err(self.ended(status));
            }
            sleep(LOOK).await;
        }
    }

    /// SIGTERM.
    pub(super) fn tell_to_stop(&self) -> io::Result<()> {
        let id = self.child.id().to_string();
        let told = Command::new("kill").arg(&id).status()?;
        match told.success() {
            true => Ok(()),
            false => Err(io::Error::other(format!("kill {id}: {told}"))),
        }
    }

    /// Waits for its end, which must be a good one.
    pub(super) fn wait(mut self) -> Result<(), BenchError> {
        let status = self.child.wait()?;
        match status.success() {
            true => Ok(()),
            false => Err(self.ended(status)),
        }
    }

    fn ended(&self, status: ExitStatus) -> BenchError {
        let said = fs::read_to_string(&self.log).unwrap_or_default();
        BenchError::Worker { status, said }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Nothing to be done where it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
