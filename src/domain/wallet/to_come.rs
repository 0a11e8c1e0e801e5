//! What was said of a wallet and has not come yet: another plan, or its end.
//!
//! Owns keeping it in little memory. Leaves what it does to `apply` and `engine`.

use super::Wallet;
use crate::domain::units::Timestamp;

/// What was said of a wallet and has not come yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToCome {
    /// The plan from the next period on, when it changes then.
    pub next_plan: Option<String>,
    pub closing: Option<Closing>,
}

/// The end of a wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closing {
    /// Usage from before this instant is still taken …
    pub closed_at: Timestamp,
    /// … until this one (exclusive), when all that is left is voided.
    pub voids_at: Timestamp,
}

impl Wallet {
    /// That of a wallet which was closed.
    pub fn closing(&self) -> Option<Closing> {
        self.to_come.as_ref()?.closing
    }

    /// The plan from the next period on, when it changes then.
    pub fn next_plan(&self) -> Option<&str> {
        self.to_come.as_ref()?.next_plan.as_deref()
    }

    /// The plan of the period that comes next.
    pub fn plan_to_come(&self) -> &str {
        self.next_plan().unwrap_or(&self.current.terms.plan.id)
    }

    /// The plan stays in the next period.
    pub(super) fn forget_next_plan(&mut self) {
        if let Some(to_come) = &mut self.to_come {
            to_come.next_plan = None;
        }
    }
}
