//! Invoices: numbers, files, books, drafts that become final, and the check against the ledger.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::purser::{PRICES, Place, ran, usage, wallet_command};

const CLOSED_AT: &str = "2026-05-03T00:00:00Z";

/// Usage of three customers whose first periods start on 5, 6 and 7 March.
fn story() -> String {
    let mut lines = Vec::new();
    for (day, customer) in [("05", "acme"), ("06", "birch"), ("07", "cedar")] {
        for n in 0..150 {
            let id = format!("{customer}-{n}");
            lines.push(usage(&id, customer, &format!("{day}T10:00:00Z")));
        }
    }
    lines.join("\n") + "\n"
}

fn place() -> Place {
    let place = Place::new();
    place.write("events.ndjson", story());
    place.replay("events.ndjson");
    place
}

/// Moves time on.
fn until(place: &Place, time: &str) {
    place.done(&["replay", "events.ndjson", "--until", time]);
}

/// The files of a folder, by name.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("a folder");
    let file = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().expect("UTF-8");
        (name, fs::read(entry.path()).expect("a file"))
    };
    entries
        .map(|entry| file(entry.expect("an entry")))
        .collect()
}

fn document(folder: &Path, name: &str) -> Value {
    let text = fs::read(folder.join(name)).expect("a document");
    serde_json::from_slice(&text).expect("JSON")
}

#[test]
fn a_second_run_issues_nothing_and_writes_the_same_bytes() {
    let place = place();
    until(&place, CLOSED_AT);
    let issue = ["invoice", "--period", "2026-03", "--out", "march"];
    let told = place.done(&issue);
    assert!(
        told.starts_with("3 invoices issued, 0 were issued before, 315.00 USD; in march"),
        "{told}"
    );
    let first = files(&place.path("march"));
    let names: Vec<&str> = first.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "INV-000001.html",
            "INV-000001.json",
            "INV-000002.html",
            "INV-000002.json",
            "INV-000003.html",
            "INV-000003.json",
            "invoices-2026-03.csv",
        ]
    );
    let told = place.done(&issue);
    assert!(told.starts_with("0 invoices issued, 3 were"), "{told}");
    assert_eq!(files(&place.path("march")), first);
    let books = "SELECT COUNT(DISTINCT number) AS numbers, COUNT(*) AS lines, SUM(amount) AS sum
        FROM invoices";
    assert_eq!(place.csv(books), "numbers,lines,sum\n3,6,315.00\n");
    let told = place.done(&["invoice", "--check"]);
    assert!(
        told.starts_with("3 invoices in the books, 0 closed"),
        "{told}"
    );

    let acme = document(&place.path("march"), "INV-000001.json");
    assert_eq!(acme["customer"], "acme");
    assert_eq!(acme["status"], "final");
    assert_eq!(acme["period"], "2026-03-05");
    assert_eq!(acme["period_end"], "2026-04-05");
    assert_eq!(acme["issued_on"], "2026-04-06");
    assert_eq!(acme["totals"][0]["amount"], "105.00");
    let line = &acme["lines"][1];
    assert_eq!(line["description"], "document analysed");
    assert_eq!(line["credits"], "150.000000");
    assert_eq!(line["pool_used"], "100.000000");
    assert_eq!(line["overage"], "50.000000");
    assert_eq!(line["amount"], "6.00");
    // Its entries alone make it again.
    let last = acme["made_of"]["last_entry"].to_string();
    let sum = "SELECT SUM(credits) AS credits FROM ledger WHERE customer = 'acme'";
    let pinned = place.done(&["query", sum, "--as-of", &last, "--format", "csv"]);
    assert_eq!(pinned, "credits\n150.000000\n");
}

#[test]
fn many_at_once_enter_each_invoice_once() {
    let place = place();
    until(&place, CLOSED_AT);
    let issue = ["invoice", "--period", "2026-03", "--out", "march"];
    let started: Vec<_> = (0..4)
        .map(|_| {
            let mut command = place.command(&issue);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().expect("a process")
        })
        .collect();
    for process in started {
        let ended = ran(process.wait_with_output().expect("its end"));
        assert_eq!(ended.code, 0, "{ended:?}");
    }
    let books = "SELECT COUNT(DISTINCT number) AS numbers, COUNT(*) AS lines FROM invoices";
    assert_eq!(place.csv(books), "numbers,lines\n3,6\n");
    place.done(&["invoice", "--check"]);
}

#[test]
fn numbers_follow_the_closing_and_never_change() {
    let place = place();
    // The periods of acme and birch are over, cedar's is not.
    until(&place, "2026-04-07T12:00:00Z");
    let told = place.done(&["invoice", "--period", "2026-03", "--out", "out"]);
    assert!(told.starts_with("2 invoices issued"), "{told}");
    assert!(told.contains("1 drafts of periods that are open"), "{told}");
    let first = files(&place.path("out"));
    let draft = document(&place.path("out"), "draft-2026-03-07-cedar.json");
    assert_eq!(draft["status"], "draft");
    assert_eq!(draft["number"], Value::Null);
    let page = String::from_utf8(first["draft-2026-03-07-cedar.html"].clone()).expect("UTF-8");
    assert!(page.contains("Draft: the period is open"), "{page}");

    // In the order of closing, whoever is asked for first.
    until(&place, CLOSED_AT);
    let told = place.done(&["invoice", "--check"]);
    assert_eq!(
        told,
        "2 invoices in the books, 1 closed periods not issued yet\n\
         1 to be issued by `purser invoice --period 2026-03 --out DIR`\n"
    );
    place.done(&[
        "invoice",
        "--period",
        "2026-03",
        "--customer",
        "cedar",
        "--out",
        "out",
    ]);
    place.done(&["invoice", "--period", "2026-03", "--out", "out"]);
    let last = files(&place.path("out"));
    assert!(
        !last.contains_key("draft-2026-03-07-cedar.json"),
        "the draft is gone"
    );
    assert!(
        !last.contains_key("draft-2026-03-07-cedar.html"),
        "the draft is gone"
    );
    for name in [
        "INV-000001.json",
        "INV-000002.json",
        "INV-000001.html",
        "INV-000002.html",
    ] {
        assert_eq!(first[name], last[name], "{name} was final");
    }
    assert_eq!(
        document(&place.path("out"), "INV-000003.json")["customer"],
        "cedar"
    );
    let numbers = "SELECT number, customer FROM invoices GROUP BY number, customer ORDER BY number";
    assert_eq!(
        place.csv(numbers),
        "number,customer\n1,acme\n2,birch\n3,cedar\n"
    );
}

#[test]
fn a_reversal_after_the_close_is_a_credit_note_in_the_period_that_is_open() {
    let place = place();
    until(&place, "2026-04-20T00:00:00Z");
    place.done(&["invoice", "--period", "2026-03", "--out", "out"]);
    let closed = files(&place.path("out"));
    let reversal = r#"{"specversion":"1.0","id":"undo","source":"/billing","subject":"acme",
        "type":"purser.usage.reversed","time":"2026-04-20T00:00:01Z",
        "data":{"source":"/gateway","id":"acme-149","reason":"bad answer"}}"#;
    place.write("undo.ndjson", reversal.replace('\n', " ") + "\n");
    place.replay("undo.ndjson");
    place.done(&["invoice", "--period", "2026-03", "--out", "out"]);
    assert_eq!(files(&place.path("out")), closed, "what was issued stands");
    place.done(&["invoice", "--period", "2026-04", "--out", "april"]);
    let draft = document(&place.path("april"), "draft-2026-04-05-acme.json");
    let note = &draft["lines"][1];
    assert_eq!(note["kind"], "reversal");
    let words = "reversal of acme-149 (document analysed), period 2026-03-05";
    assert_eq!(note["description"], words);
    assert_eq!(note["amount"], "-0.12");
    assert_eq!(draft["totals"][0]["amount"], "98.88");
    let page = fs::read_to_string(place.path("april/draft-2026-04-05-acme.html")).expect("a page");
    assert!(page.contains(&format!("Credit note: {words}")), "{page}");
    place.done(&["invoice", "--check"]);
}

#[test]
fn usage_of_a_closed_period_is_an_adjustment_that_names_it() {
    let place = place();
    until(&place, "2026-04-20T00:00:00Z");
    place.write("late.ndjson", usage("late", "acme", "28T10:00:00Z") + "\n");
    place.replay("late.ndjson");
    let lines = place.rows(
        "SELECT kind, description, quantity, credits FROM invoice_lines
         WHERE customer = 'acme' AND period = DATE '2026-04-05' ORDER BY line",
    );
    assert_eq!(lines[1]["kind"], "late");
    assert_eq!(
        lines[1]["description"],
        "document analysed, used in period 2026-03-05"
    );
    assert_eq!(lines[1]["credits"], "1.000000");
}

#[test]
fn the_published_schema_is_the_programs() {
    let published = include_str!("../../fixtures/invoice.schema.json");
    let told = Place::new().done(&["invoice", "--schema"]);
    assert_eq!(told, published, "`purser invoice --schema` writes it anew");
}

#[test]
fn books_of_another_ledger_do_not_pass_the_check() {
    let (place, other) = (place(), Place::new());
    until(&place, CLOSED_AT);
    place.done(&["invoice", "--period", "2026-03", "--out", "out"]);
    other.write(
        "events.ndjson",
        story().replace("\"documents\":2", "\"documents\":4"),
    );
    other.replay("events.ndjson");
    until(&other, CLOSED_AT);
    fs::rename(place.path("data/invoices"), other.path("data/invoices")).expect("moved");
    let ran = other.run(&["invoice", "--check"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    // A line of usage on either side and a sum, for each customer.
    assert!(
        ran.err
            .contains("9 differences between the books and the ledger"),
        "{ran:?}"
    );
    for fault in [
        "only in the books: INV-000001 of `acme`, period 2026-03-05, line 2: document analysed, \
         300.000000, 6.00",
        "the lines of `acme`, period 2026-03-05, come to 150.000000 credits, 105.00, the ledger to \
         300.000000 credits, 123.000000000",
    ] {
        assert!(ran.out.contains(fault), "{ran:?}");
    }
    // Nothing is issued on top of them.
    let ran = other.run(&["invoice", "--period", "2026-03", "--out", "out"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.err.contains("so nothing was issued: only in the"),
        "{ran:?}"
    );
    assert!(!other.path("out").exists());
}

#[test]
fn late_usage_of_a_wallet_that_was_opened_anew_is_one_line() {
    let place = Place::new();
    let open = r#"{"plan":"starter"}"#;
    let lines = [
        wallet_command("acme", "03-05T10:00:00Z", "opened", open),
        wallet_command("acme", "03-10T10:00:00Z", "closed", "{}"),
        wallet_command("acme", "03-15T10:00:00Z", "opened", open),
        usage("april", "acme", "16T12:00:00Z").replace("2026-03-16", "2026-04-16"),
        usage("late", "acme", "20T10:00:00Z"),
    ];
    place.write("events.ndjson", lines.join("\n") + "\n");
    place.replay("events.ndjson");
    until(&place, "2026-05-20T00:00:00Z");
    let late = "SELECT description, credits, period FROM invoice_lines WHERE kind = 'late'";
    assert_eq!(
        place.csv(late),
        "description,credits,period\n\
         \"document analysed, used in period 2026-03-15\",1.000000,2026-04-15\n"
    );
    for month in ["2026-03", "2026-04"] {
        place.done(&["invoice", "--period", month, "--out", "out"]);
    }
    place.done(&["invoice", "--check"]);
}

#[test]
fn the_last_entry_of_an_invoice_makes_a_reversal_of_several_rows_again() {
    let place = Place::new();
    let undo = r#"{"source":"/gateway","id":"big","reason":"bad answer"}"#;
    let lines = [
        usage("small", "acme", "05T10:00:00Z"),
        // 150 credits, of which the pool covers 99.
        usage("big", "acme", "05T11:00:00Z").replace("\"documents\":2", "\"documents\":300"),
        wallet_command("acme", "03-05T12:00:00Z", "reversed", undo)
            .replace("purser.wallet.reversed", "purser.usage.reversed"),
    ];
    place.write("events.ndjson", lines.join("\n") + "\n");
    place.replay("events.ndjson");
    let rows = "SELECT COUNT(*) AS rows, MAX(entry) AS last FROM ledger WHERE kind = 'reversal'";
    let reversal = &place.rows(rows)[0];
    assert_eq!(reversal["rows"], 2);
    let lines = "SELECT * FROM invoice_lines";
    let whole = place.rows(lines);
    assert_eq!(whole[0]["last_entry"], reversal["last"]);
    let last = reversal["last"].to_string();
    let pinned = place.done(&["query", lines, "--as-of", &last, "--format", "csv"]);
    assert_eq!(pinned, place.csv(lines));
}

#[test]
fn sums_longer_than_a_row_of_the_ledger_holds_enter_the_books() {
    let place = Place::new();
    let cheap = PRICES.replace("credits = \"0.5\"", "credits = \"0.001\"");
    place.write("prices/2026-01.toml", cheap);
    let given = r#"{"credits":"900000000","basis":"promotional"}"#;
    let huge = |id: &str| {
        let event = usage(id, "acme", "06T10:00:00Z");
        event.replace("\"documents\":2", "\"documents\":600000000000")
    };
    let lines = [
        usage("first", "acme", "05T10:00:00Z"),
        wallet_command("acme", "03-05T11:00:00Z", "granted", given),
        wallet_command("acme", "03-05T12:00:00Z", "granted", given),
        huge("a"),
        huge("b"),
    ];
    place.write("events.ndjson", lines.join("\n") + "\n");
    place.replay("events.ndjson");
    until(&place, CLOSED_AT);
    place.done(&["invoice", "--period", "2026-03", "--out", "out"]);
    // 13 digits before the point and 6 behind it.
    let sums = "SELECT quantity, credits FROM invoices WHERE kind = 'usage'";
    assert_eq!(
        place.csv(sums),
        "quantity,credits\n1200000000002.000000,1200000000.002000\n"
    );
    place.done(&["invoice", "--check"]);
}

#[test]
fn a_ledger_is_shown_as_it_stood() {
    let place = place();
    until(&place, CLOSED_AT);
    let count = |from: &str, as_of: &str| {
        let statement = format!("SELECT COUNT(*) AS n FROM {from}");
        place.done(&["query", &statement, "--as-of", as_of, "--format", "csv"])
    };
    assert_eq!(count("ledger", "7"), "n\n7\n");
    assert_eq!(count("wallets", "2026-03-06T00:00:00Z"), "n\n1\n");
    assert_eq!(count("wallets", "2026-03-07T10:00:00Z"), "n\n3\n");
    let ran = place.run(&["query", "SELECT 1", "--as-of", "yesterday"]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.err.contains("write a time with its zone"),
        "{}",
        ran.err
    );
}
