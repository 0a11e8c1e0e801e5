//! What the tests of a disk have in common: the commands on it, and input of many days.

use std::path::Path;
use std::process::Command;

use crate::input::{documents, now, timed};
use crate::platter::Disk;
use crate::process::{Ended, Process};
use crate::world::World;

const DAY_MICROS: i64 = 86_400_000_000;

/// How many rounds a test with random moments has.
pub(crate) fn rounds(short: usize) -> usize {
    let given = std::env::var("DISK_ROUNDS").ok();
    given.map_or(short, |rounds| rounds.parse().expect("a number"))
}

/// The data folder on a disk.
pub(crate) fn data(disk: &Disk) -> String {
    disk.root().join("data").to_str().expect("UTF-8").to_owned()
}

/// `lines` events on each of `days` days, the last of which is today. A replay makes a commit of
/// each day.
pub(crate) fn days(days: usize, lines: usize) -> Vec<u8> {
    let first = now().plus(-(days as i64 - 1) * DAY_MICROS);
    let mut file = Vec::new();
    for number in 0..days * lines {
        let at = first.plus((number / lines) as i64 * DAY_MICROS);
        let customer = format!("c{}", number % 7);
        let event = documents(&customer, &number.to_string(), 1 + number as u64 % 90);
        file.extend(timed(&event, at).into_bytes());
        file.push(b'\n');
    }
    file
}

/// `purser replay` of a file into `data`.
pub(crate) fn replay(world: &World, data: &str, file: &Path) -> Command {
    let mut command = world.purser(data);
    command.arg("replay").arg(file);
    command.arg("--prices").arg(world.path("prices"));
    command
}

/// The command on a disk.
pub(crate) fn start_on(world: &World, disk: &Disk, mut command: Command) -> Process {
    disk.under(&mut command);
    world.start(command, "on-disk")
}

/// `purser verify`, which must find nothing.
pub(crate) fn verify(world: &World, data: &str) {
    let mut command = world.purser(data);
    command.arg("verify");
    let ended = world.start(command, "verify").wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

/// Holds how a command ended, and that its log tells something.
pub(crate) fn assert_ended(ended: &Ended, code: i32, told: &[&str]) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    for words in told {
        assert!(ended.log.contains(words), "no {words:?} in {ended:?}");
    }
}
