//! The duplicate filter.
//!
//! Owns which identities are occupied, since when, and by what payload, and when the recent ones
//! are handed over to older ones. Leaves keeping those to `Older`, what an identity is to
//! `identity`, and what becomes of a copy to `engine`.
//!
//! Invariant: exact within the window: an identity is found as long as it was occupied no longer
//! ago than the window, and a command's for ever. (Two identities share a place only if 128 bits
//! of a keyed hash agree.)

mod older;
mod segment;

pub use older::{Older, OlderFault, Place, Recent, Room, segment_of};
pub use segment::Segment;

use super::entry::Mark;
use super::identity::{FilterKey, Identity};
use super::units::Timestamp;

/// Tables of a filter that keeps everything in memory.
const SEGMENTS: usize = 64;

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

const FOR_EVER: i64 = i64::MAX;

/// All identities that are occupied.
pub struct DuplicateFilter {
    key: FilterKey,
    recent: Recent,
    room: Room,
    /// A table has as many as it may.
    is_full: bool,
    /// The identities of ledger entries up to this one are in `older`.
    covered_entry: i64,
    older: Option<Box<dyn Older>>,
}

impl DuplicateFilter {
    /// An empty filter that keeps everything in memory.
    pub fn unbounded(key: FilterKey) -> Self {
        let room = Room {
            segments: SEGMENTS,
            segment_identities: usize::MAX,
        };
        Self {
            key,
            recent: Recent::new(room),
            room,
            is_full: false,
            covered_entry: 0,
            older: None,
        }
    }

    /// A filter that keeps identities in memory as long as there is room. `older` was keyed by
    /// `key` before, and has those of ledger entries up to `covered_entry`.
    pub fn bounded(
        key: FilterKey,
        room: Room,
        (older, covered_entry): (Box<dyn Older>, i64),
    ) -> Self {
        Self {
            key,
            recent: Recent::new(room),
            room,
            is_full: false,
            covered_entry,
            older: Some(older),
        }
    }

    /// What identities are to be reckoned with.
    pub fn key(&self) -> FilterKey {
        self.key
    }

    /// See [`Identity::of`].
    pub fn identity(
        &self,
        customer: &str,
        source: &str,
        id: &str,
        payload: (&str, &str),
    ) -> Identity {
        Identity::of(&self.key, (customer, source, id), payload)
    }

    /// The identity of a reversal of the event `(customer, source, id)`: there is one for ever. No
    /// event has it, for no customer's name begins so.
    pub fn reversal_of(&self, customer: &str, (source, id): (&str, &str)) -> Identity {
        self.identity(&format!("\n{customer}"), source, id, ("", ""))
    }

    /// What an event of `identity` that is received at `now` is; `window` in microseconds, a
    /// copy exactly that long after the first one still counts.
    ///
    /// # Errors
    ///
    /// Older identities can't be read.
    pub fn verdict(
        &mut self,
        identity: Identity,
        now: Timestamp,
        window: i64,
    ) -> Result<Verdict, OlderFault> {
        Ok(match self.place(identity, now, window)? {
            Some(place) if place.fingerprint == identity.fingerprint => Verdict::Duplicate,
            Some(_) => Verdict::Conflict,
            None => Verdict::New,
        })
    }

    /// Looks where identities of these hashes would be in memory, so that it is at hand then; gives
    /// what means nothing. A loop does little else, so that many looks are under way at once.
    pub(super) fn touch(&self, hashes: &[[u64; 2]]) -> u32 {
        let recent = hashes.iter().map(|hash| self.recent.touch(*hash));
        let recent = recent.fold(0, |all, one| all ^ one);
        let Some(older) = self.older.as_ref() else {
            return recent;
        };
        let older = hashes.iter().map(|hash| older.touch(*hash));
        older.fold(recent, |all, one| all ^ one)
    }

    /// Since when an identity is occupied, whatever the payload; `None` where [`Verdict::New`] is
    /// the verdict.
    ///
    /// # Errors
    ///
    /// Older identities can't be read.
    pub fn occupied(
        &mut self,
        identity: Identity,
        now: Timestamp,
        window: i64,
    ) -> Result<Option<Occupied>, OlderFault> {
        let place = self.place(identity, now, window)?;
        Ok(place.map(|place| match place.since {
            FOR_EVER => Occupied::ForEver,
            since => Occupied::Since(Timestamp::new(since)),
        }))
    }

    fn place(
        &mut self,
        identity: Identity,
        now: Timestamp,
        window: i64,
    ) -> Result<Option<Place>, OlderFault> {
        let place = match (self.recent.find(identity.hash), &mut self.older) {
            (Some(place), _) => Some(place),
            (None, Some(older)) => older.find(identity.hash)?,
            (None, None) => None,
        };
        Ok(place.filter(|place| now.get().saturating_sub(place.since) <= window))
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
        let count = self.recent.insert(identity.hash, place);
        self.is_full |= count >= self.room.segment_identities;
    }

    /// Hands recent identities over when they have filled their memory. `last` gives the newest row
    /// of the ledger whose identity is here.
    ///
    /// # Errors
    ///
    /// They can't be kept.
    pub fn make_room(&mut self, last: impl FnOnce() -> Mark) -> Result<(), OlderFault> {
        if self.is_full {
            self.hand_over(last())?;
        }
        Ok(())
    }

    /// Ends with all identities handed over, as of `last`.
    ///
    /// # Errors
    ///
    /// Not all are kept: the next start takes longer.
    pub fn close(mut self, last: Mark) -> Result<(), OlderFault> {
        self.hand_over_rest(last)?;
        self.older.as_mut().map_or(Ok(()), |older| older.close())
    }

    /// Hands over all identities, as of `last`: what is to be done at the end, begun before it.
    ///
    /// # Errors
    ///
    /// As [`DuplicateFilter::close`], which gives the error too.
    pub fn hand_over_rest(&mut self, last: Mark) -> Result<(), OlderFault> {
        match self.recent.count() > 0 || last.entry > self.covered_entry {
            true => self.hand_over(last),
            false => Ok(()),
        }
    }

    /// The identities of ledger entries up to this one need not be occupied again.
    pub fn covered_entry(&self) -> i64 {
        self.covered_entry
    }

    fn hand_over(&mut self, last: Mark) -> Result<(), OlderFault> {
        let Some(older) = &mut self.older else {
            return Ok(());
        };
        self.is_full = false;
        let mut recent = std::mem::replace(&mut self.recent, Recent::new(self.room));
        recent.last = last;
        self.covered_entry = last.entry;
        older.take_over(recent)
    }

    /// Identities that were occupied before `before` need not be found again, once the ledger has
    /// the row `entry`: who comes back before it has may ask for them.
    pub fn forget(&mut self, before: Timestamp, entry: i64) {
        if let Some(older) = &mut self.older {
            older.forget(before.get(), entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const WINDOW: i64 = 100;

    fn mark(entry: i64) -> Mark {
        Mark { entry, hash: 0 }
    }

    fn room(segment_identities: usize) -> Room {
        Room {
            segments: 1,
            segment_identities,
        }
    }

    /// Older identities, in memory all the same.
    #[derive(Default)]
    struct Kept(HashMap<[u64; 2], Place>);

    impl Older for Kept {
        fn find(&mut self, hash: [u64; 2]) -> Result<Option<Place>, OlderFault> {
            Ok(self.0.get(&hash).copied())
        }

        fn touch(&self, _: [u64; 2]) -> u32 {
            0
        }

        fn take_over(&mut self, recent: Recent) -> Result<(), OlderFault> {
            let taken: Vec<_> = recent
                .segments
                .iter()
                .flat_map(Segment::iter)
                .copied()
                .collect();
            assert!(taken.len() == 3 && recent.last.entry > 0 || taken.len() == 1);
            self.0.extend(taken);
            Ok(())
        }

        fn forget(&mut self, before: i64, _: i64) {
            self.0.retain(|_, place| place.since >= before);
        }

        fn close(&mut self) -> Result<(), OlderFault> {
            Ok(())
        }
    }

    #[test]
    fn a_full_filter_hands_over_and_still_finds() {
        let kept = Box::new(Kept::default());
        let mut filter = DuplicateFilter::bounded([1, 2, 3, 4], room(3), (kept, 0));
        let identity = |filter: &DuplicateFilter, id: i64| {
            filter.identity("acme", "/s", &id.to_string(), ("t", "{}"))
        };
        for id in 0..20 {
            let new = identity(&filter, id);
            let verdict = filter.verdict(new, Timestamp::new(id), WINDOW).unwrap();
            assert_eq!(verdict, Verdict::New, "{id}");
            filter.occupy(new, Occupied::Since(Timestamp::new(id)));
            filter.make_room(|| mark(id + 1)).unwrap();
            assert!(filter.recent.count() < 3);
        }
        for id in 0..20 {
            let old = identity(&filter, id);
            let verdict = filter.verdict(old, Timestamp::new(20), WINDOW).unwrap();
            assert_eq!(verdict, Verdict::Duplicate, "{id}");
        }
        // A place that was taken anew, after its window, counts from then.
        let again = identity(&filter, 0);
        filter.occupy(again, Occupied::Since(Timestamp::new(1_000)));
        let verdict = filter
            .verdict(again, Timestamp::new(1_050), WINDOW)
            .unwrap();
        assert_eq!(verdict, Verdict::Duplicate);
    }

    #[test]
    fn finds_copies_within_the_window_only() {
        let mut filter = DuplicateFilter::unbounded([1, 2, 3, 4]);
        let first = filter.identity("acme", "/s", "1", ("t", "{}"));
        let other_payload = filter.identity("acme", "/s", "1", ("t", "{ }"));
        let other_type = filter.identity("acme", "/s", "1", ("u", "{}"));
        assert_eq!(
            filter.verdict(first, Timestamp::new(0), WINDOW).unwrap(),
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
                filter
                    .verdict(identity, Timestamp::new(at), WINDOW)
                    .unwrap(),
                verdict,
                "{at}"
            );
        }
    }

    #[test]
    fn never_forgets_commands() {
        let mut filter =
            DuplicateFilter::bounded([1, 2, 3, 4], room(1), (Box::new(Kept::default()), 0));
        let command = filter.identity("acme", "/s", "1", ("purser.wallet.opened", "{}"));
        filter.occupy(command, Occupied::ForEver);
        filter.make_room(|| mark(1)).unwrap();
        filter.forget(Timestamp::new(i64::MAX - 1), 1);
        let far = Timestamp::new(i64::MAX);
        assert_eq!(
            filter.verdict(command, far, WINDOW).unwrap(),
            Verdict::Duplicate
        );
    }
}
