//! Whether two wallets are the same.
//!
//! Owns the comparison of one that came back from a checkpoint with one that all rows lead to.
//! Leaves where they come from to the audit.

use std::sync::Arc;

use super::{EndedPeriod, Grant, Period, Terms, Wallet};
use crate::domain::units::Credits;

impl Wallet {
    /// Whether both say the same, but for grants that ended with nothing left in them: no row tells
    /// of their end.
    pub fn agrees_with(&self, other: &Self) -> bool {
        let terms = |terms: &Terms| (Arc::clone(&terms.version), terms.plan.id.clone());
        let current = |of: &Self| {
            let Period {
                start,
                end,
                pool,
                fee,
                remaining,
                consumed,
                overage,
                had_overage,
                voided,
                ..
            } = of.current;
            let told = (had_overage, voided);
            let amounts = (pool, fee, remaining, consumed, overage, told);
            (start, end, amounts, terms(&of.current.terms))
        };
        let left = |remaining: Credits| remaining != Credits::ZERO;
        let ended = |of: &Self| -> Vec<_> {
            let ended = of.ended.iter().filter(|ended| left(ended.remaining));
            let parts = |x: &EndedPeriod| (x.start, x.end, x.closes_at, x.remaining, x.had_overage);
            ended.map(|x| (parts(x), terms(&x.terms))).collect()
        };
        let grants = |of: &Self| -> Vec<_> {
            let grants = of.grants.iter().filter(|grant| left(grant.remaining));
            let parts = |x: &Grant| {
                let order = x.order.clone();
                (Arc::clone(&x.id), order, x.remaining, x.expiring_told)
            };
            grants.map(parts).collect()
        };
        let rest = |of: &Self| {
            let told = (of.reached, of.blocked, of.run_out_told, of.touched);
            let to_come = (of.next_plan().map(str::to_owned), of.closing());
            (of.anchor, of.opened, told, to_come)
        };
        rest(self) == rest(other)
            && self.customer == other.customer
            && self.daily_use == other.daily_use
            && current(self) == current(other)
            && ended(self) == ended(other)
            && grants(self) == grants(other)
    }
}
