//! What cannot be done, and what the answer no looks like: exit codes and words.

use crate::purser::{Place, usage};

/// Runs a command that must fail with `code`, and say all of `words` on standard error alone.
fn refused(place: &Place, arguments: &[&str], code: i32, words: &[&str]) {
    let ran = place.run(arguments);
    assert_eq!(ran.code, code, "{arguments:?}: {}{}", ran.out, ran.err);
    assert_eq!(ran.out, "", "{arguments:?}");
    for word in words {
        assert!(
            ran.err.contains(word),
            "{arguments:?}: no {word:?} in {}",
            ran.err
        );
    }
    assert!(!ran.err.contains("panicked"), "{arguments:?}: {}", ran.err);
}

#[test]
fn what_is_missing_is_named_with_the_way_out() {
    let place = Place::new();
    place.write("events.ndjson", usage("first", "acme", "05T10:00:00Z"));
    let no_file = ["replay", "--prices", "prices", "nothing.ndjson"];
    refused(
        &place,
        &no_file,
        2,
        &["could not read nothing.ndjson", "No such file"],
    );
    let way_out = ["no price file in", "purser prices publish", "--prices"];
    refused(&place, &["replay", "events.ndjson"], 2, &way_out);
    let empty = ["replay", "--prices", "data", "events.ndjson"];
    refused(&place, &empty, 2, &["data"]);
    for command in [
        &["query", "SELECT 1"][..],
        &["balance", "acme"],
        &["signals"],
        &["invoice", "--period", "2026-03"],
    ] {
        let words = [
            "there is no ledger in",
            "purser replay",
            "purser run",
            "--data",
        ];
        refused(&place, command, 2, &words);
    }
    assert!(!place.path("data/ledger").exists(), "nothing was made");
    refused(&place, &["prices", "check", "nowhere"], 2, &["nowhere"]);
    refused(&place, &["prices", "publish", "nowhere"], 2, &["nowhere"]);
    let unknown = ["--data", "gs://bucket/folder", "query", "SELECT 1"];
    refused(
        &place,
        &unknown,
        2,
        &["gs://bucket/folder", "s3://bucket/folder"],
    );
    place.write("blocked", "a file where a folder should be");
    let blocked = [
        "--data",
        "blocked",
        "replay",
        "--prices",
        "prices",
        "events.ndjson",
    ];
    refused(&place, &blocked, 2, &["blocked"]);
}

#[test]
fn a_compressed_file_that_is_damaged_is_refused() {
    let place = Place::new();
    let line = usage("first", "acme", "05T10:00:00Z") + "\n";
    let zstd = zstd::encode_all(line.as_bytes(), 1).expect("in memory");
    place.write("cut.zst", &zstd[..zstd.len() - 9]);
    place.write("lie.gz", &line);
    for file in ["cut.zst", "lie.gz"] {
        refused(
            &place,
            &["replay", "--prices", "prices", file],
            2,
            &["could not read", file],
        );
    }
}

#[test]
fn the_answer_no_is_exit_code_one() {
    let place = Place::new();
    place.write("events.ndjson", usage("first", "acme", "05T10:00:00Z"));
    place.replay("events.ndjson");
    let ran = place.run(&["balance", "nobody", "--format", "csv"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("`nobody` has no wallet"), "{}", ran.err);
    let ran = place.run(&["invoice", "--period", "2020-01", "--format", "csv"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.err.contains("no period starts in 2020-01"),
        "{}",
        ran.err
    );
    assert!(place.done(&["balance", "acme"]).contains("99.0"));
    place.done(&["invoice", "--period", "2026-03"]);
    place.done(&["signals"]);
}

#[test]
fn a_statement_that_cannot_run_is_refused() {
    let place = Place::new();
    place.write("events.ndjson", usage("first", "acme", "05T10:00:00Z"));
    place.replay("events.ndjson");
    for (statement, word) in [
        ("SELEC 1", "SELEC"),
        ("SELECT * FROM nothing", "nothing"),
        ("SELECT nothing FROM ledger", "nothing"),
        ("SELECT $who", "who"),
        ("DROP TABLE ledger", "DDL"),
        ("DELETE FROM ledger", "DML"),
        ("INSERT INTO ledger SELECT * FROM ledger", "DML"),
        ("COPY ledger TO 'x.parquet'", "COPY"),
        ("SET datafusion.execution.batch_size = 1", ""),
        ("SELECT 1; SELECT 2", ""),
        ("", ""),
    ] {
        refused(&place, &["query", statement], 2, &[word]);
    }
    place.check_whole("events.ndjson", 1);
}

#[test]
fn a_command_line_that_makes_no_sense_is_refused_with_its_usage() {
    let place = Place::new();
    for (arguments, word) in [
        (&[][..], "Usage: purser"),
        (&["repaly"], "replay"),
        (&["replay"], "<FILES>..."),
        (&["replay", "--shards", "1/1", "a"], "INDEX below COUNT"),
        (&["replay", "--no-such-flag", "a"], "--no-such-flag"),
        (&["query"], "there is no statement"),
        (&["query", "gone.sql"], "reading gone.sql"),
        (&["report"], "--customer"),
        (&["query", "SELECT 1", "--format", "xml"], "ndjson"),
        (&["query", "SELECT 1", "--param", "x"], "name=value"),
        (&["invoice"], "--period"),
        (&["invoice", "--period", "2026-13"], "such as 2026-10"),
        (&["balance"], "<CUSTOMER>"),
        (&["prices"], "check"),
        (&["prices", "check"], "<FOLDER>"),
        (&["publish", "--batch", "0", "a"], "--batch"),
        (&["--log-format", "xml", "signals"], "json"),
    ] {
        refused(&place, arguments, 2, &[word]);
    }
    let two = ["replay", "--source", "s", "a", "b"];
    refused(&place, &two, 2, &["--source names one file"]);
    let stream = "USAGE@2026-03-05T10:00:00Z";
    place.write("a", "");
    let named = ["replay", "--prices", "prices", "--source", stream, "a"];
    refused(&place, &named, 2, &["looks like a stream"]);
}

#[test]
fn another_number_of_shards_is_refused() {
    let place = Place::new();
    place.write("events.ndjson", usage("first", "acme", "05T10:00:00Z"));
    place.replay("events.ndjson");
    place.write("other.ndjson", usage("second", "acme", "05T10:00:00Z"));
    let sharded = ["replay", "--shards", "0/2", "other.ndjson"];
    refused(&place, &sharded, 2, &["has 1 shards, not 2"]);
}
