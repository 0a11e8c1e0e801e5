//! Price versions through the command line.

use std::fs;

use crate::purser::{ALL_ROWS, PRICES, Place, usage};

const DAY_MICROS: i64 = 86_400_000_000;

/// The version `name`, in force from `from`, with another price.
fn version(name: &str, from: &str) -> String {
    let text = PRICES.replace("2026-01\"", &format!("{name}\""));
    let text = text.replace("2026-01-01T00:00:00Z", from);
    text.replace("credits = \"0.5\"", "credits = \"0.75\"")
}

/// A place whose ledger is at ten o'clock of the fifth of March.
fn place_at_work() -> Place {
    let place = Place::new();
    place.write(
        "events.ndjson",
        usage("first", "acme", "05T10:00:00Z") + "\n",
    );
    place.replay("events.ndjson");
    place
}

#[test]
fn a_version_is_published_once_and_never_changes() {
    let place = Place::new();
    let published = place.done(&["prices", "publish", "prices"]);
    assert_eq!(published, "2026-01: published\n");
    let again = place.done(&["prices", "publish", "prices"]);
    assert_eq!(again, "2026-01: was published before\n");
    let kept = fs::read_to_string(place.path("data/prices/2026-01.toml")).expect("a file");
    assert_eq!(kept, PRICES);

    for other in [
        PRICES.replace("0.5\"", "0.6\""),
        PRICES.replace("2026-01-01T", "2027-01-01T"),
        format!("{PRICES}# a comment\n"),
    ] {
        place.write("prices/2026-01.toml", other);
        let ran = place.run(&["prices", "publish", "prices"]);
        assert_eq!(ran.code, 2, "{}", ran.out);
        let words = [
            "`2026-01` was published with other content",
            "new `version`",
        ];
        assert!(
            words.iter().all(|word| ran.err.contains(word)),
            "{}",
            ran.err
        );
        let replayed = place.run(&["replay", "--prices", "prices", "-"]);
        assert_eq!(replayed.code, 2, "replay holds to it too: {}", replayed.out);
    }
    let kept = fs::read_to_string(place.path("data/prices/2026-01.toml")).expect("a file");
    assert_eq!(kept, PRICES);
}

#[test]
fn a_version_must_be_published_before_it_is_in_force() {
    let place = place_at_work();
    for (from, is_in_time) in [
        ("2026-02-01T00:00:00Z", false),
        ("2026-03-05T10:00:00Z", false),
        ("2026-03-05T10:15:00Z", false),
        ("2026-03-05T10:15:01Z", true),
    ] {
        place.write("prices/next.toml", version("next", from));
        let ran = place.run(&["prices", "publish", "prices"]);
        assert_eq!(
            ran.code,
            if is_in_time { 0 } else { 2 },
            "{from}: {}{}",
            ran.out,
            ran.err
        );
        let there = place.path("data/prices/next.toml").is_file();
        assert_eq!(there, is_in_time, "{from}");
        if !is_in_time {
            let words = ["`next`", "2026-03-05T10:00:00", "more than 15 minutes"];
            assert!(
                words.iter().all(|word| ran.err.contains(word)),
                "{from}: {}",
                ran.err
            );
        }
    }
    // It prices what is used from then on, and nothing before.
    let more = [("second", "05T10:15:00Z"), ("third", "05T10:15:01Z")];
    let more = more
        .map(|(id, time)| usage(id, "acme", time) + "\n")
        .concat();
    let known = usage("first", "acme", "05T10:00:00Z");
    place.write("events.ndjson", format!("{known}\n{more}"));
    place.done(&["replay", "events.ndjson"]);
    let charges = "SELECT event_id, price_version, credits FROM usage ORDER BY entry";
    let expected = "event_id,price_version,credits\nfirst,2026-01,1.000000\n\
                    second,2026-01,1.000000\nthird,next,1.500000\n";
    assert_eq!(place.csv(charges), expected);
}

#[test]
fn a_version_that_was_put_there_late_by_hand_stops_the_replay() {
    let place = place_at_work();
    let rows = place.csv(ALL_ROWS);
    place.write(
        "data/prices/hand.toml",
        version("hand", "2026-03-05T09:00:00Z"),
    );
    let more = [
        usage("first", "acme", "05T10:00:00Z"),
        usage("second", "acme", "06T10:00:00Z"),
    ];
    place.write("events.ndjson", more.join("\n"));
    let ran = place.run(&["replay", "events.ndjson"]);
    assert_eq!(ran.code, 2, "{}", ran.out);
    let words = [
        "price version `hand` took effect before",
        "take it out of the price folder",
    ];
    assert!(
        words.iter().all(|word| ran.err.contains(word)),
        "{}",
        ran.err
    );
    fs::remove_file(place.path("data/prices/hand.toml")).expect("removed");
    assert_eq!(place.csv(ALL_ROWS), rows, "nothing was written");
    place.done(&["replay", "events.ndjson"]);
}

#[test]
fn a_version_that_is_missing_stops_the_replay() {
    let place = place_at_work();
    fs::remove_file(place.path("data/prices/2026-01.toml")).expect("removed");
    place.write(
        "data/prices/next.toml",
        version("next", "2026-05-01T00:00:00Z"),
    );
    let ran = place.run(&["replay", "events.ndjson"]);
    assert_eq!(ran.code, 2, "{}", ran.out);
    assert!(
        ran.err.contains("2026-01"),
        "names the version: {}",
        ran.err
    );
}

#[test]
fn faulty_files_are_told_with_file_and_line_and_publish_nothing() {
    let place = Place::new();
    let checked = place.done(&["prices", "check", "prices"]);
    assert_eq!(
        checked,
        "2026-01 from 2026-01-01T00:00:00.000000Z: 1 prices, 1 plans\n"
    );
    let text = PRICES.replace("credits = \"0.5\"", "credits = 0.5");
    place.write("prices/2026-01.toml", text.replace("fee =", "fees ="));
    place.write("prices/other.toml", "version = [\n");
    let checked = place.run(&["prices", "check", "prices"]);
    assert_eq!(
        (checked.code, checked.out.as_str()),
        (1, ""),
        "{}",
        checked.err
    );
    for place in ["2026-01.toml:12: ", "2026-01.toml:18: ", "other.toml:1: "] {
        assert!(checked.err.contains(place), "{place} in {}", checked.err);
    }
    let published = place.run(&["prices", "publish", "prices"]);
    assert_eq!(published.code, 2, "{}", published.out);
    assert!(
        published.err.contains("2026-01.toml:12: "),
        "{}",
        published.err
    );
    assert!(!place.path("data/prices").exists(), "nothing was published");
}

/// What the duplicate filter has forgotten under the shorter window it must learn again.
#[test]
fn a_version_with_a_longer_window_is_met_by_a_filter_of_that_window() {
    let place = place_at_work();
    let window = |place: &Place| {
        let manifest = fs::read_to_string(place.path("data/cache/identities/0/manifest"));
        let manifest = manifest.expect("a manifest");
        let line = manifest
            .lines()
            .find_map(|line| line.strip_prefix("window "));
        line.expect("its window").parse::<i64>().expect("a number")
    };
    assert_eq!(window(&place), 35 * DAY_MICROS);
    let longer = version("2026-03", "2026-03-05T10:30:00Z");
    let longer = longer.replace("[[cost]]", "[rules]\nwindow_days = 60\n\n[[cost]]");
    place.write("prices/2026-03.toml", longer);
    place.write("more.ndjson", usage("more", "acme", "05T11:00:00Z") + "\n");
    place.replay("more.ndjson");
    assert_eq!(window(&place), 60 * DAY_MICROS);
}
