//! `purser explain`: each outcome of the story, in words and as JSON, held against the views.

use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::purser::{Place, Ran, usage};
use crate::story::replayed;

/// The story's ledger, and the program to ask about it.
struct Asked {
    folder: TempDir,
    place: Place,
}

impl Asked {
    async fn new() -> Self {
        Self {
            folder: replayed().await,
            place: Place::new(),
        }
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let data = self.folder.path().to_str().expect("UTF-8");
        self.place.run(&[arguments, &["--data", data]].concat())
    }

    fn done(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}{}", ran.out, ran.err);
        ran.out
    }

    /// The page of an event must have all of `words`.
    fn page(&self, id: &str, words: &[&str]) {
        let page = self.done(&["explain", id]);
        for word in words {
            assert!(page.contains(word), "{id}: no {word:?} in {page}");
        }
    }

    /// The arrivals of the only event that has an id.
    fn arrivals(&self, id: &str) -> Vec<Value> {
        let answer = json(&self.done(&["explain", id, "--format", "json"]));
        assert_eq!(answer["event_id"], *id);
        assert_eq!(answer["is_whole"], true);
        let events = answer["events"].as_array().expect("events");
        assert_eq!(events.len(), 1, "{id}");
        events[0]["arrivals"].as_array().expect("arrivals").clone()
    }

    fn rows(&self, statement: &str) -> Vec<Map<String, Value>> {
        let lines = self.done(&["query", statement, "--format", "ndjson"]);
        let parse = |line| serde_json::from_str(line).expect("an object");
        lines.lines().map(parse).collect()
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// A decimal in its smallest unit; null is 0.
fn smallest(value: &Value) -> i128 {
    let digits = value.as_str().unwrap_or("0").replace('.', "");
    digits.parse().expect("a decimal")
}

#[tokio::test]
async fn a_charge_is_spelled_out_with_the_prices_that_do_not_apply() {
    let asked = Asked::new().await;
    asked.page(
        "a-0914",
        &[
            "arrival 1 of 3: `a-0914` was charged 0.78 credits",
            "assistant-answer matches: type = \"llm.completion\"",
            "document-small does not apply: type is \"llm.completion\", not \"document.analyzed\"",
            "12000 input_tokens × 0.05 ÷ 1000 = 0.6\n",
            "+ 900 output_tokens × 0.2 ÷ 1000 = 0.18\n",
            "= 0.78\n",
            "rounded half_up to 6 places: 0.78",
            "minimum 0.05, which it is not below",
            "= 0.78 credits",
            "= 0.039 USD",
            "cost 1 does not apply: model is \"gpt-4o\", not \"gpt-4o-mini\"",
            "arrival 2 of 3: `a-0914` is a duplicate of arrival 1, and changed nothing",
            "arrival 3 of 3: `a-0914` is a conflict",
        ],
    );
    asked.page(
        "b-0929",
        &[
            "page-certified matches: type = \"document.translated\", certified = true",
            "page-translated does not apply: matches too, but page-certified has more conditions: \
             2, and this one 1",
            "cost 6 matches",
            "30 pages × 2 = 60",
        ],
    );
    asked.page(
        "b-0911",
        &["1 event × 50 = 50", "deal-package", "it fired no alert"],
    );
    asked.page(
        "a-1020",
        &[
            "7.333334 minutes (it is 7.3333335) × 0.2 = 1.4666668",
            "rounded up to 6 places: 1.466667",
            "overage: no grant was left to pay it; at 0.12 a credit = 0.17600004 USD",
        ],
    );
    asked.page("a-late-open", &["late, it holds used_at; it ended on"]);
    asked.page(
        "a-late-closed",
        &["late, the current period", "had closed at"],
    );
}

#[tokio::test]
async fn the_json_adds_up_to_what_the_views_say() {
    let asked = Asked::new().await;
    for id in [
        "a-1012",
        "a-1018",
        "a-1020",
        "b-late-open",
        "d-1112",
        "c-1119",
    ] {
        let arrivals = asked.arrivals(id);
        let [arrival] = arrivals.as_slice() else {
            panic!("{id}: {arrivals:?}");
        };
        let charge = &arrival["charge"];
        let statement = format!("SELECT * FROM usage WHERE event_id = '{id}'");
        let rows = asked.rows(&statement);
        let [row] = rows.as_slice() else {
            panic!("{id}: {rows:?}");
        };
        assert_eq!(arrival["outcome"], "charge", "{id}");
        for column in ["credits", "period", "late", "balance"] {
            assert_eq!(charge[column], row[column], "{id}: {column}");
        }
        for column in ["event_type", "used_at", "received_at", "data"] {
            assert_eq!(arrival[column], row[column], "{id}: {column}");
        }
        let pricing = &charge["pricing"];
        assert_eq!(pricing["version"], row["price_version"], "{id}");
        assert_eq!(pricing["matched"]["price_id"], row["price_id"], "{id}");
        assert_eq!(pricing["quantity"], row["quantity"], "{id}");
        let applying = pricing["prices"].as_array().expect("prices").iter();
        let applying = applying.filter(|price| price["applies"] == true).count();
        assert_eq!(applying, 1, "{id}");

        let legs = charge["legs"].as_array().expect("legs");
        let sum = |column: &str, is_overage: bool| -> i128 {
            let legs = legs.iter();
            let legs = legs.filter(|leg| (leg["payer"] == "overage") == is_overage);
            legs.map(|leg| smallest(&leg[column])).sum()
        };
        assert_eq!(sum("credits", false), smallest(&row["from_grants"]), "{id}");
        assert_eq!(sum("delta", false), -smallest(&row["from_grants"]), "{id}");
        assert_eq!(sum("credits", true), smallest(&row["overage"]), "{id}");
        assert_eq!(sum("amount", true), smallest(&row["amount"]), "{id}");
        let grants: Vec<&str> = legs
            .iter()
            .filter_map(|leg| leg["grant_id"].as_str())
            .collect();
        assert_eq!(
            grants.join(", "),
            row["grants"].as_str().unwrap_or(""),
            "{id}"
        );
        assert_eq!(charge["differences"], Value::Array(Vec::new()), "{id}");

        let statement = format!("SELECT reason FROM alerts WHERE event_id = '{id}' ORDER BY entry");
        let alerts: Vec<Value> = asked
            .rows(&statement)
            .into_iter()
            .map(|row| row["reason"].clone())
            .collect();
        assert_eq!(arrival["alerts"], Value::Array(alerts), "{id}");
    }
    let split = &asked.arrivals("a-1012")[0];
    let legs = split["charge"]["legs"].as_array().expect("legs");
    let payers: Vec<&Value> = legs.iter().map(|leg| &leg["payer"]).collect();
    assert_eq!(payers, ["promotional", "pool", "purchased"]);
}

#[tokio::test]
async fn a_refusal_says_which_check_failed_and_what_would_have_passed() {
    let asked = Asked::new().await;
    let table = r#"
        a-before-prices | no_price_version | the first, 2026-09, is since 2026-09-01T00:00:00
        a-too-old       | too_old          | from 2026-07-29T09:00:00.000000Z on would have passed, 35 days
        r-name          | bad_customer     | must name a customer, and `acme.eu` does not
        r-future        | in_future        | would have passed, 5 minutes after it was received
        r-type          | no_price         | document-small does not apply: type is "image.generated"
        r-huge          | overflow         | 999999999 documents × 2.5 = 2499999997.5
        r-no-count      | bad_measure      | pages is "ten": this price counts it
        r-frozen        | unknown_command  | there is no such command
        r-gift          | bad_command      | its `data` is not right: `credits` is missing
        r-gift-nobody   | unknown_wallet   | `nobody` has no open wallet: nobody opened one
        r-open          | already_open     | `acme` has a wallet
    "#;
    for line in table.lines().filter(|line| !line.trim().is_empty()) {
        let row: Vec<&str> = line.split('|').map(str::trim).collect();
        let [id, reason, words] = row[..] else {
            panic!("{line}");
        };
        asked.page(id, &[&format!("was refused: {reason}"), words]);
        let arrivals = asked.arrivals(id);
        let last = arrivals.last().expect("an arrival");
        assert_eq!(last["outcome"], "rejected", "{id}");
        assert_eq!(last["rejection"]["reason"], reason, "{id}");
        assert_eq!(last["charge"], Value::Null, "{id}");
    }
    asked.page(
        "a-0921",
        &[
            "arrival 1 of 2: `a-0921` was refused: bad_measure",
            "documents is -3: the number is negative",
            "arrival 2 of 2: `a-0921` was charged 3 credits",
        ],
    );
}

#[tokio::test]
async fn a_reversal_is_told_on_both_sides() {
    let asked = Asked::new().await;
    asked.page(
        "m-1010",
        &[
            "`m-1010` was charged 1350 credits",
            "1000 from pool/2026-10-08, the pool of that period",
            "200 from /billing/order-81, purchased, 200 given at 2026-10-08T11:00:00.000000Z",
            "150 overage: no grant was left to pay it; at 0.12 a credit = 18 USD",
            "reversed later: -1350 credits by `undo-1` at 2026-10-11T12:00:00.000000Z \
             (analysed twice)",
        ],
    );
    asked.page(
        "undo-1",
        &[
            "`undo-1` gave back a charge: -1350 credits",
            "of the event `m-1010` from /gateway/eu-1",
            "it charged   1350 credits, used at 2026-10-10T12:00:00.000000Z",
            "reversal: pool/2026-10-08, +1000, charge -1000",
            "reversal: /billing/order-81, +200, charge -200",
        ],
    );
    let again = "is a duplicate of an earlier command that reversed the same event";
    asked.page("undo-1-again", &[again]);
    let unknown = [
        "was refused: unknown_event",
        "it names no usage that was charged",
    ];
    asked.page("undo-nothing", &unknown);
    let nothing = [
        "was refused: nothing_remaining",
        "the grant that it names holds nothing",
    ];
    asked.page("void-81-again", &nothing);
    let given = &asked.arrivals("m-1010")[0]["charge"]["reversals"];
    assert_eq!(given[0]["credits"], "-1350.000000");
    let named = &asked.arrivals("undo-1")[0]["reversal"];
    assert_eq!(
        (&named["id"], &named["source"]),
        (&Value::from("m-1010"), &Value::from("/gateway/eu-1"))
    );
}

#[tokio::test]
async fn a_command_shows_its_rows_and_an_unknown_id_where_to_look() {
    let asked = Asked::new().await;
    asked.page(
        "open-acme",
        &[
            "`open-acme` opened the wallet",
            "wallet: ",
            "grant: pool/2026-09-01, +1000, 99 USD",
        ],
    );
    asked.page(
        "order-71",
        &["granted credits", "grant: /billing/order-71, +500, 55 USD"],
    );
    asked.page(
        "welcome-9",
        &["arrival 2 of 2: `welcome-9` is a duplicate of arrival 1"],
    );
    for (id, words) in [
        (
            "no-such-event",
            "the ledger has no event `no-such-event`: it has not arrived",
        ),
        ("cut-off", "malformed, file:story.ndjson, message"),
        (
            "cut_off",
            "the ledger has no event `cut_off`: it has not arrived",
        ),
        ("%", "the ledger has no event `%`: it has not arrived"),
    ] {
        let ran = asked.run(&["explain", id]);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{id}: {}", ran.err);
        assert!(ran.err.contains(words), "{id}: {}", ran.err);
    }
    let ran = asked.run(&["explain", "a-1012", "--customer", "birch"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.err.contains("`a-1012` with --customer birch"),
        "{}",
        ran.err
    );
}

#[test]
fn events_of_one_id_are_told_apart_by_customer_and_source() {
    let place = Place::new();
    let other = usage("same", "acme", "05T11:00:00Z").replace("/gateway", "/it's other");
    let events = [
        usage("same", "acme", "05T10:00:00Z"),
        usage("same", "birch", "05T10:30:00Z"),
        other,
    ];
    place.write("events.ndjson", events.join("\n"));
    place.replay("events.ndjson");

    let ran = place.run(&["explain", "same"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
    for flags in [
        "`same` is the id of 3 events",
        "--customer 'acme' --source '/gateway'",
        "--customer 'birch' --source '/gateway'",
        r"--customer 'acme' --source '/it'\''s other'",
    ] {
        assert!(ran.err.contains(flags), "{flags}: {}", ran.err);
    }
    let answer = json(&place.done(&["explain", "same", "--format", "json"]));
    let events = answer["events"].as_array().expect("events");
    let customers: Vec<&Value> = events.iter().map(|event| &event["customer"]).collect();
    assert_eq!(customers, ["acme", "birch", "acme"]);
    let page = place.done(&["explain", "same", "--customer", "birch"]);
    assert!(page.contains("2 documents × 0.5 = 1"), "{page}");
    assert!(
        page.contains("grant: pool/2026-03-05, +100, 99 USD"),
        "{page}"
    );
    let flags = ["--customer", "acme", "--source", "/it's other"];
    place.done(&[&["explain", "same"][..], &flags].concat());
}

#[test]
fn a_ledger_that_differs_from_its_price_table_is_told() {
    let place = Place::new();
    place.write("events.ndjson", usage("one", "acme", "05T10:00:00Z"));
    place.replay("events.ndjson");
    let prices = std::fs::read_to_string(place.path("data/prices/2026-01.toml")).expect("prices");
    let changed = prices.replace("credits = \"0.5\"", "credits = \"0.6\"");
    assert_ne!(changed, prices);
    place.write("data/prices/2026-01.toml", changed);
    let ran = place.run(&["explain", "one"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(
        ran.err.contains("1 difference from the price table"),
        "{}",
        ran.err
    );
    for words in [
        "2 documents × 0.6 = 1.2",
        "THE LEDGER DIFFERS",
        "credits: the ledger has 1.000000, expected 1.200000",
    ] {
        assert!(ran.out.contains(words), "{words}: {}", ran.out);
    }
}
