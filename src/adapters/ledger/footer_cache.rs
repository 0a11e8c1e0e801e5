//! The footers of Parquet files that were read.
//!
//! Owns keeping those that were used last. Leaves reading them to whoever needs them.
//!
//! Invariant: what is kept of a path is right for ever, since no path is written twice.

use std::fmt;
use std::sync::Arc;

use datafusion::execution::cache::default_cache::DefaultCache;
use datafusion::execution::cache::{Cache, CacheValue};
use object_store::path::Path;
use parquet::file::metadata::ParquetMetaData;

/// How much memory they may take, in bytes; those of a ledger of 100,000,000 rows take about as
/// much.
const BYTES_MAX: usize = 64 << 20;

/// Footers by their files' paths.
pub(super) struct FooterCache(DefaultCache<Path, Footer>);

#[derive(Clone)]
struct Footer(Arc<ParquetMetaData>);

impl CacheValue for Footer {
    fn size(&self) -> usize {
        self.0.memory_size()
    }
}

impl FooterCache {
    pub(super) fn new() -> Self {
        Self(DefaultCache::new(BYTES_MAX))
    }

    pub(super) fn get(&self, path: &Path) -> Option<Arc<ParquetMetaData>> {
        self.0.get(path).map(|Footer(footer)| footer)
    }

    pub(super) fn put(&self, path: &Path, footer: &Arc<ParquetMetaData>) {
        self.0.put(path, Footer(Arc::clone(footer)));
    }
}

impl fmt::Debug for FooterCache {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} footers", self.0.len())
    }
}
