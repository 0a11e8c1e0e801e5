//! One worker sleeps through the takeover by another, and goes on.
//!
//! Owns the order of these; there is no other fault. A worker may sleep before any of its steps,
//! and for longer than a commit is tried.

use std::rc::Rc;
use std::time::Duration;

use crate::checks;
use crate::step::Step;
use crate::worker::{End, Worker};
use crate::world::{Faults, World};

const TURNS_MAX: u64 = 20_000;

/// Lets one worker work until it is about to take `step`, then another one to the stream's end,
/// then the first one again; how that one ended. `None` when it never comes to `step`.
pub(crate) fn asleep_before(step: Step, seed: u64) -> Option<End> {
    let world = Rc::new(World::new(seed, false));
    world.faults.set(Faults {
        cut: 200,
        ..Faults::default()
    });
    world.arrived.set(world.story.messages.len());
    world.published.set(world.books.len());
    let mut sleeper = Worker::start(&world, "sleeper".to_owned());
    for _ in 0..TURNS_MAX {
        if sleeper.steps().any(|at| at == step) {
            break;
        }
        if sleeper.turn(&world).is_some() {
            return None;
        }
    }
    let other = Worker::start(&world, "other".to_owned());
    assert!(matches!(to_its_end(other, &world), End::Done));
    world.pass(Duration::from_secs(120));
    let end = to_its_end(sleeper, &world);
    if let End::Fenced(fenced) = &end {
        checks::fenced(&world, "sleeper", fenced);
    }
    checks::ledger(&world);
    Some(end)
}

fn to_its_end(mut worker: Worker, world: &World) -> End {
    for _ in 0..TURNS_MAX {
        if let Some(end) = worker.turn(world) {
            return end;
        }
    }
    panic!("{} has no end", worker.name);
}
