//! How a wallet stands, for whoever asks before work is done.
//!
//! Owns the question whether a customer may go on. Leaves the words of the answer to the jobs.

use super::Engine;
use crate::domain::calendar::{day_of_month, period_end};
use crate::domain::entry::Status;
use crate::domain::price::{Overage, Plan};
use crate::domain::units::{Credits, Day, Timestamp};

/// A wallet as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub plan: String,
    pub period: Day,
    /// Exclusive.
    pub period_end: Day,
    pub status: Status,
    /// What remains in all effective grants.
    pub balance: Credits,
    /// What grants paid in this period.
    pub used: Credits,
    /// What no grant covered in this period.
    pub overage: Credits,
    /// Whether work that is done now is covered, or billed.
    pub allowed: bool,
    /// False of a customer who has no wallet yet, and will get this one by the first usage.
    pub opened: bool,
}

impl Engine {
    /// How the wallet of `customer` stands; `None` for one who has none and gets none by usage.
    pub fn standing(&self, customer: &str) -> Option<Standing> {
        let now = self.now.unwrap_or(Timestamp::EPOCH);
        let Some(place) = self.wallets.place(customer) else {
            return self.standing_to_come(now);
        };
        let wallet = self.wallets.at(place);
        let (current, balance) = (&wallet.current, wallet.balance(now));
        let status = wallet.status();
        Some(Standing {
            plan: current.terms.plan.id.clone(),
            period: current.start,
            period_end: current.end,
            status,
            balance,
            used: Credits::new(current.consumed.get().max(0)),
            overage: Credits::new(current.overage.get().max(0)),
            allowed: status == Status::Ok && is_covered(&current.terms.plan, balance),
            opened: true,
        })
    }

    /// How a wallet stands that is opened now on the default plan.
    fn standing_to_come(&self, now: Timestamp) -> Option<Standing> {
        let table = &self.book.tables()[self.book.in_force_or_first(now)];
        let name = table.default_plan.as_deref()?;
        let today = now.day();
        let terms = self.book.terms_table(today.start(), name);
        let plan = terms.plan(name)?;
        Some(Standing {
            plan: plan.id.clone(),
            period: today,
            period_end: period_end(today, day_of_month(today)),
            status: Status::Ok,
            balance: plan.pool,
            used: Credits::ZERO,
            overage: Credits::ZERO,
            allowed: is_covered(plan, plan.pool),
            opened: false,
        })
    }
}

/// Whether credits are left, or what goes beyond them is billed.
fn is_covered(plan: &Plan, balance: Credits) -> bool {
    balance > Credits::ZERO || matches!(plan.overage, Overage::Bill { .. })
}
