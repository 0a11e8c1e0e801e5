//! A bucket that can't be used: exit code 2 within seconds, and words that say what to set.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::bucket::{BUCKET, Bucket, events};
use crate::process::Ended;
use crate::proxy::{Fate, Proxy};
use crate::support::nats::NatsServer;
use crate::support::s3::S3Server;

/// What "within seconds" is on a busy machine.
const SECONDS: Duration = Duration::from_secs(12);

/// What Amazon says when a bucket is in another region.
const MOVED: &str = "HTTP/1.1 301 Moved Permanently\r\nContent-Length: 0\r\n\r\n";
const OTHER_REGION: &str = "HTTP/1.1 400 Bad Request\r\nContent-Length: 95\r\n\r\n\
    <Error><Code>AuthorizationHeaderMalformed</Code><Message>expecting 'eu-west-1'</Message></Error>";
const PAGE: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 19\r\n\r\n<html>hello</html>\n";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";

const KEYS: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];

/// Runs the program, which must soon end with 2 and say all of `words`.
fn assert_refused(bucket: &Bucket, arguments: &[&str], words: &[&str]) {
    let begun = Instant::now();
    let ended: Ended = bucket.run(arguments);
    let took = begun.elapsed();
    assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
    assert!(took < SECONDS, "{arguments:?} took {took:?}: {ended:?}");
    for word in words {
        assert!(
            ended.log.contains(word),
            "{arguments:?}: no {word:?} in {}",
            ended.log
        );
    }
    // One line, and no stack of causes that repeat each other.
    let lines = ended.log.lines().filter(|line| !line.is_empty());
    assert_eq!(lines.count(), 1, "{}", ended.log);
}

#[test]
fn what_is_wrong_with_the_environment_is_told_within_seconds() {
    let server = S3Server::shared();
    let replay = ["replay", "--prices", "prices", "events.ndjson"];
    let closed = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let closed = closed.local_addr().expect("its address").to_string();
    let closed = format!("http://{closed}");
    for (set, words) in [
        (
            &[("PURSER_DATA", "s3://nobody/made/it")][..],
            &["no such bucket", "NoSuchBucket"][..],
        ),
        (
            &[(KEYS[0], "nobody")],
            &["credentials are refused", KEYS[0], "InvalidAccessKeyId"],
        ),
        (
            &[(KEYS[1], "wrong")],
            &["credentials are refused", KEYS[1], "SignatureDoesNotMatch"],
        ),
        (&[(KEYS[1], "")], &["set both", KEYS[0], KEYS[1]]),
        (&[("AWS_ALLOW_HTTP", "")], &["AWS_ALLOW_HTTP=true"]),
        (
            &[("AWS_ENDPOINT_URL", &closed)],
            &["nobody answers there", "AWS_ENDPOINT_URL", &closed],
        ),
        (
            &[("AWS_ENDPOINT_URL", "http://s3.invalid")],
            &["nobody answers", "AWS_ENDPOINT_URL"],
        ),
    ] {
        let mut bucket = Bucket::on(&server);
        bucket.place.write("events.ndjson", events(1, 5));
        for (name, value) in set {
            bucket.set(name, value);
        }
        assert_refused(&bucket, &replay, words);
        assert_refused(&bucket, &["query", "SELECT 1"], words);
    }
}

#[test]
fn what_a_server_answers_is_told_within_seconds() {
    let server = S3Server::shared();
    for (fate, words) in [
        (Fate::Answer(MOVED), &["another region", "AWS_REGION"][..]),
        (
            Fate::Answer(OTHER_REGION),
            &["another region", "AWS_REGION", "eu-west-1"],
        ),
        (Fate::Answer(PAGE), &["no S3 server", "AWS_ENDPOINT_URL"]),
        (Fate::Answer(BUSY), &["the server fails"]),
        (Fate::Hold, &["nobody answers there"]),
    ] {
        let proxy = Proxy::start(server.port());
        let bucket = Bucket::at(&server, proxy.port(), BUCKET);
        proxy.rule(move |_| fate.clone());
        assert_refused(&bucket, &["balance", "c1"], words);
    }
}

#[test]
fn without_credentials_every_command_says_so_within_seconds() {
    let server = S3Server::shared();
    let broker = NatsServer::start();
    // A machine without a role: nobody answers where it would be asked for.
    let silent = Proxy::start(server.port());
    silent.rule(|_| Fate::Hold);
    let mut bucket = Bucket::on(&server);
    bucket.place.write("events.ndjson", events(1, 5));
    for key in KEYS {
        bucket.set(key, "");
    }
    bucket.set(
        "AWS_METADATA_ENDPOINT",
        &format!("http://127.0.0.1:{}", silent.port()),
    );
    for arguments in [
        &["replay", "--prices", "prices", "events.ndjson"][..],
        &["run", "--nats", &broker.url(), "--prices", "prices"],
        &["query", "SELECT 1"],
        &["maintain"],
        &["prices", "publish", "prices"],
    ] {
        assert_refused(
            &bucket,
            arguments,
            &["there are no credentials", KEYS[0], KEYS[1]],
        );
    }
    assert!(silent.touched() >= 5, "a role was asked for");
}

#[test]
fn who_may_only_read_is_told_so_at_once() {
    let server = S3Server::shared();
    let mut bucket = Bucket::on(&server);
    bucket.place.write("events.ndjson", events(2, 5));
    bucket.replay("events.ndjson");
    bucket.set(KEYS[0], "reader");
    bucket.place.write("events.ndjson", events(3, 5));
    bucket.place.replay("events.ndjson");
    let begun = Instant::now();
    let ended = bucket.run(&["replay", "events.ndjson"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.log.contains("AccessDenied"), "{ended:?}");
    assert!(begun.elapsed() < SECONDS, "{ended:?}");
    // Reading is enough for whoever asks.
    let rows = bucket.csv("SELECT count(*) FROM usage");
    assert_eq!(rows, "count(*)\n10\n");
    bucket.set(KEYS[0], "key");
    bucket.replay("events.ndjson");
    bucket.assert_same_as(&bucket.place);
}
