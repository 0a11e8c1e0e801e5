//! `purser run`

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::args::{Common, Run};
use super::clock::wall_clock;
use super::failure::{Failure, UNABLE};
use super::nats::access;
use crate::jobs::run::{self, run as work};

pub(super) async fn run(common: &Common, args: Run) -> Result<(), Failure> {
    let mut signals = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let job = run::Run {
        shard: args.shard.attach(common)?,
        access: access(&args.nats, "purser run"),
        stream: args.nats.stream,
        new_source: args.new_source,
        commit_interval: Duration::from_secs(args.commit_interval),
        checkpoint_interval: Duration::from_secs(args.checkpoint_interval),
        clock: wall_clock,
    };
    let stop = async {
        either(&mut signals).await;
        tokio::spawn(async move {
            either(&mut signals).await;
            // Asked twice: what is not committed is read again at the next start.
            std::process::exit(i32::from(UNABLE));
        });
    };
    let ran = work(job, stop).await?;
    println!("{} messages became {} entries", ran.messages, ran.entries);
    Ok(())
}

async fn either((terminate, interrupt): &mut (Signal, Signal)) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
