//! Charges taken back: by rows that are the charge's own with the sign turned, and once only.
//!
//! Owns what a reversal's rows should say by the rows of the charge. Leaves sums to `books`.
//!
//! Invariant: of all charges only those are kept whose reversal is known to come.

use hashbrown::HashMap;

use super::finding::{At, Fault, Findings, RowCheck, RowPlace};
use crate::domain::command::Reversed;
use crate::domain::engine::{Charged, ChargedLeg};
use crate::domain::entry::{Entry, GrantId, Note};
use crate::domain::event::Members;
use crate::domain::units::{Credits, Money, Quantity};

/// A charge by customer, source and id of its event.
pub(super) type Named = (String, String, String);

#[derive(Default)]
pub(super) struct Reversals {
    /// The charges that are taken back sooner or later; `None` before they come.
    awaited: HashMap<Named, Option<Charged>>,
    /// The one that is being taken back, and how many of its rows were.
    taking: Option<(Charged, usize)>,
    first: RowPlace,
    has_begun: bool,
}

impl Reversals {
    /// Whether a row of the reversal came already.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// A reversal of this charge is to come.
    pub(super) fn expect(&mut self, charge: Named) {
        self.awaited.insert(charge, None);
    }

    /// A row of a charge.
    pub(super) fn usage(&mut self, row: &Entry<'_>, is_first: bool) {
        if self.awaited.is_empty() {
            return;
        }
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let name = (
            text(row.customer),
            text(row.event_source),
            text(row.event_id),
        );
        let Some(charged) = self.awaited.get_mut(&name) else {
            return;
        };
        if is_first {
            *charged = Some(Charged::of(row));
        }
        if let Some(charged) = charged {
            charged.push(row);
        }
    }

    /// A row of a reversal; true when it is what the charge says.
    pub(super) fn row(&mut self, check: &mut RowCheck<'_, '_>, data: Option<&Members<'_>>) -> bool {
        let row = check.row;
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        let Some(Ok(reversed)) = data.map(Reversed::read) else {
            check.fault(Fault::Data);
            return false;
        };
        let reason = row.reason.map(|note| note.to_string());
        let words = Note::Reversed(reversed.reason).to_string();
        check.column("reason", reason, Some(words));
        if is_first {
            self.first.set(row);
            let text = str::to_owned;
            let customer = row.customer.unwrap_or_default();
            let name = (text(customer), text(reversed.source), text(reversed.id));
            // It is taken back once.
            self.taking = self.awaited.remove(&name).flatten().map(|found| (found, 0));
        }
        let Some((charged, taken)) = &mut self.taking else {
            let (source_name, id) = (reversed.source.to_owned(), reversed.id.to_owned());
            check.fault(Fault::NoCharge { source_name, id });
            return false;
        };
        *taken += 1;
        let whole = charged.legs.first().filter(|_| *taken == 1);
        let leg = charged.legs.len().checked_sub(*taken);
        match leg.map(|leg| &charged.legs[leg]) {
            Some(leg) => is_turned(check, leg, whole),
            None => {
                check.fault(Fault::LegTooMany);
                false
            }
        }
    }

    /// Nothing more comes of the event.
    pub(super) fn end(&mut self, findings: &mut Findings) {
        self.has_begun = false;
        let Some((charged, found)) = self.taking.take() else {
            return;
        };
        let expected = charged.legs.len();
        if found < expected {
            let at = || At::Row(self.first.clone());
            findings.add(at, Fault::HalfReversed { expected, found });
        }
    }
}

fn is_turned(check: &mut RowCheck<'_, '_>, leg: &ChargedLeg, whole: Option<&ChargedLeg>) -> bool {
    let row = check.row;
    let negative = |money: Money| Money::new(money.get().saturating_neg());
    let grant = leg.grant_id.as_deref().map(GrantId::parse);
    let credits = Credits::new(leg.credits.get().saturating_neg());
    let mut is_sound = check.column("credits", row.credits, Some(credits));
    is_sound &= check.column("grant_id", row.grant_id, grant);
    is_sound &= check.column("delta", row.delta, grant.map(|_| leg.credits));
    check.column("amount", row.amount, leg.amount.map(negative));
    check.column("currency", row.currency, leg.currency.as_deref());
    let quantity = whole.and_then(|whole| whole.quantity);
    let quantity = quantity.map(|n| Quantity::new(n.get().saturating_neg()));
    check.column("quantity", row.quantity, quantity);
    let cost = whole.and_then(|whole| whole.cost_usd).map(negative);
    check.column("cost_usd", row.cost_usd, cost);
    check.column("task", row.task, Some(leg.task.as_str()));
    check.column("unit", row.unit, Some(leg.unit.as_str()));
    let (version, price) = (leg.price_version.as_str(), leg.price_id.as_str());
    check.column("price_version", row.price_version, Some(version));
    check.column("price_id", row.price_id, Some(price));
    is_sound
}
