//! A file through the broker, single or in batches, adds up as the file replayed.

use crate::input::{file, mixed_lines, seed};
use crate::sums::{assert_one_message_an_alert, assert_same, assert_whole, sums};
use crate::world::World;

const LINES: usize = 20_000;

#[test]
fn a_stream_adds_up_as_the_file_replayed() {
    let world = World::new();
    let events = world.write("events.ndjson", &file(&mixed_lines(seed(), LINES)));
    world.replay("replayed", &events);
    let expected = sums(&world, "replayed");
    assert_rich(&expected);

    let said = world.publish(&events, &[]).out;
    assert!(
        said.contains("20000 messages stored, 0 were there before"),
        "{said}"
    );
    world.work_until("single", LINES as i64, &[]);
    assert_whole(&world, "single", LINES as i64);
    assert_same("single messages", &expected, &sums(&world, "single"));
    assert_one_message_an_alert(&world, "single");
    // A folder of its own has a broker of its own, for one subject goes into one stream.
    let batched = World::new();
    batched.publish(&events, &["--batch", "50"]);
    let last = batched.messages();
    assert!((400..2_000).contains(&last), "{last} messages");
    batched.work_until("batched", last, &[]);
    assert_whole(&batched, "batched", last);
    assert_same("batches", &expected, &sums(&batched, "batched"));
    assert_one_message_an_alert(&batched, "batched");
}

/// Holds that the input brings about what the test is for.
fn assert_rich(sums: &str) {
    for word in [
        "duplicate",
        "conflict",
        "grant",
        "wallet",
        "prices",
        "used 50",
        "used 80",
        "used 100",
        "empty",
        "malformed",
        "bad_customer",
        "in_future",
        "too_old",
        "already_open",
        "unknown_command",
        "bad_command",
        "no_price_version",
        "no_price",
        "bad_measure",
        "overflow",
        "unknown_wallet",
        "true",
    ] {
        assert!(sums.contains(word), "the input has no {word}");
    }
}
