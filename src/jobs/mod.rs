//! What Purser does, job by job: wiring and order, no sums.

pub mod alert_event;
pub mod batches;
pub mod bench;
pub mod checkpoints;
pub mod data;
pub mod demo_events;
pub mod explain;
pub mod invoice;
mod last_message;
pub mod maintain;
pub mod notify;
mod page;
pub mod prices;
pub mod publish;
mod random;
pub mod recall;
pub mod replay;
pub mod report;
pub mod run;
pub mod serve;
pub mod shard;
pub mod signals;
mod spool;
pub mod sql;
pub mod verify;
pub mod writer;

use crate::domain::engine::{Engine, RefusedCommand};

/// Tells the log what refused commands lack; their rows have only the bare reason.
fn log_bad_commands(engine: &mut Engine, source: &str) {
    for refused in engine.bad_commands.drain(..) {
        let RefusedCommand {
            seq,
            idx,
            customer,
            event_id,
            fault,
        } = refused;
        tracing::warn!(source, seq, idx, customer, event_id, %fault, "bad command");
    }
}
