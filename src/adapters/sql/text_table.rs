//! Laying out an answer as a table for people.
//!
//! Owns widths, alignment and what is cut. Leaves how a value is written to `output`.
//!
//! Invariant: no text of the ledger reaches a terminal as a control character, and no more than
//! [`MEASURED_ROWS`] rows and a batch are held.

use std::io::Write;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::util::display::ArrayFormatter;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;

use super::output::{OutputError, text_options};

/// A column is as wide as its first rows, this many, need; a longer cell below pushes its row.
const MEASURED_ROWS: usize = 1_000;

/// A cell with more characters is cut; numbers never are that long.
const CELL_CHARS_MAX: usize = 60;

/// One column: its name, whether it stands right, and its width in characters.
struct Column {
    name: String,
    right: bool,
    width: usize,
}

type Row = Vec<String>;

/// Writes a header, the rows and their number; returns that number.
///
/// # Errors
///
/// As [`super::output::write`].
pub(super) async fn write(
    mut rows: SendableRecordBatchStream,
    out: &mut (dyn Write + Send),
) -> Result<u64, OutputError> {
    let mut columns = columns(&rows.schema());
    let mut held: Vec<Row> = Vec::new();
    let mut count = 0;
    let mut header_due = true;
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(OutputError::Run)?;
        count += batch.num_rows() as u64;
        held.extend(cells(&batch)?);
        if !header_due || held.len() >= MEASURED_ROWS {
            flush(&mut held, &mut columns, &mut header_due, out)?;
        }
    }
    flush(&mut held, &mut columns, &mut header_due, out)?;
    writeln!(out, "({count} {})", if count == 1 { "row" } else { "rows" })?;
    Ok(count)
}

fn columns(schema: &SchemaRef) -> Vec<Column> {
    let column = |field: &arrow::datatypes::FieldRef| {
        let name = shown(field.name());
        let width = name.chars().count();
        Column {
            name,
            right: field.data_type().is_numeric(),
            width,
        }
    };
    schema.fields().iter().map(column).collect()
}

fn cells(batch: &RecordBatch) -> Result<Vec<Row>, ArrowError> {
    let options = text_options();
    let formatters = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &options))
        .collect::<Result<Vec<_>, _>>()?;
    let cell = |row: usize, column: usize| {
        if batch.column(column).is_null(row) {
            return Ok(String::new());
        }
        Ok(shown(&formatters[column].value(row).try_to_string()?))
    };
    (0..batch.num_rows())
        .map(|row| {
            (0..batch.num_columns())
                .map(|column| cell(row, column))
                .collect()
        })
        .collect()
}

/// `text` on one line, without control characters, cut to [`CELL_CHARS_MAX`].
fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(CELL_CHARS_MAX));
    for (place, char) in text.chars().enumerate() {
        if place == CELL_CHARS_MAX {
            shown.pop();
            shown.push('…');
            break;
        }
        if char.is_control() {
            shown.extend(char.escape_default());
        } else {
            shown.push(char);
        }
    }
    shown
}

/// Writes and forgets the held rows; before the first of all, fixes the widths by them and writes
/// the header.
fn flush(
    held: &mut Vec<Row>,
    columns: &mut [Column],
    header_due: &mut bool,
    out: &mut (dyn Write + Send),
) -> Result<(), OutputError> {
    if *header_due {
        *header_due = false;
        for (place, column) in columns.iter_mut().enumerate() {
            let widest = held.iter().map(|row| row[place].chars().count()).max();
            column.width = column.width.max(widest.unwrap_or(0));
        }
        let names: Row = columns.iter().map(|column| column.name.clone()).collect();
        let rules: Row = columns
            .iter()
            .map(|column| "-".repeat(column.width))
            .collect();
        write_row(&names, columns, out)?;
        write_row(&rules, columns, out)?;
    }
    for row in held.drain(..) {
        write_row(&row, columns, out)?;
    }
    Ok(())
}

fn write_row(
    row: &[String],
    columns: &[Column],
    out: &mut (dyn Write + Send),
) -> Result<(), OutputError> {
    let mut line = String::new();
    for (cell, column) in row.iter().zip(columns) {
        if !line.is_empty() {
            line.push_str("  ");
        }
        let width = column.width;
        line.push_str(&if column.right {
            format!("{cell:>width$}")
        } else {
            format!("{cell:<width$}")
        });
    }
    writeln!(out, "{}", line.trim_end())?;
    Ok(())
}
