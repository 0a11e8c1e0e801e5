//! What an audit has looked at.
//!
//! Owns the counts and the sums. Leaves what is wrong to `finding`.

use std::collections::BTreeMap;

use super::books::{decimal, micros};
use super::finding::Findings;
use crate::domain::entry::{Entry, Kind};

/// A shard's rows, counted and summed, and what is wrong with them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub rows: u64,
    pub sources: u64,
    pub wallets: u64,
    /// Wallets that could not be followed to the end, because a row of theirs can't be right.
    pub unfollowed: u64,
    /// Usage events whose charge was computed again.
    pub charges: u64,
    /// Rows that gave something back.
    pub reversals: u64,
    pub grants: u64,
    pub alerts: u64,
    /// Duplicates and conflicts.
    pub copies: u64,
    pub rejected: u64,
    pub sums: Sums,
    pub findings: Findings,
}

/// Plain sums over all rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    credits: i128,
    overage: i128,
    pub(super) delta: i128,
    amounts: BTreeMap<String, i128>,
}

impl Report {
    pub(super) fn count(&mut self, row: &Entry<'_>) {
        self.rows += 1;
        match row.kind {
            Kind::Usage | Kind::Expire | Kind::Wallet | Kind::Prices | Kind::Tick => {}
            Kind::Void | Kind::Rollover => {}
            Kind::Reversal => self.reversals += 1,
            Kind::Grant => self.grants += 1,
            Kind::Alert => self.alerts += 1,
            Kind::Duplicate | Kind::Conflict => self.copies += 1,
            Kind::Rejected => self.rejected += 1,
        }
        let credits = i128::from(row.credits.unwrap_or_default().get());
        self.sums.credits += credits;
        if row.grant_id.is_none() {
            self.sums.overage += credits;
        }
        self.sums.delta += i128::from(row.delta.unwrap_or_default().get());
        if let Some(amount) = row.amount {
            let currency = row.currency.unwrap_or_default();
            let amount = i128::from(amount.get());
            match self.sums.amounts.get_mut(currency) {
                Some(sum) => *sum += amount,
                None => drop(self.sums.amounts.insert(currency.to_owned(), amount)),
            }
        }
    }
}

impl Sums {
    /// Credits charged.
    pub fn credits(&self) -> String {
        micros(self.credits)
    }

    /// Credits charged that no grant covered.
    pub fn overage(&self) -> String {
        micros(self.overage)
    }

    /// Credits that remain in all grants.
    pub fn remaining(&self) -> String {
        micros(self.delta)
    }

    /// Money billed, by currency.
    pub fn amounts(&self) -> impl Iterator<Item = (&str, String)> {
        let amounts = self.amounts.iter();
        amounts.map(|(currency, sum)| (currency.as_str(), decimal(*sum, 9)))
    }
}
