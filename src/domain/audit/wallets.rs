//! Wallets: their books, and the wallets that the engine's own function folds from the same rows.
//!
//! Owns which check a wallet's row goes through, and that both reckonings agree. Leaves what a
//! row should say to `charge`, `reversals`, `grants` and `alerts`.
//!
//! Invariant: a wallet is folded from rows that can be right alone. After any other it is followed
//! no further, and only its books and charges are.

use std::sync::Arc;

use hashbrown::HashMap;

use super::alerts::{Waiting, missing};
use super::books::{Account, micros};
use super::charge::{self, Charge};
use super::finding::{At, Fault, Findings, RowCheck};
use super::grants;
use super::report::Report;
use super::reversals::{Named, Reversals};
use super::sequence::{Step, TIMER_IDX};
use crate::domain::command::CLOSED;
use crate::domain::engine::{Fold, is_opening};
use crate::domain::entry::{Entry, GrantId, Kind, Status};
use crate::domain::event::Members;
use crate::domain::price::PriceBook;
use crate::domain::units::{Credits, Timestamp};
use crate::domain::wallet::Wallet;

#[derive(Default)]
pub(super) struct Wallets {
    accounts: HashMap<Arc<str>, Account>,
    fold: Fold,
    charge: Charge,
    reversals: Reversals,
    waiting: Waiting,
}

impl Wallets {
    /// A reversal of this charge is to come.
    pub(super) fn expect(&mut self, charge: Named) {
        self.reversals.expect(charge);
    }

    /// How many wallets there are rows of.
    pub(super) fn opened(&self) -> u64 {
        self.accounts.len() as u64
    }

    /// The wallet of `customer`, if it is followed.
    pub(super) fn followed(&self, customer: &str) -> Option<&Wallet> {
        let account = self.accounts.get(customer)?;
        let wallet = self.fold.wallet(customer);
        wallet.filter(|_| account.is_followed)
    }

    /// Before any row: ends what the rows before it were about.
    pub(super) fn step(&mut self, row: &Entry<'_>, step: Step, findings: &mut Findings) {
        if step == Step::Next {
            self.charge.end(findings);
            self.reversals.end(findings);
        }
        let goes_on = matches!(row.kind, Kind::Alert | Kind::Rollover);
        if !goes_on && step == Step::Next {
            self.waiting.end(findings);
        }
    }

    /// Whether the row is the one that tells of an accepted event.
    pub(super) fn is_accepting(&self, row: &Entry<'_>) -> bool {
        match row.kind {
            Kind::Usage => !self.charge.has_begun(),
            Kind::Reversal => !self.reversals.has_begun(),
            Kind::Wallet | Kind::Grant | Kind::Void => row.data.is_some(),
            Kind::Expire | Kind::Rollover | Kind::Alert | Kind::Prices | Kind::Tick => false,
            Kind::Duplicate | Kind::Conflict | Kind::Rejected => false,
        }
    }

    /// Looks at a wallet's row; `is_whole` when it has all columns of its kind.
    pub(super) fn row(
        &mut self,
        check: &mut RowCheck<'_, '_>,
        book: &PriceBook,
        data: Option<&Members<'_>>,
        is_whole: bool,
    ) {
        let Some(customer) = check.row.customer else {
            return;
        };
        let is_opening = is_opening(check.row);
        let is_known = self.accounts.contains_key(customer);
        if !is_known && !is_opening {
            check.fault(Fault::NoWallet);
        }
        if is_known && is_opening && !self.is_over(customer, check.row.received_at) {
            check.fault(Fault::AlreadyOpen);
            self.unfollow(customer);
        } else if !is_known || is_opening {
            let account = self.accounts.entry(customer.into()).or_default();
            account.is_followed |= !is_known && is_opening;
            if is_opening {
                account.open();
                if is_known && account.is_followed {
                    self.waiting.status(check.row, Status::Ok);
                }
            }
        }
        if check.row.idx == TIMER_IDX && check.row.kind != Kind::Alert {
            self.none_missing(check, customer);
        }
        let is_sound = match check.row.kind {
            Kind::Alert => {
                self.alert(check, book, customer);
                return;
            }
            _ => self.own_row(check, book, data, customer),
        };
        self.settle(check, (book, data), customer, is_whole && is_sound);
    }

    /// Before a timer's row: what time should have brought about earlier has been told.
    fn none_missing(&mut self, check: &mut RowCheck<'_, '_>, customer: &str) {
        let wallet = self.followed(customer);
        let account = self.accounts.get(customer);
        let alert = wallet.zip(account).and_then(|(wallet, account)| {
            let due = grants::as_of(check.row, account, Some(wallet));
            missing(wallet, due.plus(-1))
        });
        if let Some(alert) = alert {
            check.fault(Fault::AlertMissing(alert));
            self.unfollow(customer);
        }
    }

    /// Whether the wallet was closed, and the grace after that is over.
    fn is_over(&self, customer: &str, now: Timestamp) -> bool {
        let closing = self.followed(customer).and_then(|wallet| wallet.closing());
        closing.is_some_and(|closing| closing.voids_at <= now)
    }

    /// What the row says of itself; true when the wallet can take it.
    fn own_row(
        &mut self,
        check: &mut RowCheck<'_, '_>,
        book: &PriceBook,
        data: Option<&Members<'_>>,
        customer: &str,
    ) -> bool {
        let row = check.row;
        let Some(account) = self.accounts.get_mut(customer) else {
            return false;
        };
        let wallet = self.fold.wallet(customer);
        let wallet = wallet.filter(|_| account.is_followed);
        match (row.kind, row.grant_id) {
            (Kind::Usage, _) => {
                let used_at = row.used_at.unwrap_or_default();
                if wallet.is_some_and(|wallet| !wallet.takes(used_at, row.received_at)) {
                    check.fault(Fault::Closed);
                }
                self.reversals.usage(row, !self.charge.has_begun());
                let is_planned = self.charge.leg(check, book, data, wallet);
                charge::paid(check, account) && is_planned
            }
            (Kind::Reversal, _) => {
                grants::current(check, wallet);
                let is_turned = self.reversals.row(check, data);
                charge::given_back(check, account) && is_turned
            }
            (Kind::Grant, Some(GrantId::Pool(start))) => {
                grants::pool(check, book, (account, start), wallet)
            }
            (Kind::Grant, Some(GrantId::Named(id))) => {
                grants::named(check, (account, id), data, wallet)
            }
            (Kind::Expire, Some(grant)) => grants::expiry(check, (account, grant), wallet),
            (Kind::Void, Some(grant)) => grants::void(check, (account, grant), data, wallet),
            (Kind::Rollover, Some(grant)) => grants::rollover(check, (account, grant), wallet),
            (Kind::Wallet, _) if is_opening(row) => grants::opening(check, book, data),
            (Kind::Wallet, _) => grants::change(check, (book, data), account, wallet),
            (Kind::Grant | Kind::Expire | Kind::Void | Kind::Rollover, None) => false,
            (Kind::Alert | Kind::Prices | Kind::Tick, _)
            | (Kind::Duplicate | Kind::Conflict | Kind::Rejected, _) => false,
        }
    }

    /// A wallet's own timers fire before its own event: none is due any more.
    pub(super) fn none_due(&mut self, check: &mut RowCheck<'_, '_>) {
        let row = check.row;
        // A wallet's first pool follows its opening.
        let is_pool = matches!(row.grant_id, Some(GrantId::Pool(_))) && row.kind == Kind::Grant;
        // What was given back to a grant that is gone ends in the row after.
        let is_own = row.idx != TIMER_IDX && !is_pool && row.kind != Kind::Expire;
        if let Some(customer) = row.customer.filter(|_| is_own)
            && let Some(fault) = self.overdue(customer, (row.received_at, row.entry))
        {
            check.fault(fault);
        }
    }

    /// What of a wallet should have ended by `now` and has not, but for what was granted from entry
    /// `from` on.
    fn overdue(&mut self, customer: &str, (now, from): (Timestamp, i64)) -> Option<Fault> {
        let account = self.accounts.get_mut(customer)?;
        let lacks_pool = account.is_followed && (account.awaits_pool || account.awaits_more);
        let no_pool = lacks_pool.then_some(Fault::NoPool);
        let rolling = account.rolling.take();
        let rolling = rolling.map(|rolling| Fault::NotRolledOver(rolling.credits));
        let grant = account.sweep((now, from), |spent| self.fold.drop_spent(customer, spent));
        let remaining = account.remaining();
        let wallet = || {
            let wallet = self.followed(customer)?;
            if let Some(closing) = wallet.closing() {
                let is_left = closing.voids_at <= now && remaining != 0;
                let remaining = micros(remaining);
                return is_left.then_some(Fault::NotVoided { remaining });
            }
            let end = wallet.current.end;
            let period = (end.start() <= now).then_some(Fault::PeriodOverdue(end));
            period.or_else(|| missing(wallet, now).map(Fault::AlertMissing))
        };
        let overdue = no_pool.or(rolling).or(grant).or_else(wallet);
        if overdue.is_some() {
            self.unfollow(customer);
        }
        overdue
    }

    /// The row's balance, and what the wallet makes of the row.
    fn settle(
        &mut self,
        check: &mut RowCheck<'_, '_>,
        (book, data): (&PriceBook, Option<&Members<'_>>),
        customer: &str,
        is_sound: bool,
    ) {
        let row = check.row;
        let Some(account) = self.accounts.get_mut(customer) else {
            return;
        };
        let wallet = self.fold.wallet(customer);
        let wallet = wallet.filter(|_| account.is_followed);
        let own = account.balance(grants::as_of(row, account, wallet));
        balance(check, account, own);
        if !account.is_followed {
            return;
        }
        if !is_sound {
            self.unfollow(customer);
            return;
        }
        match self.fold.apply(row, data.unwrap_or(&Members::NONE), book) {
            Ok(folded) if i128::from(folded.balance.get()) == own => {
                let wallet = self.fold.wallet(customer);
                if let Some(wallet) = wallet {
                    self.waiting.add(row, folded.crossed, wallet);
                }
                if row.event_type == Some(CLOSED) && row.kind == Kind::Wallet {
                    self.waiting.status(row, Status::Closed);
                }
            }
            Ok(folded) => {
                let (folded, own) = (folded.balance, micros(own));
                check.fault(Fault::Fold { folded, own });
                self.unfollow(customer);
            }
            Err(error) => {
                check.fault(Fault::Apply(error));
                self.unfollow(customer);
            }
        }
    }

    fn alert(&mut self, check: &mut RowCheck<'_, '_>, book: &PriceBook, customer: &str) {
        let Some(account) = self.accounts.get_mut(customer) else {
            return;
        };
        let wallet = self.fold.wallet(customer);
        let wallet = wallet.filter(|_| account.is_followed);
        let as_of = wallet.and_then(|wallet| self.waiting.alert(check, wallet));
        let own = match as_of {
            Some(as_of) => account.balance(as_of),
            None => account.same_balance(),
        };
        balance(check, account, own);
        if wallet.is_some()
            && let Err(error) = self.fold.apply(check.row, &Members::NONE, book)
        {
            check.fault(Fault::Apply(error));
            self.unfollow(customer);
        }
    }

    fn unfollow(&mut self, customer: &str) {
        if let Some(account) = self.accounts.get_mut(customer) {
            account.is_followed = false;
        }
        self.waiting.forget();
    }

    /// After the last message, which began with entry `from` and fired all that was due by `now`.
    pub(super) fn none_due_at_all(
        &mut self,
        (now, from): (Timestamp, i64),
        findings: &mut Findings,
    ) {
        let customers: Vec<Arc<str>> = self.accounts.keys().cloned().collect();
        for customer in customers {
            if let Some(fault) = self.overdue(&customer, (now, from)) {
                findings.add(|| At::Wallet(customer.to_string()), fault);
            }
        }
    }

    /// After the last row; gives Σ remaining of all grants, in microcredits.
    pub(super) fn end(&mut self, findings: &mut Findings) -> i128 {
        self.charge.end(findings);
        self.reversals.end(findings);
        self.waiting.end(findings);
        let mut sum = 0;
        for (customer, account) in &self.accounts {
            sum += account.remaining();
            let Some(wallet) = self.followed(customer) else {
                continue;
            };
            for (grant, own) in account.each() {
                let folded = remaining(wallet, grant);
                if i128::from(folded.get()) != own {
                    let (grant, own) = (grant.to_string(), micros(own));
                    let fault = Fault::FoldedGrant { grant, folded, own };
                    findings.add(|| At::Wallet(customer.to_string()), fault);
                }
            }
        }
        sum
    }

    pub(super) fn count(&self, report: &mut Report) {
        report.charges = self.charge.computed;
        report.wallets = self.accounts.len() as u64;
        let lost = self
            .accounts
            .values()
            .filter(|account| !account.is_followed);
        report.unfollowed = lost.count() as u64;
    }
}

fn balance(check: &mut RowCheck<'_, '_>, account: &mut Account, own: i128) {
    let Some(stated) = check.row.balance else {
        return;
    };
    if account.is_news(stated, own) {
        check.column("balance", Some(stated.to_string()), Some(micros(own)));
    }
}

/// What a grant of a folded wallet has left: nothing in one that is gone.
fn remaining(wallet: &Wallet, grant: GrantId<'_>) -> Credits {
    let found = match grant {
        GrantId::Pool(start) if start == wallet.current.start => Some(wallet.current.remaining),
        GrantId::Pool(start) => {
            let mut ended = wallet.ended.iter();
            ended.find(|x| x.start == start).map(|x| x.remaining)
        }
        GrantId::Named(id) => {
            let mut grants = wallet.grants.iter();
            grants.find(|x| &*x.id == id).map(|x| x.remaining)
        }
    };
    found.unwrap_or_default()
}
