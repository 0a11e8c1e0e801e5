//! A stream that is not the one that the ledger has read is refused.

use crate::input::documents;
use crate::process::{Ended, poll};
use crate::sums::assert_whole;
use crate::world::{World, position};

fn lines(from: u64, until: u64) -> Vec<String> {
    (from..until)
        .map(|number| documents("acme", &number.to_string(), 1))
        .collect()
}

/// A worker that must not start; what it said.
fn refused(world: &World, words: &[&str]) -> Ended {
    let ended = world.run("data", &[]).wait();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    for word in words {
        assert!(ended.log.contains(word), "no {word:?} in {}", ended.log);
    }
    ended
}

fn source(world: &World) -> String {
    world
        .csv(
            "data",
            "SELECT source FROM ledger ORDER BY entry DESC LIMIT 1",
        )
        .trim()
        .to_owned()
}

#[test]
fn a_stream_made_anew_is_read_only_when_told_so() {
    let world = World::new();
    world.publish_lines("a.ndjson", &lines(0, 20));
    world.work_until("data", 20, &[]);
    let known = source(&world);
    world.block_on(async {
        world
            .jetstream()
            .await
            .delete_stream("USAGE")
            .await
            .expect("deleted");
    });
    // Ten that the ledger has, and thirty new ones.
    world.publish_lines("b.ndjson", &lines(10, 50));
    refused(
        &world,
        &[&known, "up to 20", "messages 1 to 40", "--new-source"],
    );
    world.work_until("data", 40, &["--new-source"]);
    assert_ne!(source(&world), known);
    let kinds = "SELECT kind, COUNT(*), SUM(credits) FROM ledger
        WHERE kind IN ('usage', 'duplicate') GROUP BY kind ORDER BY kind";
    assert_eq!(
        world.csv("data", kinds),
        "duplicate,10,\nusage,50,50.000000\n"
    );
    // From now on it is the one that is known.
    world.publish_lines("c.ndjson", &lines(50, 60));
    world.work_until("data", 50, &[]);
    assert_eq!(
        world.csv("data", kinds),
        "duplicate,10,\nusage,60,60.000000\n"
    );
}

#[test]
fn a_stream_made_anew_under_a_worker_stops_it() {
    let world = World::new();
    let worker = world.worker("data", &["--commit-interval", "3600"]);
    world.publish_lines("a.ndjson", &lines(0, 5));
    // The alert is how a test sees that all was read.
    world.publish_lines("b.ndjson", &[documents("other", "b", 500)]);
    poll(
        "the alert",
        || worker.log(),
        || (!world.alerts().is_empty()).then_some(()),
    );
    world.block_on(async {
        let jetstream = world.jetstream().await;
        jetstream.delete_stream("USAGE").await.expect("deleted");
    });
    world.publish_lines("c.ndjson", &lines(5, 20));
    let ended = worker.wait();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    // Whichever of the two it saw first.
    let said = ["there is no stream USAGE", "--new-source"];
    assert!(
        said.iter().any(|words| ended.log.contains(words)),
        "{}",
        ended.log
    );
    // What it had read is in the ledger all the same, with a tick if it waited long for the first.
    assert_whole(&world, "data", 6);
    let read = position(&world.path("data").join("ledger"));
    refused(&world, &[&format!("up to {read},"), "--new-source"]);
}

#[test]
fn messages_that_were_purged_unread_are_missed() {
    let world = World::new();
    world.publish_lines("a.ndjson", &lines(0, 5));
    world.work_until("data", 5, &[]);
    let purge = || {
        world.block_on(async {
            let stream = world
                .jetstream()
                .await
                .get_stream("USAGE")
                .await
                .expect("USAGE");
            stream.purge().await.expect("purged");
        });
    };
    // What the ledger has may go.
    purge();
    world.publish_lines("b.ndjson", &lines(5, 9));
    world.work_until("data", 9, &[]);
    assert_whole(&world, "data", 9);
    world.publish_lines("c.ndjson", &lines(9, 12));
    purge();
    world.publish_lines("d.ndjson", &lines(12, 14));
    refused(
        &world,
        &[
            "messages 10 to 12",
            "up to 9",
            "begins at 13",
            "--new-source",
        ],
    );
    world.work_until("data", 14, &["--new-source"]);
    let total = "SELECT COUNT(*), MAX(seq) FROM ledger WHERE kind = 'usage'";
    assert_eq!(world.csv("data", total), "11,14\n");
}

#[test]
fn a_stream_rolled_back_is_refused_also_when_it_has_grown_again() {
    let mut world = World::new();
    world.publish_lines("a.ndjson", &lines(0, 6));
    world.work_until("data", 6, &[]);
    world.server.stop();
    world.server.save();
    world.server.start_again();
    world.publish_lines("b.ndjson", &lines(6, 10));
    world.work_until("data", 10, &[]);
    world.server.stop();
    world.server.restore();
    world.server.start_again();
    refused(&world, &["up to 10", "ends at 6", &source(&world)]);
    // The numbers 7 to 12 are other messages now.
    world.publish_lines("c.ndjson", &lines(20, 26));
    refused(
        &world,
        &["message 10 of USAGE@", "not the one", "`9`", "`23`"],
    );
    assert_whole(&world, "data", 10);
}

#[test]
fn a_stream_rolled_back_under_a_worker_stops_it() {
    let mut world = World::new();
    world.publish_lines("a.ndjson", &lines(0, 6));
    world.server.stop();
    world.server.save();
    world.server.start_again();
    let mut worker = world.worker("data", &[]);
    world.publish_lines("b.ndjson", &lines(6, 10));
    world.wait_for_position("data", 10, &mut worker);
    world.server.stop();
    world.server.restore();
    world.server.start_again();
    let ended = worker.wait();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    for words in ["up to 10", "ends at 6", "--new-source"] {
        assert!(ended.log.contains(words), "{ended:?}");
    }
    assert_whole(&world, "data", 10);
}

#[test]
fn a_message_that_was_deleted_unread_stops_the_worker_until_the_loss_is_accepted() {
    let world = World::new();
    world.publish_lines("a.ndjson", &lines(0, 5));
    world.work_until("data", 5, &[]);
    world.publish_lines("b.ndjson", &lines(5, 12));
    let delete = |seq| {
        world.block_on(async {
            let stream = world.jetstream().await.get_stream("USAGE").await;
            let stream = stream.expect("USAGE");
            stream.delete_message(seq).await.expect("deleted");
        });
    };
    // One that would be next, and one behind it.
    delete(6);
    delete(9);
    refused(&world, &["message 6 of", "up to 5", "--new-source"]);
    let ended = world.run("data", &["--new-source"]).wait();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.log.contains("message 9 of"), "{ended:?}");
    refused(&world, &["message 9 of", "up to 8", "--new-source"]);
    world.work_until("data", 12, &["--new-source"]);
    let total = "SELECT COUNT(*), MAX(seq) FROM ledger WHERE kind = 'usage'";
    assert_eq!(world.csv("data", total), "10,12\n");
}
