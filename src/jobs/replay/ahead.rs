//! Reading ahead, on a thread of its own.
//!
//! Owns how far, and reading the events of whole blocks. Leaves lines to `adapters::files`.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use crate::adapters::cloudevents::Readings;
use crate::adapters::files::{Block, FileError, LineReader, LongLine};
use crate::adapters::ledger::ChargeName;
use crate::domain::identity::FilterKey;
use crate::jobs::recall::name_of;

/// Blocks that are read ahead.
const BLOCKS_AHEAD: usize = 4;

/// Lines that follow each other, the first one numbered `first`.
pub(super) struct Ahead {
    pub(super) first: u64,
    pub(super) lines: Lines,
}

pub(super) enum Lines {
    Read {
        readings: Readings,
        /// The charges that they take back, and which line does.
        reversed: Vec<(u64, ChargeName)>,
    },
    /// One that is too long to be read.
    Long(LongLine),
}

/// Reads a few blocks ahead; not lines before `known`, which the ledger has.
pub(super) fn read_ahead(
    mut reader: LineReader,
    known: u64,
    key: FilterKey,
) -> Receiver<Result<Ahead, FileError>> {
    let (blocks, waiting) = sync_channel(BLOCKS_AHEAD);
    thread::spawn(move || {
        while let Some(block) = reader.next_block().transpose() {
            let is_last = block.is_err();
            if blocks
                .send(block.map(|block| read(block, known, &key)))
                .is_err()
                || is_last
            {
                return;
            }
        }
    });
    waiting
}

fn read(block: Block, known: u64, key: &FilterKey) -> Ahead {
    match block {
        Block::Lines {
            first,
            count,
            bytes,
        } => {
            let skipped = known.saturating_sub(first).min(count);
            let first = first + skipped;
            let mut reversed = Vec::new();
            let mut numbers = first..;
            let readings = Readings::of(bytes, skipped as usize, key, |reading| {
                reversed.extend(numbers.next().zip(name_of(reading)));
            });
            Ahead {
                first,
                lines: Lines::Read { readings, reversed },
            }
        }
        Block::Long(long) => Ahead {
            first: long.number,
            lines: Lines::Long(long),
        },
    }
}
