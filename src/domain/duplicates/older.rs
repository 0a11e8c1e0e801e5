//! Identities that are handed over when memory is full.
//!
//! Owns what is known of one, which table a recent one is in, and what is asked of whoever takes
//! them over. Leaves a table to `segment`, what a copy is to the filter, and files to `adapters`.

use std::error::Error as Cause;
use std::fmt;
use std::sync::Arc;

use super::segment::Segment;
use crate::domain::entry::Mark;

/// What is known of an occupied identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Of the payload.
    pub fingerprint: u32,
    /// Microseconds since 1970; `i64::MAX` for a command, which is never forgotten.
    pub since: i64,
}

/// The identities that no longer fit in memory.
pub trait Older: Send {
    /// The newest place of an identity, `None` when it has none.
    ///
    /// # Errors
    ///
    /// It can't be told; then nothing may be charged.
    fn find(&mut self, hash: [u64; 2]) -> Result<Option<Place>, OlderFault>;

    /// Looks at what `find` will look at first, so that it is at hand then; gives what means
    /// nothing.
    fn touch(&self, hash: [u64; 2]) -> u32;

    /// Takes over identities that are newer than all before.
    ///
    /// # Errors
    ///
    /// They, or some before them, can't be kept.
    fn take_over(&mut self, recent: Recent) -> Result<(), OlderFault>;

    /// Identities that were occupied before `before`, in microseconds, need not be found again,
    /// once the ledger has the row `entry`.
    fn forget(&mut self, before: i64, entry: i64);

    /// Keeps what it has for the next start, as far as the ledger has it too.
    ///
    /// # Errors
    ///
    /// Not all of it is kept: the next start takes longer.
    fn close(&mut self) -> Result<(), OlderFault>;
}

/// Older identities can't be read or kept.
#[derive(Clone, Debug)]
pub struct OlderFault {
    /// What was being done, and the way out.
    pub text: String,
    pub source: Option<Arc<dyn Cause + Send + Sync>>,
}

impl fmt::Display for OlderFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

/// By hand, so that the source is the cause itself and not the pointer to it: whether it may pass
/// is asked of the cause.
impl Cause for OlderFault {
    fn source(&self) -> Option<&(dyn Cause + 'static)> {
        self.source.as_deref().map(|cause| cause as _)
    }
}

/// Identities in memory.
pub struct Recent {
    /// By [`segment_of`], so that one after the other they are in the order of the hashes.
    /// There are many, so that growing one does not hold up the engine.
    pub segments: Vec<Segment>,
    /// Identities of entries up to this one are in here, or were handed over earlier.
    pub last: Mark,
}

/// How many identities stay in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Tables that they are spread over, at least one.
    pub segments: usize,
    /// When one of them holds so many, all are handed over.
    pub segment_identities: usize,
}

impl Recent {
    pub(super) fn new(room: Room) -> Self {
        let mut segments = Vec::new();
        segments.resize_with(room.segments.max(1), Segment::default);
        Self {
            segments,
            last: Mark::default(),
        }
    }

    pub fn find(&self, hash: [u64; 2]) -> Option<Place> {
        let segment = self.segments.get(segment_of(hash, self.segments.len()))?;
        segment.find(hash)
    }

    /// See [`Segment::touch`].
    pub fn touch(&self, hash: [u64; 2]) -> u32 {
        let segment = self.segments.get(segment_of(hash, self.segments.len()));
        segment.map_or(0, |segment| segment.touch(hash))
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.segments
            .iter()
            .map(|segment| segment.count() as u64)
            .sum()
    }

    /// Gives how many the identity's table holds then.
    pub(super) fn insert(&mut self, hash: [u64; 2], place: Place) -> usize {
        let at = segment_of(hash, self.segments.len());
        let segment = &mut self.segments[at];
        segment.insert(hash, place);
        segment.count()
    }
}

/// The segment, of `segments`, that a hash belongs to: by its first bits, so that every hash of
/// one segment is below every hash of the next.
pub fn segment_of(hash: [u64; 2], segments: usize) -> usize {
    ((u128::from(hash[0]) * segments as u128) >> 64) as usize
}
