//! What must hold of any rows, reckoned from the rows alone and held against the engine.
//!
//! Entries and legs run without a gap; for each grant, granted = consumed + expired + remaining;
//! a wallet's deltas add up to what remains; each `balance` is that of the grants effective then.

use std::collections::{BTreeMap, HashMap};

use super::Run;
use super::line::spans;
use crate::domain::command::Granted;
use crate::domain::entry::{Entry, GrantId, Kind, Payload};
use crate::domain::event::Members;
use crate::domain::units::{Day, Timestamp};
use crate::domain::wallet::Wallet;

/// One grant as its rows tell of it; amounts in microcredits.
struct Told {
    effective_at: Timestamp,
    expires_at: Option<Timestamp>,
    granted: i64,
    consumed: i64,
    expired: i64,
}

#[derive(Default)]
struct Account<'r> {
    grants: BTreeMap<GrantId<'r>, Told>,
    pool: Option<Day>,
    /// When the pools of ended periods expire.
    closes: HashMap<Day, Timestamp>,
    deltas: i64,
    as_of: Timestamp,
}

impl Told {
    fn remaining(&self) -> i64 {
        self.granted - self.consumed - self.expired
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
            let balance = account.balance();
            assert_eq!(
                row.balance.map(|balance| balance.get()),
                Some(balance),
                "{row:?}"
            );
        }
    }
    for wallet in run.engine.wallets() {
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
        match (row.kind, row.grant_id) {
            (Kind::Grant, Some(GrantId::Pool(start))) => {
                if let Some(before) = self.pool.replace(start) {
                    self.closes.insert(before, start.start().plus(grace()));
                }
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
            (Kind::Usage, Some(grant)) => {
                let charge = row.credits.unwrap().get();
                assert_eq!(row.delta.unwrap().get(), -charge, "{row:?}");
                self.grants.get_mut(&grant).unwrap().consumed += charge;
            }
            (Kind::Expire, Some(grant)) => {
                let told = self.grants.get_mut(&grant).unwrap();
                assert_eq!(row.delta.unwrap().get(), -told.remaining(), "{row:?}");
                told.expired = told.remaining();
                self.as_of = match grant {
                    GrantId::Pool(start) => self.closes[&start],
                    GrantId::Named(_) => told.expires_at.unwrap(),
                };
            }
            (Kind::Usage, None) => assert_eq!(row.delta, None, "{row:?}"),
            (Kind::Wallet | Kind::Alert, None) => assert_eq!(row.delta, None, "{row:?}"),
            _ => panic!("{row:?}"),
        }
    }

    fn grant(
        &mut self,
        row: &Entry<'r>,
        (effective_at, expires_at): (Timestamp, Option<Timestamp>),
    ) {
        let granted = row.delta.unwrap().get();
        let told = Told {
            effective_at,
            expires_at,
            granted,
            consumed: 0,
            expired: 0,
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
            GrantId::Pool(start) => Some(*start) == self.pool,
            GrantId::Named(_) => {
                let is_over = told.expires_at.is_some_and(|end| end <= self.as_of);
                told.effective_at <= self.as_of && !is_over
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
            assert!(left >= 0 && told.consumed >= 0 && told.expired >= 0, "{id}");
            assert_eq!(told.granted, told.consumed + told.expired + left, "{id}");
        }
        assert!(remaining.is_empty(), "{remaining:?}");
        let left = self.grants.values().map(Told::remaining).sum::<i64>();
        assert_eq!(self.deltas, left, "{}", wallet.customer);
    }
}
