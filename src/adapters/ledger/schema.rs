//! The columns of the tables.
//!
//! Owns how a column is described, as an Arrow and as a Delta field, the ledger's order, names and
//! types, and which of them carry statistics for skipping. Leaves filling them to the encoder and
//! the statistics themselves to `delta::stats`.
//!
//! Invariant: one list, so that what is written and what the table promises cannot differ. No
//! decimal of the ledger has a precision over 18, for DataFusion's sum of a wide one wraps, and
//! none carries statistics, for deltalake writes those through floats.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use deltalake::DeltaTableError;
use deltalake::kernel::{DataType as DeltaType, MetadataValue, StructField, StructType};

/// The column that the table is partitioned by: it is in the path of a file, not in the file.
pub(super) const PARTITION: &str = "day";

/// The columns with minima, maxima and null counts in the log.
pub(super) const SKIPPING: [&str; 10] = [
    "shard",
    "entry",
    "source",
    "seq",
    "kind",
    "customer",
    "period",
    "used_at",
    "received_at",
    "event_id",
];

/// The zone of every timestamp.
const ZONE: &str = "UTC";

/// Digits of a decimal, before and after the point together.
pub(super) const DECIMAL_DIGITS: u8 = 18;
/// Digits of a sum of decimals.
const SUM_DIGITS: u8 = 28;
/// Decimal places of credits and quantities.
pub(super) const CREDIT_PLACES: u8 = 6;
/// Decimal places of money.
pub(super) const MONEY_PLACES: u8 = 9;

pub(super) enum Type {
    Int,
    Long,
    Text,
    /// A text that many rows share.
    Word,
    Flag,
    Date,
    /// Microseconds in UTC.
    Time,
    /// A decimal with this many places.
    Decimal(u8),
    /// A sum of such decimals.
    Sum(u8),
}

pub(super) enum Null {
    Never,
    Allowed,
}

pub(super) struct Column {
    pub(super) name: &'static str,
    holds: Type,
    null: Null,
    comment: &'static str,
}

pub(super) const CREDITS: Type = Type::Decimal(CREDIT_PLACES);
const MONEY: Type = Type::Decimal(MONEY_PLACES);

/// All columns in the table's order.
const COLUMNS: [Column; 31] = [
    always("day", Type::Date, "UTC date of received_at; the partition"),
    always(
        "shard",
        Type::Int,
        "the part of all wallets that one engine owns",
    ),
    always(
        "entry",
        Type::Long,
        "numbers a shard's rows 1, 2, 3 … in the order they were decided",
    ),
    always(
        "source",
        Type::Word,
        "the stream or file that the row came from",
    ),
    always("seq", Type::Long, "place of the message in its source"),
    always(
        "idx",
        Type::Int,
        "place of the event in its message; -1 for a timer's row",
    ),
    always("leg", Type::Int, "numbers the rows of one event"),
    always(
        "kind",
        Type::Word,
        "what the row records: usage, reversal, grant, …",
    ),
    maybe("customer", Type::Word, "who holds the wallet"),
    maybe(
        "period",
        Type::Date,
        "first day of the billing period that the row is booked to",
    ),
    maybe(
        "used_at",
        Type::Time,
        "the producer's time; picks the price and the period",
    ),
    always(
        "received_at",
        Type::Time,
        "the broker's time of the message",
    ),
    maybe("event_source", Type::Word, "the event's source"),
    maybe("event_id", Type::Text, "the event's id"),
    maybe("event_type", Type::Word, "the event's type"),
    maybe("task", Type::Word, "the words on the invoice"),
    maybe("unit", Type::Word, "what quantity is counted in"),
    maybe("quantity", CREDITS, "how many units; on the first leg only"),
    maybe("credits", CREDITS, "the charge: + usage, - reversal"),
    maybe(
        "grant_id",
        Type::Word,
        "the grant that paid or changed; null on usage: overage",
    ),
    maybe("delta", CREDITS, "by how much the grant changed"),
    maybe(
        "balance",
        CREDITS,
        "credits left in the wallet's effective grants after the row",
    ),
    maybe(
        "amount",
        MONEY,
        "money billed by the row; negative for a credit note",
    ),
    maybe("currency", Type::Word, "currency of amount"),
    maybe("cost_usd", MONEY, "what the event cost us"),
    maybe("plan", Type::Word, "the wallet's plan"),
    maybe(
        "price_version",
        Type::Word,
        "version of the price table that priced the row",
    ),
    maybe("price_id", Type::Word, "the price that matched"),
    maybe(
        "late",
        Type::Flag,
        "booked elsewhere than to the period open at used_at",
    ),
    maybe(
        "reason",
        Type::Word,
        "why: of rejections, reversals, alerts",
    ),
    maybe(
        "data",
        Type::Text,
        "the event's data as received; of a rejection the raw body",
    ),
];

pub(super) const fn always(name: &'static str, holds: Type, comment: &'static str) -> Column {
    Column {
        name,
        holds,
        null: Null::Never,
        comment,
    }
}

pub(super) const fn maybe(name: &'static str, holds: Type, comment: &'static str) -> Column {
    Column {
        name,
        holds,
        null: Null::Allowed,
        comment,
    }
}

/// The columns in a data file: all but the partition column.
pub(super) fn file_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| arrow_schema(&COLUMNS[1..]));
    SCHEMA.clone()
}

/// Whether many rows share the texts of a data file's column.
pub(super) fn is_repeated(column: usize) -> bool {
    matches!(COLUMNS[column + 1].holds, Type::Word)
}

/// The ledger's columns for its creation, each with its comment.
///
/// # Errors
///
/// None with the decimals above; the library checks their digits at run time.
pub(super) fn ledger_columns() -> Result<Vec<StructField>, DeltaTableError> {
    delta_columns(&COLUMNS)
}

/// Columns for a table's creation, each with its comment.
///
/// # Errors
///
/// A decimal has too many digits.
pub(super) fn delta_columns(columns: &[Column]) -> Result<Vec<StructField>, DeltaTableError> {
    columns.iter().map(delta_column).collect()
}

/// The schema with decimals of 64 bits, which is what Parquet stores.
pub(super) fn narrow(schema: &Schema) -> SchemaRef {
    let narrow = |field: &Arc<Field>| match field.data_type() {
        DataType::Decimal128(digits, places) => {
            let data_type = DataType::Decimal64(*digits, *places);
            Arc::new(field.as_ref().clone().with_data_type(data_type))
        }
        _ => Arc::clone(field),
    };
    let fields: Vec<_> = schema.fields().iter().map(narrow).collect();
    Arc::new(Schema::new(fields))
}

/// The first of our columns that `table` lacks or has with another type. Columns that we do not
/// know are no fault: somebody else's reader may have added one.
pub(super) fn missing_column(table: &StructType) -> Result<Option<String>, DeltaTableError> {
    let ours = ledger_columns()?;
    let fits = |column: &StructField| {
        table
            .field(column.name())
            .is_some_and(|found| found.data_type() == column.data_type())
    };
    Ok(ours
        .iter()
        .find(|column| !fits(column))
        .map(|column| column.name().clone()))
}

pub(super) fn arrow_schema(columns: &[Column]) -> SchemaRef {
    let fields: Vec<Field> = columns.iter().map(arrow_field).collect();
    Arc::new(Schema::new(fields))
}

fn arrow_field(column: &Column) -> Field {
    let data_type = match column.holds {
        Type::Int => DataType::Int32,
        Type::Long => DataType::Int64,
        Type::Text | Type::Word => DataType::Utf8,
        Type::Flag => DataType::Boolean,
        Type::Date => DataType::Date32,
        Type::Time => DataType::Timestamp(TimeUnit::Microsecond, Some(ZONE.into())),
        Type::Decimal(places) => DataType::Decimal128(DECIMAL_DIGITS, places.cast_signed()),
        Type::Sum(places) => DataType::Decimal128(SUM_DIGITS, places.cast_signed()),
    };
    Field::new(column.name, data_type, matches!(column.null, Null::Allowed))
}

fn delta_column(column: &Column) -> Result<StructField, DeltaTableError> {
    let data_type = match column.holds {
        Type::Int => DeltaType::INTEGER,
        Type::Long => DeltaType::LONG,
        Type::Text | Type::Word => DeltaType::STRING,
        Type::Flag => DeltaType::BOOLEAN,
        Type::Date => DeltaType::DATE,
        Type::Time => DeltaType::TIMESTAMP,
        Type::Decimal(places) => DeltaType::decimal(DECIMAL_DIGITS, places)?,
        Type::Sum(places) => DeltaType::decimal(SUM_DIGITS, places)?,
    };
    let field = StructField::new(column.name, data_type, matches!(column.null, Null::Allowed));
    let comment = MetadataValue::String(column.comment.to_string());
    Ok(field.with_metadata([(COMMENT, comment)]))
}

/// Where Spark and the others look for a column's description.
const COMMENT: &str = "comment";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_file_holds_every_column_but_the_partition() {
        let file = file_schema();
        let names: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
        let stored: Vec<&str> = file
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        assert_eq!((names[0], &names[1..]), (PARTITION, stored.as_slice()));
        assert_eq!(stored.len(), 30);
    }

    #[test]
    fn statistics_are_kept_on_columns_that_exist_and_never_on_a_decimal() {
        for name in SKIPPING {
            let field = file_schema()
                .field_with_name(name)
                .expect("a column")
                .clone();
            assert!(
                !matches!(field.data_type(), DataType::Decimal128(..)),
                "{name}"
            );
        }
    }

    #[test]
    fn a_table_must_have_every_column_with_its_type() {
        let columns = ledger_columns().expect("columns");
        let table = StructType::try_new(columns.clone()).expect("a schema");
        assert_eq!(missing_column(&table).expect("a verdict"), None);

        let lacking = StructType::try_new(columns[1..].to_vec()).expect("a schema");
        assert_eq!(
            missing_column(&lacking).expect("a verdict").as_deref(),
            Some("day")
        );
    }
}
