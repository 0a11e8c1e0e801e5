//! Small numbers and levels → bytes: runs of one value, and groups of eight packed.
//!
//! Owns when a run is worth one. Leaves pages to `chunk`.
//!
//! The format is Apache Parquet's RLE and bit-packing hybrid.

/// Rows of one value that are worth a run of their own.
const RUN_MIN: usize = 16;

/// Appends values of `width` bits.
pub(super) fn pack(values: &[u32], width: u32, out: &mut Vec<u8>) {
    let mut hybrid = Hybrid {
        out,
        width,
        groups: Vec::new(),
        run: (0, 0),
    };
    let (groups, rest) = values.as_chunks();
    for group in groups {
        hybrid.push(*group, 8);
    }
    if !rest.is_empty() {
        let mut group = [0; 8];
        group[..rest.len()].copy_from_slice(rest);
        hybrid.push(group, rest.len());
    }
    hybrid.end_run();
    hybrid.end_groups();
}

/// Appends, for each of `rows` rows from `first` on, whether it has a value: one bit each. `nulls`
/// are those of them that have none, in their order.
pub(super) fn pack_levels(first: usize, rows: usize, nulls: &[u32], out: &mut Vec<u8>) {
    let mut bits = vec![0xff; rows.div_ceil(8)];
    for null in nulls {
        let row = *null as usize - first;
        bits[row / 8] &= !(1 << (row % 8));
    }
    let mut hybrid = Hybrid {
        out,
        width: 1,
        groups: Vec::new(),
        run: (0, 0),
    };
    for (group, row) in bits.iter().zip((0..).step_by(8)) {
        let count = (rows - row).min(8);
        match group {
            0x00 => hybrid.extend_run(0, count),
            0xff => hybrid.extend_run(1, count),
            _ => {
                hybrid.end_run();
                hybrid.groups.push(*group);
            }
        }
    }
    hybrid.end_run();
    hybrid.end_groups();
}

struct Hybrid<'a> {
    out: &'a mut Vec<u8>,
    width: u32,
    /// Groups that are not written yet, packed.
    groups: Vec<u8>,
    /// A value, and how often it came after those.
    run: (u32, usize),
}

impl Hybrid<'_> {
    /// Takes `count` values, which are eight but at the very end.
    fn push(&mut self, group: [u32; 8], count: usize) {
        let first = group[0];
        if group[..count].iter().all(|value| *value == first) {
            return self.extend_run(first, count);
        }
        self.end_run();
        self.pack(group);
    }

    /// Takes `count` times `value`.
    #[inline]
    fn extend_run(&mut self, value: u32, count: usize) {
        if self.run.1 > 0 && self.run.0 != value {
            self.end_run();
        }
        self.run = (value, self.run.1 + count);
    }

    fn pack(&mut self, group: [u32; 8]) {
        let (mut bits, mut count) = (0, 0);
        for value in group {
            bits |= u64::from(value) << count;
            count += self.width;
            if count >= u32::BITS {
                self.groups.extend((bits as u32).to_le_bytes());
                bits >>= u32::BITS;
                count -= u32::BITS;
            }
        }
        // Eight values are whole bytes.
        self.groups
            .extend(&bits.to_le_bytes()[..count as usize / 8]);
    }

    fn end_run(&mut self) {
        let (value, length) = std::mem::take(&mut self.run);
        // Groups of no bits would be nothing at all.
        if length < RUN_MIN && self.width > 0 {
            for _ in 0..length.div_ceil(8) {
                self.pack([value; 8]);
            }
            return;
        }
        if length == 0 {
            return;
        }
        self.end_groups();
        varint(length as u64 * 2, self.out);
        let bytes = self.width.div_ceil(8) as usize;
        self.out.extend(&value.to_le_bytes()[..bytes]);
    }

    fn end_groups(&mut self) {
        if self.groups.is_empty() {
            return;
        }
        let count = self.groups.len() / self.width as usize;
        varint(count as u64 * 2 + 1, self.out);
        self.out.append(&mut self.groups);
    }
}

/// Appends a number in bytes of seven bits, the lowest first; all but the last are marked.
pub(super) fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
