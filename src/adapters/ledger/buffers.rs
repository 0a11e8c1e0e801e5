//! The buffer of one column.
//!
//! Owns numbers, booleans and texts, and which rows have none. Leaves which columns there are to
//! `columns`, and their bytes in a file to `chunk`.
//!
//! Invariant: a value is kept for each row that has one, and a number for each that has none, so
//! that a column that nearly all rows have costs nothing but its values.

/// A column of numbers or booleans.
#[derive(Default)]
pub(super) struct Fixed<T> {
    pub(super) values: Vec<T>,
    /// The rows that have no value, in their order.
    pub(super) nulls: Vec<u32>,
}

impl<T> Fixed<T> {
    /// Forgets all rows, and keeps their memory.
    pub(super) fn clear(&mut self) {
        self.values.clear();
        self.nulls.clear();
    }

    pub(super) fn rows(&self) -> usize {
        self.values.len() + self.nulls.len()
    }

    pub(super) fn extend(&mut self, values: impl Iterator<Item = T>) {
        self.values.extend(values);
    }

    pub(super) fn extend_options(&mut self, values: impl Iterator<Item = Option<T>>) {
        values.for_each(|value| self.push_option(value));
    }

    #[inline]
    pub(super) fn push_option(&mut self, value: Option<T>) {
        match value {
            Some(value) => self.values.push(value),
            None => self.nulls.push(self.rows() as u32),
        }
    }
}

/// A column of texts.
#[derive(Default)]
pub(super) struct Texts {
    pub(super) bytes: Vec<u8>,
    /// How long each is; a group is full long before one overflows.
    pub(super) lengths: Vec<i32>,
    /// The rows that have no text, in their order.
    pub(super) nulls: Vec<u32>,
}

impl Texts {
    /// Forgets all rows, and keeps their memory.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.lengths.clear();
        self.nulls.clear();
    }

    pub(super) fn rows(&self) -> usize {
        self.lengths.len() + self.nulls.len()
    }

    #[inline]
    pub(super) fn push(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.lengths.push(text.len() as i32);
    }

    #[inline]
    pub(super) fn push_option(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.push(text),
            None => self.nulls.push(self.rows() as u32),
        }
    }

    /// All of them in their order, as the bytes that they are.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.bytes.as_slice();
        self.lengths.iter().map(move |length| {
            let (text, after) = rest.split_at(*length as usize);
            rest = after;
            text
        })
    }
}
