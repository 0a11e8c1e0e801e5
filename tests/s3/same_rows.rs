//! The same input gives the same ledger in a bucket as in a folder, and every command works on it.

use std::path::Path;
use std::process::Command;

use crate::bucket::{Bucket, assert_same_rows, events};
use crate::engines::python;
use crate::purser::{ALL_ROWS, ran};
use crate::support::s3::S3Server;

/// What another engine is asked too.
const SUMS: &str = "SELECT kind, count(*) AS n, sum(credits) AS credits, sum(delta) AS delta, \
    sum(amount) AS amount FROM ledger GROUP BY kind ORDER BY kind";

fn repository(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    path.display().to_string()
}

#[test]
fn the_story_in_a_bucket_is_the_story_in_a_folder() {
    let server = S3Server::shared();
    let bucket = Bucket::on(&server);
    let (prices, story) = (
        repository("fixtures/prices"),
        repository("fixtures/events/story.ndjson"),
    );
    let replay = ["replay", "--prices", &prices, &story];
    let both = |arguments: &[&str]| {
        let (local, remote) = (bucket.place.done(arguments), bucket.done(arguments));
        assert_eq!(local, remote, "{arguments:?}");
        local
    };
    both(&replay);
    let rows = both(&["query", ALL_ROWS, "--format", "csv"]);
    assert!(
        rows.lines().count() > 100,
        "lest both agree on nothing: {rows}"
    );
    let (version, sums) = read_by_python(&bucket);
    assert_eq!(sums, ours(&bucket));

    let again = both(&replay);
    assert!(
        again.contains("0 lines (and 109 that were known)"),
        "{again}"
    );
    assert_eq!(
        read_by_python(&bucket).0,
        version,
        "a second replay adds no version"
    );
    assert_same_rows(&rows, &bucket.csv(ALL_ROWS));

    both(&["balance", "birch"]);
    both(&["invoice", "--period", "2026-10", "--format", "json"]);
    both(&["signals", "--format", "csv"]);
    both(&["prices", "publish", &prices]);
    publish_more(&bucket, both);
    both(&["maintain"]);
    assert_same_rows(&rows, &bucket.csv(ALL_ROWS));
}

/// A version to come, then the same one with other content.
fn publish_more(bucket: &Bucket, both: impl Fn(&[&str]) -> String) {
    std::fs::create_dir(bucket.place.path("more")).expect("a folder");
    let known = repository("fixtures/prices/2026-10b.toml");
    let known = std::fs::read_to_string(known).expect("prices");
    let later = known.replace("version = \"2026-10b\"", "version = \"2099-01\"");
    let later = later.replace("effective_from = \"2026", "effective_from = \"2099");
    bucket.place.write("more/2099-01.toml", &later);
    both(&["prices", "publish", "more"]);
    let versions = both(&["query", "SELECT DISTINCT version FROM prices ORDER BY 1"]);
    assert!(versions.contains("2099-01"), "{versions}");
    bucket
        .place
        .write("more/2099-01.toml", later + "# changed\n");
    let refused = bucket.run(&["prices", "publish", "more"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(
        refused.log.contains("published with other content"),
        "{refused:?}"
    );
}

#[test]
fn maintenance_of_a_bucket_merges_files_and_changes_no_row() {
    let server = S3Server::shared();
    let bucket = Bucket::on(&server);
    let file = events(6, 20);
    // A day is read by two replays and more.
    let lines: Vec<&str> = file.split_inclusive('\n').collect();
    for upto in (10..=lines.len()).step_by(10) {
        bucket.place.write("events.ndjson", lines[..upto].concat());
        bucket.replay("events.ndjson");
    }
    bucket.place.write("events.ndjson", &file);
    bucket.replay("events.ndjson");
    bucket.place.replay("events.ndjson");
    bucket.assert_same_as(&bucket.place);
    let told = bucket.done(&["maintain"]);
    assert!(!told.starts_with("0 files"), "{told}");
    bucket.assert_same_as(&bucket.place);
    assert_eq!(read_by_python(&bucket).1, ours(&bucket));
    let again = bucket.done(&["maintain"]);
    assert!(again.starts_with("0 files"), "{again}");
    // And the ledger goes on.
    let more: String = events(7, 20)
        .split_inclusive('\n')
        .skip(lines.len())
        .collect();
    bucket.place.write("events.ndjson", file.clone() + &more);
    bucket.replay("events.ndjson");
    bucket.place.replay("events.ndjson");
    bucket.assert_same_as(&bucket.place);
}

fn ours(bucket: &Bucket) -> String {
    let csv = bucket.csv(SUMS);
    csv.split_once('\n').expect("a header").1.to_owned()
}

/// The ledger's version, and its sums by kind, as another engine sees them.
fn read_by_python(bucket: &Bucket) -> (String, String) {
    let mut read = Command::new(python());
    read.arg(repository("tests/s3/read.py"))
        .envs(bucket.environment());
    let theirs = ran(read.output().expect("python"));
    assert_eq!(theirs.code, 0, "{}", theirs.err);
    let (version, sums) = theirs.out.split_once('\n').expect("two parts");
    (version.to_owned(), sums.to_owned())
}
