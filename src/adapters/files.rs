//! Files of events: plain, `.gz`, `.zst` or standard input, as blocks of whole lines.
//!
//! Owns finding lines and bounding what one of them may take in memory. Leaves reading a line to
//! `cloudevents`.
//!
//! Invariant: every line comes exactly once, in order, numbered from 1; a block holds whole lines
//! only, and no input makes it grow without bound.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;
use memchr::{memchr, memchr_iter, memrchr};

/// Bytes that are read at once.
const READ_BYTES: usize = 256 << 10;
/// The longest line that is kept whole.
const LINE_BYTES_MAX: usize = (8 << 20) + 1;
/// What is kept of a longer one.
const HEAD_BYTES: usize = 64 << 10;
/// The name of standard input.
pub const STDIN: &str = "-";

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
#[error("could not read {}", .path.display())]
pub struct FileError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Lines that follow each other.
#[derive(Debug)]
pub enum Block {
    /// So many whole lines, the first one numbered `first`; each ends at `\n` but perhaps the last.
    Lines {
        first: u64,
        count: u64,
        bytes: Vec<u8>,
    },
    /// One line that is too long to be kept.
    Long(LongLine),
}

/// What is known of a line over 8 MiB.
#[derive(Debug)]
pub struct LongLine {
    pub number: u64,
    pub head: Vec<u8>,
    /// In bytes, without the line's end.
    pub length: usize,
    pub is_text: bool,
    /// Nothing but spaces, tabs and carriage returns.
    pub is_blank: bool,
}

/// Reads one file.
pub struct LineReader {
    path: PathBuf,
    input: Box<dyn Read + Send>,
    /// Read and not yet handed on, as far as it is `held`; behind it lies what was there before,
    /// so that it need not be cleared.
    rest: Vec<u8>,
    held: usize,
    /// Memory for the next block.
    spare: Vec<u8>,
    next: u64,
    done: bool,
    progress: Progress,
}

/// How far a file is read, in bytes as they lie on the disk.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    read: Arc<AtomicU64>,
    /// Unknown for standard input.
    pub size: Option<u64>,
}

impl Progress {
    pub fn bytes(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }
}

impl LineReader {
    /// Opens `path`; its ending says how it is compressed, and `-` is standard input.
    ///
    /// # Errors
    ///
    /// The file is not there or must not be read.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let failed = |source| FileError {
            path: path.to_owned(),
            source,
        };
        let mut progress = Progress::default();
        let raw: Box<dyn Read + Send> = if path == Path::new(STDIN) {
            Box::new(io::stdin())
        } else {
            let file = File::open(path).map_err(failed)?;
            progress.size = Some(file.metadata().map_err(failed)?.len());
            Box::new(file)
        };
        let counted = Counted {
            inner: raw,
            read: Arc::clone(&progress.read),
        };
        let input: Box<dyn Read + Send> = match path.extension().and_then(|end| end.to_str()) {
            Some("gz") => Box::new(MultiGzDecoder::new(io::BufReader::new(counted))),
            Some("zst") => Box::new(zstd::Decoder::new(counted).map_err(failed)?),
            _ => Box::new(counted),
        };
        Ok(Self::over(path, input, progress))
    }

    fn over(path: &Path, input: Box<dyn Read + Send>, progress: Progress) -> Self {
        Self {
            path: path.to_owned(),
            input,
            rest: Vec::new(),
            held: 0,
            spare: Vec::new(),
            next: 1,
            done: false,
            progress,
        }
    }

    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Takes the memory of a block that is no longer needed.
    pub fn reuse(&mut self, spare: Vec<u8>) {
        self.spare = spare;
    }

    /// The next lines; `None` after the last.
    ///
    /// # Errors
    ///
    /// Reading or decompressing fails.
    pub fn next_block(&mut self) -> Result<Option<Block>, FileError> {
        loop {
            // Behind a long line there may be whole ones already.
            if let Some(end) = memrchr(b'\n', &self.rest[..self.held]) {
                let mut after = std::mem::take(&mut self.spare);
                let left = &self.rest[end + 1..self.held];
                after.resize(after.len().max(left.len()), 0);
                after[..left.len()].copy_from_slice(left);
                self.held = left.len();
                let mut bytes = std::mem::replace(&mut self.rest, after);
                bytes.truncate(end + 1);
                return Ok(Some(self.lines(bytes)));
            }
            if self.held > LINE_BYTES_MAX {
                let long = self.long_line();
                return long.map(Some).map_err(|source| FileError {
                    path: self.path.clone(),
                    source,
                });
            }
            if self.done {
                break;
            }
            self.fill().map_err(|source| FileError {
                path: self.path.clone(),
                source,
            })?;
        }
        if self.held == 0 {
            return Ok(None);
        }
        let bytes = self.take_held();
        Ok(Some(self.lines(bytes)))
    }

    fn lines(&mut self, bytes: Vec<u8>) -> Block {
        let first = self.next;
        let ends = memchr_iter(b'\n', &bytes).count() as u64;
        let count = ends + u64::from(bytes.last() != Some(&b'\n'));
        self.next += count;
        Block::Lines {
            first,
            count,
            bytes,
        }
    }

    fn take_held(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.rest);
        bytes.truncate(std::mem::take(&mut self.held));
        bytes
    }

    fn fill(&mut self) -> io::Result<()> {
        let (before, room) = (self.held, self.held + READ_BYTES);
        self.rest.resize(self.rest.len().max(room), 0);
        while self.held < room {
            match self.input.read(&mut self.rest[self.held..room]) {
                Ok(0) => {
                    self.done = true;
                    break;
                }
                Ok(read) => self.held += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            // What has arrived is handed on: a pipe may be quiet for long.
            if memchr(b'\n', &self.rest[before..self.held]).is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Reads on to the end of a long line, keeping only its head.
    fn long_line(&mut self) -> io::Result<Block> {
        let mut text = TextCheck::default();
        let mut head = self.take_held();
        let mut is_blank = is_blank_part(&head);
        text.add(&head);
        let mut length = head.len();
        let mut ends_in_return = head.last() == Some(&b'\r');
        head.truncate(HEAD_BYTES);
        loop {
            self.fill()?;
            let end = memchr(b'\n', &self.rest[..self.held]);
            let part = &self.rest[..end.unwrap_or(self.held)];
            text.add(part);
            is_blank &= is_blank_part(part);
            length += part.len();
            ends_in_return = part.last().map_or(ends_in_return, |byte| *byte == b'\r');
            if let Some(end) = end {
                self.rest.drain(..=end);
                self.held -= end + 1;
                length -= usize::from(ends_in_return);
                break;
            }
            self.held = 0;
            if self.done {
                break;
            }
        }
        let number = self.next;
        self.next += 1;
        Ok(Block::Long(LongLine {
            number,
            head,
            length,
            is_text: text.is_text(),
            is_blank,
        }))
    }
}

fn is_blank_part(part: &[u8]) -> bool {
    part.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

/// Whether bytes that come in parts are UTF-8.
#[derive(Default)]
struct TextCheck {
    /// A character that the last part ended within.
    open: Vec<u8>,
    broken: bool,
}

impl TextCheck {
    fn add(&mut self, part: &[u8]) {
        let mut part = part;
        while !self.open.is_empty() && !part.is_empty() && !self.broken {
            self.open.push(part[0]);
            part = &part[1..];
            match std::str::from_utf8(&self.open) {
                Ok(_) => self.open.clear(),
                Err(error) => self.broken = error.error_len().is_some(),
            }
        }
        if let Err(error) = std::str::from_utf8(part) {
            self.broken |= error.error_len().is_some();
            self.open = part[error.valid_up_to()..].to_vec();
        }
    }

    fn is_text(&self) -> bool {
        !self.broken && self.open.is_empty()
    }
}

struct Counted<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
