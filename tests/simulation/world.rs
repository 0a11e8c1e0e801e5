//! What all workers of a simulation share: the stream, the store, the broker's alerts, and chance.
//!
//! Owns the faults that may come, how often each did, and the trace of what happened. Leaves when
//! the world changes to `scheduler`.
//!
//! Invariant: everything random comes from one dice, so that a seed tells one history.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::{Duration, Instant};

use purser::adapters::ledger::LogEntry;
use purser::domain::alert::Alert;
use purser::domain::price::PriceBook;

use crate::clean::Clean;
use crate::dice::Dice;
use crate::recovery::Recovery;
use crate::store::Store;
use crate::story::Story;

pub(crate) struct World {
    pub(crate) story: Story,
    /// The price books of the first version, the first two, and so on.
    pub(crate) books: Vec<PriceBook>,
    pub(crate) clean: Clean,
    pub(crate) recovery: &'static Recovery,
    pub(crate) dice: RefCell<Dice>,
    pub(crate) faults: Cell<Faults>,
    pub(crate) store: RefCell<Store>,
    /// The broker's alerts, by id.
    pub(crate) alerts: RefCell<HashMap<String, Alert>>,
    /// Entries on their way to the store, whose senders may be gone.
    pub(crate) under_way: RefCell<Vec<(u64, LogEntry)>>,
    /// How many messages the stream has.
    pub(crate) arrived: Cell<usize>,
    /// How many price versions are in the folder.
    pub(crate) published: Cell<usize>,
    /// The store is down until then.
    pub(crate) down_until: Cell<Duration>,
    pub(crate) time: Cell<Duration>,
    start: Instant,
    tally: RefCell<Tally>,
    /// `None`: not asked for.
    trace: Option<RefCell<Vec<String>>>,
}

/// How often each thing happened.
pub(crate) type Tally = BTreeMap<String, u64>;

/// How many times in a thousand each fault comes, when it can.
#[derive(Clone, Copy, Default)]
pub(crate) struct Faults {
    /// After a message.
    pub(crate) cut: u64,
    /// Of a request.
    pub(crate) no_answer: u64,
    /// Of a put that was done.
    pub(crate) lost_answer: u64,
    /// The others of a turn.
    pub(crate) crash: u64,
    pub(crate) freeze: u64,
    pub(crate) takeover: u64,
    pub(crate) outage: u64,
    pub(crate) other_shard: u64,
    pub(crate) checkpoint: u64,
    pub(crate) clean: u64,
    pub(crate) table_change: u64,
}

impl Faults {
    /// Each story has some faults often, some seldom, and some never.
    pub(crate) fn new(dice: &mut Dice) -> Self {
        let mut often = |most: u64| *dice.pick(&[0, most / 5, most]);
        Self {
            cut: often(600) + 20,
            no_answer: often(100),
            lost_answer: often(300),
            crash: often(15),
            freeze: often(15),
            takeover: often(15),
            outage: often(5),
            other_shard: often(40),
            checkpoint: often(20),
            clean: often(10),
            table_change: often(3),
        }
    }
}

impl World {
    pub(crate) fn new(seed: u64, is_traced: bool) -> Self {
        let mut dice = Dice::new(seed);
        let story = Story::new(&mut dice);
        let faults = Faults::new(&mut dice);
        let books: Vec<_> = (1..=story.versions.len())
            .map(|count| story.book(count))
            .collect();
        Self {
            clean: Clean::run(&story, &books[books.len() - 1]),
            recovery: dice.pick(crate::recovery::ALL),
            published: Cell::new(1),
            books,
            story,
            dice: RefCell::new(dice),
            faults: Cell::new(faults),
            store: RefCell::new(Store::new()),
            alerts: RefCell::default(),
            under_way: RefCell::default(),
            arrived: Cell::new(0),
            down_until: Cell::default(),
            time: Cell::default(),
            start: Instant::now(),
            tally: RefCell::default(),
            trace: is_traced.then(RefCell::default),
        }
    }

    pub(crate) fn hits(&self, permille: u64) -> bool {
        permille > 0 && self.dice.borrow_mut().hits(permille)
    }

    pub(crate) fn place(&self, length: usize) -> usize {
        self.dice.borrow_mut().place(length)
    }

    /// Whether a request meets no answer, for once or because the store is down.
    pub(crate) fn is_unanswered(&self) -> bool {
        if self.time.get() < self.down_until.get() {
            self.count("request while the store is down");
            return true;
        }
        let is_unanswered = self.hits(self.faults.get().no_answer);
        if is_unanswered {
            self.count("request without an answer");
        }
        is_unanswered
    }

    pub(crate) fn now(&self) -> Instant {
        self.start + self.time.get()
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.time.set(self.time.get() + time);
    }

    /// Counts and tells.
    pub(crate) fn count(&self, what: impl fmt::Display) {
        self.tell(&what);
        self.add(what);
    }

    pub(crate) fn add(&self, what: impl fmt::Display) {
        *self.tally.borrow_mut().entry(what.to_string()).or_default() += 1;
    }

    pub(crate) fn tell(&self, what: impl fmt::Display) {
        if let Some(trace) = &self.trace {
            let millis = self.time.get().as_millis();
            trace.borrow_mut().push(format!("{millis:>8} {what}"));
        }
    }

    pub(crate) fn tally(&self) -> Tally {
        self.tally.borrow().clone()
    }

    pub(crate) fn is_traced(&self) -> bool {
        self.trace.is_some()
    }

    /// What happened so far, line by line.
    pub(crate) fn trace(&self) -> Vec<String> {
        let trace = self.trace.as_ref();
        trace.map_or_else(Vec::new, |trace| trace.borrow().clone())
    }
}
