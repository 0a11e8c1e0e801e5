//! Tests of a whole session: what it answers, refuses and says.

use std::collections::HashMap;

use datafusion::prelude::SessionContext;

use super::output::{Format, write};
use super::session::{Limits, Session, Tables};
use super::statement::OPERATORS_MAX;
use super::tables;
use super::views::VIEWS;

const COLUMNS: &str = "day date, shard int, entry bigint, source text, seq bigint, idx int, \
    leg int, kind text, customer text, period date, used_at time, received_at time, \
    event_source text, event_id text, event_type text, task text, unit text, \
    quantity credit, credits credit, grant_id text, delta credit, balance credit, \
    amount money, currency text, cost_usd money, plan text, price_version text, \
    price_id text, late boolean, reason text, data text";

/// A ledger with the given `column = expression` rows, nulls elsewhere.
async fn session(rows: &[&str]) -> Session {
    let row = |given: &str| {
        let given: HashMap<&str, &str> = given
            .split("; ")
            .filter_map(|pair| pair.split_once(" = "))
            .collect();
        let columns = COLUMNS.split(", ").map(|column| {
            let (name, kind) = column.trim().split_once(' ').unwrap();
            let kind = match kind {
                "text" => "varchar",
                "time" => "timestamp",
                "credit" => "decimal(18, 6)",
                "money" => "decimal(18, 9)",
                other => other,
            };
            let value = given.get(name).unwrap_or(&"null");
            format!("cast({value} as {kind}) as {name}")
        });
        format!("select {}", columns.collect::<Vec<_>>().join(", "))
    };
    let none = format!("{} where false", row(""));
    let selects: Vec<String> = rows.iter().map(|given| row(given)).chain([none]).collect();
    let frame = SessionContext::new()
        .sql(&selects.join(" union all "))
        .await
        .unwrap();
    let tables = Tables {
        ledger: frame.clone().into_view(),
        coded_ledger: frame.into_view(),
        periods: tables::periods(&[]).unwrap(),
        grant_terms: tables::grant_terms(&[]).unwrap(),
        prices: tables::prices(&[]).unwrap(),
        plans: tables::plans(&[]).unwrap(),
        invoices: SessionContext::new().read_empty().unwrap().into_view(),
    };
    Session::open(
        tables,
        &Limits {
            memory_bytes_max: Some(64 << 20),
        },
    )
    .unwrap()
}

async fn answer(session: &Session, sql: &str, params: &[(&str, &str)]) -> String {
    let params: Vec<_> = params
        .iter()
        .map(|(k, v)| (k.to_string(), v.to_string()))
        .collect();
    match session.run(sql, &params).await {
        Err(error) => error.to_string(),
        Ok(rows) => {
            let mut out = Vec::new();
            write(rows, Format::Csv, &mut out).await.unwrap();
            String::from_utf8(out)
                .unwrap()
                .replace('\n', " ")
                .trim_end()
                .to_owned()
        }
    }
}

#[tokio::test]
async fn every_view_answers_on_an_empty_ledger() {
    let session = session(&[]).await;
    for (view, sql) in VIEWS {
        let select = answer(&session, &format!("select count(*) as n from {view}"), &[]).await;
        assert_eq!(select, "n 0", "{view}");
        assert!(answer(&session, sql, &[]).await.contains(','), "{view}");
    }
}

#[tokio::test]
async fn nothing_but_reading_is_accepted() {
    let session = session(&[]).await;
    for (sql, refusal) in [
        (
            "insert into ledger select * from ledger",
            "DML not supported",
        ),
        (
            "explain insert into ledger select * from ledger",
            "DML not supported",
        ),
        ("copy ledger to 'x.csv'", "DML not supported"),
        ("create table x as select 1", "DDL not supported"),
        (
            "create external table x stored as csv location 'x'",
            "DDL not supported",
        ),
        ("drop view usage", "DDL not supported"),
        (
            "set datafusion.execution.batch_size = 1",
            "Statement not supported",
        ),
        ("select * from 'x.csv'", "unknown table x.csv"),
        ("select 1; select 2", "2 statements at once"),
    ] {
        let said = answer(&session, sql, &[]).await;
        assert!(said.contains(refusal), "{sql}: {said}");
    }
    assert!(
        answer(&session, "describe wallets", &[])
            .await
            .contains("used_percent")
    );
}

#[tokio::test]
async fn errors_name_what_there_is() {
    let session = session(&[]).await;
    for (sql, params, said) in [
        (
            "select 1 from ledgr",
            &[][..],
            "unknown table ledgr; there are alerts, breakage,",
        ),
        (
            "select custmer from wallets",
            &[],
            "wallets.as_of_entry, wallets.customer,",
        ),
        ("select $a", &[], "parameter $a has no value"),
        (
            "select $a",
            &[("a", "1"), ("b", "1")],
            "no parameter $b; it has a",
        ),
        ("select 1", &[("b", "1")], "no parameter $b; it has none"),
        (
            "select 1 from ledger where day = $d",
            &[("d", "2026-13-01")],
            "read as Date32",
        ),
    ] {
        let answered = answer(&session, sql, params).await;
        assert!(answered.contains(said), "{sql}: {answered}");
    }
}

#[tokio::test]
async fn parameters_take_the_type_they_are_compared_with() {
    let session = session(&["customer = '123'; credits = 1.5; period = '2026-11-01'"]).await;
    let sql = "select customer from ledger where customer = $c and credits > $x and period = $p";
    let params = [("c", "123"), ("x", "1.499999"), ("p", "2026-11-01")];
    assert_eq!(answer(&session, sql, &params).await, "customer 123");
    let sql = "select $a + 1 as a, $b as b, $c as c, $d as d, $e as e";
    let params = [
        ("a", "1"),
        ("b", "-1.250"),
        ("c", "2026-01-02"),
        ("d", "2026-11-01T00:00:00Z"),
        ("e", "x'"),
    ];
    let expected = "a,b,c,d,e 2,-1.250,2026-01-02,2026-11-01T00:00:00.000000Z,x'";
    assert_eq!(answer(&session, sql, &params).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_chain_that_could_overflow_the_stack_is_refused() {
    let session = session(&[]).await;
    let most = OPERATORS_MAX;
    // On a worker's two megabytes, where a server would plan it.
    let task = tokio::spawn(async move {
        let sum = format!("select 1{} as n", "+1".repeat(most));
        let any = format!(
            "select 1 as n where 1=2{}",
            " or 1=1".repeat((most - 1) / 2)
        );
        assert_eq!(answer(&session, &sum, &[]).await, format!("n {}", most + 1));
        assert_eq!(answer(&session, &any, &[]).await, "n 1");
        let refusal = answer(&session, &format!("{sum} from ledger where 1+1"), &[]).await;
        assert!(
            refusal.starts_with("the statement has 201 operators"),
            "{refusal}"
        );
    });
    task.await.unwrap();
}
