//! Numbers → what each adds to the one before, in as few bits as a block of them needs.
//!
//! Owns how many share a width. Leaves pages to `chunk`.
//!
//! The format is Apache Parquet's DELTA_BINARY_PACKED.

use super::hybrid::varint;

/// Differences that share their least one.
const BLOCK: usize = 256;
/// Differences that share a width: as many as a word has bits, so that they fill whole words.
const PART: usize = 64;

/// A number that a column holds.
pub(super) trait Number: Copy {
    /// How much more it is than `before`, around the ends of its range.
    fn more_than(self, before: Self) -> i64;

    fn widen(self) -> i64;
}

impl Number for i32 {
    fn more_than(self, before: Self) -> i64 {
        self.wrapping_sub(before).into()
    }

    fn widen(self) -> i64 {
        self.into()
    }
}

impl Number for i64 {
    fn more_than(self, before: Self) -> i64 {
        self.wrapping_sub(before)
    }

    fn widen(self) -> i64 {
        self
    }
}

/// Appends all `values`.
pub(super) fn pack<T: Number>(values: &[T], out: &mut Vec<u8>) {
    for number in [BLOCK, BLOCK / PART, values.len()] {
        varint(number as u64, out);
    }
    signed(values.first().map_or(0, |first| first.widen()), out);
    let mut deltas = [0; BLOCK];
    let mut rest = values;
    while let [before, after @ ..] = rest
        && !after.is_empty()
    {
        let block = &after[..after.len().min(BLOCK)];
        let mut before = *before;
        for (delta, value) in deltas.iter_mut().zip(block) {
            *delta = value.more_than(before);
            before = *value;
        }
        pack_block(&deltas[..block.len()], out);
        rest = &rest[block.len()..];
    }
}

fn pack_block(deltas: &[i64], out: &mut Vec<u8>) {
    let least = deltas.iter().copied().fold(i64::MAX, i64::min);
    signed(least, out);
    let widths = out.len();
    out.extend([0; BLOCK / PART]);
    for (part, place) in deltas.chunks(PART).zip(widths..) {
        let mut above = [0; PART];
        let mut all = 0;
        for (above, delta) in above.iter_mut().zip(part) {
            *above = delta.wrapping_sub(least).cast_unsigned();
            all |= *above;
        }
        let width = u64::BITS - all.leading_zeros();
        out[place] = width as u8;
        if width > 0 {
            pack_part(&above, width, out);
        }
    }
}

/// Appends `width` bits of each value, the lowest first.
fn pack_part(values: &[u64; PART], width: u32, out: &mut Vec<u8>) {
    let (mut word, mut filled) = (0, 0);
    for value in values {
        word |= value << filled;
        filled += width;
        if filled >= u64::BITS {
            out.extend_from_slice(&word.to_le_bytes());
            filled -= u64::BITS;
            // What did not fit is the value's upper bits.
            word = match filled {
                0 => 0,
                left => value >> (width - left),
            };
        }
    }
}

/// Appends a number whose sign is its lowest bit.
fn signed(number: i64, out: &mut Vec<u8>) {
    varint((number << 1 ^ number >> 63).cast_unsigned(), out);
}
