//! Progress of long work.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use crate::adapters::files::Progress;
use crate::adapters::sql::session::RowsRead;

/// What is over sooner shows no progress.
const MOMENT: Duration = Duration::from_millis(500);

/// A progress bar on a terminal, nothing elsewhere.
pub(super) struct Bar {
    bar: ProgressBar,
}

impl Bar {
    pub(super) fn new(name: &str) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self {
                bar: ProgressBar::hidden(),
            };
        }
        let bar = ProgressBar::no_length();
        if !name.is_empty() {
            bar.set_message(name.to_owned());
        }
        Self { bar }
    }

    pub(super) fn follow(&self, progress: Progress) {
        if let Some(size) = progress.size {
            self.bar.set_length(size);
            let style = "{msg} {wide_bar} {bytes}/{total_bytes} {eta}";
            if let Ok(style) = ProgressStyle::with_template(style) {
                self.bar.set_style(style);
            }
        }
        let bar = self.bar.clone();
        tokio::spawn(async move {
            while !bar.is_finished() {
                bar.set_position(progress.bytes());
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
    }

    /// Shows how many rows have been read, and for how long, if that takes longer than a moment.
    pub(super) fn watch(&self, rows: RowsRead) {
        let bar = self.bar.clone();
        tokio::spawn(async move {
            tokio::time::sleep(MOMENT).await;
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
                bar.set_style(style);
            }
            while !bar.is_finished() {
                let read = HumanCount(rows.so_far() as u64);
                bar.set_message(format!("{read} rows read,"));
                bar.tick();
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
    }

    /// Shows that a step is `at` of `of`.
    pub(super) fn step(&self, name: &str, at: usize, of: usize) {
        self.bar.set_message(name.to_owned());
        self.bar.set_length(of as u64);
        self.bar.set_position(at as u64);
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}") {
            self.bar.set_style(style);
        }
    }

    /// Shows `done` of `total` rows.
    pub(super) fn count(&self, done: u64, total: u64) {
        if self.bar.length() != Some(total) {
            self.bar.set_length(total);
            let style = "{msg} {wide_bar} {human_pos}/{human_len} rows {eta}";
            if let Ok(style) = ProgressStyle::with_template(style) {
                self.bar.set_style(style);
            }
        }
        self.bar.set_position(done);
    }

    /// Prints without the bar in the way.
    pub(super) fn suspend(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }

    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.end();
    }
}
