//! `replay --until`: time goes on after the last line.

use crate::purser::{ALL_ROWS, Place, usage};

const KINDS: &str = "SELECT source, seq, idx, kind, period FROM ledger
    WHERE source = 'until' ORDER BY entry";

#[test]
fn what_falls_due_until_then_happens_once() {
    let place = Place::new();
    place.write("events.ndjson", usage("e1", "acme", "05T09:00:00Z") + "\n");
    place.replay("events.ndjson");
    let until = ["replay", "events.ndjson", "--until", "2026-04-07T00:00:00Z"];
    place.done(&until);
    assert_eq!(
        place.csv(KINDS),
        "source,seq,idx,kind,period\n\
         until,1,-1,grant,2026-04-05\n\
         until,1,-1,expire,2026-03-05\n\
         until,1,0,tick,\n"
    );
    let rows = place.csv(ALL_ROWS);
    place.done(&until);
    assert_eq!(place.csv(ALL_ROWS), rows, "a second time changes nothing");
    place.done(&["replay", "events.ndjson", "--until", "2026-04-08T00:00:00Z"]);
    assert!(
        place.csv(KINDS).ends_with("until,2,0,tick,\n"),
        "{}",
        place.csv(KINDS)
    );
    place.done(&["verify"]);
}

#[test]
fn a_time_that_has_not_come_is_refused() {
    let place = Place::new();
    place.write("events.ndjson", usage("e1", "acme", "05T09:00:00Z") + "\n");
    for (until, words) in [
        ("2999-01-01T00:00:00Z", "lies ahead of this machine's clock"),
        ("tomorrow", "write a time with its zone"),
    ] {
        let ran = place.run(&["replay", "events.ndjson", "--until", until]);
        assert_eq!(ran.code, 2, "{until}: {}", ran.err);
        assert!(ran.err.contains(words), "{until}: {}", ran.err);
    }
}
