//! Receivers that are dead or slow, and processes and brokers that are killed.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::nats::free_port;
use crate::webhook::{Reply, Webhook};
use crate::world::{SECRET, World};

#[test]
fn a_dead_or_silent_receiver_holds_up_no_other() {
    let world = World::new();
    let (good, silent) = (Webhook::willing(), Webhook::start(|_, _| Reply::Hang));
    let refused = format!("http://127.0.0.1:{}/", free_port());
    let entry = |name: &str, url: &str| {
        format!(
            "[[webhook]]\nname = \"{name}\"\nurl = \"{url}\"\nsecret_env = \"S\"\ntimeout_seconds = 2\n"
        )
    };
    let file =
        entry("refused", &refused) + &entry("silent", &silent.url()) + &entry("good", &good.url());
    let file = world.write("notify.toml", &file);
    let mut command = world.command(&["--config", &file]);
    command.env("S", SECRET);
    let process = world.start(command);
    let ids: Vec<String> = (0..50).map(|number| format!("{number}")).collect();
    let alerts: Vec<_> = ids.iter().map(|id| ("acme", "used", id.as_str())).collect();
    let begun = Instant::now();
    world.publish(&alerts);
    good.wait_for(50, || process.log());
    world.wait_until_settled("good", || process.log());
    let took = begun.elapsed();
    // Each answer of the silent one would have taken two seconds.
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert!(!silent.calls().is_empty());
    for dead in ["refused", "silent"] {
        let info = world.consumer(dead);
        let left = u64::try_from(info.num_ack_pending).unwrap() + info.num_pending;
        assert_eq!(left, 50, "nothing of {dead} is lost");
    }
    let begun = Instant::now();
    process.stop();
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "a silent receiver holds up the end"
    );
}

#[test]
fn killed_between_request_and_acknowledgement_it_posts_again() {
    let world = World::new();
    let crm = Webhook::start(|number, _| match number {
        1 => Reply::Hang,
        _ => Reply::Status(200),
    });
    // So patient that it is killed before it could give up the request.
    let process = world.notify(&["--to", &crm.url(), "--name", "crm", "--timeout", "60s"]);
    world.publish(&[("acme", "used", "0")]);
    crm.wait_for(1, || process.log());
    world.publish(&[
        ("acme", "used", "1"),
        ("acme", "used", "2"),
        ("acme", "used", "3"),
    ]);
    crm.wait_for(4, || process.log());
    process.kill9();
    let process = world.notify(&["--to", &crm.url(), "--name", "crm", "--timeout", "1s"]);
    world.wait_until_settled("crm", || process.log());
    process.stop();
    let ids = crm.ids();
    let posted: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
    assert_eq!(posted, BTreeSet::from(["0", "1", "2", "3"]));
    assert!(ids.iter().filter(|id| *id == "0").count() >= 2, "{ids:?}");
    assert!(crm.calls().iter().all(|call| call.is_signed_with(SECRET)));
    assert!(world.letters().is_empty());
}

#[test]
fn asked_to_stop_it_finishes_the_request_at_hand() {
    let world = World::new();
    let crm = Webhook::start(|_, _| Reply::Late(Duration::from_secs(1), 200));
    let process = world.notify(&["--to", &crm.url(), "--name", "crm"]);
    world.publish(&[("acme", "used", "0f")]);
    crm.wait_for(1, || process.log());
    let ended = process.stop();
    assert!(ended.log.contains("alert delivered"), "{}", ended.log);
    let info = world.consumer("crm");
    assert_eq!((info.num_ack_pending, info.num_pending), (0, 0));
}

#[test]
fn a_broker_that_comes_back_is_read_on() {
    let mut world = World::new();
    let crm = Webhook::willing();
    let mut process = world.notify(&["--to", &crm.url(), "--name", "crm"]);
    world.publish(&[("acme", "used", "1")]);
    crm.wait_for(1, || process.log());
    world.wait_until_settled("crm", || process.log());
    world.server.kill9();
    process.wait_for("disconnected", 1);
    world.server.start_again();
    world.publish(&[("acme", "used", "2")]);
    // The killed broker may have forgotten that the first was dealt with.
    crate::process::poll(
        "the second alert",
        || process.log(),
        || crm.ids().contains(&"2".to_owned()).then_some(()),
    );
    process.stop();
}

#[test]
fn a_deleted_consumer_ends_it_with_a_word() {
    let world = World::new();
    let crm = Webhook::willing();
    let process = world.notify(&["--to", &crm.url(), "--name", "crm"]);
    world.delete_consumer("crm");
    let ended = process.wait();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let told = "consumer notify-crm of stream ALERTS was deleted";
    assert!(ended.log.contains(told), "{}", ended.log);
    let advice = "`nats consumer rm ALERTS notify-crm`";
    assert!(ended.log.contains(advice), "{}", ended.log);
}
