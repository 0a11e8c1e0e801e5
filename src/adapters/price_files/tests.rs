//! Tables of files and the faults that they have.

use super::*;
use crate::domain::units::{Credits, MICROS_PER_DAY, MICROS_PER_HOUR, Money};
use crate::domain::{price::Overage, rfc3339};

const WHOLE: &str = r#"version = "2026-10"
effective_from = "2026-10-01T00:00:00Z"
default_plan = "starter"

[rules]
window_days = 40
grace_hours = 12

[[price]]
id = "large"
task = "document analysed"
unit = "document"
when = { type = "doc", model = ["gpt-4o", "claude-opus"] }
quantity = "documents"
credits = "1"

[[price]]
id = "completion"
task = "assistant answer"
unit = "answer"
when = { type = "llm", cached = false }
components = [
  { measure = "in", per = 1000, credits = "0.25" },
  { measure = "out", per = 1000, credits = "1" },
]
minimum = "0.01"
rounding = "half_even"

[[cost]]
when = { type = "llm" }
components = [{ measure = "in", per = 1000000, usd = "2.50" }]

[[plan]]
id = "starter"
name = "Starter"
fee = "99.00"
currency = "USD"
credits = "1000"
alerts = { used = [80, 50, 100] }
overage = { mode = "bill", price = "0.12" }

[[plan]]
id = "free"
name = "Free"
fee = "0"
currency = "EUR"
credits = "10.5"
"#;

fn files(texts: &[(&str, &str)]) -> Vec<(String, String)> {
    texts
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect()
}

fn faults(texts: &[(&str, &str)]) -> Vec<String> {
    let faults = load(&files(texts)).map(|_| ()).err().unwrap_or_default();
    faults.iter().map(PriceFileFault::to_string).collect()
}

/// Each expected fault is its `file:line` and, after a space, words that it must hold; these may
/// be several, divided by `…`.
fn check(texts: &[(&str, &str)], expected: &[&str]) {
    let told = faults(texts);
    assert_eq!(told.len(), expected.len(), "{texts:?}: {told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        let (place, words) = expected.split_once(' ').unwrap();
        let has_words = words.split('…').all(|words| told.contains(words));
        assert!(
            told.starts_with(&format!("{place}: ")) && has_words,
            "{told}\nis not {expected}"
        );
    }
}

/// One file: the whole one with one piece of it written otherwise.
fn check_edit(from: &str, to: &str, expected: &[&str]) {
    assert_eq!(WHOLE.matches(from).count(), 1, "{from}");
    let expected: Vec<String> = expected
        .iter()
        .map(|fault| format!("a.toml:{fault}"))
        .collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    check(&[("a.toml", &WHOLE.replace(from, to))], &expected);
}

/// Edits of the whole file: `from => to => fault ;; fault`, `\n` for the end of a line.
fn check_edits(table: &str) {
    for row in table.lines().filter(|row| !row.trim().is_empty()) {
        let row = row.replace("\\n", "\n");
        let words: Vec<&str> = row.split("=>").map(|word| word.trim_matches(' ')).collect();
        let faults: Vec<&str> = words[2].split(";;").map(str::trim).collect();
        let faults = if words[2].is_empty() {
            &[]
        } else {
            faults.as_slice()
        };
        check_edit(words[0], words[1], faults);
    }
}

#[test]
fn a_whole_file_becomes_its_table() {
    let book = load(&files(&[("a.toml", WHOLE)])).unwrap();
    let [table] = book.tables() else {
        panic!("{book:?}")
    };
    assert_eq!(table.version, "2026-10");
    assert_eq!(
        rfc3339::format(table.effective_from).to_string(),
        "2026-10-01T00:00:00.000000Z"
    );
    assert_eq!(table.default_plan.as_deref(), Some("starter"));
    assert_eq!(table.rules.window, 40 * MICROS_PER_DAY);
    assert_eq!(table.rules.future, 300_000_000);
    assert_eq!(table.rules.grace, 12 * MICROS_PER_HOUR);
    let prices: Vec<String> = table
        .prices
        .iter()
        .map(|p| {
            format!(
                "{} | {} | {} | {} | {}",
                p.id, p.when, p.shape, p.minimum, p.rounding
            )
        })
        .collect();
    assert_eq!(
        prices,
        [
            "large | type = \"doc\", model = [\"gpt-4o\", \"claude-opus\"] | 1 per documents | \
             0.000000 | half_up",
            "completion | type = \"llm\", cached = false | 0.25 per 1000 in + 1 per 1000 out | \
             0.010000 | half_even",
        ]
    );
    assert_eq!(table.costs[0].components[0].usd_nano, 2_500_000_000);
    let starter = table.plan("starter").unwrap();
    assert_eq!(starter.alerts.used, [50, 80, 100]);
    assert_eq!(starter.fee, Money::new(99_000_000_000));
    assert_eq!(
        starter.overage,
        Overage::Bill {
            price: Money::new(120_000_000)
        }
    );
    let free = table.plan("free").unwrap();
    assert_eq!(
        (free.pool, free.overage),
        (Credits::new(10_500_000), Overage::Block)
    );
    assert!(free.alerts == crate::domain::price::Alerts::default());
}

#[test]
fn every_way_to_write_the_same_is_read() {
    check_edit(
        "\"2026-10-01T00:00:00Z\"",
        "2026-10-01T02:00:00.5+02:00",
        &[],
    );
    check_edit("\"2026-10-01T00:00:00Z\"", "2026-10-01 00:00:00Z", &[]);
    check_edit(
        "[rules]\nwindow_days = 40\ngrace_hours = 12",
        "rules.window_days = 40",
        &[],
    );
    check_edit("when = { type = \"llm\" }\n", "when.type = \"llm\"\n", &[]);
    check_edit("when = { type = \"llm\" }\n", "", &[]);
    check_edit("alerts = { used = [80, 50, 100] }", "alerts = {}", &[]);
    let below = "[plan.overage]\nmode = \"block\"";
    check_edit(
        "overage = { mode = \"bill\", price = \"0.12\" }",
        below,
        &[],
    );
    let headers = "[[cost.components]]\nmeasure = \"in\"\nper = 1\nusd = \"2.50\"";
    let inline = "components = [{ measure = \"in\", per = 1000000, usd = \"2.50\" }]";
    check_edit(inline, headers, &[]);
    check(&[("a.toml", &WHOLE.replace('\n', "\r\n"))], &[]);
    check(&[("a.toml", &format!("\u{feff}{WHOLE}"))], &[]);
}

#[test]
fn versions_and_times_are_checked() {
    check_edits(
        r#"
        version = "2026-10"\n => => 1 `version` is missing…version = "2026-10"
        "2026-10" => 2026.10 => 1 `version` is a float…version = "2026.10"
        "2026-10" => "-x" => 1 `version` "-x" must be…letter or digit first
        "2026-10" => "a/b" => 1 `version` "a/b"
        "2026-10" => "" => 1 `version` must be 1 to
        "2026-10-01T00:00:00Z" => "2026-10-01T00:00:00" => 2 with a zone
        "2026-10-01T00:00:00Z" => 2026-10-01T00:00:00 => 2 with a zone…2026-10-01T00:00:00Z
        "2026-10-01T00:00:00Z" => 2026-10-01 => 2 "2026-10-01" is no RFC 3339
        "2026-10-01T00:00:00Z" => "2026-02-30T00:00:00Z" => 2 is no RFC 3339
        "2026-10-01T00:00:00Z" => 20261001 => 2 is an integer; write a string of a time
        "2026-10-01T00:00:00Z" => "2026-10-01 00:00:00Z" => 2 is no RFC 3339
        default_plan = "starter" => default_plan = "start" => 3 one of: "starter", "free"
    "#,
    );
}

#[test]
fn keys_must_be_known_and_there() {
    check_edits(
        r#"
        default_plan => defualt_plan => 3 did you mean `default_plan`?
        default_plan => zzz => 3 `zzz` is no key of a price file; it may have `version`
        [rules] => [rulez] => 5 did you mean `rules`?
        grace_hours => grace_hour => 7 did you mean `grace_hours`?
        [[cost]] => [[costs]] => 29 did you mean `cost`?
        quantity => Quantity => 14 did you mean `quantity`?
        unit = "document"\n => => 9 `unit` is missing from this price…unit = "document"
        credits = "1"\n => => 9 `credits` is missing from this price
        credits = "1"\n => tiers = []\n => 15 `tiers` is not supported yet
        minimum => minimun => 26 did you mean `minimum`?
        measure = "out", =>  => 24 `measure` is missing from this price component
        usd = => credits = => 31 `credits` is no key…`usd` ;; 31 `usd` is missing
        currency = "USD"\n => => 33 `currency` is missing from this plan
        used = => run_out_within_days = 0, used = => 39 `run_out_within_days` must be from 1 to 365
        used = => expiring_within_days = "7", used = => 39 is a string; write an integer
        used = => running_out_within_days = 7, used = => 39 did you mean `run_out_within_days`?
        credits = "10.5" => credits = "10.5"\nrollover = { max = "200" } => 48 `periods` is missing
        credits = "10.5" => credits = "10.5"\nrollover = { max = "1", periods = 0 } => 48 from 1 to 120
        credits = "10.5" => credits = "10.5"\nrollover = { max = 1, periods = 1 } => 48 write a string
        credits = "10.5" => credits = "10.5"\nrollover = { max = "1", periods = 1 } =>
        mode = "bill", =>  => 40 `mode` is missing from this plan's overage
    "#,
    );
}

#[test]
fn values_must_be_of_their_kind() {
    check_edits(
        r#"
        window_days = 40 => window_days = "40" => 6 `window_days` is a string; write an integer
        window_days = 40 => window_days = -1 => 6 must be from 0 to 36500
        window_days = 40 => window_days = 36501 => 6 must be from 0 to 36500
        [rules]\nwindow_days = 40\ngrace_hours = 12 => rules = 3 => 5 an integer; write a table
        [[cost]] => [cost] => 29 `cost` is a table; write a list of tables: [[cost]]
        credits = "1"\n => credits = 1\n => 15 an integer…plain decimal: credits = "1"
        credits = "1"\n => credits = 0.25\n => 15 `credits` is a float…credits = "0.25"
        credits = "1"\n => credits = 1e3\n => 15 `credits` is a float…credits = "1"
        credits = "1"\n => credits = "1e3"\n => 15 "1e3" is not a plain decimal…credits = "1"
        credits = "1"\n => credits = "-1"\n => 15 not a plain decimal
        credits = "1"\n => credits = "1,5"\n => 15 not a plain decimal
        credits = "1"\n => credits = "0.0000000000001"\n => 15 more than 12 digits
        credits = "1"\n => credits = "1000000000000"\n => 15 10^12 or more
        credits = "1"\n => credits = "999999999999"\n  =>
        "0.01" => "0.0000001" => 26 more than 6 digits
        "2.50" => "2.0000000001" => 31 more than 9 digits
        "99.00" => "1000000000" => 36 10^9 or more
        "99.00" => "999999999.999999999"  =>
        "0.12" => 0.12 => 40 `price` is a float…price = "0.12"
        credits = "1000" => credits = "1000000000000" => 38 10^12 or more
        "USD" => "usd" => 37 code of three capitals
        per = 1000000 => per = 0 => 31 `per` must be from 1
        per = 1000000 => per = "1000000" => 31 write an integer: per = 1000000
        "half_even" => "even" => 27 unknown…"up", "down", "half_up", "half_even"
        [{ measure = "in", per = 1000000, usd = "2.50" }] => [] => 31 `components` is empty
        [{ measure = "in", per = 1000000, usd = "2.50" }] => [3] => 31 holds an integer
        quantity = "documents" => components = [] => 14 is empty ;; 15 does not go with
        quantity = "documents" => quantity = "" => 14 `quantity` must be 1 to 256
        when = { type = "llm" } => when = "llm" => 30 `when` is a string; write a table
        cached = false => cached = 0 => 21 of type integer; write a string
        cached = false => cached = [] => 21 `cached` allows nothing
        cached = false => cached.a = true => 21 `cached` has a value of type inline table
        cached = false => cached = [true, "x", 1.5] => 21 type float
        when = { type = "llm" } => when = { type = true } => 30 `type` is the event's type
        80, 50 => 80, 0 => 39 0 is not a percentage from 1 to 100
        80, 50 => 101, -5 => 39 -5 is not a percentage ;; 39 101 is not a percentage
        80, 50 => 100, 50 => 39 100 is there twice
        80, 50 => 80, 5.0 => 39 `used` holds a float; write an integer
        "bill", price = "0.12" => "block", price = "0.12" => 40 does not go with
        "bill", price = "0.12" => "bil" => 40 write mode = "bill" or
    "#,
    );
    check_edit(
        "mode = \"bill\", price = \"0.12\"",
        "mode = \"bill\"",
        &["40 `price` is missing"],
    );
    let many: Vec<String> = (1..=33).map(|percent| percent.to_string()).collect();
    check_edit(
        "80, 50, 100",
        &many.join(", "),
        &["39 33 thresholds are more than 32"],
    );
    check_edit("80, 50, 100", &many[..32].join(", "), &[]);
}

#[test]
fn clashes_name_both_places() {
    let other = WHOLE
        .replace("2026-10-01", "2026-11-01")
        .replace("\"2026-10\"", "\"2026-11\"");
    let clash = |from: &str, to: &str| other.replacen(from, to, 1);
    check(&[("a.toml", WHOLE), ("b.toml", &other)], &[]);
    check(&[], &["*.toml there is no price version"]);
    check(
        &[("a.toml", WHOLE), ("b.toml", WHOLE)],
        &[
            "b.toml:1 \"2026-10\" is taken…a.toml:1",
            "b.toml:2 same instant…a.toml:2",
        ],
    );
    check(
        &[("a.toml", &clash("\"free\"", "\"fre\"")), ("b.toml", WHOLE)],
        &["a.toml:1 plan \"free\" of version \"2026-10\" is missing…b.toml:42"],
    );
    check_edit(
        "type = \"doc\", model = [\"gpt-4o\", \"claude-opus\"]",
        "type = \"llm\", a = true",
        &["17 price \"large\" with equally many…a.toml:9"],
    );
    check_edit(
        "\"completion\"",
        "\"large\"",
        &["17 price id \"large\" is taken…a.toml:9"],
    );
    check_edit(
        "id = \"free\"",
        "id = \"starter\"",
        &["42 plan id \"starter\" is taken…a.toml:33"],
    );
    check_edit(
        "per = 1000000",
        "per = 999999999999",
        &["29 no common multiple up to 100000000000"],
    );
    let two = "[[cost]]\ncomponents = [{ measure = \"in\", per = 1, usd = \"1\" }]\n";
    check_edit(
        "[[cost]]",
        &format!("{two}{two}[[cost]]"),
        &["31 this cost and an earlier one…a.toml:29"],
    );
}

#[test]
fn all_faults_of_all_files_are_told_at_once() {
    let broken = WHOLE
        .replace("window_days = 40", "window_day = 40")
        .replace("unit = \"answer\"", "unit = 3")
        .replace("per = 1000, credits = \"1\"", "per = 0, credits = \"x\"")
        .replace("fee = \"99.00\"", "fee = 99");
    check(
        &[
            ("a.toml", "version = \"x"),
            ("b.toml", &broken),
            ("c.toml", "version = \"z\"\nx = 1"),
        ],
        &[
            "a.toml:1 this is not TOML",
            "b.toml:6 did you mean `window_days`",
            "b.toml:20 `unit` is an integer…unit = \"3\"",
            "b.toml:24 `credits` \"x\" is not",
            "b.toml:24 `per` must be from 1",
            "b.toml:36 `fee` is an integer…fee = \"99\"",
            "c.toml:1 `effective_from` is missing",
            "c.toml:2 `x` is no key",
        ],
    );
    // A plan that could not be read is neither unknown nor dropped.
    check_edit("fee = \"99.00\"", "fee = 99", &["36 `fee` is an integer"]);
    // What could be read is held against the rest all the same.
    check_edit(
        "task = \"document analysed\"\nunit = \"document\"",
        "unit = \"document\"\n[x]",
        &[
            "9 `credits` is missing",
            "9 `task` is missing",
            "12 `x` is no key",
        ],
    );
    check(
        &[("a.toml", "a = 1\na = 2\n")],
        &["a.toml:2 this is not TOML"],
    );
}
