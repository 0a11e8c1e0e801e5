//! A file of the ledger that is read in pieces.
//!
//! Owns asking the store for no more than is needed. Leaves what the bytes mean to the Parquet
//! library.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, TryFutureExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use super::delta::LedgerFile;

/// A file's end that is read at once, in bytes: most have their footer and filters in it.
const FOOTER: usize = 128 << 10;

/// The file.
pub(super) struct Pieces {
    store: Arc<dyn ObjectStore>,
    path: Path,
    size: u64,
}

impl Pieces {
    pub(super) fn of(file: &LedgerFile, store: Arc<dyn ObjectStore>) -> Self {
        let (path, size) = (file.path.clone(), file.size);
        Self { store, path, size }
    }
}

/// The store's error, which [`store_error`] finds again.
fn wrapped(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

/// The store's own error, or the library's.
pub(super) fn store_error(
    error: ParquetError,
) -> std::result::Result<object_store::Error, ParquetError> {
    match error {
        ParquetError::External(error) => match error.downcast() {
            Ok(error) => Ok(*error),
            Err(error) => Err(ParquetError::External(error)),
        },
        error => Err(error),
    }
}

impl AsyncFileReader for Pieces {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        let read = self.store.get_range(&self.path, range);
        read.map_err(wrapped).boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move {
            let read = self.store.get_ranges(&self.path, &ranges).await;
            read.map_err(wrapped)
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let size = self.size;
            let reader = ParquetMetaDataReader::new()
                .with_arrow_reader_options(options)
                .with_prefetch_hint(Some(FOOTER));
            Ok(Arc::new(reader.load_and_finish(self, size).await?))
        }
        .boxed()
    }
}
