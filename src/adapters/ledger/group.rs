//! Rows that are encoded at once: a row group of a file.
//!
//! Owns how each of its columns is held, and taking over rows of another file. Leaves making one of
//! the engine's rows to `columns`, and Parquet to `encode`.
//!
//! Invariant: columns are in the order of the file's schema, and all have as many rows.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal64Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};

use super::buffers::{Fixed, Texts};
use super::codes::Codes;
use super::schema::is_repeated;

/// Rows of a group, roughly: what a reader skips or reads at once, and what waits in memory.
pub(super) const GROUP_ROWS: usize = 64 << 10;
/// Bytes of a group before encoding, roughly, so that long rows do not fill the memory.
pub(super) const GROUP_BYTES: usize = 24 << 20;

/// One of its columns, to be encoded.
#[derive(Clone, Copy)]
pub(super) enum Values<'a> {
    Ints(&'a Fixed<i32>),
    Longs(&'a Fixed<i64>),
    Flags(&'a Fixed<bool>),
    Texts(&'a Texts),
    /// Texts that may repeat.
    Codes(&'a Codes),
}

impl<'a> Values<'a> {
    /// The rows that have no value, in their order.
    pub(super) fn nulls(self) -> &'a [u32] {
        match self {
            Self::Ints(ints) => &ints.nulls,
            Self::Longs(longs) => &longs.nulls,
            Self::Flags(flags) => &flags.nulls,
            Self::Texts(texts) => &texts.nulls,
            Self::Codes(codes) => &codes.nulls,
        }
    }
}

/// Rows of another file, gathered until they are a group.
#[derive(Default)]
pub(super) struct Group {
    rows: usize,
    /// Roughly what was added, in bytes.
    bytes: usize,
    columns: Vec<Held>,
}

enum Held {
    Ints(Fixed<i32>),
    Longs(Fixed<i64>),
    Flags(Fixed<bool>),
    Texts(Texts),
    Codes(Codes),
}

impl Group {
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// It should be encoded before more is added.
    pub(super) fn is_full(&self) -> bool {
        self.rows >= GROUP_ROWS || self.bytes >= GROUP_BYTES
    }

    /// Forgets all rows, and keeps their memory.
    pub(super) fn clear(&mut self) {
        (self.rows, self.bytes) = (0, 0);
        for column in &mut self.columns {
            match column {
                Held::Ints(ints) => ints.clear(),
                Held::Longs(longs) => longs.clear(),
                Held::Flags(flags) => flags.clear(),
                Held::Texts(texts) => texts.clear(),
                Held::Codes(codes) => codes.clear(),
            }
        }
    }

    pub(super) fn values(&self) -> Vec<Values<'_>> {
        self.columns.iter().map(Held::values).collect()
    }

    /// Adds rows, their columns in the order of the file's schema and of its types.
    pub(super) fn add(&mut self, columns: &[ArrayRef]) {
        if self.columns.is_empty() {
            let columns = columns.iter().enumerate();
            self.columns = columns.map(|(place, like)| held(place, like)).collect();
        }
        self.rows += columns.first().map_or(0, Array::len);
        self.bytes += columns
            .iter()
            .map(Array::get_array_memory_size)
            .sum::<usize>();
        for (column, array) in self.columns.iter_mut().zip(columns) {
            match column {
                Held::Ints(ints) if *array.data_type() == DataType::Date32 => {
                    add_numbers::<Date32Type>(ints, array);
                }
                Held::Ints(ints) => add_numbers::<Int32Type>(ints, array),
                Held::Longs(longs) => match array.data_type() {
                    DataType::Timestamp(..) => {
                        add_numbers::<TimestampMicrosecondType>(longs, array);
                    }
                    DataType::Decimal64(..) => add_numbers::<Decimal64Type>(longs, array),
                    _ => add_numbers::<Int64Type>(longs, array),
                },
                Held::Flags(flags) => {
                    flags.extend_options(array.as_boolean().iter());
                }
                Held::Texts(texts) => {
                    let values = array.as_string::<i32>().iter();
                    values.for_each(|text| texts.push_option(text));
                }
                Held::Codes(codes) => {
                    let values = array.as_string::<i32>().iter();
                    values.for_each(|text| codes.push_option(text));
                }
            }
        }
    }
}

impl Held {
    fn values(&self) -> Values<'_> {
        match self {
            Self::Ints(ints) => Values::Ints(ints),
            Self::Longs(longs) => Values::Longs(longs),
            Self::Flags(flags) => Values::Flags(flags),
            Self::Texts(texts) => Values::Texts(texts),
            Self::Codes(codes) => Values::Codes(codes),
        }
    }
}

/// An empty column for the values of such an array.
fn held(place: usize, like: &ArrayRef) -> Held {
    match like.data_type() {
        DataType::Int32 | DataType::Date32 => Held::Ints(Fixed::default()),
        DataType::Boolean => Held::Flags(Fixed::default()),
        DataType::Utf8 if is_repeated(place) => Held::Codes(Codes::default()),
        DataType::Utf8 => Held::Texts(Texts::default()),
        _ => Held::Longs(Fixed::default()),
    }
}

fn add_numbers<T: ArrowPrimitiveType>(column: &mut Fixed<T::Native>, array: &ArrayRef) {
    column.extend_options(array.as_primitive::<T>().iter());
}
