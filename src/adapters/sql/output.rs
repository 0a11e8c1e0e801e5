//! Writing the answer of a statement: table, CSV, JSON, NDJSON, Parquet.
//!
//! Owns the formats. Leaves laying out a table to `text_table` and where bytes go to the caller.
//!
//! Invariant: no digit is lost. Decimals are written in full, in JSON as strings, since its
//! readers take numbers for floats; times are UTC with all six places of a second, dates ISO. A
//! null is an empty field in CSV, `null` in JSON and blank in a table. However long the answer, a
//! bounded number of its rows is held.

use std::io::{self, Write};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::csv::WriterBuilder as CsvBuilder;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::writer::{
    Encoder, EncoderFactory, EncoderOptions, JsonArray, JsonFormat, LineDelimited, NullableEncoder,
    WriterBuilder as JsonBuilder,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::memory::MemoryStream;
use futures::StreamExt;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::text_table;

const INSTANT: &str = "%Y-%m-%dT%H:%M:%S%.6fZ";
const LOCAL_TIME: &str = "%Y-%m-%dT%H:%M:%S%.6f";

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people: aligned columns, long cells cut, the number of rows below.
    Table,
    /// With a header row; lines end in `\n`.
    Csv,
    /// One array of objects.
    Json,
    /// One object a line.
    Ndjson,
    Parquet,
}

/// Why an answer could not be written; what was written before is incomplete.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The engine's errors tell their own causes, so it is no `source`.
    #[error("run the statement: {0}")]
    Run(DataFusionError),
    #[error("turn the answer into text")]
    Encode(#[source] ArrowError),
    #[error("write the answer as parquet")]
    Parquet(#[from] ParquetError),
    #[error("write the answer")]
    Write(#[from] io::Error),
}

impl From<ArrowError> for OutputError {
    fn from(error: ArrowError) -> Self {
        match error {
            ArrowError::IoError(_, cause) => Self::Write(cause),
            other => Self::Encode(other),
        }
    }
}

/// Writes all of `rows` to `out` and flushes it; returns the number of rows.
///
/// An answer without rows still has its header, schema or brackets.
///
/// # Errors
///
/// [`OutputError::Run`] when the statement fails on the way, the others when writing does.
pub async fn write(
    rows: SendableRecordBatchStream,
    format: Format,
    out: &mut (dyn Write + Send),
) -> Result<u64, OutputError> {
    let count = match format {
        Format::Table => text_table::write(rows, out).await?,
        Format::Csv => write_csv(rows, out).await?,
        Format::Json => {
            let count = write_json::<JsonArray>(rows, out).await?;
            out.write_all(b"\n")?;
            count
        }
        Format::Ndjson => write_json::<LineDelimited>(rows, out).await?,
        Format::Parquet => write_parquet(rows, out).await?,
    };
    out.flush()?;
    Ok(count)
}

/// Rows that were collected, as an answer again.
///
/// # Errors
///
/// None with batches of that schema.
pub fn rows_of(
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
) -> Result<SendableRecordBatchStream, DataFusionError> {
    Ok(Box::pin(MemoryStream::try_new(batches, schema, None)?))
}

async fn write_csv(
    mut rows: SendableRecordBatchStream,
    out: &mut (dyn Write + Send),
) -> Result<u64, OutputError> {
    let mut writer = CsvBuilder::new()
        .with_header(true)
        .with_timestamp_format(LOCAL_TIME.to_owned())
        .with_timestamp_tz_format(INSTANT.to_owned())
        .build(out);
    let mut count = 0;
    // The header comes with the first batch, of which there may be none.
    writer.write(&flat(&RecordBatch::new_empty(rows.schema()))?)?;
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(OutputError::Run)?;
        count += batch.num_rows() as u64;
        writer.write(&flat(&batch)?)?;
    }
    Ok(count)
}

async fn write_json<F: JsonFormat>(
    mut rows: SendableRecordBatchStream,
    out: &mut (dyn Write + Send),
) -> Result<u64, OutputError> {
    let mut writer = JsonBuilder::new()
        .with_explicit_nulls(true)
        .with_encoder_factory(Arc::new(ExactDecimals))
        .with_timestamp_format(LOCAL_TIME.to_owned())
        .with_timestamp_tz_format(INSTANT.to_owned())
        .build::<_, F>(out);
    let mut count = 0;
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(OutputError::Run)?;
        count += batch.num_rows() as u64;
        writer.write(&batch)?;
    }
    writer.finish()?;
    Ok(count)
}

async fn write_parquet(
    mut rows: SendableRecordBatchStream,
    out: &mut (dyn Write + Send),
) -> Result<u64, OutputError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    let mut writer = ArrowWriter::try_new(out, rows.schema(), Some(properties))?;
    let mut count = 0;
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(OutputError::Run)?;
        count += batch.num_rows() as u64;
        writer.write(&batch)?;
    }
    writer.close()?;
    Ok(count)
}

/// `batch` with lists, structs and the like as text, which is all that CSV has for them.
fn flat(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let mut fields: Vec<FieldRef> = Vec::with_capacity(batch.num_columns());
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(batch.num_columns());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if field.data_type().is_nested() {
            fields.push(Arc::new(Field::new(field.name(), DataType::Utf8, true)));
            columns.push(Arc::new(texts(column)?));
        } else {
            fields.push(Arc::clone(field));
            columns.push(Arc::clone(column));
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn texts(column: &ArrayRef) -> Result<StringArray, ArrowError> {
    let options = text_options();
    let text = ArrayFormatter::try_new(column, &options)?;
    Ok((0..column.len())
        .map(|row| column.is_valid(row).then(|| text.value(row).to_string()))
        .collect())
}

/// How a value is written where there is only text: nulls as nothing.
pub(super) fn text_options() -> FormatOptions<'static> {
    FormatOptions::new()
        .with_display_error(false)
        .with_timestamp_format(Some(LOCAL_TIME))
        .with_timestamp_tz_format(Some(INSTANT))
}

/// Makes JSON strings of decimals.
#[derive(Debug)]
struct ExactDecimals;

impl EncoderFactory for ExactDecimals {
    fn make_default_encoder<'a>(
        &self,
        _field: &'a FieldRef,
        array: &'a dyn Array,
        _options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        if !array.data_type().is_decimal() {
            return Ok(None);
        }
        let options = FormatOptions::new().with_display_error(true);
        let encoder = DecimalEncoder(ArrayFormatter::try_new(array, &options)?);
        Ok(Some(NullableEncoder::new(
            Box::new(encoder),
            array.nulls().cloned(),
        )))
    }
}

struct DecimalEncoder<'a>(ArrayFormatter<'a>);

impl Encoder for DecimalEncoder<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        out.push(b'"');
        out.extend_from_slice(self.0.value(row).to_string().as_bytes());
        out.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        BooleanArray, Date32Array, Decimal128Array, Int64Array, TimestampMicrosecondArray,
    };
    use datafusion::prelude::SessionContext;

    fn sample() -> RecordBatch {
        let credits = Decimal128Array::from(vec![Some(123_456_789_012_345_678), Some(-1), None]);
        let instants = vec![Some(1_795_343_580_123_456), None, Some(0)];
        RecordBatch::try_from_iter([
            (
                "entry",
                Arc::new(Int64Array::from(vec![1, 22, 333])) as ArrayRef,
            ),
            (
                "text",
                Arc::new(StringArray::from(vec![Some("a,\"b\""), Some("c\nd"), None])),
            ),
            (
                "credits",
                Arc::new(credits.with_precision_and_scale(18, 6).unwrap()),
            ),
            (
                "at",
                Arc::new(TimestampMicrosecondArray::from(instants).with_timezone("UTC")),
            ),
            (
                "day",
                Arc::new(Date32Array::from(vec![Some(20_779), None, Some(0)])),
            ),
            (
                "late",
                Arc::new(BooleanArray::from(vec![Some(true), Some(false), None])),
            ),
        ])
        .unwrap()
    }

    async fn written(sql: &str, format: Format) -> Vec<u8> {
        let context = SessionContext::new();
        context.register_batch("sample", sample()).unwrap();
        let rows = context
            .sql(sql)
            .await
            .unwrap()
            .execute_stream()
            .await
            .unwrap();
        let mut out = Vec::new();
        write(rows, format, &mut out).await.unwrap();
        out
    }

    async fn text(sql: &str, format: Format) -> String {
        String::from_utf8(written(sql, format).await).unwrap()
    }

    const ALL: &str = "SELECT * FROM sample ORDER BY entry";
    const NONE: &str = "SELECT entry, credits FROM sample WHERE entry > 999";

    #[tokio::test]
    async fn csv_has_a_header_all_digits_and_empty_nulls() {
        let expected = "\
entry,text,credits,at,day,late
1,\"a,\"\"b\"\"\",123456789012.345678,2026-11-22T10:33:00.123456Z,2026-11-22,true
22,\"c\nd\",-0.000001,,,false
333,,,1970-01-01T00:00:00.000000Z,1970-01-01,
";
        assert_eq!(text(ALL, Format::Csv).await, expected);
        assert_eq!(text(NONE, Format::Csv).await, "entry,credits\n");
        assert_eq!(
            text("SELECT [1, 2] AS list", Format::Csv).await,
            "list\n\"[1, 2]\"\n"
        );
    }

    #[tokio::test]
    async fn json_has_decimals_as_strings_and_explicit_nulls() {
        let lines = text(ALL, Format::Ndjson).await;
        let mut lines = lines.lines();
        assert_eq!(
            lines.next().unwrap(),
            r#"{"entry":1,"text":"a,\"b\"","credits":"123456789012.345678","at":"2026-11-22T10:33:00.123456Z","day":"2026-11-22","late":true}"#
        );
        assert!(
            lines
                .next()
                .unwrap()
                .contains(r#""credits":"-0.000001","at":null"#)
        );
        let array = text(
            "SELECT [credits] AS list FROM sample WHERE entry = 22",
            Format::Json,
        );
        assert_eq!(array.await, "[{\"list\":[\"-0.000001\"]}]\n");
        assert_eq!(text(NONE, Format::Json).await, "[]\n");
        assert_eq!(text(NONE, Format::Ndjson).await, "");
    }

    #[tokio::test]
    async fn parquet_gives_the_same_rows_back() {
        use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&written(ALL, Format::Parquet).await)
            .unwrap();
        let mut batches = ParquetRecordBatchReader::try_new(file, 1024).unwrap();
        assert_eq!(
            batches.next().unwrap().unwrap().columns(),
            sample().columns()
        );
    }

    #[tokio::test]
    async fn a_table_aligns_numbers_right_and_shows_control_characters() {
        let sql = "SELECT entry, text, credits FROM sample ORDER BY entry";
        let expected = r#"entry  text               credits
-----  -----  -------------------
    1  a,"b"  123456789012.345678
   22  c\nd             -0.000001
  333
(3 rows)
"#;
        assert_eq!(text(sql, Format::Table).await, expected);
        assert_eq!(
            text(NONE, Format::Table).await,
            "entry  credits\n-----  -------\n(0 rows)\n"
        );
        let long = text("SELECT repeat('x', 61) AS long", Format::Table).await;
        assert!(long.contains(&format!("\n{}…\n", "x".repeat(59))), "{long}");
    }
}
