//! Wallets: their books, and the wallets that the engine's own function folds from the same rows.
//!
//! Owns which check a wallet's row goes through, and that both reckonings agree. Leaves what a
//! row should say to `charge`, `grants` and `alerts`.
//!
//! Invariant: a wallet is folded from rows that can be right alone. After any other it is followed
//! no further, and only its books and charges are.

use std::sync::Arc;

use hashbrown::HashMap;

use super::alerts::Crossed;
use super::books::{Account, micros};
use super::charge::Charge;
use super::finding::{At, Fault, Findings, RowCheck};
use super::grants;
use super::report::Report;
use super::sequence::{Step, TIMER_IDX};
use crate::domain::engine::Fold;
use crate::domain::entry::{Entry, GrantId, Kind};
use crate::domain::event::Members;
use crate::domain::price::PriceBook;
use crate::domain::units::{Credits, Timestamp};
use crate::domain::wallet::Wallet;

#[derive(Default)]
pub(super) struct Wallets {
    accounts: HashMap<Arc<str>, Account>,
    fold: Fold,
    charge: Charge,
    crossed: Crossed,
}

impl Wallets {
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
        }
        let goes_on = row.kind == Kind::Alert || (row.kind, step) == (Kind::Usage, Step::SameEvent);
        if !goes_on {
            self.crossed.end(findings);
        }
    }

    /// Whether the row is the one that tells of an accepted event.
    pub(super) fn is_accepting(&self, row: &Entry<'_>) -> bool {
        match row.kind {
            Kind::Usage => !self.charge.has_begun(),
            Kind::Wallet | Kind::Grant => row.data.is_some(),
            Kind::Expire | Kind::Alert | Kind::Prices => false,
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
        if !self.accounts.contains_key(customer) {
            let is_opened = check.row.kind == Kind::Wallet;
            if !is_opened {
                check.fault(Fault::NoWallet);
            }
            let mut account = Account::default();
            account.is_followed = is_opened;
            self.accounts.insert(customer.into(), account);
        } else if check.row.kind == Kind::Wallet {
            check.fault(Fault::AlreadyOpen);
            self.unfollow(customer);
        }
        let is_sound = match check.row.kind {
            Kind::Alert => {
                self.alert(check, customer);
                return;
            }
            _ => self.own_row(check, book, data, customer),
        };
        self.settle(check, (book, data), customer, is_whole && is_sound);
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
                let is_planned = self.charge.leg(check, book, data, wallet);
                paid(check, account) && is_planned
            }
            (Kind::Grant, Some(GrantId::Pool(start))) => {
                grants::pool(check, book, (account, start), wallet)
            }
            (Kind::Grant, Some(GrantId::Named(id))) => {
                grants::named(check, (account, id), data, wallet)
            }
            (Kind::Expire, Some(grant)) => grants::expiry(check, (account, grant), wallet),
            (Kind::Wallet, _) => grants::opening(check, book, data),
            (Kind::Grant | Kind::Expire, None) => false,
            (Kind::Alert | Kind::Prices, _)
            | (Kind::Duplicate | Kind::Conflict | Kind::Rejected, _) => false,
        }
    }

    /// A wallet's own timers fire before its own event: none is due any more.
    pub(super) fn none_due(&mut self, check: &mut RowCheck<'_, '_>) {
        let row = check.row;
        // A wallet's first pool follows its opening.
        let is_pool = matches!(row.grant_id, Some(GrantId::Pool(_))) && row.kind == Kind::Grant;
        let is_own = row.idx != TIMER_IDX && !is_pool;
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
        let lacks_pool = account.is_followed && account.pool.is_none();
        let no_pool = lacks_pool.then_some(Fault::NoPool);
        let grant = account.sweep((now, from), |spent| self.fold.drop_spent(customer, spent));
        let period = || {
            let end = self.followed(customer)?.current.end;
            (end.start() <= now).then_some(Fault::PeriodOverdue(end))
        };
        let overdue = no_pool.or(grant).or_else(period);
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
        let own = account.balance(grants::as_of(row, account));
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
                self.crossed.add(row, folded.reached, wallet);
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

    fn alert(&mut self, check: &mut RowCheck<'_, '_>, customer: &str) {
        let Some(account) = self.accounts.get_mut(customer) else {
            return;
        };
        let own = account.same_balance();
        balance(check, account, own);
        let wallet = self.fold.wallet(customer);
        if let Some(wallet) = wallet.filter(|_| account.is_followed) {
            self.crossed.alert(check, wallet);
        }
    }

    fn unfollow(&mut self, customer: &str) {
        if let Some(account) = self.accounts.get_mut(customer) {
            account.is_followed = false;
        }
        self.crossed.forget();
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
        self.crossed.end(findings);
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

/// A usage row takes from its grant what it charges.
fn paid(check: &mut RowCheck<'_, '_>, account: &mut Account) -> bool {
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
