//! Wallets as the rows of a ledger make them, without an engine around them.
//!
//! Owns nothing of its own: the audit reaches the one function that changes a wallet through
//! this. Leaves the clock, timers and identities to whoever folds.
//!
//! Invariant: a row changes a wallet here exactly as it does in the live engine.

use super::apply::is_opening;
use super::wallets::{ApplyError, Wallets};
use crate::domain::entry::{Entry, GrantId};
use crate::domain::event::Members;
use crate::domain::price::PriceBook;
use crate::domain::timers::Timers;
use crate::domain::units::Credits;
use crate::domain::wallet::Wallet;
use crate::domain::wallet::watch::Crossed;

/// Wallets, and nothing that makes them change by themselves.
#[derive(Default)]
pub struct Fold {
    wallets: Wallets,
    /// What falls due is in the rows already.
    unused: Timers,
}

/// What a row left behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    /// Σ remaining of the wallet's effective grants.
    pub balance: Credits,
    /// What it brought about.
    pub crossed: Option<Crossed>,
}

impl Fold {
    /// The wallet of `customer`, if a row has opened it.
    pub fn wallet(&self, customer: &str) -> Option<&Wallet> {
        self.wallets.place(customer).map(|at| self.wallets.at(at))
    }

    /// Applies a row that opens a wallet or changes one; `data` are the members of its `data`.
    ///
    /// # Errors
    ///
    /// The row does not say what its effect needs, or its wallet was never opened.
    pub fn apply(
        &mut self,
        row: &Entry<'_>,
        data: &Members<'_>,
        book: &PriceBook,
    ) -> Result<Folded, ApplyError> {
        let timers = &mut self.unused;
        timers.forget();
        if is_opening(row) {
            self.wallets.apply_opening(row, data, (book, timers))?;
            return Ok(Folded::default());
        }
        let customer = row.customer.ok_or(ApplyError::Missing("customer"))?;
        let no_wallet = || ApplyError::NoWallet(customer.to_owned());
        let place = self.wallets.place(customer).ok_or_else(no_wallet)?;
        let effect = self.wallets.apply(place, row, data, (book, timers))?;
        Ok(Folded {
            balance: effect.balance,
            crossed: effect.crossed,
        })
    }

    /// Forgets what ended with nothing left in it, which no row tells of.
    pub fn drop_spent(&mut self, customer: &str, grant: GrantId<'_>) {
        if let Some(place) = self.wallets.place(customer) {
            self.wallets.drop_spent(place, grant);
        }
    }
}
