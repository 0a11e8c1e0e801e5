//! The groups of a GROUP BY: rows whose keys are equal get the same number.
//!
//! Owns keys and their numbers. Leaves what is summed for each group to whoever asks.
//!
//! Invariant: groups are numbered 0, 1, 2 … in the order in which they first came. A null is a key
//! like any other, as in SQL.

use std::hash::BuildHasher;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayData, ArrayRef, AsArray, DictionaryArray, Int32Array, StringArray, StringViewArray,
    make_array,
};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Int32Type};
use arrow::error::ArrowError;
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use crate::domain::text::{GOLDEN, mix};

/// Words of 32 bits in a key: which columns are null, then the columns, a text by its number.
const WORDS: usize = 8;
/// Rows whose keys are written before they are looked up.
const ROWS: usize = 2 << 10;
/// A text of a dictionary that has not come yet.
const UNKNOWN: u32 = u32::MAX;

type Key = [u32; WORDS];

/// Whether columns of these types can be keys together, and one of them has codes.
pub(super) fn can_be_keys<'a>(kinds: impl Iterator<Item = &'a DataType>) -> bool {
    let (mut words, mut has_codes) = (1, false);
    for kind in kinds {
        has_codes |= is_coded(kind);
        match width(kind) {
            Some(width) => words += width,
            None => return false,
        }
    }
    has_codes && words <= WORDS
}

pub(super) fn is_coded(kind: &DataType) -> bool {
    let DataType::Dictionary(code, text) = kind else {
        return false;
    };
    (code.as_ref(), text.as_ref()) == (&DataType::Int32, &DataType::Utf8)
}

/// How many words a value takes, if it can be a key: texts with codes, numbers and times of whole
/// words. Not numbers with a binary point, of which unequal bits may be equal.
fn width(kind: &DataType) -> Option<usize> {
    if is_coded(kind) {
        return Some(1);
    }
    let bytes = kind.primitive_width().filter(|_| !kind.is_floating())?;
    (bytes % 4 == 0).then_some(bytes / 4)
}

/// The groups.
pub(super) struct Groups {
    columns: Vec<Column>,
    keys: Vec<Key>,
    /// Their numbers, by hash, of which half stands beside each.
    numbers: HashTable<(u32, u32)>,
    /// What the hash depends on besides the key, since what may be a key is up to producers.
    seed: Key,
    /// The keys of rows that are looked at, and their hashes.
    rows: Vec<Key>,
    hashes: Vec<u64>,
}

impl Groups {
    /// Without groups, of columns that are handed over as these types; see [`can_be_keys`]. One of
    /// codes may be handed over as plain texts.
    pub(super) fn new(kinds: impl Iterator<Item = DataType>) -> Self {
        let mut word = 1;
        let columns = kinds.map(|kind| {
            let column = Column {
                word,
                width: width(&kind).unwrap_or(1),
                texts: Texts::default(),
                kind,
            };
            word += column.width;
            column
        });
        let hasher = DefaultHashBuilder::default();
        Self {
            columns: columns.collect(),
            keys: Vec::new(),
            numbers: HashTable::new(),
            seed: std::array::from_fn(|word| hasher.hash_one(word) as u32),
            rows: Vec::new(),
            hashes: Vec::new(),
        }
    }

    pub(super) fn count(&self) -> usize {
        self.keys.len()
    }

    /// What it holds in memory, in bytes.
    pub(super) fn size(&self) -> usize {
        let texts = self.columns.iter().map(|column| column.texts.size());
        size_of::<Key>() * self.keys.capacity()
            + self.numbers.allocation_size()
            + texts.sum::<usize>()
    }

    /// The number of each row's group, which is new if it had none.
    pub(super) fn number(&mut self, columns: &[ArrayRef], numbers: &mut Vec<usize>) {
        let count = columns.first().map_or(0, |column| column.len());
        let nulls: Vec<_> = columns
            .iter()
            .map(|column| column.logical_nulls())
            .collect();
        numbers.clear();
        for start in (0..count).step_by(ROWS) {
            let length = ROWS.min(count - start);
            let nulls = |place: usize| {
                let nulls = nulls[place].as_ref()?.slice(start, length);
                Some(nulls).filter(|nulls| nulls.null_count() > 0)
            };
            let nulls: Vec<_> = (0..columns.len()).map(nulls).collect();
            let is_empty = |place: usize| {
                let nulls = nulls[place].as_ref();
                nulls.is_some_and(|nulls| nulls.null_count() == length)
            };
            let empty = (0..columns.len()).filter(|place| is_empty(*place));
            let mut key = Key::default();
            key[0] = empty.map(|place| 1 << place).sum();
            self.rows.clear();
            self.rows.resize(length, key);
            for (place, (column, values)) in self.columns.iter_mut().zip(columns).enumerate() {
                if !is_empty(place) {
                    column.write(
                        (place, nulls[place].as_ref()),
                        values,
                        start,
                        &mut self.rows,
                    );
                }
            }
            self.hashes.clear();
            let hashes = self.rows.iter().map(|row| hash(row, &self.seed));
            self.hashes.extend(hashes);
            // First by their hashes alone, so that no row waits for the memory of the one before.
            numbers.extend(self.hashes.iter().map(|hash| {
                let found = self.numbers.find(*hash, |(half, _)| *half == *hash as u32);
                found.map_or(0, |(_, number)| *number as usize)
            }));
            for (row, number) in numbers[start..].iter_mut().enumerate() {
                if self.keys.get(*number) != Some(&self.rows[row]) {
                    *number = self.find(row);
                }
            }
        }
    }

    /// The number of a row's key, which is new if it had none.
    #[inline(never)]
    fn find(&mut self, row: usize) -> usize {
        let Self { keys, seed, .. } = self;
        let (row, hash) = (&self.rows[row], self.hashes[row]);
        let is_it = |(_, number): &(u32, u32)| keys[*number as usize] == *row;
        if let Some((_, number)) = self.numbers.find(hash, is_it) {
            return *number as usize;
        }
        let number = keys.len();
        keys.push(*row);
        let hash_of = |(_, number): &(u32, u32)| self::hash(&keys[*number as usize], seed);
        let numbered = (hash as u32, number as u32);
        self.numbers.insert_unique(hash, numbered, hash_of);
        number
    }

    /// The keys of all groups by number, a column for each; forgets them.
    ///
    /// # Errors
    ///
    /// None with columns that [`Groups::number`] took.
    pub(super) fn hand_over(&mut self) -> Result<Vec<ArrayRef>, ArrowError> {
        let keys = std::mem::take(&mut self.keys);
        self.numbers = HashTable::new();
        let columns = self.columns.iter_mut().enumerate();
        let columns = columns.map(|(place, column)| column.read(place, &keys));
        columns.collect()
    }
}

/// A hash of which, without the seed, nothing can be foreseen: NH of RFC 4418, mixed.
fn hash(key: &Key, seed: &Key) -> u64 {
    let mut sum = 0u64;
    for word in (0..WORDS).step_by(2) {
        let one = key[word].wrapping_add(seed[word]);
        let other = key[word + 1].wrapping_add(seed[word + 1]);
        sum = sum.wrapping_add(u64::from(one) * u64::from(other));
    }
    mix(sum, GOLDEN)
}

/// A key column.
struct Column {
    kind: DataType,
    /// The first of its words.
    word: usize,
    width: usize,
    texts: Texts,
}

/// The texts of a column of codes.
#[derive(Default)]
struct Texts {
    /// All that came, by number.
    texts: Vec<Arc<str>>,
    by_text: HashMap<Arc<str>, u32>,
    /// Bytes of the texts.
    bytes: usize,
    /// The dictionary at hand, and of each of its codes the number of the text.
    dictionary: Option<ArrayRef>,
    numbers: Vec<u32>,
}

impl Column {
    /// Writes the column's words into the keys of its rows from `start` on, of which some may be
    /// null.
    fn write(
        &mut self,
        nulls: (usize, Option<&NullBuffer>),
        column: &ArrayRef,
        start: usize,
        rows: &mut [Key],
    ) {
        let (word, width) = (self.word, self.width);
        if let Some(coded) = column.as_dictionary_opt::<Int32Type>() {
            let texts = &mut self.texts;
            texts.take_up(coded.values());
            let codes = coded.keys().values()[start..].iter();
            return write(nulls, codes, rows, |key, code| {
                key[word] = texts.number(*code as usize);
            });
        }
        let data = column.to_data();
        let first = (data.offset() + start) * width;
        let values = data.buffers()[0].clone();
        let values = ScalarBuffer::<u32>::new(values, first, rows.len() * width);
        if width == 1 {
            return write(nulls, values.iter(), rows, |key, value| key[word] = *value);
        }
        write(nulls, values.chunks_exact(width), rows, |key, value| {
            key[word..word + width].copy_from_slice(value);
        });
    }

    /// The column of the keys; forgets its texts.
    fn read(&mut self, place: usize, keys: &[Key]) -> Result<ArrayRef, ArrowError> {
        let valid = keys.iter().map(|key| key[0] >> place & 1 == 0);
        let nulls = NullBuffer::from_iter(valid);
        let nulls = Some(nulls).filter(|nulls| nulls.null_count() > 0);
        if width(&self.kind).is_none() || is_coded(&self.kind) {
            let Texts { texts, .. } = std::mem::take(&mut self.texts);
            let numbers = keys.iter().map(|key| key[self.word] as i32);
            let numbers = Int32Array::new(numbers.collect(), nulls);
            if !is_coded(&self.kind) {
                let texts = cast(&StringViewArray::from_iter_values(texts), &self.kind)?;
                return take(&texts, &numbers, None);
            }
            let texts = StringArray::from_iter_values(texts);
            let coded = DictionaryArray::try_new(numbers, Arc::new(texts))?;
            return Ok(Arc::new(coded));
        }
        let (word, width) = (self.word, self.width);
        let values = keys.iter().flat_map(|key| &key[word..word + width]);
        let values = ScalarBuffer::from_iter(values.copied()).into_inner();
        let nulls = nulls.map(|nulls| nulls.into_inner().into_inner());
        let kind = self.kind.clone();
        let data = ArrayData::try_new(kind, keys.len(), nulls, 0, vec![values], vec![])?;
        Ok(make_array(data))
    }
}

/// Writes values into keys; those that are null only into the word that says so.
fn write<V>(
    (place, nulls): (usize, Option<&NullBuffer>),
    values: impl Iterator<Item = V>,
    rows: &mut [Key],
    mut put: impl FnMut(&mut Key, V),
) {
    let rows = rows.iter_mut().zip(values);
    let Some(nulls) = nulls else {
        return rows.for_each(|(key, value)| put(key, value));
    };
    for ((key, value), is_valid) in rows.zip(nulls) {
        match is_valid {
            true => put(key, value),
            false => key[0] |= 1 << place,
        }
    }
}

/// Whether two dictionaries are in the same place in memory.
fn is_same(one: &ArrayRef, other: &ArrayRef) -> bool {
    let place = |texts: &ArrayRef| {
        let texts = texts.as_string_opt::<i32>()?;
        Some((
            texts.offsets().as_ptr(),
            texts.values().as_ptr(),
            texts.len(),
        ))
    };
    place(one) == place(other)
}

impl Texts {
    /// From now on codes are of this dictionary.
    fn take_up(&mut self, dictionary: &ArrayRef) {
        let known = self.dictionary.as_ref();
        if known.is_none_or(|known| !is_same(known, dictionary)) {
            self.numbers.clear();
            self.numbers.resize(dictionary.len(), UNKNOWN);
            self.dictionary = Some(Arc::clone(dictionary));
        }
    }

    /// The number of a code's text.
    fn number(&mut self, code: usize) -> u32 {
        match self.numbers[code] {
            UNKNOWN => self.look_up(code),
            number => number,
        }
    }

    #[inline(never)]
    fn look_up(&mut self, code: usize) -> u32 {
        let dictionary = self.dictionary.as_ref();
        let Some(texts) = dictionary.and_then(|texts| texts.as_string_opt::<i32>()) else {
            return UNKNOWN;
        };
        let text = texts.value(code);
        let number = self.by_text.get(text).copied().unwrap_or_else(|| {
            let (number, text) = (self.texts.len() as u32, Arc::<str>::from(text));
            self.bytes += text.len();
            self.texts.push(Arc::clone(&text));
            self.by_text.insert(text, number);
            number
        });
        self.numbers[code] = number;
        number
    }

    /// What it holds in memory, in bytes, but for the dictionary, which is the batches'.
    fn size(&self) -> usize {
        // A text has two counts before it.
        self.bytes
            + self.texts.len() * (2 * size_of::<usize>() + size_of::<Arc<str>>())
            + self.by_text.allocation_size()
            + self.numbers.capacity() * size_of::<u32>()
    }
}
