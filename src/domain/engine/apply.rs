//! The one function that changes a wallet.
//!
//! Owns what each kind of row does to the wallet that it is about, and the timers that follow.
//! Used alike by the live engine, by recovery and by the audit.
//!
//! Invariant: what a row does depends on the row, the wallet and the price tables alone.

use std::sync::Arc;

use super::wallets::{ApplyError, Effect, TIMER_IDX, Wallets};
use crate::domain::calendar::period_end;
use crate::domain::command::{CLOSED, ChangeAt, Granted, Opened, PLAN_CHANGED, PlanChanged};
use crate::domain::entry::{Entry, GrantId, Kind, Note};
use crate::domain::event::Members;
use crate::domain::price::PriceBook;
use crate::domain::timers::{Timer, TimerKind, Timers};
use crate::domain::units::{Credits, Timestamp};
use crate::domain::wallet::apply::{NextPeriod, Pool, UsageRow};
use crate::domain::wallet::{BurnOrder, Closing, Grant, Terms, Wallet, rollover_id};

impl Wallets {
    /// Applies a row that opens a wallet, or opens it anew; gives its place.
    pub(super) fn apply_opening(
        &mut self,
        row: &Entry<'_>,
        data: &Members<'_>,
        (book, timers): (&PriceBook, &mut Timers),
    ) -> Result<u32, ApplyError> {
        let customer: Arc<str> = Arc::from(needed(row.customer, "customer")?);
        let start = needed(row.period, "period")?;
        let terms = self.row_terms(row, book)?;
        let stated = Opened::anchor_day(data).map_err(ApplyError::Command)?;
        let first = self.first_period(start, stated);
        let (anchor, end) = (first.anchor, first.end);
        let wallet = Wallet::open(Arc::clone(&customer), anchor, start, end, terms);
        timers.add(Timer {
            due: end.start(),
            customer: Arc::clone(&customer),
            kind: TimerKind::PeriodEnd,
        });
        Ok(self.put(wallet))
    }

    /// Applies a row to the wallet that it is about and adds the timers that follow from it.
    /// `data` are the members of the row's own `data`.
    pub(super) fn apply(
        &mut self,
        place: u32,
        row: &Entry<'_>,
        data: &Members<'_>,
        (book, timers): (&PriceBook, &mut Timers),
    ) -> Result<Effect, ApplyError> {
        let (as_of, before) = (self.as_of(place, row), self.at(place).status());
        let mut overage = None;
        match (row.kind, row.grant_id) {
            (Kind::Usage | Kind::Reversal, grant) => {
                let usage = UsageRow {
                    used_at: needed(row.used_at, "used_at")?,
                    booked: needed(row.period, "period")?,
                    credits: needed(row.credits, "credits")?,
                    grant,
                    billed: row.amount.is_some(),
                };
                overage = self.list[place].apply_usage(usage);
            }
            (Kind::Grant, Some(GrantId::Pool(_))) => self.apply_pool(place, row, (book, timers))?,
            (Kind::Grant, Some(GrantId::Named(id))) => {
                let granted = Granted::read(data, row.received_at).map_err(ApplyError::Command)?;
                let remaining = needed(row.delta, "delta")?;
                self.apply_grant(place, (id, granted.order, remaining), row, timers);
            }
            (Kind::Rollover, Some(GrantId::Pool(start))) => {
                let moved = needed(row.delta, "delta")?.get().saturating_neg();
                self.list[place].apply_rollover_out(start, Credits::new(moved));
            }
            (Kind::Rollover, Some(GrantId::Named(id))) => {
                let order = self.rollover_order(place, id)?;
                let remaining = needed(row.delta, "delta")?;
                self.apply_grant(place, (id, order, remaining), row, timers);
            }
            (Kind::Expire, Some(GrantId::Pool(start))) if row.idx != TIMER_IDX => {
                self.list[place].apply_returned_in_vain(start, as_of);
            }
            (Kind::Expire, Some(grant)) => self.list[place].apply_expiry(grant),
            (Kind::Void, Some(grant)) => self.list[place].apply_void(grant),
            (Kind::Grant | Kind::Expire | Kind::Void | Kind::Rollover, None) => {
                return Err(ApplyError::Missing("grant_id"));
            }
            (Kind::Wallet, _) => self.apply_change(place, row, data, (book, timers))?,
            (Kind::Alert, grant) => {
                if let Some(Note::Alert(alert)) = row.reason {
                    self.list[place].apply_alert(alert, grant);
                }
                // What was told changes neither credits nor what is worth an alert.
                let balance = row.balance.unwrap_or_default();
                let crossed = None;
                return Ok(Effect { balance, crossed });
            }
            (Kind::Prices | Kind::Tick, _) => {}
            (Kind::Duplicate | Kind::Conflict | Kind::Rejected, _) => {}
        }
        let wallet = &mut self.list[place];
        let is_timer = row.idx == TIMER_IDX;
        // The midnight at which a timer is due comes after it; a grant that is over when it comes
        // has a timer that is due before.
        let touched = as_of.plus(-i64::from(is_timer));
        wallet.touched = wallet.touched.max(touched);
        let balance = wallet.balance(as_of);
        let crossed = wallet.update_after((as_of, balance), before, overage);
        timers.list(place, wallet.midnight_after_row());
        Ok(Effect { balance, crossed })
    }

    /// The moment that a row is decided for: a timer's own, however late it fired.
    fn as_of(&self, place: u32, row: &Entry<'_>) -> Timestamp {
        let wallet = self.at(place);
        let ended = |start| wallet.ended.iter().find(|ended| ended.start == start);
        let due = match (row.kind, row.grant_id) {
            _ if row.idx != TIMER_IDX => None,
            (Kind::Grant, Some(GrantId::Pool(start))) => Some(start.start()),
            // The pool of the new period has its row before.
            (Kind::Rollover, _) => Some(wallet.current.start.start()),
            (Kind::Void, _) => wallet.closing().map(|closing| closing.voids_at),
            (Kind::Expire, Some(GrantId::Pool(start))) => ended(start).map(|x| x.closes_at),
            (_, Some(GrantId::Named(id))) => {
                let grant = wallet.grants.iter().find(|grant| &*grant.id == id);
                grant.and_then(|grant| grant.order.expires_at)
            }
            _ => None,
        };
        due.unwrap_or(row.received_at)
    }

    fn row_terms(&mut self, row: &Entry<'_>, book: &PriceBook) -> Result<Arc<Terms>, ApplyError> {
        let version = needed(row.price_version, "price_version")?;
        self.terms.get(book, version, needed(row.plan, "plan")?)
    }

    fn apply_pool(
        &mut self,
        place: u32,
        row: &Entry<'_>,
        (book, timers): (&PriceBook, &mut Timers),
    ) -> Result<(), ApplyError> {
        let start = needed(row.period, "period")?;
        let terms = self.row_terms(row, book)?;
        let wallet = &mut self.list[place];
        let end = match start == wallet.current.start {
            true => wallet.current.end,
            false => period_end(start, wallet.anchor),
        };
        let rules = book.tables()[book.in_force_or_first(row.received_at)].rules;
        let previous_closes_at = wallet.current.end.start().plus(rules.grace);
        if start != wallet.current.start {
            let ends = (end.start(), TimerKind::PeriodEnd);
            for (due, kind) in [(previous_closes_at, TimerKind::PeriodClose), ends] {
                timers.add(Timer {
                    due,
                    customer: Arc::clone(&wallet.customer),
                    kind,
                });
            }
        }
        let pool = Pool {
            start,
            end,
            credits: needed(row.delta, "delta")?,
            fee: row.amount.unwrap_or_default(),
        };
        wallet.apply_pool(
            pool,
            NextPeriod {
                terms,
                previous_closes_at,
            },
        );
        Ok(())
    }

    fn apply_grant(
        &mut self,
        place: u32,
        (id, order, remaining): (&str, BurnOrder, Credits),
        row: &Entry<'_>,
        timers: &mut Timers,
    ) {
        let wallet = &mut self.list[place];
        let starts = (order.effective_at > row.received_at).then_some(order.effective_at);
        let starts = starts.map(|due| (due, TimerKind::GrantStart));
        let expires = order.expires_at.map(|due| (due, TimerKind::GrantExpiry));
        for (due, kind) in starts.into_iter().chain(expires) {
            timers.add(Timer {
                due,
                customer: Arc::clone(&wallet.customer),
                kind,
            });
        }
        wallet.apply_grant(Grant {
            id: Arc::from(id),
            order,
            remaining,
            expiring_told: false,
        });
    }

    /// Where a rollover stands among the grants that may pay, by the ended period's plan.
    fn rollover_order(&self, place: u32, id: &str) -> Result<BurnOrder, ApplyError> {
        let wallet = self.at(place);
        let from = wallet.ended.last().filter(|ended| {
            let names_it = rollover_id(ended.start) == id;
            names_it && ended.end == wallet.current.start
        });
        let rollover = from.and_then(|ended| ended.terms.plan.rollover);
        let rollover = rollover.ok_or_else(|| ApplyError::NoRollover(id.to_owned()))?;
        let begins = wallet.current.start;
        Ok(BurnOrder::rolled_over(
            begins,
            rollover.periods,
            wallet.anchor,
        ))
    }

    /// Applies a command's own row that gives and takes nothing: a change of plan, or the closing.
    fn apply_change(
        &mut self,
        place: u32,
        row: &Entry<'_>,
        data: &Members<'_>,
        (book, timers): (&PriceBook, &mut Timers),
    ) -> Result<(), ApplyError> {
        match row.event_type {
            Some(PLAN_CHANGED) => {
                let change = PlanChanged::read(data).map_err(ApplyError::Command)?;
                match change.at {
                    ChangeAt::Now => {
                        let terms = self.row_terms(row, book)?;
                        self.list[place].apply_plan(terms);
                    }
                    ChangeAt::NextPeriod => {
                        self.list[place].apply_next_plan(change.plan);
                    }
                }
            }
            Some(CLOSED) => {
                let rules = book.tables()[book.in_force_or_first(row.received_at)].rules;
                let closing = Closing {
                    closed_at: row.received_at,
                    voids_at: row.received_at.plus(rules.grace),
                };
                let wallet = &mut self.list[place];
                wallet.apply_closing(closing);
                timers.add(Timer {
                    due: closing.voids_at,
                    customer: Arc::clone(&wallet.customer),
                    kind: TimerKind::WalletClose,
                });
            }
            _ => return Err(ApplyError::Missing("event_type")),
        }
        Ok(())
    }
}

/// Whether a row opens a wallet, by a command or by a first usage; other rows of its kind change
/// one.
pub fn is_opening(row: &Entry<'_>) -> bool {
    row.kind == Kind::Wallet && !matches!(row.event_type, Some(PLAN_CHANGED | CLOSED))
}

fn needed<T>(value: Option<T>, column: &'static str) -> Result<T, ApplyError> {
    value.ok_or(ApplyError::Missing(column))
}
