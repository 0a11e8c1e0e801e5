//! Statistics: files are skipped, rows never.

use super::*;

/// Three files of ten rows, `1..=30`, in one shard.
async fn three_files(data: &Url) -> Ledger {
    let mut ledger = Ledger::create(data, 1).await.expect("created");
    for (batch, first) in [1, 11, 21].into_iter().enumerate() {
        let shard = shard_commit(data, 0, first, first + 9);
        ledger
            .commit(&commit("a", batch as u64, vec![shard]))
            .await
            .expect("committed");
    }
    ledger
}

/// Filters and the entry of the one row that they are to find.
fn filters() -> Vec<(String, i64)> {
    let mut filters = Vec::new();
    for entry in [1, 10, 11, 20, 21, 30] {
        filters.push((format!("entry = {entry}"), entry));
        filters.push((format!("seq = {entry}"), entry));
        filters.push((format!("customer = '{}'", customer(entry)), entry));
        filters.push((format!("event_id = 'id-{entry:04}'"), entry));
        let at = crate::domain::rfc3339::format(Timestamp::new(received_at(entry))).to_string();
        filters.push((format!("received_at = timestamp '{at}'"), entry));
        filters.push((
            format!("used_at >= timestamp '{at}' AND entry <= {entry}"),
            entry,
        ));
        filters.push((
            format!("day = date '2026-11-22' AND entry = {entry}"),
            entry,
        ));
    }
    filters
}

#[tokio::test]
async fn filters_find_their_rows_before_and_after_a_checkpoint() {
    let (_folder, data) = folder();
    let mut ledger = three_files(&data).await;
    for _ in 0..2 {
        for (filter, entry) in filters() {
            let sql = format!("SELECT entry FROM ledger WHERE {filter}");
            assert_eq!(
                query(&mut ledger, &sql).await,
                [entry.to_string()],
                "{filter}"
            );
        }
        ledger.checkpoint().await.expect("a checkpoint");
        ledger = Ledger::open(&data)
            .await
            .expect("a look")
            .expect("a ledger");
    }
}

#[tokio::test]
async fn answers_do_not_come_from_bounds_that_were_cut() {
    let (_folder, data) = folder();
    let mut ledger = three_files(&data).await;
    let sql = "SELECT min(customer), max(customer), max(entry), count(*), count(period),
        CAST(max(received_at) AS bigint) FROM ledger";
    let at = received_at(30);
    let expected = format!("{} {} 30 30 0 {at}", customer(1), customer(30));
    assert_eq!(query(&mut ledger, sql).await, [expected]);
}

#[tokio::test]
async fn files_that_cannot_hold_the_row_are_not_read() {
    let (_folder, data) = folder();
    let mut ledger = three_files(&data).await;
    let files = ledger.files().await.expect("files");
    let table = data.to_file_path().expect("a path").join("ledger");
    for file in files
        .iter()
        .filter(|file| file.entries != Some(Bounds { min: 11, max: 20 }))
    {
        std::fs::remove_file(table.join(file.path.as_ref())).expect("removed");
    }
    for (filter, entry) in filters()
        .into_iter()
        .filter(|(_, entry)| (11..=20).contains(entry))
    {
        // What is at or after a time is in later files too.
        if !filter.contains("used_at") && !filter.contains("customer") {
            let sql = format!("SELECT entry FROM ledger WHERE {filter}");
            assert_eq!(
                query(&mut ledger, &sql).await,
                [entry.to_string()],
                "{filter}"
            );
        }
    }
}
