//! Several writers to one table, and a table with a long log.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_writers_racing_for_a_shard_one_wins_each_batch() {
    let (_folder, data) = folder();
    Ledger::create(&data, 1).await.expect("created");
    for last in 1..=8 {
        let race = |writer: &'static str| {
            let data = data.clone();
            tokio::spawn(async move {
                let mut ledger = Ledger::open(&data)
                    .await
                    .expect("a look")
                    .expect("a ledger");
                let batch = commit(writer, 1, vec![shard_commit(&data, 0, last, last)]);
                ledger.commit(&batch).await
            })
        };
        let (one, two) = (race("one"), race("two"));
        let outcomes = [one.await.expect("ended"), two.await.expect("ended")];
        assert_eq!(
            outcomes.iter().filter(|x| x.is_ok()).count(),
            1,
            "{outcomes:?}"
        );
        let fenced = |x: &&Result<(), Error>| matches!(x, Err(Error::Fenced { .. }));
        assert_eq!(outcomes.iter().filter(fenced).count(), 1, "{outcomes:?}");
    }
    let mut ledger = Ledger::open(&data)
        .await
        .expect("a look")
        .expect("a ledger");
    let counted = query(
        &mut ledger,
        "SELECT count(*), count(DISTINCT entry) FROM ledger",
    )
    .await;
    assert_eq!(counted, ["8 8"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shards_of_several_writers_interleave() {
    const BATCHES: i64 = 12;
    let (_folder, data) = folder();
    Ledger::create(&data, 3).await.expect("created");
    let writers: Vec<_> = (0..3)
        .map(|shard| {
            let data = data.clone();
            tokio::spawn(async move {
                let mut ledger = Ledger::open(&data)
                    .await
                    .expect("a look")
                    .expect("a ledger");
                for last in 1..=BATCHES {
                    let writer = format!("writer {shard}");
                    let batch = vec![shard_commit(&data, shard, last, last)];
                    let batch = commit(&writer, last.unsigned_abs(), batch);
                    ledger.commit(&batch).await.expect("committed");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("ended");
    }
    let mut ledger = Ledger::open(&data)
        .await
        .expect("a look")
        .expect("a ledger");
    for shard in 0..3 {
        assert_eq!(ledger.last_entry(shard).await.expect("a fence"), BATCHES);
        assert_eq!(
            ledger.position(shard, SOURCE).await.expect("a position"),
            Some(BATCHES)
        );
    }
    let counted = query(
        &mut ledger,
        "SELECT shard, count(*), max(entry) FROM ledger GROUP BY shard ORDER BY shard",
    );
    assert_eq!(counted.await, ["0 12 12", "1 12 12", "2 12 12"]);
}

#[tokio::test]
async fn fences_and_positions_survive_a_checkpoint() {
    let (_folder, data) = folder();
    let mut ledger = Ledger::create(&data, 2).await.expect("created");
    let mut reader = Ledger::open(&data)
        .await
        .expect("a look")
        .expect("a ledger");
    for last in 1..=120 {
        let mut shards = vec![shard_commit(&data, 0, last, last)];
        if last == 1 {
            // Set long before the checkpoint and never again.
            shards.push(shard_commit(&data, 1, 1, 9));
        }
        ledger
            .commit(&commit("a", last.unsigned_abs(), shards))
            .await
            .expect("committed");
        if last == 100 {
            assert_eq!(
                ledger.commits_since_checkpoint().await.expect("a count"),
                101
            );
            ledger.checkpoint().await.expect("a checkpoint");
            assert_eq!(ledger.commits_since_checkpoint().await.expect("a count"), 0);
        }
    }
    assert_eq!(
        ledger.commits_since_checkpoint().await.expect("a count"),
        20
    );

    reader.refresh().await.expect("refreshed");
    let mut opened = Ledger::open(&data)
        .await
        .expect("a look")
        .expect("a ledger");
    for ledger in [&mut ledger, &mut reader, &mut opened] {
        assert_eq!(ledger.version(), 120);
        assert_eq!(ledger.last_entry(0).await.expect("a fence"), 120);
        assert_eq!(ledger.last_entry(1).await.expect("a fence"), 9);
        assert_eq!(
            ledger.position(1, SOURCE).await.expect("a position"),
            Some(9)
        );
        let files = ledger.files().await.expect("files");
        assert_eq!(files.len(), 121);
        assert!(
            files
                .iter()
                .all(|file| file.entries.is_some() && file.shards.is_some())
        );
        let summed = query(ledger, "SELECT count(*), sum(entry) FROM ledger").await;
        assert_eq!(summed, ["129 7305"]);
    }
}

#[tokio::test]
async fn the_log_is_never_cleaned_by_a_commit() {
    let (_folder, data) = folder();
    let mut ledger = Ledger::create(&data, 1).await.expect("created");
    let log = data
        .to_file_path()
        .expect("a path")
        .join("ledger/_delta_log");
    let first = File::open(log.join(format!("{:020}.json", 0))).expect("the first version");
    let long_ago = std::time::SystemTime::UNIX_EPOCH;
    first.set_modified(long_ago).expect("an old version");
    ledger
        .commit(&commit("a", 1, vec![shard_commit(&data, 0, 1, 1)]))
        .await
        .expect("committed");
    ledger.checkpoint().await.expect("a checkpoint");
    ledger
        .commit(&commit("a", 2, vec![shard_commit(&data, 0, 2, 2)]))
        .await
        .expect("committed");
    let mut names: Vec<String> = std::fs::read_dir(&log)
        .expect("a folder")
        .map(|file| {
            file.expect("a file")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .collect();
    names.sort();
    let version = |number: u32, kind: &str| format!("{number:020}.{kind}");
    let expected = [
        version(0, "json"),
        version(1, "checkpoint.parquet"),
        version(1, "json"),
        version(2, "json"),
        "_last_checkpoint".to_string(),
    ];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn a_worker_that_slept_through_a_log_cleaning_does_not_write_into_the_gap() {
    let (_folder, data) = folder();
    let mut owner = Ledger::create(&data, 2).await.expect("created");
    let mut asleep = Ledger::open(&data)
        .await
        .expect("a look")
        .expect("a ledger");
    for last in 1..=5 {
        let batch = vec![shard_commit(&data, 0, last, last)];
        owner
            .commit(&commit("owner", last.unsigned_abs(), batch))
            .await
            .expect("committed");
    }
    owner.checkpoint().await.expect("a checkpoint");
    let log = data
        .to_file_path()
        .expect("a path")
        .join("ledger/_delta_log");
    for version in 0..5 {
        std::fs::remove_file(log.join(format!("{version:020}.json"))).expect("cleaned");
    }
    let late = commit("late", 1, vec![shard_commit(&data, 0, 1, 1)]);
    let refused = asleep.commit(&late).await;
    assert!(
        matches!(refused, Err(Error::Fenced { found: 5, .. })),
        "{refused:?}"
    );
    let other = commit("late", 2, vec![shard_commit(&data, 1, 1, 1)]);
    asleep.commit(&other).await.expect("committed");
    assert_eq!(asleep.version(), 6);
    assert!(!log.join(format!("{:020}.json", 1)).exists());
}
