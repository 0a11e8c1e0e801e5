//! Rolling up, held against the engine's own grouping.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, DictionaryArray, Int32Array, Int64Array, RecordBatch,
    StringArray,
};
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::super::output::{Format, write};
use super::super::session::{Limits, context_on, runtime};

/// Sums, greatest and least, counts, with and without a filter, of these keys.
fn question(keys: &str) -> String {
    format!(
        "SELECT {keys}, COUNT(*) AS n, COUNT(amount) AS amounts, SUM(amount) AS total,
                SUM(amount) FILTER (WHERE task IS NULL) AS some,
                COUNT(*) FILTER (WHERE place > 0 AND amount < 900) AS few,
                MIN(amount) FILTER (WHERE amount > 300000) AS many,
                COUNT(price) FILTER (WHERE amount < 0) AS none, MAX(place) AS last,
                MIN(day) AS first
         FROM rows
         GROUP BY {keys}
         ORDER BY {keys}"
    )
}

/// What many groups come to.
fn total(keys: &str) -> String {
    format!(
        "SELECT COUNT(*) AS n, SUM(total * n) AS total, MAX(who) AS last
         FROM (SELECT {keys}, COUNT(*) AS n, SUM(amount) AS total FROM rows GROUP BY {keys})"
    )
}

/// Chance that is the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 20) % most
    }
}

/// Texts as codes of a dictionary of their own, in which some stand twice, some never come and
/// some are null.
fn coded(texts: &[Option<String>], random: &mut Random) -> ArrayRef {
    let mut dictionary = vec![None, Some("never"), Some("twice")];
    dictionary.extend(texts.iter().map(Option::as_deref));
    dictionary.push(Some("twice"));
    let last = dictionary.len() - 1;
    let code = |(row, text): (usize, &Option<String>)| match text.as_deref() {
        None => (random.below(2) == 0).then_some(0),
        Some("twice") => Some([2, row + 3, last][random.below(3) as usize]),
        Some(_) => Some(row + 3),
    };
    let codes = texts.iter().enumerate().map(code);
    let codes: Int32Array = codes.map(|code| code.map(|code| code as i32)).collect();
    let dictionary = Arc::new(StringArray::from(dictionary));
    Arc::new(DictionaryArray::try_new(codes, dictionary).unwrap())
}

/// Rows of which a third or so share their keys; of `customers` names, some of them long.
fn rows(count: usize, customers: u64, random: &mut Random) -> RecordBatch {
    let mut some = |most: u64| -> Vec<Option<u64>> {
        let one = |_| Some(random.below(most)).filter(|_| random.below(7) != 0);
        (0..count).map(one).collect()
    };
    let name = |one: &Option<u64>| {
        one.map(|one| match one % 3 {
            0 => String::new() + &"long-".repeat((one % 40) as usize) + &one.to_string(),
            1 => one.to_string(),
            _ => "twice".to_owned(),
        })
    };
    let (who, task) = (some(customers), some(4));
    let (day, place, price) = (some(2), some(2), some(3));
    let amount = some(1_000_000);
    let who: Vec<_> = who.iter().map(name).collect();
    let task: Vec<_> = task.iter().map(name).collect();
    let number = |values: &[Option<u64>]| -> Vec<Option<i64>> {
        let signed = |value: u64| i64::MIN / 2 + value as i64;
        values.iter().map(|value| value.map(signed)).collect()
    };
    let decimal = |values: &[Option<u64>]| -> ArrayRef {
        let values = values.iter().map(|value| value.map(i128::from));
        let values: Decimal128Array = values.collect();
        Arc::new(values.with_precision_and_scale(18, 6).unwrap())
    };
    let days: Date32Array = day
        .iter()
        .map(|day| day.map(|day| day as i32 - 1))
        .collect();
    RecordBatch::try_from_iter_with_nullable([
        ("who", coded(&who, random), true),
        ("day", Arc::new(days) as ArrayRef, true),
        ("task", coded(&task, random), true),
        ("place", Arc::new(Int64Array::from(number(&place))), true),
        ("price", decimal(&price), true),
        ("amount", decimal(&amount), true),
    ])
    .unwrap()
}

/// Batches of two partitions, most of them a part of a longer one.
fn table(customers: u64, counts: &[usize], seed: u64) -> Arc<MemTable> {
    let mut random = Random(seed);
    let mut partitions = vec![Vec::new(), Vec::new()];
    for (place, count) in counts.iter().enumerate() {
        let whole = rows(count + 5, customers, &mut random);
        partitions[place % 2].push(whole.slice(3, *count));
    }
    let schema = partitions[0][0].schema();
    Arc::new(MemTable::try_new(schema, partitions).unwrap())
}

async fn answer(context: &SessionContext, sql: &str, table: &Arc<MemTable>) -> String {
    context.deregister_table("rows").unwrap();
    context
        .register_table("rows", Arc::<MemTable>::clone(table))
        .unwrap();
    let rows = context.sql(sql).await.unwrap();
    let rows = rows.execute_stream().await.unwrap();
    let mut out = Vec::new();
    write(rows, Format::Csv, &mut out).await.unwrap();
    String::from_utf8(out).unwrap()
}

fn ours(memory_bytes_max: Option<usize>) -> SessionContext {
    context_on(runtime(&Limits { memory_bytes_max }).unwrap())
}

fn theirs() -> SessionContext {
    SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2))
}

async fn compare(table: &Arc<MemTable>, ours: &SessionContext, sql: &str) {
    let plan = answer(ours, &format!("EXPLAIN {sql}"), table).await;
    assert!(plan.contains("RollUp"), "{plan}");
    let (ours, theirs) = (
        answer(ours, sql, table).await,
        answer(&theirs(), sql, table).await,
    );
    // A whole answer would tell nobody anything.
    let differing = ours.lines().zip(theirs.lines()).find(|(a, b)| a != b);
    assert_eq!(differing, None);
    assert_eq!(ours.len(), theirs.len());
}

#[tokio::test]
async fn groups_are_those_of_the_engine() {
    for seed in 0..2 {
        let table = table(30, &[1, 5_000, 0, 17_000, 2_048, 2_049, 700], seed);
        for keys in [
            "who",
            "day, who, task, place",
            "task, price, who",
            "who, price, place",
        ] {
            compare(&table, &ours(None), &question(keys)).await;
        }
    }
}

/// A cast of codes to texts is a key, too. The engine's own cast to views takes a null of the
/// dictionary for an empty text, so that those are compared with plain texts.
#[tokio::test]
async fn codes_that_are_cast_to_texts_are_keys() {
    let table = table(30, &[5_000, 0, 17_000, 700], 3);
    for keys in [
        "ARROW_CAST(who, 'Utf8'), day, task",
        "ARROW_CAST(task, 'Utf8'), price",
    ] {
        let plain = question(keys);
        compare(&table, &ours(None), &plain).await;
        let views = plain.replace("'Utf8'", "'Utf8View'");
        let plan = answer(&ours(None), &format!("EXPLAIN {views}"), &table).await;
        assert!(plan.contains("RollUp"), "{plan}");
        let (views, plain) = (
            answer(&ours(None), &views, &table).await,
            answer(&ours(None), &plain, &table).await,
        );
        let rows = |answer: &str| {
            answer
                .lines()
                .skip(1)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert!(rows(&views) == rows(&plain));
    }
}

/// About one group for each row: they are handed out on the way.
#[tokio::test]
async fn groups_that_save_nothing_are_those_of_the_engine() {
    compare(
        &table(1 << 40, &[16_384; 14], 5),
        &ours(None),
        &total("who, amount"),
    )
    .await;
}

/// Groups are handed out, and come again, where memory is short; the second half spills.
#[tokio::test]
async fn groups_beyond_the_memory_are_those_of_the_engine() {
    let table = table(60_000, &[16_384; 36], 6);
    compare(&table, &ours(Some(64 << 20)), &total("who, place")).await;
}

/// Each of these is the engine's: no codes, a key of another kind, more words than a key has.
#[tokio::test]
async fn what_it_does_not_know_is_left_to_the_engine() {
    let table = table(30, &[100], 7);
    for keys in [
        "day, place",
        "who, amount > 1",
        "who, CAST(place AS DOUBLE)",
        "who, CAST(day AS VARCHAR)",
        "CAST(who AS BYTEA)",
        "who, price, amount",
        "GROUPING SETS ((who), (who, day))",
    ] {
        let sql = format!("SELECT COUNT(*) AS n FROM rows GROUP BY {keys} ORDER BY n");
        let plan = answer(&ours(None), &format!("EXPLAIN {sql}"), &table).await;
        assert!(!plan.contains("RollUp"), "{keys}: {plan}");
        assert_eq!(
            answer(&ours(None), &sql, &table).await,
            answer(&theirs(), &sql, &table).await
        );
    }
}
