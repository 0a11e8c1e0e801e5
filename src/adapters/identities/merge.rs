//! Merging runs.
//!
//! Owns choosing runs to merge, and making one run of them in small steps. Leaves to `background`
//! when the new one takes the place of the old ones.
//!
//! Invariant: of equal hashes the greatest `since` stays; what is dropped is older than `before`.

use std::ops::Range;
use std::sync::Arc;

use super::fault::Fault;
use super::records::{Reader, Record, Writer};
use super::run::Run;
use crate::domain::entry::Mark;

/// Runs that are worth merging, unless there are too many.
const FEWEST: usize = 4;
/// More runs than these are merged in any case.
const RUNS_MAX: usize = 12;
/// Runs that are merged at once; each takes a buffer.
const MOST: usize = 16;

/// Which runs, given by their sizes from the oldest to the newest, should be merged: the newest
/// ones, as far back as one is no larger than twice all those after it, so that an identity is
/// copied a few times only.
pub(super) fn due(sizes: &[u64]) -> Option<Range<usize>> {
    let mut start = sizes.len();
    let mut sum = 0;
    for size in sizes.iter().rev().take(MOST) {
        let too_many = sizes.len() > RUNS_MAX && sizes.len() - start < FEWEST;
        if start < sizes.len() && *size > 2 * sum && !too_many {
            break;
        }
        sum += size;
        start -= 1;
    }
    (sizes.len() - start >= FEWEST).then_some(start..sizes.len())
}

/// A merge under way.
pub(super) struct Merge {
    /// Where its runs stand among all.
    pub(super) range: Range<usize>,
    sources: Vec<Source>,
    /// The least record so far, until another hash comes.
    held: Option<Record>,
    writer: Writer,
    before: i64,
    entries: (i64, Mark),
    key_id: u64,
}

struct Source {
    next: Record,
    rest: Reader,
}

impl Merge {
    /// Merges `runs`, of which there is at least one, into `writer`; drops what was occupied
    /// before `before`.
    pub(super) fn new(
        runs: &[Arc<Run>],
        range: Range<usize>,
        writer: Writer,
        before: i64,
    ) -> Result<Self, Fault> {
        let runs = &runs[range.clone()];
        let mut sources = Vec::with_capacity(runs.len());
        for run in runs {
            let mut rest = run.records();
            if let Some(next) = rest.next()? {
                sources.push(Source { next, rest });
            }
        }
        let (first, last) = (runs[0].about(), runs[runs.len() - 1].about());
        Ok(Self {
            range,
            sources,
            held: None,
            writer,
            before,
            entries: (first.first_entry, last.mark()),
            key_id: first.key_id,
        })
    }

    /// Takes `records` further; `true` once nothing is left.
    pub(super) fn step(&mut self, records: usize) -> Result<bool, Fault> {
        for _ in 0..records {
            let least = (0..self.sources.len()).min_by_key(|at| self.sources[*at].next.hash);
            let Some(at) = least else {
                self.write_held()?;
                return Ok(true);
            };
            let record = self.sources[at].next;
            match self.sources[at].rest.next()? {
                Some(next) => self.sources[at].next = next,
                None => drop(self.sources.swap_remove(at)),
            }
            self.take(record)?;
        }
        Ok(false)
    }

    pub(super) fn finish(self) -> Result<Run, Fault> {
        self.writer.finish(self.entries, self.key_id)
    }

    pub(super) fn index_bytes(&self) -> u64 {
        self.writer.index_bytes()
    }

    fn take(&mut self, record: Record) -> Result<(), Fault> {
        match &mut self.held {
            Some(held) if held.hash == record.hash => {
                if held.place.since < record.place.since {
                    *held = record;
                }
                Ok(())
            }
            _ => {
                self.write_held()?;
                self.held = Some(record);
                Ok(())
            }
        }
    }

    fn write_held(&mut self) -> Result<(), Fault> {
        match self.held.take() {
            Some(record) if record.place.since >= self.before => self.writer.push(&record),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges_the_newest_runs_as_far_back_as_they_are_of_a_size() {
        for (sizes, merged) in [
            (&[][..], None),
            (&[1, 1, 1], None),
            (&[1, 1, 1, 1], Some(0..4)),
            (&[7, 1, 1, 1], None),
            (&[9, 1, 1, 1, 1], Some(1..5)),
            (&[8, 1, 1, 1, 1], Some(0..5)),
            (&[0, 0, 0, 0], Some(0..4)),
            (
                &[4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2],
                Some(0..12),
            ),
            (&[9, 3, 1, 0], None),
            (
                &[
                    1 << 40,
                    1 << 36,
                    1 << 33,
                    1 << 30,
                    1 << 27,
                    1 << 24,
                    1 << 21,
                    1 << 18,
                    1 << 15,
                    1 << 12,
                    1 << 9,
                    1 << 6,
                    1 << 3,
                ],
                Some(9..13),
            ),
            (&[1; 20], Some(4..20)),
        ] {
            assert_eq!(due(sizes), merged, "{sizes:?}");
        }
    }

    #[test]
    fn runs_stay_few_and_copies_rare() {
        let mut sizes: Vec<u64> = Vec::new();
        let (mut copied, mut total, mut most) = (0, 0, 0);
        for number in 0_u64..5_000 {
            // Neither equal nor ordered.
            let size = 90 + number * 37 % 23;
            sizes.push(size);
            total += size;
            while let Some(range) = due(&sizes) {
                let sum: u64 = sizes[range.clone()].iter().sum();
                copied += sum;
                sizes.splice(range, [sum]);
            }
            most = most.max(sizes.len());
        }
        assert!(most <= RUNS_MAX, "{most} runs");
        assert!(copied <= 8 * total, "{} copies each", copied / total);
    }
}
