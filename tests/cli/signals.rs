//! Signals to sales: who does not use what was bought.

use crate::purser::{PRICES, Place, usage, wallet_command};

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

#[test]
fn periods_in_another_currency_are_not_compared() {
    let place = Place::new();
    let plan = PRICES.split_once("[[plan]]").expect("a plan").1;
    let euros = plan
        .replace("starter", "euro")
        .replace("\"USD\"", "\"EUR\"");
    place.write("prices/2026-01.toml", format!("{PRICES}\n[[plan]]{euros}"));
    let change = r#"{"plan":"euro","at":"next_period"}"#;
    let lines = [
        usage("e", "acme", "05T10:00:00Z"),
        wallet_command("acme", "03-06T10:00:00Z", "plan_changed", change),
    ];
    place.write("events.ndjson", lines.join("\n") + "\n");
    place.replay("events.ndjson");
    let plans = "SELECT plan, next_plan FROM wallets";
    assert_eq!(place.csv(plans), "plan,next_plan\nstarter,euro\n");
    // Two periods have ended, one of them in dollars.
    place.done(&["replay", "events.ndjson", "--until", "2026-05-10T00:00:00Z"]);
    assert!(place.rows("SELECT * FROM signals").is_empty());
    assert_eq!(place.csv(plans), "plan,next_plan\neuro,\n");
    place.done(&["replay", "events.ndjson", "--until", "2026-06-10T00:00:00Z"]);
    let rows = place.rows("SELECT * FROM signals");
    assert_eq!(rows[0]["compared_periods"], 2, "{rows:?}");
    assert_eq!(rows[0]["cost_now_plan"], "198.000000000", "{rows:?}");
    assert_eq!(rows[0]["currency"], "EUR", "{rows:?}");
}
