//! `purser bench`

use std::env;
use std::fs;

use anyhow::Context;
use uuid::Uuid;

use super::args::Bench as Flags;
use super::clock::wall_clock;
use super::failure::Failure;
use crate::jobs::bench::{Bench, Figure, Load, Spread, Target, Unit, bench};

pub(super) async fn run(args: Flags) -> Result<(), Failure> {
    let parts = args.parts();
    let folder = args.work.unwrap_or_else(env::temp_dir);
    let folder = folder.join(format!("purser-bench-{}", Uuid::new_v4()));
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let job = Bench {
        parts,
        program: env::current_exe().context("finding this program")?,
        python: args.python,
        nats_server: args.nats_server,
        folder,
        load: Load {
            seed: args.seed,
            lines: args.events,
            customers: args.customers,
        },
        identities: args.identities,
        entries: args.entries,
        rounds: args.rounds,
        now: wall_clock(),
    };
    let measured = bench(&job, |step| eprintln!("{step}")).await;
    fs::remove_dir_all(&job.folder).context("removing what the bench made")?;
    let figures = measured?;
    println!(
        "{} events, {} customers, {} rounds",
        args.events, args.customers, args.rounds
    );
    println!("| what | ours | against | is | at least | aim |\n|---|---|---|---|---|---|");
    for figure in &figures {
        println!("{}", row(figure));
    }
    let missed = figures.iter().filter(|figure| figure.is_missed());
    match missed.count() {
        0 => Ok(()),
        count => Err(Failure::No(format!(
            "{count} of the figures are below what they must be"
        ))),
    }
}

fn row(figure: &Figure) -> String {
    let shown = |spread: &Spread| shown(spread, figure.unit);
    let value = match figure.theirs {
        Some(_) => format!("{} x", decimal(figure.value)),
        None => decimal(figure.value),
    };
    let target = |target| match target {
        Some(Target::AtLeast(least)) => decimal(least),
        Some(Target::AtMost(most)) => format!("at most {}", decimal(most)),
        None => String::new(),
    };
    format!(
        "| {} | {} | {} | {value} | {} | {} |",
        figure.what,
        shown(&figure.ours),
        figure.theirs.as_ref().map(shown).unwrap_or_default(),
        target(figure.at_least),
        target(figure.aim),
    )
}

/// The median, and from where to where the rounds went.
fn shown(spread: &Spread, unit: Unit) -> String {
    let one = |figure: u64| match unit {
        Unit::Micros if figure < 1_000_000 => format!("{} ms", decimal(figure / 10)),
        Unit::Micros => format!("{} s", decimal(figure / 10_000)),
        Unit::Count => figure.to_string(),
        Unit::Bytes if figure < 10_000 => format!("{figure} bytes"),
        Unit::Bytes => format!("{} MB", figure / 1_000_000),
    };
    match spread.least == spread.most {
        true => one(spread.median),
        false => {
            let (least, most) = (one(spread.least), one(spread.most));
            format!("{} ({least} to {most})", one(spread.median))
        }
    }
}

/// Hundredths as a decimal.
fn decimal(hundredths: u64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}
