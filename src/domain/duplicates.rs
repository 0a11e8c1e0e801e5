//! The duplicate filter.
//!
//! Owns which identities are occupied, since when, and by what payload. Leaves what becomes of a
//! copy to `engine`.
//!
//! Invariant: exact within the window: an identity is found as long as it was occupied no longer
//! ago than the window, and a command's for ever. (Two identities share a place only if 128 bits
//! of a keyed hash agree.)

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};

use hashbrown::DefaultHashBuilder;
use siphasher::sip128::{Hasher128, SipHasher13};

use super::units::Timestamp;

/// Tables that the identities are spread over, so that growing one does not hold up the engine.
const SEGMENTS: usize = 64;

/// Who sent what: the place that an event occupies.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    hash: [u64; 2],
    fingerprint: u32,
}

/// What an event is to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    New,
    /// The same identity with the same payload was accepted.
    Duplicate,
    /// The same identity with another payload was accepted.
    Conflict,
}

/// How long an accepted event occupies its identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occupied {
    /// For the window after this instant.
    Since(Timestamp),
    ForEver,
}

/// All identities that are occupied.
pub struct DuplicateFilter {
    key: (u64, u64),
    payload_hash: DefaultHashBuilder,
    segments: Vec<HashMap<[u64; 2], Place, BuildHasherDefault<FirstWord>>>,
}

#[derive(Clone, Copy)]
struct Place {
    fingerprint: u32,
    /// Microseconds; `FOR_EVER` for a command.
    since: i64,
}

const FOR_EVER: i64 = i64::MAX;

impl DuplicateFilter {
    /// An empty filter; `key` should be unknown to producers, so that none can aim at a place.
    pub fn new(key: (u64, u64)) -> Self {
        let segments = (0..SEGMENTS).map(|_| HashMap::default()).collect();
        Self {
            key,
            payload_hash: DefaultHashBuilder::default(),
            segments,
        }
    }

    /// The identity `(customer, source, id)` with the payload `(event_type, data)`.
    pub fn identity(
        &self,
        customer: &str,
        source: &str,
        id: &str,
        payload: (&str, &str),
    ) -> Identity {
        let mut hasher = SipHasher13::new_with_keys(self.key.0, self.key.1);
        // The lengths keep ("a", "bc") and ("ab", "c") apart.
        hasher.write_u32((customer.len() << 16 | source.len()) as u32);
        hasher.write(customer.as_bytes());
        hasher.write(source.as_bytes());
        hasher.write(id.as_bytes());
        let hash = hasher.finish128();
        let fingerprint = self.payload_hash.hash_one(payload) as u32;
        Identity {
            hash: [hash.h1, hash.h2],
            fingerprint,
        }
    }

    /// What an event of `identity` that is received at `now` is; `window` in microseconds, a
    /// copy exactly that long after the first one still counts.
    pub fn verdict(&self, identity: Identity, now: Timestamp, window: i64) -> Verdict {
        match self.segment(identity).get(&identity.hash) {
            Some(place) if now.get().saturating_sub(place.since) <= window => {
                if place.fingerprint == identity.fingerprint {
                    Verdict::Duplicate
                } else {
                    Verdict::Conflict
                }
            }
            _ => Verdict::New,
        }
    }

    /// Occupies the identity of an accepted event.
    pub fn occupy(&mut self, identity: Identity, occupied: Occupied) {
        let since = match occupied {
            Occupied::Since(at) => at.get(),
            Occupied::ForEver => FOR_EVER,
        };
        let place = Place {
            fingerprint: identity.fingerprint,
            since,
        };
        let segment = &mut self.segments[segment_of(identity)];
        segment.insert(identity.hash, place);
    }

    /// Forgets identities that were occupied before `before`.
    pub fn forget(&mut self, before: Timestamp) {
        for segment in &mut self.segments {
            segment.retain(|_, place| place.since >= before.get());
        }
    }

    fn segment(
        &self,
        identity: Identity,
    ) -> &HashMap<[u64; 2], Place, BuildHasherDefault<FirstWord>> {
        &self.segments[segment_of(identity)]
    }
}

fn segment_of(identity: Identity) -> usize {
    identity.hash[1] as usize % SEGMENTS
}

/// The keys are hashes already.
#[derive(Default)]
struct FirstWord(u64);

impl Hasher for FirstWord {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(word) = bytes.first_chunk() {
            self.0 = u64::from_ne_bytes(*word);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: i64 = 100;

    #[test]
    fn finds_copies_within_the_window_only() {
        let mut filter = DuplicateFilter::new((1, 2));
        let first = filter.identity("acme", "/s", "1", ("t", "{}"));
        let other_payload = filter.identity("acme", "/s", "1", ("t", "{ }"));
        let other_type = filter.identity("acme", "/s", "1", ("u", "{}"));
        assert_eq!(
            filter.verdict(first, Timestamp::new(0), WINDOW),
            Verdict::New
        );
        filter.occupy(first, Occupied::Since(Timestamp::new(0)));
        for (identity, at, verdict) in [
            (first, 0, Verdict::Duplicate),
            (first, 100, Verdict::Duplicate),
            (first, 101, Verdict::New),
            (other_payload, 100, Verdict::Conflict),
            (other_type, 100, Verdict::Conflict),
            (
                filter.identity("acme", "/s", "2", ("t", "{}")),
                0,
                Verdict::New,
            ),
            (
                filter.identity("acm", "e/s", "1", ("t", "{}")),
                0,
                Verdict::New,
            ),
            (
                filter.identity("acme", "/", "s1", ("t", "{}")),
                0,
                Verdict::New,
            ),
        ] {
            assert_eq!(
                filter.verdict(identity, Timestamp::new(at), WINDOW),
                verdict,
                "{at}"
            );
        }
        filter.forget(Timestamp::new(1));
        assert_eq!(
            filter.verdict(first, Timestamp::new(0), WINDOW),
            Verdict::New
        );
    }

    #[test]
    fn never_forgets_commands() {
        let mut filter = DuplicateFilter::new((1, 2));
        let command = filter.identity("acme", "/s", "1", ("purser.wallet.opened", "{}"));
        filter.occupy(command, Occupied::ForEver);
        filter.forget(Timestamp::new(i64::MAX - 1));
        let far = Timestamp::new(i64::MAX);
        assert_eq!(filter.verdict(command, far, WINDOW), Verdict::Duplicate);
    }
}
