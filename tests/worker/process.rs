//! One process of the program under test.
//!
//! Owns starting, signals, waiting and what it said. A process that is dropped is killed.
#![allow(dead_code, reason = "each test program uses another part of this")]

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long anything may take on a busy machine before the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks.
pub(crate) const LOOK: Duration = Duration::from_millis(10);

/// Looks until `seen` says something.
///
/// # Panics
///
/// After [`PATIENCE`], with what was waited for and what `told` tells.
pub(crate) fn poll<T>(
    what: &str,
    told: impl Fn() -> String,
    mut seen: impl FnMut() -> Option<T>,
) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = seen() {
            return seen;
        }
        assert!(
            Instant::now() < end,
            "waited in vain for {what}\n{}",
            told()
        );
        sleep(LOOK);
    }
}

/// A running process; standard output and error go to files.
pub(crate) struct Process {
    child: Child,
    out: PathBuf,
    log: PathBuf,
}

/// How a process ended; `code` is `None` for one that was killed.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) log: String,
}

impl Process {
    /// Starts `command`; what it says goes to files that begin with `files`.
    pub(crate) fn start(mut command: Command, files: &str) -> Self {
        let (out, log) = (
            PathBuf::from(format!("{files}.out")),
            PathBuf::from(format!("{files}.log")),
        );
        let file = |path| File::create(path).expect("a file for what it says");
        command
            .stdin(Stdio::null())
            .stdout(file(&out))
            .stderr(file(&log));
        let child = command.spawn().expect("start purser");
        Self { child, out, log }
    }

    /// What it has printed so far.
    pub(crate) fn out(&self) -> String {
        fs::read_to_string(&self.out).unwrap_or_default()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until the log holds `text` at least `times` times.
    pub(crate) fn wait_for(&mut self, text: &str, times: usize) {
        let (child, log) = (&mut self.child, &self.log);
        let read = || fs::read_to_string(log).unwrap_or_default();
        poll(text, read, || {
            let ended = child.try_wait().expect("look at the process");
            let found = read().matches(text).count() >= times;
            assert!(
                found || ended.is_none(),
                "ended before {text:?}: {}",
                read()
            );
            found.then_some(())
        });
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("look at the process")
            .is_none()
    }

    /// The most memory that it has held so far, in KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("the process runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.expect("a mark").trim().trim_end_matches(" kB");
        kib.parse().expect("a number")
    }

    /// Sends a signal such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &id])
            .status();
        assert!(sent.expect("run kill").success(), "kill -{name} {id}");
    }

    /// Waits until the process has ended by itself.
    pub(crate) fn wait(mut self) -> Ended {
        let (child, log) = (&mut self.child, &self.log);
        let status = poll(
            "the end of the process",
            || fs::read_to_string(log).unwrap_or_default(),
            || child.try_wait().expect("look at the process"),
        );
        let out = fs::read_to_string(&self.out).unwrap_or_default();
        Ended {
            code: status.code(),
            out,
            log: self.log(),
        }
    }

    /// Asks the process to stop and holds that it ends well.
    pub(crate) fn stop(self) -> Ended {
        self.signal("TERM");
        let ended = self.wait();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended
    }

    /// Kills without warning.
    pub(crate) fn kill9(mut self) {
        self.child.kill().expect("kill the process");
        self.child.wait().expect("wait for the killed process");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing to be done in a drop; most have ended before.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
