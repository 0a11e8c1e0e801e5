//! Publish: files → a stream.
//!
//! Owns on which subject each line goes and what it is called. Leaves acknowledgements and
//! retries to `adapters::jetstream`.
//!
//! Invariant: every line becomes an event of a message, in order, also one that is no event: the
//! ledger is where rejections belong. No line of a customer is sent while a command before it is
//! not stored, so that none is charged as if the command had not been given.

use std::collections::BTreeSet;
use std::hash::Hasher;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use siphasher::sip::SipHasher24;

use super::run::SUBJECTS;
use crate::adapters::cloudevents::{Decoder, lines};
use crate::adapters::files::{Block, FileError, LineReader, Progress};
use crate::adapters::jetstream::{Access, Connection, NatsError, Outgoing, Published, Publisher};
use crate::domain::command::{COMMAND_PREFIX, members_of};
use crate::domain::customer::is_customer;
use crate::domain::event::Reading;

/// Where lines go that are no event of a customer, and batches.
const MIXED: &str = "batch.0";
/// The content type of a line by itself, also of one that is no event.
const SINGLE: &str = "application/cloudevents+json";
/// The content type of several lines.
const LINES: &str = "application/x-ndjson";
/// How long a message is tried before it is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// Messages are kept below the broker's usual limit of 1 MiB.
const BATCH_BYTES: usize = 768 << 10;

/// What to publish, and where.
pub struct Publish {
    pub access: Access,
    /// Made if it is missing and we may.
    pub stream: String,
    pub file: PathBuf,
    /// Lines a message.
    pub batch: Option<usize>,
}

/// Why publishing stopped.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Nats(#[from] NatsError),
    #[error("line {line} of {} has {length} bytes, more than a message can hold", .file.display())]
    TooLong {
        file: PathBuf,
        line: u64,
        length: usize,
    },
}

/// Publishes a file's lines and waits until the broker has stored all; `progress` is called once
/// the file is open.
///
/// # Errors
///
/// See [`PublishError`]. What was stored stays; published again within two minutes it is not
/// stored twice, and later the ledger tells the copies.
pub async fn publish(
    job: &Publish,
    progress: impl FnOnce(Progress),
) -> Result<Published, PublishError> {
    let mut reader = LineReader::open(&job.file)?;
    let connection = Connection::open(&job.access).await?;
    progress(reader.progress());
    let publisher = Publisher::new(connection.clone(), PATIENCE);
    let mut outbox = Outbox {
        publisher: publisher.making(&job.stream, &SUBJECTS),
        commanded: BTreeSet::new(),
        file: name_of(&job.file),
        batch: Vec::new(),
        first_line: 0,
        waiting: 0,
    };
    let mut decoder = Decoder::default();
    while let Some(block) = reader.next_block()? {
        match block {
            Block::Lines { first, bytes, .. } => {
                for (line, number) in lines(&bytes).zip(first..) {
                    outbox.line(line, number, &mut decoder, job.batch).await?;
                }
            }
            Block::Long(long) => {
                let (file, line, length) = (job.file.clone(), long.number, long.length);
                return Err(PublishError::TooLong { file, line, length });
            }
        }
    }
    outbox.flush().await?;
    let published = outbox.publisher.finish().await?;
    connection.close().await?;
    Ok(published)
}

struct Outbox {
    publisher: Publisher,
    /// Whose commands may not be stored yet.
    commanded: BTreeSet<String>,
    file: String,
    /// Lines that wait to fill a message, each ended by `\n`.
    batch: Vec<u8>,
    first_line: u64,
    waiting: usize,
}

impl Outbox {
    async fn line(
        &mut self,
        line: &[u8],
        number: u64,
        decoder: &mut Decoder,
        batch: Option<usize>,
    ) -> Result<(), NatsError> {
        let reading = decoder.read(line);
        warn_of_unread(&reading, number);
        let subject = subject_of(&reading);
        let (kind, customer) = subject.split_once('.').unwrap_or_default();
        if self.commanded.contains(customer) {
            self.publisher.settle().await?;
            self.commanded.clear();
        }
        let is_command = kind == "wallet";
        if let Some(size) = batch.filter(|_| !is_command) {
            if self.waiting >= size || self.batch.len() + line.len() > BATCH_BYTES {
                self.flush().await?;
            }
            if self.waiting == 0 {
                self.first_line = number;
            }
            self.batch.extend_from_slice(line);
            if line.ends_with(b"\r") {
                // One is dropped at the end of a line, and this one belongs to it.
                self.batch.push(b'\r');
            }
            self.batch.push(b'\n');
            self.waiting += 1;
            return Ok(());
        }
        // What came before a command goes before it.
        self.flush().await?;
        if is_command {
            self.commanded.insert(customer.to_owned());
        }
        self.send(subject, SINGLE, number, line.to_vec()).await
    }

    async fn flush(&mut self) -> Result<(), NatsError> {
        if self.waiting == 0 {
            return Ok(());
        }
        self.waiting = 0;
        let body = std::mem::take(&mut self.batch);
        self.send(MIXED.to_owned(), LINES, self.first_line, body)
            .await
    }

    async fn send(
        &mut self,
        subject: String,
        content_type: &'static str,
        line: u64,
        body: Vec<u8>,
    ) -> Result<(), NatsError> {
        let mut hasher = SipHasher24::new();
        hasher.write(&body);
        let id = format!("{}:{line}:{:016x}", self.file, hasher.finish());
        let payload = Bytes::from(body);
        let message = Outgoing {
            subject,
            id,
            content_type: Some(content_type),
            payload,
        };
        self.publisher.publish(message).await
    }
}

/// A command's member that nothing reads is most likely a slip of the pen.
fn warn_of_unread(reading: &Reading<'_>, line: u64) {
    let Reading::Event(event) = reading else {
        return;
    };
    let own = members_of(event.event_type);
    let members = event.members.iter().filter(|_| !own.is_empty());
    for (member, _) in members.filter(|(name, _)| !own.contains(name)) {
        let (command, reads) = (event.event_type, own.join(", "));
        tracing::warn!(line, command, member, reads, "nothing reads this member");
    }
}

fn subject_of(reading: &Reading<'_>) -> String {
    let Reading::Event(event) = reading else {
        return MIXED.to_owned();
    };
    let Some(customer) = event.subject.filter(|subject| is_customer(subject)) else {
        return MIXED.to_owned();
    };
    let kind = if event.event_type.starts_with(COMMAND_PREFIX) {
        "wallet"
    } else {
        "usage"
    };
    format!("{kind}.{customer}")
}

fn name_of(file: &Path) -> String {
    file.file_name().map_or_else(
        || "stdin".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}
