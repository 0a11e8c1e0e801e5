//! Burn-downs of wallets that are closed, and forecasts of absurd use.

use crate::purser::{PRICES, Place, usage, wallet_command};
use crate::story::{ENDS, STANDS};

const OPEN: &str = r#"{"plan":"starter","anchor_day":1}"#;

/// How each wallet stands, by the view `wallets` and by the newest row of its burn-down.
fn check_ends(place: &Place) -> String {
    let stands = place.csv(STANDS);
    assert_eq!(place.csv(ENDS), stands);
    stands
}

fn replay(place: &Place, lines: &[String], until: &str) {
    place.write("events.ndjson", lines.join("\n") + "\n");
    place.replay("events.ndjson");
    place.done(&["replay", "events.ndjson", "--until", until]);
}

/// 200 documents, 100 credits.
fn hundred(id: &str, time: &str) -> String {
    usage(id, "acme", time).replace("\"documents\":2", "\"documents\":200")
}

#[test]
fn what_comes_after_the_last_period_of_a_closed_wallet_is_in_its_burn_down() {
    let place = Place::new();
    let big = PRICES.replace("credits = \"100\"", "credits = \"1000\"");
    place.write("prices/2026-01.toml", big);
    let late = hundred("late", "31T21:00:00Z")
        .replace("\"time\":\"2026-03-31T21", "\"time\":\"2026-04-01T05");
    let lines = [
        wallet_command("acme", "03-01T10:00:00Z", "opened", OPEN),
        hundred("a", "05T10:00:00Z"),
        wallet_command("acme", "03-31T20:00:00Z", "closed", "{}"),
        late,
    ];
    replay(&place, &lines, "2026-04-05T00:00:00Z");
    let stands = check_ends(&place);
    assert!(stands.contains(",0.000000,100.00"), "{stands}");
}

#[test]
fn a_wallet_opened_anew_begins_with_its_own_pool() {
    let place = Place::new();
    let lines = [
        wallet_command("acme", "03-01T10:00:00Z", "opened", OPEN),
        wallet_command("acme", "03-10T09:00:00Z", "closed", "{}"),
        usage("late", "acme", "11T08:30:00Z"),
        usage("tick", "birch", "11T09:30:00Z"),
        wallet_command("acme", "03-11T12:00:00Z", "opened", OPEN),
    ];
    replay(&place, &lines, "2026-03-12T00:00:00Z");
    check_ends(&place);
    let first = "SELECT hour, balance FROM burn_down
        WHERE customer = 'acme' AND period = DATE '2026-03-11' ORDER BY hour";
    assert_eq!(
        place.csv(first),
        "hour,balance\n2026-03-11T12:00:00.000000Z,100.000000\n"
    );
}

#[test]
fn one_customers_absurd_use_leaves_the_forecasts_of_all() {
    let place = Place::new();
    let huge = |n: usize| {
        let event = usage(&format!("e{n}"), "acme", "05T10:00:00Z");
        event.replace("\"documents\":2", "\"documents\":1900000000")
    };
    let mut lines: Vec<String> = (0..60).map(huge).collect();
    lines.push(usage("b", "birch", "05T11:00:00Z"));
    replay(&place, &lines, "2026-03-06T00:00:00Z");
    let projected = "SELECT customer, projected > 1000000000000 AS is_huge FROM forecasts
        ORDER BY customer";
    assert_eq!(
        place.csv(projected),
        "customer,is_huge\nacme,true\nbirch,false\n"
    );
    place.done(&["signals"]);
    place.done(&["report", "--all"]);
}
