//! A column of texts that repeat.
//!
//! Owns keeping each text once, and which of them each row has. Leaves writing them to `chunk`.
//!
//! Invariant: texts are numbered 0, 1, 2 … in the order in which they first came.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::buffers::Texts;
use crate::domain::text::{Brief, Numbered};

/// Texts that are found without the table: so many at first, and at most. Powers of two.
const REMEMBERED: usize = 64;
const REMEMBERED_MAX: usize = 32 << 10;

/// The column, in memory.
pub(super) struct Codes {
    /// The texts, one after the other.
    pub(super) text: String,
    /// Where each begins, and where the last ends; they are short, and far from 4 GiB together.
    starts: Vec<u32>,
    /// Their numbers, by their hash. What may be a text is up to producers, and the hash is seeded.
    numbers: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// By a quicker hash, the last text that had it, and its number; twice as many as there are
    /// texts or more, up to a limit.
    remembered: Vec<Numbered>,
    /// Of each row that has a text, its number.
    pub(super) codes: Vec<u32>,
    /// The rows that have no text, in their order.
    pub(super) nulls: Vec<u32>,
}

impl Default for Codes {
    fn default() -> Self {
        Self {
            text: String::new(),
            starts: vec![0],
            numbers: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            remembered: vec![Numbered::NONE; REMEMBERED],
            codes: Vec::new(),
            nulls: Vec::new(),
        }
    }
}

impl Codes {
    /// Forgets all rows and texts, and keeps their memory.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.starts.truncate(1);
        self.remembered.fill(Numbered::NONE);
        self.numbers.clear();
        self.codes.clear();
        self.nulls.clear();
    }

    pub(super) fn rows(&self) -> usize {
        self.codes.len() + self.nulls.len()
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

    /// The number of a text, which is new if it has none.
    #[inline(always)]
    pub(super) fn code(&mut self, text: &str) -> u32 {
        let brief = Brief::of(text);
        let known = self.remembered[self.slot(brief)];
        if known.brief() == brief && brief.is_whole() {
            return known.number();
        }
        self.look_up(brief, text)
    }

    /// Adds a row with the text of a number, or with none.
    #[inline]
    pub(super) fn push_code(&mut self, code: Option<u32>) {
        match code {
            Some(code) => self.codes.push(code),
            None => self.nulls.push(self.rows() as u32),
        }
    }

    /// The number of a text that is long, or was not the last one of its quick hash.
    #[inline(never)]
    fn look_up(&mut self, brief: Brief, text: &str) -> u32 {
        let known = self.remembered[self.slot(brief)];
        if known.brief() == brief && self.get(known.number()) == text {
            return known.number();
        }
        let number = self.find(text);
        let slots = self.remembered.len();
        if self.count() > slots / 2 && slots < REMEMBERED_MAX {
            self.remembered.clear();
            self.remembered.resize(2 * slots, Numbered::NONE);
        }
        let slot = self.slot(brief);
        self.remembered[slot] = Numbered::new(brief, number);
        number
    }

    #[inline(always)]
    fn slot(&self, brief: Brief) -> usize {
        brief.quick_hash() & (self.remembered.len() - 1)
    }

    #[inline]
    pub(super) fn push_option(&mut self, text: Option<&str>) {
        let code = text.map(|text| self.code(text));
        self.push_code(code);
    }

    /// The text of a number.
    fn get(&self, number: u32) -> &str {
        get(&self.text, &self.starts, number)
    }

    /// The number of a text, which is new if it has none.
    fn find(&mut self, text: &str) -> u32 {
        let hash = self.hasher.hash_one(text);
        let found = |number: &u32| self.get(*number) == text;
        if let Some(number) = self.numbers.find(hash, found) {
            return *number;
        }
        let number = self.count() as u32;
        self.text.push_str(text);
        self.starts.push(self.text.len() as u32);
        let Self {
            text,
            starts,
            numbers,
            hasher,
            ..
        } = self;
        let hash_of = |number: &u32| hasher.hash_one(get(text, starts, *number));
        numbers.insert_unique(hash, number, hash_of);
        number
    }

    /// The column, each row with its own text.
    pub(super) fn to_texts(&self) -> Texts {
        let mut texts = Texts {
            nulls: self.nulls.clone(),
            ..Texts::default()
        };
        for number in &self.codes {
            texts.push(self.get(*number));
        }
        texts
    }
}

fn get<'a>(text: &'a str, starts: &[u32], number: u32) -> &'a str {
    let number = number as usize;
    &text[starts[number] as usize..starts[number + 1] as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Their first and last bytes are looked at first.
    #[test]
    fn long_texts_with_the_same_ends_are_two() {
        let mut codes = Codes::default();
        for text in [
            "northern-1-warehouses",
            "northern-2-warehouses",
            "northern-1-warehouses",
        ] {
            codes.push_option(Some(text));
        }
        assert_eq!(codes.codes, [0, 1, 0]);
    }

    /// Columns are used again: texts before `clear` have numbers that others have after it.
    #[test]
    fn what_was_forgotten_has_no_number() {
        let mut codes = Codes::default();
        for text in ["", "a", "b", "", "a"] {
            codes.push_option(Some(text));
        }
        assert_eq!(codes.codes, [0, 1, 2, 0, 1]);
        codes.clear();
        assert_eq!((codes.rows(), codes.count()), (0, 0));
        for text in [Some("b"), None, Some(""), Some("c"), Some("a"), Some("b")] {
            codes.push_option(text);
        }
        assert_eq!(
            (codes.codes.as_slice(), codes.nulls.as_slice()),
            (&[0, 1, 2, 3, 0][..], &[1][..])
        );
        assert_eq!(codes.texts().collect::<Vec<_>>(), ["b", "", "c", "a"]);
    }
}
