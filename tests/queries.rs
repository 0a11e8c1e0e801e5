//! The views of `queries/` over the story of `fixtures/events/story.ndjson`.
//!
//! Each file's answer is held against `fixtures/expected/<its name>.csv`, byte for byte. After a
//! change that is meant, `UPDATE_GOLDEN=1 cargo test --test queries` writes the answers anew; the
//! difference is reviewed as code.

#[path = "support/story.rs"]
mod story;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use purser::adapters::sql::output::{Format, write};
use purser::adapters::sql::session::{AsOf, Limits, Session};
use purser::jobs::data::DataFolder;
use purser::jobs::sql;
use story::{ENDS, STANDS, replayed, repository, text};
use support::records;

const HEADINGS: [&str; 4] = [
    "-- Question:",
    "-- Parameters:",
    "-- Units:",
    "-- One row is:",
];

// Credits that the wallets hold when the story ends, credits charged, those that no grant covered,
// money billed. They were worked out from the events by a script that shares nothing with the
// program, so they are not rewritten with the expected answers.
const REMAINING: &str = "9790.630000";
const CHARGED: &str = "18981.716667";
const OVERAGE: &str = "1701.016667";
const BILLED: &str = "3831.222000040";

#[tokio::test]
async fn every_query_gives_its_expected_answer() {
    let folder = replayed().await;
    let session = session(folder.path()).await;
    let update = std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1");
    let mut faults = Vec::new();
    for query in names("queries", "sql") {
        let answer = csv(&session, &text(&format!("queries/{query}.sql"))).await;
        let path = format!("fixtures/expected/{query}.csv");
        if update {
            fs::write(repository(&path), &answer).expect("write the expected answer");
        }
        match fs::read_to_string(repository(&path)) {
            Err(fault) => faults.push(format!("{path}: {fault}; UPDATE_GOLDEN=1 writes it")),
            Ok(expected) if expected != answer => {
                faults.push(format!("{path}: {}", first_difference(&expected, &answer)));
            }
            Ok(_) => {}
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test]
async fn a_burn_down_ends_where_the_wallet_stands() {
    let folder = replayed().await;
    let session = session(folder.path()).await;
    let answer = csv(&session, STANDS).await;
    assert_eq!(csv(&session, ENDS).await, answer);
    assert_eq!(answer.lines().count(), 12, "{answer}");
}

#[tokio::test]
async fn a_ledger_that_ends_within_an_opening_shows_no_wallet_without_its_plan() {
    let folder = replayed().await;
    for entry in 1..=8 {
        let as_of = Some(AsOf::Entry(entry));
        let session = session_as_of(folder.path(), as_of).await;
        let wallets = csv(
            &session,
            "SELECT customer FROM standings WHERE plan IS NULL",
        )
        .await;
        assert_eq!(wallets, "customer\n", "as of {entry}");
    }
}

#[tokio::test]
async fn what_few_rows_have_is_looked_for_in_few_row_groups_and_once() {
    let folder = replayed().await;
    let session = session(folder.path()).await;
    let plan = "EXPLAIN ANALYZE SELECT entry FROM ledger WHERE kind = 'reversal'";
    let plan = csv(&session, plan).await;
    let after = |name: &str| plan.split(name).nth(1).expect(&plan);
    let is_number = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
    let words = after("row_groups_pruned_bloom_filter=").split([' ', ',']);
    let counts: Vec<u32> = words
        .filter(is_number)
        .take(2)
        .map(|n| n.parse().unwrap())
        .collect();
    assert!(counts[1] < counts[0], "{plan}");
    let filter = after(" predicate=")
        .split("pruning_predicate")
        .next()
        .unwrap();
    assert_eq!(filter.matches("kind@").count(), 1, "{filter}");
}

#[tokio::test]
async fn no_grant_pays_or_ends_outside_of_its_time() {
    let folder = replayed().await;
    let session = session(folder.path()).await;
    // By the clock's rows and by usage, which is what the terms were made for.
    let outside = "SELECT l.entry, l.kind, g.grant_id
        FROM ledger AS l
        JOIN grants AS g ON g.customer = l.customer AND g.grant_id = l.grant_id
        WHERE l.kind = 'usage'
              AND (l.received_at < g.effective_at OR l.received_at >= g.expires_at)
           OR l.kind = 'expire' AND l.idx < 0
              AND (g.expires_at IS NULL OR l.received_at < g.expires_at)
        ORDER BY l.entry";
    assert_eq!(csv(&session, outside).await, "entry,kind,grant_id\n");
    let ends = "SELECT COUNT(DISTINCT g.basis) AS bases
        FROM ledger AS l
        JOIN grants AS g ON g.customer = l.customer AND g.grant_id = l.grant_id
        WHERE l.kind = 'expire' AND l.idx < 0";
    assert_eq!(csv(&session, ends).await, "bases\n4\n");
}

#[test]
fn every_expected_answer_has_its_query() {
    let (queries, expected) = (names("queries", "sql"), names("fixtures/expected", "csv"));
    let orphans: Vec<_> = expected.difference(&queries).collect();
    assert!(orphans.is_empty(), "no query gives {orphans:?}");
}

#[test]
fn every_query_says_what_it_answers_and_in_which_order() {
    let mut faults = Vec::new();
    for query in names("queries", "sql") {
        let sql = text(&format!("queries/{query}.sql"));
        let header = sql.lines().take_while(|line| line.starts_with("--"));
        let headings: Vec<&str> = header
            .filter_map(|line| HEADINGS.into_iter().find(|h| line.starts_with(h)))
            .collect();
        if headings != HEADINGS || !sql.starts_with(HEADINGS[0]) {
            faults.push(format!("{query}: its header has {headings:?}"));
        }
        let last = sql.lines().next_back().unwrap_or_default();
        if !last.starts_with("ORDER BY ") {
            faults.push(format!("{query}: ends with `{last}`, not with ORDER BY"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_guide_names_every_view() {
    let guide = text("queries/README.md");
    for query in names("queries", "sql") {
        assert!(
            guide.contains(&format!("`{query}`")),
            "{query} is not in queries/README.md"
        );
    }
}

#[tokio::test]
async fn the_registered_views_are_the_files() {
    let folder = replayed().await;
    let session = session(folder.path()).await;
    let views = "SELECT table_name FROM information_schema.tables
        WHERE table_type = 'VIEW' AND table_schema = 'public'";
    let views = csv(&session, views).await;
    let views: BTreeSet<String> = views.lines().skip(1).map(str::to_owned).collect();
    assert_eq!(views, names("queries", "sql"));
    for view in views {
        let shown = csv(&session, &format!("SELECT * FROM {view}")).await;
        let file = text(&format!("fixtures/expected/{view}.csv"));
        let (mut shown, mut file) = (records(&shown), records(&file));
        assert_eq!(shown[0], file[0], "{view}: its columns");
        // A view promises no order, so its rows are compared as a set.
        shown.sort_unstable();
        file.sort_unstable();
        assert_eq!(shown, file, "{view}");
    }
}

#[tokio::test]
async fn plain_sums_of_the_ledger_are_right() {
    let folder = replayed().await;
    let session = session(folder.path()).await;
    // The view's own lines, but for the rounding to cents.
    let rounded = text("queries/invoice_lines.sql");
    let exact = rounded.replace(
        "AS DECIMAL(18, 2)) AS amount",
        "AS DECIMAL(28, 9)) AS amount",
    );
    assert_ne!(exact, rounded, "invoice_lines rounds amounts to cents");
    let lines = format!("({exact}) AS lines");
    let sums = [
        ("SUM(delta) FROM ledger", REMAINING),
        ("SUM(remaining) FROM wallets", REMAINING),
        ("SUM(remaining) FROM grants", REMAINING),
        ("SUM(credits) FROM ledger", CHARGED),
        ("SUM(from_grants + overage) FROM usage", CHARGED),
        ("SUM(credits) FROM ledger WHERE grant_id IS NULL", OVERAGE),
        ("SUM(credits) FROM overage", OVERAGE),
        ("SUM(amount) FROM ledger", BILLED),
        (&format!("SUM(amount) FROM {lines}"), BILLED),
    ];
    let columns: Vec<String> = sums
        .iter()
        .enumerate()
        .map(|(number, (sum, _))| format!("(SELECT {sum}) AS sum_{number}"))
        .collect();
    let answer = csv(&session, &format!("SELECT {}", columns.join(", "))).await;
    for ((sum, expected), found) in sums.iter().zip(&records(&answer)[1]) {
        assert_eq!(found, expected, "{sum}");
    }
    let leaks = "SELECT customer, grant_id FROM grants
        WHERE granted + given_back <> remaining + consumed + expired + voided + rolled_out";
    assert_eq!(csv(&session, leaks).await, "customer,grant_id\n");
}

async fn session(folder: &Path) -> Session {
    session_as_of(folder, None).await
}

async fn session_as_of(folder: &Path, as_of: Option<AsOf>) -> Session {
    let data = DataFolder::new(folder.to_str().expect("UTF-8"), None).expect("a data folder");
    let limits = Limits {
        memory_bytes_max: None,
    };
    sql::open(&data, &limits, as_of).await.expect("a ledger")
}

async fn csv(session: &Session, statement: &str) -> String {
    let rows = session.run(statement, &[]).await.expect("a statement");
    let mut out = Vec::new();
    write(rows, Format::Csv, &mut out).await.expect("an answer");
    String::from_utf8(out).expect("UTF-8")
}

/// The names of the files in a folder, without the extension that all but a guide must have.
fn names(folder: &str, extension: &str) -> BTreeSet<String> {
    let files = fs::read_dir(repository(folder)).expect("a folder");
    let files = files.map(|file| file.expect("a file").file_name());
    let names = files.filter(|name| name != "README.md").map(|name| {
        let name = name.to_str().expect("UTF-8");
        let stem = name.strip_suffix(&format!(".{extension}"));
        stem.unwrap_or_else(|| panic!("{folder}/{name} is no .{extension} file"))
            .to_owned()
    });
    names.collect()
}

fn first_difference(expected: &str, answer: &str) -> String {
    let (mut expected, mut answer) = (expected.lines(), answer.lines());
    for number in 1.. {
        match (expected.next(), answer.next()) {
            (None, None) => break,
            (was, is) if was == is => {}
            (was, is) => {
                let (was, is) = (was.unwrap_or("nothing"), is.unwrap_or("nothing"));
                return format!("line {number}\n  expected {was}\n  found    {is}");
            }
        }
    }
    "only the ends of lines differ".to_owned()
}
