//! `purser replay`

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::args::{Common, Replay};
use super::failure::Failure;
use crate::adapters::files::Progress;
use crate::jobs::data::DataFolder;
use crate::jobs::replay::{self, replay};

pub(super) async fn run(common: &Common, args: Replay) -> Result<(), Failure> {
    if args.source.is_some() && args.files.len() > 1 {
        return Err(anyhow::anyhow!("--source names one file: replay them one by one").into());
    }
    let data = DataFolder::new(&common.data)?;
    for file in args.files {
        let bar = Bar::new(&file.display().to_string());
        let job = replay::Replay {
            data: data.clone(),
            shard: args.shard.shards,
            prices: args.prices.clone(),
            file,
            source: args.source.clone(),
        };
        let replayed = replay(job, |progress| bar.follow(progress)).await;
        bar.end();
        let replayed = replayed?;
        let known = match replayed.lines_known {
            0 => String::new(),
            known => format!(" (and {known} that were known)"),
        };
        println!(
            "{}: {} lines{known} became {} entries, {} alerts",
            replayed.source,
            replayed.lines_new,
            replayed.entries,
            replayed.alerts.len(),
        );
    }
    Ok(())
}

/// A progress bar on a terminal, nothing elsewhere.
struct Bar {
    bar: ProgressBar,
}

impl Bar {
    fn new(name: &str) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self {
                bar: ProgressBar::hidden(),
            };
        }
        let bar = ProgressBar::no_length();
        bar.set_message(name.to_owned());
        Self { bar }
    }

    fn follow(&self, progress: Progress) {
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

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}
