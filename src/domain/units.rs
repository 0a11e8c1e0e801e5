//! The amounts and instants that everything else is counted in.
//!
//! Owns the fixed-point newtypes: credits, money, quantities, instants and days. Leaves reading
//! them from text to `decimal` and calendar rules to `calendar`.
//!
//! Invariant: integers only, so that sums are exact in any order.

use std::fmt;

/// One credit, quantity or measure is this many of its millionths.
pub const MICROS: i64 = 1_000_000;

/// One unit of a currency is this many nano-units.
pub const NANOS: i64 = 1_000_000_000;

/// A column of `decimal(18, …)` holds magnitudes below this.
const DECIMAL_18_BOUND: i64 = 1_000_000_000_000_000_000;

macro_rules! amount {
    ($(#[$doc:meta])* $name:ident, $places:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(i64);

        impl $name {
            pub const ZERO: Self = Self(0);

            /// Wraps a count of the smallest unit.
            pub const fn new(smallest: i64) -> Self {
                Self(smallest)
            }

            /// The count of the smallest unit.
            pub const fn get(self) -> i64 {
                self.0
            }

            /// The sum, or `None` when it does not fit the ledger's `decimal(18, …)`.
            pub fn checked_add(self, other: Self) -> Option<Self> {
                self.0.checked_add(other.0).and_then(|sum| Self::from_i128(i128::from(sum)))
            }

            /// The amount, or `None` when it does not fit the ledger's `decimal(18, …)`.
            pub fn from_i128(smallest: i128) -> Option<Self> {
                let fits = smallest.unsigned_abs() < DECIMAL_18_BOUND.unsigned_abs() as u128;
                fits.then(|| Self(smallest as i64))
            }
        }

        /// The plain decimal with all its places, as in the ledger: `-1.500000`.
        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                let one = 10_u64.pow($places);
                let sign = if self.0 < 0 { "-" } else { "" };
                let magnitude = self.0.unsigned_abs();
                let (whole, part) = (magnitude / one, magnitude % one);
                write!(out, "{sign}{whole}.{part:0width$}", width = $places)
            }
        }
    };
}

amount!(
    /// Credits, counted in microcredits.
    Credits, 6
);
amount!(
    /// How many of a unit, or the value of a measure, counted in millionths.
    Quantity, 6
);
amount!(
    /// Money of one currency, counted in nano-units.
    Money, 9
);

/// An instant: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z: "now" of a shard that has not seen an event.
    pub const EPOCH: Self = Self(0);

    /// Wraps microseconds since the epoch.
    pub const fn new(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The UTC day that holds this instant.
    pub const fn day(self) -> Day {
        Day(self.0.div_euclid(MICROS_PER_DAY) as i32)
    }

    /// The instant `micros` later (earlier when negative), stopping at the ends of `i64`.
    pub const fn plus(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }
}

pub const MICROS_PER_SECOND: i64 = 1_000_000;
pub const MICROS_PER_MINUTE: i64 = 60 * MICROS_PER_SECOND;
pub const MICROS_PER_HOUR: i64 = 60 * MICROS_PER_MINUTE;
pub const MICROS_PER_DAY: i64 = 24 * MICROS_PER_HOUR;

/// A UTC calendar day, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

impl Day {
    /// Wraps days since the epoch.
    pub const fn new(days: i32) -> Self {
        Self(days)
    }

    /// Days since the epoch.
    pub const fn get(self) -> i32 {
        self.0
    }

    /// Midnight UTC at the start of the day, stopping at the ends of `i64`.
    pub const fn start(self) -> Timestamp {
        Timestamp((self.0 as i64).saturating_mul(MICROS_PER_DAY))
    }
}
