//! Books kept from rows alone.
//!
//! Owns each grant's sums, and holding them against the engine's wallets. For each grant: granted +
//! given back = remaining + consumed + expired + voided + rolled out; what is rolled out is rolled
//! in; all deltas add up to what remains.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use purser::domain::command::Reversed;
use purser::domain::engine::Charged;
use purser::domain::entry::{Entry, Kind, Sink};
use purser::domain::wallet::list::WalletList;

use crate::dice::Dice;

/// Charges that may be taken back.
const CHARGES: usize = 4_096;
/// Grants that may be voided.
const GRANTS: usize = 1_024;

#[derive(Default)]
struct Totals {
    granted: i64,
    given_back: i64,
    consumed: i64,
    expired: i64,
    voided: i64,
    rolled_out: i64,
}

impl Totals {
    fn remaining(&self) -> i64 {
        let left = self.consumed + self.expired + self.voided + self.rolled_out;
        self.granted + self.given_back - left
    }
}

#[derive(Default)]
pub(crate) struct Books {
    grants: HashMap<(String, String), Totals>,
    /// A ring of each.
    charges: Vec<Charged>,
    next_charge: usize,
    named: Vec<(String, String)>,
    next_named: usize,
    deltas: i64,
    rolled: i64,
    last_entry: i64,
    /// The place of the charge whose rows come.
    charging: i64,
    rows: BTreeMap<&'static str, u64>,
}

impl Sink for Books {
    fn append(&mut self, row: &Entry<'_>) {
        assert_eq!(row.entry, self.last_entry + 1);
        self.last_entry = row.entry;
        *self.rows.entry(row.kind.name()).or_default() += 1;
        if row.kind == Kind::Usage {
            self.charged(row);
        }
        let (Some(delta), Some(grant)) = (row.delta, row.grant_id) else {
            assert!(row.delta.is_none(), "{row:?}");
            return;
        };
        let delta = delta.get();
        self.deltas += delta;
        let name = (
            row.customer.unwrap_or_default().to_owned(),
            grant.to_string(),
        );
        if row.kind == Kind::Grant {
            remember(&mut self.named, &mut self.next_named, name.clone(), GRANTS);
        }
        let totals = self.grants.entry(name.clone()).or_default();
        match row.kind {
            Kind::Grant => totals.granted += delta,
            Kind::Usage => totals.consumed -= delta,
            Kind::Reversal => totals.given_back += delta,
            Kind::Expire => totals.expired -= delta,
            Kind::Void => totals.voided -= delta,
            Kind::Rollover if delta < 0 => totals.rolled_out -= delta,
            Kind::Rollover => totals.granted += delta,
            _ => panic!("{row:?}"),
        }
        if row.kind == Kind::Rollover {
            self.rolled += delta;
        }
        let remaining = totals.remaining();
        assert!(remaining >= 0, "{row:?}");
        let is_over = matches!(row.kind, Kind::Expire | Kind::Void);
        if is_over {
            assert_eq!(remaining, 0, "{row:?}");
            self.grants.remove(&name);
        }
    }
}

impl Books {
    fn charged(&mut self, row: &Entry<'_>) {
        if self.charging == row.seq {
            let at = (self.next_charge + CHARGES - 1) % CHARGES;
            if let Some(charged) = self.charges.get_mut(at) {
                charged.push(row);
            }
            return;
        }
        self.charging = row.seq;
        let mut charged = Charged::of(row);
        charged.push(row);
        remember(&mut self.charges, &mut self.next_charge, charged, CHARGES);
    }

    /// A charge, of recent ones.
    pub(crate) fn charge(&self, customer: Option<&str>, of: Reversed<'_>) -> Option<Charged> {
        let mut charges = self.charges.iter();
        let is_it =
            |charged: &&Charged| Some(&*charged.customer) == customer && charged.event_id == of.id;
        charges.find(is_it).cloned()
    }

    pub(crate) fn some_charge(&self, dice: &mut Dice) -> Option<(String, String)> {
        if self.charges.is_empty() {
            return None;
        }
        let charged = dice.pick(&self.charges);
        Some((charged.customer.clone(), charged.event_id.clone()))
    }

    pub(crate) fn some_grant(&self, dice: &mut Dice) -> Option<(String, String)> {
        (!self.named.is_empty()).then(|| dice.pick(&self.named).clone())
    }

    /// Holds the books against what the engine's wallets have.
    pub(crate) fn compare(&self, wallets: &WalletList) {
        assert_eq!(self.rolled, 0, "what is rolled out is rolled in");
        let mut sum = 0;
        for wallet in wallets.iter() {
            let customer = &wallet.customer;
            let of = |grant: String| {
                let known = self.grants.get(&(customer.to_string(), grant));
                known.map_or(0, Totals::remaining)
            };
            let pool = |start| purser::domain::entry::GrantId::Pool(start).to_string();
            let current = (pool(wallet.current.start), wallet.current.remaining);
            let ended = wallet.ended.iter().map(|x| (pool(x.start), x.remaining));
            let grants = wallet
                .grants
                .iter()
                .map(|x| (x.id.to_string(), x.remaining));
            for (grant, remaining) in ended.chain(grants).chain([current]) {
                assert_eq!(of(grant.clone()), remaining.get(), "{grant} of {customer}");
                sum += remaining.get();
            }
        }
        assert_eq!(self.deltas, sum, "all deltas, and what remains");
        let own: i64 = self.grants.values().map(Totals::remaining).sum();
        assert_eq!(own, sum, "grants that no wallet has");
    }

    pub(crate) fn assert_all_met(&self) {
        for kind in [
            "usage", "reversal", "grant", "expire", "void", "rollover", "wallet", "tick",
        ] {
            assert!(self.rows.contains_key(kind), "no {kind} row");
        }
    }
}

fn remember<T>(ring: &mut Vec<T>, next: &mut usize, value: T, most: usize) {
    if ring.len() < most {
        ring.push(value);
    } else {
        ring[*next] = value;
    }
    *next = (*next + 1) % most;
}

impl fmt::Display for Books {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self
            .rows
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"));
        write!(
            out,
            "{} rows ({})",
            self.last_entry,
            rows.collect::<Vec<_>>().join(", ")
        )
    }
}
