//! What one message may hold, and where: subjects, content types, places.

use crate::input::{documents, event};
use crate::process::PATIENCE;
use crate::sums::assert_whole;
use crate::world::World;

const LINES: Option<&str> = Some("application/x-ndjson");
const BATCH: Option<&str> = Some("application/cloudevents-batch+json");
const SINGLE: Option<&str> = Some("application/cloudevents+json; charset=utf-8");

/// The rows of events and commands: place, kind, reason, customer, id.
const ROWS: &str = "SELECT seq, idx, kind, reason, customer, event_id FROM ledger
    WHERE kind NOT IN ('prices', 'wallet', 'alert')
        AND (kind <> 'grant' OR grant_id NOT LIKE 'pool/%') ORDER BY entry";

#[test]
fn subjects_keep_usage_commands_and_customers_apart() {
    let world = World::new();
    let usage = documents("acme", "u", 1);
    let other = documents("other", "o", 1);
    let command = event(
        "acme",
        "g",
        "purser.wallet.granted",
        r#"{"credits":"5","basis":"promotional"}"#,
    );
    let mut worker = world.worker("data", &[]);
    world.send(&[
        ("wallet.acme", SINGLE, usage.as_bytes()),
        ("usage.acme", SINGLE, command.as_bytes()),
        ("batch.0", SINGLE, command.as_bytes()),
        ("usage.acme", SINGLE, other.as_bytes()),
        ("wallet.other", SINGLE, command.as_bytes()),
        ("usage.acme", LINES, format!("{other}\n{usage}").as_bytes()),
        ("batch.0", LINES, format!("{other}\n{usage}").as_bytes()),
        ("wallet.acme", SINGLE, command.as_bytes()),
        ("wallet.acme", SINGLE, command.as_bytes()),
    ]);
    let sent = world.messages();
    world.wait_for_position("data", sent, &mut worker);
    worker.stop();
    assert_whole(&world, "data", sent);
    assert_eq!(
        world.csv("data", ROWS),
        "1,0,rejected,wrong_subject,acme,u\n\
         2,0,rejected,wrong_subject,acme,g\n\
         3,0,rejected,wrong_subject,acme,g\n\
         4,0,rejected,wrong_subject,other,o\n\
         5,0,rejected,wrong_subject,acme,g\n\
         6,0,rejected,wrong_subject,other,o\n\
         6,1,usage,,acme,u\n\
         7,0,usage,,other,o\n\
         7,1,duplicate,,acme,u\n\
         8,0,grant,,acme,g\n\
         9,0,duplicate,,acme,g\n"
    );
}

#[test]
fn a_message_is_cut_as_its_header_says() {
    let world = World::new();
    let [a, b, c] = ["a", "b", "c"].map(|id| documents("acme", id, 1));
    let array = format!("[{a}, {b},{c}]");
    let mut worker = world.worker("data", &[]);
    world.send(&[
        ("batch.0", BATCH, array.as_bytes()),
        ("batch.0", None, array.as_bytes()),
        ("batch.0", None, format!("{a}\r\n\n{b}\n").as_bytes()),
        ("batch.0", LINES, format!("{a}\nbroken\n{c}").as_bytes()),
        ("batch.0", LINES, array.as_bytes()),
        ("batch.0", SINGLE, a.replace(',', ",\n").as_bytes()),
        ("batch.0", BATCH, format!("[{a},]").as_bytes()),
        ("usage.acme", SINGLE, b""),
        ("usage.acme", None, b""),
        ("usage.acme", None, b"[]"),
        ("usage.acme", BATCH, b" [ ] "),
        ("usage.acme", SINGLE, b"[]"),
        ("usage.acme", None, b" \t\r\n"),
        ("batch.0", None, b"\xff\xfe"),
    ]);
    let sent = world.messages();
    world.wait_for_position("data", sent, &mut worker);
    worker.stop();
    assert_whole(&world, "data", sent);
    let rows = world.csv("data", ROWS);
    assert_eq!(
        rows,
        "1,0,usage,,acme,a\n1,1,usage,,acme,b\n1,2,usage,,acme,c\n\
         2,0,duplicate,,acme,a\n2,1,duplicate,,acme,b\n2,2,duplicate,,acme,c\n\
         3,0,duplicate,,acme,a\n3,1,rejected,empty,,\n3,2,duplicate,,acme,b\n\
         4,0,duplicate,,acme,a\n4,1,rejected,malformed,,\n4,2,duplicate,,acme,c\n\
         5,0,rejected,malformed,,\n\
         6,0,duplicate,,acme,a\n\
         7,0,rejected,malformed,,\n\
         8,0,rejected,empty,,\n9,0,rejected,empty,,\n10,0,rejected,empty,,\n\
         11,0,rejected,empty,,\n12,0,rejected,malformed,,\n13,0,rejected,empty,,\n\
         14,0,rejected,malformed,,\n"
    );
    let raw = "SELECT data FROM ledger WHERE seq = 14 AND kind = 'rejected'";
    assert_eq!(world.csv("data", raw), "base64://4=\n");
}

#[test]
fn a_worker_without_a_broker_says_what_to_try() {
    let mut world = World::new();
    world.server.stop();
    let file = world.write("a.ndjson", documents("acme", "1", 1).as_bytes());
    let url = world.server.url();
    let begun = std::time::Instant::now();
    for ended in [
        world.run("data", &[]).wait(),
        world
            .start(world.publish_command(&file, &[]), "publish")
            .wait(),
    ] {
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(
            ended.log.contains(&url) && ended.log.contains("nats-server -js"),
            "{}",
            ended.log
        );
    }
    assert!(begun.elapsed() < PATIENCE);
    assert!(
        !world.path("data").join("ledger").exists(),
        "a ledger without a stream"
    );
}

/// A message of a megabyte that is a million events.
#[test]
fn a_message_of_any_number_of_events_takes_no_more_memory() {
    const EVENTS: usize = 1_000_000;
    const MESSAGES: usize = 3;
    let world = World::new();
    let mut worker = world.worker("data", &[]);
    let body = b"\n".repeat(EVENTS);
    let ndjson = Some("application/x-ndjson");
    world.send(&[("batch.0", ndjson, &body[..]); MESSAGES]);
    let sent = world.messages();
    world.wait_for_position("data", sent, &mut worker);
    let peak_kib = worker.peak_kib();
    worker.stop();
    assert!(peak_kib < 300 << 10, "{peak_kib} KiB at most");
    let rows = "SELECT COUNT(*), MAX(idx) FROM ledger WHERE reason = 'empty'";
    let (rows_expected, idx_max) = (EVENTS * MESSAGES, EVENTS - 1);
    assert_eq!(
        world.csv("data", rows),
        format!("{rows_expected},{idx_max}\n")
    );
    assert_whole(&world, "data", sent);
}
