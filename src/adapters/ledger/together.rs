//! Texts that many rows have together: what one price, one plan or one source brings along.
//!
//! Owns keeping such texts once for many rows of a block, and giving them to their columns. Leaves
//! which columns those are to `block` and `columns`.
//!
//! Invariant: what comes out for a number is what went in for it.

use super::codes::Codes;
use crate::domain::text::Brief;

/// The texts of `N` columns, once for all rows of a block that have the same ones.
pub(super) struct Together<const N: usize> {
    sets: Vec<Set<N>>,
    /// The texts of all sets, each set's in the order of its columns.
    text: String,
    /// By a quick hash, the last set that had it. Of a block before, it may be any set, or none.
    remembered: Box<[u16; REMEMBERED]>,
}

/// More than most blocks have sets; a power of two.
const REMEMBERED: usize = 256;

/// Where each text begins and ends; `None` of none.
type Set<const N: usize> = [Option<(u32, u32)>; N];

impl<const N: usize> Default for Together<N> {
    fn default() -> Self {
        Self {
            sets: Vec::new(),
            text: String::new(),
            remembered: Box::new([0; REMEMBERED]),
        }
    }
}

impl<const N: usize> Together<N> {
    /// Forgets all sets, and keeps their memory unless a text was long.
    pub(super) fn clear(&mut self, most_bytes: usize) {
        self.sets.clear();
        self.text.clear();
        self.text.shrink_to(most_bytes);
    }

    /// Roughly the memory that the sets take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.sets.len() * size_of::<Set<N>>() + self.text.len()
    }

    /// The number of the set of these texts, whose first two tell sets apart best. A set may have
    /// several numbers; of a block's rows each adds one at most.
    pub(super) fn number(&mut self, texts: [Option<&str>; N]) -> u16 {
        let hash = |text: &Option<&str>| text.map_or(0, |text| Brief::of(text).quick_hash());
        let hashes = texts.iter().take(2).map(hash);
        let slot = hashes.fold(0, |all: usize, hash| all.rotate_left(7) ^ hash) % REMEMBERED;
        let known = self.remembered[slot];
        let set = self.sets.get(usize::from(known));
        if set.is_some_and(|set| self.is(set, &texts)) {
            return known;
        }
        let number = self.sets.len() as u16;
        let set = texts.map(|text| {
            let start = self.text.len() as u32;
            self.text.push_str(text?);
            Some((start, self.text.len() as u32))
        });
        self.sets.push(set);
        self.remembered[slot] = number;
        number
    }

    fn is(&self, set: &Set<N>, texts: &[Option<&str>; N]) -> bool {
        let bytes = self.text.as_bytes();
        let mut pairs = set.iter().zip(texts);
        pairs.all(|(place, text)| match (place, text) {
            (Some((start, end)), Some(text)) => {
                bytes[*start as usize..*end as usize] == *text.as_bytes()
            }
            (None, None) => true,
            _ => false,
        })
    }

    /// The texts of a set.
    pub(super) fn texts(&self, number: u16) -> [Option<&str>; N] {
        self.sets[usize::from(number)].map(|place| place.map(|place| self.text(place)))
    }

    fn text(&self, (start, end): (u32, u32)) -> &str {
        &self.text[start as usize..end as usize]
    }

    /// Adds the texts of rows, by the numbers of their sets, to the columns.
    pub(super) fn add_to(
        &self,
        columns: [&mut Codes; N],
        numbers: impl Iterator<Item = u16> + Clone,
    ) {
        for (at, column) in columns.into_iter().enumerate() {
            let texts = self
                .sets
                .iter()
                .map(|set| set[at].map(|place| self.text(place)));
            let codes = texts.map(|text| text.map(|text| column.code(text)));
            let codes: Vec<Option<u32>> = codes.collect();
            for number in numbers.clone() {
                column.push_code(codes[usize::from(number)]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Long ones with the same ends, an empty one and none, and whatever was there before.
    #[test]
    fn columns_get_what_they_would_get_row_by_row() {
        let rows = [
            [Some("northern-1-warehouses"), Some("a")],
            [Some("northern-2-warehouses"), Some("a")],
            [Some(""), None],
            [None, Some("")],
            [None, None],
            [Some("northern-1-warehouses"), Some("a")],
        ];
        let mut sets = Together::default();
        let (mut columns, mut expected): ([Codes; 2], [Codes; 2]) = Default::default();
        for turn in 0..3 {
            let rows = rows.iter().cycle().skip(turn).take(60);
            let numbers: Vec<u16> = rows.clone().map(|row| sets.number(*row)).collect();
            let again = rows.clone().last().map(|row| sets.number(*row));
            assert_eq!(again, numbers.last().copied(), "kept once");
            sets.add_to(columns.each_mut(), numbers.iter().copied());
            for (row, number) in rows.zip(numbers) {
                assert_eq!(sets.texts(number), *row);
                let columns = expected.iter_mut().zip(row);
                columns.for_each(|(column, text)| column.push_option(*text));
            }
            for (column, expected) in columns.iter().zip(&expected) {
                assert!(column.texts().eq(expected.texts()));
                assert_eq!(column.codes, expected.codes);
                assert_eq!(column.nulls, expected.nulls);
            }
            sets.clear(0);
        }
    }
}
