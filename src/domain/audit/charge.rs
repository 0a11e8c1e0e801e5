//! Charges, computed again.
//!
//! Owns what the rows of one usage event should say: version, price, quantity, credits, cost,
//! who pays and what overage is billed. Leaves the arithmetic to `rating` and the order in which
//! grants pay to `wallet::spend`.
//!
//! Invariant: from the event's own `data` and the price tables alone, but for who pays, which is
//! held against the wallet as the rows before left it.

use std::sync::Arc;

use super::books::Account;
use super::finding::{At, Fault, Findings, RowCheck, RowPlace};
use crate::domain::decimal::divide_half_even;
use crate::domain::entry::{Entry, Payload};
use crate::domain::event::Members;
use crate::domain::price::{Overage, PriceBook};
use crate::domain::rating::{Rated, Scratch, rate};
use crate::domain::units::{Credits, MICROS, Money, Timestamp};
use crate::domain::wallet::spend::{Booking, Leg, Spend};
use crate::domain::wallet::{Terms, Wallet};

/// The usage event whose rows come now.
#[derive(Default)]
pub(super) struct Charge {
    scratch: Scratch,
    first: RowPlace,
    /// What all rows of the event carry alike: source, id, type and `data`.
    event: [String; 4],
    used_at: Option<Timestamp>,
    /// The version's place in the book, and what the event comes to.
    rated: Option<(usize, Rated)>,
    booked: Option<(Booking, Arc<Terms>)>,
    legs: Vec<Leg>,
    next_leg: usize,
    charged: i128,
    has_begun: bool,
    /// How many events were rated again.
    pub(super) computed: u64,
    /// A row's credits were told to be wrong.
    is_told: bool,
}

impl Charge {
    /// Whether a row of the event came already.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// One row of the event; true unless another grant should pay, or other credits. `data` are
    /// the members of its `data`, `None` when it can't be read; `wallet` is as the row before left
    /// it, `None` when it is not known.
    pub(super) fn leg(
        &mut self,
        check: &mut RowCheck<'_, '_>,
        book: &PriceBook,
        data: Option<&Members<'_>>,
        wallet: Option<&Wallet>,
    ) -> bool {
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        if is_first {
            self.begin(check, book, data);
            self.plan(check.row, wallet);
        } else {
            self.same_event(check);
        }
        self.price_columns(check, book, is_first);
        let credits = check.row.credits.unwrap_or_default();
        self.charged += i128::from(credits.get());
        self.payer_columns(check)
    }

    /// After the last row of the event.
    pub(super) fn end(&mut self, findings: &mut Findings) {
        let begun = std::mem::take(&mut self.has_begun);
        let Some((_, rated)) = self.rated.take().filter(|_| begun) else {
            return;
        };
        if self.charged != i128::from(rated.charge.get()) && !self.is_told {
            let charged = super::books::micros(self.charged);
            let expected = rated.charge;
            let at = || At::Row(self.first.clone());
            findings.add(at, Fault::Charge { charged, expected });
        }
    }

    fn begin(
        &mut self,
        check: &mut RowCheck<'_, '_>,
        book: &PriceBook,
        data: Option<&Members<'_>>,
    ) {
        let row = check.row;
        self.first.set(row);
        for (known, text) in self.event.iter_mut().zip(event(row)) {
            known.clear();
            known.push_str(text);
        }
        self.used_at = row.used_at;
        (self.rated, self.booked) = (None, None);
        (self.charged, self.is_told) = (0, false);
        let (Some(used_at), Some(event_type)) = (row.used_at, row.event_type) else {
            return;
        };
        let Some(table) = book.in_force(used_at) else {
            check.column("price_version", row.price_version, None);
            return;
        };
        let Some(data) = data else {
            check.fault(Fault::Data);
            return;
        };
        match rate(&book.tables()[table], event_type, data, &mut self.scratch) {
            Ok(rated) => {
                self.rated = Some((table, rated));
                self.computed += 1;
            }
            Err(error) => check.fault(Fault::Rate(error)),
        }
    }

    /// Who should pay, if the wallet is known.
    fn plan(&mut self, row: &Entry<'_>, wallet: Option<&Wallet>) {
        self.legs.clear();
        self.next_leg = 0;
        let (Some(used_at), Some(wallet), Some((_, rated))) = (row.used_at, wallet, self.rated)
        else {
            return;
        };
        let booking = wallet.book(used_at);
        let spend = Spend {
            used_at,
            now: row.received_at,
            period: booking.period,
            charge: rated.charge,
        };
        wallet.plan_spend(spend, &mut self.legs);
        self.booked = Some((booking, Arc::clone(wallet.terms_of(booking.period))));
    }

    fn same_event(&self, check: &mut RowCheck<'_, '_>) {
        const COLUMNS: [&str; 4] = ["event_source", "event_id", "event_type", "data"];
        for ((column, known), text) in COLUMNS.iter().zip(&self.event).zip(event(check.row)) {
            check.column(column, Some(text), Some(known.as_str()));
        }
        let micros = |at: Option<Timestamp>| at.map(Timestamp::get);
        check.column("used_at", micros(check.row.used_at), micros(self.used_at));
    }

    fn price_columns(&self, check: &mut RowCheck<'_, '_>, book: &PriceBook, is_first: bool) {
        let Some((table, rated)) = self.rated else {
            return;
        };
        let (row, table) = (check.row, &book.tables()[table]);
        let price = &table.prices[rated.price];
        check.column(
            "price_version",
            row.price_version,
            Some(table.version.as_str()),
        );
        check.column("price_id", row.price_id, Some(price.id.as_str()));
        check.column("task", row.task, Some(price.task.as_str()));
        check.column("unit", row.unit, Some(price.unit.as_str()));
        check.column("quantity", row.quantity, is_first.then_some(rated.quantity));
        check.column("cost_usd", row.cost_usd, is_first.then_some(rated.cost));
    }

    fn payer_columns(&mut self, check: &mut RowCheck<'_, '_>) -> bool {
        let row = check.row;
        let Some((booking, terms)) = &self.booked else {
            return true;
        };
        check.day("period", row.period, Some(booking.period));
        check.column("late", row.late, Some(booking.late));
        check.column("plan", row.plan, Some(terms.plan.id.as_str()));
        let billed = row.grant_id.is_none().then_some(row.credits).flatten();
        let amount = billed.and_then(|credits| amount(credits, terms.plan.overage));
        check.column("amount", row.amount, amount);
        let currency = amount.map(|_| terms.plan.currency.as_str());
        check.column("currency", row.currency, currency);
        let Some(leg) = self.legs.get(self.next_leg) else {
            self.is_told = true;
            check.fault(Fault::LegTooMany);
            return false;
        };
        self.next_leg += 1;
        let is_right = check.column("credits", row.credits, Some(leg.credits));
        self.is_told |= !is_right;
        is_right & check.column("grant_id", row.grant_id, leg.payer.grant_id())
    }
}

/// What overage of `credits` is billed: its price for each credit, half even to the nano-unit.
fn amount(credits: Credits, overage: Overage) -> Option<Money> {
    let price = overage.price().filter(|_| credits > Credits::ZERO)?;
    let exact = i128::from(credits.get()) * i128::from(price.get());
    Money::from_i128(divide_half_even(exact, i128::from(MICROS)))
}

fn event<'r>(row: &Entry<'r>) -> [&'r str; 4] {
    let data = match row.data {
        Some(Payload::Data(data)) => data,
        Some(Payload::Raw(_)) | None => "",
    };
    let text = |column: Option<&'r str>| column.unwrap_or_default();
    [
        text(row.event_source),
        text(row.event_id),
        text(row.event_type),
        data,
    ]
}

/// A usage row takes from its grant what it charges.
pub(super) fn paid(check: &mut RowCheck<'_, '_>, account: &mut Account) -> bool {
    let row = check.row;
    let credits = row.credits.unwrap_or_default();
    let negative = Credits::new(credits.get().saturating_neg());
    let delta = row.grant_id.map(|_| negative);
    let is_right = check.column("delta", row.delta, delta);
    let Some(grant) = row.grant_id else {
        return is_right && credits >= Credits::ZERO;
    };
    let taken = -i128::from(row.delta.unwrap_or_default().get());
    match account.consume(grant, taken) {
        Ok(()) => is_right && credits >= Credits::ZERO,
        Err(fault) => {
            check.fault(fault);
            false
        }
    }
}

/// A reversal's row gives its grant what the charge took.
pub(super) fn given_back(check: &mut RowCheck<'_, '_>, account: &mut Account) -> bool {
    let row = check.row;
    let delta = row.delta.unwrap_or_default();
    if let Some(grant) = row.grant_id {
        account.give_back(grant, i128::from(delta.get()), row.received_at);
    }
    delta >= Credits::ZERO
}
