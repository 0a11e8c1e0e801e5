//! Whose turn it is, and what befalls the world between two turns.
//!
//! Owns crashes, freezes, takeovers, outages and the other writers of the log; after a while it
//! lets all of them be, and every worker come to its end. Leaves single requests' faults to `log`.
//!
//! Invariant: whatever was done, the ledger ends as that of the clean run.

use std::rc::Rc;
use std::time::Duration;

use purser::adapters::ledger::{LogEntry, Nameplate};
use purser::domain::units::MICROS_PER_MINUTE;

use crate::checks;
use crate::log::land;
use crate::versions::Version;
use crate::worker::{End, Worker};
use crate::world::{Faults, World};

/// Turns after which the world must have come to its end: many times what any needs.
const TURNS_MAX: u64 = 200_000;
/// Workers of one shard at a time.
const WORKERS_MAX: usize = 3;
/// What starts workers waits so long after one that could not.
const RESTART: Duration = Duration::from_secs(5);
/// A version is published so long before it takes effect.
const PUBLISHED_BEFORE: i64 = 15 * MICROS_PER_MINUTE;

/// Plays the world to its end.
pub(crate) fn play(world: &Rc<World>) {
    let arrivals = *world.dice.borrow_mut().pick(&[15, 60, 500]);
    let chaos = world.dice.borrow_mut().within(50, 2_500).unsigned_abs();
    let mut play = Play {
        world,
        workers: Vec::new(),
        started: 0,
        others: 0,
    };
    for turn in 0..TURNS_MAX {
        world.pass(Duration::from_millis(1));
        if turn == chaos {
            play.calm_down();
        }
        if turn < chaos {
            play.befall();
        }
        if world.hits(arrivals) {
            play.arrive();
        }
        play.turn();
        if turn >= chaos && play.is_over() {
            checks::ledger(world);
            return;
        }
    }
    panic!("no end after {TURNS_MAX} turns");
}

struct Play<'a> {
    world: &'a Rc<World>,
    workers: Vec<Worker>,
    started: usize,
    /// Commits of the other shard.
    others: i64,
}

impl Play<'_> {
    fn is_over(&self) -> bool {
        let store = self.world.store.borrow();
        let rows = store.rows(store.newest()).count();
        self.workers.is_empty() && rows == self.world.clean.rows.len()
    }

    /// No more faults; whoever sleeps wakes, whatever is under way arrives.
    fn calm_down(&mut self) {
        self.world.tell("calm");
        self.world.faults.set(Faults {
            cut: 100,
            ..Faults::default()
        });
        self.world.down_until.set(Duration::ZERO);
        for worker in &mut self.workers {
            worker.frozen_since = None;
        }
        while self.land_one() {}
    }

    /// One worker goes on, or a new one starts where there is none.
    fn turn(&mut self) {
        if self.workers.is_empty() {
            self.start();
        }
        let at = self.world.place(self.workers.len());
        if self.workers[at].frozen_since.is_some() {
            return;
        }
        let Some(end) = self.workers[at].turn(self.world) else {
            return;
        };
        let worker = self.workers.remove(at);
        let name = &worker.name;
        match end {
            End::Done => self.world.tell(format_args!("{name} is done")),
            End::Fenced(fenced) => {
                self.world.count("worker fenced");
                self.world.tell(format_args!("{name}: {fenced:?}"));
                checks::fenced(self.world, name, &fenced);
            }
            End::Busy => self.world.count("commit given up after a minute"),
            End::NotAttached => {
                self.world.count("worker that could not attach");
                self.world.pass(RESTART);
            }
        }
    }

    fn start(&mut self) {
        self.started += 1;
        let name = format!("w{}", self.started);
        self.world.tell(format_args!("{name} starts"));
        self.workers.push(Worker::start(self.world, name));
    }

    fn befall(&mut self) {
        let world = self.world;
        let faults = world.faults.get();
        if world.hits(faults.takeover) && self.workers.len() < WORKERS_MAX {
            world.count("worker beside another");
            self.start();
        }
        if world.hits(faults.crash) && !self.workers.is_empty() {
            let worker = self.workers.remove(world.place(self.workers.len()));
            world.tell(format_args!("{} crashes", worker.name));
            for step in worker.steps() {
                world.count(format_args!("crash before {step:?}"));
            }
        }
        if world.hits(faults.freeze) && !self.workers.is_empty() {
            self.freeze_or_wake();
        }
        if world.hits(faults.outage) {
            let seconds = [1, 20, 90][world.place(3)];
            world.count("outage of the store");
            world
                .down_until
                .set(world.time.get() + Duration::from_secs(seconds));
        }
        if world.hits(faults.other_shard) {
            self.other_shard_commits();
        }
        if world.hits(faults.table_change) {
            self.table_changes();
        }
        if world.hits(faults.checkpoint) {
            world.count("checkpoint of the log");
            let mut store = world.store.borrow_mut();
            store.checkpoint = Some(store.newest());
        }
        if world.hits(faults.clean) {
            world.count("cleaning of the log");
            world.store.borrow_mut().clean();
        }
        if world.hits(60) {
            self.land_one();
        }
    }

    /// A worker that sleeps wakes; one that is awake sleeps, and notices nothing of it.
    fn freeze_or_wake(&mut self) {
        let world = self.world;
        let at = world.place(self.workers.len());
        let worker = &mut self.workers[at];
        let newest = checks::newest_commit(world);
        match worker.frozen_since.take() {
            None => {
                world.count("freeze");
                worker.frozen_since = Some(newest);
            }
            Some(since) if since == newest => world.count("wake"),
            Some(_) => world.count("wake after others' commits"),
        }
        world.tell(format_args!(
            "{} sleeps: {}",
            worker.name,
            worker.frozen_since.is_some()
        ));
        world.pass(Duration::from_secs(10));
    }

    /// More messages come, and price versions in time before those that they concern.
    fn arrive(&mut self) {
        let world = self.world;
        let messages = &world.story.messages;
        let more = 1 + world.place(8);
        let arrived = (world.arrived.get() + more).min(messages.len());
        let now = messages[..arrived]
            .iter()
            .map(|message| message.received_at)
            .max();
        let is_due =
            |version: &&Version| now.is_some_and(|now| version.from - PUBLISHED_BEFORE <= now);
        let due = world.story.versions.iter().filter(is_due).count();
        let early = world.published.get() + usize::from(world.hits(20));
        let published = due.max(early).min(world.books.len());
        if published > world.published.get() {
            world.count("price version published");
        }
        world.published.set(published);
        world.arrived.set(arrived);
    }

    /// A request whose sender gave up or is gone reaches the store.
    fn land_one(&mut self) -> bool {
        let mut under_way = self.world.under_way.borrow_mut();
        if under_way.is_empty() {
            return false;
        }
        let at = self.world.place(under_way.len());
        let (version, entry) = under_way.swap_remove(at);
        drop(under_way);
        self.world.count("late request reaches the store");
        land(self.world, version, entry);
        true
    }

    fn other_shard_commits(&mut self) {
        self.others += 1;
        self.world.count("commit of another shard");
        self.append(LogEntry {
            transactions: vec![("purser/1".to_owned(), self.others)],
            nameplate: Some(Nameplate {
                writer: "other".to_owned(),
                batch: self.others.unsigned_abs(),
            }),
            ..LogEntry::default()
        });
    }

    fn table_changes(&mut self) {
        self.world.count("change of the table");
        self.append(LogEntry {
            changes_table: true,
            ..LogEntry::default()
        });
    }

    fn append(&mut self, entry: LogEntry) {
        let mut store = self.world.store.borrow_mut();
        let next = store.newest() + 1;
        assert!(store.put(next, entry), "the end of the log is free");
    }
}
