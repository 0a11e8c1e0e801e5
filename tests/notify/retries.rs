//! Receivers that do not take an alert at once, or never.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::webhook::{Reply, Webhook};
use crate::world::{SECRET, World, body};

#[test]
fn what_was_not_taken_comes_again_with_the_same_id() {
    let world = World::new();
    let crm = Webhook::start(|number, _| match number {
        1 | 2 => Reply::Full(500, "", "try later"),
        _ => Reply::Status(200),
    });
    let process = world.notify(&["--to", &crm.url(), "--name", "crm"]);
    world.publish(&[("acme", "used", "0f")]);
    let calls = crm.wait_for(3, || process.log());
    world.wait_until_settled("crm", || process.log());
    let ended = process.stop();
    assert_eq!(crm.ids(), ["0f", "0f", "0f"]);
    assert!(calls.iter().all(|call| call.is_signed_with(SECRET)));
    assert!(
        ended.log.contains("answered 500: try later"),
        "{}",
        ended.log
    );
    assert!(world.letters().is_empty());
}

#[test]
fn one_alert_that_fails_does_not_hold_up_the_next() {
    let world = World::new();
    let crm = Webhook::start(|_, call| match call.id().as_str() {
        "bad" => Reply::Status(500),
        _ => Reply::Status(200),
    });
    let process = world.notify(&["--to", &crm.url(), "--name", "crm"]);
    world.publish(&[("acme", "used", "bad")]);
    crm.wait_for(2, || process.log());
    let ids: Vec<String> = (0..20).map(|number| format!("good-{number}")).collect();
    let alerts: Vec<_> = ids.iter().map(|id| ("acme", "used", id.as_str())).collect();
    world.publish(&alerts);
    crate::process::poll(
        "the good ones",
        || process.log(),
        || {
            let seen = crm.ids();
            ids.iter().all(|id| seen.contains(id)).then_some(())
        },
    );
    process.stop();
    assert!(world.letters().is_empty(), "it is still tried");
}

#[test]
fn a_receiver_that_asks_for_a_pause_gets_it() {
    let world = World::new();
    let crm = Webhook::start(|number, _| match number {
        1 => Reply::Full(429, "retry-after: 1\r\n", ""),
        _ => Reply::Status(200),
    });
    let more = ["--to", &crm.url(), "--name", "crm", "--longest-pause", "5s"];
    let process = world.notify(&more);
    world.publish(&[("acme", "used", "0f")]);
    let calls = crm.wait_for(2, || process.log());
    process.stop();
    let pause = calls[1].at - calls[0].at;
    assert!(pause >= Duration::from_millis(950), "{pause:?}");
}

#[test]
fn a_receiver_that_asks_for_a_rest_is_left_alone_by_a_burst() {
    let world = World::new();
    let first = OnceLock::new();
    let crm = Webhook::start(move |_, call| {
        let first: &Instant = first.get_or_init(|| call.at);
        if call.at - *first < Duration::from_secs(1) {
            Reply::Full(429, "retry-after: 2\r\n", "")
        } else {
            Reply::Status(200)
        }
    });
    let more = ["--to", &crm.url(), "--name", "crm", "--longest-pause", "5s"];
    let process = world.notify(&more);
    let ids: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    let alerts: Vec<_> = ids.iter().map(|id| ("acme", "used", id.as_str())).collect();
    world.publish(&alerts);
    crm.wait_for(21, || process.log());
    world.wait_until_settled("crm", || process.log());
    process.stop();
    let calls = crm.calls();
    let rest = calls[0].at + Duration::from_millis(1_900);
    let early = calls.iter().filter(|call| call.at < rest).count();
    // One for each of its four requests at a time.
    assert!(early <= 4, "{early} calls");
    let seen = crm.ids();
    assert!(ids.iter().all(|id| seen.contains(id)), "{seen:?}");
    assert!(world.letters().is_empty());
}

#[test]
fn a_receiver_that_is_mended_gets_what_it_refused() {
    let world = World::new();
    let crm = Webhook::start(|number, _| match number {
        1 => Reply::Status(404),
        2 => Reply::Status(401),
        3 => Reply::Status(403),
        4 => Reply::Status(407),
        _ => Reply::Status(200),
    });
    let process = world.notify(&["--to", &crm.url(), "--name", "crm"]);
    world.publish(&[("acme", "used", "0f")]);
    crm.wait_for(5, || process.log());
    world.wait_until_settled("crm", || process.log());
    process.stop();
    assert!(world.letters().is_empty());
}

#[test]
fn a_redirect_is_not_followed() {
    let world = World::new();
    let elsewhere = Webhook::willing();
    let location = format!("location: {}\r\n", elsewhere.url());
    let location: &'static str = Box::leak(location.into_boxed_str());
    let crm = Webhook::start(move |_, _| Reply::Full(307, location, ""));
    let process = world.notify(&["--to", &crm.url(), "--name", "crm"]);
    world.publish(&[("acme", "used", "0f")]);
    crm.wait_for(3, || process.log());
    process.stop();
    assert!(elsewhere.calls().is_empty());
}

#[test]
fn a_receiver_that_is_gone_makes_dead_letters_with_the_reason() {
    let world = World::new();
    let crm = Webhook::start(|_, call| match call.id().as_str() {
        "gone" => Reply::Full(410, "", "gone\r\nfor good"),
        "wrong" => Reply::Status(422),
        _ => Reply::Status(200),
    });
    let process = world.notify(&["--to", &crm.url(), "--name", "crm"]);
    world.publish(&[
        ("acme", "used", "gone"),
        ("acme", "used", "wrong"),
        ("acme", "used", "1"),
    ]);
    let letters = world.wait_for_letters(2, || process.log());
    world.wait_until_settled("crm", || process.log());
    process.stop();
    let letter = letters
        .iter()
        .find(|letter| letter.subject.ends_with(".gone"));
    let letter = letter.expect("the letter");
    assert_eq!(letter.subject, "dead.alerts.crm.gone");
    assert_eq!(letter.payload, body("acme", "used", "gone"));
    for (name, value) in [
        ("Purser-Receiver", "crm"),
        ("Purser-Reason", "answered 410: gone  for good"),
        ("Purser-Status", "410"),
        ("Purser-Attempts", "1"),
        ("Purser-Subject", "alerts.acme.used.gone"),
        ("content-type", "application/cloudevents+json"),
    ] {
        assert_eq!(letter.header(name), value, "{name}");
    }
    let mut ids = crm.ids();
    ids.sort();
    assert_eq!(ids, ["1", "gone", "wrong"], "each was posted once");
}

#[test]
fn what_is_never_taken_is_given_up() {
    let world = World::new();
    let crm = Webhook::start(|_, _| Reply::Status(503));
    let more = ["--to", &crm.url(), "--name", "crm", "--give-up-after", "1s"];
    let process = world.notify(&more);
    world.publish(&[("acme", "used", "0f")]);
    let letters = world.wait_for_letters(1, || process.log());
    world.wait_until_settled("crm", || process.log());
    process.stop();
    let [letter] = &letters[..] else {
        panic!("{letters:?}");
    };
    let reason = letter.header("Purser-Reason");
    let is_told = reason.starts_with("given up after ") && reason.contains(" s and attempt ");
    assert!(is_told, "{reason}");
    assert!(reason.ends_with(": answered 503"), "{reason}");
    let calls = crm.calls();
    assert!(calls.len() >= 8, "{} calls", calls.len());
    assert_eq!(letter.header("Purser-Attempts"), calls.len().to_string());
}

#[test]
fn what_is_rarely_tried_is_not_given_up_for_its_age() {
    let world = World::new();
    let crm = Webhook::start(|number, _| match number {
        1..=7 => Reply::Status(500),
        _ => Reply::Status(200),
    });
    let more = ["--to", &crm.url(), "--name", "crm", "--give-up-after", "0s"];
    let process = world.notify(&more);
    world.publish(&[("acme", "used", "0f")]);
    crm.wait_for(8, || process.log());
    world.wait_until_settled("crm", || process.log());
    process.stop();
    assert!(world.letters().is_empty());
}

#[test]
fn what_the_stream_is_about_to_drop_is_a_dead_letter_before() {
    let world = World::new();
    // Two pauses of 200 ms and 11 s for an attempt are left after 2.6 s.
    world.limit_age(Duration::from_secs(14));
    let crm = Webhook::start(|_, _| Reply::Status(500));
    let url = crm.url();
    let more = ["--to", &url, "--name", "crm", "--timeout", "1s"];
    let process = world.notify(&[&more[..], &["--give-up-after", "13s"]].concat());
    world.publish(&[("acme", "used", "0f")]);
    let letters = world.wait_for_letters(1, || process.log());
    world.wait_until_settled("crm", || process.log());
    process.stop();
    let reason = letters[0].header("Purser-Reason");
    let told = ", before the stream drops it: answered 500";
    assert!(reason.ends_with(told), "{reason}");
    assert_eq!(letters[0].payload, body("acme", "used", "0f"));
}

#[test]
fn what_can_not_be_signed_is_a_dead_letter() {
    let world = World::new();
    let crm = Webhook::willing();
    let process = world.notify(&["--to", &crm.url(), "--name", "crm"]);
    world.publish_raw(vec![(
        "alerts.acme.used.raw".to_owned(),
        b"\xff\xfe".to_vec(),
    )]);
    let letters = world.wait_for_letters(1, || process.log());
    process.stop();
    assert_eq!(letters[0].payload, b"\xff\xfe");
    let reason = letters[0].header("Purser-Reason");
    assert_eq!(reason, "can't be sent: its body is not UTF-8");
    assert!(crm.calls().is_empty());
}
