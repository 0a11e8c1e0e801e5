//! Time without traffic: ticks; and requests for a wallet.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::input::{documents, now, text};
use crate::process::poll;
use crate::world::World;

/// Wallets whose grants end at one instant: five times what may fire before one message.
const TURNING: usize = 20_000;

/// A command of `customer`.
fn command(customer: &str, id: &str, kind: &str, data: &Value) -> String {
    json!({
        "specversion": "1.0", "id": id, "source": "/billing", "type": kind,
        "subject": customer, "data": data,
    })
    .to_string()
}

fn grant(customer: &str, seconds: i64) -> String {
    let expires_at = text(now().plus(seconds * 1_000_000));
    let data = json!({"credits": "5", "basis": "promotional", "expires_at": expires_at});
    command(customer, "g1", "purser.wallet.granted", &data)
}

#[test]
fn a_grant_of_a_wallet_without_traffic_expires_by_a_tick() {
    let world = World::new();
    let mut worker = world.worker("data", &[]);
    let usage = documents("acme", "e1", 1);
    world.send(&[
        ("usage.acme", None, usage.as_bytes()),
        ("wallet.acme", None, grant("acme", 2).as_bytes()),
    ]);
    let expired = "SELECT customer, grant_id, delta, idx FROM ledger WHERE kind = 'expire'";
    world.wait_for(
        "data",
        &mut worker,
        expired,
        "acme,/billing/g1,-5.000000,-1\n",
    );
    worker.stop();
    // The row came with a message of the stream, which is a tick.
    let woken = "SELECT t.kind FROM ledger AS t JOIN ledger AS e ON e.seq = t.seq
        WHERE e.kind = 'expire' AND t.idx = 0";
    assert_eq!(world.csv("data", woken), "tick\n");
    let verified = world.purser("data").arg("verify").output();
    assert_eq!(verified.expect("a run").status.code(), Some(0));
}

#[test]
fn what_falls_due_for_many_at_one_instant_does_not_hold_up_an_alert() {
    let world = World::new();
    let mut worker = world.worker("data", &[]);
    let lines: Vec<String> = (0..TURNING)
        .flat_map(|n| {
            let customer = format!("c{n}");
            let data = json!({"plan": "starter"});
            let opened = command(&customer, "o1", "purser.wallet.opened", &data);
            [opened, grant(&customer, 25)]
        })
        .collect();
    world.publish_lines("turning.ndjson", &lines);
    world.wait_for_position("data", world.messages(), &mut worker);
    let due = "SELECT count(*) FROM ledger WHERE kind = 'expire'";
    assert_eq!(
        world.csv("data", due),
        "0\n",
        "this machine is too slow for the test"
    );
    // Alerts while it happens: from before the instant until all has fired.
    let begun = Instant::now();
    let mut sent = 0;
    loop {
        let customer = format!("hot{sent}");
        let event = documents(&customer, "e1", 800);
        world.send(&[(&format!("usage.{customer}"), None, event.as_bytes())]);
        sent += 1;
        let all = format!("{TURNING}\n");
        if sent % 10 == 0 && world.csv("data", due) == all {
            break;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(120),
            "{}",
            worker.log()
        );
    }
    let alerts = poll(
        "the alerts",
        || worker.log(),
        || {
            let alerts = world.alerts();
            (alerts.len() >= 2 * sent).then_some(alerts)
        },
    );
    worker.stop();
    let times = "SELECT customer, received_at FROM ledger WHERE kind = 'alert'";
    assert_eq!(world.csv("data", times).lines().count(), alerts.len());
    // No message woke more than the bound.
    let most = "SELECT max(n) <= 4096 FROM
        (SELECT count(*) AS n FROM ledger WHERE kind = 'expire' GROUP BY seq)";
    assert_eq!(world.csv("data", most), "true\n");
}

/// Asks for a wallet.
fn ask(world: &World, customer: &str) -> Value {
    world.block_on(async {
        let client = async_nats::connect(world.server.url())
            .await
            .expect("connect");
        let subject = format!("purser.balance.{customer}");
        let answer = client.request(subject, "".into()).await.expect("an answer");
        serde_json::from_slice(&answer.payload).expect("JSON")
    })
}

#[test]
fn a_request_is_answered_from_memory_with_what_the_customer_may_do() {
    let world = World::new();
    let worker = world.worker("data", &["--commit-interval", "60"]);
    let ready = |customer: &str, seq: i64| {
        poll(
            "an answer as of the last message",
            || worker.log(),
            || {
                let answer = ask(&world, customer);
                (answer["as_of"]["seq"] == seq).then_some(answer)
            },
        )
    };
    let opened = command(
        "bob",
        "o1",
        "purser.wallet.opened",
        &json!({"plan": "capped"}),
    );
    let last = world.send(&[
        ("usage.acme", None, documents("acme", "e1", 250).as_bytes()),
        ("wallet.bob", None, opened.as_bytes()),
    ]);
    let acme = ready("acme", last);
    for (member, value) in [
        ("customer", json!("acme")),
        ("allowed", json!(true)),
        ("status", json!("ok")),
        ("balance", json!("750.000000")),
        ("used", json!("250.000000")),
        ("used_percent", json!("25.00")),
        ("plan", json!("starter")),
    ] {
        assert_eq!(acme[member], value, "{member} of {acme}");
    }
    // Nothing is committed yet: it is the engine that answers.
    assert_eq!(world.csv("data", "SELECT count(*) FROM ledger"), "0\n");
    assert_eq!(ready("bob", last)["allowed"], true);
    let spent = documents("bob", "e1", 101);
    let last = world.send(&[("usage.bob", None, spent.as_bytes())]);
    let bob = ready("bob", last);
    assert_eq!(
        (&bob["status"], &bob["allowed"]),
        (&json!("blocked"), &json!(false))
    );
    let data = json!({"credits": "10", "basis": "purchased"});
    let more = command("bob", "g1", "purser.wallet.granted", &data);
    let last = world.send(&[("wallet.bob", None, more.as_bytes())]);
    let bob = ready("bob", last);
    assert_eq!(
        (&bob["status"], &bob["allowed"]),
        (&json!("ok"), &json!(true))
    );
    let closed = command("bob", "c1", "purser.wallet.closed", &json!({}));
    let last = world.send(&[("wallet.bob", None, closed.as_bytes())]);
    let bob = ready("bob", last);
    assert_eq!(
        (&bob["status"], &bob["allowed"]),
        (&json!("closed"), &json!(false))
    );
    // A customer who comes for the first time gets the default plan.
    let new = ask(&world, "somebody");
    assert_eq!(
        (&new["status"], &new["allowed"]),
        (&json!("new"), &json!(true))
    );
    worker.stop();
}

#[test]
fn a_charge_is_taken_back_whether_or_not_it_is_committed() {
    let world = World::new();
    let worker = world.worker("data", &["--commit-interval", "60"]);
    let reverse = |id: &str, of: &str| {
        let data = json!({"source": "/test", "id": of, "reason": "a mistake"});
        command("acme", id, "purser.usage.reversed", &data)
    };
    world.send(&[
        ("usage.acme", None, documents("acme", "e1", 10).as_bytes()),
        ("usage.acme", None, documents("acme", "e2", 20).as_bytes()),
        // Of the same batch.
        ("wallet.acme", None, reverse("r1", "e2").as_bytes()),
        // Committed, for the reversal before was looked up.
        ("wallet.acme", None, reverse("r2", "e1").as_bytes()),
        ("wallet.acme", None, reverse("r3", "e1").as_bytes()),
        ("wallet.acme", None, reverse("r4", "none").as_bytes()),
    ]);
    let last = world.last_seq("USAGE");
    poll(
        "the last message",
        || worker.log(),
        || (ask(&world, "acme")["as_of"]["seq"] == last).then_some(()),
    );
    assert_eq!(ask(&world, "acme")["balance"], "1000.000000");
    worker.stop();
    let rows = "SELECT event_id, kind, credits, delta, reason FROM ledger
        WHERE idx = 0 AND event_id LIKE 'r%' ORDER BY entry";
    assert_eq!(
        world.csv("data", rows),
        "r1,reversal,-20.000000,20.000000,a mistake\n\
         r2,reversal,-10.000000,10.000000,a mistake\n\
         r3,duplicate,,,\n\
         r4,rejected,,,unknown_event\n"
    );
    let verified = world.purser("data").arg("verify").output();
    assert_eq!(verified.expect("a run").status.code(), Some(0));
}
