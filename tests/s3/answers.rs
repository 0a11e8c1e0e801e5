//! Answers that get lost, come late, or say that the server can't: every commit is done once.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::bucket::{BUCKET, Bucket, dice, events, rounds};
use crate::proxy::{Fate, Proxy, Request};
use crate::support::dice::Dice;
use crate::support::s3::S3Server;

const DAYS: usize = 12;
/// What a server that is too busy says.
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";

/// A way to the server with a proxy on it, and a file to replay.
fn world() -> (std::sync::Arc<S3Server>, Proxy, Bucket) {
    let server = S3Server::shared();
    let proxy = Proxy::start(server.port());
    let bucket = Bucket::at(&server, proxy.port(), BUCKET);
    bucket.place.write("events.ndjson", events(DAYS, 30));
    bucket.place.replay("events.ndjson");
    (server, proxy, bucket)
}

/// Whether a request would put an entry into the ledger's log.
fn is_commit(request: &Request) -> bool {
    let is_entry = request.path.contains("/ledger/_delta_log/") && request.path.ends_with(".json");
    request.method == "PUT" && is_entry
}

/// Commits meet `fate` when they are first tried.
fn first_tries(fate: Fate) -> impl FnMut(&Request) -> Fate {
    let mut seen = BTreeSet::new();
    move |request| match is_commit(request) && seen.insert(request.path.clone()) {
        true => fate.clone(),
        false => Fate::Pass,
    }
}

#[test]
fn a_commit_whose_answer_was_lost_is_found_done() {
    let (_server, proxy, bucket) = world();
    proxy.rule(first_tries(Fate::LoseAnswer));
    bucket.replay("events.ndjson");
    // The table itself, and a commit of each day.
    assert_eq!(proxy.touched(), 1 + DAYS);
    proxy.rule(|_| Fate::Pass);
    bucket.assert_same_as(&bucket.place);
}

#[test]
fn a_commit_whose_answer_never_comes_is_found_done() {
    let (_server, proxy, mut bucket) = world();
    bucket.set("AWS_TIMEOUT", "3 seconds");
    let mut tries = first_tries(Fate::HoldAnswer);
    let mut held = 0;
    proxy.rule(move |request| match tries(request) {
        Fate::HoldAnswer if held < 5 => {
            held += 1;
            Fate::HoldAnswer
        }
        _ => Fate::Pass,
    });
    let ended = bucket.run(&["replay", "--prices", "prices", "events.ndjson"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.log.contains("commit failed, trying again"),
        "{ended:?}"
    );
    assert_eq!(proxy.touched(), 5);
    bucket.assert_same_as(&bucket.place);
}

#[test]
fn a_server_that_is_busy_for_a_while_is_waited_for() {
    let (_server, proxy, bucket) = world();
    let mut commits = 0;
    let mut since = None;
    proxy.rule(move |request| {
        commits += usize::from(is_commit(request));
        if commits < 3 {
            return Fate::Pass;
        }
        let since = since.get_or_insert_with(Instant::now);
        match since.elapsed() < Duration::from_secs(5) {
            true => Fate::Answer(BUSY),
            false => Fate::Pass,
        }
    });
    let begun = Instant::now();
    bucket.replay("events.ndjson");
    assert!(begun.elapsed() > Duration::from_secs(5) && proxy.touched() > 3);
    bucket.assert_same_as(&bucket.place);
}

#[test]
fn a_server_that_stands_still_for_a_while_is_waited_for() {
    let (_server, proxy, mut bucket) = world();
    bucket.set("AWS_TIMEOUT", "1 second");
    proxy.rule(stands_still(3, Duration::from_secs(5)));
    let begun = Instant::now();
    bucket.replay("events.ndjson");
    assert!(begun.elapsed() > Duration::from_secs(5) && proxy.touched() > 3);
    bucket.assert_same_as(&bucket.place);
}

/// From the `nth` commit on, silence for so long.
fn stands_still(nth: usize, so_long: Duration) -> impl FnMut(&Request) -> Fate {
    let mut commits = 0;
    let mut since = None;
    move |request| {
        commits += usize::from(is_commit(request));
        if commits < nth {
            return Fate::Pass;
        }
        let since = since.get_or_insert_with(Instant::now);
        match since.elapsed() < so_long {
            true => Fate::Hold,
            false => Fate::Pass,
        }
    }
}

#[test]
#[ignore = "two minutes of silence"]
fn a_server_that_stands_still_is_given_up_after_two_minutes() {
    let (_server, proxy, bucket) = world();
    proxy.rule(stands_still(3, Duration::from_secs(3_600)));
    let begun = Instant::now();
    let mut replay = bucket.command(&["replay", "--prices", "prices", "events.ndjson"]);
    let ended = crate::purser::ran(replay.output().expect("a run"));
    eprintln!("given up after {:?}: {}", begun.elapsed(), ended.err);
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(begun.elapsed() < Duration::from_secs(130), "{ended:?}");
    proxy.rule(|_| Fate::Pass);
    bucket.replay("events.ndjson");
    bucket.assert_same_as(&bucket.place);
}

#[test]
fn whatever_answers_get_lost_the_rows_are_the_same() {
    let mut dice = dice();
    for _ in 0..rounds(3) {
        let (_server, proxy, mut bucket) = world();
        bucket.set("AWS_TIMEOUT", "1 second");
        let mut fates = Dice::new(dice.below(u64::MAX));
        proxy.rule(move |_| match fates.below(24) {
            0 | 1 => Fate::LoseAnswer,
            2 => Fate::Answer(BUSY),
            3 => Fate::HoldAnswer,
            _ => Fate::Pass,
        });
        let mut starts = 1;
        loop {
            let ended = bucket.run(&["replay", "--prices", "prices", "events.ndjson"]);
            match ended.code {
                Some(0) => break,
                Some(2) if starts < 30 => starts += 1,
                _ => panic!("after {starts} starts: {ended:?}"),
            }
        }
        eprintln!("{} requests touched, {starts} starts", proxy.touched());
        proxy.rule(|_| Fate::Pass);
        bucket.replay("events.ndjson");
        bucket.assert_same_as(&bucket.place);
    }
}
