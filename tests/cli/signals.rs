//! Signals to sales: who does not use what was bought.

use crate::purser::{Place, usage};

#[test]
fn a_customer_that_hardly_uses_the_plan_is_told_with_the_reasons() {
    let place = Place::new();
    let lines = ["05T10:00:00Z", "06T10:00:00Z"].map(|time| usage(time, "acme", time));
    place.write("events.ndjson", lines.join("\n") + "\n");
    place.replay("events.ndjson");
    let signals = || place.rows("SELECT * FROM signals");
    place.done(&["replay", "events.ndjson", "--until", "2026-04-10T00:00:00Z"]);
    assert!(signals().is_empty(), "one period is not enough");
    place.done(&["replay", "events.ndjson", "--until", "2026-05-10T00:00:00Z"]);
    let rows = signals();
    let [row] = rows.as_slice() else {
        panic!("{rows:?}");
    };
    assert_eq!(row["kind"], "under_use");
    // Two low periods, no use in a week, a decline.
    assert_eq!(row["score"], 20 + 20 + 20 + 10);
    assert_eq!(row["growth"], "-100.0");
    let reasons = "less than 30 % used in 2 of the last 2 periods; no use in a week; \
                   shrinking by 100.0 %";
    assert_eq!(row["reasons"], reasons);
}
