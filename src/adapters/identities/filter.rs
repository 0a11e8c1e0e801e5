//! One Bloom filter over the hashes of all runs.
//!
//! Owns telling, by one cache line, that a hash is in no run. Leaves its size and when it is made
//! anew to `background`.
//!
//! Invariant: a hash that was added is never denied. One thread adds; any may ask meanwhile.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Keys that a block takes at 16 bits each.
const BLOCK_KEYS: u64 = 32;
/// Places in a block, of nine bits each, that one word of a hash gives.
const PROBES_MAX: u64 = 7;

/// A cache line.
#[derive(Default)]
#[repr(align(64))]
struct Block([AtomicU64; 8]);

pub(super) const BLOCK_BYTES: u64 = size_of::<Block>() as u64;

pub(super) struct Filter {
    blocks: Vec<Block>,
    probes: u64,
    keys: AtomicU64,
}

impl Filter {
    /// An empty filter for `keys` now and as many later, if `blocks_max` allows: 32 bits a key
    /// that become 16; otherwise as many bits as there are.
    pub(super) fn with_room(keys: u64, blocks_max: u64) -> Self {
        let blocks = blocks_for(keys, blocks_max);
        // The fewest wrong hits are at ln 2 bits set for each bit a key has.
        let probes = blocks.saturating_mul(BLOCK_BYTES * 8 * 7) / (keys.max(1) * 10);
        Self {
            blocks: (0..blocks).map(|_| Block::default()).collect(),
            probes: probes.clamp(1, PROBES_MAX),
            keys: AtomicU64::new(0),
        }
    }

    /// Only one thread may add.
    pub(super) fn add(&self, hash: [u64; 2]) {
        let block = &self.blocks[self.block_of(hash)].0;
        let mut places = hash[1];
        for _ in 0..self.probes {
            let word = &block[(places as usize >> 6) & 7];
            // Read and written apart, not as one: there is no other writer, and this is faster.
            word.store(word.load(Relaxed) | 1 << (places & 63), Relaxed);
            places >>= 9;
        }
        self.keys.store(self.keys() + 1, Relaxed);
    }

    /// `false`: certainly never added.
    pub(super) fn may_hold(&self, hash: [u64; 2]) -> bool {
        let block = &self.blocks[self.block_of(hash)].0;
        let mut places = hash[1];
        for _ in 0..self.probes {
            if block[(places as usize >> 6) & 7].load(Relaxed) >> (places & 63) & 1 == 0 {
                return false;
            }
            places >>= 9;
        }
        true
    }

    /// Looks at the memory that a key has, so that it is at hand then; gives what means nothing.
    pub(super) fn touch(&self, hash: [u64; 2]) -> u32 {
        self.blocks[self.block_of(hash)].0[0].load(Relaxed) as u32
    }

    /// Keys that were added.
    pub(super) fn keys(&self) -> u64 {
        self.keys.load(Relaxed)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.blocks.len() as u64 * BLOCK_BYTES
    }

    /// Whether a new filter would do better, with `live` keys in the runs and `coming` expected.
    pub(super) fn is_outgrown(&self, live: u64, coming: u64, blocks_max: u64) -> bool {
        let blocks = self.blocks.len() as u64;
        let is_full = self.keys() + coming > blocks * BLOCK_KEYS;
        let can_grow = blocks_for(live + coming, blocks_max) > blocks;
        // Keys of merged runs stay in the filter until it is made anew.
        let is_stale = self.keys() > live + live / 2;
        is_full && (can_grow || is_stale)
    }

    /// Rising with the hash, so that sorted hashes fill a filter from front to back.
    fn block_of(&self, hash: [u64; 2]) -> usize {
        ((u128::from(hash[0]) * self.blocks.len() as u128) >> 64) as usize
    }
}

fn blocks_for(keys: u64, blocks_max: u64) -> u64 {
    (keys.saturating_mul(2).div_ceil(BLOCK_KEYS)).clamp(1, blocks_max.max(1))
}

#[cfg(test)]
mod tests {
    use super::super::tests::hash_of;
    use super::*;

    #[test]
    fn never_denies_a_key_and_seldom_admits_another() {
        // Rows: keys, blocks at most, wrong hits allowed among 100,000.
        for (keys, blocks_max, wrong_max) in [
            (10_000, u64::MAX, 30), // 32 bits a key
            (10_000, 313, 300),     // 16
            (10_000, 79, 20_000),   // 4
            (10_000, 20, 75_000),   // 1
            (10_000, 0, 100_000),   // none to speak of
            (0, u64::MAX, 0),
        ] {
            let filter = Filter::with_room(keys, blocks_max);
            (0..keys).for_each(|key| filter.add(hash_of(key)));
            assert!(filter.bytes() <= blocks_max.max(1).saturating_mul(64));
            assert!((0..keys).all(|key| filter.may_hold(hash_of(key))));
            let others = (keys..keys + 100_000).filter(|key| filter.may_hold(hash_of(*key)));
            let wrong = others.count();
            assert!(wrong <= wrong_max, "{keys} {blocks_max}: {wrong}");
        }
    }

    #[test]
    fn is_outgrown_when_full_and_a_new_one_does_better() {
        let filter = Filter::with_room(3_200, 400);
        (0..6_400).for_each(|key| filter.add(hash_of(key)));
        for (live, coming, blocks_max, outgrown) in [
            (6_400, 0, 400, false),
            (6_400, 1, 400, true),
            (6_400, 1, 200, false),
            (4_266, 1, 200, true),
            (4_267, 1, 200, false),
        ] {
            let is = filter.is_outgrown(live, coming, blocks_max);
            assert_eq!(is, outgrown, "{live} {coming} {blocks_max}");
        }
    }
}
