//! `purser run`

use std::time::Duration;

use super::args::{Common, Run};
use super::clock::wall_clock;
use super::failure::Failure;
use super::nats::access;
use super::stop::told_to_stop;
use crate::jobs::run::{self, run as work};

pub(super) async fn run(common: &Common, args: Run) -> Result<(), Failure> {
    let stop = told_to_stop()?;
    let job = run::Run {
        shard: args.shard.attach(common)?,
        access: access(&args.nats, "purser run"),
        stream: args.stream.stream,
        new_source: args.new_source,
        commit_interval: Duration::from_secs(args.commit_interval),
        checkpoint_interval: Duration::from_secs(args.checkpoint_interval),
        clock: wall_clock,
    };
    let ran = work(job, stop).await?;
    println!("{} messages became {} entries", ran.messages, ran.entries);
    Ok(())
}
