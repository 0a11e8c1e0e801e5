//! One file of wallets: writing it, and bringing an engine to where it is.
//!
//! Owns its footer, which says what the checkpoint is, and the checksum that makes a torn file
//! known. Leaves putting it in force, and keeping the checksum, to `table`.

use std::collections::BTreeSet;
use std::hash::Hasher;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use bytes::Bytes;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::{AsyncArrowWriter, ProjectionMask};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;
use url::Url;
use uuid::Uuid;

use super::columns::{PARTITION, WalletRows, batch_schema};
use super::{About, TABLE, WalletsError, state};
use crate::adapters::ledger::ahead::ahead;
use crate::adapters::ledger::delta::{PIECE_BYTES, table_at};
use crate::domain::engine::{Engine, Head, KnownTerms, LoadedWallets};
use crate::domain::entry::Mark;
use crate::domain::price::PriceBook;
use crate::domain::units::Timestamp;
use crate::domain::wallet::list::CHUNK;

/// The key of a file's footer.
const FOOTER: &str = "purser";
/// Wallets of a row group: what the writer holds.
const ROW_GROUP_ROWS: usize = 64 << 10;
/// What a wallet is loaded from.
const NEEDED: [&str; 3] = ["customer", "as_of_entry", "state"];

/// The checkpoint of a shard, being written.
pub struct WalletsFile {
    shard: u32,
    path: Path,
    store: Arc<dyn ObjectStore>,
    writer: AsyncArrowWriter<BufWriter>,
    rows: u64,
}

/// A file that nothing names yet.
pub struct NewWallets {
    pub(super) shard: u32,
    pub(super) path: Path,
    pub(super) size: u64,
    pub(super) rows: u64,
    /// Of all its bytes.
    pub(super) checksum: i64,
}

/// A shard's newest checkpoint.
pub struct Checkpoint {
    pub about: About,
    file: Bytes,
}

/// `About` in the file's footer.
#[derive(Deserialize, Serialize)]
struct Footer {
    ledger: String,
    /// `head.last`: number and hash.
    head: (i64, u64),
    /// Microseconds since 1970.
    now: Option<i64>,
    versions: Vec<String>,
    /// Number and hash.
    last: (i64, u64),
    sources: BTreeSet<String>,
}

impl WalletsFile {
    /// Starts a file for the wallets of `shard` below the data folder.
    ///
    /// # Errors
    ///
    /// It can't be written there.
    pub fn create(data: &Url, shard: u32) -> Result<Self, WalletsError> {
        let store = table_at(data, TABLE)?.object_store();
        let path = Path::from(format!(
            "{PARTITION}={shard}/part-{}.parquet",
            Uuid::new_v4()
        ));
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_column_statistics_enabled("state".into(), EnabledStatistics::None);
        // Hardly two wallets share theirs.
        for column in ["customer", "state"] {
            properties = properties
                .set_column_dictionary_enabled(column.into(), false)
                .set_column_encoding(column.into(), Encoding::DELTA_LENGTH_BYTE_ARRAY);
        }
        let sink = BufWriter::with_capacity(Arc::clone(&store), path.clone(), PIECE_BYTES);
        // One after the other, so that each has the whole line and is there in time.
        let sink = sink.with_max_concurrency(1);
        let writer = AsyncArrowWriter::try_new(sink, batch_schema(), Some(properties.build()))?;
        Ok(Self {
            shard,
            path,
            store,
            writer,
            rows: 0,
        })
    }

    /// Appends wallets.
    ///
    /// # Errors
    ///
    /// The store does not take them.
    pub async fn write(&mut self, wallets: WalletRows) -> Result<(), WalletsError> {
        let batch = wallets.into_batch()?;
        self.rows += batch.num_rows() as u64;
        Ok(self.writer.write(&batch).await?)
    }

    /// Ends the file.
    ///
    /// # Errors
    ///
    /// The store does not take it.
    pub async fn finish(mut self, about: About) -> Result<NewWallets, WalletsError> {
        let pair = |mark: Mark| (mark.entry, mark.hash);
        let footer = Footer {
            ledger: about.ledger,
            head: pair(about.head.last),
            now: about.head.now.map(Timestamp::get),
            versions: about.head.versions,
            last: pair(about.last),
            sources: about.sources,
        };
        let value = serde_json::to_string(&footer)?;
        self.writer
            .append_key_value_metadata(KeyValue::new(FOOTER.to_owned(), value));
        self.writer.close().await?;
        // What is there now, not what was meant to be.
        let bytes = self.store.get(&self.path).await?.bytes().await?;
        Ok(NewWallets {
            shard: self.shard,
            path: self.path,
            size: bytes.len() as u64,
            rows: self.rows,
            checksum: checksum(&bytes),
        })
    }
}

impl Checkpoint {
    /// Reads what the file says of itself; its bytes must be those that were written.
    pub(super) fn open(file: Bytes, written: Option<i64>) -> Result<Self, WalletsError> {
        if written != Some(checksum(&file)) {
            return Err(WalletsError::Unfit("its file is torn".to_owned()));
        }
        let reader = ParquetRecordBatchReaderBuilder::try_new(file.clone())?;
        let footer = reader.metadata().file_metadata().key_value_metadata();
        let footer = footer
            .and_then(|all| all.iter().find(|pair| pair.key == FOOTER))
            .and_then(|pair| pair.value.as_deref())
            .ok_or_else(|| WalletsError::Unfit("its footer says nothing of it".to_owned()))?;
        let footer: Footer = serde_json::from_str(footer)?;
        let mark = |(entry, hash)| Mark { entry, hash };
        Ok(Self {
            about: About {
                ledger: footer.ledger,
                head: Head {
                    last: mark(footer.head),
                    now: footer.now.map(Timestamp::new),
                    versions: footer.versions,
                },
                last: mark(footer.last),
                sources: footer.sources,
            },
            file,
        })
    }

    /// Brings a new engine to where the checkpoint is. On an error the engine is worth nothing.
    ///
    /// # Errors
    ///
    /// The file is torn, or a plan is not in the engine's price book.
    pub fn load(self, engine: &mut Engine) -> Result<About, WalletsError> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(self.file)?;
        engine.resume(self.about.head.clone());
        let count = reader.metadata().file_metadata().num_rows();
        engine.reserve(usize::try_from(count).unwrap_or_default());
        let columns = ProjectionMask::columns(reader.parquet_schema(), NEEDED);
        let reader = reader.with_projection(columns);
        let reader = reader.with_batch_size(CHUNK).build()?;
        let book = Arc::clone(engine.book());
        let read = || {
            let mut terms = KnownTerms::default();
            let book = &book;
            move |batch| wallets_of(&batch, book, &mut terms)
        };
        let batches = reader.map(|batch| Ok::<_, WalletsError>(batch?));
        // Reading wallets takes far longer than taking them over.
        ahead(batches, [read(), read()], |wallets| {
            engine.load(wallets);
            Ok::<(), WalletsError>(())
        })?;
        Ok(self.about)
    }
}

/// Each row's wallet, as of its entry.
fn wallets_of(
    batch: &RecordBatch,
    book: &PriceBook,
    terms: &mut KnownTerms,
) -> Result<LoadedWallets, WalletsError> {
    let (customer, state) = (texts(batch, "customer")?, texts(batch, "state")?);
    let entries = batch.column_by_name("as_of_entry");
    let entries = entries.and_then(|array| array.as_primitive_opt::<Int64Type>());
    let entries = entries.ok_or_else(|| missing("as_of_entry"))?;
    let mut wallets = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let (customer, text) = (customer.value(row), state.value(row));
        wallets.push(state::read(customer, text, |version, plan| {
            terms.get(book, version, plan)
        })?);
    }
    Ok(LoadedWallets::new(wallets, entries.values().to_vec()))
}

fn texts<'a>(
    batch: &'a RecordBatch,
    column: &'static str,
) -> Result<&'a StringArray, WalletsError> {
    let array = batch.column_by_name(column);
    let array = array.and_then(|array| array.as_string_opt::<i32>());
    array.ok_or_else(|| missing(column))
}

fn missing(column: &str) -> WalletsError {
    WalletsError::Unfit(format!("its column {column} is missing or of another type"))
}

/// Not negative, so that it can be a version in the log.
fn checksum(bytes: &[u8]) -> i64 {
    let mut hasher = SipHasher13::new();
    hasher.write(bytes);
    (hasher.finish() >> 1).cast_signed()
}
