//! The power fails: what was committed is there, whole, and work goes on exactly there.

use std::thread::sleep;
use std::time::Duration;

use crate::input::{file, plain_lines, seed};
use crate::load::Load;
use crate::place::{data, days, replay, rounds, start_on, verify};
use crate::platter::{Disk, Left};
use crate::process::{LOOK, Process};
use crate::sums::{ALL_ROWS, assert_one_message_an_alert, assert_same, sums};
use crate::support::dice::Dice;
use crate::world::{World, log_entries};

/// Days of the replayed file: more than the commits between two checkpoints of the table's log.
const DAYS: usize = 130;

#[test]
fn a_replay_whose_power_fails_goes_on_where_it_had_committed() {
    let mut random = Dice::new(seed());
    let world = World::new();
    let events = world.write("events.ndjson", &days(DAYS, 6));
    world.replay("clean", &events);
    let expected = world.csv("clean", ALL_ROWS);
    let mut relied = 0;
    for round in 0..rounds(6) {
        let disk = Disk::new();
        let replay_on_it = || start_on(&world, &disk, replay(&world, &data(&disk), &events));
        let mut replaying = replay_on_it();
        let table = disk.root().join("data/ledger");
        // Of the commits around a checkpoint of the log more than of the others.
        let commits = match round % 3 {
            0 => 101,
            _ => random.below(DAYS as u64) as usize,
        };
        while log_entries(&table).len() < commits && replaying.is_running() {
            sleep(LOOK / 10);
        }
        sleep(Duration::from_micros(random.below(20_000)));
        let committed = kill(replaying);
        relied += committed;
        for left in [Left::Nothing, Left::Torn] {
            let after = disk.after_power_loss(left, &mut random);
            let data = data(&after);
            let what = format!("{left:?} after {commits} commits, entry {committed}");
            eprintln!("{what}");
            if committed > 0 {
                let last = world.csv(&data, "SELECT MAX(entry) FROM ledger");
                let last: i64 = last.trim().parse().expect("a number");
                assert!(last >= committed, "{what}: only {last} is left");
                verify(&world, &data);
            }
            world.replay(&data, &events);
            verify(&world, &data);
            assert!(world.csv(&data, ALL_ROWS) == expected, "{what}: other rows");
        }
    }
    assert!(relied > 0, "every kill came too early");
}

#[test]
fn a_worker_whose_power_fails_loses_and_repeats_nothing() {
    const LINES: usize = 1_500;
    let seed = seed();
    let mut random = Dice::new(seed);
    let world = World::new();
    let rounds = rounds(4);
    let lines = plain_lines(seed, rounds * LINES);
    let lines: Vec<_> = lines.into_iter().map(String::into_bytes).collect();
    let mut disk = Disk::new();
    for (round, chunk) in lines.chunks(LINES).enumerate() {
        let worker = start(&world, &disk);
        let until = (round * LINES + chunk.len()) as i64;
        let load = Load::start(&world.server.url(), until, chunk);
        sleep(random.millis(2_500));
        let committed = kill(worker);
        let left = [Left::Nothing, Left::Torn][round % 2];
        disk = disk.after_power_loss(left, &mut random);
        load.finish();
        if committed > 0 {
            let last = world.csv(&data(&disk), "SELECT MAX(entry) FROM ledger");
            let last: i64 = last.trim().parse().expect("a number");
            assert!(last >= committed, "{left:?}: {last} of {committed}");
        }
    }
    let (mut worker, last) = (start(&world, &disk), lines.len() as i64);
    world.wait_for_position(&data(&disk), last, &mut worker);
    worker.stop();
    verify(&world, &data(&disk));
    assert_one_message_an_alert(&world, &data(&disk));
    world.work_until("clean", last, &[]);
    let expected = world.csv("clean", ALL_ROWS);
    assert!(world.csv(&data(&disk), ALL_ROWS) == expected, "other rows");
    // So far the sums are those of the file.
    let events = world.write("events.ndjson", &file(&lines));
    world.replay("replayed", &events);
    let (expected, found) = (sums(&world, "replayed"), sums(&world, &data(&disk)));
    assert_same("after power losses", &expected, &found);
}

#[test]
fn maintenance_whose_power_fails_changes_no_row() {
    let mut random = Dice::new(seed());
    let world = World::new();
    // Each day in two files, and more log entries than a checkpoint of the log waits for.
    let lines = days(56, 4);
    let lines: Vec<&[u8]> = lines.split_inclusive(|byte| *byte == b'\n').collect();
    let disk = Disk::new();
    for part in 0..3 {
        let end = lines.len() - [114, 57, 0][part];
        let events = world.write("events.ndjson", &lines[..end].concat());
        let replaying = start_on(&world, &disk, replay(&world, &data(&disk), &events));
        assert_eq!(replaying.wait().code, Some(0));
    }
    let expected = world.csv(&data(&disk), ALL_ROWS);
    let mut disk = disk;
    for round in 0..rounds(4) {
        let mut maintain = world.purser(&data(&disk));
        maintain.arg("maintain");
        let maintaining = start_on(&world, &disk, maintain);
        sleep(random.millis(1_500));
        maintaining.kill9();
        let left = [Left::Nothing, Left::Torn][round % 2];
        disk = disk.after_power_loss(left, &mut random);
        verify(&world, &data(&disk));
        let found = world.csv(&data(&disk), ALL_ROWS);
        assert!(found == expected, "{left:?}: other rows");
    }
}

/// A worker on a disk that has attached to the stream.
fn start(world: &World, disk: &Disk) -> Process {
    let command = world.run_command(&data(disk), &["--checkpoint-interval", "1"]);
    let mut worker = start_on(world, disk, command);
    worker.wait_for("reading", 1);
    worker
}

/// Kills a program; gives the last entry that it said is committed, 0 for none.
fn kill(process: Process) -> i64 {
    let log = process.log();
    process.kill9();
    let committed = log.lines().filter(|line| line.contains("committed"));
    let mut entries = committed.filter_map(|line| line.rsplit_once("last_entry=")?.1.parse().ok());
    entries.next_back().unwrap_or(0)
}
