//! Short texts, told apart quickly.
//!
//! Owns what is looked at before a whole text is, and mixing words for quick hashes. Leaves tables
//! of texts to who has them.

/// The first and the last bytes of a text, which overlap in a short one, and its length: all there
/// is of one that is no longer than [`WHOLE`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Brief {
    first: u64,
    last: u64,
    length: u32,
}

/// See [`Brief`].
const WHOLE: u32 = 16;

impl Brief {
    /// That of no text.
    const NONE: Self = Self {
        first: 0,
        last: 0,
        length: u32::MAX,
    };

    /// Of a text of less than 4 GiB.
    #[inline]
    pub fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let (first, last) = match (bytes.first_chunk(), bytes.last_chunk()) {
            (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
            _ => match (bytes.first_chunk(), bytes.last_chunk()) {
                (Some(first), Some(last)) => (
                    u32::from_le_bytes(*first).into(),
                    u32::from_le_bytes(*last).into(),
                ),
                _ => {
                    let all = |all, byte: &u8| all << 8 | u64::from(*byte);
                    (bytes.iter().fold(0, all), 0)
                }
            },
        };
        Self {
            first,
            last,
            length: bytes.len() as u32,
        }
    }

    /// Whether texts of this are all the same.
    #[inline]
    pub fn is_whole(self) -> bool {
        self.length <= WHOLE
    }

    /// A quick hash, for small tables. Whoever makes up texts can make them meet: bound what a
    /// meeting costs.
    #[inline]
    pub fn quick_hash(self) -> usize {
        let mixed = self.first ^ self.last.rotate_left(29) ^ u64::from(self.length);
        mix(mixed, GOLDEN) as usize
    }
}

/// 2^64 over the golden ratio, whose bits look like chance.
pub const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A brief and a number, in as little memory as they take.
#[derive(Clone, Copy, Debug)]
pub struct Numbered {
    first: u64,
    last: u64,
    length: u32,
    number: u32,
}

impl Numbered {
    /// Of no text.
    pub const NONE: Self = Self::new(Brief::NONE, 0);

    pub const fn new(brief: Brief, number: u32) -> Self {
        let Brief {
            first,
            last,
            length,
        } = brief;
        Self {
            first,
            last,
            length,
            number,
        }
    }

    #[inline]
    pub fn brief(self) -> Brief {
        let Self {
            first,
            last,
            length,
            ..
        } = self;
        Brief {
            first,
            last,
            length,
        }
    }

    #[inline]
    pub fn number(self) -> u32 {
        self.number
    }
}

/// A word that depends on every bit of both: only the halves of a product together do.
#[inline]
pub fn mix(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_texts_are_the_same_when_all_their_bytes_are() {
        for length in 0..40 {
            let text: String = ('0'..='z').cycle().take(length).collect();
            let brief = Brief::of(&text);
            assert_eq!(brief.is_whole(), length <= 16);
            assert_ne!(brief, Brief::of(&format!("{text}\0")), "{length}");
            for at in 0..length.min(16) {
                let mut other = text.clone();
                other.replace_range(at..=at, "~");
                assert!(
                    brief != Brief::of(&other) || !brief.is_whole(),
                    "{length} {at}"
                );
            }
        }
    }

    #[test]
    fn names_as_people_make_them_hardly_meet() {
        let many = 1_000;
        let shapes: [fn(usize) -> String; 4] = [
            |number| format!("customer-{number:07}"),
            |number| format!("{number:08}-tenant-a"),
            |number| format!("{number:08}@example.com"),
            |number| format!("{number}"),
        ];
        for shape in shapes {
            let names = (0..many).map(shape);
            let slots = names.map(|name| Brief::of(&name).quick_hash() % 4_096);
            let slots: std::collections::BTreeSet<_> = slots.collect();
            // At random there were 886.
            assert!(slots.len() > 800, "{}: {}", shape(1), slots.len());
        }
    }
}
