//! Kills of the worker, of the broker, and two workers: the ledger is as if nothing had happened.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::input::{file, mixed_lines, plain_lines, seed};
use crate::process::{LOOK, Process};
use crate::sums::{assert_one_message_an_alert, assert_same, assert_whole, sums, unordered_sums};
use crate::support::dice::Dice;
use crate::world::{World, files_below, log_entries};

/// A kill comes after this time at the latest, whatever it waits for.
const KILL_BY: Duration = Duration::from_millis(2_500);

#[test]
fn a_worker_killed_at_any_moment_loses_and_repeats_nothing() {
    const ROUNDS: usize = 12;
    const LINES: usize = 1_500;
    let seed = seed();
    let mut random = Dice::new(seed);
    let lines = mixed_lines(seed, ROUNDS * LINES);
    let world = World::new();
    world.replay("replayed", &world.write("events.ndjson", &file(&lines)));
    let table = world.path("data").join("ledger");
    let mut killed_unread = 0;
    for (round, chunk) in lines.chunks(LINES).enumerate() {
        let chunk = world.write(&format!("chunk-{round}.ndjson"), &file(chunk));
        let publishing = world.start(world.publish_command(&chunk, &[]), "publish");
        let mut worker = world.run("data", &["--commit-interval", "1"]);
        match round % 3 {
            0 => sleep(random.millis(2_000)),
            // Between a file and its commit, and right behind a commit.
            1 => wait_for_more(&mut worker, || files_below(&table, ".parquet").len()),
            _ => wait_for_more(&mut worker, || log_entries(&table).len()),
        }
        assert!(worker.is_running(), "{}", worker.log());
        worker.kill9();
        assert_eq!(publishing.wait().code, Some(0));
        killed_unread += usize::from(world.last_seq("USAGE") > crate::world::position(&table));
    }
    assert!(killed_unread > 0, "every kill came too late");
    let last = (ROUNDS * LINES) as i64;
    world.work_until("data", last, &[]);
    assert_whole(&world, "data", last);
    assert_same(
        "after kills",
        &sums(&world, "replayed"),
        &sums(&world, "data"),
    );
    assert_one_message_an_alert(&world, "data");
}

/// Waits until the count grows, but not beyond the kill.
fn wait_for_more(worker: &mut Process, count: impl Fn() -> usize) {
    let (before, end) = (count(), Instant::now() + KILL_BY);
    while count() == before && Instant::now() < end && worker.is_running() {
        sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_broker_killed_while_all_work_loses_and_repeats_nothing() {
    const ROUNDS: usize = 4;
    const LINES: usize = 6_000;
    let seed = seed();
    let mut random = Dice::new(seed);
    let lines = plain_lines(seed, ROUNDS * LINES);
    let mut world = World::new();
    let all: Vec<_> = lines.iter().map(|line| line.clone().into_bytes()).collect();
    world.replay("replayed", &world.write("events.ndjson", &file(&all)));
    let mut worker = world.worker("data", &["--commit-interval", "1"]);
    for (round, chunk) in all.chunks(LINES).enumerate() {
        let chunk = world.write(&format!("chunk-{round}.ndjson"), &file(chunk));
        let before = world.messages();
        let mut publishing = world.start(world.publish_command(&chunk, &[]), "publish");
        wait_for_messages(
            &world,
            before + 1 + random.below(3_000) as i64,
            &mut publishing,
        );
        world.server.kill9();
        sleep(random.millis(500));
        world.server.start_again();
        let ended = publishing.wait();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        // And once more while only the worker is at it.
        world.server.kill9();
        world.server.start_again();
    }
    let last = (ROUNDS * LINES) as i64;
    assert_eq!(world.messages(), last, "a message was lost or stored twice");
    world.wait_for_position("data", last, &mut worker);
    worker.stop();
    assert_whole(&world, "data", last);
    let (expected, found) = (
        unordered_sums(&world, "replayed"),
        unordered_sums(&world, "data"),
    );
    assert_same("after the broker's kills", &expected, &found);
    assert_one_message_an_alert(&world, "data");
}

/// Waits until the stream holds so many messages, or all have been published.
fn wait_for_messages(world: &World, count: i64, publishing: &mut Process) {
    let end = Instant::now() + KILL_BY;
    while publishing.is_running() && Instant::now() < end && world.messages() < count {
        sleep(LOOK);
    }
}

#[test]
fn of_two_workers_on_one_ledger_one_ends_with_3() {
    let seed = seed();
    let world = World::new();
    let events = world.write("events.ndjson", &file(&mixed_lines(seed, 12_000)));
    world.replay("replayed", &events);
    // One after the other, since both would make the ledger.
    let workers = [world.worker("data", &[]), world.worker("data", &[])];
    world.publish(&events, &[]);
    let (fenced, mut owner) = first_to_end(workers);
    let ended = fenced.wait();
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.log.contains("another"), "{}", ended.log);
    world.wait_for_position("data", 12_000, &mut owner);
    owner.stop();
    assert_whole(&world, "data", 12_000);
    assert_same(
        "two workers",
        &sums(&world, "replayed"),
        &sums(&world, "data"),
    );
    assert_one_message_an_alert(&world, "data");
    assert_no_stray_commit(&world.path("data").join("ledger"));
}

/// The one that has ended, and the other.
fn first_to_end(workers: [Process; 2]) -> (Process, Process) {
    let [mut first, mut second] = workers;
    let end = Instant::now() + crate::process::PATIENCE;
    while first.is_running() && second.is_running() {
        assert!(
            Instant::now() < end,
            "both go on\n{}\n{}",
            first.log(),
            second.log()
        );
        sleep(LOOK);
    }
    if first.is_running() {
        (second, first)
    } else {
        (first, second)
    }
}

/// Holds that all commits with rows name one writer.
fn assert_no_stray_commit(table: &Path) {
    let mut writers = std::collections::BTreeSet::new();
    for entry in log_entries(table) {
        let text = std::fs::read_to_string(entry).expect("a log entry");
        for line in text.lines() {
            let action: serde_json::Value = serde_json::from_str(line).expect("JSON");
            if let Some(writer) = action["commitInfo"]["purser"]["writer"].as_str() {
                writers.insert(writer.to_owned());
            }
        }
    }
    assert_eq!(writers.len(), 1, "{writers:?}");
}
