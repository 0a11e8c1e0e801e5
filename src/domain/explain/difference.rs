//! Where the rows of a charge differ from what the price table makes of the event.
//!
//! Owns the comparison, column by column. Leaves the charge to `arithmetic` and who should have
//! paid, which needs the wallet as it was, to `audit`.

use std::fmt;

use super::Pricing;
use crate::domain::decimal::divide_half_even;
use crate::domain::price::Overage;
use crate::domain::units::{Credits, MICROS, Money, Quantity};

/// The rows of a charge, as a ledger has them.
#[derive(Clone, Debug)]
pub struct Charged<'a> {
    pub price_version: Option<&'a str>,
    pub price_id: Option<&'a str>,
    pub task: Option<&'a str>,
    pub unit: Option<&'a str>,
    /// Of the first row.
    pub quantity: Option<Quantity>,
    /// Of the first row.
    pub cost_usd: Option<Money>,
    pub legs: Vec<PaidLeg<'a>>,
}

/// One row of a charge.
#[derive(Clone, Copy, Debug)]
pub struct PaidLeg<'a> {
    pub grant_id: Option<&'a str>,
    pub credits: Option<Credits>,
    pub delta: Option<Credits>,
    pub amount: Option<Money>,
    /// What the plan says of overage; `None` when the plan is not known.
    pub overage: Option<Overage>,
}

/// A column in which the ledger has something else than it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub column: &'static str,
    pub ledger: String,
    pub expected: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            column,
            ledger,
            expected,
        } = self;
        write!(
            out,
            "{column}: the ledger has {ledger}, expected {expected}"
        )
    }
}

/// Every difference between the rows of a charge and `pricing`; `None` stands for no version in
/// force at the time of use.
pub fn differences(charged: &Charged<'_>, pricing: Option<&Pricing>) -> Vec<Difference> {
    let mut found = Found(Vec::new());
    let version = pricing.map(|pricing| pricing.version.as_str());
    found.compare("price_version", charged.price_version, version);
    let matched = pricing.and_then(|pricing| pricing.matched.as_ref());
    if let Some(matched) = matched {
        found.compare(
            "price_id",
            charged.price_id,
            Some(matched.price_id.as_str()),
        );
        found.compare("task", charged.task, Some(matched.task.as_str()));
        found.compare("unit", charged.unit, Some(matched.unit.as_str()));
    }
    let credits = charged
        .legs
        .iter()
        .map(|leg| i128::from(leg.credits.unwrap_or_default().get()))
        .sum::<i128>();
    let charge = matched.and_then(|matched| matched.charge.result);
    let charge = charge.and_then(Credits::from_i128);
    found.compare("credits", Credits::from_i128(credits), charge);
    if let Some(pricing) = pricing {
        let rated = pricing.rated.as_ref();
        match rated {
            Ok(rated) => found.compare("quantity", charged.quantity, Some(rated.quantity)),
            Err(refusal) => found.0.push(Difference {
                column: "kind",
                ledger: "usage".to_owned(),
                expected: format!("a rejection: {refusal}"),
            }),
        }
        let cost = match &pricing.cost {
            None => Some(Money::ZERO),
            Some(cost) => cost.result.and_then(Money::from_i128),
        };
        found.compare("cost_usd", charged.cost_usd, cost);
    }
    charged.legs.iter().for_each(|leg| found.leg(leg));
    found.0
}

/// The differences so far.
struct Found(Vec<Difference>);

impl Found {
    fn compare<T: PartialEq + fmt::Display>(
        &mut self,
        column: &'static str,
        ledger: Option<T>,
        expected: Option<T>,
    ) {
        if ledger != expected {
            let text = |value: Option<T>| value.map_or("nothing".to_owned(), |one| one.to_string());
            self.0.push(Difference {
                column,
                ledger: text(ledger),
                expected: text(expected),
            });
        }
    }

    fn leg(&mut self, leg: &PaidLeg<'_>) {
        let credits = leg.credits.unwrap_or_default();
        let paid = leg.grant_id.map(|_| Credits::new(-credits.get()));
        self.compare("delta", leg.delta, paid);
        match (leg.grant_id, leg.overage) {
            (Some(_), _) => self.compare("amount", leg.amount, None),
            (None, Some(terms)) => self.compare("amount", leg.amount, billed(credits, terms)),
            (None, None) => {}
        }
    }
}

/// What overage comes to: its price for each credit, half even to the nano-unit.
fn billed(credits: Credits, terms: Overage) -> Option<Money> {
    let price = terms.price().filter(|_| credits > Credits::ZERO)?;
    let exact = i128::from(credits.get()) * i128::from(price.get());
    Money::from_i128(divide_half_even(exact, i128::from(MICROS)))
}
