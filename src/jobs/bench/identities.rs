//! `replay` into a ledger that knows many identities against an empty one.
//!
//! Owns the ledger that knows them, and the order of the rounds.

use std::fs;

use super::BenchError;
use super::figure::{Figure, Target, speed};
use super::load::{Load, Times};
use super::place::{Place, copy};

/// One line in so many is a copy, and no new identity.
const LINES_A_COPY: u64 = 100;

/// Measures; all totals are checked.
pub(super) async fn identities(place: &Place<'_>) -> Result<Vec<Figure>, BenchError> {
    let load = place.job.load;
    let known = place.job.identities;
    let history = Load {
        seed: load.seed.wrapping_add(1),
        lines: known + known / (LINES_A_COPY - 1),
        ..load
    };
    place.tell(&format!("replaying {} events before", history.lines));
    let full = place.path("full");
    place.replay_at_once(history, Times::BEFORE, &full).await?;
    let (events, expected) = place.write("events.ndjson", load, Times::BOTH_TABLES)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=place.job.rounds {
        let data = place.path("data");
        place.turn(round, "replay into an empty ledger");
        let took = place.replay((&events, expected), &data).await?;
        theirs.push(took.wall_micros);
        fs::remove_dir_all(&data)?;
        place.turn(round, &format!("replay after {known} identities"));
        copy(&full, &data)?;
        let took = place.replay((&events, expected), &data).await?;
        ours.push(took.wall_micros);
        fs::remove_dir_all(&data)?;
    }
    let what = "`replay` into a ledger with many identities: speed against an empty one";
    let targets = [Target::AtLeast(70), Target::AtLeast(90)];
    Ok(vec![speed(what, [ours, theirs], targets)])
}
