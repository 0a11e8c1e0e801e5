//! `replay` with many customers against few.
//!
//! Owns how many those are, and the order of the rounds.

use std::fs;

use super::BenchError;
use super::figure::{Figure, Target, speed};
use super::load::{Load, Times};
use super::place::Place;

/// So many events has one of many customers, on average.
const EVENTS_EACH: u64 = 2;

/// Measures; all totals are checked.
pub(super) async fn customers(place: &Place<'_>) -> Result<Vec<Figure>, BenchError> {
    let few = place.job.load;
    let many = Load {
        customers: (few.lines / EVENTS_EACH).max(1),
        ..few
    };
    let (few_events, few_totals) = place.write("few.ndjson", few, Times::BOTH_TABLES)?;
    let (many_events, many_totals) = place.write("many.ndjson", many, Times::BOTH_TABLES)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=place.job.rounds {
        let data = place.path("data");
        place.turn(round, &format!("replay, {} customers", few.customers));
        let took = place.replay((&few_events, few_totals), &data).await?;
        theirs.push(took.wall_micros);
        fs::remove_dir_all(&data)?;
        place.turn(round, &format!("replay, {} customers", many.customers));
        let took = place.replay((&many_events, many_totals), &data).await?;
        ours.push(took.wall_micros);
        fs::remove_dir_all(&data)?;
    }
    let what = "`replay`, a customer for every two events: speed against few customers";
    let targets = [Target::AtLeast(50), Target::AtLeast(80)];
    Ok(vec![speed(what, [ours, theirs], targets)])
}
