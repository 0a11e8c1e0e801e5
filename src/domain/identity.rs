//! Who sent what.
//!
//! Owns how an event's identity and payload become a place in the duplicate filter. Leaves which
//! places are occupied to `duplicates`.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;
use siphasher::sip128::{Hasher128, SipHasher13 as SipHasher128};

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
        let mut hasher = SipHasher128::new_with_keys(first, second);
        // The lengths keep ("a", "bc") and ("ab", "c") apart.
        hasher.write_u32((customer.len() << 16 | source.len()) as u32);
        hasher.write(customer.as_bytes());
        hasher.write(source.as_bytes());
        hasher.write(id.as_bytes());
        let hash = hasher.finish128();
        let mut payload = SipHasher13::new_with_keys(third, fourth);
        payload.write_u32(event_type.len() as u32);
        payload.write(event_type.as_bytes());
        payload.write(data.as_bytes());
        Self {
            hash: [hash.h1, hash.h2],
            fingerprint: payload.finish() as u32,
        }
    }
}
