//! A log, as a commit sees it.
//!
//! Owns what an entry says and what is asked of wherever entries are kept: Delta's log of a table,
//! or the simulation's. Leaves what to make of it to `commit`.
//!
//! Invariant: a version has one entry, for ever, or none any more once it was cleaned.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::commit::Commit;

/// Who committed; it stands in each entry of ours.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Nameplate {
    pub writer: String,
    pub batch: u64,
}

/// What an entry of the log says that concerns a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogEntry {
    /// Application ids and their new values, see [`Commit::transactions`].
    pub transactions: Vec<(String, i64)>,
    /// `None` when somebody else wrote it.
    pub nameplate: Option<Nameplate>,
    /// The files that it adds.
    pub files: BTreeSet<String>,
    /// It changes what the table is: what is known must be loaded anew.
    pub changes_table: bool,
}

/// Where entries are kept, and the time that passes while it is slow.
pub trait Log {
    type Error: std::error::Error + 'static;

    /// Loads the newest version, and gives its number.
    fn load(&mut self) -> impl Future<Output = Result<u64, Self::Error>>;

    /// The value of an application id in the loaded version.
    fn loaded(&self, id: &str) -> impl Future<Output = Result<Option<i64>, Self::Error>>;

    /// The entry of a version; `None` when it is not there yet, or was cleaned.
    fn entry(&self, version: u64) -> impl Future<Output = Result<Option<LogEntry>, Self::Error>>;

    /// The version of the newest checkpoint; entries before it may have been cleaned.
    fn checkpoint(&self) -> impl Future<Output = Result<Option<u64>, Self::Error>>;

    /// Puts the entry of `commit` as that of `version`, unless there is one.
    fn put(&self, version: u64, commit: &Commit) -> impl Future<Output = Result<(), Self::Error>>;

    /// What a failure means to the commit that met it.
    fn fate(error: &Self::Error) -> Fate;

    fn now(&self) -> Instant;

    /// Waits about as long as `pause`.
    fn rest(&self, pause: Duration) -> impl Future<Output = ()>;
}

/// What a failure of a [`Log`] means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The version is taken: another commit was faster, or ours is in already.
    Taken,
    /// It may pass.
    TryAgain,
    /// It will not.
    Stop,
}
