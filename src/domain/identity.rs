//! Who sent what.
//!
//! Owns how an event's identity and payload become a place in the duplicate filter. Leaves which
//! places are occupied to `duplicates`.

use siphasher::sip128::SipHasher13;

use super::text::{GOLDEN, mix};

/// What the hashes are keyed by: two words for identities, two for payloads. It should be unknown
/// to producers, so that none can aim at a place.
pub type FilterKey = [u64; 4];

/// Who sent what: the place that an event occupies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub(super) hash: [u64; 2],
    /// Of the payload.
    pub(super) fingerprint: u32,
}

impl Identity {
    /// The identity `(customer, source, id)` with the payload `(event_type, data)`.
    pub fn of(
        key: &FilterKey,
        (customer, source, id): (&str, &str, &str),
        (event_type, data): (&str, &str),
    ) -> Self {
        let [first, second, third, fourth] = *key;
        // The lengths, of at most 256 bytes each but for the id's, keep ("a", "bc") and ("ab", "c")
        // apart.
        let lengths = (customer.len() << 16 | source.len()) as u32;
        let parts = [
            &lengths.to_le_bytes(),
            customer.as_bytes(),
            source.as_bytes(),
            id.as_bytes(),
        ];
        let hasher = SipHasher13::new_with_keys(first, second);
        let mut short = [0; SHORT];
        let mut rest = short.as_mut_slice();
        let hash = match parts.iter().all(|part| take(&mut rest, part)) {
            true => {
                let length = SHORT - rest.len();
                hasher.hash(&short[..length])
            }
            false => hasher.hash(&parts.concat()),
        };
        let mut payload = Fingerprint {
            state: third ^ GOLDEN,
            key: fourth ^ PLASTIC,
        };
        payload.add(event_type.as_bytes());
        payload.add(data.as_bytes());
        Self {
            hash: [hash.h1, hash.h2],
            fingerprint: payload.state as u32,
        }
    }
}

/// Bytes of an identity that are hashed without a buffer of their own.
const SHORT: usize = 256;

/// Copies `part` to the front of what is left of a buffer; false when there is no room.
#[inline]
fn take(rest: &mut &mut [u8], part: &[u8]) -> bool {
    let Some((front, left)) = std::mem::take(rest).split_at_mut_checked(part.len()) else {
        return false;
    };
    front.copy_from_slice(part);
    *rest = left;
    true
}

/// 2^64 over the plastic ratio: a key of few bits has many with it, and with [`GOLDEN`].
const PLASTIC: u64 = 0xc13f_a9a9_02a6_328f;

/// A quick keyed hash: tells a payload from another that came under the same identity, which
/// nothing but the same payload is expected to.
struct Fingerprint {
    state: u64,
    key: u64,
}

impl Fingerprint {
    /// Adds a text and its length.
    fn add(&mut self, text: &[u8]) {
        let (words, rest) = text.as_chunks();
        for words in words {
            self.fold(u128::from_le_bytes(*words));
        }
        let mut last = [0; 16];
        last[..rest.len()].copy_from_slice(rest);
        self.fold(u128::from_le_bytes(last));
        self.fold(text.len() as u128);
    }

    #[inline]
    fn fold(&mut self, words: u128) {
        let (low, high) = (words as u64 ^ self.state, (words >> 64) as u64 ^ self.key);
        self.state = mix(low, high);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: FilterKey = [1, 2, 3, 4];

    fn of(sent: (&str, &str, &str), payload: (&str, &str)) -> Identity {
        Identity::of(&KEY, sent, payload)
    }

    #[test]
    fn each_part_and_where_it_ends_counts() {
        let long = "x".repeat(300);
        let sent = [
            ("a", "b", "c"),
            ("ab", "", "c"),
            ("a", "bc", ""),
            ("", "ab", "c"),
            ("a", "b", "c\0"),
            (long.as_str(), "b", "c"),
            ("a", "b", long.as_str()),
            ("a", long.as_str(), ""),
        ];
        let all = sent.map(|sent| of(sent, ("t", "{}")).hash);
        for (place, hash) in all.iter().enumerate() {
            assert!(!all[..place].contains(hash), "{:?}", sent[place]);
        }
        let other = Identity::of(&[1, 3, 3, 4], sent[0], ("t", "{}"));
        assert_ne!(other.hash, all[0]);
    }

    #[test]
    fn every_bit_of_a_payload_and_of_its_key_counts() {
        let data: String = ('0'..='z').cycle().take(70).collect();
        let mut seen = Vec::new();
        let mut note = |fingerprint: u32| {
            assert!(!seen.contains(&fingerprint));
            seen.push(fingerprint);
        };
        for length in 0..data.len() {
            note(of(("a", "b", "c"), ("t", &data[..length])).fingerprint);
            let mut other = data.clone();
            other.replace_range(length..=length, "~");
            note(of(("a", "b", "c"), ("t", &other)).fingerprint);
        }
        note(of(("a", "b", "c"), ("t0", &data[1..])).fingerprint);
        note(of(("a", "b", "c"), ("", "t")).fingerprint);
        for key in [[1, 2, 5, 4], [1, 2, 3, 5]] {
            note(Identity::of(&key, ("a", "b", "c"), ("t", &data)).fingerprint);
        }
    }
}
