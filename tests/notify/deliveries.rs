//! What receivers get when nothing goes wrong.

use serde_json::json;

use crate::webhook::{Reply, Webhook};
use crate::world::{OTHER_SECRET, SECRET, World, body};

#[test]
fn an_alert_comes_once_signed_and_as_it_was() {
    let world = World::new();
    let crm = Webhook::willing();
    let process = world.notify(&["--to", &crm.url(), "--name", "crm"]);
    world.publish(&[("acme", "used", "0f"), ("ünï/c", "used", "10")]);
    let calls = crm.wait_for(2, || process.log());
    world.wait_until_settled("crm", || process.log());
    for call in &calls {
        let customer = if call.id() == "0f" { "acme" } else { "ünï/c" };
        assert_eq!(call.body, body(customer, "used", &call.id()));
        assert!(call.is_signed_with(SECRET), "{call:?}");
        assert!(!call.is_signed_with(OTHER_SECRET), "{call:?}");
        assert_eq!(call.header("content-type"), "application/json");
        assert!(call.header("user-agent").starts_with("purser/"));
        assert_eq!(call.path, "/hook");
        let mut changed = call.clone();
        changed.body.push(b' ');
        assert!(!changed.is_signed_with(SECRET), "a changed body passes");
    }
    process.stop();
    // Started again it goes on behind them.
    let process = world.notify(&["--to", &crm.url(), "--name", "crm"]);
    world.publish(&[("acme", "used", "11")]);
    crm.wait_for(3, || process.log());
    process.stop();
    let mut ids = crm.ids();
    ids[..2].sort();
    assert_eq!(ids, ["0f", "10", "11"]);
    assert!(world.letters().is_empty());
}

#[test]
fn each_receiver_gets_what_its_filter_passes() {
    let world = World::new();
    let receivers = [(); 4].map(|()| Webhook::willing());
    let [all, used, acme, both] = &receivers;
    let entry = |name: &str, webhook: &Webhook, more: &str| {
        format!(
            "[[webhook]]\nname = \"{name}\"\nurl = \"{}\"\nsecret_env = \"S\"\n{more}\n",
            webhook.url()
        )
    };
    let file = [
        entry("all", all, ""),
        entry("used", used, "kinds = [\"used\", \"run_out\"]"),
        entry("acme", acme, "customers = [\"acme\"]"),
        entry(
            "both",
            both,
            "kinds = [\"used\"]\ncustomers = [\"acme\", \"a:b\"]",
        ),
    ];
    let file = world.write("notify.toml", &file.concat());
    let mut command = world.command(&["--config", &file]);
    command.env("S", OTHER_SECRET);
    let process = world.start(command);
    world.publish(&[
        ("acme", "used", "1"),
        ("acme", "status", "2"),
        ("globex", "used", "3"),
        ("globex", "run_out", "4"),
        ("a:b", "used", "5"),
        ("a:b", "overage", "6"),
    ]);
    let rows: [(&str, &Webhook, &[&str]); 4] = [
        ("all", all, &["1", "2", "3", "4", "5", "6"]),
        ("used", used, &["1", "3", "4", "5"]),
        ("acme", acme, &["1", "2"]),
        ("both", both, &["1", "5"]),
    ];
    for (name, webhook, wanted) in rows {
        webhook.wait_for(wanted.len(), || process.log());
        world.wait_until_settled(name, || process.log());
    }
    process.stop();
    for (name, webhook, wanted) in rows {
        let mut ids = webhook.ids();
        ids.sort();
        assert_eq!(ids, wanted, "{name}");
        let calls = webhook.calls();
        assert!(calls.iter().all(|call| call.is_signed_with(OTHER_SECRET)));
    }
}

#[test]
fn a_new_receiver_begins_with_the_next_alert_or_with_the_oldest() {
    let world = World::new();
    let (later, oldest) = (Webhook::willing(), Webhook::willing());
    world.publish(&[("acme", "used", "1"), ("acme", "used", "2")]);
    let process = world.notify(&["--to", &later.url(), "--name", "later"]);
    world.publish(&[("acme", "used", "3")]);
    later.wait_for(1, || process.log());
    let log = process.stop().log;
    let told = |log: &str, name: &str, begin: &str| {
        let mut lines = log.lines().filter(|line| line.contains("consumer made"));
        let is_told = lines.any(|line| line.contains(name) && line.contains(begin));
        assert!(is_told, "{name} {begin}: {log}");
    };
    told(&log, "notify-later", "the next alert");
    let process = world.notify(&["--to", &oldest.url(), "--name", "oldest", "--from-start"]);
    oldest.wait_for(3, || process.log());
    let log = process.stop().log;
    told(&log, "notify-oldest", "the oldest alert in the stream");
    // One that was served before goes on where it was.
    let process = world.notify(&["--to", &later.url(), "--name", "later", "--from-start"]);
    world.publish(&[("acme", "used", "4")]);
    later.wait_for(2, || process.log());
    let log = process.stop().log;
    assert!(!log.contains("consumer made"), "{log}");
    assert_eq!(later.ids(), ["3", "4"]);
}

#[test]
fn a_changed_filter_is_taken_over_and_the_place_is_kept() {
    let world = World::new();
    let crm = Webhook::willing();
    let notify = |kind: &str| world.notify(&["--to", &crm.url(), "--name", "crm", "--kind", kind]);
    let process = notify("used");
    world.publish(&[("acme", "used", "1"), ("acme", "status", "2")]);
    crm.wait_for(1, || process.log());
    world.wait_until_settled("crm", || process.log());
    process.stop();
    world.publish(&[("acme", "used", "3"), ("acme", "status", "4")]);
    let mut process = notify("status");
    process.wait_for("consumer changed", 1);
    let calls = crm.wait_for(2, || process.log());
    world.wait_until_settled("crm", || process.log());
    process.stop();
    assert_eq!(calls[0].id(), "1");
    let ids = crm.ids();
    assert!(
        ids.contains(&"4".to_owned()) && !ids.contains(&"3".to_owned()),
        "{ids:?}"
    );
}

#[test]
fn a_narrowed_filter_holds_for_what_was_given_out_before() {
    let world = World::new();
    let crm = Webhook::start(|_, call| match call.id().as_str() {
        "1" => Reply::Status(500),
        _ => Reply::Status(204),
    });
    let url = crm.url();
    let to = ["--to", url.as_str(), "--name", "crm", "--customer", "acme"];
    let process = world.notify(&[&to[..], &["--customer", "globex"]].concat());
    world.publish(&[("globex", "used", "1")]);
    crm.wait_for(2, || process.log());
    process.stop();
    let before = crm.ids().len();
    let process = world.notify(&to);
    world.publish(&[("acme", "used", "2")]);
    crm.wait_for(before + 1, || process.log());
    world.wait_until_settled("crm", || process.log());
    process.stop();
    assert_eq!(crm.ids()[before..], ["2"]);
    assert!(world.letters().is_empty());
}

#[test]
fn a_chat_gets_a_sentence_and_needs_no_secret() {
    let world = World::new();
    let chat = Webhook::start(|_, _| Reply::Full(200, "", "ok"));
    let mut command = world.command(&["--to", &chat.url(), "--name", "chat", "--format", "slack"]);
    command.env_remove("PURSER_WEBHOOK_SECRET");
    let process = world.start(command);
    world.publish(&[("acme", "used", "0f")]);
    let calls = chat.wait_for(1, || process.log());
    process.stop();
    let text = "*acme* has used 81.50 % of its credits: 184.98 left, plan Starter of 1000 credits, \
                runs out on 2026-10-08, plan Team would fit at 399.00 USD";
    assert_eq!(calls[0].json(), json!({ "text": text }));
    assert_eq!(calls[0].id(), "0f");
    assert!(!calls[0].headers.contains_key("webhook-signature"));
}

#[test]
fn lines_are_printed_in_order() {
    let world = World::new();
    let mut process = world.notify(&["--to", "stdout", "--customer", "acme"]);
    world.publish(&[
        ("acme", "used", "1"),
        ("globex", "used", "2"),
        ("acme", "run_out", "3"),
    ]);
    process.wait_for("alert delivered", 2);
    world.wait_until_settled("stdout", || process.log());
    let ended = process.stop();
    let rest = "184.98 left, plan Starter of 1000 credits";
    let offer = "plan Team would fit at 399.00 USD";
    let at = "2026-10-06T16:31:30Z acme";
    let used =
        format!("{at} has used 81.50 % of its credits: {rest}, runs out on 2026-10-08, {offer}");
    let run_out = format!("{at} will run out of credits on 2026-10-08: {rest}, {offer}");
    assert_eq!(ended.out, format!("{used}\n{run_out}\n"));
}

#[test]
fn a_secret_is_exchanged_by_signing_with_both() {
    let world = World::new();
    let crm = Webhook::willing();
    let file = world.write("secret", &format!("{OTHER_SECRET}\n{SECRET}\n"));
    let mut command = world.command(&["--to", &crm.url(), "--name", "crm"]);
    command.env_remove("PURSER_WEBHOOK_SECRET");
    command.env("PURSER_WEBHOOK_SECRET_FILE", file);
    let process = world.start(command);
    world.publish(&[("acme", "used", "1")]);
    let calls = crm.wait_for(1, || process.log());
    process.stop();
    assert!(calls[0].is_signed_with(SECRET) && calls[0].is_signed_with(OTHER_SECRET));
}
