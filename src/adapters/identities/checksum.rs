//! The checksum of the cache's files.
//!
//! Owns noticing a torn or changed file. Does not guard against anyone who means to deceive.
//!
//! Invariant: every step is a bijection of what came before and of the word that comes, so a
//! change in a single word is always noticed, and any other but once in 2⁶⁴.

use crate::domain::text::GOLDEN;

#[derive(Clone, Copy, Default)]
pub(super) struct Checksum(u64);

impl Checksum {
    pub(super) fn add(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(GOLDEN);
        self.0 = mixed ^ (mixed >> 32);
    }

    pub(super) fn get(self) -> u64 {
        self.0
    }

    /// The checksum of words.
    pub(super) fn of(words: &[u64]) -> u64 {
        let mut checksum = Self::default();
        words.iter().for_each(|word| checksum.add(*word));
        checksum.get()
    }

    /// The checksum of a text.
    pub(super) fn of_text(text: &str) -> u64 {
        let words: Vec<u64> = text.bytes().map(u64::from).collect();
        Self::of(&words)
    }
}
