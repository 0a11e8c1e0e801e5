//! How an event became its charge, for people.
//!
//! Owns why each price applies or not (`candidates`), the sums step by step (`arithmetic`), the
//! words for a booking (`booking`), and where a ledger's rows differ from all that (`difference`).
//! Leaves reading the rows to `jobs::explain` and printing to the command line.
//!
//! Invariant: says what the engine did and never decides: charges come from `rating` alone.

mod arithmetic;
mod booking;
mod candidates;
mod difference;
mod fraction;
#[cfg(test)]
mod tests;

pub use arithmetic::{CountFault, Reckoning, Step};
pub use booking::{Booked, BookedRow, KnownPeriod, booked};
pub use candidates::{Candidate, Found, Verdict};
pub use difference::{Charged, Difference, PaidLeg, differences};
pub use fraction::Fraction;

use super::event::Members;
use super::price::PriceTable;
use super::rating::{RateError, Rated, Scratch, rate};
use super::units::Timestamp;
use arithmetic::{of_cost, of_price};
use candidates::{Facts, candidates};

/// One version of the price table, applied to one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pricing {
    pub version: String,
    pub effective_from: Timestamp,
    /// Every price of the version, in the file's order.
    pub prices: Vec<Candidate>,
    /// Every cost of the version, in the file's order.
    pub costs: Vec<Candidate>,
    /// Of the price that matches, if one does.
    pub matched: Option<Matched>,
    /// Of the cost that matches; without one the event costs us nothing.
    pub cost: Option<Reckoning>,
    /// What the engine makes of it.
    pub rated: Result<Rated, RateError>,
}

/// The price that matches, and what it comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    pub price_id: String,
    pub task: String,
    pub unit: String,
    /// As in `prices`: `3 per documents`.
    pub shape: String,
    pub charge: Reckoning,
}

/// Applies `table`, which comes out of a price book, to an event.
pub fn pricing(table: &PriceTable, event_type: &str, members: &Members<'_>) -> Pricing {
    let facts = Facts {
        event_type,
        members: *members,
    };
    let prices = table.prices.iter();
    let prices: Vec<_> = prices
        .map(|price| (price.id.clone(), &price.when))
        .collect();
    let (prices, winner) = candidates(&prices, facts);
    let costs = table.costs.iter().zip(1..);
    let costs: Vec<_> = costs
        .map(|(cost, number)| (format!("cost {number}"), &cost.when))
        .collect();
    let (costs, costing) = candidates(&costs, facts);
    let matched = winner.map(|place| {
        let price = &table.prices[place];
        Matched {
            price_id: price.id.clone(),
            task: price.task.clone(),
            unit: price.unit.clone(),
            shape: price.shape.to_string(),
            charge: of_price(price, facts),
        }
    });
    Pricing {
        version: table.version.clone(),
        effective_from: table.effective_from,
        prices,
        costs,
        matched,
        cost: costing.map(|place| of_cost(&table.costs[place], facts)),
        rated: rate(table, event_type, members, &mut Scratch::default()),
    }
}
