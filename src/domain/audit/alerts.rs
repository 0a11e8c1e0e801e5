//! Alerts: each follows from the row before it or from a midnight, and none is missing.
//!
//! Owns what waits for its alert. Leaves whether something is worth one to the wallet that is
//! folded from the rows.
//!
//! Invariant: what waits was brought about by the rows of one event, or of one timer.

use super::finding::{At, Fault, Findings, RowCheck, RowPlace};
use super::sequence::TIMER_IDX;
use crate::domain::entry::{AlertKind, Entry, GrantId, Note, Status};
use crate::domain::units::{Credits, Day, Timestamp};
use crate::domain::wallet::Wallet;
use crate::domain::wallet::watch::Crossed;

#[derive(Default)]
pub(super) struct Waiting {
    /// Each alert with the period that it is about.
    alerts: Vec<(AlertKind, Day)>,
    /// That of a command which opens or closes the wallet.
    by_command: Option<(AlertKind, Day)>,
    /// What the event's or timer's rows so far came to.
    crossed: Option<Crossed>,
    /// The row that brought one about last.
    by: RowPlace,
}

impl Waiting {
    /// A row changed its wallet, and together with those before it of its event brought something
    /// about, or nothing. All that they did waits again: alerts come after the event's last row.
    pub(super) fn add(&mut self, row: &Entry<'_>, crossed: Option<Crossed>, wallet: &Wallet) {
        Crossed::add(&mut self.crossed, crossed);
        let alerts = self.crossed.map(|crossed| crossed.alerts(wallet));
        self.alerts = alerts.unwrap_or_default();
        if !self.alerts.is_empty() {
            self.by.set(row);
        }
    }

    /// The wallet was closed by a row, or opened anew.
    pub(super) fn status(&mut self, row: &Entry<'_>, status: Status) {
        self.by_command = Some((AlertKind::Status(status), row.period.unwrap_or_default()));
        self.by.set(row);
    }

    /// An alert came; its wallet is known and was left by the row before. Gives the moment that its
    /// balance is looked at by, when that is not the one of the row before.
    pub(super) fn alert(
        &mut self,
        check: &mut RowCheck<'_, '_>,
        wallet: &Wallet,
    ) -> Option<Timestamp> {
        let row = check.row;
        let Some(Note::Alert(kind)) = row.reason else {
            check.fault(Fault::NoThreshold);
            return None;
        };
        let by = &self.by;
        let is_its_own = by.customer.as_deref() == row.customer
            && (by.source.as_str(), by.seq, by.idx) == (row.source, row.seq, row.idx);
        let waits = |(waiting, _): &(AlertKind, Day)| *waiting == kind;
        let at = self.alerts.iter().position(waits).filter(|_| is_its_own);
        let own = at.map(|at| self.alerts.remove(at));
        let own = own.or_else(|| self.by_command.take_if(|by_command| waits(by_command)));
        let (period, as_of) = match own {
            Some((_, period)) => (period, None),
            None => {
                let as_of = by_time(wallet, row, kind);
                if as_of.is_none() {
                    check.fault(match kind {
                        AlertKind::RunOut(_) | AlertKind::Expiring(_) => Fault::NotAtMidnight,
                        _ => Fault::NotCrossed,
                    });
                }
                (wallet.current.start, as_of)
            }
        };
        let terms = wallet.terms_of(period);
        check.day("period", row.period, Some(period));
        check.column("plan", row.plan, Some(terms.plan.id.as_str()));
        check.column("price_version", row.price_version, Some(&*terms.version));
        if !matches!(kind, AlertKind::Expiring(_)) {
            check.column("grant_id", row.grant_id, None);
        }
        as_of
    }

    /// The wallet is followed no further.
    pub(super) fn forget(&mut self) {
        self.alerts.clear();
        self.by_command = None;
        self.crossed = None;
    }

    /// Nothing more comes of the event or timer: nothing may wait.
    pub(super) fn end(&mut self, findings: &mut Findings) {
        self.crossed = None;
        self.alerts.extend(self.by_command.take());
        for (kind, _) in self.alerts.drain(..) {
            let at = || At::Row(self.by.clone());
            findings.add(at, Fault::AlertMissing(kind));
        }
    }
}

/// The moment at which time alone brought about the alert of `row`.
fn by_time(wallet: &Wallet, row: &Entry<'_>, kind: AlertKind) -> Option<Timestamp> {
    if row.idx != TIMER_IDX {
        return None;
    }
    let grant = match row.grant_id {
        Some(GrantId::Named(id)) => Some(id),
        Some(GrantId::Pool(_)) | None => None,
    };
    match kind {
        AlertKind::RunOut(_) | AlertKind::Expiring(_) => {
            midnights(wallet, row.received_at).find(|at| {
                let alerts = wallet.midnight_alerts(*at);
                alerts
                    .iter()
                    .any(|(k, g)| *k == kind && g.as_deref() == grant)
            })
        }
        AlertKind::Status(Status::Ok) => unblocked(wallet, row.received_at),
        AlertKind::Used(_) | AlertKind::Overage | AlertKind::Status(_) => None,
    }
}

/// What time alone should have brought about in a wallet by `now` since its last row, first of all.
pub(super) fn missing(wallet: &Wallet, now: Timestamp) -> Option<AlertKind> {
    let first = |at| wallet.midnight_alerts(at).first().map(|(kind, _)| *kind);
    let at_midnight = midnights(wallet, now).find_map(first);
    let by_start = unblocked(wallet, now).map(|_| AlertKind::Status(Status::Ok));
    at_midnight.or(by_start)
}

/// The midnights up to `now` that may bring a wallet something.
fn midnights(wallet: &Wallet, now: Timestamp) -> impl Iterator<Item = Timestamp> + use<'_> {
    let next = |day: &Day| wallet.midnight_after(*day);
    let days = std::iter::successors(wallet.midnight_after_row(), next);
    days.map(Day::start).take_while(move |at| *at <= now)
}

/// When a grant that began to be alive by `now`, since the wallet's last row, ended its being
/// blocked.
fn unblocked(wallet: &Wallet, now: Timestamp) -> Option<Timestamp> {
    if wallet.status() != Status::Blocked {
        return None;
    }
    let starts = wallet.grants.iter().map(|grant| grant.order.effective_at);
    let starts = starts.filter(|at| wallet.touched < *at && *at <= now);
    starts
        .filter(|at| wallet.balance(*at) > Credits::ZERO)
        .min()
}
