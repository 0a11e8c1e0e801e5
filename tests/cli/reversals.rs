//! Reversals: the charge that is meant is found wherever it lies.

use crate::purser::{ALL_ROWS, Place, usage};

/// The event `id` of `/gateway`, for `documents` documents.
fn charge(id: &str, customer: &str, time: &str, documents: u32) -> String {
    format!(r#"{{"specversion":"1.0","id":"{id}","source":"/gateway","type":"document.analyzed","#)
        + &format!(
            r#""subject":"{customer}","time":"{time}","data":{{"documents":{documents},"tokens":700}}}}"#
        )
}

/// Takes the event `of` of `/gateway` back.
fn reversal(id: &str, customer: &str, time: &str, of: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"/billing","type":"purser.usage.reversed","#
    ) + &format!(
        r#""subject":"{customer}","time":"{time}","data":{{"source":"/gateway","id":"{of}","reason":"wrong"}}}}"#
    )
}

const REVERSALS: &str = "SELECT event_id, customer, kind, credits, reason FROM ledger
    WHERE event_source = '/billing' ORDER BY entry";

/// Two charges have the same number in their files, whose rows a day's one file holds.
#[test]
fn charges_of_two_sources_in_one_file_are_told_apart() {
    let place = Place::new();
    place.write("a.ndjson", usage("x", "acme", "05T10:00:00Z") + "\n");
    let other = charge("y", "bcorp", "2026-03-05T11:00:00Z", 6);
    place.write("b.ndjson", other + "\n");
    place.write("c.ndjson", usage("z", "ccorp", "07T10:00:00Z") + "\n");
    for file in ["a.ndjson", "b.ndjson", "c.ndjson"] {
        place.replay(file);
    }
    let merged = place.done(&["maintain"]);
    assert!(merged.contains("2 files merged into 1"), "{merged}");
    let lines = [
        reversal("r1", "acme", "2026-03-07T11:00:00Z", "x"),
        reversal("r2", "bcorp", "2026-03-07T11:00:00Z", "y"),
    ];
    place.write("d.ndjson", lines.join("\n") + "\n");
    place.replay("d.ndjson");
    assert_eq!(
        place.csv(REVERSALS),
        "event_id,customer,kind,credits,reason\n\
         r1,acme,reversal,-1.000000,wrong\n\
         r2,bcorp,reversal,-3.000000,wrong\n"
    );
    place.done(&["verify"]);
}

/// What is taken back does not depend on what is committed when the reversal comes.
#[test]
fn the_newest_charge_is_taken_back_wherever_batches_end() {
    let lines = [
        charge("old", "acme", "2026-01-05T08:00:00Z", 2),
        charge("again", "acme", "2026-01-05T09:00:00Z", 2),
        charge("now", "acme", "2026-01-05T10:00:00Z", 4),
        reversal("r1", "acme", "2026-01-05T10:00:00Z", "now"),
        // Behind the window it is another event, with a charge of its own.
        charge("again", "acme", "2026-03-05T09:00:00Z", 8),
        charge("late", "acme", "2026-03-05T09:30:00Z", 10),
        reversal("r2", "acme", "2026-03-05T10:00:00Z", "again"),
        reversal("r3", "acme", "2026-03-05T10:00:00Z", "late"),
        reversal("r4", "acme", "2026-03-05T10:00:00Z", "old"),
        reversal("r5", "acme", "2026-03-05T10:00:00Z", "never"),
        reversal("r6", "acme", "2026-03-05T10:00:00Z", "late"),
        // The name of a command, which was never charged for.
        reversal("r7", "acme", "2026-03-05T10:00:00Z", "r1"),
    ];
    let whole = Place::new();
    whole.write("events.ndjson", lines.join("\n") + "\n");
    whole.replay("events.ndjson");
    assert_eq!(
        whole.csv(REVERSALS),
        "event_id,customer,kind,credits,reason\n\
         r1,acme,reversal,-2.000000,wrong\n\
         r2,acme,reversal,-4.000000,wrong\n\
         r3,acme,reversal,-5.000000,wrong\n\
         r4,acme,reversal,-1.000000,wrong\n\
         r4,acme,expire,,\n\
         r5,acme,rejected,,unknown_event\n\
         r6,acme,duplicate,,\n\
         r7,acme,rejected,,unknown_event\n"
    );
    whole.done(&["verify"]);
    let pieces = Place::new();
    for count in 1..=lines.len() {
        pieces.write("events.ndjson", lines[..count].join("\n") + "\n");
        pieces.replay("events.ndjson");
    }
    assert_eq!(whole.csv(ALL_ROWS), pieces.csv(ALL_ROWS));
}
