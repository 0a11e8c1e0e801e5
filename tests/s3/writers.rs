//! Two writers of one shard: the store's conditional put keeps them apart.

use std::fmt::Write;
use std::process::Command;

use futures::future::join;
use purser::adapters::ledger::{Commit, Error, Ledger, ShardCommit, data_url};

use crate::bucket::{Bucket, events, rounds};
use crate::proxy::{Fate, Proxy};
use crate::support::s3::S3Server;

#[test]
fn of_two_replays_at_once_one_is_fenced_and_nothing_is_lost() {
    let server = S3Server::shared();
    let bucket = Bucket::on(&server);
    let lines = events(30, 70);
    bucket.place.write("one.ndjson", &lines);
    bucket
        .place
        .write("two.ndjson", lines.replace("\"id\":\"e", "\"id\":\"f"));
    // Whoever makes the ledger has made it before the other begins.
    bucket.place.write("none.ndjson", "");
    bucket.replay("none.ndjson");
    let both = ["one", "two"].map(|name| bucket.start(&["replay", &format!("{name}.ndjson")]));
    let both = both.map(crate::process::Process::wait);
    let mut codes = both.each_ref().map(|ended| ended.code);
    codes.sort_unstable();
    assert_eq!(codes, [Some(0), Some(3)], "{both:?}");
    let fenced = both
        .iter()
        .find(|ended| ended.code == Some(3))
        .expect("one");
    assert!(
        fenced.log.contains("shard 0 belongs to another worker"),
        "{fenced:?}"
    );
    for name in ["one.ndjson", "two.ndjson"] {
        bucket.replay(name);
    }
    let count = lines.lines().count();
    let expected =
        format!("file:one.ndjson,{count},1,{count}\nfile:two.ndjson,{count},1,{count}\n");
    let places = "SELECT source, count(DISTINCT seq), min(seq), max(seq) FROM ledger \
                  GROUP BY source ORDER BY source";
    assert!(
        bucket.csv(places).ends_with(&expected),
        "{}",
        bucket.csv(places)
    );
    let numbered = "SELECT count(*) = count(DISTINCT entry) AND count(*) = max(entry) \
                    AND count(*) = count(DISTINCT concat_ws(' ', source, seq, idx, leg)) \
                    FROM ledger";
    assert!(
        bucket.csv(numbered).ends_with("true\n"),
        "{}",
        bucket.csv(numbered)
    );
    // Each event was charged once.
    let charged = "SELECT count(*), count(DISTINCT event_id) FROM ledger \
                   WHERE kind = 'usage' AND quantity IS NOT NULL";
    assert!(
        bucket.csv(charged).ends_with("4200,4200\n"),
        "{}",
        bucket.csv(charged)
    );
}

#[test]
fn of_two_commits_upon_one_entry_one_is_fenced() {
    let server = S3Server::shared();
    let bucket = Bucket::on(&server);
    // The library reads the environment, which can be set for another process only.
    let mut race = Command::new(std::env::current_exe().expect("this program"));
    race.args(["--exact", "writers::race", "--ignored", "--nocapture"])
        .envs(bucket.environment());
    let raced = race.output().expect("run this program");
    let mut said = String::from_utf8_lossy(&raced.stdout).into_owned();
    said += &String::from_utf8_lossy(&raced.stderr);
    assert!(
        raced.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

#[tokio::test]
#[ignore = "run by of_two_commits_upon_one_entry_one_is_fenced, in an environment of its own"]
async fn race() {
    let data = std::env::var("PURSER_DATA").expect("a data folder");
    let data = data_url(&data).expect("a URL");
    let mut owner = Ledger::create(&data, 1).await.expect("a ledger");
    let mut won = [0, 0];
    for entry in 1..=rounds(20) as i64 {
        let open = || async { Ledger::open(&data).await.expect("open").expect("a ledger") };
        let (mut one, mut two) = join(open(), open()).await;
        let commits = [commit("one", entry), commit("two", entry)];
        let both = join(one.commit(&commits[0]), two.commit(&commits[1])).await;
        let winner = match both {
            (Ok(()), Err(Error::Fenced { found, .. })) if found == entry => 0,
            (Err(Error::Fenced { found, .. }), Ok(())) if found == entry => 1,
            both => panic!("entry {entry}: {both:?}"),
        };
        won[winner] += 1;
        owner.refresh().await.expect("read");
        assert_eq!(owner.last_entry(0).await.expect("read"), entry);
        // What a lost answer makes a writer ask: the commit that is in, is done, the other is not.
        let mut again = [one, two];
        again[winner]
            .commit(&commits[winner])
            .await
            .expect("done before");
        let loser = again[1 - winner].commit(&commits[1 - winner]).await;
        assert!(matches!(loser, Err(Error::Fenced { .. })), "{loser:?}");
    }
    let mut told = String::new();
    writeln!(told, "won: {won:?}").expect("in memory");
    eprint!("{told}");
}

fn commit(writer: &str, entry: i64) -> Commit {
    Commit {
        writer: writer.to_owned(),
        batch: entry.unsigned_abs(),
        shards: vec![ShardCommit {
            shard: 0,
            first_entry: entry,
            last_entry: entry,
            positions: vec![("file:race".to_owned(), entry)],
            files: Vec::new(),
        }],
    }
}

#[test]
fn a_store_that_overwrites_is_refused() {
    let server = S3Server::shared();
    let proxy = Proxy::start(server.port());
    // Unsigned, so that a head may be changed on its way.
    let mut bucket = Bucket::at(&server, proxy.port(), "open");
    for key in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        bucket.set(key, "");
    }
    bucket.set("AWS_SKIP_SIGNATURE", "true");
    bucket.place.write("events.ndjson", events(3, 5));
    proxy.rule(|_| Fate::PassWithout("if-none-match"));
    let ended = bucket.run(&["replay", "--prices", "prices", "events.ndjson"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.log.contains("If-None-Match"), "{ended:?}");
    // The same ledger where the condition holds, and not any more.
    proxy.rule(|_| Fate::Pass);
    bucket.replay("events.ndjson");
    bucket.place.write("events.ndjson", events(4, 5));
    proxy.rule(|_| Fate::PassWithout("if-none-match"));
    assert_eq!(bucket.run(&["replay", "events.ndjson"]).code, Some(2));
    proxy.rule(|_| Fate::Pass);
    bucket.replay("events.ndjson");
    bucket.place.replay("events.ndjson");
    bucket.assert_same_as(&bucket.place);
}
