//! `purser replay`

use super::args::{Common, Replay};
use super::clock::wall_clock;
use super::failure::Failure;
use super::progress::Bar;
use crate::jobs::replay::{self, replay};

pub(super) async fn run(common: &Common, args: Replay) -> Result<(), Failure> {
    if args.source.is_some() && args.files.len() > 1 {
        return Err(anyhow::anyhow!("--source names one file: replay them one by one").into());
    }
    replay::check_until(args.until, wall_clock())?;
    let shard = args.shard.attach(common)?;
    let last = args.files.len().saturating_sub(1);
    for (number, file) in args.files.into_iter().enumerate() {
        let bar = Bar::new(&file.display().to_string());
        let job = replay::Replay {
            shard: shard.clone(),
            file,
            source: args.source.clone(),
            wall_clock: wall_clock(),
            until: args.until.filter(|_| number == last),
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
