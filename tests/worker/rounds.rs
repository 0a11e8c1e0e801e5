//! Rounds of faults under load, each of another kind: after every one the ledger is whole.
//!
//! `ROUNDS=60 cargo test --test worker rounds -- --nocapture` plays more of them.

use std::collections::BTreeMap;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use futures::TryStreamExt;

use crate::input::{file, plain_lines, seed};
use crate::load::Load;
use crate::process::{LOOK, Process, poll};
use crate::sums::{ALL_ROWS, assert_one_message_an_alert, assert_same, assert_whole, sums};
use crate::support::dice::Dice;
use crate::world::{World, files_below, position};

/// Lines of a round, each a message.
const LINES: usize = 4_000;
/// A fault comes after this many milliseconds at the latest.
const FAULT_BY: u64 = 1_500;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    WorkerKilled,
    /// And again while it comes back.
    WorkerKilledTwice,
    BrokerKilled,
    BothKilled,
    /// It says nothing for a while, then goes on.
    BrokerSilent,
    ConsumerDeleted,
    /// A worker sleeps, another takes over, the first one wakes.
    Takeover,
    TwoWorkers,
    CacheDeleted,
    CheckpointTorn,
    /// While it works, and killed in the middle of it.
    MaintenanceKilled,
}

const FAULTS: [Fault; 11] = [
    Fault::WorkerKilled,
    Fault::BrokerKilled,
    Fault::Takeover,
    Fault::WorkerKilledTwice,
    Fault::BrokerSilent,
    Fault::BothKilled,
    Fault::ConsumerDeleted,
    Fault::TwoWorkers,
    Fault::CacheDeleted,
    Fault::CheckpointTorn,
    Fault::MaintenanceKilled,
];

#[test]
fn rounds_of_faults_under_load_lose_and_repeat_nothing() {
    let given = std::env::var("ROUNDS").ok();
    let rounds = given.map_or(FAULTS.len(), |rounds| rounds.parse().expect("a number"));
    let seed = seed();
    let lines: Vec<_> = plain_lines(seed, rounds * LINES)
        .into_iter()
        .map(String::into_bytes)
        .collect();
    let mut rounds = Rounds {
        random: Dice::new(seed),
        worker: None,
        world: World::new(),
        told: BTreeMap::new(),
    };
    rounds.worker = Some(rounds.start());
    for (round, chunk) in lines.chunks(LINES).enumerate() {
        let fault = FAULTS[round % FAULTS.len()];
        let until = round * LINES + chunk.len();
        rounds.play(fault, until as i64, chunk);
        let world = &rounds.world;
        world.replay(
            "replayed",
            &world.write("events.ndjson", &file(&lines[..until])),
        );
        assert_whole(world, "data", until as i64);
        let (expected, found) = (sums(world, "replayed"), sums(world, "data"));
        assert_same(&format!("after {fault:?}"), &expected, &found);
    }
    let Rounds {
        worker,
        world,
        told,
        ..
    } = rounds;
    worker.expect("a worker").stop();
    assert_one_message_an_alert(&world, "data");
    // The same stream once more, with nothing in the way.
    world.work_until("clean", lines.len() as i64, &[]);
    assert_eq!(world.csv("clean", ALL_ROWS), world.csv("data", ALL_ROWS));
    eprintln!("{told:?}");
}

struct Rounds {
    random: Dice,
    world: World,
    worker: Option<Process>,
    /// Rounds by fault.
    told: BTreeMap<Fault, usize>,
}

impl Rounds {
    /// Sends a chunk, which ends at `until`, and meanwhile brings the fault about; ends when the
    /// ledger has all of it.
    fn play(&mut self, fault: Fault, until: i64, chunk: &[Vec<u8>]) {
        let begun = Instant::now();
        let load = Load::start(&self.world.server.url(), until, chunk);
        let wait = self.random.below(FAULT_BY);
        sleep(Duration::from_millis(wait));
        self.befall(fault);
        assert!(load.finish(), "{fault:?} came when all had been sent");
        let mut worker = self.worker();
        self.world.wait_for_position("data", until, &mut worker);
        self.worker = Some(worker);
        assert_eq!(self.world.messages(), until, "{fault:?}");
        *self.told.entry(fault).or_default() += 1;
        let millis = begun.elapsed().as_millis();
        eprintln!("{fault:?} after {wait} ms: all read after {millis} ms");
    }

    fn befall(&mut self, fault: Fault) {
        match fault {
            Fault::WorkerKilled => self.kill_worker(|_| {}),
            Fault::WorkerKilledTwice => {
                self.worker().kill9();
                let reborn = self.run();
                self.rest(700);
                reborn.kill9();
                self.worker = Some(self.start());
            }
            Fault::BrokerKilled => {
                self.world.server.kill9();
                self.rest(1_500);
                self.world.server.start_again();
            }
            Fault::BothKilled => {
                self.world.server.kill9();
                self.worker().kill9();
                self.rest(500);
                self.world.server.start_again();
                self.worker = Some(self.start());
            }
            Fault::BrokerSilent => {
                self.world.server.signal("STOP");
                self.rest(4_000);
                self.world.server.signal("CONT");
            }
            Fault::ConsumerDeleted => self.delete_consumers(),
            Fault::Takeover => self.take_over(),
            Fault::TwoWorkers => self.start_second(),
            Fault::CacheDeleted => self.kill_worker(|world| {
                fs::remove_dir_all(world.path("data/cache")).expect("delete the cache");
            }),
            Fault::CheckpointTorn => self.kill_worker(|world| {
                for path in files_below(&world.path("data/wallets"), ".parquet") {
                    let bytes = fs::read(&path).expect("a checkpoint");
                    fs::write(&path, &bytes[..bytes.len() / 2]).expect("tear it");
                }
            }),
            Fault::MaintenanceKilled => {
                let maintain = || {
                    let mut command = self.world.purser("data");
                    command.arg("maintain");
                    self.world.start(command, "maintain")
                };
                let (first, killed) = (maintain().wait(), maintain());
                assert_eq!(first.code, Some(0), "{first:?}");
                self.rest(200);
                killed.kill9();
            }
        }
    }

    fn worker(&mut self) -> Process {
        self.worker.take().expect("a worker")
    }

    fn run(&self) -> Process {
        self.world.run("data", &["--checkpoint-interval", "1"])
    }

    /// A worker that has attached.
    fn start(&self) -> Process {
        let mut worker = self.run();
        worker.wait_for("reading", 1);
        worker
    }

    fn rest(&mut self, millis_max: u64) {
        sleep(self.random.millis(millis_max));
    }

    fn kill_worker(&mut self, meanwhile: impl FnOnce(&World)) {
        self.worker().kill9();
        meanwhile(&self.world);
        self.worker = Some(self.start());
    }

    fn delete_consumers(&self) {
        self.world.block_on(async {
            let jetstream = self.world.jetstream().await;
            let stream = jetstream.get_stream("USAGE").await.expect("USAGE");
            let names: Vec<String> = stream.consumer_names().try_collect().await.expect("names");
            assert!(!names.is_empty(), "nobody reads");
            for name in names {
                stream.delete_consumer(&name).await.expect("deleted");
            }
        });
    }

    /// The first worker sleeps with rows in hand until the second has committed others.
    fn take_over(&mut self) {
        let sleeper = self.worker();
        sleeper.signal("STOP");
        let table = self.world.path("data/ledger");
        let before = position(&table);
        let second = self.start();
        poll(
            "a commit of the second worker",
            || second.log(),
            || (position(&table) > before).then_some(()),
        );
        sleeper.signal("CONT");
        self.one_stays(sleeper, second);
    }

    fn start_second(&mut self) {
        let first = self.worker();
        let second = self.start();
        self.one_stays(first, second);
    }

    /// Waits until one of two workers is fenced, and keeps the other.
    fn one_stays(&mut self, mut first: Process, mut second: Process) {
        let end = Instant::now() + crate::process::PATIENCE;
        while first.is_running() && second.is_running() {
            assert!(Instant::now() < end, "both go on");
            sleep(LOOK);
        }
        let (fenced, owner) = match first.is_running() {
            true => (second, first),
            false => (first, second),
        };
        let ended = fenced.wait();
        assert_eq!(ended.code, Some(3), "{ended:?}");
        assert!(ended.log.contains("belongs to another worker"), "{ended:?}");
        self.worker = Some(owner);
    }
}
