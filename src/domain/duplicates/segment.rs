//! One table of recent identities.
//!
//! Owns finding an identity in it. Leaves which table an identity belongs to to `older`.
//!
//! Invariant: an identity that no table has is told by one look at memory, mostly, and adding it
//! writes nowhere else but at the end of a list.

use super::older::Place;

/// Records of a chunk.
const CHUNK: usize = 1 << 8;

/// Records up to which a table grows in large steps.
const QUICKLY: usize = 1 << 14;

/// An identity and its place.
type Record = ([u64; 2], Place);

/// Identities and their places.
#[derive(Clone, Default)]
pub struct Segment {
    /// In the order in which they came, in chunks, so that adding one never moves others: moving
    /// needs fresh memory, which is dear. Behind the last one are some that mean nothing.
    records: Vec<Vec<Record>>,
    count: usize,
    /// By the second word of its hash, the number of a record, counted from 1, and above it some
    /// more bits of that word; 0 where there is none. One that finds its slot taken has the next
    /// that is free. Twice as many slots as there is room for records, a power of two.
    slots: Vec<u32>,
}

impl Segment {
    pub fn find(&self, hash: [u64; 2]) -> Option<Place> {
        let number = self.number(hash)?;
        Some(self.record(number).1)
    }

    /// Looks where an identity would be, and where the next one will be put, so that both are at
    /// hand then; gives what means nothing. No branch hangs on it, which could keep the processor
    /// from looking at the next one meanwhile.
    pub fn touch(&self, hash: [u64; 2]) -> u32 {
        let mask = self.slots.len().wrapping_sub(1);
        let slot = self.slots.get(hash[1] as usize & mask);
        let next = self.records.get(self.count / CHUNK);
        let next = next.map_or(0, |chunk| chunk[self.count % CHUNK].1.fingerprint);
        slot.copied().unwrap_or_default() ^ next
    }

    /// Puts an identity in its new place.
    pub fn insert(&mut self, hash: [u64; 2], place: Place) {
        if let Some(number) = self.number(hash) {
            self.records[number / CHUNK][number % CHUNK].1 = place;
            return;
        }
        if 2 * self.count >= self.slots.len() {
            self.grow();
        }
        if self.count.is_multiple_of(CHUNK) {
            self.records.push(vec![Record::default(); CHUNK]);
        }
        self.records[self.count / CHUNK][self.count % CHUNK] = (hash, place);
        self.count += 1;
        self.link(self.count, hash);
    }

    pub fn count(&self) -> usize {
        self.count
    }

    /// All of them, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().flatten().take(self.count)
    }

    fn record(&self, number: usize) -> &Record {
        &self.records[number / CHUNK][number % CHUNK]
    }

    /// Which of the records an identity has.
    fn number(&self, hash: [u64; 2]) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let known = more_bits(hash, mask);
        let mut at = hash[1] as usize & mask;
        loop {
            let slot = self.slots[at];
            let number = (slot as usize & mask).checked_sub(1)?;
            if slot & !(mask as u32) == known && self.record(number).0 == hash {
                return Some(number);
            }
            at = (at + 1) & mask;
        }
    }

    /// Gives a record a slot.
    fn link(&mut self, number: usize, hash: [u64; 2]) {
        let mask = self.slots.len() - 1;
        let mut at = hash[1] as usize & mask;
        while self.slots[at] != 0 {
            at = (at + 1) & mask;
        }
        self.slots[at] = number as u32 | more_bits(hash, mask);
    }

    fn grow(&mut self) {
        let times = if self.count < QUICKLY { 8 } else { 2 };
        let room = (times * self.count).max(CHUNK);
        self.slots = vec![0; 2 * room];
        for number in 0..self.count {
            let (hash, _) = *self.record(number);
            self.link(number + 1, hash);
        }
    }
}

/// What a slot holds of a hash: bits that do not say where it is.
fn more_bits(hash: [u64; 2], mask: usize) -> u32 {
    (hash[1] >> 32) as u32 & !(mask as u32)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn place(since: i64) -> Place {
        Place {
            fingerprint: since as u32,
            since,
        }
    }

    /// Hashes of one slot, with the same further bits, and ordinary ones; all as a map keeps them.
    #[test]
    fn keeps_what_a_map_keeps() {
        let hash = |number: u64| match number % 3 {
            0 => [number, 0],
            1 => [7, number << 40],
            _ => [number, number.wrapping_mul(0x9e37_79b9_7f4a_7c15)],
        };
        let (mut segment, mut map) = (Segment::default(), HashMap::new());
        assert_eq!(segment.find([0, 0]), None);
        for number in 0..20_000 {
            let (since, again) = (number as i64, hash(number / 2));
            for hash in [hash(number), again] {
                segment.insert(hash, place(since));
                map.insert(hash, place(since));
            }
            assert_eq!(segment.find(hash(number + 1)), None);
        }
        assert_eq!(segment.count(), map.len());
        for (hash, place) in &map {
            assert_eq!(segment.find(*hash), Some(*place));
        }
        let all: HashMap<_, _> = segment.iter().copied().collect();
        assert_eq!(all, map);
    }
}
