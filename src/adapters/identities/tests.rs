//! Opening, closing and faults, with the background thread at work. `steps` and `model` do its
//! work step by step.

mod model;
mod steps;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::*;
use crate::domain::duplicates::{Segment, segment_of};
use crate::domain::entry::Mark;
use std::sync::atomic::AtomicI64;

const WINDOW: i64 = 1_000;
const SEGMENTS: usize = 4;

/// Four keys share a first word; otherwise as good as any hash.
pub(super) fn hash_of(key: u64) -> [u64; 2] {
    let mix = |word: u64| {
        let word = (word ^ (word >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    };
    [mix(key / 4 + 1), mix(key + (1 << 40))]
}

fn place(key: u64) -> Place {
    Place {
        fingerprint: key as u32,
        since: key as i64,
    }
}

pub(super) fn mark(entry: i64) -> Mark {
    let hash = entry.cast_unsigned() * 7;
    Mark { entry, hash }
}

fn recent(places: impl IntoIterator<Item = ([u64; 2], Place)>, last_entry: i64) -> Recent {
    let mut segments = vec![Segment::default(); SEGMENTS];
    for (hash, place) in places {
        segments[segment_of(hash, SEGMENTS)].insert(hash, place);
    }
    Recent {
        segments,
        last: mark(last_entry),
    }
}

/// The identities of the entries `[first, last]`, one each.
fn entries(first: u64, last: u64) -> Recent {
    recent(
        (first..=last).map(|key| (hash_of(key), place(key))),
        last as i64,
    )
}

fn opening(folder: &Path, committed: i64) -> Opening {
    Opening {
        folder: folder.to_owned(),
        ledger_id: "table 7\n/0".to_owned(),
        is_forked: false,
        budget_bytes: 4 << 20,
        window: WINDOW,
        fresh_key: [1, 2, 3, 4],
        committed: Arc::new(AtomicI64::new(committed)),
    }
}

fn open(folder: &Path, committed: i64) -> Opened {
    IdentityRuns::open(opening(folder, committed)).unwrap()
}

/// With a background thread that the test itself is.
fn prepared(opening: Opening) -> (Opened, Worker) {
    open::prepare(opening).unwrap()
}

/// Two runs, of the entries up to 30 and up to 50.
fn two_runs(folder: &Path) {
    let mut runs = open(folder, 50).runs;
    runs.take_over(entries(1, 30)).unwrap();
    runs.take_over(entries(31, 50)).unwrap();
    runs.close().unwrap();
}

/// The keys of `[1, last]` that are not found as they were handed over.
fn lost(runs: &mut IdentityRuns, last: u64) -> Vec<u64> {
    let is_lost = |key: &u64| runs.find(hash_of(*key)).unwrap() != Some(place(*key));
    (1..=last).filter(is_lost).collect()
}

#[test]
fn closed_runs_are_found_again_with_their_key() {
    let folder = tempfile::tempdir().unwrap();
    two_runs(folder.path());
    let mut again = opening(folder.path(), 60);
    again.fresh_key = [5, 6, 7, 8];
    let mut opened = IdentityRuns::open(again).unwrap();
    assert_eq!(opened.thrown_away, None);
    assert_eq!(opened.covered_entry, 50);
    assert_eq!(opened.key, [1, 2, 3, 4]);
    assert_eq!(lost(&mut opened.runs, 51), [51]);
    assert_eq!((opened.runs.len(), opened.runs.runs()), (50, 2));
    assert_eq!(opened.runs.disk_bytes(), 2 * 64 + 50 * 28);
    let files = fs::read_dir(folder.path()).unwrap();
    let bytes = files.map(|file| file.unwrap().metadata().unwrap().len());
    let manifest = fs::metadata(folder.path().join("manifest")).unwrap();
    assert_eq!(
        bytes.sum::<u64>(),
        opened.runs.disk_bytes() + manifest.len()
    );
}

#[test]
fn only_runs_whose_entries_are_committed_are_found_again() {
    for (committed, covered) in [(0, 0), (29, 0), (30, 30), (49, 30), (50, 50), (99, 50)] {
        let folder = tempfile::tempdir().unwrap();
        let mut first = opening(folder.path(), 0);
        first.committed = Arc::new(AtomicI64::new(committed));
        let mut runs = IdentityRuns::open(first).unwrap().runs;
        runs.take_over(entries(1, 30)).unwrap();
        runs.take_over(entries(31, 50)).unwrap();
        assert!(lost(&mut runs, 50).is_empty());
        runs.close().unwrap();
        let mut again = open(folder.path(), 99);
        assert_eq!(again.covered_entry, covered, "{committed}");
        let lost = lost(&mut again.runs, 50);
        assert_eq!(lost.len() as i64, 50 - covered, "{committed}");
    }
}

#[test]
fn runs_become_visible_once_their_entries_are_committed() {
    let folder = tempfile::tempdir().unwrap();
    let opening = opening(folder.path(), 0);
    let committed = Arc::clone(&opening.committed);
    let mut runs = IdentityRuns::open(opening).unwrap().runs;
    runs.take_over(entries(1, 30)).unwrap();
    let manifest = || fs::read_to_string(folder.path().join("manifest")).unwrap();
    until(|| runs.runs() == 1);
    assert!(!manifest().contains("\nrun "));
    committed.store(30, Ordering::Release);
    until(|| manifest().contains("\nrun "));
}

#[test]
fn what_does_not_fit_the_ledger_is_thrown_away() {
    type Case = (&'static str, fn(&mut Opening));
    let cases: [Case; 3] = [
        ("it is of the ledger table 7\\n/0", |opening| {
            opening.ledger_id = "table 7\n/1".to_owned();
        }),
        (
            "it holds entries up to 50 that the ledger does not have any more",
            |opening| {
                opening.is_forked = true;
            },
        ),
        (
            "it was kept for 1000 µs, and 1001 are asked for",
            |opening| {
                opening.window = 1_001;
            },
        ),
    ];
    for (why, change) in cases {
        let folder = tempfile::tempdir().unwrap();
        two_runs(folder.path());
        let mut again = opening(folder.path(), 50);
        again.fresh_key = [5, 6, 7, 8];
        change(&mut again);
        let mut opened = IdentityRuns::open(again).unwrap();
        assert_eq!(opened.thrown_away.as_deref(), Some(why));
        assert_eq!((opened.covered_entry, opened.key), (0, [5, 6, 7, 8]));
        assert_eq!(lost(&mut opened.runs, 50).len(), 50);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{why}");
    }
}

#[test]
fn a_window_that_was_shorter_once_cannot_grow_again() {
    let folder = tempfile::tempdir().unwrap();
    two_runs(folder.path());
    for (window, is_kept) in [(WINDOW - 1, true), (WINDOW, false), (WINDOW, true)] {
        let mut again = opening(folder.path(), 50);
        again.window = window;
        let opened = IdentityRuns::open(again).unwrap();
        assert_eq!(opened.thrown_away.is_none(), is_kept, "{window}");
    }
}

#[test]
fn a_damaged_file_is_noticed_wherever_it_is_damaged() {
    let whole = tempfile::tempdir().unwrap();
    two_runs(whole.path());
    let names = ["manifest", "run-1", "run-2"];
    let all = names.map(|name| fs::read(whole.path().join(name)).unwrap());
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in names.iter().zip(&all) {
        // Every byte of the headers and of two records, then some.
        let places = (0..bytes.len()).filter(|at| *at < 120 || at % 7 == 0);
        let flipped = places.map(|at| {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << (at % 8);
            Some(bytes)
        });
        let cut = [0, 1, 8, bytes.len() / 2, bytes.len() - 28, bytes.len() - 1];
        let torn = cut.map(|length| Some(bytes[..length].to_vec()));
        let grown = [bytes.clone(), b"\n".to_vec()].concat();
        let zeros = vec![0; bytes.len()];
        let others = [Some(grown), Some(zeros), None];
        for damaged in flipped.chain(torn).chain(others) {
            for (name, bytes) in names.iter().zip(&all) {
                fs::write(folder.path().join(name), bytes).unwrap();
            }
            match &damaged {
                Some(bytes) => fs::write(folder.path().join(name), bytes).unwrap(),
                None => fs::remove_file(folder.path().join(name)).unwrap(),
            }
            let (mut opened, _) = prepared(opening(folder.path(), 50));
            let is_new = *name == "manifest" && damaged.is_none();
            assert_eq!(opened.thrown_away.is_none(), is_new, "{name} {damaged:?}");
            assert_eq!(opened.covered_entry, 0);
            assert_eq!(lost(&mut opened.runs, 50).len(), 50);
        }
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_a_fault_with_path_and_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let fault = IdentityRuns::open(opening(&file.join("cache"), 0))
        .err()
        .unwrap();
    let path = file.join("cache").display().to_string();
    for part in [path.as_str(), "Not a directory", "delete the folder"] {
        assert!(fault.text.contains(part), "{fault}");
    }
}

#[test]
fn a_fault_behind_the_callers_back_reaches_every_later_call() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let mut runs = open(&cache, 99).runs;
    fs::remove_dir_all(&cache).unwrap();
    fs::write(&cache, "no folder any more").unwrap();
    runs.take_over(entries(1, 30)).unwrap();
    until(|| runs.find(hash_of(1)).is_err());
    let fault = runs.find(hash_of(99)).unwrap_err();
    assert!(fault.text.contains("run-1: Not a directory"), "{fault}");
    let again = runs.take_over(entries(31, 40)).unwrap_err();
    assert_eq!(again.text, fault.text);
    assert_eq!(runs.close().unwrap_err().text, fault.text);
}

#[test]
fn a_run_that_is_cut_while_in_use_is_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    two_runs(folder.path());
    let mut runs = open(folder.path(), 50).runs;
    let file = fs::File::options()
        .write(true)
        .open(folder.path().join("run-1"));
    file.unwrap().set_len(100).unwrap();
    let fault = runs.find(hash_of(1)).unwrap_err();
    assert!(fault.text.contains("run-1"), "{fault}");
}

#[test]
fn identities_out_of_order_are_a_fault_not_a_wrong_answer() {
    let folder = tempfile::tempdir().unwrap();
    let mut runs = open(folder.path(), 99).runs;
    let mut mixed = entries(1, 30);
    mixed.segments.reverse();
    runs.take_over(mixed).unwrap();
    until(|| runs.find(hash_of(99)).is_err());
}

#[test]
fn entries_that_go_back_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut runs = open(folder.path(), 99).runs;
    runs.take_over(entries(1, 30)).unwrap();
    assert!(runs.take_over(entries(1, 29)).is_err());
    runs.take_over(recent([], 30)).unwrap();
    assert!(lost(&mut runs, 30).is_empty());
}

#[test]
fn a_worker_that_was_taken_over_from_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let mut old = open(folder.path(), 10_000).runs;
    old.take_over(entries(1, 100)).unwrap();
    let manifest = || fs::read_to_string(folder.path().join("manifest")).unwrap();
    until(|| manifest().contains("\nrun "));
    let mut new = open(folder.path(), 100);
    assert_eq!(new.covered_entry, 100);
    for round in 1..40 {
        let first = round * 100 + 1;
        old.take_over(entries(first, first + 99))
            .unwrap_or_default();
        new.runs.take_over(entries(first, first + 99)).unwrap();
    }
    assert!(lost(&mut new.runs, 4_000).is_empty());
    drop(old);
    drop(new);
    let mut again = open(folder.path(), 10_000);
    let covered = again.covered_entry as u64;
    assert!(lost(&mut again.runs, covered).is_empty());
}

#[test]
fn memory_is_bounded_and_lookups_stay_right_when_it_is_short() {
    const EACH: u64 = 2_000;
    const BUFFERS: u64 = 2 << 20;
    const BUDGET: u64 = 256 << 10;
    let folder = tempfile::tempdir().unwrap();
    let mut first = opening(folder.path(), i64::MAX);
    first.budget_bytes = BUFFERS + BUDGET;
    let mut runs = IdentityRuns::open(first).unwrap().runs;
    for round in 0..60 {
        let (first, last) = (round * EACH + 1, (round + 1) * EACH);
        runs.take_over(entries(first, last)).unwrap();
        // While a filter is made anew, it is there twice.
        let filter = runs.shared.view().filter.bytes();
        assert!(runs.memory_bytes() + filter <= BUDGET);
    }
    assert_eq!(runs.len(), 60 * EACH);
    assert!(lost(&mut runs, 60 * EACH).is_empty());
    assert_eq!(runs.find(hash_of(60 * EACH + 1)).unwrap(), None);
}

#[test]
fn dropping_does_not_wait_for_work() {
    let folder = tempfile::tempdir().unwrap();
    let mut runs = open(folder.path(), i64::MAX).runs;
    runs.take_over(entries(1, 200_000)).unwrap();
    let start = Instant::now();
    drop(runs);
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(open(folder.path(), i64::MAX).thrown_away, None);
}

/// Waits for the background thread, which no test can step.
fn until(mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "nothing happened"
        );
        thread::sleep(Duration::from_millis(2));
    }
}
