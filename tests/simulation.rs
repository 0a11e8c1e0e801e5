//! The simulation: engine, batches and commit protocol under every fault that one dice can throw.
//!
//! Owns running seeds. Each makes a story of messages, plays it with workers that crash, freeze,
//! lose answers and overtake each other, and holds the ledger against a clean run and a model.
//!
//! `SIM_SEED=7 cargo test --test simulation -- --nocapture` replays one seed and tells what
//! happened; `SIM_SEEDS=0..100000` takes other seeds than the usual ones.
#![allow(clippy::print_stderr, reason = "a failing seed must be told")]

#[path = "simulation/checks.rs"]
mod checks;
#[path = "simulation/clean.rs"]
mod clean;
#[path = "simulation/deeds.rs"]
mod deeds;
#[path = "support/dice.rs"]
mod dice;
#[path = "simulation/engine.rs"]
mod engine;
#[path = "simulation/log.rs"]
mod log;
#[path = "simulation/model.rs"]
mod model;
#[path = "simulation/recovery.rs"]
mod recovery;
#[path = "simulation/rows.rs"]
mod rows;
#[path = "simulation/scheduler.rs"]
mod scheduler;
#[path = "simulation/sent.rs"]
mod sent;
#[path = "simulation/step.rs"]
mod step;
#[path = "simulation/store.rs"]
mod store;
#[path = "simulation/story.rs"]
mod story;
#[path = "simulation/takeover.rs"]
mod takeover;
#[path = "simulation/versions.rs"]
mod versions;
#[path = "simulation/worker.rs"]
mod worker;
#[path = "simulation/world.rs"]
mod world;

use std::ops::Range;
use std::rc::Rc;

use step::Step;
use worker::End;
use world::{Tally, World};

/// What the usual seeds must have met, each at least ten times.
const MUST_HAPPEN: [&str; 53] = [
    "alert not sent",
    "alert sent again",
    "alert whose answer was lost",
    "change of the table",
    "cleaning of the log",
    "commit given up after a minute",
    "commit of another shard",
    "entry put where one was",
    "entry put where the log was cleaned",
    "late request reaches the store",
    "lost answer",
    "price version published",
    "request while the store is down",
    "request without an answer",
    "wake after others' commits",
    "worker beside another",
    "worker fenced",
    "worker that could not attach",
    "row alert expiring 3",
    "row alert expiring 7",
    "row alert overage",
    "row alert run_out 7",
    "row alert status blocked",
    "row alert status closed",
    "row alert status ok",
    "row alert used 100",
    "row conflict",
    "row duplicate",
    "row expire",
    "row grant",
    "row prices",
    "row rejected already_open",
    "row rejected bad_command",
    "row rejected bad_customer",
    "row rejected bad_measure",
    "row rejected empty",
    "row rejected in_future",
    "row rejected malformed",
    "row rejected no_price",
    "row rejected no_price_version",
    "row rejected nothing_remaining",
    "row rejected too_old",
    "row rejected unknown_command",
    "row rejected unknown_event",
    "row rejected unknown_wallet",
    "row rejected wrong_shard",
    "row rejected wrong_subject",
    "row reversal mistake",
    "row rollover",
    "row tick",
    "row usage",
    "row void",
    "row wallet",
];

/// The seeds that are played unless others are asked for.
const USUAL: Range<u64> = 0..3_000;

#[test]
fn whatever_befalls_the_workers_the_ledger_is_that_of_a_clean_run() {
    if let Some(seed) = number("SIM_SEED") {
        play(seed, true);
        return;
    }
    let asked = std::env::var("SIM_SEEDS").ok();
    let seeds = asked.map_or(USUAL, |asked| {
        let (from, to) = asked.split_once("..").expect("SIM_SEEDS=from..to");
        from.parse().expect("a number")..to.parse().expect("a number")
    });
    let mut total = Tally::new();
    for seed in seeds.clone() {
        for (what, count) in play(seed, false) {
            *total.entry(what).or_default() += count;
        }
    }
    eprintln!("seeds {seeds:?}");
    for (what, count) in &total {
        eprintln!("{count:>10} {what}");
    }
    if seeds.clone().count() >= USUAL.count() {
        let crashes = step::ALWAYS.map(|step| format!("crash before {step:?}"));
        let faults = MUST_HAPPEN.map(str::to_owned);
        for what in crashes.into_iter().chain(faults) {
            let count = total.get(&what).copied().unwrap_or(0);
            assert!(count >= 10, "too seldom: {count} {what}");
        }
    }
}

#[test]
fn a_worker_that_sleeps_through_a_takeover_is_fenced_wherever_it_slept() {
    for step in step::ALWAYS {
        let has_batch = matches!(
            step,
            Step::CreateFile
                | Step::FinishFile
                | Step::FileWritten
                | Step::AwaitAlerts
                | Step::ReadCheckpoint
                | Step::PutEntry
        );
        let mut fenced = 0;
        for seed in 0..30 {
            match takeover::asleep_before(step, seed) {
                Some(End::Fenced(_)) => fenced += 1,
                // It never came to that step.
                None => {}
                // Nothing was left for it to commit.
                Some(End::Done) if !has_batch => {}
                Some(end) => panic!("before {step:?}, seed {seed}: {end:?}"),
            }
        }
        assert!(fenced > 0 || !has_batch, "nobody slept before {step:?}");
    }
}

#[test]
fn a_seed_tells_the_same_history_each_time() {
    for seed in 0..20 {
        let history = || {
            let world = Rc::new(World::new(seed, true));
            scheduler::play(&world);
            world.trace()
        };
        assert_eq!(history(), history(), "seed {seed}");
    }
}

fn number(variable: &str) -> Option<u64> {
    let given = std::env::var(variable).ok()?;
    Some(given.parse().expect("a number"))
}

/// Plays a seed; one that fails is told, with what happened if it is the only one.
fn play(seed: u64, is_alone: bool) -> Tally {
    let mut told = Told { seed, world: None };
    let world = Rc::new(World::new(seed, is_alone));
    told.world = Some(Rc::clone(&world));
    for (message, seq) in world.story.messages.iter().zip(1..) {
        let (at, body) = (message.received_at, message.body.trim_end());
        let subject = &message.subject;
        world.tell(format_args!("message {seq} at {at} on {subject}: {body}"));
    }
    scheduler::play(&world);
    world.tally()
}

/// What is printed in the end, however a seed ends.
struct Told {
    seed: u64,
    world: Option<Rc<World>>,
}

impl Drop for Told {
    fn drop(&mut self) {
        for line in self.world.iter().flat_map(|world| world.trace()) {
            eprintln!("{line}");
        }
        if std::thread::panicking() {
            let seed = self.seed;
            eprintln!(
                "seed {seed} fails: SIM_SEED={seed} cargo test --test simulation -- --nocapture"
            );
        }
    }
}
