//! Messages and what was read of them, on a thread of its own.
//!
//! Owns reading their events before the engine sees them. Leaves receiving to
//! `adapters::jetstream`.

use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use tokio::sync::mpsc;

use super::feed::Work;
use crate::adapters::cloudevents::{ContentType, Readings};
use crate::adapters::jetstream::Message;
use crate::domain::identity::FilterKey;

/// Events of a batch, but for those of its last message: few enough that what is known of them
/// takes little memory, and many, since charges that a batch takes back are looked up together.
const EVENTS_MAX: usize = 16 << 10;

/// Messages that follow each other, and their events.
pub(super) struct Batch {
    pub(super) messages: Vec<Message>,
    pub(super) readings: Readings,
    /// Of each message, the first event behind it.
    ends: Vec<usize>,
}

impl Batch {
    /// Reads messages, as long as they do not hold too many events, into memory that was used
    /// before.
    pub(super) fn read(
        waiting: &mut impl Iterator<Item = Message>,
        mut readings: Readings,
    ) -> Self {
        readings.clear();
        let (mut messages, mut ends) = (Vec::new(), Vec::new());
        while readings.count() < EVENTS_MAX {
            let Some(message) = waiting.next() else {
                break;
            };
            let content = ContentType::from_header(message.content_type.as_deref());
            readings.add_message(&message.payload, content);
            ends.push(readings.count());
            messages.push(message);
        }
        Self {
            messages,
            readings,
            ends,
        }
    }

    /// Which of the readings are the events of a message, by its place in the batch.
    pub(super) fn events(&self, message: usize) -> Range<usize> {
        let first = message.checked_sub(1).map_or(0, |before| self.ends[before]);
        first..self.ends[message]
    }
}

/// Starts the thread that reads what arrives, for the engine's; the way back is for memory that is
/// no longer needed. It ends when nothing more arrives, or with the engine's.
pub(super) fn read_ahead(
    mut arriving: mpsc::Receiver<Vec<Message>>,
    work: mpsc::Sender<Work>,
    key: FilterKey,
) -> (Sender<Readings>, JoinHandle<()>) {
    let (spent, again): (_, Receiver<Readings>) = channel();
    let reader = thread::spawn(move || {
        while let Some(messages) = arriving.blocking_recv() {
            let mut messages = messages.into_iter();
            loop {
                let readings = again.try_recv().unwrap_or_else(|_| Readings::new(key));
                let batch = Batch::read(&mut messages, readings);
                if work.blocking_send(Work::Messages(Box::new(batch))).is_err() {
                    return;
                }
                if messages.as_slice().is_empty() {
                    break;
                }
            }
        }
    });
    (spent, reader)
}
