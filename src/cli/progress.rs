//! Progress of reading a file.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::adapters::files::Progress;

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
        bar.set_message(name.to_owned());
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

    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
