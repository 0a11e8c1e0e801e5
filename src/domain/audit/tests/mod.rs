//! Ledgers that are right, and the same ledgers with something wrong in them.
//!
//! Owns the one helper that knows the audit's API. A case changes the rows of a story, and tells
//! the findings as `entry: fault`, or `all:` and `source …:` for those of no row.

mod charges;
mod clean;
mod numbers;
mod wallets;

use super::{At, Audit, Log};
use crate::domain::command::Reversed;
use crate::domain::customer::Shard;
use crate::domain::duplicates::DuplicateFilter;
use crate::domain::engine::tests::{ledger, spans};
use crate::domain::entry::{Entry, Kind, Payload};
use crate::domain::event::Members;
use crate::domain::price::PriceBook;
use crate::domain::units::Day;

/// A ledger that can be changed before it is looked at.
struct Told {
    shard: Shard,
    book: PriceBook,
    rows: Vec<Entry<'static>>,
    log: Log,
    /// The partition of an entry, where it is another day than that of its row.
    partition: Option<(i64, Option<Day>)>,
}

impl Told {
    fn new(prices: &str, story: &str) -> Self {
        let (shard, book, mut rows) = ledger(prices, story);
        for row in &mut rows {
            // As it comes back from a file.
            if let Some(Payload::Raw(raw)) = row.data {
                row.data = std::str::from_utf8(raw.bytes).ok().map(Payload::Data);
            }
        }
        let last = rows.last();
        let log = Log {
            fence: last.map_or(0, |row| row.entry),
            positions: last
                .map(|row| ("S".to_owned(), Some(row.seq)))
                .into_iter()
                .collect(),
        };
        Self {
            shard,
            book,
            rows,
            log,
            partition: None,
        }
    }

    /// The row of an entry.
    fn at(&mut self, entry: i64) -> &mut Entry<'static> {
        let found = self.rows.iter_mut().find(|row| row.entry == entry);
        found.expect("an entry")
    }

    /// Takes a row out as if it had never been.
    fn remove(&mut self, entry: i64) {
        self.rows.retain(|row| row.entry != entry);
        self.number();
    }

    /// Numbers the rows anew.
    fn number(&mut self) {
        for (row, entry) in self.rows.iter_mut().zip(1..) {
            row.entry = entry;
            self.log.fence = entry;
        }
    }

    fn findings(&self) -> Vec<String> {
        let filter = DuplicateFilter::unbounded([1, 2, 3, 4]);
        let mut audit = Audit::new(self.shard, self.book.clone(), filter, 1_000);
        for row in &self.rows {
            if let (Kind::Reversal, Some(Payload::Data(data))) = (row.kind, row.data) {
                let found = spans(data);
                let members = Members::new(data, "", &found);
                if let Ok(reversed) = Reversed::read(&members) {
                    let customer = row.customer.unwrap_or_default();
                    let names = [customer, reversed.source, reversed.id];
                    audit.expect_reversal(names.map(str::to_owned).into());
                }
            }
        }
        for row in &self.rows {
            let is_reversal = row.kind == Kind::Reversal;
            let found;
            let members = match row.data {
                Some(Payload::Data(data)) if row.reason.is_none() || is_reversal => {
                    found = spans(data);
                    Some(Members::new(data, "", &found))
                }
                _ => None,
            };
            let partition = match self.partition {
                Some((entry, day)) if entry == row.entry => day,
                _ => Some(row.received_at.day()),
            };
            audit.row(row, partition, members.as_ref()).unwrap();
        }
        let report = audit.end(&self.log);
        assert_eq!(report.rows, self.rows.len() as u64);
        assert_eq!(report.findings.count, report.findings.first.len() as u64);
        let told = report.findings.first.iter().map(|finding| {
            let at = match &finding.at {
                At::Row(row) => row.entry.to_string(),
                other => other.to_string(),
            };
            format!("{at}: {}", finding.fault)
        });
        told.collect()
    }
}

/// A change of a ledger, and what is found then.
type Case<'a> = (fn(&mut Told), &'a str);

/// Looks at the ledger of a story after each change; what is found must be the lines of the case.
fn check(prices: &str, story: &str, cases: &[Case<'_>]) {
    assert_eq!(Told::new(prices, story).findings(), [""; 0], "as it is");
    for (change, expected) in cases {
        let mut told = Told::new(prices, story);
        change(&mut told);
        let expected: Vec<&str> = expected
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        assert_eq!(told.findings(), expected);
    }
}
