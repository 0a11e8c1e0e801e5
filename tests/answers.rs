//! `invoice`, `signals` and `balance` as a person or a script meets them: the program itself over
//! the story of `fixtures/events/story.ndjson`.

#[allow(dead_code, reason = "a part of it is used here")]
#[path = "support/story.rs"]
mod story;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use story::{replayed, text};

/// Two of birch's periods start in September; the second has 225 credits of overage at 0.10.
const BIRCH_IN_SEPTEMBER: &str = "\
customer  period      line  kind   description                 unit         quantity      credits    pool_used     overage  amount  currency  status
--------  ----------  ----  -----  --------------------------  --------  -----------  -----------  -----------  ----------  ------  --------  ------
birch     2026-09-10     1  fee    Team                        period       1.000000                                        399.00  USD       final
birch     2026-09-10     2  usage  deal package                package      1.000000    50.000000    50.000000    0.000000    0.00  USD       final
birch     2026-09-10     3  usage  page translated, certified  page        30.000000    60.000000    60.000000    0.000000    0.00  USD       final
birch     2026-09-10     4  usage  voice minute transcribed    minute      12.750000     2.550000     2.550000    0.000000    0.00  USD       final
birch     2026-09-30     1  fee    Team                        period       1.000000                                        399.00  USD       final
birch     2026-09-30     2  usage  document analysed           document  1920.000000  5255.000000  5030.000000  225.000000   22.50  USD       final
(6 rows)
customer  period      status  number   total  currency
--------  ----------  ------  ------  ------  --------
birch     2026-09-10  final        1  399.00  USD
birch     2026-09-30  final        4  421.50  USD
(2 rows)
";

const BALANCE_OF_BIRCH: &str = "\
customer  plan  period      period_end         pool        used   overage    remaining  used_percent      pace  status  next_plan  as_of_entry
--------  ----  ----------  ----------  -----------  ----------  --------  -----------  ------------  --------  ------  ---------  -----------
birch     team  2026-10-31  2026-11-30  5000.000000  269.600000  0.000000  4730.400000          5.39  2.571428  ok                         203
(1 row)
";

#[tokio::test]
async fn an_invoice_holds_the_periods_that_start_in_the_month() {
    let folder = replayed().await;
    let csv = answer(folder.path(), "invoice --period 2026-10 --format csv");
    let starts_in_october = |line: &str| {
        let period = line.split(',').nth(1);
        period.is_some_and(|period| period.starts_with("2026-10-"))
    };
    let october = expected("invoice_lines", starts_in_october);
    assert_eq!(csv, october);
    // Some periods that start in October have not closed yet.
    for line in [
        "acme,2026-10-01,1,",
        "birch,2026-10-31,1,",
        "cedar,2026-10-25,1,",
    ] {
        let line = csv.lines().find(|found| found.starts_with(line));
        let is_final = line.expect("a fee").contains(",final,");
        assert_eq!(is_final, line.is_some_and(|line| line.starts_with("acme")));
    }
    let acme = json(folder.path(), "invoice --period 2026-10 --customer acme");
    // 104.55 of the documents of 18 October, and 50 that came late, at 0.12 each.
    let line = json!({
        "customer": "acme", "period": "2026-10-01", "line": 3, "kind": "usage",
        "description": "document analysed", "unit": "document", "quantity": "710.000000",
        "credits": "1660.000000", "pool_used": "1505.450000", "overage": "154.550000",
        "amount": "18.55", "currency": "USD", "status": "final", "number": 5,
        "period_end": "2026-11-01", "issued_on": "2026-11-02", "shard": 0, "last_entry": 130,
    });
    assert_eq!(acme[2], line);
    assert_eq!(acme.as_array().map(Vec::len), Some(6));
    let table = answer(folder.path(), "invoice --period 2026-09 --customer birch");
    assert_eq!(table, BIRCH_IN_SEPTEMBER);
}

#[tokio::test]
async fn no_period_and_no_wallet_are_told_apart_from_failures() {
    let folder = replayed().await;
    for (arguments, said) in [
        ("invoice --period 2026-08", "no period starts in 2026-08\n"),
        // A wild card of SQL is a letter here.
        (
            "invoice --period 2026-10 --customer acm_",
            "no period of `acm_` starts in 2026-10\n",
        ),
        ("balance nobody", "`nobody` has no wallet\n"),
    ] {
        let output = purser(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), said);
    }
    let wrong = purser(folder.path(), "invoice --period 2026-13");
    assert_eq!(wrong.status.code(), Some(2));
}

#[tokio::test]
async fn signals_begin_with_the_highest_score() {
    let folder = replayed().await;
    let csv = answer(folder.path(), "signals --format csv");
    assert_eq!(csv, text("fixtures/expected/signals.csv"));
    let acme = json(folder.path(), "signals --customer acme");
    // 2,250 credits so far and 200 a day for 10 days, 13 hours and 29 minutes more: Starter bills
    // 0.12 for each beyond 1,000, 502.48 in all; Team's pool holds all of them for 399.00.
    for (field, value) in [("fitting_plan", "team"), ("saving_now", "103.483333320")] {
        assert_eq!(acme[0][field], value, "{field}");
    }
    // Within its plan: an empty answer is an answer, not a failure.
    let cedar = answer(folder.path(), "signals --customer cedar");
    assert!(cedar.ends_with("(0 rows)\n"), "{cedar}");
}

#[tokio::test]
async fn a_balance_is_the_wallet_of_the_ledger() {
    let folder = replayed().await;
    assert_eq!(
        answer(folder.path(), "balance birch --format csv"),
        expected("wallets", |line| line.starts_with("birch,"))
    );
    let wallet = json!([{
        "customer": "birch", "plan": "team", "period": "2026-10-31", "period_end": "2026-11-30",
        "pool": "5000.000000", "used": "269.600000", "overage": "0.000000",
        "remaining": "4730.400000", "used_percent": "5.39", "pace": "2.571428", "status": "ok",
        "next_plan": null, "as_of_entry": 203,
    }]);
    assert_eq!(json(folder.path(), "balance birch"), wallet);
    assert_eq!(answer(folder.path(), "balance birch"), BALANCE_OF_BIRCH);
}

/// Runs the program over a data folder, in an environment that sets nothing.
fn purser(data: &Path, arguments: &str) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_purser"));
    program.env_clear().arg("--data").arg(data);
    program.args(arguments.split(' '));
    program.output().expect("run purser")
}

/// What the program prints when it succeeds.
fn answer(data: &Path, arguments: &str) -> String {
    let output = purser(data, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments}: {said}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn json(data: &Path, arguments: &str) -> Value {
    let answer = answer(data, &format!("{arguments} --format json"));
    serde_json::from_str(&answer).expect("JSON")
}

/// The header and those lines of a view's expected answer that `keep` wants.
fn expected(view: &str, keep: impl Fn(&str) -> bool) -> String {
    let all = text(&format!("fixtures/expected/{view}.csv"));
    let kept = all
        .lines()
        .enumerate()
        .filter(|(n, line)| *n == 0 || keep(line));
    kept.map(|(_, line)| format!("{line}\n")).collect()
}
