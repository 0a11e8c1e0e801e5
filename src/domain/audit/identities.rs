//! Nobody is charged twice for one event.
//!
//! Owns what the rows say of identities. Leaves finding one again to `duplicates`.
//!
//! Invariant: the payload that the filter is given is the type alone, for a copy's row has no
//! `data`: it is used here to tell a duplicate of another type, which is a conflict.

use super::finding::{Fault, RowCheck};
use crate::domain::command::{COMMAND_PREFIX, REVERSED};
use crate::domain::duplicates::{DuplicateFilter, Occupied, OlderFault, Verdict};
use crate::domain::entry::{Entry, Kind, Mark};
use crate::domain::identity::Identity;
use crate::domain::price::PriceBook;
use crate::domain::units::Day;

pub(super) struct Identities {
    filter: DuplicateFilter,
    day: Option<Day>,
}

impl Identities {
    pub(super) fn new(filter: DuplicateFilter) -> Self {
        Self { filter, day: None }
    }

    /// An event was accepted: nothing before it within the window may have its identity.
    pub(super) fn accepted(
        &mut self,
        check: &mut RowCheck<'_, '_>,
        book: &PriceBook,
    ) -> Result<(), OlderFault> {
        let row = check.row;
        let Some(identity) = self.identity(row) else {
            return Ok(());
        };
        if self.verdict(identity, row, book)? != Verdict::New {
            check.fault(Fault::AcceptedTwice);
        }
        let is_command = row
            .event_type
            .is_some_and(|event_type| event_type.starts_with(COMMAND_PREFIX));
        let occupied = if is_command {
            Occupied::ForEver
        } else {
            Occupied::Since(row.received_at)
        };
        self.filter.occupy(identity, occupied);
        self.filter.make_room(|| Mark::of(row))
    }

    /// A copy was refused: an event of its identity must have been accepted within the window.
    pub(super) fn copied(
        &mut self,
        check: &mut RowCheck<'_, '_>,
        book: &PriceBook,
    ) -> Result<(), OlderFault> {
        let row = check.row;
        let Some(identity) = self.identity(row) else {
            return Ok(());
        };
        match self.verdict(identity, row, book)? {
            // A second reversal of one charge is a duplicate of the first, whatever its own
            // identity, and does not tell of which charge.
            Verdict::New if row.event_type == Some(REVERSED) && row.kind == Kind::Duplicate => {}
            Verdict::New => check.fault(Fault::NoOriginal),
            Verdict::Conflict if row.kind == Kind::Duplicate => check.fault(Fault::NotADuplicate),
            Verdict::Conflict | Verdict::Duplicate => {}
        }
        Ok(())
    }

    /// `None` for a row without an event.
    fn identity(&self, row: &Entry<'_>) -> Option<Identity> {
        let (customer, source) = (row.customer?, row.event_source?);
        let payload = (row.event_type?, "");
        Some(
            self.filter
                .identity(customer, source, row.event_id?, payload),
        )
    }

    fn verdict(
        &mut self,
        identity: Identity,
        row: &Entry<'_>,
        book: &PriceBook,
    ) -> Result<Verdict, OlderFault> {
        let now = row.received_at;
        if self.day.replace(now.day()) != Some(now.day()) {
            let windows = book.tables().iter().map(|table| table.rules.window);
            let before = now.plus(-windows.max().unwrap_or_default());
            self.filter.forget(before, row.entry);
        }
        let window = book.tables()[book.in_force_or_first(now)].rules.window;
        self.filter.verdict(identity, now, window)
    }
}

/// The event's time lies within what the rules in force accept.
pub(super) fn in_time(check: &mut RowCheck<'_, '_>, book: &PriceBook) {
    let now = check.row.received_at;
    let rules = book.tables()[book.in_force_or_first(now)].rules;
    let accepted = now.plus(-rules.window)..=now.plus(rules.future);
    if check.row.used_at.is_some_and(|at| !accepted.contains(&at)) {
        check.fault(Fault::UsedAt);
    }
}
