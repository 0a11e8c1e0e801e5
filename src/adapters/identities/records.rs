//! The records of runs, one after the other.
//!
//! Owns what a record looks like, and reading and writing runs from front to back in small
//! buffers. Leaves finding one record to `run`.
//!
//! Invariant: what was written is read again, or the reader says that it was not.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::duplicates::Place;
use crate::domain::entry::Mark;

use super::checksum::Checksum;
use super::fault::Fault;
use super::run::{About, Contents, HEADER_BYTES, Index, Run, path_of};

pub(super) const RECORD_BYTES: usize = 28;
/// Records that are read or written at once, about 64 KiB.
const BUFFER_RECORDS: usize = 2340;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) hash: [u64; 2],
    pub(super) place: Place,
}

impl Record {
    fn encode(&self) -> [u8; RECORD_BYTES] {
        let mut bytes = [0; RECORD_BYTES];
        bytes[..8].copy_from_slice(&self.hash[0].to_le_bytes());
        bytes[8..16].copy_from_slice(&self.hash[1].to_le_bytes());
        bytes[16..20].copy_from_slice(&self.place.fingerprint.to_le_bytes());
        bytes[20..].copy_from_slice(&self.place.since.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8; RECORD_BYTES]) -> Self {
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(word)
        };
        Self {
            hash: [word(0), word(8)],
            place: Place {
                fingerprint: word(16) as u32,
                since: word(20) as i64,
            },
        }
    }

    fn add_to(&self, checksum: &mut Checksum) {
        checksum.add(self.hash[0]);
        checksum.add(self.hash[1]);
        checksum.add(u64::from(self.place.fingerprint));
        checksum.add(self.place.since as u64);
    }
}

/// Reads a run from front to back, and at its end compares the checksum.
pub(super) struct Reader {
    contents: Arc<Contents>,
    buffer: Vec<u8>,
    /// Where in `buffer` the next record is.
    at: usize,
    count: u64,
    checksum: Checksum,
}

impl Reader {
    pub(super) fn new(contents: &Arc<Contents>) -> Self {
        Self {
            contents: Arc::clone(contents),
            buffer: Vec::new(),
            at: 0,
            count: 0,
            checksum: Checksum::default(),
        }
    }

    /// # Errors
    ///
    /// The file cannot be read, or (at the end) is not as it was written.
    pub(super) fn next(&mut self) -> Result<Option<Record>, Fault> {
        let Contents { about, path, .. } = &*self.contents;
        if self.count == about.count {
            if about.seal(self.checksum) != about.checksum {
                return Err(Fault::broken(path, "is damaged: its checksum is wrong"));
            }
            return Ok(None);
        }
        if self.at == self.buffer.len() {
            self.fill()?;
        }
        let bytes = self.buffer[self.at..].first_chunk();
        let record = Record::decode(bytes.unwrap_or(&[0; RECORD_BYTES]));
        self.at += RECORD_BYTES;
        self.count += 1;
        record.add_to(&mut self.checksum);
        Ok(Some(record))
    }

    fn fill(&mut self) -> Result<(), Fault> {
        let Contents { about, path, file } = &*self.contents;
        let records = (about.count - self.count).min(BUFFER_RECORDS as u64);
        self.buffer.resize(records as usize * RECORD_BYTES, 0);
        self.at = 0;
        let offset = HEADER_BYTES + self.count * RECORD_BYTES as u64;
        file.read_exact_at(&mut self.buffer, offset)
            .map_err(Fault::io("read", path))
    }
}

/// Writes a run; the file is deleted again unless it is finished.
pub(super) struct Writer {
    file: File,
    unfinished: Unfinished,
    number: u64,
    buffer: Vec<u8>,
    last: Option<[u64; 2]>,
    count: u64,
    checksum: Checksum,
    index: Index,
}

/// A file that goes again unless it is done.
struct Unfinished {
    path: PathBuf,
    is_done: bool,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_done {
            // If it stays, the next start deletes it.
            fs::remove_file(&self.path).ok();
        }
    }
}

impl Writer {
    /// Makes the first file from `*number` on that is not there, and sets `*number` to the next;
    /// the run will have at most `count` records, and an index of `index_bytes`.
    pub(super) fn create(
        folder: &Path,
        number: &mut u64,
        count: u64,
        index_bytes: u64,
    ) -> Result<Self, Fault> {
        loop {
            let path = path_of(folder, *number);
            *number += 1;
            // Never an existing file: it may be in use by a worker that this one took over from.
            match File::create_new(&path) {
                Ok(file) => {
                    let mut buffer = Vec::with_capacity(BUFFER_RECORDS * RECORD_BYTES);
                    buffer.resize(HEADER_BYTES as usize, 0);
                    return Ok(Self {
                        file,
                        unfinished: Unfinished {
                            path,
                            is_done: false,
                        },
                        number: *number - 1,
                        buffer,
                        last: None,
                        count: 0,
                        checksum: Checksum::default(),
                        index: Index::with_room(count, index_bytes),
                    });
                }
                Err(there) if there.kind() == io::ErrorKind::AlreadyExists => {}
                Err(fault) => return Err(Fault::io("create", &path)(fault)),
            }
        }
    }

    /// # Panics
    ///
    /// When the hashes do not rise: that is our bug, and lookups would go wrong.
    pub(super) fn push(&mut self, record: &Record) -> Result<(), Fault> {
        assert!(self.last < Some(record.hash), "identities out of order");
        self.last = Some(record.hash);
        self.index.add(self.count, record.hash);
        self.count += 1;
        record.add_to(&mut self.checksum);
        if self.buffer.len() + RECORD_BYTES > self.buffer.capacity() {
            self.flush()?;
        }
        self.buffer.extend_from_slice(&record.encode());
        Ok(())
    }

    pub(super) fn index_bytes(&self) -> u64 {
        self.index.bytes()
    }

    /// Completes the file, for identities of the entries `[first, last]`.
    pub(super) fn finish(mut self, (first, last): (i64, Mark), key_id: u64) -> Result<Run, Fault> {
        self.flush()?;
        let mut about = About {
            number: self.number,
            count: self.count,
            first_entry: first,
            last_entry: last.entry,
            last_hash: last.hash,
            key_id,
            checksum: 0,
        };
        about.checksum = about.seal(self.checksum);
        let path = &self.unfinished.path;
        self.file
            .write_all_at(&about.header(), 0)
            .map_err(Fault::io("write", path))?;
        self.unfinished.is_done = true;
        let contents = Contents {
            about,
            path: self.unfinished.path.clone(),
            file: self.file,
        };
        Ok(Run::new(contents, self.index))
    }

    fn flush(&mut self) -> Result<(), Fault> {
        self.file
            .write_all(&self.buffer)
            .map_err(Fault::io("write", &self.unfinished.path))?;
        self.buffer.clear();
        Ok(())
    }
}
