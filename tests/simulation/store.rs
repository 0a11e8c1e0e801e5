//! The store of a simulation: files of rows, and a log that takes one entry of each version.
//!
//! Owns what is there, whoever put it and whoever still knows it. Leaves what a commit may be to
//! `checks`, faults to `log`.
//!
//! Invariant: as in a bucket, an object is put only where none is; cleaning takes the oldest
//! entries of the log and nothing that they told.

use std::collections::{BTreeMap, HashMap};

use purser::adapters::ledger::LogEntry;

use crate::rows::Row;

#[derive(Default)]
pub(crate) struct Store {
    /// By path; also those that no entry names, and those that were cut short.
    pub(crate) files: HashMap<String, Vec<Row>>,
    /// What was ever committed: version 0 is the making of the table.
    log: Vec<LogEntry>,
    /// The version of the newest checkpoint.
    pub(crate) checkpoint: Option<u64>,
    /// Entries below this version are gone.
    cleaned: u64,
    /// Entries that were put where older ones had been cleaned. No reader of the table sees them.
    strays: BTreeMap<u64, LogEntry>,
}

impl Store {
    pub(crate) fn new() -> Self {
        let made = LogEntry {
            changes_table: true,
            ..LogEntry::default()
        };
        Self {
            log: vec![made],
            ..Self::default()
        }
    }

    pub(crate) fn newest(&self) -> u64 {
        self.log.len() as u64 - 1
    }

    /// The object of a version's entry.
    pub(crate) fn entry(&self, version: u64) -> Option<&LogEntry> {
        if version < self.cleaned {
            return self.strays.get(&version);
        }
        self.log.get(version as usize)
    }

    /// Whether an entry put as `version` would be read by others.
    pub(crate) fn is_next(&self, version: u64) -> bool {
        version == self.newest() + 1
    }

    /// Puts an entry unless there is one; false when there is.
    ///
    /// # Panics
    ///
    /// When it lies beyond the end of the log, where no writer may be.
    pub(crate) fn put(&mut self, version: u64, entry: LogEntry) -> bool {
        if self.entry(version).is_some() {
            return false;
        }
        if version < self.cleaned {
            self.strays.insert(version, entry);
            return true;
        }
        assert!(
            self.is_next(version),
            "version {version} was put beyond the log"
        );
        self.log.push(entry);
        true
    }

    /// Takes away the entries before the checkpoint.
    pub(crate) fn clean(&mut self) {
        self.cleaned = self.checkpoint.unwrap_or(0);
    }

    pub(crate) fn is_cleaned(&self, version: u64) -> bool {
        version < self.cleaned
    }

    /// The value of an application id at a version.
    pub(crate) fn transaction(&self, version: u64, id: &str) -> Option<i64> {
        let entries = self.log[..=version as usize].iter().rev();
        entries
            .flat_map(|entry| entry.transactions.iter().rev())
            .find(|(known, _)| known == id)
            .map(|(_, value)| *value)
    }

    /// All that was ever committed, with its version.
    pub(crate) fn commits(&self) -> impl DoubleEndedIterator<Item = (u64, &LogEntry)> {
        let versions = self.log.iter().enumerate();
        versions.map(|(version, entry)| (version as u64, entry))
    }

    /// What was put where nobody reads it.
    pub(crate) fn strays(&self) -> impl Iterator<Item = &LogEntry> {
        self.strays.values()
    }

    /// The ledger at a version: its rows in the order of `entry`.
    pub(crate) fn rows(&self, version: u64) -> impl Iterator<Item = &Row> {
        let entries = self.log[..=version as usize].iter();
        entries
            .flat_map(|entry| &entry.files)
            .flat_map(|path| &self.files[path])
    }
}
