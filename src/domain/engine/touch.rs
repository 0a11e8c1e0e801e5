//! A look at what the next events will need.
//!
//! Owns which memory that is. Leaves using it to the engine.
//!
//! Invariant: changes nothing.

use std::hint::black_box;

use super::Engine;
use crate::domain::identity::Identity;
use crate::domain::wallet::Wallet;
use crate::domain::wallet::pace::KEPT_DAYS;

/// Events that [`Engine::touch`] looks at together.
pub const TOUCHED: usize = 16;

impl Engine {
    /// Looks at what the next events will need, and changes nothing. Memory is slow: waiting for
    /// it in turn, one event after the other, takes longer than deciding them. Events beyond
    /// [`TOUCHED`] are passed over.
    pub fn touch<'a>(&self, events: impl Iterator<Item = (&'a str, Identity)>) {
        let (mut customers, mut hashes) = ([""; TOUCHED], [[0; 2]; TOUCHED]);
        let mut count = 0;
        for (customer, identity) in events.take(TOUCHED) {
            (customers[count], hashes[count]) = (customer, identity.hash);
            count += 1;
        }
        black_box(self.filter.touch(&hashes[..count]));
        self.touch_wallets(customers[..count].iter().copied());
    }

    /// The same, only of wallets.
    pub fn touch_wallets<'a>(&self, customers: impl Iterator<Item = &'a str>) {
        let mut places = [None; TOUCHED];
        for (place, customer) in places.iter_mut().zip(customers) {
            *place = self.wallets.place(customer);
        }
        let places = places.into_iter().flatten();
        let wallets = &self.wallets;
        let numbers = places.map(|place| {
            let listed = i64::from(self.timers.touch(place));
            wallets.as_of_entry(place) ^ touch(wallets.at(place)) ^ listed
        });
        black_box(numbers.fold(0, |all, number| all ^ number));
    }
}

/// A number that means nothing, made of what a charge needs.
fn touch(wallet: &Wallet) -> i64 {
    let numbers = [
        wallet.touched.get(),
        wallet.current.terms.plan.pool.get(),
        wallet.current.remaining.get(),
        wallet.daily_use.charged[0],
        wallet.daily_use.charged[KEPT_DAYS - 1],
        wallet.grants.len() as i64,
    ];
    numbers.into_iter().fold(0, |all, number| all ^ number)
}
