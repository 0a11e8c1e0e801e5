//! Reading ahead, on a thread of its own.
//!
//! Owns how far, and reading the events of whole blocks. Leaves lines to `adapters::files`.

use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread::{self, JoinHandle};

use crate::adapters::cloudevents::Readings;
use crate::adapters::files::{Block, FileError, LineReader, LongLine};
use crate::domain::identity::FilterKey;

/// Blocks that are read ahead.
const BLOCKS_AHEAD: usize = 4;

/// Lines that follow each other, the first one numbered `first`.
pub(super) struct Ahead {
    pub(super) first: u64,
    pub(super) lines: Lines,
}

pub(super) enum Lines {
    Read(Readings),
    /// One that is too long to be read.
    Long(LongLine),
}

/// What comes from the thread, and the way back for memory that is no longer needed.
pub(super) struct Blocks {
    pub(super) ahead: Receiver<Result<Ahead, FileError>>,
    pub(super) spent: Sender<Readings>,
    pub(super) reader: JoinHandle<()>,
}

/// Reads a few blocks ahead; not lines before `known`, which the ledger has.
pub(super) fn read_ahead(mut reader: LineReader, known: u64, key: FilterKey) -> Blocks {
    let (blocks, ahead) = sync_channel(BLOCKS_AHEAD);
    let (spent, again) = channel();
    let reader = thread::spawn(move || {
        while let Some(block) = reader.next_block().transpose() {
            let is_last = block.is_err();
            let spent: Option<Readings> = again.try_recv().ok();
            let mut readings = spent.unwrap_or_else(|| Readings::new(key));
            reader.reuse(readings.take_block());
            let block = block.map(|block| read(block, known, readings));
            if blocks.send(block).is_err() || is_last {
                return;
            }
        }
    });
    Blocks {
        ahead,
        spent,
        reader,
    }
}

fn read(block: Block, known: u64, mut readings: Readings) -> Ahead {
    match block {
        Block::Lines {
            first,
            count,
            bytes,
        } => {
            let skipped = known.saturating_sub(first).min(count);
            readings.read_lines(bytes, skipped as usize);
            Ahead {
                first: first + skipped,
                lines: Lines::Read(readings),
            }
        }
        Block::Long(long) => Ahead {
            first: long.number,
            lines: Lines::Long(long),
        },
    }
}
