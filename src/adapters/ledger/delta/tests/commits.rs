//! One writer: what it commits, what it is refused, what it gets back.

use deltalake::kernel::DataType as DeltaType;
use object_store::ObjectStoreExt;

use super::*;

#[tokio::test]
async fn a_ledger_is_created_once_with_its_shard_count() {
    let (_folder, data) = folder();
    assert!(Ledger::open(&data).await.expect("a look").is_none());

    let mut created = Ledger::create(&data, 4).await.expect("created");
    assert_eq!((created.shard_count(), created.version()), (4, 0));
    assert_eq!(created.last_entry(3).await.expect("a fence"), 0);
    assert_eq!(created.position(3, SOURCE).await.expect("a position"), None);
    assert_eq!(created.files().await.expect("files"), []);
    assert_eq!(
        query(&mut created, "SELECT count(*) FROM ledger").await,
        ["0"]
    );

    let opened = Ledger::open(&data)
        .await
        .expect("a look")
        .expect("a ledger");
    assert_eq!(opened.shard_count(), 4);
    assert_eq!(Ledger::create(&data, 4).await.expect("theirs").version(), 0);
    let other = Ledger::create(&data, 5).await.err();
    assert!(
        matches!(other, Some(Error::ShardCount { asked: 5, found: 4 })),
        "{other:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_creators_one_decides_the_shard_count() {
    for _ in 0..8 {
        let (_folder, data) = folder();
        let create = |count| {
            let data = data.clone();
            tokio::spawn(async move { Ledger::create(&data, count).await.map(|x| x.version()) })
        };
        let (two, three) = (create(2), create(3));
        let outcomes = [two.await.expect("ended"), three.await.expect("ended")];
        let made = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Ok(0)))
            .count();
        assert_eq!(made, 1, "{outcomes:?}");
        let refused = outcomes
            .iter()
            .any(|x| matches!(x, Err(Error::ShardCount { .. })));
        assert!(refused, "{outcomes:?}");
    }
}

#[tokio::test]
async fn a_table_of_somebody_else_is_refused() {
    let (_folder, data) = folder();
    let column = deltalake::kernel::StructField::new("day", DeltaType::DATE, true);
    let table = data.join("ledger/").expect("a URL");
    std::fs::create_dir_all(table.to_file_path().expect("a path")).expect("a folder");
    let table = deltalake::DeltaTable::try_from_url(table)
        .await
        .expect("a place");
    table
        .create()
        .with_columns([column])
        .await
        .expect("created");
    let opened = Ledger::open(&data).await.err();
    assert!(matches!(opened, Some(Error::Foreign { .. })), "{opened:?}");
}

#[tokio::test]
async fn a_commit_moves_fence_position_and_files_together() {
    let (_folder, data) = folder();
    let mut ledger = Ledger::create(&data, 1).await.expect("created");
    let mut reader = Ledger::open(&data)
        .await
        .expect("a look")
        .expect("a ledger");
    for (batch, (first, last)) in [(1, 10), (11, 11)].into_iter().enumerate() {
        let shard = shard_commit(&data, 0, first, last);
        ledger
            .commit(&commit("a", batch as u64, vec![shard]))
            .await
            .expect("committed");
        assert_eq!(ledger.last_entry(0).await.expect("a fence"), last);
        assert_eq!(
            ledger.position(0, SOURCE).await.expect("a position"),
            Some(last)
        );
    }
    // A commit without rows moves the position alone.
    let mut ticks = shard_commit(&data, 0, 12, 12);
    ticks.files.clear();
    ticks.last_entry = 11;
    ticks.positions = vec![("other".to_string(), 7)];
    ledger
        .commit(&commit("a", 2, vec![ticks]))
        .await
        .expect("committed");
    assert_eq!(ledger.version(), 3);

    assert_eq!(reader.last_entry(0).await.expect("a fence"), 0);
    reader.refresh().await.expect("refreshed");
    assert_eq!(reader.last_entry(0).await.expect("a fence"), 11);
    assert_eq!(
        reader.position(0, "other").await.expect("a position"),
        Some(7)
    );
    assert_eq!(
        reader.position(0, SOURCE).await.expect("a position"),
        Some(11)
    );
    let mut files = reader.files().await.expect("files");
    files.sort_by_key(|file| file.entries.map(|entries| entries.min));
    let told: Vec<_> = files
        .iter()
        .map(|x| (x.rows, x.shards, x.entries, &*x.day))
        .collect();
    let shards = Some(Bounds { min: 0, max: 0 });
    let (ten, eleven) = (
        Some(Bounds { min: 1, max: 10 }),
        Some(Bounds { min: 11, max: 11 }),
    );
    let expected = [
        (Some(10), shards, ten, "2026-11-22"),
        (Some(1), shards, eleven, "2026-11-22"),
    ];
    assert_eq!(told, expected);
    for file in &files {
        let found = reader.store().head(&file.path).await.expect("a file");
        assert_eq!(found.size, file.size);
    }
}

#[tokio::test]
async fn a_second_worker_is_fenced_with_a_stale_and_with_a_fresh_snapshot() {
    let (_folder, data) = folder();
    let mut owner = Ledger::create(&data, 2).await.expect("created");
    let mut stale = Ledger::open(&data)
        .await
        .expect("a look")
        .expect("a ledger");
    let first = shard_commit(&data, 1, 1, 5);
    owner
        .commit(&commit("owner", 1, vec![first]))
        .await
        .expect("committed");

    let late = commit("late", 1, vec![shard_commit(&data, 1, 1, 5)]);
    for _ in 0..2 {
        let refused = stale.commit(&late).await;
        let Err(Error::Fenced {
            shard: 1,
            expected: 0,
            found: 5,
            writer,
        }) = refused
        else {
            panic!("{refused:?}");
        };
        assert_eq!(writer.as_deref(), Some("owner, batch 1"));
    }
    // The batch ahead of the fence is as wrong as the one behind it.
    let ahead = commit("late", 2, vec![shard_commit(&data, 1, 9, 9)]);
    let refused = stale.commit(&ahead).await;
    assert!(
        matches!(
            refused,
            Err(Error::Fenced {
                expected: 8,
                found: 5,
                ..
            })
        ),
        "{refused:?}"
    );
    // All shards of a commit or none.
    let both = vec![shard_commit(&data, 0, 1, 1), shard_commit(&data, 1, 1, 5)];
    assert!(matches!(
        stale.commit(&commit("late", 3, both)).await,
        Err(Error::Fenced { .. })
    ));
    assert_eq!(stale.last_entry(0).await.expect("a fence"), 0);
    assert_eq!(
        query(&mut stale, "SELECT count(*) FROM ledger").await,
        ["5"]
    );
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_done() {
    let (_folder, data) = folder();
    let mut ledger = Ledger::create(&data, 2).await.expect("created");
    let mut before = Ledger::open(&data)
        .await
        .expect("a look")
        .expect("a ledger");
    let shards = vec![shard_commit(&data, 0, 1, 3), shard_commit(&data, 1, 1, 4)];
    let batch = commit("a", 7, shards);
    ledger.commit(&batch).await.expect("committed");
    let other = commit("b", 1, vec![shard_commit(&data, 1, 5, 5)]);
    ledger
        .commit(&batch)
        .await
        .expect("known with the snapshot of the commit");
    before
        .commit(&batch)
        .await
        .expect("known with the snapshot before it");
    assert_eq!(
        query(&mut before, "SELECT count(*) FROM ledger").await,
        ["7"]
    );
    assert_eq!(before.version(), 1);

    // The same name and number with other files is another commit.
    let mut impostor = batch.clone();
    impostor.shards[0] = shard_commit(&data, 0, 1, 3);
    assert!(matches!(
        before.commit(&impostor).await,
        Err(Error::Fenced { .. })
    ));
    ledger.commit(&other).await.expect("committed");
}
