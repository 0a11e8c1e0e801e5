//! The data folder: where the ledger and the price files lie.
//!
//! Owns its layout: `ledger/` is the table, `prices/` holds each price version once. Leaves what
//! is in them to `adapters`.

use std::path::{Path, PathBuf};

use url::Url;

use crate::adapters::ledger::{self, Ledger, data_url};
use crate::domain::units::Timestamp;

/// A data folder on a local disk; it need not exist yet.
#[derive(Clone, Debug)]
pub struct DataFolder {
    path: PathBuf,
    url: Url,
}

/// Why a data folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    #[error("{0} is not on a local disk: give a folder, such as --data ./data")]
    NotLocal(Url),
    #[error(
        "there is no ledger in {}: fill it with `purser replay` or `purser run`, or name another \
         folder with --data", .0.display()
    )]
    NoLedger(PathBuf),
}

impl DataFolder {
    /// The folder that `given` names, relative to the working directory.
    ///
    /// # Errors
    ///
    /// [`DataError::NotLocal`] for the URL of something else than a folder.
    pub fn new(given: &str) -> Result<Self, DataError> {
        let url = data_url(given)?;
        let path = url
            .to_file_path()
            .map_err(|()| DataError::NotLocal(url.clone()))?;
        // Without the slash that the URL of a folder ends in.
        let path = path.components().collect();
        Ok(Self { path, url })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the price files lie.
    pub fn prices(&self) -> PathBuf {
        self.path.join("prices")
    }

    /// Where the ledger's files lie.
    pub fn table(&self) -> PathBuf {
        self.path.join("ledger")
    }

    /// The ledger, if there is one.
    ///
    /// # Errors
    ///
    /// The table can't be read.
    pub async fn find_ledger(&self) -> Result<Option<Ledger>, DataError> {
        Ok(Ledger::open(&self.url).await?)
    }

    /// The ledger, which must be there.
    ///
    /// # Errors
    ///
    /// [`DataError::NoLedger`] says how to make one.
    pub async fn ledger(&self) -> Result<Ledger, DataError> {
        self.find_ledger()
            .await?
            .ok_or_else(|| DataError::NoLedger(self.path.clone()))
    }

    /// The ledger's now: the highest `received_at` of any shard; `None` without a ledger.
    ///
    /// # Errors
    ///
    /// The table can't be read.
    pub async fn now(&self) -> Result<Option<Timestamp>, DataError> {
        match self.find_ledger().await? {
            None => Ok(None),
            Some(mut ledger) => Ok(ledger.now().await?),
        }
    }

    /// The ledger for `shards` shards, made if it is missing.
    ///
    /// # Errors
    ///
    /// The table can't be made or has another number of shards.
    pub async fn make_ledger(&self, shards: u32) -> Result<Ledger, DataError> {
        Ok(Ledger::create(&self.url, shards).await?)
    }
}
