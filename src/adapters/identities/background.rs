//! The work behind the caller's back.
//!
//! Owns writing runs, publishing them, merging them, and the filter's size; one piece at a time,
//! so that recent identities never wait for a long merge. Leaves what the files look like to
//! `run` and `manifest`.
//!
//! Invariant: the manifest names only runs whose entries are all committed, and only files that
//! are complete; a file is deleted only when no manifest names it any more.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::domain::duplicates::{Recent, Segment};

use super::budget::Room;
use super::fault::Fault;
use super::filter::Filter;
use super::manifest::Manifest;
use super::merge::{Merge, due};
use super::records::{Reader, Record, Writer};
use super::run::Run;
use super::view::{Shared, Stop};

/// How often it looks whether more entries are committed.
const PATIENCE: Duration = Duration::from_millis(100);
/// Records of a piece of work: a few milliseconds.
const STEP_RECORDS: usize = 1 << 16;

/// The state of the background thread.
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) folder: PathBuf,
    /// As it should be; its runs are those that are published.
    pub(super) manifest: Manifest,
    pub(super) committed: Arc<AtomicI64>,
    pub(super) room: Room,
    /// Oldest first; the published ones, and perhaps more.
    pub(super) runs: Vec<Arc<Run>>,
    pub(super) filter: Arc<Filter>,
    pub(super) next_number: u64,
    pub(super) job: Option<Job>,
    /// Identities that the caller hands over at once, as far as known.
    pub(super) recent_count: u64,
}

/// Work that takes long.
pub(super) enum Job {
    Merge(Box<Merge>),
    Refill(Refill),
}

/// A new filter that is filled from all runs.
pub(super) struct Refill {
    filter: Arc<Filter>,
    readers: Vec<Reader>,
}

impl Worker {
    /// Works until the caller stops it.
    pub(super) fn work(&mut self) -> Result<(), Fault> {
        loop {
            match self.shared.stopped() {
                Some(Stop::Abandoned) => return Ok(()),
                Some(Stop::Finished) => {
                    self.write_recent()?;
                    self.publish()?;
                    return Ok(());
                }
                None => {}
            }
            if !self.turn()? {
                self.shared.rest(PATIENCE);
            }
        }
    }

    /// Does the most urgent piece of work; `false` when there is none.
    pub(super) fn turn(&mut self) -> Result<bool, Fault> {
        let caller_is_up_to_date = self.shared.bury();
        if self.write_recent()? || self.publish()? {
            return Ok(true);
        }
        if let Some(job) = self.job.take() {
            self.go_on(job)?;
            return Ok(true);
        }
        // The memory of one old filter and of merged runs' indices is allowed for, no more.
        if caller_is_up_to_date {
            self.job = self.next_job()?;
        }
        Ok(self.job.is_some())
    }

    /// Writes what the caller handed over; `false` when that is nothing.
    fn write_recent(&mut self) -> Result<bool, Fault> {
        let Some(recent) = self.shared.view().recent.clone() else {
            return Ok(false);
        };
        let count = recent.count();
        self.recent_count = count;
        if self.filter.keys() == 0 {
            self.filter = Arc::new(Filter::with_room(count, self.room.filter_blocks));
        }
        // First the filter, so that new identities are looked for in it only, then the file.
        for (hash, _) in recent.segments.iter().flat_map(Segment::iter) {
            self.filter.add(*hash);
            if let Some(Job::Refill(refill)) = &self.job {
                refill.filter.add(*hash);
            }
        }
        let filter = Arc::clone(&self.filter);
        self.shared.edit(|view| {
            view.filter = filter;
            view.recent_is_filtered = true;
        });
        let Some(run) = self.write_run(&recent, count)? else {
            return Ok(true);
        };
        self.runs.push(Arc::new(run));
        let runs = self.runs.clone();
        self.shared.edit(|view| {
            view.recent = None;
            view.runs = runs;
        });
        Ok(true)
    }

    /// `None` when the caller does not want to wait for it.
    fn write_run(&mut self, recent: &Recent, count: u64) -> Result<Option<Run>, Fault> {
        let mut writer = self.writer(count)?;
        let mut sorted: Vec<Record> = Vec::new();
        for segment in &recent.segments {
            if self.shared.stopped() == Some(Stop::Abandoned) {
                return Ok(None);
            }
            sorted.clear();
            sorted.extend(segment.iter().map(|(hash, place)| Record {
                hash: *hash,
                place: *place,
            }));
            sorted.sort_unstable_by_key(|record| record.hash);
            for record in &sorted {
                writer.push(record)?;
            }
        }
        let last = self.runs.last().map_or(0, |run| run.about().last_entry);
        let entries = (last.saturating_add(1), recent.last);
        let key_id = Manifest::key_id(self.manifest.key);
        writer.finish(entries, key_id).map(Some)
    }

    fn writer(&mut self, count: u64) -> Result<Writer, Fault> {
        let mut used: u64 = self.runs.iter().map(|run| run.index_bytes()).sum();
        if let Some(Job::Merge(merge)) = &self.job {
            used += merge.index_bytes();
        }
        let bytes = self.room.next_index_bytes(used);
        Writer::create(&self.folder, &mut self.next_number, count, bytes)
    }

    /// Names in the manifest the runs that have become committed; `false` when there are none.
    fn publish(&mut self) -> Result<bool, Fault> {
        let committed = self.committed.load(Ordering::Acquire);
        let fresh = self.runs[self.manifest.runs.len()..].iter();
        let fresh: Vec<_> = fresh
            .map(|run| run.about().clone())
            .take_while(|about| about.last_entry <= committed)
            .collect();
        if fresh.is_empty() {
            return Ok(false);
        }
        self.manifest.runs.extend(fresh);
        self.manifest.write(&self.folder)?;
        Ok(true)
    }

    fn next_job(&mut self) -> Result<Option<Job>, Fault> {
        let live: u64 = self.runs.iter().map(|run| run.about().count).sum();
        let (coming, blocks_max) = (self.recent_count, self.room.filter_blocks);
        if self.filter.is_outgrown(live, coming, blocks_max) {
            return Ok(Some(Job::Refill(Refill {
                filter: Arc::new(Filter::with_room(live + coming, blocks_max)),
                readers: self.runs.iter().map(|run| run.records()).collect(),
            })));
        }
        let published = self.manifest.runs.iter();
        let sizes: Vec<u64> = published.map(|run| run.count).collect();
        let Some(range) = due(&sizes) else {
            return Ok(None);
        };
        let writer = self.writer(sizes[range.clone()].iter().sum())?;
        let before = self.shared.forgotten.load(Ordering::Relaxed);
        let merge = Merge::new(&self.runs, range, writer, before)?;
        Ok(Some(Job::Merge(Box::new(merge))))
    }

    fn go_on(&mut self, job: Job) -> Result<(), Fault> {
        match job {
            Job::Merge(mut merge) => {
                if merge.step(STEP_RECORDS)? {
                    self.replace(*merge)?;
                } else {
                    self.job = Some(Job::Merge(merge));
                }
            }
            Job::Refill(mut refill) => {
                if refill.step(STEP_RECORDS)? {
                    self.filter = Arc::clone(&refill.filter);
                    self.shared.edit(|view| view.filter = refill.filter);
                } else {
                    self.job = Some(Job::Refill(refill));
                }
            }
        }
        Ok(())
    }

    /// Puts a merged run in the place of those that it was made of.
    fn replace(&mut self, merge: Merge) -> Result<(), Fault> {
        let range = merge.range.clone();
        let run = Arc::new(merge.finish()?);
        let about = run.about().clone();
        self.manifest.runs.splice(range.clone(), [about]);
        self.manifest.write(&self.folder)?;
        let old: Vec<_> = self.runs.splice(range, [run]).collect();
        let runs = self.runs.clone();
        self.shared.edit(|view| view.runs = runs);
        old.iter().try_for_each(|run| run.delete())
    }
}

impl Refill {
    /// Takes up to `records` further; `true` once nothing is left.
    fn step(&mut self, records: usize) -> Result<bool, Fault> {
        for _ in 0..records {
            let Some(reader) = self.readers.last_mut() else {
                return Ok(true);
            };
            match reader.next()? {
                Some(record) => self.filter.add(record.hash),
                None => drop(self.readers.pop()),
            }
        }
        Ok(false)
    }
}
