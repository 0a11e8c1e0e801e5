//! The background's work, step by step on one thread.

use super::*;

/// Four runs of 300 identities, all committed.
fn four_runs(folder: &Path) -> (IdentityRuns, Worker) {
    let (opened, mut worker) = prepared(opening(folder, 1_200));
    let mut runs = opened.runs;
    for round in 0..4 {
        runs.take_over(entries(round * 300 + 1, round * 300 + 300))
            .unwrap();
        assert_eq!(runs.runs() as u64, round);
        assert!(worker.turn().unwrap());
        // Takes note of the new view, so that the next one can be handed over.
        runs.find(hash_of(0)).unwrap();
        worker.shared.bury();
    }
    (runs, worker)
}

fn turns(runs: &mut IdentityRuns, worker: &mut Worker) {
    while worker.turn().unwrap() {
        runs.find(hash_of(0)).unwrap();
    }
}

#[test]
fn merging_drops_what_may_be_forgotten_and_deletes_the_old_files() {
    let folder = tempfile::tempdir().unwrap();
    let (mut runs, mut worker) = four_runs(folder.path());
    runs.forget(301, 1_200);
    runs.forget(300, 1_200);
    // Not before that row is committed.
    runs.forget(1_000, 1_201);
    turns(&mut runs, &mut worker);
    assert_eq!((runs.runs(), runs.len()), (1, 900));
    assert_eq!(lost(&mut runs, 1_200), Vec::from_iter(1..=300));
    // The run and the manifest.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    drop((runs, worker));
    assert_eq!(open(folder.path(), 1_200).covered_entry, 1_200);
}

#[test]
fn nothing_large_is_begun_while_the_caller_uses_an_old_view() {
    let folder = tempfile::tempdir().unwrap();
    let (mut runs, mut worker) = four_runs(folder.path());
    worker.shared.edit(|view| view.recent_is_filtered = true);
    for _ in 0..9 {
        worker.turn().unwrap();
    }
    assert_eq!(runs.runs(), 4);
    runs.find(hash_of(1)).unwrap();
    assert_eq!(runs.view.version, runs.shared.view().version);
    turns(&mut runs, &mut worker);
    assert_eq!(runs.runs(), 1);
}

#[test]
fn the_filter_grows_with_the_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (mut runs, mut worker) = four_runs(folder.path());
    turns(&mut runs, &mut worker);
    // 16 to 32 bits for each identity and those to come.
    let bytes = runs.shared.view().filter.bytes();
    assert!((2 * 1_200..=4 * 1_500 + 64).contains(&bytes), "{bytes}");
}

#[test]
fn dropped_runs_are_left_as_by_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let (opened, mut worker) = prepared(opening(folder.path(), 30));
    let mut runs = opened.runs;
    runs.take_over(entries(1, 30)).unwrap();
    drop(runs);
    assert_eq!(worker.shared.stopped(), Some(Stop::Abandoned));
    worker.work().unwrap();
    worker.turn().unwrap();
    assert!(worker.runs.is_empty());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
