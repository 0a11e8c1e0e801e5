//! Random histories, step by step on one thread, against a plain list of all entries.

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const KEYS: u64 = 700;
const WINDOW: i64 = 1_000;

#[derive(Clone, Debug)]
enum Step {
    /// So many events of keys from `first` on, `pause` µs apart.
    Events {
        first: u64,
        count: u64,
        pause: i64,
    },
    HandOver,
    /// So many pieces of the background's work.
    Turns(usize),
    /// This share, in hundredths, of what is not yet committed.
    Commit(i64),
    Forget,
    Close,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..KEYS, 1..200u64, 0..3i64)
            .prop_map(|(first, count, pause)| Step::Events { first, count, pause }),
        6 => Just(Step::HandOver),
        6 => (1..6usize).prop_map(Step::Turns),
        4 => prop_oneof![Just(100), 0..100i64].prop_map(Step::Commit),
        2 => Just(Step::Forget),
        1 => Just(Step::Close),
        1 => Just(Step::Crash),
    ]
}

/// The filter of one shard, and the ledger that it must agree with.
struct World {
    folder: TempDir,
    budget_bytes: u64,
    now: i64,
    /// Entry `n` is at `n - 1`.
    times: Vec<i64>,
    ledger: Vec<([u64; 2], Place)>,
    committed: Arc<AtomicI64>,
    /// Of what was handed over, the last entries.
    handed_over: Vec<i64>,
    recent: Recent,
    runs: IdentityRuns,
    worker: Worker,
}

impl World {
    fn new(budget_bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let committed = Arc::new(AtomicI64::new(0));
        let (opened, worker) = opened(&folder, budget_bytes, &committed);
        Self {
            folder,
            budget_bytes,
            now: 0,
            times: Vec::new(),
            ledger: Vec::new(),
            committed,
            handed_over: Vec::new(),
            recent: recent([], 0),
            runs: opened.runs,
            worker,
        }
    }

    fn take(mut self, step: &Step) -> Self {
        match *step {
            Step::Events {
                first,
                count,
                pause,
            } => {
                for key in first..first + count {
                    self.now += pause;
                    self.event(key % KEYS);
                }
            }
            Step::HandOver => self.hand_over(),
            Step::Turns(turns) => (0..turns).for_each(|_| self.turn()),
            Step::Commit(share) => {
                let committed = self.committed.load(Ordering::Relaxed);
                let open = self.ledger.len() as i64 - committed;
                self.committed
                    .store(committed + open * share / 100, Ordering::Relaxed);
            }
            Step::Forget => {
                // The next row is the first that tells of now.
                let entry = self.ledger.len() as i64 + 1;
                self.runs.forget(self.now - WINDOW, entry);
            }
            Step::Close => self = self.close(),
            Step::Crash => self = self.crash(),
        }
        self
    }

    fn event(&mut self, key: u64) {
        let hash = hash_of(key);
        let known = self.find(hash);
        let known = self.in_window(known);
        if self.agreed(key, known).is_none() {
            let since = if key.is_multiple_of(16) {
                i64::MAX
            } else {
                self.now
            };
            let fingerprint = self.ledger.len() as u32;
            let place = Place { fingerprint, since };
            self.ledger.push((hash, place));
            self.times.push(self.now);
            self.remember(hash, place);
        }
    }

    /// What is known of `key` within the window, which the ledger must confirm.
    fn agreed(&self, key: u64, known: Option<Place>) -> Option<Place> {
        let entries = self.ledger.iter().rev();
        let newest = entries
            .filter(|(hash, _)| *hash == hash_of(key))
            .map(|(_, place)| *place);
        let newest = newest.clone().next();
        assert_eq!(known, self.in_window(newest), "key {key}");
        known
    }

    fn in_window(&self, place: Option<Place>) -> Option<Place> {
        place.filter(|place| self.now.saturating_sub(place.since) <= WINDOW)
    }

    fn find(&mut self, hash: [u64; 2]) -> Option<Place> {
        let recent = self.recent.find(hash);
        recent.or_else(|| self.runs.find(hash).unwrap())
    }

    fn remember(&mut self, hash: [u64; 2], place: Place) {
        self.recent.segments[segment_of(hash, SEGMENTS)].insert(hash, place);
    }

    fn turn(&mut self) {
        self.worker.turn().unwrap();
        // Takes note of the new view.
        self.find([0, 0]);
    }

    fn hand_over(&mut self) {
        // One that is still held would be waited for.
        while self.runs.shared.view().recent.is_some() {
            self.turn();
        }
        self.worker.shared.bury();
        let last_entry = self.ledger.len() as i64;
        let mut full = std::mem::replace(&mut self.recent, recent([], 0));
        full.last = mark(last_entry);
        self.runs.take_over(full).unwrap();
        self.handed_over.push(last_entry);
    }

    fn close(mut self) -> Self {
        self.worker.shared.stop(Stop::Finished);
        self.worker.work().unwrap();
        let committed = self.committed.load(Ordering::Relaxed);
        let whole = self.handed_over.iter().filter(|last| **last <= committed);
        let covered = whole.max().copied().unwrap_or(0);
        let again = self.reopen();
        assert_eq!(again.runs.last_entry, covered);
        again
    }

    fn crash(self) -> Self {
        let path = self.folder.path();
        let number = self.worker.next_number + 1;
        fs::write(path.join(format!("run-{number}")), "half a run").unwrap();
        fs::write(path.join("manifest-0"), "half a manifest").unwrap();
        self.reopen()
    }

    /// The uncommitted entries are lost; those that the runs do not cover are read again.
    fn reopen(mut self) -> Self {
        drop(self.worker);
        drop(self.runs);
        let (opened, worker) = opened(&self.folder, self.budget_bytes, &self.committed);
        assert_eq!(opened.thrown_away, None);
        let committed = self.committed.load(Ordering::Relaxed);
        assert!(opened.covered_entry <= committed);
        self.ledger.truncate(committed as usize);
        // Who comes back knows only the time of the last row.
        self.times.truncate(committed as usize);
        self.now = self.times.last().copied().unwrap_or(0);
        let tail = &self.ledger[opened.covered_entry as usize..];
        self.recent = recent(tail.iter().copied(), 0);
        self.handed_over
            .retain(|last| *last <= opened.covered_entry);
        let mut again = Self {
            runs: opened.runs,
            worker,
            ..self
        };
        again.check();
        again
    }

    fn check(&mut self) {
        for key in 0..KEYS {
            let known = self.find(hash_of(key));
            self.agreed(key, self.in_window(known));
        }
    }
}

fn opened(folder: &TempDir, budget_bytes: u64, committed: &Arc<AtomicI64>) -> (Opened, Worker) {
    let fence_entry = committed.load(Ordering::Relaxed);
    prepared(Opening {
        budget_bytes,
        committed: Arc::clone(committed),
        ..opening(folder.path(), fence_entry)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn verdicts_agree_with_the_ledger(
        steps in prop::collection::vec(step(), 1..120),
        budget_bytes in prop_oneof![Just(0), Just(4 << 20)],
    ) {
        let mut world = World::new(budget_bytes);
        for step in &steps {
            world = world.take(step);
        }
        world.check();
        (0..50).for_each(|_| world.turn());
        world.check();
        world.close().check();
    }
}
