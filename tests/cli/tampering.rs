//! A ledger's Parquet files, changed in place.
//!
//! Owns reading the rows of all files, changing single values by entry and column, and writing
//! the files under their names again. The table's log stays as it is, but for what a test edits.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{cast, concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Int64Type};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// All files of a ledger, and their rows.
pub(crate) struct Files {
    table: PathBuf,
    files: Vec<(PathBuf, RecordBatch)>,
}

impl Files {
    /// Of the table in a data folder.
    pub(crate) fn open(data: &Path) -> Self {
        let table = data.join("ledger");
        let days = fs::read_dir(&table).expect("a table");
        let days = days.map(|day| day.expect("a day").path());
        let days = days.filter(|day| day.join("..").is_dir() && !day.ends_with("_delta_log"));
        let files = days.flat_map(|day| fs::read_dir(day).expect("a day's files"));
        let files = files.map(|file| {
            let path = file.expect("a file").path();
            let rows = read(&path);
            (path, rows)
        });
        Self {
            files: files.collect(),
            table,
        }
    }

    /// A value as text; decimals with all their places.
    pub(crate) fn get(&self, entry: i64, column: &str) -> Option<String> {
        let (file, row) = self.find(entry);
        let texts = texts(&self.files[file].1, column);
        texts[row].clone()
    }

    pub(crate) fn set(&mut self, entry: i64, column: &str, value: Option<&str>) {
        let (file, row) = self.find(entry);
        let rows = &mut self.files[file].1;
        let mut texts = texts(rows, column);
        texts[row] = value.map(str::to_owned);
        let at = rows.schema().index_of(column).expect("a column");
        let column = cast(&StringArray::from(texts), rows.column(at).data_type());
        *rows = with_column(rows, at, column.expect("a value of the column's type"));
    }

    /// Adds millionths to a decimal of six places.
    pub(crate) fn add(&mut self, entry: i64, column: &str, millionths: i64) {
        let digits = self.get(entry, column).expect("a value").replace('.', "");
        let sum = digits.parse::<i64>().expect("digits") + millionths;
        let sign = if sum < 0 { "-" } else { "" };
        let digits = format!("{:07}", sum.abs());
        let (whole, part) = digits.split_at(digits.len() - 6);
        self.set(entry, column, Some(&format!("{sign}{whole}.{part}")));
    }

    /// Leaves a row out.
    pub(crate) fn remove(&mut self, entry: i64) {
        let (file, row) = self.find(entry);
        self.take(file, |rows| {
            (0..rows).filter(|at| *at != row as u32).collect()
        });
    }

    /// Writes a row twice.
    pub(crate) fn double(&mut self, entry: i64) {
        let (file, row) = self.find(entry);
        self.take(file, |rows| {
            let twice = |at| std::iter::repeat_n(at, 1 + usize::from(at == row as u32));
            (0..rows).flat_map(twice).collect()
        });
    }

    /// Adds to the entry of all rows after `entry`, so that no gap is left.
    pub(crate) fn shift_after(&mut self, entry: i64, by: i64) {
        for (_, rows) in &mut self.files {
            let at = rows.schema().index_of("entry").expect("a column");
            let entries = rows.column(at).as_primitive::<Int64Type>();
            let shifted = entries.values().iter();
            let shifted = shifted.map(|known| known + if *known > entry { by } else { 0 });
            let shifted: ArrayRef = Arc::new(Int64Array::from_iter_values(shifted));
            *rows = with_column(rows, at, shifted);
        }
    }

    /// Replaces a text in the newest log entry that holds it.
    pub(crate) fn edit_log(&self, from: &str, to: &str) {
        let mut entries: Vec<PathBuf> = fs::read_dir(self.table.join("_delta_log"))
            .expect("a log")
            .map(|entry| entry.expect("a log entry").path())
            .collect();
        entries.sort();
        let text = |path: &PathBuf| fs::read_to_string(path).unwrap_or_default();
        let found = entries.iter().rev().find(|path| text(path).contains(from));
        let path = found.expect("a log entry that holds the text");
        fs::write(path, text(path).replace(from, to)).expect("a written log entry");
    }

    /// The file that holds an entry.
    pub(crate) fn path(&self, entry: i64) -> &Path {
        &self.files[self.find(entry).0].0
    }

    /// Writes all files again.
    pub(crate) fn save(&self) {
        for (path, rows) in &self.files {
            let file = File::create(path).expect("a file");
            let mut writer = ArrowWriter::try_new(file, rows.schema(), None).expect("a writer");
            writer.write(rows).expect("written rows");
            writer.close().expect("a written file");
        }
    }

    fn find(&self, entry: i64) -> (usize, usize) {
        let entries = |rows: &RecordBatch| {
            let column = rows.column_by_name("entry").expect("a column");
            column.as_primitive::<Int64Type>().clone()
        };
        let place = |(file, (_, rows)): (usize, &(PathBuf, RecordBatch))| {
            let row = entries(rows)
                .values()
                .iter()
                .position(|known| *known == entry)?;
            Some((file, row))
        };
        self.files
            .iter()
            .enumerate()
            .find_map(place)
            .expect("an entry")
    }

    fn take(&mut self, file: usize, rows: impl Fn(u32) -> Vec<u32>) {
        let known = &mut self.files[file].1;
        let chosen = UInt32Array::from(rows(known.num_rows() as u32));
        *known = take_record_batch(known, &chosen).expect("rows");
    }
}

fn read(path: &Path) -> RecordBatch {
    let file = File::open(path).expect("a file");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
    let schema = reader.schema().clone();
    let reader = reader.build().expect("a reader");
    let batches: Vec<RecordBatch> = reader.map(|batch| batch.expect("rows")).collect();
    concat_batches(&schema, &batches).expect("one batch")
}

fn texts(rows: &RecordBatch, column: &str) -> Vec<Option<String>> {
    let column = rows.column_by_name(column).expect("a column");
    let texts = cast(column, &DataType::Utf8).expect("texts");
    let texts = texts.as_string::<i32>();
    texts.iter().map(|text| text.map(str::to_owned)).collect()
}

fn with_column(rows: &RecordBatch, at: usize, column: ArrayRef) -> RecordBatch {
    let mut columns = rows.columns().to_vec();
    columns[at] = column;
    RecordBatch::try_new(rows.schema(), columns).expect("the same columns")
}
