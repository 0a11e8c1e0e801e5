//! Rows that are encoded at once: a row group of a file.
//!
//! Owns how each of its columns is held, and taking over rows of another file. Leaves making one of
//! the engine's rows to `columns`, and Parquet to `encode`.
//!
//! Invariant: columns are in the order of the file's schema, and all have as many rows.

use arrow::array::{Array, ArrayRef, AsArray};

use super::codes::Codes;
use super::schema::is_repeated;

/// Rows of a group: what a reader skips or reads at once, and what waits in memory.
pub const GROUP_ROWS: usize = 64 << 10;
/// Bytes of a group before encoding, roughly, so that long rows do not fill the memory.
pub const GROUP_BYTES: usize = 24 << 20;

/// The group.
#[derive(Default)]
pub(super) struct Group {
    rows: usize,
    /// Roughly what was added, in bytes.
    bytes: usize,
    pub(super) columns: Vec<Held>,
}

/// One of its columns.
pub(super) enum Held {
    /// Arrays that follow each other.
    Arrays(Vec<ArrayRef>),
    /// Texts that may repeat.
    Codes(Codes),
}

impl Group {
    /// A group of so many rows.
    pub(super) fn of(rows: usize, columns: Vec<Held>) -> Self {
        Self {
            rows,
            bytes: 0,
            columns,
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// It should be encoded before more is added.
    pub(super) fn is_full(&self) -> bool {
        self.rows >= GROUP_ROWS || self.bytes >= GROUP_BYTES
    }

    /// Adds rows, their columns in the order of the file's schema.
    pub(super) fn add(&mut self, columns: &[ArrayRef]) {
        if self.columns.is_empty() {
            let empty = |column| match is_repeated(column) {
                true => Held::Codes(Codes::default()),
                false => Held::Arrays(Vec::new()),
            };
            self.columns = (0..columns.len()).map(empty).collect();
        }
        self.rows += columns.first().map_or(0, Array::len);
        self.bytes += columns
            .iter()
            .map(Array::get_array_memory_size)
            .sum::<usize>();
        for (column, array) in self.columns.iter_mut().zip(columns) {
            match column {
                Held::Arrays(arrays) => arrays.push(array.clone()),
                Held::Codes(codes) => {
                    for text in array.as_string::<i32>() {
                        codes.push_option(text);
                    }
                }
            }
        }
    }
}
