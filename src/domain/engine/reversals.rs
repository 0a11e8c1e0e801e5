//! Taking a charge back.
//!
//! Owns the rows of a reversal: what returns to which grant, and what is credited. Leaves finding
//! the charge to the caller, who has the ledger.
//!
//! Invariant: a reversal's rows are the charge's own with the sign turned, so that both add up to
//! nothing; whatever period they were booked to, it is booked to the current one.

use std::sync::Arc;

use super::rows::Origin;
use super::{Admitted, Engine, Refused};
use crate::domain::command::Reversed;
use crate::domain::duplicates::{Occupied, OlderFault, Verdict};
use crate::domain::entry::{Entry, GrantId, Kind, Note, Payload, Reason, Sink};
use crate::domain::event::Members;
use crate::domain::units::{Credits, Money, Quantity, Timestamp};
use crate::domain::wallet::GRANTED_MAX;
use crate::domain::wallet::watch::Crossed;

/// A charge that may be taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charged {
    pub customer: String,
    pub event_source: String,
    pub event_id: String,
    /// Its rows, in order.
    pub legs: Vec<ChargedLeg>,
}

/// One row of a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargedLeg {
    pub credits: Credits,
    /// `None`: overage.
    pub grant_id: Option<String>,
    pub amount: Option<Money>,
    pub currency: Option<String>,
    pub quantity: Option<Quantity>,
    pub cost_usd: Option<Money>,
    pub task: String,
    pub unit: String,
    pub price_version: String,
    pub price_id: String,
}

impl Charged {
    /// A charge without rows, of the event that `row` tells of.
    pub fn of(row: &Entry<'_>) -> Self {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Self {
            customer: text(row.customer),
            event_source: text(row.event_source),
            event_id: text(row.event_id),
            legs: Vec::new(),
        }
    }

    /// Takes one more of its rows.
    pub fn push(&mut self, row: &Entry<'_>) {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        self.legs.push(ChargedLeg {
            credits: row.credits.unwrap_or_default(),
            grant_id: row.grant_id.map(|grant| grant.to_string()),
            amount: row.amount,
            currency: row.currency.map(str::to_owned),
            quantity: row.quantity,
            cost_usd: row.cost_usd,
            task: text(row.task),
            unit: text(row.unit),
            price_version: text(row.price_version),
            price_id: text(row.price_id),
        });
    }

    fn is_of(&self, customer: &str, reversed: Reversed<'_>) -> bool {
        self.customer == customer
            && self.event_source == reversed.source
            && self.event_id == reversed.id
    }
}

impl Engine {
    /// Since when the identity of the event `(source, id)` of `customer` is occupied: when it was
    /// charged, if that was within the longest window.
    ///
    /// # Errors
    ///
    /// The duplicate filter can't be read.
    pub fn occupied(
        &mut self,
        customer: &str,
        (source, id): (&str, &str),
    ) -> Result<Option<Occupied>, OlderFault> {
        let identity = self.filter.identity(customer, source, id, ("", ""));
        let now = self.now.unwrap_or(Timestamp::EPOCH);
        let window = self.book.longest_window();
        self.filter.occupied(identity, now, window)
    }

    /// Makes charges known that the next message may take back; those known before are forgotten.
    pub fn recall(&mut self, charges: Vec<Charged>) {
        self.recalled = charges;
    }

    pub(super) fn command_reversed(
        &mut self,
        admitted: &Admitted<'_>,
        origin: &mut Origin<'_>,
        sink: &mut impl Sink,
    ) -> Result<(), Refused> {
        let (event, customer) = (admitted.event, admitted.customer);
        let reversed = Reversed::read(&event.members);
        let reversed = reversed.map_err(|fault| self.refuse(origin, fault))?;
        let place = self.open_wallet(customer)?;
        let original = (reversed.source, reversed.id);
        let identity = self.filter.reversal_of(customer, original);
        if self.filter.verdict(identity, admitted.now, 0)? != Verdict::New {
            return Err(Refused::Copy(Kind::Duplicate));
        }
        let mut recalled = std::mem::take(&mut self.recalled);
        let at = recalled
            .iter()
            .position(|charged| charged.is_of(customer, reversed));
        let taken = at.map(|at| recalled.swap_remove(at));
        self.recalled = recalled;
        let charged = taken.ok_or(Reason::UnknownEvent)?;
        let returned = charged.legs.iter().filter(|leg| leg.grant_id.is_some());
        let returned: i64 = returned.map(|leg| leg.credits.get()).sum();
        let held = self.wallets.at(place).granted_remaining();
        if held.get().saturating_add(returned) > GRANTED_MAX.get() {
            return Err(Reason::Overflow.into());
        }
        // Past this line nothing can fail.
        self.give_back(place, admitted, (&charged, reversed.reason), origin, sink);
        self.filter.occupy(identity, Occupied::ForEver);
        Ok(())
    }

    fn give_back(
        &mut self,
        place: u32,
        admitted: &Admitted<'_>,
        (charged, reason): (&Charged, &str),
        origin: &mut Origin<'_>,
        sink: &mut impl Sink,
    ) {
        let (event, now) = (admitted.event, admitted.now);
        let period = self.wallets.at(place).current.start;
        let terms = Arc::clone(&self.wallets.at(place).current.terms);
        let mut first = charged.legs.first();
        let mut crossed = None;
        for leg in charged.legs.iter().rev() {
            let grant = leg.grant_id.as_deref().map(GrantId::parse);
            let is_gone =
                grant.is_some_and(|grant| self.wallets.at(place).held(grant, now).is_none());
            let whole = first.take();
            let row = (Kind::Reversal, &Members::NONE);
            let by_leg = self
                .posting()
                .apply_and_append(place, origin, row, sink, |row| {
                    row.period = Some(period);
                    row.task = Some(&leg.task);
                    row.unit = Some(&leg.unit);
                    row.quantity =
                        whole.and_then(|leg| leg.quantity.map(|n| Quantity::new(-n.get())));
                    row.credits = Some(Credits::new(-leg.credits.get()));
                    row.grant_id = grant;
                    row.delta = grant.map(|_| leg.credits);
                    row.amount = leg.amount.map(|amount| Money::new(-amount.get()));
                    row.currency = leg.currency.as_deref();
                    row.cost_usd = whole.and_then(|leg| leg.cost_usd.map(|c| Money::new(-c.get())));
                    row.plan = Some(&terms.plan.id);
                    row.price_version = Some(&leg.price_version);
                    row.price_id = Some(&leg.price_id);
                    row.reason = Some(Note::Reversed(reason));
                    row.data = Some(Payload::Data(event.data));
                });
            Crossed::add(&mut crossed, by_leg);
            if is_gone && leg.credits > Credits::ZERO {
                let row = (Kind::Expire, &Members::NONE);
                let by_end = self
                    .posting()
                    .apply_and_append(place, origin, row, sink, |row| {
                        row.period = Some(period);
                        row.grant_id = grant;
                        row.delta = Some(Credits::new(-leg.credits.get()));
                        row.plan = Some(&terms.plan.id);
                    });
                Crossed::add(&mut crossed, by_end);
            }
        }
        self.alert(place, crossed, origin, sink);
    }
}
