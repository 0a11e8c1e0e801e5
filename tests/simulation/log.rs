//! The log as one worker reaches it: each request takes turns, and may get no answer.
//!
//! Owns the faults of single requests. Leaves what is stored to `store`, and trying again to the
//! real protocol.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use purser::adapters::ledger::{Commit, Fate, Log, LogEntry};

use crate::checks;
use crate::step::{Hand, Step};
use crate::world::World;

pub(crate) struct SimulatedLog {
    pub(crate) world: Rc<World>,
    pub(crate) hand: Rc<Hand>,
    /// The version that was loaded.
    pub(crate) loaded: u64,
    /// The highest version that it was told is taken, by itself or others.
    pub(crate) told: Cell<u64>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("version {0} is taken")]
    Taken(u64),
    #[error("the store does not answer")]
    NoAnswer,
}

impl SimulatedLog {
    async fn request(&self, step: Step) -> Result<(), StoreError> {
        self.hand.before(step).await;
        match self.world.is_unanswered() {
            true => Err(StoreError::NoAnswer),
            false => Ok(()),
        }
    }
}

impl Log for SimulatedLog {
    type Error = StoreError;

    async fn load(&mut self) -> Result<u64, StoreError> {
        self.request(Step::LoadLog).await?;
        self.loaded = self.world.store.borrow().newest();
        Ok(self.loaded)
    }

    async fn loaded(&self, id: &str) -> Result<Option<i64>, StoreError> {
        Ok(self.world.store.borrow().transaction(self.loaded, id))
    }

    async fn entry(&self, version: u64) -> Result<Option<LogEntry>, StoreError> {
        self.request(Step::ReadEntry).await?;
        Ok(self.world.store.borrow().entry(version).cloned())
    }

    async fn checkpoint(&self) -> Result<Option<u64>, StoreError> {
        self.request(Step::ReadCheckpoint).await?;
        Ok(self.world.store.borrow().checkpoint)
    }

    async fn put(&self, version: u64, commit: &Commit) -> Result<(), StoreError> {
        let entry = LogEntry {
            transactions: commit.transactions(),
            nameplate: Some(commit.nameplate()),
            files: commit.files().map(|file| file.path.clone()).collect(),
            changes_table: false,
        };
        let under_way = UnderWay {
            world: &self.world,
            put: Some((version, entry)),
        };
        // Whoever knows that a version is taken must not try it again.
        assert!(
            version > self.told.get(),
            "version {version} is known to be taken"
        );
        self.request(Step::PutEntry).await?;
        let put = under_way.arrived();
        let is_done = put.is_some_and(|(version, entry)| land(&self.world, version, entry));
        self.hand.before(Step::EntryPut).await;
        let is_lost = is_done && self.world.hits(self.world.faults.get().lost_answer);
        if is_lost {
            self.world.count("lost answer");
        }
        // A client that asks again by itself meets its own entry.
        if is_lost && self.world.hits(500) {
            return Err(StoreError::NoAnswer);
        }
        self.told.set(version);
        match is_done && !is_lost {
            true => Ok(()),
            false => Err(StoreError::Taken(version)),
        }
    }

    fn fate(error: &StoreError) -> Fate {
        match error {
            StoreError::Taken(_) => Fate::Taken,
            StoreError::NoAnswer => Fate::TryAgain,
        }
    }

    fn now(&self) -> Instant {
        self.world.now()
    }

    async fn rest(&self, pause: Duration) {
        self.world.pass(pause);
        self.hand.before(Step::Rest).await;
    }
}

/// A request that may reach the store after all, although its sender knows nothing or is gone.
struct UnderWay<'a> {
    world: &'a World,
    put: Option<(u64, LogEntry)>,
}

impl UnderWay<'_> {
    fn arrived(mut self) -> Option<(u64, LogEntry)> {
        self.put.take()
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(put) = self.put.take().filter(|_| self.world.hits(400)) {
            self.world.under_way.borrow_mut().push(put);
        }
    }
}

/// An entry reaches the store; whether it was put.
pub(crate) fn land(world: &World, version: u64, entry: LogEntry) -> bool {
    let plate = entry.nameplate.clone();
    let is_next = world.store.borrow().is_next(version);
    if is_next {
        checks::commit(world, &entry);
    }
    let is_put = world.store.borrow_mut().put(version, entry);
    let name = plate.map_or_else(String::new, |plate| {
        format!("{} {}", plate.writer, plate.batch)
    });
    match (is_put, is_next) {
        (true, true) => world.tell(format_args!("version {version}: {name}")),
        (true, false) => world.count("entry put where the log was cleaned"),
        (false, _) => world.count("entry put where one was"),
    }
    is_put
}
