//! The broker as `deploy/nats.conf` sets it up: each user can do its part and no more.

use std::path::Path;
use std::process::Command;

use crate::input::{documents, event};
use crate::process::poll;
use crate::sums::assert_whole;
use crate::support::nats::NatsServer;
use crate::world::World;

const NAME: &str = "deployed::each_user_can_do_its_part_and_no_more";
const ROLES: [&str; 5] = ["producer", "wallet", "worker", "reader", "notify"];

fn variable(role: &str) -> String {
    format!("PURSER_{}_PASSWORD", role.to_uppercase())
}

/// The server reads the passwords from its environment, which it has from us; so this test runs
/// itself again with them.
#[test]
fn each_user_can_do_its_part_and_no_more() {
    if std::env::var_os(variable("worker")).is_some() {
        return roles();
    }
    let mut again = Command::new(std::env::current_exe().expect("this test"));
    again.args(["--exact", NAME, "--nocapture"]);
    again.envs(ROLES.map(|role| (variable(role), format!("secret-of-{role}"))));
    let ended = again.output().expect("run this test again");
    let said = [ended.stdout, ended.stderr].concat();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&said));
}

fn roles() {
    let store = tempfile::tempdir().expect("a folder for the streams");
    let world = World::with(NatsServer::start_with(&deployed_settings(store.path())));
    let login = |mut command: Command, role: &str| {
        command.env("PURSER_NATS_USER", role);
        command.env("PURSER_NATS_PASSWORD", format!("secret-of-{role}"));
        command
    };
    let usage = world.write(
        "usage.ndjson",
        format!("{}\n", documents("acme", "1", 600)).as_bytes(),
    );
    let grant = r#"{"credits":"50","basis":"promotional"}"#;
    let grant = event("acme", "g", "purser.wallet.granted", grant);
    let grant = world.write("grant.ndjson", format!("{grant}\n").as_bytes());
    let publish =
        |file: &Path, role: &str| world.start(login(world.publish_command(file, &[]), role), role);

    let mut worker = world.start(login(world.run_command("data", &[]), "worker"), "run");
    worker.wait_for("reading", 1);
    // The usage behind the command does not overtake it.
    let both = [&grant, &usage].map(|file| std::fs::read(file).expect("the lines"));
    let both = world.write("both.ndjson", &both.concat());
    for (file, role) in [(&both, "producer"), (&usage, "wallet")] {
        let ended = publish(file, role).wait();
        assert_eq!(ended.code, Some(2), "{role}: {ended:?}");
        let told = ended
            .log
            .contains("this user of the broker may not publish");
        assert!(told, "{ended:?}");
    }
    for (file, role) in [(&usage, "producer"), (&grant, "wallet")] {
        let ended = publish(file, role).wait();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(!ended.log.contains("WARN"), "{ended:?}");
    }
    let read = "SELECT kind, COUNT(*) FROM ledger WHERE kind IN ('usage', 'grant') GROUP BY kind
        ORDER BY kind";
    world.wait_for("data", &mut worker, read, "grant,2\nusage,1\n");
    assert_eq!(balance_for_the_producer(&world), "450.000000");
    let mut notify = world.purser("nothing");
    notify.args(["notify", "--nats", &world.server.url()]);
    notify.args(["--to", "stdout", "--from-start"]);
    let notify = world.start(login(notify, "notify"), "notify");
    poll(
        "an alert",
        || notify.log(),
        || notify.out().contains("acme").then_some(()),
    );
    let ended = notify.stop();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let mut signals = world.purser("data");
    signals.args(["signals", "--publish", "--nats", &world.server.url()]);
    let ended = world.start(login(signals, "notify"), "signals").wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    worker.stop();
    assert_whole(&world, "data", 2);
    let rows = "SELECT kind, SUM(credits), SUM(delta) FROM ledger
        WHERE kind IN ('usage', 'grant', 'alert') GROUP BY kind ORDER BY kind";
    assert_eq!(
        world.csv("data", rows),
        "alert,,\ngrant,,1050.000000\nusage,600.000000,-600.000000\n"
    );
    let wrong = world
        .start(login(world.run_command("data", &[]), "nobody"), "run")
        .wait();
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(wrong.log.contains("user and password"), "{}", wrong.log);
}

/// What a product is told before it starts work.
fn balance_for_the_producer(world: &World) -> String {
    let password = format!("secret-of-{}", ROLES[0]);
    let login = async_nats::ConnectOptions::with_user_and_password(ROLES[0].to_owned(), password);
    world.block_on(async {
        let client = login.connect(world.server.url()).await.expect("connect");
        let answer = client.request("purser.balance.acme", "".into());
        let answer = answer.await.expect("an answer");
        let answer: serde_json::Value = serde_json::from_slice(&answer.payload).expect("JSON");
        answer["balance"].as_str().expect("a balance").to_owned()
    })
}

/// The file but for what belongs to one machine: name, addresses and folder.
fn deployed_settings(store: &Path) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/nats.conf");
    let text = std::fs::read_to_string(path).expect("deploy/nats.conf");
    let own = ["server_name:", "listen:", "http:"];
    let lines = text
        .lines()
        .filter(|line| !own.iter().any(|key| line.starts_with(key)));
    let kept = lines.collect::<Vec<_>>().join("\n");
    assert!(
        kept.contains("store_dir: \"/data\""),
        "the folder stands elsewhere"
    );
    kept.replace("\"/data\"", &format!("\"{}\"", store.display()))
}
