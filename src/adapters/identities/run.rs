//! A run: a file of identities, sorted by hash, that never changes once it is written.
//!
//! Owns the file's format and finding one hash by one read. Leaves reading and writing all of them
//! to `records`, which files count to `manifest`, and when they are made to `background`.
//!
//! Format, in little-endian words of 64 bits: magic, version, count, first and last entry, the last
//! one's hash, key id,
//! checksum; then `count` records of 28 bytes: hash (two words), fingerprint (half a word), since.
//!
//! Invariant: hashes rise strictly, and the checksum covers every bit but the magic's.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::duplicates::Place;
use crate::domain::entry::Mark;

use super::checksum::Checksum;
use super::fault::Fault;
use super::records::{RECORD_BYTES, Reader, Record};

/// What the file of a run is called, before its number.
pub(super) const RUN: &str = "run-";
const HEADER_WORDS: usize = 8;
pub(super) const HEADER_BYTES: u64 = HEADER_WORDS as u64 * 8;
const MAGIC: u64 = u64::from_le_bytes(*b"purserid");
const VERSION: u64 = 2;
/// Records that one look reads, about 4 KiB, unless the index must be smaller.
const BLOCK_RECORDS: u64 = 146;

/// What the manifest says of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct About {
    /// Names the file.
    pub(super) number: u64,
    pub(super) count: u64,
    /// Identities of the entries `[first_entry, last_entry]` are in the run.
    pub(super) first_entry: i64,
    pub(super) last_entry: i64,
    /// Of the last one's row.
    pub(super) last_hash: u64,
    /// Of the key that the hashes are made with.
    pub(super) key_id: u64,
    pub(super) checksum: u64,
}

pub(super) struct Run {
    contents: Arc<Contents>,
    index: Index,
}

pub(super) struct Contents {
    pub(super) about: About,
    pub(super) path: PathBuf,
    /// Read only by position, so that any thread may.
    pub(super) file: File,
}

/// The first hash word of each block.
pub(super) struct Index {
    firsts: Vec<u64>,
    block_records: u64,
}

impl Run {
    /// Opens the file that `about` describes and reads all of it; `each` is given every record.
    ///
    /// # Errors
    ///
    /// The file is missing, cannot be read, or is not what `about` says.
    pub(super) fn open(
        folder: &Path,
        about: About,
        index_bytes: u64,
        mut each: impl FnMut(Record),
    ) -> Result<Self, Fault> {
        let path = path_of(folder, about.number);
        let file = File::open(&path).map_err(Fault::io("open", &path))?;
        let length = file.metadata().map_err(Fault::io("read", &path))?.len();
        if length != about.bytes() {
            return Err(Fault::broken(&path, format!("is torn: {length} bytes")));
        }
        let mut header = [0; HEADER_BYTES as usize];
        file.read_exact_at(&mut header, 0)
            .map_err(Fault::io("read", &path))?;
        if header != about.header() {
            return Err(Fault::broken(
                &path,
                "is not the run that the manifest names",
            ));
        }
        let mut index = Index::with_room(about.count, index_bytes);
        let contents = Arc::new(Contents { about, path, file });
        let mut reader = Reader::new(&contents);
        let mut position = 0;
        while let Some(record) = reader.next()? {
            index.add(position, record.hash);
            each(record);
            position += 1;
        }
        Ok(Self { contents, index })
    }

    /// A run that was written just now.
    pub(super) fn new(contents: Contents, index: Index) -> Self {
        let contents = Arc::new(contents);
        Self { contents, index }
    }

    pub(super) fn about(&self) -> &About {
        &self.contents.about
    }

    /// Memory that the index takes.
    pub(super) fn index_bytes(&self) -> u64 {
        self.index.bytes()
    }

    /// All records in order.
    pub(super) fn records(&self) -> Reader {
        Reader::new(&self.contents)
    }

    /// The place of `hash`; `buffer` is scratch.
    pub(super) fn find(
        &self,
        hash: [u64; 2],
        buffer: &mut Vec<u8>,
    ) -> Result<Option<Place>, Fault> {
        let Contents { about, path, file } = &*self.contents;
        let (from, to) = self.index.span(hash[0]);
        let to = to.min(about.count);
        if from >= to {
            return Ok(None);
        }
        buffer.resize((to - from) as usize * RECORD_BYTES, 0);
        file.read_exact_at(buffer, HEADER_BYTES + from * RECORD_BYTES as u64)
            .map_err(Fault::io("read", path))?;
        let (records, _) = buffer.as_chunks();
        let found = records.binary_search_by_key(&hash, |bytes| Record::decode(bytes).hash);
        Ok(found.ok().map(|at| Record::decode(&records[at]).place))
    }

    /// Deletes the file; whoever has the run open can still read it.
    pub(super) fn delete(&self) -> Result<(), Fault> {
        delete(&self.contents.path)
    }
}

/// Deletes a file, unless a worker that this one took over from was faster.
pub(super) fn delete(path: &Path) -> Result<(), Fault> {
    match fs::remove_file(path) {
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(Fault::io("delete", path)),
    }
}

pub(super) fn path_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{RUN}{number}"))
}

impl About {
    /// The last row whose identity is in the run.
    pub(super) fn mark(&self) -> Mark {
        Mark {
            entry: self.last_entry,
            hash: self.last_hash,
        }
    }

    /// What the file takes, unless that does not fit.
    pub(super) fn bytes(&self) -> u64 {
        let records = self.count.saturating_mul(RECORD_BYTES as u64);
        records.saturating_add(HEADER_BYTES)
    }

    pub(super) fn header(&self) -> [u8; HEADER_BYTES as usize] {
        let words = [
            MAGIC,
            VERSION,
            self.count,
            self.first_entry as u64,
            self.last_entry as u64,
            self.last_hash,
            self.key_id,
            self.checksum,
        ];
        let mut header = [0; HEADER_BYTES as usize];
        for (bytes, word) in header.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        header
    }

    /// The checksum of the run whose records have `checksum`.
    pub(super) fn seal(&self, mut checksum: Checksum) -> u64 {
        let entries = [
            self.first_entry as u64,
            self.last_entry as u64,
            self.last_hash,
        ];
        checksum.add(VERSION);
        checksum.add(self.count);
        for word in entries {
            checksum.add(word);
        }
        checksum.add(self.key_id);
        checksum.get()
    }
}

impl Index {
    /// For at most `count` records, in `bytes` if more than a few.
    pub(super) fn with_room(count: u64, bytes: u64) -> Self {
        let blocks_max = (bytes / 8).max(64);
        let block_records = count.div_ceil(blocks_max).max(BLOCK_RECORDS);
        Self {
            firsts: Vec::with_capacity(count.div_ceil(block_records) as usize),
            block_records,
        }
    }

    pub(super) fn add(&mut self, position: u64, hash: [u64; 2]) {
        if position.is_multiple_of(self.block_records) {
            self.firsts.push(hash[0]);
        }
    }

    /// The records `[from, to)` that can have the first word `first`.
    fn span(&self, first: u64) -> (u64, u64) {
        // Its records may begin at the end of the block before the first one that starts with it.
        let from = self.firsts.partition_point(|block| *block < first);
        let to = self.firsts.partition_point(|block| *block <= first);
        let from = from.saturating_sub(1) as u64;
        (from * self.block_records, to as u64 * self.block_records)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.firsts.capacity() as u64 * 8
    }
}

#[cfg(test)]
mod tests {
    use super::super::records::Writer;
    use super::super::tests::{hash_of, mark};
    use super::*;

    #[test]
    fn finds_every_record_also_with_a_small_index() {
        const COUNT: u64 = 30_000;
        let folder = tempfile::tempdir().unwrap();
        let mut hashes: Vec<_> = (0..COUNT).map(hash_of).collect();
        hashes.sort_unstable();
        for index_bytes in [0, 512, 800, u64::MAX] {
            let mut writer = Writer::create(folder.path(), &mut 1, COUNT, index_bytes).unwrap();
            for (since, hash) in (0..).zip(&hashes) {
                let place = Place {
                    fingerprint: 7,
                    since,
                };
                writer.push(&Record { hash: *hash, place }).unwrap();
            }
            let written = writer.finish((1, mark(9)), 5).unwrap();
            let about = written.about().clone();
            let read = Run::open(folder.path(), about, index_bytes, |_| {}).unwrap();
            for run in [written, read] {
                assert!(run.index_bytes() <= index_bytes.max(512));
                for (since, hash) in (0..).zip(&hashes) {
                    let found = run.find(*hash, &mut Vec::new()).unwrap();
                    assert_eq!(found.map(|place| place.since), Some(since));
                }
                for absent in [[0, 0], [u64::MAX; 2], hash_of(COUNT), [hashes[0][0], 0]] {
                    assert_eq!(run.find(absent, &mut Vec::new()).unwrap(), None);
                }
            }
        }
    }
}
