//! Alerts: one message for each row, at once, and before the commit.

use serde_json::json;

use crate::input::documents;
use crate::process::poll;
use crate::sums::assert_one_message_an_alert;
use crate::world::{World, log_entries};

#[test]
fn a_crossing_is_told_within_a_second_and_before_its_commit() {
    let world = World::new();
    let worker = world.worker("data", &["--commit-interval", "60"]);
    let commits = log_entries(&world.path("data/ledger")).len();
    let event = documents("acme", "e1", 799);
    world.send(&[("usage.acme", None, event.as_bytes())]);
    let alerts = poll(
        "an alert",
        || worker.log(),
        || {
            let alerts = world.alerts();
            (!alerts.is_empty()).then_some(alerts)
        },
    );
    assert_eq!(
        log_entries(&world.path("data/ledger")).len(),
        commits,
        "committed already"
    );
    assert_eq!(world.csv("data", "SELECT COUNT(*) FROM ledger"), "0\n");

    let (stored, _, body) = &alerts[0];
    let sent = world.block_on(async {
        let stream = world
            .jetstream()
            .await
            .get_stream("USAGE")
            .await
            .expect("USAGE");
        stream
            .get_raw_message(1)
            .await
            .expect("the usage")
            .time
            .unix_timestamp_nanos()
    });
    assert!(
        stored - sent < 1_000_000_000,
        "{} ns after its cause",
        stored - sent
    );
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    for (member, value) in [
        ("customer", json!("acme")),
        ("threshold", json!(50)),
        ("event_id", json!("e1")),
        ("plan", json!("starter")),
        ("pool", json!("1000.000000")),
        ("used", json!("799.000000")),
        ("used_percent", json!("79.90")),
        ("balance", json!("201.000000")),
        ("pace_per_day", json!("799.000000")),
        ("fitting_plan", json!("team")),
    ] {
        assert_eq!(body["data"][member], value, "{member} of {body}");
    }
    assert_eq!(body["type"], "purser.alert.used");
    let run_out = body["data"]["run_out_date"].as_str().expect("a day");
    assert_eq!(run_out.len(), "2026-01-01".len(), "{run_out}");

    // Several thresholds by one event are several messages; a threshold is told once.
    let more = [documents("acme", "e2", 500), documents("acme", "e3", 1)];
    world.send(
        &more
            .each_ref()
            .map(|event| ("usage.acme", None, event.as_bytes())),
    );
    poll(
        "four alerts",
        || worker.log(),
        || (world.alerts().len() >= 4).then_some(()),
    );
    worker.stop();
    assert_one_message_an_alert(&world, "data");
    assert_eq!(world.alerts().len(), 4);
    let rows = "SELECT reason, event_id FROM ledger WHERE kind = 'alert' ORDER BY entry";
    assert_eq!(
        world.csv("data", rows),
        "used 50,e1\nused 80,e2\nused 100,e2\noverage,e2\n"
    );
}
