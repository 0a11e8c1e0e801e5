//! A disk that is full for a while, and one that refuses.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use crate::input::{plain_lines, seed};
use crate::load::Load;
use crate::place::{assert_ended, data, days, replay, start_on, verify};
use crate::platter::Disk;
use crate::sums::{ALL_ROWS, assert_one_message_an_alert};
use crate::support::dice::Dice;
use crate::world::{World, files_below};

const EIO: i32 = 5;
const EACCES: i32 = 13;
const ENOSPC: i32 = 28;

const FULL: &str = "No space left on device";

#[test]
fn a_worker_on_a_full_disk_waits_and_goes_on_by_itself() {
    const LINES: usize = 2_000;
    const ROUNDS: usize = 3;
    let seed = seed();
    let mut random = Dice::new(seed);
    let world = World::new();
    let lines = plain_lines(seed, ROUNDS * LINES);
    let lines: Vec<_> = lines.into_iter().map(String::into_bytes).collect();
    let disk = Disk::new();
    let command = world.run_command(&data(&disk), &["--checkpoint-interval", "1"]);
    let mut worker = start_on(&world, &disk, command);
    worker.wait_for("reading", 1);
    for (round, chunk) in lines.chunks(LINES).enumerate() {
        let until = (round * LINES + chunk.len()) as i64;
        let load = Load::start(&world.server.url(), until, chunk);
        sleep(random.millis(1_200));
        let before = worker.log().matches(FULL).count();
        disk.fail("write", ENOSPC);
        // It has met it, and has tried again.
        worker.wait_for(FULL, before + 2);
        load.finish();
        assert!(disk.mend() > 0, "nothing failed");
        world.wait_for_position(&data(&disk), until, &mut worker);
    }
    worker.stop();
    verify(&world, &data(&disk));
    assert_one_message_an_alert(&world, &data(&disk));
    world.work_until("clean", lines.len() as i64, &[]);
    let expected = world.csv("clean", ALL_ROWS);
    assert!(world.csv(&data(&disk), ALL_ROWS) == expected, "other rows");
}

#[test]
fn a_worker_on_a_disk_that_refuses_stops_and_says_where() {
    let world = World::new();
    let lines = plain_lines(seed(), 3_000);
    let lines: Vec<_> = lines.into_iter().map(String::into_bytes).collect();
    let disk = Disk::new();
    let mut until = 0;
    // An answer of the device to a sync says that bytes are lost: nothing may rely on them.
    for (chunk, (kind, error, told)) in lines.chunks(1_500).zip([
        ("write", EACCES, "Permission denied"),
        ("sync", EIO, "Input/output error"),
    ]) {
        let mut worker = start_on(&world, &disk, world.run_command(&data(&disk), &[]));
        worker.wait_for("reading", 1);
        until += chunk.len() as i64;
        let load = Load::start(&world.server.url(), until, chunk);
        disk.fail(kind, error);
        let ended = worker.wait();
        load.finish();
        assert_ended(&ended, 2, &[told, "data/ledger"]);
        assert!(disk.mend() > 0, "nothing failed");
    }
    let mut worker = start_on(&world, &disk, world.run_command(&data(&disk), &[]));
    world.wait_for_position(&data(&disk), until, &mut worker);
    worker.stop();
    verify(&world, &data(&disk));
    assert_one_message_an_alert(&world, &data(&disk));
    world.work_until("clean", until, &[]);
    let expected = world.csv("clean", ALL_ROWS);
    assert!(world.csv(&data(&disk), ALL_ROWS) == expected, "other rows");
}

#[test]
fn a_replay_that_met_a_fault_anywhere_goes_on_where_it_stopped() {
    let mut random = Dice::new(seed());
    let world = World::new();
    let events = world.write("events.ndjson", &days(20, 4));
    world.replay("clean", &events);
    let expected = world.csv("clean", ALL_ROWS);
    for (kind, error, told) in [
        ("write", ENOSPC, FULL),
        ("write", EACCES, "Permission denied"),
        ("sync", EIO, "Input/output error"),
    ] {
        let disk = Disk::new();
        for _ in 0..3 {
            let replaying = start_on(&world, &disk, replay(&world, &data(&disk), &events));
            sleep(random.millis(400));
            disk.fail(kind, error);
            sleep(Duration::from_millis(300));
            let failed = disk.mend();
            let ended = replaying.wait();
            // It may have been through before, have waited, or have met it in what is a cache.
            if ended.code != Some(0) {
                assert!(failed > 0, "{ended:?}");
                assert_ended(&ended, 2, &[told]);
            }
        }
        world.replay(&data(&disk), &events);
        verify(&world, &data(&disk));
        let found = world.csv(&data(&disk), ALL_ROWS);
        assert!(found == expected, "{told}: other rows");
    }
}

#[test]
fn a_file_of_the_ledger_that_is_torn_or_missing_is_named() {
    let world = World::new();
    let events = world.write("events.ndjson", &days(3, 50));
    for is_torn in [true, false] {
        let name = format!("torn-{is_torn}");
        world.replay(&name, &events);
        // Neither the checkpoint nor the cache may hide it.
        fs::remove_dir_all(world.path(&format!("{name}/wallets"))).expect("deleted");
        fs::remove_dir_all(world.path(&format!("{name}/cache"))).expect("deleted");
        let file = &files_below(&world.path(&format!("{name}/ledger")), ".parquet")[0];
        let bytes = fs::read(file).expect("a file");
        match is_torn {
            true => fs::write(file, &bytes[..bytes.len() / 2]).expect("torn"),
            false => fs::remove_file(file).expect("deleted"),
        }
        let shown = file.file_name().and_then(|name| name.to_str());
        let shown = shown.expect("a name");
        let run = world.run(&name, &[]).wait();
        assert_ended(&run, 2, &[shown]);
        let again = world.start(replay(&world, &name, &events), "replay").wait();
        assert_ended(&again, 2, &[shown]);
        let mut verify = world.purser(&name);
        verify.arg("verify");
        let verified = world.start(verify, "verify").wait();
        assert_ended(&verified, 2, &[shown]);
    }
}
