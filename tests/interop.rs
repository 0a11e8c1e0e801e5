//! Other engines over our tables: DuckDB, Polars and Spark must see what our own SQL sees, and
//! DuckDB must make of the ledger what the issued invoices say.
//!
//! Owns the input and the comparison; `interop/read.py` asks the other engines. They are
//! installed once into `target/tools`.
//!
//! Invariant: no Python is a failure, never a test that passes without it. Sums are compared as
//! text, all digits, so that no engine's float goes unseen.

#[path = "support/engines.rs"]
mod engines;
#[path = "support/nats.rs"]
mod nats;
#[path = "support/purser.rs"]
mod purser;

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use engines::python;
use nats::SERVER;
use purser::{Place, ran};

/// Prices whose charges and costs use every place of a decimal.
const PRICES: &str = r#"
version = "2026-01"
effective_from = "2026-01-01T00:00:00Z"
default_plan = "starter"

[[price]]
id = "page"
task = "page translated"
unit = "page"
when = { type = "page.translated" }
quantity = "pages"
credits = "0.333333333333"

[[cost]]
when = { type = "page.translated" }
components = [{ measure = "tokens", per = 7, usd = "0.000000123" }]

[[plan]]
id = "starter"
name = "Starter"
fee = "99.990000001"
currency = "USD"
credits = "1000.000001"
alerts = { used = [50, 80, 100] }
overage = { mode = "bill", price = "0.123456789" }

[[plan]]
id = "blocked"
name = "Blocked"
fee = "0"
currency = "EUR"
credits = "10"
"#;

/// What every engine is asked: sums by customer and by kind.
const SUMS: &str = "count(*) AS n, SUM(credits) AS credits, \
    SUM(CASE WHEN grant_id IS NULL THEN credits END) AS overage, SUM(delta) AS delta, \
    SUM(amount) AS amount, SUM(cost_usd) AS cost_usd FROM ledger";

/// Sums that a double cannot hold: over 2^53 microcredits and nano-dollars.
const BIG: [(&str, &str); 4] = [
    ("123456789012.345678", "123456789.123456789"),
    ("98765432109.876543", "987654321.987654321"),
    ("0.000001", "0.000000001"),
    ("9007199254.740993", "9007199.254740993"),
];

fn events() -> String {
    let mut lines = String::new();
    let mut event = |id: &str, kind: &str, customer: &str, second: usize, data: &str| {
        let (day, hour, minute) = (1 + second / 86_400, second / 3_600 % 24, second / 60 % 60);
        let time = format!(
            "2026-03-{day:02}T{hour:02}:{minute:02}:{:02}.000001Z",
            second % 60
        );
        let start = format!(r#"{{"specversion":"1.0","id":"{id}","source":"/gateway","#);
        let rest = format!(r#""type":"{kind}","subject":"{customer}","time":"{time}","#);
        writeln!(lines, r#"{start}{rest}"data":{data}}}"#).expect("in memory");
    };
    let customers = ["acme", "Ünïcödé", "客户", "quoted\\\"name", "zz'top"];
    event(
        "open",
        "purser.wallet.opened",
        "blocked",
        0,
        r#"{"plan":"blocked"}"#,
    );
    for number in 0..3_000 {
        let customer = if number % 6 == 5 {
            "blocked"
        } else {
            customers[number % 6]
        };
        let (pages, tokens) = (number % 97, number * number % 1_000_003);
        let data = format!(r#"{{"pages":{pages}.{number:06},"tokens":{tokens}}}"#);
        let id = format!("e{}", number - number % 50 / 49);
        event(&id, "page.translated", customer, 300 * number, &data);
    }
    for (at, (credits, price)) in BIG.iter().enumerate() {
        let data = format!(
            r#"{{"credits":"{credits}","basis":"purchased","price":"{price}","currency":"USD"}}"#
        );
        event(
            &format!("g{at}"),
            "purser.wallet.granted",
            "acme",
            900_001 + at,
            &data,
        );
    }
    lines + "broken\n\n"
}

#[test]
fn other_engines_see_the_sums_and_types_that_we_see() {
    let place = Place::new();
    place.write("prices/2026-01.toml", PRICES);
    // By two replays, so that maintenance merges files and takes the old ones out of the table.
    let events = events();
    let begun: String = events.split_inclusive('\n').take(1_500).collect();
    for lines in [begun, events] {
        place.write("events.ndjson", lines);
        place.replay("events.ndjson");
    }
    place.done(&["maintain"]);
    let mut ours = String::new();
    for key in ["customer", "kind"] {
        writeln!(ours, "{key}").expect("in memory");
        let statement = format!("SELECT {key}, {SUMS} GROUP BY {key} ORDER BY {key} NULLS FIRST");
        for row in place.rows(&statement) {
            let text = |name: &str| match &row[name] {
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let names = [
                key, "n", "credits", "overage", "delta", "amount", "cost_usd",
            ];
            writeln!(ours, "{}", names.map(text).join("|")).expect("in memory");
        }
    }
    // Lest all agree on nothing.
    let all = place.csv(&format!("SELECT {SUMS}"));
    let sums = all.lines().nth(1).expect("a row").split(',').skip(1);
    assert!(
        sums.clone().count() == 5 && sums.clone().all(|sum| !sum.starts_with('0')),
        "{all}"
    );

    // Our answer as a file is one more table to read.
    let whole = ["query", purser::ALL_ROWS, "--format", "parquet"];
    let whole = place.command(&whole).output().expect("a run");
    assert!(
        whole.status.success(),
        "{}",
        String::from_utf8_lossy(&whole.stderr)
    );
    let file = place.write("answer.parquet", whole.stdout);
    let table = place.path("data/ledger");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/read.py");
    for (engine, table) in [
        ("duckdb", &table),
        ("polars", &table),
        ("pyarrow", &table),
        ("spark", &table),
        ("parquet", &file),
    ] {
        let mut read = Command::new(python());
        read.arg(&script).arg(engine).arg(table);
        let theirs = ran(read.output().expect("python"));
        assert_eq!(theirs.code, 0, "{engine}: {}", theirs.err);
        let different = ours
            .lines()
            .zip(theirs.out.lines())
            .find(|(one, other)| one != other);
        assert_eq!(different, None, "{engine}");
        assert_eq!(ours, theirs.out, "{engine}");
    }
}

/// A year of 30 customers whose periods start on as many days: usage with every place of a
/// decimal, overage, late usage, reversals in later periods, purchases.
fn year() -> String {
    let mut lines = String::new();
    let mut event = |id: &str, kind: &str, customer: &str, time: &str, data: &str| {
        let start = format!(r#"{{"specversion":"1.0","id":"{id}","source":"/gateway","#);
        let rest = format!(r#""type":"{kind}","subject":"{customer}","time":"{time}","#);
        writeln!(lines, r#"{start}{rest}"data":{data}}}"#).expect("in memory");
    };
    for day in 0..364 {
        let (month, of_month) = (1 + day / 31, 1 + day % 31);
        let last = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1];
        for c in (0..30).filter(|c| day >= *c && (day + c) % 3 == 0 && of_month <= last) {
            let (id, customer) = (format!("e{day}-{c}"), format!("c{c}"));
            let time = format!("2025-{month:02}-{of_month:02}T10:00:00Z");
            let pages = day * 7919 % 300 + 1;
            let data = format!(r#"{{"pages":{pages}.{day:06},"tokens":{pages}}}"#);
            event(&id, "page.translated", &customer, &time, &data);
            if day % 40 == 39 {
                // Five weeks late, so that its period has closed.
                let before = (month + 10) % 12 + 1;
                let late = format!("2025-{before:02}-01T10:00:00Z");
                if before < month && day > 60 {
                    event(
                        &format!("l{id}"),
                        "page.translated",
                        &customer,
                        &late,
                        &data,
                    );
                }
            }
            if day > 90 && day % 30 == 29 {
                let old = format!("e{}-{c}", day - 33);
                let data = format!(r#"{{"source":"/gateway","id":"{old}","reason":"bad"}}"#);
                event(
                    &format!("r{id}"),
                    "purser.usage.reversed",
                    &customer,
                    &time,
                    &data,
                );
            }
            if day % 50 == 49 {
                let data =
                    r#"{"credits":"10.5","basis":"purchased","price":"1.99","currency":"USD"}"#;
                event(
                    &format!("g{id}"),
                    "purser.wallet.granted",
                    &customer,
                    &time,
                    data,
                );
            }
        }
    }
    lines
}

#[test]
fn another_engine_makes_the_same_invoices_of_a_year() {
    let place = Place::new();
    let cheap = PRICES
        .replace("\"1000.000001\"", "\"300.000001\"")
        .replace("2026-01", "2025-01");
    place.write("prices/2026-01.toml", cheap);
    place.write("events.ndjson", year());
    place.replay("events.ndjson");
    let until = ["replay", "events.ndjson", "--until", "2026-03-01T00:00:00Z"];
    place.done(&until);
    for month in 1..=12 {
        let month = format!("2025-{month:02}");
        place.done(&["invoice", "--period", &month, "--out", "invoices"]);
    }
    let kinds = place.csv("SELECT DISTINCT kind FROM invoices ORDER BY kind");
    assert_eq!(kinds, "kind\nfee\ngrant\nlate\nreversal\nusage\n");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/invoices.py");
    let mut check = Command::new(python());
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/invoice.schema.json");
    let theirs = ran(check
        .arg(script)
        .args([place.path("data"), place.path("invoices"), schema])
        .output()
        .expect("python"));
    assert_eq!(theirs.code, 0, "{}", theirs.err);
    let ours = "SELECT COUNT(DISTINCT number) AS n, SUM(credits) AS credits, SUM(amount) AS amount
        FROM invoices";
    let ours = place.csv(ours).replace(',', " ");
    assert_eq!(ours.lines().nth(1), theirs.out.lines().next());
    place.done(&["invoice", "--check"]);
}

/// Its totals are checked by itself, against every contender.
#[test]
fn the_bench_measures_each_load_and_leaves_nothing_behind() {
    let place = Place::new();
    let work = place.path("work");
    let mut bench = place.command(&["bench", "--events", "5000", "--customers", "50"]);
    bench.args(["--rounds", "1", "--identities", "20000", "--work"]);
    bench.arg(&work).arg("--python").arg(python());
    bench.args(["--entries", "5000"]);
    bench.arg("--nats-server").arg(SERVER.find());
    let measured = ran(bench.output().expect("a run"));
    // So few events are no measure of speed.
    assert!([0, 1].contains(&measured.code), "{measured:?}");
    let expected = [
        "`replay`: speed",
        "`replay`: events",
        "`replay`: peak memory",
        "ledger: bytes",
        "`run` on a backlog, one event",
        "`run` on a backlog, 100 events",
        "event → alert, in ms: p50",
        "event → alert, in ms: p99",
        "event → alert, in ms: the longest",
        "events a second that arrived",
        "`replay`, a customer for every two events",
        "`replay` into a ledger with many identities",
        "restart: time",
        "`query`, a month's invoice lines: time",
        "`query`, the upgrade signals: time",
        "`query`, all signals: time",
        "the engine's longest pause",
    ];
    let rows: Vec<&str> = measured.out.lines().skip(3).collect();
    assert_eq!(rows.len(), expected.len(), "{measured:?}");
    for (row, what) in rows.iter().zip(expected) {
        assert!(row.starts_with(&format!("| {what}")), "{what} in {row}");
    }
    let left = std::fs::read_dir(work).expect("a folder");
    assert_eq!(left.count(), 0, "{measured:?}");
}
