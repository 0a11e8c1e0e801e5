//! Older identities of the duplicate filter: sorted runs on local disk.
//!
//! Owns finding an identity that no longer fits in memory, and the files in which it is kept.
//! Leaves to the domain what a found one means, and to the ledger the truth: the files are a
//! cache, and whatever is wrong with them, they are thrown away and made anew from the ledger.
//!
//! Invariant: an identity that was handed over is found until it may be forgotten, or the caller
//! is told of a fault. None is found that the ledger does not hold.

mod background;
mod budget;
mod checksum;
mod fault;
mod filter;
mod manifest;
mod merge;
mod open;
mod records;
mod run;
#[cfg(test)]
mod tests;
mod view;

use std::collections::VecDeque;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::{self, JoinHandle};

use crate::domain::duplicates::{Older, OlderFault, Place, Recent};

use background::Worker;
use fault::Fault;
use view::{Shared, Stop, View};

pub use budget::{Split, split};
pub use open::{Opened, Opening, mark};

/// The runs of one shard.
///
/// Memory: the budget given when they were opened, and what was handed over last. Dropped without
/// `close`, they are left as by a crash.
pub struct IdentityRuns {
    shared: Arc<Shared>,
    view: Arc<View>,
    /// Scratch for looking into a run.
    buffer: Vec<u8>,
    /// The last entry handed over.
    last_entry: i64,
    /// The last entry that the ledger has committed.
    committed: Arc<AtomicI64>,
    /// What may be forgotten, each once an entry is committed.
    forgetting: VecDeque<(i64, i64)>,
    thread: Option<JoinHandle<()>>,
}

impl IdentityRuns {
    /// Opens the runs in a folder, or throws them away when they are of no use.
    ///
    /// # Errors
    ///
    /// The folder cannot be made, read or written.
    pub fn open(opening: Opening) -> Result<Opened, OlderFault> {
        let (mut opened, mut worker) = open::prepare(opening)?;
        let folder = worker.folder.clone();
        let thread = thread::Builder::new()
            .name("identities".to_owned())
            .spawn(move || run_worker(&mut worker))
            .map_err(Fault::io("start a thread for", &folder))?;
        opened.runs.thread = Some(thread);
        Ok(opened)
    }

    /// Identities handed over, without most of those forgotten.
    pub fn len(&self) -> u64 {
        let view = self.shared.view();
        let in_runs: u64 = view.runs.iter().map(|run| run.about().count).sum();
        let recent = view.recent.as_ref().map_or(0, |recent| recent.count());
        in_runs + recent
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Files on disk.
    pub fn runs(&self) -> usize {
        self.shared.view().runs.len()
    }

    /// What the files take on disk.
    pub fn disk_bytes(&self) -> u64 {
        let view = self.shared.view();
        view.runs.iter().map(|run| run.about().bytes()).sum()
    }

    /// Memory that the filter and the indices take, without identities that are being written.
    pub fn memory_bytes(&self) -> u64 {
        self.shared.view().memory_bytes()
    }

    fn end(&mut self, stop: Stop) {
        self.shared.stop(stop);
        if let Some(thread) = self.thread.take() {
            // It cannot have panicked: `run_worker` makes a fault of that.
            thread.join().ok();
        }
    }
}

impl Older for IdentityRuns {
    fn find(&mut self, hash: [u64; 2]) -> Result<Option<Place>, OlderFault> {
        self.shared.refresh(&mut self.view)?;
        Ok(self.view.find(hash, &mut self.buffer)?)
    }

    fn touch(&self, hash: [u64; 2]) -> u32 {
        self.view.touch(hash)
    }

    fn take_over(&mut self, recent: Recent) -> Result<(), OlderFault> {
        if recent.last.entry < self.last_entry {
            let text = format!(
                "identities up to entry {} were handed over after those up to entry {}",
                recent.last.entry, self.last_entry
            );
            return Err(OlderFault { text, source: None });
        }
        self.last_entry = recent.last.entry;
        self.shared.take_over(recent, &mut self.view)
    }

    fn forget(&mut self, before: i64, entry: i64) {
        self.forgetting.push_back((before, entry));
        let committed = self.committed.load(Ordering::Acquire);
        while let Some((before, _)) = self
            .forgetting
            .pop_front_if(|(_, entry)| *entry <= committed)
        {
            self.shared.forgotten.fetch_max(before, Ordering::Relaxed);
        }
    }

    /// Writes what was handed over, publishes what is committed, and ends.
    fn close(&mut self) -> Result<(), OlderFault> {
        self.end(Stop::Finished);
        self.shared.fault().map_or(Ok(()), Err)
    }
}

impl Drop for IdentityRuns {
    fn drop(&mut self) {
        self.end(Stop::Abandoned);
    }
}

/// Works until it is stopped, and tells the caller of every fault, a panic included: otherwise it
/// would wait for ever.
fn run_worker(worker: &mut Worker) {
    let done = panic::catch_unwind(AssertUnwindSafe(|| worker.work()));
    let fault = match done {
        Ok(Ok(())) => return,
        Ok(Err(fault)) => fault,
        Err(_) => Fault::broken(&worker.folder, "is no longer looked after: a bug in Purser"),
    };
    worker.shared.fail(fault.into());
}
