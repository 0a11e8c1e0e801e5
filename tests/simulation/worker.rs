//! A worker: attaching, feeding the engine, writing batches, sending alerts.
//!
//! Owns the order of these, which is that of `jobs::run`, `jobs::writer` and the alerts' task, as
//! three tasks that take turns. The engine, the batches and the commit are the real ones.
//!
//! Invariant: a worker knows nothing but the stream, the store and the price folder.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::task::{Context, Waker};
use std::time::Duration;

use purser::adapters::ledger::{Commit, CommitError, Fenced, KnownLog, Log, NewFile, ShardCommit};
use purser::domain::alert::Alert;
use purser::domain::calendar;
use purser::domain::engine::Engine;
use purser::domain::entry::{Entry, Kind, Sink};
use purser::jobs::batches::{Batches, Seal, Work};

use crate::checks;
use crate::engine;
use crate::log::{SimulatedLog, StoreError};
use crate::rows::{Place, Row};
use crate::step::{Hand, Step};
use crate::story::{SHARD, STREAM};
use crate::world::World;

/// Seals and rows that may wait for the writer: more than a story has.
const WAITING: usize = 512;

/// Why a worker ended.
#[derive(Debug)]
pub(crate) enum End {
    /// All messages are in the ledger.
    Done,
    Fenced(Fenced),
    Busy,
    /// The store did not answer when it was attached to.
    NotAttached,
}

pub(crate) struct Worker {
    pub(crate) name: String,
    /// The last entry of the ledger when it fell asleep.
    pub(crate) frozen_since: Option<i64>,
    tasks: Vec<Task>,
}

struct Task {
    hand: Rc<Hand>,
    work: TaskWork,
}

type TaskWork = Pin<Box<dyn Future<Output = Result<(), End>>>>;

/// What the worker's tasks share.
struct Shared {
    world: Rc<World>,
    name: String,
    /// The log that the engine's side attached to, for the writer.
    attached: RefCell<Option<KnownLog<SimulatedLog>>>,
    alerts: RefCell<VecDeque<Alert>>,
    handed_over: Cell<usize>,
    stored: Cell<usize>,
}

impl Worker {
    pub(crate) fn start(world: &Rc<World>, name: String) -> Self {
        let shared = Rc::new(Shared {
            world: Rc::clone(world),
            name: name.clone(),
            attached: RefCell::new(None),
            alerts: RefCell::default(),
            handed_over: Cell::new(0),
            stored: Cell::new(0),
        });
        let (sender, receiver) = sync_channel(WAITING);
        let hands = [(); 3].map(|()| Rc::new(Hand::new()));
        let [feed_hand, write_hand, alert_hand] = hands.clone();
        // The log is attached to by one task and used by another.
        let log_hand = Rc::clone(&write_hand);
        let works: [TaskWork; 3] = [
            Box::pin(feed(Rc::clone(&shared), feed_hand, log_hand, sender)),
            Box::pin(write(Rc::clone(&shared), write_hand, receiver)),
            Box::pin(send_alerts(shared, alert_hand)),
        ];
        let tasks = hands.into_iter().zip(works);
        Self {
            name,
            frozen_since: None,
            tasks: tasks.map(|(hand, work)| Task { hand, work }).collect(),
        }
    }

    /// Gives a turn to one of its tasks; how it ended, if that ended it.
    pub(crate) fn turn(&mut self, world: &World) -> Option<End> {
        let at = world.place(self.tasks.len());
        let mut context = Context::from_waker(Waker::noop());
        let std::task::Poll::Ready(ended) = self.tasks[at].work.as_mut().poll(&mut context) else {
            return None;
        };
        drop(self.tasks.remove(at));
        match ended {
            Err(end) => Some(end),
            // The alerts' task never ends, the writer's ends last.
            Ok(()) => (self.tasks.len() == 1).then_some(End::Done),
        }
    }

    /// What its tasks were about to do.
    pub(crate) fn steps(&self) -> impl Iterator<Item = Step> {
        self.tasks.iter().map(|task| task.hand.step.get())
    }
}

/// Attaches, then takes messages to the engine until the stream's end.
async fn feed(
    shared: Rc<Shared>,
    hand: Rc<Hand>,
    log_hand: Rc<Hand>,
    work: SyncSender<Work>,
) -> Result<(), End> {
    let world = Rc::clone(&shared.world);
    let Attached {
        log,
        version,
        mut engine,
        mut next,
    } = attach(&world, &hand, log_hand).await?;
    *shared.attached.borrow_mut() = Some(log);
    let mut versions = 0;
    let (_, spent) = std::sync::mpsc::channel();
    let work = (work, spent);
    let batches = Batches::new(engine.last_entry(), Duration::from_secs(10), work);
    let mut sink = Watched {
        world: Rc::clone(&world),
        batches,
        alerts: Vec::new(),
        usage: Vec::new(),
    };
    while next < world.story.messages.len() {
        if next == world.arrived.get() {
            if world.hits(world.faults.get().cut) {
                sink.batches.seal();
            }
            hand.before(Step::AwaitMessage).await;
            continue;
        }
        hand.before(Step::TakeMessage).await;
        // Looked for after the message came, so that no version is overlooked that it falls under.
        if versions != world.published.get() {
            versions = world.published.get();
            engine::set_book(&mut engine, &world.books[versions - 1]);
        }
        let message = &world.story.messages[next];
        next += 1;
        {
            let store = world.store.borrow();
            let rows = store.rows(version).chain(&sink.usage);
            engine::recall(&mut engine, message, rows);
        }
        engine::handle(&mut engine, next as i64, message, &mut sink);
        for (place, alert) in sink.alerts.drain(..).zip(engine.alerts.drain(..)) {
            checks::alert(&world, place, &alert);
            shared.alerts.borrow_mut().push_back(alert);
            shared.handed_over.set(shared.handed_over.get() + 1);
        }
        if sink.batches.after_message().is_err() {
            return Ok(());
        }
        if world.hits(world.faults.get().cut) {
            hand.before(Step::CutBatch).await;
            sink.batches.seal();
        }
        if let Some(checkpoint) = world.recovery.checkpoint.filter(|_| world.hits(30)) {
            hand.before(Step::Checkpoint).await;
            checkpoint(&engine, &mut world.store.borrow_mut());
        }
    }
    sink.batches.seal();
    Ok(())
}

/// What a worker begins with.
struct Attached {
    log: KnownLog<SimulatedLog>,
    /// Of the log.
    version: u64,
    /// What the ledger of this version leads to.
    engine: Engine,
    /// The number of messages that are in it.
    next: usize,
}

async fn attach(world: &Rc<World>, hand: &Rc<Hand>, log_hand: Rc<Hand>) -> Result<Attached, End> {
    let not_attached = |_: StoreError| End::NotAttached;
    hand.before(Step::Attach).await;
    let mut log = SimulatedLog {
        world: Rc::clone(world),
        hand: log_hand,
        loaded: 0,
        told: Cell::new(0),
    };
    let version = log.load().await.map_err(not_attached)?;
    let known = KnownLog::new(log, version);
    let position = known.position(SHARD.index, STREAM).await;
    let position = position.map_err(not_attached)?.unwrap_or(0);
    hand.before(Step::ReadRows).await;
    let book = &world.books[world.published.get() - 1];
    let engine = (world.recovery.recover)(&world.store.borrow(), version, book);
    hand.before(Step::Restored).await;
    Ok(Attached {
        log: known,
        version,
        engine,
        next: position as usize,
    })
}

/// Writes each batch to a file, waits for its alerts, and commits it.
async fn write(shared: Rc<Shared>, hand: Rc<Hand>, work: Receiver<Work>) -> Result<(), End> {
    let world = &shared.world;
    let mut rows = Vec::new();
    let mut batch = 0;
    loop {
        match work.try_recv() {
            Ok(Work::Rows(more)) => rows.extend(more.iter().map(|row| Row::of(&row))),
            Ok(Work::Seal(seal)) => {
                batch += 1;
                let file = write_file(&shared, &hand, (batch, std::mem::take(&mut rows))).await;
                let wanted = shared.handed_over.get();
                while shared.stored.get() < wanted {
                    hand.before(Step::AwaitAlerts).await;
                }
                let commit = commit(&shared.name, batch, seal, file);
                let log = shared.attached.borrow_mut().take();
                let mut log = log.expect("a batch comes after attaching");
                let outcome = log.commit(&commit).await;
                outcome.map_err(|error| match error {
                    CommitError::Fenced(fenced) => End::Fenced(fenced),
                    CommitError::Busy { .. } => End::Busy,
                    CommitError::Log(error) => panic!("{error} stops a commit"),
                })?;
                checks::committed(world, &commit);
                *shared.attached.borrow_mut() = Some(log);
                hand.before(Step::Committed).await;
            }
            Ok(Work::Find(_)) => unreachable!("charges are looked for without the writer"),
            Err(TryRecvError::Empty) => hand.before(Step::AwaitWork).await,
            Err(TryRecvError::Disconnected) => return Ok(()),
        }
    }
}

async fn write_file(shared: &Shared, hand: &Hand, (batch, mut rows): (u64, Vec<Row>)) -> NewFile {
    let day = rows[0].received_at.day();
    let path = format!(
        "day={}/{}-{batch}.parquet",
        calendar::civil(day),
        shared.name
    );
    let count = rows.len() as u64;
    let files = |rows: Vec<Row>| {
        let mut store = shared.world.store.borrow_mut();
        store.files.entry(path.clone()).or_default().extend(rows);
    };
    hand.before(Step::CreateFile).await;
    let rest = rows.split_off(rows.len() / 2);
    files(rows);
    hand.before(Step::FinishFile).await;
    files(rest);
    hand.before(Step::FileWritten).await;
    NewFile {
        path,
        size: 0,
        rows: count,
        day,
        stats: Default::default(),
    }
}

fn commit(writer: &str, batch: u64, seal: Seal, file: NewFile) -> Commit {
    Commit {
        writer: writer.to_owned(),
        batch,
        shards: vec![ShardCommit {
            shard: SHARD.index,
            first_entry: seal.first_entry,
            last_entry: seal.last_entry,
            positions: seal.positions,
            files: vec![file],
        }],
    }
}

/// Gives alerts to the broker, each until it is known to be stored.
async fn send_alerts(shared: Rc<Shared>, hand: Rc<Hand>) -> Result<(), End> {
    let world = &shared.world;
    loop {
        let next = shared.alerts.borrow().front().cloned();
        let Some(alert) = next else {
            hand.before(Step::AwaitAlert).await;
            continue;
        };
        hand.before(Step::SendAlert).await;
        if world.hits(world.faults.get().no_answer) {
            world.count("alert not sent");
            continue;
        }
        checks::sent(world, alert);
        hand.before(Step::AlertStored).await;
        if world.hits(world.faults.get().lost_answer) {
            world.count("alert whose answer was lost");
            continue;
        }
        shared.alerts.borrow_mut().pop_front();
        shared.stored.set(shared.stored.get() + 1);
    }
}

/// The batches, and what went there: the places of the alerts' rows, and usage.
struct Watched {
    world: Rc<World>,
    batches: Batches,
    alerts: Vec<Place>,
    usage: Vec<Row>,
}

impl Sink for Watched {
    fn append(&mut self, row: &Entry<'_>) {
        match row.kind {
            Kind::Alert => self.alerts.push((row.seq, row.idx, row.leg)),
            Kind::Usage => self.usage.push(Row::of(row)),
            _ => {}
        }
        if self.world.is_traced() {
            checks::told(&self.world, &Row::of(row));
        }
        self.batches.append(row);
    }
}
