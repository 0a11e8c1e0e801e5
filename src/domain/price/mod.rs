//! Price tables: what each version of the prices, costs and plans says.
//!
//! Owns the plain facts and, in the files beside this one, which of them an event meets, the
//! integers they are reckoned with and the faults of a whole set. Leaves reading files to
//! `adapters::price_files`, charging an event to `rating` and what plans do to `wallet`.
//!
//! Invariant: a table that comes out of a [`PriceBook`] has no fault and never changes.

mod book;
mod fault;
mod formula;
mod index;
mod when;

use std::fmt;

use super::decimal::{Rounding, plain_from_scaled};
use super::units::{Credits, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, Money, Timestamp};
pub use book::PriceBook;
pub use fault::{Fault, FaultKind, Item, Place, check_table, check_versions};
pub(super) use formula::BadMeasure;
pub(super) use index::{Cell, Index};
pub use when::{Condition, EVENT_TYPE, Match, When};

/// Prices of units and components have this many places.
pub const CREDITS_PLACES: u32 = 12;
/// Costs of components have this many places.
pub const USD_PLACES: u32 = 9;
/// A plan has at most this many alert thresholds, so that one row cannot bring more alerts.
pub const THRESHOLDS_MAX: usize = 32;

/// One version of all prices, costs, plans and rules.
///
/// In force from `effective_from` on, that instant included, until the next version's.
#[derive(Clone, Debug)]
pub struct PriceTable {
    pub version: String,
    pub effective_from: Timestamp,
    /// For customers never opened; `None` rejects their events.
    pub default_plan: Option<String>,
    pub rules: Rules,
    pub prices: Vec<Price>,
    pub costs: Vec<Cost>,
    pub plans: Vec<Plan>,
    /// Made by [`PriceBook::new`]; empty before, so that an unchecked table prices nothing.
    pub(super) index: Index,
}

impl PriceTable {
    /// A version that has nothing in it yet and the default rules.
    pub fn new(version: String, effective_from: Timestamp) -> Self {
        Self {
            version,
            effective_from,
            default_plan: None,
            rules: Rules::default(),
            prices: Vec::new(),
            costs: Vec::new(),
            plans: Vec::new(),
            index: Index::default(),
        }
    }

    /// The plan called `id`.
    pub fn plan(&self, id: &str) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.id == id)
    }
}

/// How far an event's time may lie from now, and how long an ended period stays open; in
/// microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    pub window: i64,
    pub future: i64,
    pub grace: i64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            window: 35 * MICROS_PER_DAY,
            future: 5 * MICROS_PER_MINUTE,
            grace: 24 * MICROS_PER_HOUR,
        }
    }
}

/// One rule: which events, how counted, how many credits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    pub id: String,
    /// The words on the invoice.
    pub task: String,
    pub unit: String,
    pub when: When,
    pub shape: Shape,
    /// Lifts every smaller charge, a zero too.
    pub minimum: Credits,
    /// To the microcredit.
    pub rounding: Rounding,
}

/// How a price counts. Credits are in units of 10^-12.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// So much for each unit of a measure.
    PerUnit { measure: String, credits_pico: i128 },
    /// So much for each event.
    Flat { credits_pico: i128 },
    /// The sum of several measures' shares, for each event.
    Components(Vec<Component>),
}

/// `credits_pico` 10^-12 credits for `per` of a measure; `per` is positive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    pub measure: String,
    pub per: u64,
    pub credits_pico: i128,
}

/// `1 per documents`, `3 per event`, `0.25 per 1000 input_tokens + 1 per 1000 output_tokens`.
impl fmt::Display for Shape {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |pico: &i128| plain_from_scaled(*pico, CREDITS_PLACES);
        match self {
            Self::PerUnit {
                measure,
                credits_pico,
            } => {
                write!(out, "{} per {measure}", plain(credits_pico))
            }
            Self::Flat { credits_pico } => write!(out, "{} per event", plain(credits_pico)),
            Self::Components(components) => {
                for (index, component) in components.iter().enumerate() {
                    let plus = if index == 0 { "" } else { " + " };
                    let Component {
                        measure,
                        per,
                        credits_pico,
                    } = component;
                    write!(out, "{plus}{} per {per} {measure}", plain(credits_pico))?;
                }
                Ok(())
            }
        }
    }
}

/// What an event costs us: the sum of its components, in dollars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    pub when: When,
    pub components: Vec<CostComponent>,
}

/// `usd_nano` nano-dollars for `per` of a measure; `per` is positive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CostComponent {
    pub measure: String,
    pub per: u64,
    pub usd_nano: i128,
}

/// A pool of credits for each period at a flat fee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub id: String,
    pub name: String,
    pub fee: Money,
    pub currency: String,
    pub pool: Credits,
    pub alerts: Alerts,
    pub overage: Overage,
    /// `None`: what a period leaves unused expires.
    pub rollover: Option<Rollover>,
}

/// Which alerts a plan has besides those of `status`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alerts {
    /// Thresholds in percent, ascending, each once; see [`thresholds`].
    pub used: Vec<u8>,
    /// Whether a period's first overage is told.
    pub overage: bool,
    /// Days, 1 to 365: told when the wallet is empty within them at its pace.
    pub run_out_within: Option<u16>,
    /// Days, 1 to 365: told when a grant with something left ends within them.
    pub expiring_within: Option<u16>,
}

/// What a period leaves unused goes on, up to `max`, for the next `periods` (1 to 120).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rollover {
    pub max: Credits,
    pub periods: u16,
}

/// What becomes of a charge that no grant covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overage {
    /// Billed at so much for each credit.
    Bill { price: Money },
    /// Has no price, and blocks the wallet.
    Block,
}

impl Overage {
    /// The word of the price files.
    pub fn mode(self) -> &'static str {
        match self {
            Self::Bill { .. } => "bill",
            Self::Block => "block",
        }
    }

    /// Money for each credit, in mode `bill`.
    pub fn price(self) -> Option<Money> {
        match self {
            Self::Bill { price } => Some(price),
            Self::Block => None,
        }
    }
}

/// Why a list of percentages is no list of alert thresholds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThresholdFault {
    #[error("{percent} is not a percentage from 1 to 100")]
    OutOfRange { percent: i64 },
    #[error("{percent} is there twice")]
    Repeated { percent: i64 },
    #[error("{count} thresholds are more than {THRESHOLDS_MAX}")]
    TooMany { count: usize },
}

/// Alert thresholds in ascending order.
///
/// # Errors
///
/// Every fault, each with the index of the percentage that has it.
pub fn thresholds(percents: &[i64]) -> Result<Vec<u8>, Vec<(usize, ThresholdFault)>> {
    let mut faults = Vec::new();
    let mut ascending = Vec::new();
    for (index, &percent) in percents.iter().enumerate() {
        match u8::try_from(percent) {
            Ok(small @ 1..=100) if !ascending.contains(&small) => ascending.push(small),
            Ok(1..=100) => faults.push((index, ThresholdFault::Repeated { percent })),
            _ => faults.push((index, ThresholdFault::OutOfRange { percent })),
        }
    }
    if percents.len() > THRESHOLDS_MAX {
        let count = percents.len();
        faults.push((THRESHOLDS_MAX, ThresholdFault::TooMany { count }));
    }
    ascending.sort_unstable();
    if faults.is_empty() {
        Ok(ascending)
    } else {
        Err(faults)
    }
}
