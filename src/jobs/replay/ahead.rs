//! Reading ahead, on a thread of its own.
//!
//! Owns how far, and reading the events of whole blocks. Leaves lines to `adapters::files`.

use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
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

/// What comes from the thread, and the way back for readings that are no longer needed: fresh
/// memory is dear.
pub(super) struct Blocks {
    pub(super) ahead: Receiver<Result<Ahead, FileError>>,
    pub(super) spent: Sender<Readings>,
}

/// Reads a few blocks ahead; not lines before `known`, which the ledger has.
pub(super) fn read_ahead(mut reader: LineReader, known: u64, key: FilterKey) -> Blocks {
    let (blocks, ahead) = sync_channel(BLOCKS_AHEAD);
    let (spent, again) = channel();
    thread::spawn(move || {
        while let Some(block) = reader.next_block().transpose() {
            let is_last = block.is_err();
            let readings = again.try_recv().unwrap_or_default();
            let block = block.map(|block| read(block, readings, (known, &key), &mut reader));
            if blocks.send(block).is_err() || is_last {
                return;
            }
        }
    });
    Blocks { ahead, spent }
}

fn read(
    block: Block,
    mut readings: Readings,
    (known, key): (u64, &FilterKey),
    reader: &mut LineReader,
) -> Ahead {
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
            let spare = readings.read(bytes, skipped as usize, key, |reading| {
                reversed.extend(numbers.next().zip(name_of(reading)));
            });
            reader.reuse(spare);
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
