//! Maintenance: fewer files, the same rows, also when it is killed.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::purser::{ALL_ROWS, Place, usage};

/// Lines that each replay adds, three a day.
const STEP: usize = 4;
const LINES: usize = 24;

fn events(count: usize) -> String {
    let line = |number: usize| {
        let time = format!("{:02}T{:02}:00:00Z", 1 + number / 3, 7 * (number % 3));
        usage(&format!("e{number}"), &format!("c{}", number % 4), &time) + "\n"
    };
    (0..count).map(line).collect()
}

/// A ledger of many small files: each day was read by two replays or more.
fn many_files() -> Place {
    let place = Place::new();
    for lines in (STEP..=LINES).step_by(STEP) {
        place.write("events.ndjson", events(lines));
        place.replay("events.ndjson");
        let late = usage(
            &format!("late-{lines}"),
            "c1",
            &format!("{:02}T23:00:00Z", lines / 3),
        );
        place.write(&format!("late-{lines}.ndjson"), late + "\n");
        place.replay(&format!("late-{lines}.ndjson"));
    }
    place
}

/// The files that the newest version of the table names.
fn named(place: &Place) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    for action in place.commits().into_iter().flatten() {
        let path = |action: &Value| action["path"].as_str().map(str::to_owned);
        files.extend(path(&action["add"]));
        if let Some(gone) = path(&action["remove"]) {
            assert!(files.remove(&gone), "{gone}");
        }
    }
    files
}

fn on_disk(place: &Place) -> BTreeSet<PathBuf> {
    let days = fs::read_dir(place.path("data/ledger")).expect("a folder");
    let days = days.map(|day| day.expect("an entry").path());
    let days = days.filter(|day| day.to_string_lossy().contains("day="));
    let files = days.flat_map(|day| fs::read_dir(day).expect("a folder"));
    files.map(|file| file.expect("an entry").path()).collect()
}

#[test]
fn files_of_days_that_are_over_become_one_a_day_and_no_row_changes() {
    let place = many_files();
    let (rows, before) = (place.csv(ALL_ROWS), named(&place));
    let versions = place.commits().len();
    let told = place.done(&["maintain", "--dry-run"]);
    assert!(told.contains("would be merged"), "{told}");
    assert_eq!(named(&place), before, "a dry run");
    assert_eq!(place.commits().len(), versions, "a dry run");

    let told = place.done(&["maintain"]);
    assert!(told.contains(" files merged into "), "{told}");
    let after = named(&place);
    let days: BTreeSet<&str> = after.iter().map(|path| &path[..14]).collect();
    // The newest day is not over.
    let over = after
        .iter()
        .filter(|path| !path.starts_with("day=2026-03-08"));
    assert_eq!(over.count(), days.len() - 1, "{after:#?}");
    assert!(before.len() > days.len() + 6, "{before:#?}");
    assert_eq!(place.csv(ALL_ROWS), rows);
    for action in place.commits().into_iter().flatten() {
        let change = &action["remove"]["dataChange"];
        assert!(
            change.is_null() || *change == Value::Bool(false),
            "{action}"
        );
    }
    // Nothing is deleted before its week is over.
    assert!(on_disk(&place).len() >= before.len() + after.len() / 2);

    let versions = place.commits().len();
    let told = place.done(&["maintain"]);
    assert!(
        told.starts_with("0 files merged into 0, 0 old files deleted"),
        "{told}"
    );
    assert_eq!(named(&place), after);
    assert!(place.commits().len() <= versions + 2, "nothing to do");

    // A restart without its caches reads the merged files.
    fs::remove_dir_all(place.path("data/wallets")).expect("deleted");
    let again = place.done(&["replay", "events.ndjson"]);
    assert!(again.contains("0 lines"), "{again}");
    place.write("events.ndjson", events(LINES + 1));
    place.replay("events.ndjson");
    let balances =
        "SELECT balance FROM ledger WHERE balance IS NOT NULL ORDER BY entry DESC LIMIT 1";
    let left = "SELECT sum(delta) FROM ledger WHERE customer = 'c0'";
    let (balance, left) = (place.csv(balances), place.csv(left));
    assert_eq!(balance.lines().nth(1), left.lines().nth(1));
}

#[test]
fn files_that_nobody_named_for_a_week_are_deleted_and_younger_ones_are_not() {
    let place = many_files();
    let named = named(&place);
    let orphan = |name: &str, days: u64| {
        let path = place.write(&format!("data/ledger/day=2026-03-02/{name}"), "torn");
        let then = SystemTime::now() - Duration::from_secs(days * 86_400);
        let file = File::options().write(true).open(&path).expect("a file");
        file.set_modified(then).expect("an old file");
        path
    };
    let (old, young) = (
        orphan("part-old.parquet", 8),
        orphan("part-young.parquet", 6),
    );
    let told = place.done(&["maintain", "--dry-run"]);
    assert!(
        told.contains("1 old files would be deleted") && old.exists(),
        "{told}"
    );
    let told = place.done(&["maintain"]);
    assert!(told.contains("1 old files deleted"), "{told}");
    assert!(!old.exists() && young.exists());
    for file in named {
        assert!(place.path("data/ledger").join(&file).exists(), "{file}");
    }
}

#[test]
fn maintenance_that_is_killed_changes_no_row() {
    let place = many_files();
    let rows = place.csv(ALL_ROWS);
    for pause in (10..130).step_by(15) {
        let mut child = place.command(&["maintain"]).spawn().expect("started");
        std::thread::sleep(Duration::from_millis(pause));
        child.kill().expect("killed");
        child.wait().expect("gone");
        assert_eq!(place.csv(ALL_ROWS), rows, "killed after {pause} ms");
    }
    place.done(&["maintain"]);
    assert_eq!(place.csv(ALL_ROWS), rows);
    place.check_whole("events.ndjson", LINES);
}
