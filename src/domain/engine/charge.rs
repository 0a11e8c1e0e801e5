//! Charging usage.
//!
//! Owns the checks of usage alone and its rows: who pays, in which period, and what overage is
//! billed. Leaves the charge to `rating` and the burn-down order to `wallet::spend`.
//!
//! Invariant: every check comes before the first row, so that a refused event changes nothing.

use std::sync::Arc;

use super::rows::Origin;
use super::wallets::FirstPeriod;
use super::{Admitted, Engine};
use crate::domain::decimal::divide_half_even;
use crate::domain::entry::{Kind, Payload, Reason, Sink};
use crate::domain::event::Members;
use crate::domain::price::Overage;
use crate::domain::rating::{RateError, Rated, rate};
use crate::domain::units::{Credits, MICROS, Money, Timestamp};
use crate::domain::wallet::spend::{Booking, Leg, Payer, Spend};
use crate::domain::wallet::watch::Crossed;
use crate::domain::wallet::{Terms, Wallet};

/// How usage is rated and booked, once nothing can refuse it any more.
struct Decision<'a> {
    table: usize,
    rated: &'a Rated,
    booking: Booking,
    terms: &'a Terms,
}

impl Engine {
    /// Charges usage, opening a wallet on the default plan for a customer who has none.
    pub(super) fn charge(
        &mut self,
        admitted: &Admitted<'_>,
        origin: &mut Origin<'_>,
        sink: &mut impl Sink,
    ) -> Result<(), Reason> {
        let Admitted {
            event,
            customer,
            used_at,
            now,
            ..
        } = *admitted;
        // Its wallet, or the terms that one is opened on.
        let known = match self.wallets.place(customer) {
            Some(place) if self.wallets.at(place).takes(used_at, now) => Ok(place),
            Some(_) => return Err(Reason::UnknownWallet),
            None => Err(self.default_terms(now).ok_or(Reason::UnknownWallet)?),
        };
        let table = self.book.in_force(used_at).ok_or(Reason::NoPriceVersion)?;
        let prices = &self.book.tables()[table];
        let rated = rate(prices, event.event_type, &event.members, &mut self.rating);
        let rated = rated.map_err(reason)?;
        let fresh;
        let wallet = match &known {
            Ok(place) => self.wallets.at(*place),
            Err(terms) => {
                let first = self.wallets.first_period(now.day(), None);
                fresh = opened(customer, terms, first);
                &fresh
            }
        };
        let booking = wallet.book(used_at);
        let terms = wallet.terms_of(booking.period);
        let spend = Spend {
            used_at,
            now,
            period: booking.period,
            charge: rated.charge,
        };
        wallet.plan_spend(spend, &mut self.legs);
        for leg in &self.legs {
            amount(leg, terms)?;
        }
        let terms = match self.terms.take() {
            Some(known) if Arc::ptr_eq(&known, terms) => known,
            _ => Arc::clone(terms),
        };
        // Past this line nothing can fail.
        let place = known.unwrap_or_else(|terms| {
            let plan = (terms.plan.id.as_str(), &*terms.version);
            self.open(plan, (&Members::NONE, None), origin, sink)
        });
        let decision = Decision {
            table,
            rated: &rated,
            booking,
            terms: &terms,
        };
        self.append_legs(place, admitted, &decision, origin, sink);
        self.terms = Some(terms);
        Ok(())
    }

    /// The terms that a customer who was never opened gets at `now`.
    fn default_terms(&mut self, now: Timestamp) -> Option<Arc<Terms>> {
        let table = &self.book.tables()[self.book.in_force_or_first(now)];
        let plan = table.default_plan.as_deref()?;
        let version = &self.book.terms_table(now.day().start(), plan).version;
        self.wallets.terms.get(&self.book, version, plan).ok()
    }

    /// Appends the legs that were planned, and the alerts that follow.
    fn append_legs(
        &mut self,
        place: u32,
        admitted: &Admitted<'_>,
        decision: &Decision<'_>,
        origin: &mut Origin<'_>,
        sink: &mut impl Sink,
    ) {
        let Decision {
            table,
            rated,
            booking,
            terms,
        } = decision;
        let legs = std::mem::take(&mut self.legs);
        let mut posting = self.posting();
        let table = &posting.book.tables()[*table];
        let price = &table.prices[rated.price];
        let mut crossed = None;
        for (index, leg) in legs.iter().enumerate() {
            let usage = (Kind::Usage, &Members::NONE);
            let by_leg = posting.apply_and_append(place, origin, usage, sink, |row| {
                row.period = Some(booking.period);
                row.task = Some(&price.task);
                row.unit = Some(&price.unit);
                row.credits = Some(leg.credits);
                row.grant_id = leg.payer.grant_id();
                row.delta = row.grant_id.map(|_| Credits::new(-leg.credits.get()));
                row.amount = amount(leg, terms).unwrap_or_default();
                row.currency = row.amount.map(|_| terms.plan.currency.as_str());
                row.plan = Some(&terms.plan.id);
                row.price_version = Some(&table.version);
                row.price_id = Some(&price.id);
                row.late = Some(booking.late);
                row.data = Some(Payload::Data(admitted.event.data));
                if index == 0 {
                    row.quantity = Some(rated.quantity);
                    row.cost_usd = Some(rated.cost);
                }
            });
            Crossed::add(&mut crossed, by_leg);
        }
        self.legs = legs;
        self.alert(place, crossed, origin, sink);
    }
}

/// A wallet as it will be when its opening rows are applied: a full pool and nothing else.
fn opened(customer: &str, terms: &Arc<Terms>, first: FirstPeriod) -> Wallet {
    let FirstPeriod {
        start, anchor, end, ..
    } = first;
    let mut wallet = Wallet::open(Arc::from(customer), anchor, start, end, Arc::clone(terms));
    wallet.current.remaining = terms.plan.pool;
    wallet
}

/// What a leg bills: overage at the plan's price, rounded half even to the nano-unit.
fn amount(leg: &Leg, terms: &Terms) -> Result<Option<Money>, Reason> {
    match (&leg.payer, terms.plan.overage) {
        (Payer::Overage, Overage::Bill { price }) if leg.credits > Credits::ZERO => {
            let exact = i128::from(leg.credits.get()) * i128::from(price.get());
            let amount = divide_half_even(exact, i128::from(MICROS));
            Money::from_i128(amount).map(Some).ok_or(Reason::Overflow)
        }
        (Payer::Overage | Payer::Pool(_) | Payer::Grant(_), _) => Ok(None),
    }
}

fn reason(error: RateError) -> Reason {
    match error {
        RateError::NoPrice => Reason::NoPrice,
        RateError::BadMeasure => Reason::BadMeasure,
        RateError::Overflow => Reason::Overflow,
    }
}
