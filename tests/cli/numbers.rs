//! Numbers of invoices: which periods have one, and that none ever changes or is taken back.

use crate::purser::{PRICES, Place, usage, wallet_command};

const NUMBERS: &str = "SELECT number, customer, closes_at FROM periods WHERE number IS NOT NULL
    ORDER BY number";
const OPEN: &str = r#"{"plan":"starter"}"#;

/// A version of the prices, in force from a day on, with so many hours of grace.
fn version(day: &str, grace_hours: u8) -> String {
    let rules = format!("default_plan = \"starter\"\n[rules]\ngrace_hours = {grace_hours}\n");
    PRICES
        .replace("default_plan = \"starter\"\n", &rules)
        .replace("2026-01-01", day)
        .replace(
            "version = \"2026-01\"",
            &format!("version = \"{}\"", &day[..7]),
        )
}

fn replay(place: &Place, lines: &[String]) {
    place.write("events.ndjson", lines.join("\n") + "\n");
    place.replay("events.ndjson");
}

fn until(place: &Place, time: &str) {
    place.done(&["replay", "events.ndjson", "--until", time]);
}

#[test]
fn a_period_that_closes_at_the_newest_moment_has_no_number_yet() {
    let place = Place::new();
    replay(&place, &[usage("e", "acme", "05T10:00:00Z")]);
    // Its end, 5 April, and a day: a fellow of that moment may still come.
    until(&place, "2026-04-06T00:00:00Z");
    assert_eq!(place.csv(NUMBERS), "number,customer,closes_at\n");
    until(&place, "2026-04-06T00:00:00.000001Z");
    assert_eq!(
        place.csv(NUMBERS),
        "number,customer,closes_at\n1,acme,2026-04-06T00:00:00.000000Z\n"
    );
}

#[test]
fn a_wallet_closed_and_opened_anew_on_its_first_day_keeps_one_period() {
    let place = Place::new();
    place.write("prices/2026-01.toml", version("2026-01-01", 1));
    let lines = [
        wallet_command("acme", "03-05T10:00:00Z", "opened", OPEN),
        wallet_command("acme", "03-05T11:00:00Z", "closed", "{}"),
        usage("later", "birch", "05T23:00:00Z"),
        wallet_command("acme", "03-05T23:30:00Z", "opened", OPEN),
    ];
    replay(&place, &lines[..3]);
    // The grace is over since noon, but the day is not.
    assert_eq!(place.csv(NUMBERS), "number,customer,closes_at\n");
    replay(&place, &lines);
    until(&place, "2026-04-06T00:00:00Z");
    assert_eq!(
        place.csv(NUMBERS),
        "number,customer,closes_at\n1,acme,2026-04-05T01:00:00.000000Z\n2,birch,2026-04-05T01:00:00.000000Z\n"
    );
}

#[test]
fn a_number_stays_when_a_wallet_is_opened_anew_under_a_shorter_grace() {
    let place = Place::new();
    place.write("prices/2026-01.toml", version("2026-01-01", 48));
    place.write("prices/2026-04.toml", version("2026-04-07", 1));
    let lines = [
        wallet_command("birch", "03-05T10:00:00Z", "opened", OPEN),
        wallet_command("acme", "03-05T10:00:00Z", "opened", OPEN),
        wallet_command("acme", "04-04T12:00:00Z", "closed", "{}"),
    ];
    replay(&place, &lines);
    until(&place, "2026-04-07T12:00:00Z");
    let before = place.csv(NUMBERS);
    assert_eq!(before.lines().count(), 3, "{before}");
    place.write(
        "again.ndjson",
        wallet_command("acme", "04-08T10:00:00Z", "opened", OPEN) + "\n",
    );
    place.replay("again.ndjson");
    assert_eq!(place.csv(NUMBERS), before);
}
