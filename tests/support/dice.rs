//! All chance of the tests.
//!
//! Invariant: one seed gives the same throws for ever, whatever the machine.
#![allow(dead_code, reason = "each test program uses another part of this")]
#![allow(clippy::print_stderr, reason = "a failing test must tell its seed")]

use std::time::{Duration, UNIX_EPOCH};

/// The seed of a run: what the environment's `variable` says, else the clock; printed.
pub(crate) fn seed(variable: &str) -> u64 {
    let clock = || {
        let since = UNIX_EPOCH.elapsed().expect("a clock after 1970");
        u64::try_from(since.as_nanos()).expect("a clock before the year 2500")
    };
    let given = std::env::var(variable).ok();
    let seed = given.map_or_else(clock, |seed| seed.parse().expect("a number"));
    eprintln!("{variable}={seed}");
    seed
}

/// SplitMix64.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// A number from `from` up to below `to`.
    pub(crate) fn within(&mut self, from: i64, to: i64) -> i64 {
        from + self.below((to - from).unsigned_abs()).cast_signed()
    }

    /// Whether what happens `permille` times in a thousand happens.
    pub(crate) fn hits(&mut self, permille: u64) -> bool {
        self.below(1_000) < permille
    }

    /// A place in what has `length` places.
    pub(crate) fn place(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.place(from.len())]
    }

    /// A time shorter than so many milliseconds.
    pub(crate) fn millis(&mut self, below: u64) -> Duration {
        Duration::from_millis(self.below(below))
    }
}
