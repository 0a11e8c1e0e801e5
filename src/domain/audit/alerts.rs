//! Alerts: each follows the row that crossed its threshold, and none is missing.
//!
//! Owns the thresholds that wait for their alert. Leaves whether one is crossed to the wallet
//! that is folded from the rows.
//!
//! Invariant: what waits was crossed by the rows of one event, or of one timer.

use super::finding::{At, Fault, Findings, RowCheck, RowPlace};
use crate::domain::entry::{Entry, Note};
use crate::domain::wallet::Wallet;

#[derive(Default)]
pub(super) struct Crossed {
    /// Bit i: the i-th threshold of the plan.
    waiting: u32,
    /// The thresholds that the bits count.
    thresholds: Vec<u8>,
    /// The row that crossed one last.
    by: RowPlace,
}

impl Crossed {
    /// A row crossed thresholds of its wallet, given as bits.
    pub(super) fn add(&mut self, row: &Entry<'_>, reached: u32, wallet: Option<&Wallet>) {
        let Some(wallet) = wallet.filter(|_| reached != 0) else {
            return;
        };
        self.waiting |= reached;
        self.thresholds.clear();
        let all = &wallet.current.terms.plan.used_alerts;
        self.thresholds.extend_from_slice(all);
        self.by.set(row);
    }

    /// An alert came; its wallet is known and was left by the row before.
    pub(super) fn alert(&mut self, check: &mut RowCheck<'_, '_>, wallet: &Wallet) {
        let row = check.row;
        let current = &wallet.current;
        check.day("period", row.period, Some(current.start));
        check.column("plan", row.plan, Some(current.terms.plan.id.as_str()));
        check.column(
            "price_version",
            row.price_version,
            Some(&*current.terms.version),
        );
        let Some(Note::Used(threshold)) = row.reason else {
            check.fault(Fault::NoThreshold);
            return;
        };
        let all = &current.terms.plan.used_alerts;
        let Some(at) = all.iter().position(|known| *known == threshold) else {
            check.fault(Fault::NoThreshold);
            return;
        };
        let by = &self.by;
        let is_its_own = by.customer.as_deref() == row.customer
            && (by.source.as_str(), by.seq, by.idx) == (row.source, row.seq, row.idx);
        if !is_its_own || self.waiting & (1 << at) == 0 {
            check.fault(Fault::NotCrossed);
            return;
        }
        self.waiting &= !(1 << at);
    }

    /// The wallet is followed no further.
    pub(super) fn forget(&mut self) {
        self.waiting = 0;
    }

    /// Nothing more comes of the event or timer: no threshold may wait.
    pub(super) fn end(&mut self, findings: &mut Findings) {
        for (bit, threshold) in self.thresholds.iter().enumerate() {
            if self.waiting & (1 << bit) != 0 {
                let at = || At::Row(self.by.clone());
                findings.add(at, Fault::AlertMissing(*threshold));
            }
        }
        self.waiting = 0;
    }
}
