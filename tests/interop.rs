//! Other engines over our ledger: DuckDB and Polars must see what our own SQL sees.
//!
//! Owns the input and the comparison; `interop/read.py` asks the other engines. They are
//! installed once into `target/tools`.
//!
//! Invariant: no Python is a failure, never a test that passes without it. Sums are compared as
//! text, all digits, so that no engine's float goes unseen.

#[path = "support/engines.rs"]
mod engines;
#[path = "support/purser.rs"]
mod purser;

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use engines::python;
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
fn duckdb_and_polars_see_the_sums_and_types_that_we_see() {
    let place = Place::new();
    place.write("prices/2026-01.toml", PRICES);
    place.write("events.ndjson", events());
    place.replay("events.ndjson");
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
