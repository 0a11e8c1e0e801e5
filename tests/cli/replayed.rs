//! Replaying again: the same file, one that grew, and one that is another now.

use std::collections::BTreeSet;
use std::fs;

use crate::purser::{ALL_ROWS, Place, usage};

/// `count` events, the first one numbered `first`, some hours apart from the fifth of March on.
fn events(first: usize, count: usize) -> String {
    let line = |number: usize| {
        let hours = number * 7;
        let time = format!("{:02}T{:02}:00:00Z", 5 + hours / 24, hours % 24);
        usage(&format!("e{number}"), "acme", &time) + "\n"
    };
    (first..first + count).map(line).collect()
}

#[test]
fn a_second_replay_changes_nothing() {
    let place = Place::new();
    place.write("events.ndjson", events(0, 40) + "broken\n");
    let first = place.replay("events.ndjson");
    assert!(first.contains("41 lines became"), "{first}");
    let (rows, commits) = (place.csv(ALL_ROWS), place.commits());
    for _ in 0..2 {
        let again = place.done(&["replay", "events.ndjson"]);
        let expected = "file:events.ndjson: 0 lines (and 41 that were known) became 0 entries, \
                        0 alerts\n";
        assert_eq!(again, expected);
    }
    assert_eq!(place.commits(), commits, "no version was added");
    assert_eq!(place.csv(ALL_ROWS), rows);
}

#[test]
fn a_file_that_grew_continues_where_it_stopped() {
    let whole = Place::new();
    whole.write("events.ndjson", events(0, 40));
    whole.replay("events.ndjson");

    let place = Place::new();
    for lines in [1, 2, 17, 18, 40] {
        place.write("events.ndjson", events(0, lines));
        place.replay("events.ndjson");
        place.check_whole("events.ndjson", lines);
    }
    assert_eq!(place.csv(ALL_ROWS), whole.csv(ALL_ROWS));
    // A compressed copy under the same name is the same source.
    let zstd = zstd::encode_all(events(0, 40).as_bytes(), 1).expect("in memory");
    place.write("same.zst", zstd);
    let source = ["--source", "file:events.ndjson"];
    let again = place.done(&[&["replay", "same.zst"], &source[..]].concat());
    assert!(
        again.contains("0 lines (and 40 that were known)"),
        "{again}"
    );
}

#[test]
fn a_file_with_other_content_is_refused() {
    let good = |id| usage(id, "acme", "05T10:00:00Z");
    for (last, other, words) in [
        (
            good("mine"),
            good("theirs"),
            ["ledger: event `mine`", "now: event `theirs`"],
        ),
        (
            good("mine"),
            good("mine").replace(":700", ":701"),
            ["event `mine`", "event `mine`"],
        ),
        (
            good("mine"),
            "broken".to_owned(),
            ["ledger: event `mine`", "now: broken"],
        ),
        (
            "broken".to_owned(),
            good("mine"),
            ["ledger: broken", "now: event `mine`"],
        ),
        (
            "broken".to_owned(),
            "other".to_owned(),
            ["ledger: broken", "now: other"],
        ),
        (
            good("first"),
            good("other"),
            ["ledger: event `first`", "now: event `other`"],
        ),
    ] {
        let place = Place::new();
        let first = good("first");
        place.write("events.ndjson", format!("{first}\n{last}\n"));
        place.replay("events.ndjson");
        let commits = place.commits();
        place.write(
            "events.ndjson",
            format!("{first}\n{other}\n{}\n", good("third")),
        );
        let ran = place.run(&["replay", "events.ndjson"]);
        assert_eq!(ran.code, 2, "{last} / {other}: {}", ran.out);
        let both = words.iter().all(|word| ran.err.contains(word));
        let named = ran.err.contains("message 2 of file:events.ndjson");
        assert!(both && named, "{last} / {other}: {}", ran.err);
        assert!(ran.err.contains("--data"), "the way out: {}", ran.err);
        assert_eq!(place.commits(), commits, "nothing was written");
    }
}

#[test]
fn a_shorter_file_is_refused() {
    let place = Place::new();
    place.write("events.ndjson", events(0, 9));
    place.replay("events.ndjson");
    for lines in [8, 1, 0] {
        place.write("events.ndjson", events(0, lines));
        let ran = place.run(&["replay", "events.ndjson"]);
        assert_eq!(ran.code, 2);
        let expected = format!("ends at line {lines}, but");
        let named = ran.err.contains(&expected) && ran.err.contains("up to line 9");
        assert!(named && ran.err.contains("--source"), "{}", ran.err);
    }
    place.check_whole("events.ndjson", 9);
}

#[test]
fn another_source_is_another_file() {
    let place = Place::new();
    place.write("events.ndjson", events(0, 9));
    place.replay("events.ndjson");
    place.write("copy.ndjson", events(0, 12));
    place.replay("copy.ndjson");
    place.check_whole("copy.ndjson", 12);
    // What both files hold is charged once.
    let kinds = "SELECT count(*) FROM ledger WHERE source = 'file:copy.ndjson' AND kind = ";
    assert_eq!(place.number(&format!("{kinds} 'duplicate'")), 9);
    assert_eq!(place.number(&format!("{kinds} 'usage'")), 3);
}

#[test]
fn each_day_is_one_partition_and_each_commit_adds_to_one() {
    let place = Place::new();
    place.write("events.ndjson", events(0, 40));
    place.replay("events.ndjson");
    let commits = place.commits();
    let mut days = BTreeSet::new();
    // The first entry makes the table.
    for actions in &commits[1..] {
        let of = |kind: &str| -> Vec<&serde_json::Value> {
            actions
                .iter()
                .filter_map(|action| action.get(kind))
                .collect()
        };
        let adds = of("add");
        let day = adds[0]["partitionValues"]["day"].as_str().expect("a day");
        let all_there = adds.iter().all(|add| add["partitionValues"]["day"] == day);
        assert!(all_there, "one commit, one partition: {actions:?}");
        assert!(days.insert(day.to_owned()), "{day} was committed twice");
        assert_eq!(of("txn").len(), 2, "fence and position: {actions:?}");
        assert!(of("remove").is_empty() && of("metaData").is_empty());
    }
    // 40 events, 7 hours apart.
    let expected: BTreeSet<String> = (5..=16).map(|day| format!("2026-03-{day:02}")).collect();
    assert_eq!(days, expected);
    let entries = fs::read_dir(place.path("data/ledger")).expect("the table");
    let folders = entries.map(|entry| entry.expect("an entry").file_name());
    let folders: BTreeSet<String> = folders
        .filter_map(|name| name.to_str()?.strip_prefix("day=").map(str::to_owned))
        .collect();
    assert_eq!(folders, expected);
    let wrong = "SELECT count(*) FROM ledger WHERE day <> CAST(received_at AS DATE)";
    assert_eq!(place.number(wrong), 0);
}
