//! Restarts from a checkpoint of wallets, whole, missing or torn: the rows are the same.

use std::fs;
use std::path::{Path, PathBuf};

use crate::purser::{ALL_ROWS, Place};

/// Lines of the story that come before the checkpoint.
const BEFORE: usize = 40;

fn story() -> (Vec<String>, PathBuf) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let text = fs::read_to_string(fixtures.join("events/story.ndjson")).expect("the story");
    let lines = text.lines().map(|line| format!("{line}\n")).collect();
    (lines, fixtures.join("prices"))
}

/// A data folder that has read the first `lines` of the story.
fn read(lines: usize) -> Place {
    let place = Place::new();
    go_on(&place, lines);
    place
}

/// Replays the first `lines` of the story; gives what the log said.
fn go_on(place: &Place, lines: usize) -> String {
    go_on_with(place, &story().0[..lines])
}

/// Replays these lines as the story.
fn go_on_with(place: &Place, lines: &[String]) -> String {
    let (_, prices) = story();
    place.write("story.ndjson", lines.concat());
    let prices = prices.to_str().expect("UTF-8");
    let level = ["--log-level", "info"];
    let ran = place.run(&[&["replay", "--prices", prices, "story.ndjson"], &level[..]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran.err
}

/// Reads the rest of the story after `change` has been at the checkpoint; the rows must be those
/// of a ledger that was read in one go. Gives what the log said.
fn after(change: impl FnOnce(&Place)) -> String {
    let lines = story().0.len();
    let place = read(BEFORE);
    change(&place);
    let log = go_on(&place, lines);
    assert_eq!(place.csv(ALL_ROWS), read(lines).csv(ALL_ROWS));
    // The next restart has a good one again.
    let again = go_on(&place, lines);
    let entries = place.number("SELECT count(*) FROM ledger");
    assert!(again.contains(&format!("checkpoint={entries} ")), "{again}");
    assert!(!again.contains("can't be used"), "{again}");
    log
}

fn only_file(folder: &Path, ending: &str) -> PathBuf {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut paths = entries.map(|entry| entry.expect("an entry").path());
    let path = paths.find(|path| path.extension().is_some_and(|found| found == ending));
    path.unwrap_or_else(|| panic!("no {ending} in {}", folder.display()))
}

fn parquet(place: &Place) -> PathBuf {
    only_file(&place.path("data/wallets/shard=0"), "parquet")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let to = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).expect("a copy");
        }
    }
}

#[test]
fn a_restart_goes_on_from_the_checkpoint() {
    let log = after(|place| {
        let wallets = "SELECT count(*) FROM wallets";
        assert!(place.number(wallets) > 2);
    });
    assert!(!log.contains("can't be used"), "{log}");
    assert!(!log.contains("checkpoint=0 "), "{log}");
}

#[test]
fn without_a_checkpoint_the_ledger_is_read() {
    let log = after(|place| fs::remove_dir_all(place.path("data/wallets")).expect("deleted"));
    assert!(log.contains("checkpoint=0 "), "{log}");
}

#[test]
fn a_torn_checkpoint_is_told_and_not_used() {
    let cut = |place: &Place, part: usize| {
        let path = parquet(place);
        let bytes = fs::read(&path).expect("a file");
        fs::write(&path, &bytes[..bytes.len() * part / 100]).expect("cut");
    };
    for part in [0, 99] {
        let log = after(|place| cut(place, part));
        assert!(log.contains("the checkpoint can't be used"), "{log}");
    }
    let log = after(|place| fs::remove_file(parquet(place)).expect("deleted"));
    assert!(log.contains("the checkpoint can't be used"), "{log}");
}

#[test]
fn a_checkpoint_with_a_wrong_byte_changes_no_row() {
    let whole = fs::read(parquet(&read(BEFORE))).expect("a file");
    for at in (10..whole.len()).step_by(whole.len() / 4) {
        after(|place| {
            let path = parquet(place);
            let mut bytes = fs::read(&path).expect("a file");
            let at = at.min(bytes.len() - 1);
            bytes[at] ^= 0x10;
            fs::write(&path, bytes).expect("changed");
        });
    }
}

#[test]
fn a_torn_log_of_checkpoints_is_made_anew() {
    for content in ["{\"add\":", "\0\0\0\0"] {
        for entry in ["00000000000000000000.json", "00000000000000000001.json"] {
            after(|place| {
                place.write(&format!("data/wallets/_delta_log/{entry}"), content);
            });
        }
    }
}

#[test]
fn a_checkpoint_of_another_ledger_or_ahead_of_it_is_not_used() {
    let lines = story().0.len();
    let log = after(|place| {
        copy(
            &read(lines).path("data/wallets"),
            &place.path("data/wallets"),
        );
    });
    assert!(log.contains("the checkpoint can't be used"), "{log}");
    let log = after(|place| {
        // The ledger as it was, the checkpoint of what came later.
        copy(&place.path("data/ledger"), &place.path("kept"));
        go_on(place, lines);
        fs::remove_dir_all(place.path("data/ledger")).expect("deleted");
        fs::rename(place.path("kept"), place.path("data/ledger")).expect("back");
    });
    assert!(log.contains("the checkpoint can't be used"), "{log}");
}

/// The ledger is put back to what it was and grows again, otherwise; what was made of the rows
/// that are no longer there is of no use, though there are rows of the same numbers.
#[test]
fn caches_of_rows_that_the_ledger_does_not_have_any_more_are_not_used() {
    let (story, _) = story();
    let place = read(BEFORE);
    copy(&place.path("data/ledger"), &place.path("kept"));
    go_on(&place, story.len());
    let entries = place.number("SELECT count(*) FROM ledger");
    fs::rename(place.path("data/cache"), place.path("old-cache")).expect("renamed");
    fs::rename(place.path("data/wallets"), place.path("old-wallets")).expect("renamed");
    fs::remove_dir_all(place.path("data/ledger")).expect("deleted");
    fs::rename(place.path("kept"), place.path("data/ledger")).expect("back");
    // The rest of the story under other ids, then as it was: more rows than before.
    let other = story[BEFORE..].iter();
    let other = other.map(|line| line.replacen("\"id\":\"", "\"id\":\"other-", 1));
    let other: Vec<String> = story[..BEFORE].iter().cloned().chain(other).collect();
    let all = [&other[..], &story[BEFORE..]].concat();
    go_on_with(&place, &other);
    go_on_with(&place, &all[..other.len() + 20]);
    assert!(place.number("SELECT count(*) FROM ledger") > entries);
    for name in ["cache", "wallets"] {
        let now = place.path(&format!("data/{name}"));
        fs::remove_dir_all(&now).expect("deleted");
        fs::rename(place.path(&format!("old-{name}")), now).expect("renamed");
    }
    let log = go_on_with(&place, &all);
    assert!(log.contains("the checkpoint can't be used"), "{log}");
    assert!(log.contains("filter is made anew"), "{log}");
    let clean = Place::new();
    go_on_with(&clean, &all);
    assert_eq!(place.csv(ALL_ROWS), clean.csv(ALL_ROWS));
    place.done(&["verify"]);
}
