//! The cache of a data folder in a bucket: nothing stays in it that nobody needs.

use std::path::PathBuf;

use crate::bucket::{BUCKET, Bucket, events, files_below};
use crate::process::poll;
use crate::proxy::{Fate, Proxy};
use crate::support::s3::S3Server;

/// Files that wait for their upload, and the locks of those who wait.
fn waiting(bucket: &Bucket) -> Vec<PathBuf> {
    files_below(&bucket.cache().join("upload"))
}

#[test]
fn an_upload_that_is_killed_leaves_nothing_after_the_next_start() {
    let server = S3Server::shared();
    let proxy = Proxy::start(server.port());
    let bucket = Bucket::at(&server, proxy.port(), BUCKET);
    bucket.place.write("events.ndjson", events(4, 20));
    bucket.place.replay("events.ndjson");
    bucket.place.write("first.ndjson", "");
    bucket.replay("first.ndjson");
    assert_eq!(waiting(&bucket), [] as [PathBuf; 0], "after a clean run");

    let is_upload = |path: &str| path.contains("/ledger/day");
    proxy.rule(
        move |request| match request.method == "PUT" && is_upload(&request.path) {
            true => Fate::Hold,
            false => Fate::Pass,
        },
    );
    let replay = bucket.start(&["replay", "events.ndjson"]);
    poll(
        "an upload",
        || replay.log(),
        || (proxy.touched() > 0).then_some(()),
    );
    let left = waiting(&bucket);
    assert!(left.iter().any(|path| is_parquet(path)), "{left:?}");

    // Another process of this cache does not touch what one that lives is about to send.
    proxy.rule(|_| Fate::Pass);
    let other = Bucket::on(&server);
    let mut beside = other.command(&["replay", "--prices", "prices", "none.ndjson"]);
    other.place.write("none.ndjson", "");
    beside.env("PURSER_CACHE", bucket.cache());
    assert_eq!(other.start_command(beside).wait().code, Some(0));
    assert_eq!(waiting(&bucket), left);

    replay.kill9();
    assert_eq!(waiting(&bucket), left, "nobody was there to delete it");
    bucket.replay("events.ndjson");
    assert_eq!(waiting(&bucket), [] as [PathBuf; 0]);
    bucket.assert_same_as(&bucket.place);
}

fn is_parquet(path: &std::path::Path) -> bool {
    path.extension().is_some_and(|ending| ending == "parquet")
}

#[test]
fn an_upload_that_fails_leaves_nothing() {
    let server = S3Server::shared();
    let mut bucket = Bucket::on(&server);
    bucket.place.write("events.ndjson", events(2, 5));
    bucket.replay("events.ndjson");
    bucket.set("AWS_ACCESS_KEY_ID", "reader");
    bucket.place.write("events.ndjson", events(3, 5));
    assert_eq!(bucket.run(&["replay", "events.ndjson"]).code, Some(2));
    assert_eq!(waiting(&bucket), [] as [PathBuf; 0]);
}

#[test]
fn a_cache_that_is_lost_costs_nothing_but_time() {
    let server = S3Server::shared();
    let bucket = Bucket::on(&server);
    for days in [2, 4, 5] {
        bucket.place.write("events.ndjson", events(days, 20));
        bucket.replay("events.ndjson");
        bucket.place.replay("events.ndjson");
        std::fs::remove_dir_all(bucket.cache()).expect("a cache");
    }
    bucket.assert_same_as(&bucket.place);
}
