//! What must hold of any rows, reckoned from the rows alone and held against the engine.
//!
//! Entries and legs run without a gap; for each grant, granted and given back are what remains,
//! was consumed, expired, voided and rolled out; a wallet's deltas add up to what remains, and what
//! it rolls over to nothing; each `balance` is that of the grants effective then.

use std::collections::{BTreeMap, HashMap};

use super::Run;
use super::line::spans;
use crate::domain::calendar::{day_of_month, period_end};
use crate::domain::command::{CLOSED, Granted, Opened, PLAN_CHANGED};
use crate::domain::entry::{Entry, GrantId, Kind, Payload};
use crate::domain::event::Members;
use crate::domain::units::{Day, Timestamp};
use crate::domain::wallet::Wallet;

/// One grant as its rows tell of it; amounts in microcredits.
#[derive(Default)]
struct Told {
    effective_at: Timestamp,
    expires_at: Option<Timestamp>,
    granted: i64,
    given_back: i64,
    consumed: i64,
    expired: i64,
    voided: i64,
    rolled_out: i64,
    /// Voided by a command.
    is_gone: bool,
}

#[derive(Default)]
struct Account<'r> {
    grants: BTreeMap<GrantId<'r>, Told>,
    pool: Option<Day>,
    anchor: u8,
    /// How long what the current period leaves lives on, and what the period before left.
    rollover: Option<u16>,
    rollover_before: Option<u16>,
    /// When the pools of ended periods expire.
    closes: HashMap<Day, Timestamp>,
    voids_at: Option<Timestamp>,
    deltas: i64,
    rolled: i64,
    as_of: Timestamp,
}

impl Told {
    fn remaining(&self) -> i64 {
        let left = self.consumed + self.expired + self.voided + self.rolled_out;
        self.granted + self.given_back - left
    }
}

pub(super) fn check(run: &Run) {
    let mut legs = HashMap::new();
    let mut accounts: BTreeMap<&str, Account<'_>> = BTreeMap::new();
    for (before, row) in run.rows.0.iter().enumerate() {
        assert_eq!(row.entry, before as i64 + 1);
        let leg = legs.entry((row.seq, row.idx)).or_insert(0);
        assert_eq!(row.leg, *leg, "{row:?}");
        *leg += 1;
        let account = row.customer.map(|name| accounts.entry(name).or_default());
        if let (Some(account), true) = (account, row.balance.is_some()) {
            account.add(row, run);
            let balance = row.balance.map(|balance| balance.get());
            // Time alone may make a grant effective just before an alert.
            if row.kind != Kind::Alert || row.idx >= 0 {
                assert_eq!(balance, Some(account.balance()), "{row:?}");
            }
        }
    }
    for wallet in run.engine.wallets().iter() {
        accounts[&*wallet.customer].check(wallet);
    }
}

impl<'r> Account<'r> {
    fn add(&mut self, row: &Entry<'r>, run: &Run) {
        self.deltas += row.delta.map_or(0, |delta| delta.get());
        if row.idx >= 0 {
            self.as_of = row.received_at;
        }
        let grace = || {
            run.book.tables()[run.book.in_force_or_first(row.received_at)]
                .rules
                .grace
        };
        let rollover = || {
            let tables = run.book.tables().iter();
            let mut tables = tables.filter(|table| Some(&*table.version) == row.price_version);
            let plan = tables.next().unwrap().plan(row.plan.unwrap()).unwrap();
            plan.rollover.map(|rollover| rollover.periods)
        };
        let delta = row.delta.map_or(0, |delta| delta.get());
        match (row.kind, row.grant_id) {
            (Kind::Grant, Some(id @ GrantId::Pool(start))) => {
                if Some(start) == self.pool && self.grants.contains_key(&id) {
                    let told = self.grants.get_mut(&id).unwrap();
                    told.granted += delta;
                    told.is_gone &= delta == 0;
                    return;
                }
                if let Some(before) = self.pool.replace(start) {
                    self.closes.insert(before, start.start().plus(grace()));
                }
                self.rollover_before = std::mem::replace(&mut self.rollover, rollover());
                self.grant(row, (start.start(), None));
                self.as_of = self.as_of.max(start.start());
            }
            (Kind::Grant, Some(GrantId::Named(_))) => {
                let Some(Payload::Data(data)) = row.data else {
                    panic!("{row:?}")
                };
                let found = spans(data);
                let granted = Granted::read(&Members::new(data, "", &found), row.received_at);
                let order = granted.unwrap().order;
                self.grant(row, (order.effective_at, order.expires_at));
            }
            (Kind::Rollover, Some(id @ GrantId::Pool(_))) => {
                self.grants.get_mut(&id).unwrap().rolled_out -= delta;
                self.rolled += delta;
            }
            (Kind::Rollover, Some(id @ GrantId::Named(_))) => {
                let start = self.pool.unwrap();
                let periods = 0..self.rollover_before.unwrap();
                let ends = periods.fold(start, |day, _| period_end(day, self.anchor));
                self.grant(row, (start.start(), Some(ends.start())));
                assert!(self.grants.contains_key(&id));
                self.rolled += delta;
            }
            (Kind::Usage, Some(grant)) => {
                let charge = row.credits.unwrap().get();
                assert_eq!(delta, -charge, "{row:?}");
                self.grants.get_mut(&grant).unwrap().consumed += charge;
            }
            (Kind::Reversal, Some(grant)) => {
                assert_eq!(delta, -row.credits.unwrap().get(), "{row:?}");
                self.grants.get_mut(&grant).unwrap().given_back += delta;
            }
            (Kind::Expire, Some(grant)) => {
                let told = self.grants.get_mut(&grant).unwrap();
                assert_eq!(delta, -told.remaining(), "{row:?}");
                told.expired -= delta;
                if row.idx >= 0 {
                    return;
                }
                self.as_of = match grant {
                    GrantId::Pool(start) => self.closes[&start],
                    GrantId::Named(_) => told.expires_at.unwrap(),
                };
            }
            (Kind::Void, Some(grant)) => {
                let told = self.grants.get_mut(&grant).unwrap();
                assert_eq!(delta, -told.remaining(), "{row:?}");
                told.voided -= delta;
                told.is_gone = true;
                if row.idx < 0 {
                    self.as_of = self.voids_at.unwrap();
                }
            }
            (Kind::Wallet, None) => {
                assert_eq!(row.delta, None, "{row:?}");
                match row.event_type {
                    Some(CLOSED) => self.voids_at = Some(row.received_at.plus(grace())),
                    Some(PLAN_CHANGED) => self.rollover = rollover(),
                    _ => {
                        let data = match row.data {
                            Some(Payload::Data(data)) => data,
                            _ => "",
                        };
                        let found = spans(data);
                        let stated = Opened::anchor_day(&Members::new(data, "", &found)).unwrap();
                        self.anchor = stated.unwrap_or(day_of_month(row.period.unwrap()));
                    }
                }
            }
            (Kind::Usage | Kind::Reversal, None) => assert_eq!(row.delta, None, "{row:?}"),
            (Kind::Alert, _) => assert_eq!(row.delta, None, "{row:?}"),
            _ => panic!("{row:?}"),
        }
    }

    fn grant(
        &mut self,
        row: &Entry<'r>,
        (effective_at, expires_at): (Timestamp, Option<Timestamp>),
    ) {
        let told = Told {
            effective_at,
            expires_at,
            granted: row.delta.unwrap().get(),
            ..Told::default()
        };
        let before = self.grants.insert(row.grant_id.unwrap(), told);
        assert!(
            before.is_none_or(|told| told.remaining() == 0),
            "granted twice: {row:?}"
        );
    }

    /// Of the grants effective at `as_of`.
    fn balance(&self) -> i64 {
        let effective = self.grants.iter().filter(|(id, told)| match id {
            GrantId::Pool(start) => Some(*start) == self.pool && !told.is_gone,
            GrantId::Named(_) => {
                let is_over = told.expires_at.is_some_and(|end| end <= self.as_of);
                told.effective_at <= self.as_of && !is_over && !told.is_gone
            }
        });
        effective.map(|(_, told)| told.remaining()).sum()
    }

    fn check(&self, wallet: &Wallet) {
        let mut remaining = BTreeMap::new();
        remaining.insert(
            GrantId::Pool(wallet.current.start),
            wallet.current.remaining.get(),
        );
        for ended in &wallet.ended {
            remaining.insert(GrantId::Pool(ended.start), ended.remaining.get());
        }
        for grant in &wallet.grants {
            remaining.insert(GrantId::Named(&grant.id), grant.remaining.get());
        }
        for (id, told) in &self.grants {
            let left = remaining.remove(id).unwrap_or(0);
            let rises = [told.consumed, told.expired, told.voided, told.rolled_out];
            assert!(left >= 0 && rises.iter().all(|total| *total >= 0), "{id}");
            assert_eq!(told.remaining(), left, "{id}");
        }
        assert_eq!(self.rolled, 0, "{}", wallet.customer);
        assert!(remaining.is_empty(), "{remaining:?}");
        let left = self.grants.values().map(Told::remaining).sum::<i64>();
        assert_eq!(self.deltas, left, "{}", wallet.customer);
    }
}
