//! All wallets of a shard.
//!
//! Owns finding a wallet, and what falls due of one. Leaves changing one to `apply`.
//!
//! Invariant: wallets are what the rows made them, nothing else.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, Equivalent, HashMap, HashTable};
use thiserror::Error;

use crate::domain::calendar::{day_of_month, period_end};
use crate::domain::command::BadCommand;
use crate::domain::entry::{GrantId, Status};
use crate::domain::price::PriceBook;
use crate::domain::text::{Brief, Numbered};
use crate::domain::timers::{Timer, TimerKind, Timers};
use crate::domain::units::{Credits, Day, Timestamp};
use crate::domain::wallet::list::WalletList;
use crate::domain::wallet::watch::Crossed;
use crate::domain::wallet::{Terms, Wallet};

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
    #[error("no period that has just ended left `{0}`, or its plan rolls nothing over")]
    NoRollover(String),
    #[error("the command it came from can't be read")]
    Command(#[source] BadCommand),
}

#[derive(Default)]
pub(super) struct Wallets {
    pub(super) list: WalletList,
    places: Places,
    pub(super) terms: KnownTerms,
    first_period: Option<FirstPeriod>,
    /// Of each wallet that a checkpoint had: the last row that is in it. Empty once restored.
    as_of_entries: Vec<i64>,
}

/// Where each customer's wallet is: what is known of a name lies beside its place, since memory far
/// away is slow.
#[derive(Default)]
struct Places {
    table: HashTable<Numbered>,
    hasher: DefaultHashBuilder,
}

impl Places {
    fn find(&self, customer: &str, list: &WalletList) -> Option<u32> {
        let brief = Brief::of(customer);
        let is_it = |known: &Numbered| {
            let is_whole = || brief.is_whole() || *list[known.number()].customer == *customer;
            known.brief() == brief && is_whole()
        };
        let found = self
            .table
            .find(hash(&self.hasher, brief, || customer), is_it);
        found.map(|known| known.number())
    }

    /// Adds a wallet of `list` that was not there, of a customer of that brief.
    fn add(&mut self, brief: Brief, place: u32, list: &WalletList) {
        let known = Numbered::new(brief, place);
        let hash_of = hash_of(&self.hasher, list);
        self.table.insert_unique(hash_of(&known), known, hash_of);
    }

    fn reserve(&mut self, count: usize, list: &WalletList) {
        self.table.reserve(count, hash_of(&self.hasher, list));
    }
}

fn hash_of(hasher: &DefaultHashBuilder, list: &WalletList) -> impl Fn(&Numbered) -> u64 {
    |known| {
        let customer = || &*list[known.number()].customer;
        hash(hasher, known.brief(), customer)
    }
}

/// Seeded, since names are up to producers.
#[inline]
fn hash<'a>(hasher: &DefaultHashBuilder, brief: Brief, customer: impl FnOnce() -> &'a str) -> u64 {
    match brief.is_whole() {
        true => hasher.hash_one(brief),
        false => hasher.hash_one(customer()),
    }
}

/// The first period of a wallet that was opened, for the next one: dates are slow, and many wallets
/// are opened on one day.
#[derive(Clone, Copy)]
pub(super) struct FirstPeriod {
    pub(super) start: Day,
    stated: Option<u8>,
    /// The day of the month on which periods start.
    pub(super) anchor: u8,
    pub(super) end: Day,
}

/// The plans that wallets are on, as price versions state them; each was looked up once.
#[derive(Default)]
pub struct KnownTerms {
    all: Vec<Arc<Terms>>,
    places: HashMap<(Arc<str>, String), usize>,
    /// The place of those that were asked for last, which often are again.
    last: usize,
}

/// A version and a plan.
#[derive(Hash)]
struct Named<'a>(&'a str, &'a str);

impl Equivalent<(Arc<str>, String)> for Named<'_> {
    fn equivalent(&self, (version, plan): &(Arc<str>, String)) -> bool {
        **version == *self.0 && plan == self.1
    }
}

impl KnownTerms {
    /// The plan as `version` states it.
    ///
    /// # Errors
    ///
    /// [`ApplyError::NoTerms`] when the book lacks it.
    pub fn get(
        &mut self,
        book: &PriceBook,
        version: &str,
        plan: &str,
    ) -> Result<Arc<Terms>, ApplyError> {
        let is_it = |last: &&Arc<Terms>| *last.version == *version && last.plan.id == plan;
        if let Some(terms) = self.all.get(self.last).filter(is_it) {
            return Ok(Arc::clone(terms));
        }
        if let Some(place) = self.places.get(&Named(version, plan)) {
            self.last = *place;
            return Ok(Arc::clone(&self.all[*place]));
        }
        let table = book.tables().iter().find(|table| table.version == version);
        let found = table.and_then(|table| table.plan(plan));
        let found = found.ok_or_else(|| ApplyError::NoTerms {
            version: version.to_owned(),
            plan: plan.to_owned(),
        })?;
        let version: Arc<str> = Arc::from(version);
        let terms = Arc::new(Terms {
            version: Arc::clone(&version),
            plan: found.clone(),
        });
        self.places
            .insert((version, plan.to_owned()), self.all.len());
        self.all.push(Arc::clone(&terms));
        Ok(terms)
    }
}

/// Wallets of a checkpoint and all that an engine needs to take them over, so that this can be made
/// beside the engine's thread.
pub struct LoadedWallets {
    wallets: Vec<Wallet>,
    as_of: Vec<i64>,
    briefs: Vec<Brief>,
    /// All their timers, but for midnights.
    due: Vec<Timer>,
    midnights: Vec<Option<Day>>,
}

impl LoadedWallets {
    /// Wallets in the order in which they were opened, best a
    /// [chunk](crate::domain::wallet::list::CHUNK) of them, and of each the entry up to which rows
    /// are in it.
    ///
    /// # Panics
    ///
    /// There are not as many entries as wallets.
    pub fn new(wallets: Vec<Wallet>, as_of: Vec<i64>) -> Self {
        assert_eq!(wallets.len(), as_of.len(), "an entry for each wallet");
        let briefs = wallets.iter().map(|wallet| Brief::of(&wallet.customer));
        let mut due = Vec::with_capacity(wallets.len());
        due.extend(wallets.iter().flat_map(own_timers));
        let midnights = wallets.iter().map(Wallet::midnight_after_row);
        Self {
            briefs: briefs.collect(),
            due,
            midnights: midnights.collect(),
            as_of,
            wallets,
        }
    }
}

/// What a row left behind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effect {
    /// Σ remaining of the wallet's effective grants.
    pub(super) balance: Credits,
    /// What it newly brought about.
    pub(super) crossed: Option<Crossed>,
}

impl Wallets {
    pub(super) fn place(&self, customer: &str) -> Option<u32> {
        self.places.find(customer, &self.list)
    }

    pub(super) fn at(&self, place: u32) -> &Wallet {
        &self.list[place]
    }

    pub(super) fn all(&self) -> &WalletList {
        &self.list
    }

    /// Takes wallets as a checkpoint has them, with the timers that they need.
    pub(super) fn load(&mut self, loaded: LoadedWallets, timers: &mut Timers) {
        let LoadedWallets {
            wallets,
            as_of,
            briefs,
            due,
            midnights,
        } = loaded;
        let first = self.list.count() as u32;
        self.list.append(wallets);
        self.as_of_entries.extend(as_of);
        timers.extend(due);
        for ((brief, midnight), place) in briefs.into_iter().zip(midnights).zip(first..) {
            self.places.add(brief, place, &self.list);
            timers.list(place, midnight);
        }
    }

    /// Puts a wallet in the place of the one that its customer had, or adds it; gives the place.
    pub(super) fn put(&mut self, wallet: Wallet) -> u32 {
        match self.place(&wallet.customer) {
            Some(place) => {
                self.list[place] = wallet;
                place
            }
            None => {
                let place = self.list.count() as u32;
                let brief = Brief::of(&wallet.customer);
                self.list.push(wallet);
                self.places.add(brief, place, &self.list);
                place
            }
        }
    }

    /// The period that a wallet opened on `start` begins with; its anchor is the day of the month,
    /// unless another one is stated.
    pub(super) fn first_period(&mut self, start: Day, stated: Option<u8>) -> FirstPeriod {
        let last = self.first_period;
        let last = last.filter(|last| (last.start, last.stated) == (start, stated));
        let first = last.unwrap_or_else(|| {
            let anchor = stated.unwrap_or(day_of_month(start));
            FirstPeriod {
                start,
                stated,
                anchor,
                end: period_end(start, anchor),
            }
        });
        self.first_period = Some(first);
        first
    }

    /// All that falls due, without what no longer stands.
    pub(super) fn timers(&self) -> Timers {
        let mut timers = Timers::default();
        for (wallet, place) in self.list.iter().zip(0..) {
            timers.extend(own_timers(wallet));
            timers.list(place, wallet.midnight_after_row());
        }
        timers.all_stand();
        timers
    }

    /// The wallet's own next timer, but for midnights.
    pub(super) fn next_timer(&self, place: u32) -> Option<Timer> {
        let wallet = self.at(place);
        let needed = own_dues(wallet).filter(|(_, kind)| is_needed(wallet, *kind));
        Some(timer(wallet, needed.min()?))
    }

    /// The last row that a wallet had in it when it was loaded; 0 when it was not.
    pub(super) fn as_of_entry(&self, place: u32) -> i64 {
        self.as_of_entries.get(place as usize).copied().unwrap_or(0)
    }

    /// All rows are restored: from now on every row is newer than the wallet it is about.
    pub(super) fn come_alive(&mut self) {
        self.as_of_entries = Vec::new();
    }

    /// Makes room for so many wallets more.
    pub(super) fn reserve(&mut self, count: usize) {
        self.places.reserve(count, &self.list);
        self.as_of_entries.reserve(count);
    }

    /// Forgets what expired with nothing left in it, which no row tells of.
    pub(super) fn drop_spent(&mut self, place: u32, grant: GrantId<'_>) {
        self.list[place].apply_expiry(grant);
    }
}

/// All timers of a wallet, but for midnights.
fn own_timers(wallet: &Wallet) -> impl Iterator<Item = Timer> + use<'_> {
    own_dues(wallet).map(|due| timer(wallet, due))
}

fn timer(wallet: &Wallet, (due, kind): (Timestamp, TimerKind)) -> Timer {
    Timer {
        due,
        customer: Arc::clone(&wallet.customer),
        kind,
    }
}

/// When which timer of a wallet is due, midnights aside.
fn own_dues(wallet: &Wallet) -> impl Iterator<Item = (Timestamp, TimerKind)> + use<'_> {
    let ended = wallet.ended.iter();
    let closes = ended.map(|ended| (ended.closes_at, TimerKind::PeriodClose));
    let grants = wallet.grants.iter();
    let expiries =
        grants.filter_map(|grant| Some((grant.order.expires_at?, TimerKind::GrantExpiry)));
    let touched = wallet.touched;
    let grants = wallet.grants.iter();
    let starts = grants.filter(move |grant| grant.order.effective_at > touched);
    let starts = starts.map(|grant| (grant.order.effective_at, TimerKind::GrantStart));
    // A wallet that is closed has no more periods.
    let last = match wallet.closing() {
        Some(closing) => (closing.voids_at, TimerKind::WalletClose),
        None => (wallet.current.end.start(), TimerKind::PeriodEnd),
    };
    closes.chain(starts).chain(expiries).chain([last])
}

/// Whether a timer of a wallet would do something now.
fn is_needed(wallet: &Wallet, kind: TimerKind) -> bool {
    match kind {
        TimerKind::GrantStart => wallet.status() == Status::Blocked,
        TimerKind::WalletClose => wallet.left_to_void().next().is_some(),
        TimerKind::PeriodEnd | TimerKind::PeriodClose => true,
        TimerKind::GrantExpiry | TimerKind::Midnight => true,
    }
}
