//! A worker that is asked to stop finishes, commits, and ends well.

use std::thread::sleep;

use crate::input::{documents, file, mixed_lines, seed};
use crate::process::poll;
use crate::sums::{assert_one_message_an_alert, assert_same, assert_whole, sums};
use crate::support::dice::Dice;
use crate::world::{World, position};

#[test]
fn what_was_read_is_in_the_ledger_after_a_signal() {
    let seed = seed();
    let mut random = Dice::new(seed);
    let world = World::new();
    let events = world.write("events.ndjson", &file(&mixed_lines(seed, 8_000)));
    world.replay("replayed", &events);
    let publishing = world.start(world.publish_command(&events, &[]), "publish");
    let table = world.path("data").join("ledger");
    for signal in ["TERM", "INT", "TERM", "INT"] {
        let before = position(&table);
        let worker = world.worker("data", &["--commit-interval", "3600"]);
        sleep(random.millis(400));
        worker.signal(signal);
        let ended = worker.wait();
        assert_eq!(ended.code, Some(0), "{signal}: {ended:?}");
        let read = position(&table) - before;
        assert!(
            ended.out.starts_with(&format!("{read} messages became")),
            "{read}: {ended:?}"
        );
    }
    assert_eq!(publishing.wait().code, Some(0));
    world.work_until("data", 8_000, &[]);
    assert_whole(&world, "data", 8_000);
    assert_same(
        "after signals",
        &sums(&world, "replayed"),
        &sums(&world, "data"),
    );
}

#[test]
fn an_idle_worker_stops_too_and_starts_where_it_was() {
    let world = World::new();
    let worker = world.worker("data", &["--commit-interval", "3600"]);
    assert!(worker.stop().out.contains("0 messages became 0 entries"));
    let worker = world.worker("data", &["--commit-interval", "3600"]);
    world.send(&[("usage.acme", None, documents("acme", "1", 600).as_bytes())]);
    // The alert is how a test sees that the message was read.
    poll(
        "the alert",
        || worker.log(),
        || (!world.alerts().is_empty()).then_some(()),
    );
    assert!(worker.stop().out.starts_with("1 messages became"));
    let worker = world.worker("data", &[]);
    assert!(worker.stop().out.contains("0 messages became 0 entries"));
    assert_whole(&world, "data", 1);
}

#[test]
fn a_worker_stops_also_when_the_broker_is_gone() {
    let mut world = World::new();
    let worker = world.worker("data", &["--commit-interval", "3600"]);
    let events = [documents("acme", "1", 600), documents("other", "2", 1)];
    world.send(
        &events
            .each_ref()
            .map(|event| ("batch.0", None, event.as_bytes())),
    );
    poll(
        "the alert",
        || worker.log(),
        || (!world.alerts().is_empty()).then_some(()),
    );
    world.server.kill9();
    worker.stop();
    world.server.start_again();
    world.work_until("data", 2, &[]);
    assert_whole(&world, "data", 2);
}

#[test]
fn an_alert_that_cannot_be_stored_does_not_hold_up_the_end() {
    let world = World::new();
    let mut worker = world.worker("data", &["--commit-interval", "3600"]);
    world.block_on(async {
        let jetstream = world.jetstream().await;
        jetstream.delete_stream("ALERTS").await.expect("deleted");
    });
    world.send(&[("usage.acme", None, documents("acme", "1", 600).as_bytes())]);
    worker.wait_for("alert not stored", 2);
    worker.signal("TERM");
    let ended = worker.wait();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert_eq!(
        position(&world.path("data").join("ledger")),
        0,
        "committed without its alert"
    );
    // The next start makes the stream, decides the same again, and sends it.
    world.work_until("data", 1, &[]);
    assert_whole(&world, "data", 1);
    assert_one_message_an_alert(&world, "data");
}
