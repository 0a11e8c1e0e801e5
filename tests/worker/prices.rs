//! Price versions that are published while a worker runs.

use purser::domain::units::Timestamp;

use crate::input::{documents, now, table};
use crate::world::World;

const MINUTE: i64 = 60_000_000;

fn offer(world: &World, version: &str, from: Timestamp) {
    world.write(
        &format!("offered/{version}.toml"),
        table(version, from, "3").as_bytes(),
    );
}

#[test]
fn a_worker_takes_a_version_in_time_and_stops_at_one_that_is_late() {
    let world = World::new();
    let mut worker = world.worker("data", &[]);
    world.publish_lines("a.ndjson", &[documents("acme", "1", 1)]);
    world.wait_for_position("data", 1, &mut worker);

    offer(&world, "soon", now().plus(10 * MINUTE));
    let publish = || {
        let mut command = world.purser("data");
        command
            .args(["prices", "publish"])
            .arg(world.path("offered"));
        world.start(command, "prices").wait()
    };
    let refused = publish();
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.log.contains("more than 15 minutes"), "{refused:?}");
    std::fs::remove_file(world.path("offered/soon.toml")).expect("withdrawn");
    offer(&world, "later", now().plus(20 * MINUTE));
    let published = publish();
    assert_eq!(
        (published.code, &*published.out),
        (Some(0), "later: published\n"),
        "{published:?}"
    );

    // The worker looks every ten seconds, right after it says that it works.
    worker.wait_for("working", 2);
    world.publish_lines("b.ndjson", &[documents("acme", "2", 1)]);
    world.wait_for_position("data", 2, &mut worker);
    worker.stop();
    let mut worker = world.worker("data", &[]);
    world.publish_lines("c.ndjson", &[documents("acme", "3", 1)]);
    world.wait_for_position("data", 3, &mut worker);
    let credits = "SELECT SUM(credits), MAX(price_version) FROM ledger WHERE kind = 'usage'";
    assert_eq!(world.csv("data", credits), "3.000000,v2\n");

    let file = "data/prices/by-hand.toml";
    world.write(file, table("by-hand", now().plus(-MINUTE), "9").as_bytes());
    let ended = worker.wait();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    for word in [
        "by-hand",
        "took effect before this ledger knew it",
        "take it out",
    ] {
        assert!(ended.log.contains(word), "no {word:?} in {}", ended.log);
    }
    let ended = world.run("data", &[]).wait();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    std::fs::remove_file(world.path(file)).expect("taken out");
    world.publish_lines("d.ndjson", &[documents("acme", "4", 1)]);
    world.work_until("data", 4, &[]);
    assert_eq!(world.csv("data", credits), "4.000000,v2\n");
}
