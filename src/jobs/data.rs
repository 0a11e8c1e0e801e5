//! The data folder: where the ledger and the price files lie.
//!
//! Owns its layout: `ledger/`, `wallets/` and `invoices/` are tables, `prices/` holds each price
//! version once.
//! Leaves what is in them to `adapters`, and files that wait for their upload to `spool`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use url::Url;

use super::prices::PriceFolder;
use super::spool::Spool;
use crate::adapters::ledger::{self, Ledger, data_store, data_url, reach};
use crate::domain::units::Timestamp;

/// A data folder, on a local disk or in a bucket; it need not exist yet.
#[derive(Clone, Debug)]
pub struct DataFolder {
    url: Url,
    /// When it is on a local disk: without the slash that the URL of a folder ends in.
    local: Option<PathBuf>,
    /// Where files are kept that can be made again.
    cache: PathBuf,
    /// Where the ledger's files wait for their upload.
    spool: Arc<Spool>,
}

/// Why a data folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    #[error("{0} is no place for data: give a folder (./data) or a bucket (s3://bucket/folder)")]
    NoStore(Url),
    #[error(
        "there is no ledger in {0}: fill it with `purser replay` or `purser run`, or name another \
         folder with --data"
    )]
    NoLedger(String),
    #[error("could not keep files in {}: name another folder with --cache", .cache.display())]
    Cache {
        cache: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl DataFolder {
    /// The folder that `given` names, relative to the working directory; caches lie in `cache`,
    /// by default in the folder itself, or in `./purser-cache` for a bucket.
    ///
    /// # Errors
    ///
    /// [`DataError::NoStore`] for the URL of something that is neither a folder nor a bucket.
    pub fn new(given: &str, cache: Option<&Path>) -> Result<Self, DataError> {
        let url = data_url(given)?;
        let local = match url.scheme() {
            "s3" => None,
            _ => {
                let path = url.to_file_path();
                let path = path.map_err(|()| DataError::NoStore(url.clone()))?;
                Some(path.components().collect::<PathBuf>())
            }
        };
        let cache = match (cache, &local) {
            (Some(cache), _) => cache.to_owned(),
            (None, Some(local)) => local.join("cache"),
            (None, None) => PathBuf::from("purser-cache"),
        };
        let spool = Arc::new(Spool::new(&cache));
        Ok(Self {
            url,
            local,
            cache,
            spool,
        })
    }

    /// The folder as a URL that ends in a slash.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The folder's path, when it is on a local disk.
    pub fn local(&self) -> Option<&Path> {
        self.local.as_deref()
    }

    /// The folder as people write it.
    pub fn shown(&self) -> String {
        match &self.local {
            Some(local) => local.display().to_string(),
            None => self.url.as_str().trim_end_matches('/').to_owned(),
        }
    }

    /// Where files are kept that can be made again.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// Where the ledger's files are written before they are committed: below the table itself, or
    /// where they wait for their upload, which must be made ready before.
    pub fn workplace(&self) -> PathBuf {
        match &self.local {
            Some(local) => local.join("ledger"),
            None => self.spool.folder().to_owned(),
        }
    }

    /// Makes the workplace ready, and deletes what ended processes left there.
    ///
    /// # Errors
    ///
    /// The cache can't be written.
    pub fn make_workplace(&self) -> Result<(), DataError> {
        if self.local.is_some() {
            return Ok(());
        }
        self.spool.claim().map_err(|source| DataError::Cache {
            cache: self.cache.clone(),
            source,
        })
    }

    /// Where the price files lie.
    ///
    /// # Errors
    ///
    /// The store can't be reached as it is set up.
    pub fn prices(&self) -> Result<PriceFolder, DataError> {
        Ok(PriceFolder {
            store: data_store(&self.url)?,
            shown: self.shown(),
        })
    }

    /// The ledger, if there is one.
    ///
    /// # Errors
    ///
    /// The table can't be read; of a bucket, within seconds, what to set so that it can.
    pub async fn find_ledger(&self) -> Result<Option<Ledger>, DataError> {
        reach(&self.url).await?;
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
            .ok_or_else(|| DataError::NoLedger(self.shown()))
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

    /// The ledger for `shards` shards, made if it is missing, and the workplace.
    ///
    /// # Errors
    ///
    /// The table can't be made or has another number of shards.
    pub async fn make_ledger(&self, shards: u32) -> Result<Ledger, DataError> {
        self.make_workplace()?;
        Ok(Ledger::create(&self.url, shards).await?)
    }
}
