//! The buffer of one column.
//!
//! Owns numbers, booleans and texts with their nulls, and handing them to Arrow without copying.
//! Leaves which columns there are to `columns`.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, PrimitiveArray, StringArray};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{ArrowPrimitiveType, Decimal64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;

use super::schema::DECIMAL_DIGITS;

/// Which rows have a value; nothing is kept as long as all have.
#[derive(Default)]
pub(super) struct Validity {
    rows: usize,
    /// One for each row, from the first null on.
    valid: Vec<bool>,
}

impl Validity {
    /// Nothing yet, with room for as many rows if some of these have no value.
    pub(super) fn like(&self) -> Self {
        Self {
            rows: 0,
            valid: Vec::with_capacity(self.valid.len()),
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Whether each row has a value.
    pub(super) fn iter(&self) -> impl Iterator<Item = bool> {
        (0..self.rows).map(|row| self.valid.get(row).is_none_or(|is_valid| *is_valid))
    }

    #[inline]
    pub(super) fn push(&mut self, is_valid: bool) {
        if !is_valid || !self.valid.is_empty() {
            self.note(is_valid);
        }
        self.rows += 1;
    }

    fn note(&mut self, is_valid: bool) {
        self.valid.resize(self.rows, true);
        self.valid.push(is_valid);
    }

    fn into_nulls(self) -> Option<NullBuffer> {
        (!self.valid.is_empty()).then(|| NullBuffer::from(self.valid))
    }
}

/// A column of numbers.
pub(super) struct Fixed<T: ArrowPrimitiveType> {
    pub(super) values: Vec<T::Native>,
    validity: Validity,
}

impl<T: ArrowPrimitiveType> Default for Fixed<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            validity: Validity::default(),
        }
    }
}

impl<T: ArrowPrimitiveType> Fixed<T> {
    /// An empty column with room for as many values.
    pub(super) fn like(&self) -> Self {
        let values = Vec::with_capacity(self.values.len());
        Self {
            values,
            validity: self.validity.like(),
        }
    }

    pub(super) fn push(&mut self, value: T::Native) {
        self.values.push(value);
        self.validity.push(true);
    }

    pub(super) fn push_option(&mut self, value: Option<T::Native>) {
        self.values.push(value.unwrap_or_default());
        self.validity.push(value.is_some());
    }

    fn into_primitive(self) -> PrimitiveArray<T> {
        PrimitiveArray::new(ScalarBuffer::from(self.values), self.validity.into_nulls())
    }

    pub(super) fn into_array(self) -> ArrayRef {
        Arc::new(self.into_primitive())
    }
}

impl Fixed<Decimal64Type> {
    pub(super) fn into_decimals(self, places: u8) -> Result<ArrayRef, ArrowError> {
        let array = self.into_primitive();
        Ok(Arc::new(array.with_precision_and_scale(
            DECIMAL_DIGITS,
            places.cast_signed(),
        )?))
    }
}

impl Fixed<TimestampMicrosecondType> {
    pub(super) fn into_instants(self) -> ArrayRef {
        Arc::new(self.into_primitive().with_timezone("UTC"))
    }
}

/// A column of booleans.
#[derive(Default)]
pub(super) struct Flags {
    values: Vec<bool>,
    validity: Validity,
}

impl Flags {
    /// An empty column with room for as many values.
    pub(super) fn like(&self) -> Self {
        let values = Vec::with_capacity(self.values.len());
        Self {
            values,
            validity: self.validity.like(),
        }
    }

    pub(super) fn push_option(&mut self, value: Option<bool>) {
        self.values.push(value.unwrap_or_default());
        self.validity.push(value.is_some());
    }

    pub(super) fn into_array(self) -> ArrayRef {
        Arc::new(BooleanArray::new(
            self.values.into(),
            self.validity.into_nulls(),
        ))
    }
}

/// A column of texts.
pub(super) struct Texts {
    pub(super) bytes: Vec<u8>,
    /// Where each text ends; a batch is sealed long before this overflows.
    offsets: Vec<i32>,
    validity: Validity,
}

impl Default for Texts {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            offsets: vec![0],
            validity: Validity::default(),
        }
    }
}

impl Texts {
    /// An empty column with room for as many texts, which may be a little longer.
    pub(super) fn like(&self) -> Self {
        let mut offsets = Vec::with_capacity(self.offsets.len());
        offsets.push(0);
        let bytes = Vec::with_capacity(self.bytes.len() + self.bytes.len() / 8);
        Self {
            bytes,
            offsets,
            validity: self.validity.like(),
        }
    }

    #[inline]
    pub(super) fn push(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.end(true);
    }

    #[inline]
    pub(super) fn push_option(&mut self, text: Option<&str>) {
        if let Some(text) = text {
            self.bytes.extend_from_slice(text.as_bytes());
        }
        self.end(text.is_some());
    }

    #[inline]
    fn end(&mut self, is_valid: bool) {
        self.offsets.push(self.bytes.len() as i32);
        self.validity.push(is_valid);
    }

    pub(super) fn into_array(self) -> Result<ArrayRef, ArrowError> {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        let nulls = self.validity.into_nulls();
        Ok(Arc::new(StringArray::try_new(
            offsets,
            Buffer::from_vec(self.bytes),
            nulls,
        )?))
    }
}
