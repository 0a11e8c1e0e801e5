//! What of a wallet is worth an alert.
//!
//! Owns the conditions of each kind of alert and when one may fire again. Leaves the alert itself
//! to `alert`, and telling it to `engine`.
//!
//! Invariant: what may fire again follows from rows alone; a midnight at which nothing is told
//! leaves nothing behind.

use std::sync::Arc;

use super::{Grant, Wallet};
use crate::domain::entry::{AlertKind, Status};
use crate::domain::units::{Credits, Day, MICROS_PER_DAY, Timestamp};

/// What rows brought about: how it was before the first, and how it is after the last. Nearly all
/// rows bring about nothing, and have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crossed {
    was: (Thresholds, Status),
    is: (Thresholds, Status),
    /// The period that has its first overage.
    overage: Option<Day>,
}

/// Percentages that use has reached: bit t is t percent.
pub type Thresholds = u128;

/// An alert that a midnight brings, and the grant that it is about.
pub type MidnightAlert = (AlertKind, Option<Arc<str>>);

impl Crossed {
    /// Adds what later rows brought about to what those before did.
    pub fn add(all: &mut Option<Self>, later: Option<Self>) {
        let Some(later) = later else { return };
        *all = Some(match *all {
            None => later,
            Some(before) => Self {
                was: before.was,
                is: later.is,
                overage: before.overage.or(later.overage),
            },
        });
    }

    /// The alerts that follow, in their order, each with the period that it is about: thresholds of
    /// `wallet` lowest first, then the first overage, then the status.
    pub fn alerts(self, wallet: &Wallet) -> Vec<(AlertKind, Day)> {
        let newly = self.is.0 & !self.was.0;
        let current = wallet.current.start;
        let used = wallet.current.terms.plan.alerts.used.iter();
        let used = used.filter(|threshold| newly & bit(**threshold) != 0);
        let used = used.map(|threshold| (AlertKind::Used(*threshold), current));
        let overage = self.overage.map(|period| (AlertKind::Overage, period));
        let status = (self.is.1 != self.was.1).then_some(AlertKind::Status(self.is.1));
        let status = status.map(|status| (status, current));
        used.chain(overage).chain(status).collect()
    }
}

fn bit(threshold: u8) -> Thresholds {
    1 << threshold.min(127)
}

impl Wallet {
    /// Looks at the wallet again after a row of `as_of` that left it `balance`, and its status was
    /// `before`.
    ///
    /// A threshold of t percent is reached when 100 · consumed ≥ t · (consumed + balance), and
    /// never at 0 ÷ 0. Of a wallet that is closed, nothing is worth an alert any more.
    pub fn update_after(
        &mut self,
        (as_of, balance): (Timestamp, Credits),
        before: Status,
        overage: Option<Day>,
    ) -> Option<Crossed> {
        self.blocked &= balance == Credits::ZERO;
        let was = (self.reached, before);
        if self.closing().is_some() {
            return None;
        }
        let told = self.run_out_told;
        self.run_out_told = told.filter(|days| self.runs_out(as_of, balance, *days));
        let consumed = i128::from(self.current.consumed.get());
        let all = consumed + i128::from(balance.get());
        let is_reached =
            |threshold: u8| consumed > 0 && 100 * consumed >= i128::from(threshold) * all;
        let mut reached = 0;
        for threshold in &self.current.terms.plan.alerts.used {
            if is_reached(*threshold) {
                reached |= bit(*threshold);
            }
        }
        // Those of plans before stay reached until a row makes them false.
        let mut others = self.reached & !reached;
        while others != 0 {
            let threshold = others.trailing_zeros() as u8;
            others &= others - 1;
            if is_reached(threshold) {
                reached |= bit(threshold);
            }
        }
        self.reached = reached;
        let is = (reached, self.status());
        let overage = overage.filter(|period| self.terms_of(*period).plan.alerts.overage);
        (was != is || overage.is_some()).then_some(Crossed { was, is, overage })
    }

    /// Whether the wallet is empty within so many days and before the period ends, at its pace at
    /// `at`. An empty wallet has run out already.
    fn runs_out(&self, at: Timestamp, balance: Credits, within: u16) -> bool {
        let pace = self.daily_use.pace(at, self.opened);
        if pace.charged <= Credits::ZERO || balance <= Credits::ZERO {
            return false;
        }
        let charged = i128::from(pace.charged.get());
        let lasts = i128::from(balance.get()) * i128::from(pace.days) * i128::from(MICROS_PER_DAY);
        let until = |micros: i64| charged * i128::from(micros.max(0));
        let left = self.current.end.start().get().saturating_sub(at.get());
        lasts <= until(i64::from(within) * MICROS_PER_DAY) && lasts < until(left)
    }

    /// The days of the plan's alert on running out, unless that was told.
    fn run_out_untold(&self) -> Option<u16> {
        let within = self.current.terms.plan.alerts.run_out_within;
        within.filter(|days| self.run_out_told != Some(*days))
    }

    /// What the midnight `at` brings: the run-out, then the grants that end soon in burn-down
    /// order.
    pub fn midnight_alerts(&self, at: Timestamp) -> Vec<MidnightAlert> {
        if self.closing().is_some() {
            return Vec::new();
        }
        let run_out = self.run_out_untold();
        let run_out = run_out.filter(|days| self.runs_out(at, self.balance(at), *days));
        let run_out = run_out.map(|days| (AlertKind::RunOut(days), None));
        let expiring = self.current.terms.plan.alerts.expiring_within;
        let expiring = expiring.into_iter().flat_map(|within| {
            let ends_soon = move |grant: &&Grant| {
                grant.is_alive(at) && first_look(grant, within).is_some_and(|look| look <= at)
            };
            let grants = self.grants.iter().filter(ends_soon);
            grants.map(move |grant| (AlertKind::Expiring(within), Some(Arc::clone(&grant.id))))
        });
        run_out.into_iter().chain(expiring).collect()
    }

    /// The next midnight that may bring an alert, as the wallet is after its last row.
    pub fn midnight_after_row(&self) -> Option<Day> {
        let next = Day::new(self.touched.day().get() + 1);
        match self.run_out_untold() {
            Some(_) => self.closing().is_none().then_some(next),
            None => self.midnight_by_grants(next),
        }
    }

    /// The next midnight after that of `day` which may bring an alert though no row comes until
    /// then: one at which a day that is full only now makes the pace higher, or a grant has begun
    /// in a wallet that was empty, or ends soon.
    pub fn midnight_after(&self, day: Day) -> Option<Day> {
        let next = Day::new(day.get() + 1);
        let may_rise = self.run_out_untold().is_some() && self.daily_use.may_rise_after(day);
        match may_rise && self.closing().is_none() {
            true => Some(next),
            false => self.midnight_by_grants(next),
        }
    }

    /// The first midnight from `next` on at which a grant has begun or ends soon.
    fn midnight_by_grants(&self, next: Day) -> Option<Day> {
        let watches_pace = self.run_out_untold().is_some();
        let within = self.current.terms.plan.alerts.expiring_within;
        if self.closing().is_some() || !(watches_pace || within.is_some()) {
            return None;
        }
        let looks = self.grants.iter().flat_map(|grant| {
            let begins = watches_pace.then(|| midnight_from(grant.order.effective_at));
            let begins = begins.filter(|at| *at >= next.start());
            let ends_soon = within.and_then(|within| first_look(grant, within));
            let ends_soon = ends_soon.map(|look| look.max(next.start()));
            let is_alive = |at: &Timestamp| grant.order.expires_at.is_none_or(|end| *at < end);
            begins.into_iter().chain(ends_soon).filter(is_alive)
        });
        looks.min().map(Timestamp::day)
    }
}

/// The first midnight at which a grant that has something left is one that ends within `days`.
fn first_look(grant: &Grant, days: u16) -> Option<Timestamp> {
    let ends = grant.order.expires_at?;
    if grant.expiring_told || grant.remaining == Credits::ZERO {
        return None;
    }
    let from = ends.plus(-i64::from(days) * MICROS_PER_DAY);
    Some(midnight_from(from.max(grant.order.effective_at)))
}

/// The first midnight at or after `at`.
fn midnight_from(at: Timestamp) -> Timestamp {
    let day = at.day();
    match day.start() == at {
        true => at,
        false => Day::new(day.get() + 1).start(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::wallet;
    use super::*;

    #[test]
    fn a_threshold_is_newly_reached_once_until_a_row_makes_it_false() {
        let mut wallet = wallet();
        let cases: [(i64, i64, &[u8]); 11] = [
            (0, 0, &[]), // nothing of nothing
            (49, 51, &[]),
            (50, 50, &[50]),
            (51, 49, &[]),
            (51, 60, &[]), // false again
            (80, 20, &[50, 80]),
            (100, 0, &[100]),
            (100, 100, &[]), // 50 still holds
            (100, 0, &[80, 100]),
            (-5, 5, &[]), // more was given back than used
            (i64::MAX, i64::MAX, &[50]),
        ];
        for (consumed, balance, newly) in cases {
            wallet.current.consumed = Credits::new(consumed);
            let now = (Day::new(11).start(), Credits::new(balance));
            let crossed = wallet.update_after(now, Status::Ok, None);
            let told = crossed
                .into_iter()
                .flat_map(|crossed| crossed.alerts(&wallet));
            let told = told.map(|(kind, _)| kind);
            let newly = newly.iter().map(|threshold| AlertKind::Used(*threshold));
            assert!(told.eq(newly), "{consumed} {balance}");
        }
    }

    #[test]
    fn several_rows_bring_about_what_they_come_to() {
        let mut wallet = wallet();
        let mut after = |consumed, balance| {
            wallet.current.consumed = Credits::new(consumed);
            let now = (Day::new(11).start(), Credits::new(balance));
            wallet.update_after(now, Status::Ok, None)
        };
        // Reached by the first row, and false again by the second.
        let (first, second) = (after(60, 40), after(60, 140));
        let mut both = first;
        Crossed::add(&mut both, second);
        let both = both.expect("the first brought something about");
        assert_eq!(both.alerts(&wallet), []);
    }

    /// Day 10 is the first, day 40 ends the period.
    #[test]
    fn a_wallet_runs_out_within_so_many_days_and_before_the_period_ends() {
        for (today, a_day, balance, is_told) in [
            (20, 10, 70, true), // in seven days to the minute
            (20, 10, 71, false),
            (20, 10, 0, false), // it has run out already
            (20, 0, 10, false),
            (35, 10, 49, true),
            (35, 10, 50, false), // just when the period ends
            (11, 10, 70, true),  // the only full day
        ] {
            let mut wallet = wallet();
            for day in 10..today {
                wallet.daily_use.add(Day::new(day), Credits::new(a_day));
            }
            wallet.current.remaining = Credits::new(balance);
            let told = wallet.midnight_alerts(Day::new(today).start());
            assert_eq!(!told.is_empty(), is_told, "{today} {a_day} {balance}");
            wallet.run_out_told = Some(7);
            assert!(wallet.midnight_alerts(Day::new(today).start()).is_empty());
        }
    }
}
