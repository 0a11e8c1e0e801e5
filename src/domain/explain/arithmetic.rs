//! A charge or cost, step by step.
//!
//! Owns what each measure comes to, their exact sum, its rounding and the minimum. Leaves which
//! price or cost it is to `candidates`, and the bounds and the order of refusals to `rating`.
//!
//! Invariant: reckoned from the price as written and not from the engine's formula, so that the
//! two can be held against each other.

use std::fmt;

use super::candidates::{Facts, Found};
use super::fraction::Fraction;
use crate::domain::decimal::{QuantityError, Rounding, plain_from_scaled, quantity_from_json};
use crate::domain::event::Value;
use crate::domain::price::{CREDITS_PLACES, Cost, Price, Shape, USD_PLACES};
use crate::domain::units::{MICROS, Quantity};

/// Decimal places of a measure and of a charge.
const MICRO_PLACES: u32 = 6;
/// Decimal places of a cost.
const NANO_PLACES: u32 = 9;

/// How an event comes to its charge (in microcredits) or its cost (in nano-dollars).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reckoning {
    pub steps: Vec<Step>,
    /// The sum; `None` when a count is bad, or it is far too large.
    pub exact: Option<Fraction>,
    /// The places that it is rounded to.
    pub places: u32,
    pub rounding: Rounding,
    /// In the smallest unit.
    pub rounded: Option<i128>,
    /// In the smallest unit; 0 for none.
    pub minimum: i128,
    /// After the minimum, in the smallest unit.
    pub result: Option<i128>,
}

/// One share of a sum: `count` × `amount` ÷ `per`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// `None`: so much for each event.
    pub measure: Option<String>,
    /// What the event has under that name.
    pub found: Found,
    pub count: Result<Quantity, CountFault>,
    /// Credits or dollars.
    pub amount: Fraction,
    pub per: u64,
    /// `None` when the count is bad, or it is far too large.
    pub share: Option<Fraction>,
}

/// Why a measure does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CountFault {
    #[error("this price counts it, so it must be a number")]
    NoNumber,
    #[error(transparent)]
    Quantity(#[from] QuantityError),
}

/// What an absent measure is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Absent {
    Zero,
    Fault,
}

pub(super) fn of_price(price: &Price, facts: Facts<'_>) -> Reckoning {
    let credits = |pico| Fraction::scaled(pico, CREDITS_PLACES);
    let steps = match &price.shape {
        Shape::Flat { credits_pico } => vec![each_event(credits(*credits_pico))],
        Shape::PerUnit {
            measure,
            credits_pico,
        } => {
            let amount = (credits(*credits_pico), 1);
            vec![step(facts, (measure.as_str(), Absent::Fault), amount)]
        }
        Shape::Components(components) => components
            .iter()
            .map(|one| {
                let amount = (credits(one.credits_pico), one.per);
                step(facts, (one.measure.as_str(), Absent::Zero), amount)
            })
            .collect(),
    };
    let minimum = i128::from(price.minimum.get());
    reckon(steps, (MICRO_PLACES, price.rounding), minimum)
}

pub(super) fn of_cost(cost: &Cost, facts: Facts<'_>) -> Reckoning {
    let steps = cost.components.iter().map(|one| {
        let amount = (Fraction::scaled(one.usd_nano, USD_PLACES), one.per);
        step(facts, (one.measure.as_str(), Absent::Zero), amount)
    });
    reckon(steps.collect(), (NANO_PLACES, Rounding::HalfEven), 0)
}

fn each_event(amount: Fraction) -> Step {
    Step {
        measure: None,
        found: Found::Absent,
        count: Ok(Quantity::new(MICROS)),
        amount,
        per: 1,
        share: Some(amount),
    }
}

fn step(
    facts: Facts<'_>,
    (measure, absent): (&str, Absent),
    (amount, per): (Fraction, u64),
) -> Step {
    let value = facts.members.get(measure);
    let count = match value {
        Some(Value::Number(text)) => quantity_from_json(text).map_err(CountFault::Quantity),
        _ if absent == Absent::Fault => Err(CountFault::NoNumber),
        _ => Ok(Quantity::ZERO),
    };
    let share = count.ok().and_then(|count| {
        let count = Fraction::scaled(i128::from(count.get()), MICRO_PLACES);
        amount.over(per)?.times(count)
    });
    Step {
        measure: Some(measure.to_owned()),
        found: Found::of(value),
        count,
        amount,
        per,
        share,
    }
}

fn reckon(steps: Vec<Step>, (places, rounding): (u32, Rounding), minimum: i128) -> Reckoning {
    let exact = steps.iter().try_fold(Fraction::ZERO, |sum, step| {
        step.share.and_then(|share| sum.plus(share))
    });
    let rounded = exact.and_then(|exact| exact.rounded(places, rounding));
    Reckoning {
        steps,
        exact,
        places,
        rounding,
        rounded,
        minimum,
        result: rounded.map(|rounded| rounded.max(minimum)),
    }
}

impl Reckoning {
    /// An amount of its smallest unit as the shortest plain decimal.
    pub fn plain(&self, smallest: i128) -> String {
        plain_from_scaled(smallest, self.places)
    }
}

impl Step {
    /// The count as the shortest plain decimal.
    pub fn plain_count(&self) -> Option<String> {
        let count = self.count.ok()?;
        Some(plain_from_scaled(i128::from(count.get()), MICRO_PLACES))
    }

    /// What the event has, where it is not what is counted.
    fn differs(&self) -> Option<&Found> {
        let is_same = match (&self.found, self.plain_count()) {
            (Found::Number(text), Some(count)) => *text == count,
            _ => self.measure.is_none(),
        };
        (!is_same).then_some(&self.found)
    }
}

/// `12800 input_tokens × 0.25 ÷ 1000 = 3.2`, `1 event × 50 = 50`.
impl fmt::Display for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let measure = self.measure.as_deref().unwrap_or("event");
        let count = match (self.count, self.plain_count()) {
            (Err(fault), _) => return write!(out, "{measure} is {}: {fault}", self.found),
            (Ok(_), count) => count.unwrap_or_default(),
        };
        write!(out, "{count} {measure}")?;
        if let Some(found) = self.differs() {
            write!(out, " (it is {found})")?;
        }
        write!(out, " × {}", self.amount)?;
        if self.per != 1 {
            write!(out, " ÷ {}", self.per)?;
        }
        match self.share {
            Some(share) => write!(out, " = {share}"),
            None => out.write_str(", which is far too large"),
        }
    }
}
