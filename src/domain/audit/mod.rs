//! The audit: a shard's rows in, what is wrong with them out.
//!
//! Owns the order of the checks: numbers (`sequence`), nulls (`shape`), identities
//! (`identities`), and wallets (`wallets`): what a row should say (`charge`, `reversals`, `grants`,
//! `alerts`) and each wallet's sums (`books`). Leaves reading rows and the log to the jobs.
//!
//! Invariant: one pass in order of entry; wallets with their open grants, charges that are taken
//! back, one seq for each source and the duplicate filter are all that is kept. A wallet takes no
//! row that can't be right, and is followed no further; its books are.

mod alerts;
mod books;
mod charge;
mod finding;
mod grants;
mod identities;
mod report;
mod reversals;
mod sequence;
mod shape;
#[cfg(test)]
mod tests;
mod wallets;

use std::ops::Range;

use super::customer::Shard;
use super::duplicates::{DuplicateFilter, OlderFault};
use super::entry::{Entry, Kind, Note};
use super::event::Members;
use super::price::PriceBook;
use super::units::{Day, Timestamp};
use super::wallet::Wallet;
use super::wallet::list::WalletList;
use books::micros;
use finding::RowCheck;
pub use finding::{At, Fault, Finding, Findings, RowPlace};
use identities::Identities;
pub use report::{Report, Sums};
use sequence::{Sequence, Step, TIMER_IDX};
use wallets::Wallets;

/// Instants that an event can have: the years 0 to 9999.
const CALENDAR: Range<i64> = -62_167_219_200_000_000..253_402_300_800_000_000;

/// The audit of one shard.
pub struct Audit {
    shard: Shard,
    book: PriceBook,
    report: Report,
    sequence: Sequence,
    identities: Identities,
    wallets: Wallets,
    /// Price versions that have a row; always the book's first ones.
    recorded_versions: usize,
}

/// What the log says of a shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// The last entry.
    pub fence: i64,
    /// The last seq of each source that has rows, `None` where the log has none; of others too,
    /// where they are known.
    pub positions: Vec<(String, Option<i64>)>,
}

impl Audit {
    /// An audit that keeps the first `kept_max` findings. `filter` is empty.
    pub fn new(shard: Shard, book: PriceBook, filter: DuplicateFilter, kept_max: usize) -> Self {
        Self {
            shard,
            book,
            report: Report {
                findings: Findings::new(kept_max),
                ..Report::default()
            },
            sequence: Sequence::default(),
            identities: Identities::new(filter),
            wallets: Wallets::default(),
            recorded_versions: 0,
        }
    }

    /// Tells that the charge of the event `(customer, source, id)` is taken back by a row to come:
    /// call it for each row of a reversal, before the first row.
    pub fn expect_reversal(&mut self, charge: (String, String, String)) {
        self.wallets.expect(charge);
    }

    /// The sources that rows came from.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.sequence.sources.keys().map(String::as_str)
    }

    /// The wallet that the rows so far lead to; `None` also for one that is not followed.
    pub fn wallet(&self, customer: &str) -> Option<&Wallet> {
        self.wallets.followed(customer)
    }

    /// Looks at the next row. `partition` is the day that it lies in, `None` for one that is no
    /// day; `data` are the members of its `data`, `None` when it has none or they can't be read.
    ///
    /// # Errors
    ///
    /// The duplicate filter can't be used: the audit can't go on.
    pub fn row(
        &mut self,
        row: &Entry<'_>,
        partition: Option<Day>,
        data: Option<&Members<'_>>,
    ) -> Result<(), OlderFault> {
        self.report.count(row);
        let findings = &mut self.report.findings;
        let step = self.sequence.follow(row, findings);
        if step == Step::Again {
            return Ok(());
        }
        self.wallets.step(row, step, findings);
        let mut check = RowCheck { row, findings };
        if !CALENDAR.contains(&row.received_at.get()) {
            check.fault(Fault::Beyond("received_at"));
            return Ok(());
        }
        if partition != Some(row.received_at.day()) {
            check.fault(Fault::Partition(partition));
        }
        let is_whole = shape::check(&mut check);
        let is_ours = |customer| self.shard.owns(customer);
        if row.kind != Kind::Rejected && !row.customer.is_none_or(is_ours) {
            check.fault(Fault::OtherShard);
        }
        versions(&mut check, &self.book, &mut self.recorded_versions);
        self.wallets.none_due(&mut check);
        if row.kind != Kind::Rejected {
            identities::in_time(&mut check, &self.book);
        }
        match row.kind {
            Kind::Prices | Kind::Tick => {}
            Kind::Rejected => {
                if !matches!(row.reason, Some(Note::Rejected(_)) | None) {
                    check.fault(Fault::NoReason);
                }
            }
            Kind::Duplicate | Kind::Conflict => self.identities.copied(&mut check, &self.book)?,
            Kind::Usage
            | Kind::Reversal
            | Kind::Grant
            | Kind::Expire
            | Kind::Void
            | Kind::Rollover
            | Kind::Wallet
            | Kind::Alert => {
                if self.wallets.is_accepting(row) {
                    self.identities.accepted(&mut check, &self.book)?;
                }
                self.wallets.row(&mut check, &self.book, data, is_whole);
            }
        }
        Ok(())
    }

    /// Holds wallets that came back from a checkpoint, by the rows after it, against those that
    /// all rows lead to. Call it after the last row.
    pub fn checkpoint(&mut self, wallets: &WalletList) {
        let findings = &mut self.report.findings;
        for wallet in wallets.iter() {
            let known = self.wallets.followed(&wallet.customer);
            if known.is_some_and(|known| !known.agrees_with(wallet)) {
                let fault = Fault::Checkpoint(wallet.customer.to_string());
                findings.add(|| At::Shard, fault);
            }
        }
        let (count, opened) = (wallets.count() as u64, self.wallets.opened());
        if count != opened {
            findings.add(|| At::Shard, Fault::CheckpointCount { count, opened });
        }
    }

    /// Ends the audit before the last row.
    pub fn stop(mut self) -> Report {
        self.count();
        self.report
    }

    /// Ends the audit, and holds what the rows came to against the log.
    pub fn end(mut self, log: &Log) -> Report {
        let report = &mut self.report;
        let findings = &mut report.findings;
        self.sequence.end_message(findings);
        if let Some(fired) = self.sequence.all_fired() {
            self.wallets.none_due_at_all(fired, findings);
        }
        let remaining = self.wallets.end(findings);
        let (fence, last) = (log.fence, self.sequence.last_entry);
        if fence != last {
            findings.add(|| At::Shard, Fault::Fence { fence, last });
        }
        for (source, position) in &log.positions {
            let last = self.sequence.sources.get(source).copied();
            let position = *position;
            if position != last {
                let fault = Fault::Position { position, last };
                findings.add(|| At::Source(source.clone()), fault);
            }
        }
        let deltas = report.sums.delta;
        if deltas != remaining {
            let (deltas, remaining) = (micros(deltas), micros(remaining));
            findings.add(|| At::Shard, Fault::Sum { deltas, remaining });
        }
        self.count();
        self.report
    }

    fn count(&mut self) {
        self.report.sources = self.sequence.sources.len() as u64;
        self.wallets.count(&mut self.report);
    }
}

/// A version has a row once now has reached it, before any event's own row.
fn versions(check: &mut RowCheck<'_, '_>, book: &PriceBook, recorded: &mut usize) {
    let row = check.row;
    let is_begun = |from: Timestamp| from <= row.received_at && row.received_at > Timestamp::EPOCH;
    if row.kind == Kind::Prices {
        let next = book.tables().get(*recorded);
        let version = next.map(|table| table.version.as_str());
        check.column("price_version", row.price_version, version);
        if next.is_some_and(|table| !is_begun(table.effective_from)) {
            check.fault(Fault::VersionTooEarly);
        }
        *recorded += 1;
        return;
    }
    while let Some(table) = book.tables().get(*recorded)
        && row.idx != TIMER_IDX
        && is_begun(table.effective_from)
    {
        check.fault(Fault::VersionWithoutRow(table.version.clone()));
        *recorded += 1;
    }
}
