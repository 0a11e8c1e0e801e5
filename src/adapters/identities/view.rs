//! What the caller's thread and the background thread share.
//!
//! Owns handing over recent identities, new states and faults between the two. Leaves the work to
//! `background`.
//!
//! Invariant: every view holds all identities that were handed over (but those forgotten), so an
//! old one is as right as a new one. Large memory is let go of on the background thread only.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use crate::domain::duplicates::{OlderFault, Place, Recent};

use super::fault::Fault;
use super::filter::Filter;
use super::run::Run;

/// The version that no view has: the caller looks, and finds the fault.
const FAULTY: u64 = u64::MAX;

/// All older identities at one moment.
#[derive(Clone)]
pub(super) struct View {
    pub(super) version: u64,
    /// Not yet written as a run.
    pub(super) recent: Option<Arc<Recent>>,
    /// Whether `filter` knows `recent`; `true` when there is none.
    pub(super) recent_is_filtered: bool,
    pub(super) filter: Arc<Filter>,
    /// Oldest first.
    pub(super) runs: Vec<Arc<Run>>,
}

/// How the background thread should end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Write what was handed over, publish what is committed.
    Finished,
    /// At once.
    Abandoned,
}

pub(super) struct Shared {
    /// Of the newest view.
    version: AtomicU64,
    state: Mutex<State>,
    changed: Condvar,
    /// Microseconds; identities since earlier need not be kept.
    pub(super) forgotten: AtomicI64,
}

struct State {
    view: Arc<View>,
    /// Earlier views that the caller may still use.
    retired: Vec<Arc<View>>,
    /// Whether memory is being given back just now.
    burying: bool,
    stop: Option<Stop>,
    fault: Option<OlderFault>,
}

impl View {
    /// The newest place of `hash`; `buffer` is scratch.
    pub(super) fn find(
        &self,
        hash: [u64; 2],
        buffer: &mut Vec<u8>,
    ) -> Result<Option<Place>, Fault> {
        let may_be_in_runs = self.filter.may_hold(hash);
        if !may_be_in_runs && self.recent_is_filtered {
            return Ok(None);
        }
        let recent = self.recent.as_ref().and_then(|recent| recent.find(hash));
        if recent.is_some() || !may_be_in_runs {
            return Ok(recent);
        }
        for run in self.runs.iter().rev() {
            if let Some(place) = run.find(hash, buffer)? {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    /// Looks at what `find` will look at first; gives what means nothing.
    pub(super) fn touch(&self, hash: [u64; 2]) -> u32 {
        let recent = self.recent.as_ref();
        self.filter.touch(hash) ^ recent.map_or(0, |recent| recent.touch(hash))
    }

    /// Memory but for `recent`.
    pub(super) fn memory_bytes(&self) -> u64 {
        let indices: u64 = self.runs.iter().map(|run| run.index_bytes()).sum();
        self.filter.bytes() + indices
    }
}

impl Shared {
    pub(super) fn new(filter: Arc<Filter>, runs: Vec<Arc<Run>>) -> Self {
        let view = View {
            version: 0,
            recent: None,
            recent_is_filtered: true,
            filter,
            runs,
        };
        Self {
            version: AtomicU64::new(0),
            state: Mutex::new(State {
                view: Arc::new(view),
                retired: Vec::new(),
                burying: false,
                stop: None,
                fault: None,
            }),
            changed: Condvar::new(),
            forgotten: AtomicI64::new(i64::MIN),
        }
    }

    /// Brings `view` up to date, if it is not and that takes no waiting.
    pub(super) fn refresh(&self, view: &mut Arc<View>) -> Result<(), OlderFault> {
        if self.version.load(Ordering::Acquire) == view.version {
            return Ok(());
        }
        let state = match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(state)) => state.into_inner(),
            // The old view is as right, and whoever has the lock may not be running just now.
            Err(TryLockError::WouldBlock) => return Ok(()),
        };
        *view = Arc::clone(&state.view);
        state.fault.clone().map_or(Ok(()), Err)
    }

    pub(super) fn view(&self) -> Arc<View> {
        Arc::clone(&self.lock().view)
    }

    /// Makes `recent` part of the view; waits while an earlier one is still in memory.
    pub(super) fn take_over(&self, recent: Recent, view: &mut Arc<View>) -> Result<(), OlderFault> {
        let mut state = self.lock();
        loop {
            *view = Arc::clone(&state.view);
            if let Some(fault) = &state.fault {
                return Err(fault.clone());
            }
            let held = state.retired.iter().any(|old| old.recent.is_some());
            if state.view.recent.is_none() && !held && !state.burying {
                break;
            }
            self.changed.notify_all();
            state = self.wait(state, None);
        }
        self.change(&mut state, |view| {
            view.recent = Some(Arc::new(recent));
            view.recent_is_filtered = false;
        });
        *view = Arc::clone(&state.view);
        Ok(())
    }

    /// Replaces the view by an edited copy.
    pub(super) fn edit(&self, edit: impl FnOnce(&mut View)) {
        self.change(&mut self.lock(), edit);
    }

    /// Lets go of views that the caller no longer uses; whether none is left that it may use.
    pub(super) fn bury(&self) -> bool {
        let mut state = self.lock();
        let all = std::mem::take(&mut state.retired);
        let (used, unused): (Vec<_>, Vec<_>) = all.into_iter().partition(is_used);
        let none_is_left = used.is_empty();
        state.retired = used;
        if !unused.is_empty() {
            // Not under the lock: giving back memory takes milliseconds.
            state.burying = true;
            drop(state);
            drop(unused);
            self.lock().burying = false;
            self.changed.notify_all();
        }
        none_is_left
    }

    /// Waits until there is something to do, at most `patience`.
    pub(super) fn rest(&self, patience: Duration) {
        let state = self.lock();
        let can_bury = !state.retired.iter().all(is_used);
        if state.stop.is_none() && state.view.recent.is_none() && !can_bury {
            drop(self.wait(state, Some(patience)));
        }
    }

    pub(super) fn stop(&self, stop: Stop) {
        self.lock().stop = Some(stop);
        self.changed.notify_all();
    }

    pub(super) fn stopped(&self) -> Option<Stop> {
        self.lock().stop
    }

    /// Makes every later call of the caller fail.
    pub(super) fn fail(&self, fault: OlderFault) {
        self.lock().fault = Some(fault);
        self.version.store(FAULTY, Ordering::Release);
        self.changed.notify_all();
    }

    pub(super) fn fault(&self) -> Option<OlderFault> {
        self.lock().fault.clone()
    }

    fn change(&self, state: &mut State, edit: impl FnOnce(&mut View)) {
        let mut view = View::clone(&state.view);
        view.version += 1;
        edit(&mut view);
        let version = view.version;
        let old = std::mem::replace(&mut state.view, Arc::new(view));
        state.retired.push(old);
        // The caller reads it before it reads anything that the edit made.
        self.version.store(version, Ordering::Release);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        patience: Option<Duration>,
    ) -> MutexGuard<'a, State> {
        match patience {
            None => self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner),
            Some(patience) => {
                self.changed
                    .wait_timeout(state, patience)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        }
    }
}

/// Whether the caller may be using a retired view.
fn is_used(view: &Arc<View>) -> bool {
    Arc::strong_count(view) > 1
}
