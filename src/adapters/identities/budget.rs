//! Who may use how much memory.
//!
//! Owns dividing the memory of the duplicate filter. Leaves keeping to it to each user.
//!
//! Invariant: the shares add up to no more than what was given, from 8 MiB on.

use super::filter::BLOCK_BYTES;

/// Identities that a table of recent ones takes before it would grow.
const TABLE_IDENTITIES: u64 = 1 << 14;
/// What one takes: 16 bytes of hash, 16 of fingerprint and `since`, and two slots of 4.
const IDENTITY_BYTES: u64 = 40;
/// Read and write buffers, and the identities of one table while they are sorted.
const BUFFERS_BYTES: u64 = 2 << 20;

/// How much of what the duplicate filter may keep in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// Tables of `Recent`; it is full when one of them is.
    pub segments: usize,
    /// Identities that one table takes.
    pub segment_identities: usize,
    /// For the runs: the budget of `open`.
    pub runs_bytes: u64,
}

/// Divides `total_bytes`: a quarter for recent identities, a quarter for those that were handed
/// over and are being written, half for the runs.
///
/// A table takes 2¹⁴ × 40 B = 640 KiB; as the fullest of many has about 3 % more than the mean, an
/// identity costs 41 B. Of 256 MiB, 64 MiB are 102 tables with 1.6 million identities. There are
/// never fewer than one table.
pub fn split(total_bytes: u64) -> Split {
    let quarter = total_bytes / 4;
    Split {
        segments: (quarter / (TABLE_IDENTITIES * IDENTITY_BYTES)).max(1) as usize,
        segment_identities: TABLE_IDENTITIES as usize,
        runs_bytes: total_bytes - 2 * quarter,
    }
}

/// What the runs may have in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Of one filter; while it is made anew there are two.
    pub(super) filter_blocks: u64,
    /// Of all runs' indices.
    pub(super) index_bytes: u64,
}

impl Room {
    /// Of `budget_bytes`, buffers taken off: seven sixteenths for each filter, an eighth for
    /// indices.
    pub(super) fn new(budget_bytes: u64) -> Self {
        let rest = budget_bytes.saturating_sub(BUFFERS_BYTES);
        Self {
            filter_blocks: rest / 16 * 7 / BLOCK_BYTES,
            index_bytes: rest / 8,
        }
    }

    /// What the index of one more run may take: half of what is left, so that something is always
    /// left, also while merged runs and their successor are both there.
    pub(super) fn next_index_bytes(&self, used: u64) -> u64 {
        self.index_bytes.saturating_sub(used) / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_to_no_more_than_the_whole() {
        for (total_bytes, segments) in [(0, 1), (1 << 20, 1), (256 << 20, 102), (8 << 30, 3_276)] {
            let split = split(total_bytes);
            assert_eq!(split.segments, segments);
            assert_eq!(split.segment_identities, 16_384);
            let recent = split.segments as u64 * TABLE_IDENTITIES * IDENTITY_BYTES;
            assert!(2 * recent + split.runs_bytes <= total_bytes || segments == 1);
            let room = Room::new(split.runs_bytes);
            let used = 2 * room.filter_blocks * BLOCK_BYTES + room.index_bytes;
            assert!(used + BUFFERS_BYTES <= split.runs_bytes.max(BUFFERS_BYTES));
        }
    }

    #[test]
    fn indices_never_take_more_than_their_share() {
        let room = Room::new(10 << 20);
        let mut used = 0;
        for _ in 0..99 {
            used += room.next_index_bytes(used);
        }
        assert!(used <= room.index_bytes);
    }
}
