//! Where a worker goes on in its stream.
//!
//! Owns asking the broker for what the decision needs. Leaves the decision to
//! `adapters::jetstream`.

use super::{Run, RunError, feed};
use crate::adapters::jetstream::{
    Attach, Connection, Known, Refusal, StreamId, attach as attach_stream,
};
use crate::domain::entry::is_stream;
use crate::jobs::last_message::LastMessage;
use crate::jobs::shard::AttachedShard;

/// Where a worker goes on.
pub(super) struct Place {
    /// The message to go on with.
    pub(super) next: u64,
    /// The last message that the stream holds; 0 if none.
    pub(super) last: u64,
}

/// Where to go on in the stream; makes sure that it is the one that the ledger has read.
pub(super) async fn start(
    connection: &Connection,
    job: &Run,
    stream: &StreamId,
    attached: &AttachedShard,
) -> Result<Place, RunError> {
    let source = stream.source();
    let facts = connection.facts(&stream.name).await?;
    let read = attached.sources();
    let known_source = if read.contains(&source) {
        Some(source.clone())
    } else {
        // Of several incarnations of a stream the newest.
        read.iter().rev().find(|source| is_stream(source)).cloned()
    };
    let known = match known_source {
        None => None,
        Some(known) => {
            let position = attached.position(&known).await?.unwrap_or(0);
            Some(Known {
                source: known,
                position: position.unsigned_abs(),
            })
        }
    };
    let next = match attach_stream(known.as_ref(), &facts) {
        Attach::Start { next } => {
            check_last(connection, stream, attached.last()).await?;
            match job.new_source && next <= facts.last_seq {
                true => behind_hole(connection, stream, next).await?,
                false => next,
            }
        }
        Attach::Refuse(refusal @ (Refusal::OtherStream { .. } | Refusal::Lost { .. }))
            if job.new_source =>
        {
            tracing::warn!(%refusal, "going on all the same, by --new-source");
            facts.first_seq.max(1)
        }
        Attach::Refuse(refusal) => return Err(refusal.into()),
    };
    let last = facts.last_seq;
    Ok(Place { next, last })
}

/// The first message from `next` on that is there: those before it were deleted.
async fn behind_hole(
    connection: &Connection,
    stream: &StreamId,
    next: u64,
) -> Result<u64, RunError> {
    let there = connection.message_from(&stream.name, next).await?;
    let there = there.map_or(next, |message| message.seq);
    if there > next {
        let lost = there - next;
        tracing::warn!(next, there, lost, "going on behind a hole, by --new-source");
    }
    Ok(there)
}

/// Compares the last message that the ledger has read, if the stream still holds it.
async fn check_last(
    connection: &Connection,
    stream: &StreamId,
    last: &LastMessage,
) -> Result<(), RunError> {
    let Some(seq) = last.seq else { return Ok(()) };
    let Some(message) = connection
        .message_at(&stream.name, seq.unsigned_abs())
        .await?
    else {
        return Ok(());
    };
    feed::check_message(&stream.source(), message, last)?;
    Ok(())
}
