//! Coming back from a ledger.
//!
//! Owns folding rows into an engine: wallets by the same `apply` as live, the clock, the price
//! versions and the identities that are occupied; and starting from a checkpoint, whose wallets
//! may each be as of another entry. Leaves reading rows and checkpoints to `adapters::ledger`.
//!
//! Invariant: after the last row the engine goes on as if it had never stopped, whatever
//! checkpoint it started from.

use std::sync::Arc;

use thiserror::Error;

use super::Engine;
use super::apply::is_opening;
use super::wallets::{ApplyError, LoadedWallets};
use crate::domain::command::{COMMAND_PREFIX, Reversed};
use crate::domain::duplicates::{DuplicateFilter, Occupied, OlderFault};
use crate::domain::entry::{Entry, Kind, Mark, Payload};
use crate::domain::event::Members;
use crate::domain::identity::FilterKey;
use crate::domain::price::PriceBook;
use crate::domain::units::{Credits, Timestamp};

/// The ledger and what it needs do not fit together.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RestoreError {
    #[error("entry {expected} is missing: entry {found} follows")]
    Gap { expected: i64, found: i64 },
    #[error("entry {entry} can't be applied")]
    Apply {
        entry: i64,
        #[source]
        source: ApplyError,
    },
    #[error("entry {entry} says that the balance is {stated}, but the rows add up to {reckoned}")]
    Balance {
        entry: i64,
        stated: Credits,
        reckoned: Credits,
    },
    #[error(
        "price version `{0}` took effect before this ledger knew it, so usage may have been \
         priced without it: take it out of the price folder, and publish one that takes effect \
         later"
    )]
    Overtaken(String),
    #[error("price version `{0}`, which the ledger used, is not in the price folder")]
    VersionGone(String),
}

/// What an engine knows besides its wallets and identities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The last row.
    pub last: Mark,
    pub now: Option<Timestamp>,
    /// The price versions that have a `prices` row, in the order of those.
    pub versions: Vec<String>,
}

impl Engine {
    /// The duplicate filter, for another engine or to be closed.
    pub fn into_filter(self) -> DuplicateFilter {
        self.filter
    }

    /// Has the duplicate filter begin to keep all that it has, which may take a while: no more
    /// events come. Its rows need not be committed yet.
    ///
    /// # Errors
    ///
    /// It can't, and will say so again when it is closed.
    pub fn keep_identities(&mut self) -> Result<(), OlderFault> {
        self.filter.hand_over_rest(self.last)
    }

    /// What the identities of events are to be reckoned with.
    pub fn filter_key(&self) -> FilterKey {
        self.filter.key()
    }

    /// The identities of rows up to this one need not be restored.
    pub fn covered_entry(&self) -> i64 {
        self.filter.covered_entry()
    }

    /// What a checkpoint keeps besides wallets.
    pub fn head(&self) -> Head {
        Head {
            last: self.last,
            now: self.now,
            versions: self.recorded_versions.clone(),
        }
    }

    /// Starts from a checkpoint instead of from nothing: call it on a new engine, then `load`
    /// each wallet, then `restore` the rows after `head.last`.
    pub fn resume(&mut self, head: Head) {
        self.last = head.last;
        self.now = head.now;
        self.recorded_versions = head.versions;
    }

    /// The price versions at hand.
    pub fn book(&self) -> &Arc<PriceBook> {
        &self.book
    }

    /// Makes room for so many wallets more.
    pub fn reserve(&mut self, wallets: usize) {
        self.wallets.reserve(wallets);
        self.timers.reserve(wallets);
    }

    /// Takes some of a checkpoint's wallets, in the order in which they were opened.
    pub fn load(&mut self, wallets: LoadedWallets) {
        self.wallets.load(wallets, &mut self.timers);
        // Or the first row would make them all anew.
        self.timers.all_stand();
    }

    /// Applies the next row of the ledger; `data` are the members of its `data`, if it has any.
    /// A wallet that a checkpoint has as of a later row is not changed.
    ///
    /// # Errors
    ///
    /// The row does not follow from the rows before it.
    pub fn restore(&mut self, row: &Entry<'_>, data: &Members<'_>) -> Result<(), RestoreError> {
        let entry = row.entry;
        if entry != self.last.entry + 1 {
            return Err(RestoreError::Gap {
                expected: self.last.entry + 1,
                found: entry,
            });
        }
        let fault = |source| RestoreError::Apply { entry, source };
        self.last = Mark::of(row);
        if row.kind == Kind::Prices {
            self.recorded_versions
                .push(row.price_version.unwrap_or_default().to_owned());
        }
        // Such a row tells of no now, for there was none yet.
        if row.received_at != Timestamp::EPOCH {
            self.move_now(row.received_at);
        }
        match row.kind {
            Kind::Wallet if is_opening(row) => {
                let customer = row.customer.ok_or(fault(ApplyError::Missing("customer")))?;
                let place = self.wallets.place(customer);
                if place.is_none_or(|place| self.wallets.as_of_entry(place) < entry) {
                    let around = (&*self.book, &mut self.timers);
                    let opened = self.wallets.apply_opening(row, data, around);
                    opened.map_err(fault)?;
                }
            }
            Kind::Usage
            | Kind::Reversal
            | Kind::Grant
            | Kind::Expire
            | Kind::Void
            | Kind::Rollover
            | Kind::Wallet
            | Kind::Alert => {
                let customer = row.customer.ok_or(fault(ApplyError::Missing("customer")))?;
                let place = self.wallets.place(customer);
                let no_wallet = || fault(ApplyError::NoWallet(customer.to_owned()));
                let place = place.ok_or_else(no_wallet)?;
                if self.wallets.as_of_entry(place) < entry {
                    self.restore_wallet(place, row, data)?;
                }
            }
            Kind::Prices | Kind::Tick => {}
            Kind::Duplicate | Kind::Conflict | Kind::Rejected => {}
        }
        self.restore_identity(row, data);
        // Nothing fires here, so that what has fired long ago would stay.
        if self.timers.is_stale() {
            self.timers = self.wallets.timers();
        }
        Ok(())
    }

    /// Applies a row to a wallet; what is left in it must be what the row says.
    fn restore_wallet(
        &mut self,
        place: u32,
        row: &Entry<'_>,
        data: &Members<'_>,
    ) -> Result<(), RestoreError> {
        let entry = row.entry;
        let around = (&*self.book, &mut self.timers);
        let effect = self.wallets.apply(place, row, data, around);
        let reckoned = effect
            .map_err(|source| RestoreError::Apply { entry, source })?
            .balance;
        // An alert's balance is that of the row before it.
        let stated = row.balance.filter(|_| row.kind != Kind::Alert);
        match stated.filter(|stated| *stated != reckoned) {
            None => Ok(()),
            Some(stated) => Err(RestoreError::Balance {
                entry,
                stated,
                reckoned,
            }),
        }
    }

    /// Occupies the identities of a row that carries an accepted event's `data`, whose members
    /// `data` are those of a reversal: all that is left to do with a row before the checkpoint.
    /// [`Engine::restore`] does it too.
    pub fn restore_identity(&mut self, row: &Entry<'_>, data: &Members<'_>) {
        let is_accepted = match row.kind {
            Kind::Usage | Kind::Wallet | Kind::Grant | Kind::Void | Kind::Reversal => true,
            Kind::Expire | Kind::Rollover | Kind::Prices | Kind::Alert => false,
            Kind::Duplicate | Kind::Conflict | Kind::Rejected | Kind::Tick => false,
        };
        let (true, Some(Payload::Data(text))) = (is_accepted, row.data) else {
            return;
        };
        if row.entry <= self.filter.covered_entry() {
            return;
        }
        let (Some(customer), Some(source), Some(id), Some(event_type)) =
            (row.customer, row.event_source, row.event_id, row.event_type)
        else {
            return;
        };
        let payload = (event_type, text);
        let identity = self.filter.identity(customer, source, id, payload);
        let occupied = if event_type.starts_with(COMMAND_PREFIX) {
            Occupied::ForEver
        } else {
            Occupied::Since(row.received_at)
        };
        self.filter.occupy(identity, occupied);
        if row.kind == Kind::Reversal
            && let Ok(reversed) = Reversed::read(data)
        {
            let original = (reversed.source, reversed.id);
            let identity = self.filter.reversal_of(customer, original);
            self.filter.occupy(identity, Occupied::ForEver);
        }
    }

    /// Makes room for more identities; call it after each row.
    ///
    /// # Errors
    ///
    /// The duplicate filter can't keep what it has.
    pub fn make_room(&mut self, last: &Entry<'_>) -> Result<(), OlderFault> {
        self.filter.make_room(|| Mark::of(last))
    }

    /// Puts other price versions in force: once after the last row, and again whenever the price
    /// folder has new ones.
    ///
    /// # Errors
    ///
    /// [`RestoreError::Overtaken`] when a new version should have been in force already,
    /// [`RestoreError::VersionGone`] when one that the ledger used is missing.
    pub fn set_book(&mut self, book: PriceBook) -> Result<(), RestoreError> {
        let is_known = |version: &String| book.tables().iter().any(|t| t.version == *version);
        if let Some(gone) = self
            .recorded_versions
            .iter()
            .find(|version| !is_known(version))
        {
            return Err(RestoreError::VersionGone(gone.clone()));
        }
        let is_behind = |effective_from| self.now.is_some_and(|now| effective_from <= now);
        let overtaken = book.tables().iter().find(|table| {
            is_behind(table.effective_from) && !self.recorded_versions.contains(&table.version)
        });
        if let Some(table) = overtaken {
            return Err(RestoreError::Overtaken(table.version.clone()));
        }
        self.book = Arc::new(book);
        self.wallets.come_alive();
        Ok(())
    }
}
