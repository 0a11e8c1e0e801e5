//! A column of texts that repeat.
//!
//! Owns keeping each text once, and which of them each row has. Leaves writing them to
//! `dictionary`.
//!
//! Invariant: texts are numbered 0, 1, 2 … in the order in which they first came.

use std::fmt::{Display, Write};
use std::hash::BuildHasher;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use hashbrown::{DefaultHashBuilder, HashTable};

use super::buffers::Validity;

/// The column, in memory.
pub(super) struct Codes {
    /// The texts, one after the other.
    pub(super) text: String,
    /// Where each begins, and where the last ends; they are short, and far from 4 GiB together.
    starts: Vec<u32>,
    /// Their numbers, by their hash. What may be a text is up to producers, and the hash is seeded.
    numbers: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// Of each row that has a text, its number.
    pub(super) codes: Vec<u32>,
    pub(super) validity: Validity,
    /// For texts that are made up, kept for its memory.
    scratch: String,
}

impl Default for Codes {
    fn default() -> Self {
        Self {
            text: String::new(),
            starts: vec![0],
            numbers: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            codes: Vec::new(),
            validity: Validity::default(),
            scratch: String::new(),
        }
    }
}

impl Codes {
    /// An empty column with room for as many rows and texts.
    pub(super) fn like(&self) -> Self {
        let mut starts = Vec::with_capacity(self.starts.len());
        starts.push(0);
        Self {
            text: String::with_capacity(self.text.len()),
            starts,
            numbers: HashTable::with_capacity(self.count()),
            hasher: self.hasher.clone(),
            codes: Vec::with_capacity(self.codes.len()),
            validity: self.validity.like(),
            scratch: String::new(),
        }
    }

    /// How many different texts there are.
    pub(super) fn count(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether keeping each text once saves anything.
    pub(super) fn do_repeat(&self) -> bool {
        self.count() <= self.codes.len() / 2 + 1
    }

    /// All of them, by number.
    pub(super) fn texts(&self) -> impl ExactSizeIterator<Item = &str> {
        let bounds = self.starts.windows(2);
        bounds.map(|bounds| &self.text[bounds[0] as usize..bounds[1] as usize])
    }

    #[inline]
    pub(super) fn push(&mut self, text: &str) {
        let code = self.code(text);
        self.codes.push(code);
        self.validity.push(true);
    }

    #[inline]
    pub(super) fn push_option(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.push(text),
            None => self.validity.push(false),
        }
    }

    pub(super) fn push_display(&mut self, text: Option<impl Display>) {
        let Some(text) = text else {
            return self.validity.push(false);
        };
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        // Writing to memory does not fail.
        write!(scratch, "{text}").ok();
        self.push(&scratch);
        self.scratch = scratch;
    }

    /// The number of a text, which is new if it has none.
    #[inline]
    fn code(&mut self, text: &str) -> u32 {
        // Most rows have what the row before them has.
        match self.codes.last() {
            Some(last) if get(&self.text, &self.starts, *last) == text => *last,
            _ => self.find(text),
        }
    }

    fn find(&mut self, text: &str) -> u32 {
        let Self {
            text: texts,
            starts,
            numbers,
            hasher,
            ..
        } = self;
        let hash = hasher.hash_one(text);
        if let Some(number) = numbers.find(hash, |number| get(texts, starts, *number) == text) {
            return *number;
        }
        let number = (starts.len() - 1) as u32;
        texts.push_str(text);
        starts.push(texts.len() as u32);
        let hash_of = |number: &u32| hasher.hash_one(get(texts, starts, *number));
        numbers.insert_unique(hash, number, hash_of);
        number
    }

    /// The column, each row with its own text.
    pub(super) fn to_array(&self) -> ArrayRef {
        let mut codes = self.codes.iter();
        let rows = self.validity.iter().map(|is_valid| {
            let code = if is_valid { codes.next() } else { None };
            code.map(|code| get(&self.text, &self.starts, *code))
        });
        Arc::new(StringArray::from_iter(rows))
    }
}

#[inline]
fn get<'a>(text: &'a str, starts: &[u32], number: u32) -> &'a str {
    let number = number as usize;
    &text[starts[number] as usize..starts[number + 1] as usize]
}
