//! Charging usage.
//!
//! Owns the checks of usage alone and its rows: who pays, in which period, and what overage is
//! billed. Leaves the charge to `rating` and the burn-down order to `wallet::spend`.
//!
//! Invariant: every check comes before the first row, so that a refused event changes nothing.

use std::sync::Arc;

use super::rows::Origin;
use super::{Admitted, Engine};
use crate::domain::calendar::{day_of_month, period_end};
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
struct Decision {
    table: usize,
    rated: Rated,
    booking: Booking,
    terms: Arc<Terms>,
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
        let known = self.wallets.place(customer);
        if known.is_some_and(|place| !self.wallets.at(place).takes(used_at, now)) {
            return Err(Reason::UnknownWallet);
        }
        let opening = match known {
            Some(_) => None,
            None => Some(self.default_terms(now).ok_or(Reason::UnknownWallet)?),
        };
        let table = self.book.in_force(used_at).ok_or(Reason::NoPriceVersion)?;
        let prices = &self.book.tables()[table];
        let rated =
            rate(prices, event.event_type, &event.members, &mut self.rating).map_err(reason)?;
        let mut legs = std::mem::take(&mut self.legs);
        let planned = match (known, &opening) {
            (Some(place), _) => plan(self.wallets.at(place), admitted, rated.charge, &mut legs),
            (None, Some(terms)) => plan(
                &opened(customer, terms, now),
                admitted,
                rated.charge,
                &mut legs,
            ),
            (None, None) => Err(Reason::UnknownWallet),
        };
        let charged = planned.map(|(booking, terms)| {
            // Past this line nothing can fail.
            let place = known.unwrap_or_else(|| {
                let plan = (terms.plan.id.as_str(), &*terms.version);
                self.open(plan, (&Members::NONE, None), origin, sink)
            });
            let decision = Decision {
                table,
                rated,
                booking,
                terms,
            };
            self.append_legs(place, admitted, (&decision, &legs), origin, sink);
        });
        self.legs = legs;
        charged
    }

    /// The terms that a customer who was never opened gets at `now`.
    fn default_terms(&mut self, now: Timestamp) -> Option<Arc<Terms>> {
        let table = &self.book.tables()[self.book.in_force_or_first(now)];
        let plan = table.default_plan.clone()?;
        let version = self.terms_version(now.day().start(), &plan);
        self.wallets.terms.get(&self.book, &version, &plan).ok()
    }

    fn append_legs(
        &mut self,
        place: u32,
        admitted: &Admitted<'_>,
        (decision, legs): (&Decision, &[Leg]),
        origin: &mut Origin<'_>,
        sink: &mut impl Sink,
    ) {
        let Decision {
            table,
            rated,
            booking,
            terms,
        } = decision;
        let book = Arc::clone(&self.book);
        let table = &book.tables()[*table];
        let price = &table.prices[rated.price];
        let mut crossed: Option<Crossed> = None;
        for (index, leg) in legs.iter().enumerate() {
            let usage = (Kind::Usage, &Members::NONE);
            let by_leg = self.apply_and_append(place, origin, usage, sink, |row| {
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
            crossed = Some(by_leg.after(crossed));
        }
        if let Some(crossed) = crossed {
            self.alert(place, crossed, origin, sink);
        }
    }
}

/// A wallet as it will be when its opening rows are applied: a full pool and nothing else.
fn opened(customer: &str, terms: &Arc<Terms>, now: Timestamp) -> Wallet {
    let (start, anchor) = (now.day(), day_of_month(now.day()));
    let end = period_end(start, anchor);
    let mut wallet = Wallet::open(Arc::from(customer), anchor, start, end, Arc::clone(terms));
    wallet.current.remaining = terms.plan.pool;
    wallet
}

/// The period and terms that usage is booked under, and who pays, in `legs`.
fn plan(
    wallet: &Wallet,
    admitted: &Admitted<'_>,
    charge: Credits,
    legs: &mut Vec<Leg>,
) -> Result<(Booking, Arc<Terms>), Reason> {
    let Admitted { used_at, now, .. } = *admitted;
    let booking = wallet.book(used_at);
    let terms = wallet.terms_of(booking.period);
    wallet.plan_spend(
        Spend {
            used_at,
            now,
            period: booking.period,
            charge,
        },
        legs,
    );
    for leg in legs.iter() {
        amount(leg, terms)?;
    }
    Ok((booking, Arc::clone(terms)))
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
