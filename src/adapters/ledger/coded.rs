//! The ledger as a table whose repeated texts are codes.
//!
//! Owns reading such texts as the files hold them: each once, and of every row only which one it
//! has. Leaves finding the files to `delta`, and all else of reading them to the engine.
//!
//! Invariant: the rows of the ledger at one version, and of each row the same values.

use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use bytes::Bytes;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Statistics;
use datafusion::common::stats::Precision;
use datafusion::config::TableParquetOptions;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::DefaultParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{
    FileScanConfigBuilder, ParquetFileReaderFactory, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::future::BoxFuture;
use futures::{FutureExt, TryFutureExt};
use object_store::ObjectStore;
use object_store::path::Path;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::arrow::{ARROW_SCHEMA_META_KEY, encode_arrow_schema, parquet_to_arrow_schema};
use parquet::errors::ParquetError;
use parquet::file::metadata::{FileMetaData, KeyValue, ParquetMetaData, ParquetMetaDataBuilder};

use super::delta::{Error, Ledger, LedgerFile};
use super::footer_cache::FooterCache;
use super::schema::{file_schema, is_repeated};

/// What the store of the files is called among those of a session.
const STORE: &str = "ledger://files";

/// The table; see the module.
#[derive(Debug)]
pub struct CodedLedger {
    files: Vec<LedgerFile>,
    store: Arc<dyn ObjectStore>,
    footers: Arc<FooterCache>,
    schema: SchemaRef,
}

impl CodedLedger {
    /// At the newest version. It lacks the partition column, which no file has.
    ///
    /// # Errors
    ///
    /// [`Error::Delta`] when the log cannot be read.
    pub async fn of(ledger: &mut Ledger) -> Result<Self, Error> {
        Ok(Self {
            files: ledger.files().await?,
            store: ledger.store(),
            footers: ledger.footers(),
            schema: Arc::new(coded(&file_schema())),
        })
    }
}

/// The schema with codes for repeated texts and views of others.
fn coded(schema: &Schema) -> Schema {
    let ours = file_schema();
    let coded = |field: &Arc<Field>| {
        let data_type = match (field.data_type(), ours.index_of(field.name())) {
            (DataType::Utf8, Ok(column)) if is_repeated(column) => {
                DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
            }
            (DataType::Utf8, _) => DataType::Utf8View,
            (other, _) => other.clone(),
        };
        field.as_ref().clone().with_data_type(data_type)
    };
    Schema::new(schema.fields().iter().map(coded).collect::<Vec<_>>())
}

#[async_trait]
impl TableProvider for CodedLedger {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if self.files.is_empty() {
            let shown: Vec<_> = (0..self.schema.fields().len()).collect();
            let schema = self.schema.project(projection.unwrap_or(&shown))?;
            return Ok(Arc::new(EmptyExec::new(Arc::new(schema))));
        }
        let runtime = session.runtime_env();
        let url = ObjectStoreUrl::parse(STORE)?;
        runtime.register_object_store(url.as_ref(), Arc::clone(&self.store));
        let files = CodedFiles {
            files: DefaultParquetFileReaderFactory::new(Arc::clone(&self.store)),
            footers: Arc::clone(&self.footers),
        };
        let options = TableParquetOptions {
            global: session.config_options().execution.parquet.clone(),
            ..TableParquetOptions::default()
        };
        let source = ParquetSource::new(Arc::clone(&self.schema))
            .with_table_parquet_options(options)
            .with_parquet_file_reader_factory(Arc::new(files));
        // Of joins, the side with fewer rows is kept in memory.
        let rows = self.files.iter().map(|file| file.rows);
        let rows = rows.sum::<Option<u64>>().map(|rows| rows as usize);
        let statistics = Statistics {
            num_rows: rows.map_or(Precision::Absent, Precision::Inexact),
            ..Statistics::new_unknown(&self.schema)
        };
        let mut scan = FileScanConfigBuilder::new(url, Arc::new(source))
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit);
        for file in &self.files {
            let mut part = PartitionedFile::new("", file.size);
            part.object_meta.location = file.path.clone();
            scan = scan.with_file(part);
        }
        Ok(DataSourceExec::from_data_source(scan.build()))
    }
}

/// Files whose footers say that repeated texts are wanted as codes.
#[derive(Debug)]
struct CodedFiles {
    files: DefaultParquetFileReaderFactory,
    footers: Arc<FooterCache>,
}

impl ParquetFileReaderFactory for CodedFiles {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        footer_bytes: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let path = file.object_meta.location.clone();
        let file = self
            .files
            .create_reader(partition, file, footer_bytes, metrics)?;
        Ok(Box::new(CodedFile {
            path,
            file,
            footers: Arc::clone(&self.footers),
        }))
    }
}

struct CodedFile {
    path: Path,
    file: Box<dyn AsyncFileReader + Send>,
    footers: Arc<FooterCache>,
}

impl AsyncFileReader for CodedFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        // A local disk answers the plural at once, and the singular by way of another thread.
        let bytes = self.file.get_byte_ranges(vec![range]);
        let bytes = bytes.map_ok(|bytes| bytes.into_iter().next().unwrap_or_default());
        bytes.boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, Result<Vec<Bytes>, ParquetError>> {
        self.file.get_byte_ranges(ranges)
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        async move {
            if let Some(footer) = self.footers.get(&self.path) {
                return Ok(footer);
            }
            let footer = self.file.get_metadata(options).await?;
            let footer = Arc::new(coded_footer(Arc::unwrap_or_clone(footer))?);
            self.footers.put(&self.path, &footer);
            Ok(footer)
        }
        .boxed()
    }
}

fn coded_footer(footer: ParquetMetaData) -> Result<ParquetMetaData, ParquetError> {
    let file = footer.file_metadata();
    let schema = parquet_to_arrow_schema(file.schema_descr(), None)?;
    let told = encode_arrow_schema(&coded(&schema));
    let file = FileMetaData::new(
        file.version(),
        file.num_rows(),
        file.created_by().map(str::to_owned),
        Some(vec![KeyValue::new(ARROW_SCHEMA_META_KEY.to_owned(), told)]),
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    );
    let mut parts = footer.into_builder();
    let coded = ParquetMetaDataBuilder::new(file)
        .set_column_index(parts.take_column_index())
        .set_offset_index(parts.take_offset_index())
        .set_row_groups(parts.take_row_groups());
    Ok(coded.build())
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
    use arrow::datatypes::Int64Type;
    use datafusion::prelude::{SessionConfig, SessionContext};
    use object_store::memory::InMemory;
    use object_store::{ObjectStoreExt, PutPayload};
    use parquet::arrow::ArrowWriter;

    use super::*;

    /// A file that somebody else wrote: other columns in another order, texts as plain ones.
    async fn other_file(store: &InMemory, path: &str, customer: &[Option<&str>]) -> LedgerFile {
        let entries: Int64Array = (1..=customer.len() as i64).map(Some).collect();
        let rows = RecordBatch::try_from_iter_with_nullable([
            (
                "customer",
                Arc::new(StringArray::from(customer.to_vec())) as ArrayRef,
                true,
            ),
            ("theirs", Arc::new(entries.clone()) as ArrayRef, false),
            (
                "data",
                Arc::new(StringArray::from(customer.to_vec())) as ArrayRef,
                true,
            ),
            ("entry", Arc::new(entries) as ArrayRef, false),
        ])
        .unwrap();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), None).unwrap();
        writer.write(&rows).unwrap();
        writer.close().unwrap();
        let (path, size) = (Path::from(path), bytes.len() as u64);
        store.put(&path, PutPayload::from(bytes)).await.unwrap();
        LedgerFile {
            path,
            size,
            rows: None,
            day: String::new(),
            shards: None,
            entries: None,
            seqs: None,
            received: None,
        }
    }

    #[tokio::test]
    async fn a_table_without_files_has_no_rows() {
        let table = CodedLedger {
            files: Vec::new(),
            store: Arc::new(InMemory::new()),
            footers: Arc::new(FooterCache::new()),
            schema: Arc::new(coded(&file_schema())),
        };
        let context = SessionContext::new();
        context.register_table("t", Arc::new(table)).unwrap();
        for (sql, count) in [
            ("SELECT entry, customer FROM t ORDER BY customer, entry", 0),
            ("SELECT * FROM t", 0),
            ("SELECT MAX(entry) FROM t WHERE kind = 'usage'", 1),
        ] {
            let rows = context.sql(sql).await.unwrap().collect().await.unwrap();
            let rows = rows.iter().map(RecordBatch::num_rows);
            assert_eq!(rows.sum::<usize>(), count, "{sql}");
        }
    }

    #[tokio::test]
    async fn files_of_other_writers_are_read_by_their_columns_names() {
        let store = Arc::new(InMemory::new());
        let files = vec![
            other_file(
                &store,
                "day=2026-11-01/a b.parquet",
                &[Some("x"), None, Some("y")],
            )
            .await,
            other_file(
                &store,
                "day=2026-11-02/b%20c.parquet",
                &[Some("y"), Some("x")],
            )
            .await,
        ];
        let schema = Arc::new(coded(&file_schema()));
        let table = CodedLedger {
            files,
            store,
            footers: Arc::new(FooterCache::new()),
            schema,
        };
        let mut config = SessionConfig::new();
        config.options_mut().execution.parquet.pushdown_filters = true;
        let context = SessionContext::new_with_config(config);
        context.register_table("t", Arc::new(table)).unwrap();
        let sql = "SELECT customer, task, data, entry FROM t
                   WHERE customer <> 'z' OR task IS NULL AND entry = 2
                   ORDER BY customer NULLS FIRST, entry";
        let rows = context.sql(sql).await.unwrap().collect().await.unwrap();
        let rows = arrow::compute::concat_batches(&rows[0].schema(), &rows).unwrap();
        assert!(matches!(
            rows.column(0).data_type(),
            DataType::Dictionary(..)
        ));
        let customers = arrow::compute::cast(rows.column(0), &DataType::Utf8).unwrap();
        let customers = customers.as_string::<i32>();
        let expected = [None, Some("x"), Some("x"), Some("y"), Some("y")];
        assert_eq!(customers.iter().collect::<Vec<_>>(), expected);
        let data = rows.column(2).as_string_view();
        assert_eq!(data.iter().collect::<Vec<_>>(), expected);
        assert_eq!(rows.column(1).logical_null_count(), 5);
        let entries = rows.column(3).as_primitive::<Int64Type>();
        assert_eq!(entries.values(), &[2, 1, 2, 1, 3]);
    }
}
