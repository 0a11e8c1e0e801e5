//! The server is killed and comes back: work goes on exactly where it was.

use std::thread::sleep;
use std::time::{Duration, Instant};

use purser::domain::units::Timestamp;

use crate::bucket::{BUCKET, Bucket, assert_same_rows, dice, event, events, rounds};
use crate::process::{Process, poll};
use crate::purser::ALL_ROWS;
use crate::support::nats::NatsServer;
use crate::support::s3::S3Server;

/// What a replay or a worker that gives up says.
const SAID: [&str; 3] = ["can't use s3://", "could not upload", "could not commit"];

/// Days of the replayed file, each a commit.
const DAYS: usize = 60;

#[test]
fn a_server_killed_while_a_replay_commits_loses_and_repeats_nothing() {
    let mut dice = dice();
    let mut server = S3Server::start();
    let file = events(DAYS, 20);
    let (mut by_itself, mut again) = (0, 0);
    for _ in 0..rounds(3) {
        let bucket = Bucket::on(&server);
        bucket.place.write("events.ndjson", &file);
        bucket.place.replay("events.ndjson");
        let mut replay = bucket.start(&["replay", "--prices", "prices", "events.ndjson"]);
        // From the making of the ledger on, with commits still to come.
        let entry = bucket.log_entry(dice.below(DAYS as u64 / 2));
        while !server.has(BUCKET, &entry) {
            assert!(
                replay.is_running(),
                "ended without {entry}: {}",
                replay.log()
            );
            sleep(Duration::from_millis(1));
        }
        sleep(dice.millis(50));
        server.kill9();
        sleep(dice.millis(1_500));
        server.start_again();
        let mut ended = replay.wait();
        while ended.code != Some(0) {
            assert_eq!(ended.code, Some(2), "{ended:?}");
            assert!(
                SAID.iter().any(|said| ended.log.contains(said)),
                "{ended:?}"
            );
            again += 1;
            ended = bucket.run(&["replay", "--prices", "prices", "events.ndjson"]);
        }
        by_itself += 1;
        bucket.assert_same_as(&bucket.place);
    }
    eprintln!("{by_itself} replays ended well, after {again} that were started again");
}

#[test]
fn a_server_killed_under_a_worker_loses_and_repeats_nothing() {
    const LINES: usize = 4_000;
    let mut dice = dice();
    let mut server = S3Server::start();
    let broker = NatsServer::start();
    let bucket = Bucket::on(&server);
    let url = broker.url();
    let run = [
        "run",
        "--nats",
        &url,
        "--prices",
        "prices",
        "--commit-interval",
        "1",
    ];
    let run = [
        &run[..],
        &["--checkpoint-interval", "1", "--log-level", "debug"],
    ]
    .concat();
    let start = || {
        let mut worker = bucket.start(&run);
        worker.wait_for("reading", 1);
        worker
    };
    let mut worker = start();
    let mut published = 0;
    for round in 0..rounds(3) {
        let file = format!("chunk-{round}.ndjson");
        bucket.place.write(&file, lines(published, LINES));
        published += LINES;
        let publish = bucket.start(&["publish", &file, "--nats", &url]);
        sleep(dice.millis(2_000));
        server.kill9();
        // The worker too, while there is nobody to tell.
        if round == 1 {
            worker.kill9();
            worker = bucket.start(&run);
            sleep(dice.millis(1_000));
            // Nothing was begun, so that it says what is wrong and ends.
            let ended = worker.wait();
            assert_eq!(ended.code, Some(2), "{ended:?}");
            assert!(ended.log.contains("nobody answers there"), "{ended:?}");
            server.start_again();
            worker = start();
        } else {
            sleep(dice.millis(3_000));
            server.start_again();
        }
        assert_eq!(publish.wait().code, Some(0));
        let count = published as i64;
        wait_for_rows(&bucket, count, &mut worker);
    }
    worker.stop();
    // The same stream into a folder, with nothing in the way.
    let mut local = bucket.command(&run);
    local.env("PURSER_DATA", bucket.place.path("data"));
    let mut undisturbed = bucket.start_command(local);
    undisturbed.wait_for("reading", 1);
    poll(
        "all rows",
        || undisturbed.log(),
        || {
            let rows = bucket.place.csv(READ);
            rows.ends_with(&format!("\n{published}\n")).then_some(())
        },
    );
    undisturbed.stop();
    assert_same_rows(&bucket.place.csv(ALL_ROWS), &bucket.csv(ALL_ROWS));
}

/// The last message of the stream that the ledger has rows of.
const READ: &str = "SELECT max(seq) FROM ledger WHERE source LIKE 'USAGE%'";

fn wait_for_rows(bucket: &Bucket, seq: i64, worker: &mut Process) {
    let end = Instant::now() + Duration::from_secs(90);
    loop {
        let ran = bucket.run(&["query", READ, "--format", "csv"]);
        if ran.out.ends_with(&format!("\n{seq}\n")) {
            return;
        }
        assert!(worker.is_running(), "the worker ended: {}", worker.log());
        assert!(Instant::now() < end, "{ran:?}\n{}", worker.log());
        sleep(Duration::from_millis(100));
    }
}

/// Usage of now, numbered from `first` on.
fn lines(first: usize, count: usize) -> String {
    let since = std::time::UNIX_EPOCH.elapsed().expect("after 1970");
    let now = Timestamp::new(since.as_micros() as i64);
    let line = |number| event(&format!("e{number}"), number, now) + "\n";
    (first..first + count).map(line).collect()
}
