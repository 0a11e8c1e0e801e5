//! All wallets of a shard.
//!
//! Owns finding a wallet and the one function that changes any: `apply`, used alike by the live
//! engine, by recovery and by the audit.
//!
//! Invariant: wallets are what the rows made them, nothing else.

use std::sync::Arc;

use hashbrown::HashMap;
use thiserror::Error;

use crate::domain::calendar::{day_of_month, period_end};
use crate::domain::command::{BadCommand, Granted, Opened};
use crate::domain::entry::{Entry, GrantId, Kind};
use crate::domain::event::Members;
use crate::domain::price::PriceBook;
use crate::domain::timers::{Timer, TimerKind, Timers};
use crate::domain::units::{Credits, Timestamp};
use crate::domain::wallet::{Grant, NextPeriod, Terms, UsageRow, Wallet};

/// The idx of rows that a timer brought.
pub(super) const TIMER_IDX: i32 = -1;

/// A row that no wallet can have brought forth: the ledger or the price folder is not whole.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ApplyError {
    #[error("the row names no `{0}`")]
    Missing(&'static str),
    #[error("the wallet of `{0}` was never opened")]
    NoWallet(String),
    #[error("price version `{version}` with plan `{plan}` is not in the price folder")]
    NoTerms { version: String, plan: String },
    #[error("the command it came from can't be read")]
    Command(#[source] BadCommand),
}

#[derive(Default)]
pub(super) struct Wallets {
    list: Vec<Wallet>,
    places: HashMap<Arc<str>, u32>,
    terms: HashMap<(Arc<str>, String), Arc<Terms>>,
    /// Of each wallet that a checkpoint had: the last row that is in it. Empty once restored.
    as_of_entries: Vec<i64>,
}

/// What a row left behind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Effect {
    /// Σ remaining of the wallet's effective grants.
    pub(super) balance: Credits,
    /// The `used` thresholds that it newly reached, as bits.
    pub(super) reached: u32,
}

impl Wallets {
    pub(super) fn place(&self, customer: &str) -> Option<u32> {
        self.places.get(customer).copied()
    }

    pub(super) fn at(&self, place: u32) -> &Wallet {
        &self.list[place as usize]
    }

    pub(super) fn all(&self) -> &[Wallet] {
        &self.list
    }

    /// Takes a wallet as a checkpoint has it, with the timers that it needs.
    pub(super) fn load(&mut self, wallet: Wallet, as_of_entry: i64, timers: &mut Timers) {
        let ended = wallet.ended.iter();
        let closes = ended.map(|ended| (ended.closes_at, TimerKind::PeriodClose));
        let expiries = wallet.grants.iter();
        let expiries = expiries.filter_map(|g| Some((g.order.expires_at?, TimerKind::GrantExpiry)));
        let end = (wallet.current.end.start(), TimerKind::PeriodEnd);
        for (due, kind) in closes.chain(expiries).chain([end]) {
            timers.add(Timer {
                due,
                customer: Arc::clone(&wallet.customer),
                kind,
            });
        }
        let place = self.list.len() as u32;
        self.places.insert(Arc::clone(&wallet.customer), place);
        self.as_of_entries.push(as_of_entry);
        self.list.push(wallet);
    }

    /// The last row that a wallet had in it when it was loaded; 0 when it was not.
    pub(super) fn as_of_entry(&self, place: u32) -> i64 {
        self.as_of_entries.get(place as usize).copied().unwrap_or(0)
    }

    /// All rows are restored: from now on every row is newer than the wallet it is about.
    pub(super) fn come_alive(&mut self) {
        self.as_of_entries = Vec::new();
    }

    /// The plan as `version` states it.
    pub(super) fn terms(
        &mut self,
        book: &PriceBook,
        version: &str,
        plan: &str,
    ) -> Result<Arc<Terms>, ApplyError> {
        let key = (Arc::from(version), plan.to_owned());
        if let Some(terms) = self.terms.get(&key) {
            return Ok(Arc::clone(terms));
        }
        let table = book.tables().iter().find(|table| table.version == version);
        let found =
            table
                .and_then(|table| table.plan(plan))
                .ok_or_else(|| ApplyError::NoTerms {
                    version: version.to_owned(),
                    plan: plan.to_owned(),
                })?;
        let terms = Arc::new(Terms {
            version: Arc::clone(&key.0),
            plan: found.clone(),
        });
        self.terms.insert(key, Arc::clone(&terms));
        Ok(terms)
    }

    /// Applies a row that opens a wallet; gives its place.
    pub(super) fn apply_opening(
        &mut self,
        row: &Entry<'_>,
        data: &Members<'_>,
        book: &PriceBook,
    ) -> Result<u32, ApplyError> {
        let customer: Arc<str> = Arc::from(needed(row.customer, "customer")?);
        let start = needed(row.period, "period")?;
        let version = needed(row.price_version, "price_version")?;
        let terms = self.terms(book, version, needed(row.plan, "plan")?)?;
        let stated = Opened::anchor_day(data).map_err(ApplyError::Command)?;
        let anchor = stated.unwrap_or(day_of_month(start));
        let end = period_end(start, anchor);
        let wallet = Wallet::open(Arc::clone(&customer), anchor, start, end, terms);
        let place = self.list.len() as u32;
        self.list.push(wallet);
        self.places.insert(customer, place);
        Ok(place)
    }

    /// Applies a row to the wallet that it is about and adds the timers that follow from it.
    /// `data` are the members of the row's own `data`.
    pub(super) fn apply(
        &mut self,
        place: u32,
        row: &Entry<'_>,
        data: &Members<'_>,
        book: &PriceBook,
        timers: &mut Timers,
    ) -> Result<Effect, ApplyError> {
        let as_of = self.as_of(place, row);
        match (row.kind, row.grant_id) {
            (Kind::Usage, grant) => {
                let usage = UsageRow {
                    used_at: needed(row.used_at, "used_at")?,
                    booked: needed(row.period, "period")?,
                    credits: needed(row.credits, "credits")?,
                    grant,
                    billed: row.amount.is_some(),
                };
                self.list[place as usize].apply_usage(usage);
            }
            (Kind::Grant, Some(GrantId::Pool(_))) => self.apply_pool(place, row, book, timers)?,
            (Kind::Grant, Some(GrantId::Named(id))) => {
                let granted = Granted::read(data, row.received_at).map_err(ApplyError::Command)?;
                let order = granted.order;
                let customer = Arc::clone(&self.at(place).customer);
                if let Some(due) = order.expires_at {
                    timers.add(Timer {
                        due,
                        customer,
                        kind: TimerKind::GrantExpiry,
                    });
                }
                let remaining = needed(row.delta, "delta")?;
                let grant = Grant {
                    id: Arc::from(id),
                    order,
                    remaining,
                };
                self.list[place as usize].apply_grant(grant);
            }
            (Kind::Expire, Some(grant)) => self.list[place as usize].apply_expiry(grant),
            (Kind::Grant | Kind::Expire, None) => return Err(ApplyError::Missing("grant_id")),
            (Kind::Wallet | Kind::Prices | Kind::Alert, _)
            | (Kind::Duplicate | Kind::Conflict | Kind::Rejected, _) => {}
        }
        let wallet = &mut self.list[place as usize];
        let balance = wallet.balance(as_of);
        Ok(Effect {
            balance,
            reached: wallet.update_after(balance),
        })
    }

    /// The moment that a row is decided for: a timer's own, however late it fired.
    fn as_of(&self, place: u32, row: &Entry<'_>) -> Timestamp {
        let wallet = self.at(place);
        let due = match (row.kind, row.grant_id) {
            _ if row.idx != TIMER_IDX => None,
            (Kind::Grant, Some(GrantId::Pool(start))) => Some(start.start()),
            (Kind::Expire, Some(GrantId::Pool(start))) => {
                let ended = wallet.ended.iter().find(|ended| ended.start == start);
                ended.map(|ended| ended.closes_at)
            }
            (_, Some(GrantId::Named(id))) => {
                let grant = wallet.grants.iter().find(|grant| &*grant.id == id);
                grant.and_then(|grant| grant.order.expires_at)
            }
            _ => None,
        };
        due.unwrap_or(row.received_at)
    }

    fn apply_pool(
        &mut self,
        place: u32,
        row: &Entry<'_>,
        book: &PriceBook,
        timers: &mut Timers,
    ) -> Result<(), ApplyError> {
        let start = needed(row.period, "period")?;
        let pool = needed(row.delta, "delta")?;
        let version = needed(row.price_version, "price_version")?;
        let terms = self.terms(book, version, needed(row.plan, "plan")?)?;
        let wallet = &mut self.list[place as usize];
        let end = period_end(start, wallet.anchor);
        let rules = book.tables()[book.in_force_or_first(row.received_at)].rules;
        let previous_closes_at = wallet.current.end.start().plus(rules.grace);
        let customer = || Arc::clone(&wallet.customer);
        if start != wallet.current.start {
            let kind = TimerKind::PeriodClose;
            timers.add(Timer {
                due: previous_closes_at,
                customer: customer(),
                kind,
            });
        }
        timers.add(Timer {
            due: end.start(),
            customer: customer(),
            kind: TimerKind::PeriodEnd,
        });
        wallet.apply_pool(
            start,
            end,
            pool,
            NextPeriod {
                terms,
                previous_closes_at,
            },
        );
        Ok(())
    }

    /// Forgets what expired with nothing left in it, which no row tells of.
    pub(super) fn drop_spent(&mut self, place: u32, grant: GrantId<'_>) {
        self.list[place as usize].apply_expiry(grant);
    }
}

fn needed<T>(value: Option<T>, column: &'static str) -> Result<T, ApplyError> {
    value.ok_or(ApplyError::Missing(column))
}
