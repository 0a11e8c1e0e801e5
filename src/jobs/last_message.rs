//! The last message of a source, as the ledger tells of it.
//!
//! Owns reading its rows, and whether the message that is there now is the same. Leaves what to do
//! then to whoever attaches.

use super::shard::ShardError;
use crate::adapters::ledger::{Ledger, RecoverError, kept_body, message_rows};
use crate::domain::entry::{Entry, Kind, Payload, RawBody};
use crate::domain::event::Reading;

/// What the ledger tells of the last message that it has of a source.
#[derive(Default)]
pub struct LastMessage {
    pub seq: Option<i64>,
    events: Vec<KnownEvent>,
}

struct KnownEvent {
    idx: i32,
    is_rejected: bool,
    source: Option<String>,
    id: Option<String>,
    event_type: Option<String>,
    data: Option<String>,
}

impl LastMessage {
    /// Reads its rows; `seq` is `None` when the ledger has none of the source.
    pub(super) async fn read(
        ledger: &mut Ledger,
        (shard, source, seq): (u32, &str, Option<i64>),
    ) -> Result<Self, RecoverError> {
        let mut last = Self {
            seq,
            events: Vec::new(),
        };
        if let Some(seq) = seq {
            message_rows(ledger, (shard, source, seq), |row| last.add(row)).await?;
        }
        Ok(last)
    }

    fn add(&mut self, row: &Entry<'_>) {
        let is_own = matches!(
            row.kind,
            Kind::Usage | Kind::Duplicate | Kind::Conflict | Kind::Rejected
        ) || row.data.is_some();
        if row.idx < 0 || !is_own || self.events.iter().any(|known| known.idx == row.idx) {
            return;
        }
        self.events.push(KnownEvent {
            idx: row.idx,
            is_rejected: row.kind == Kind::Rejected,
            source: row.event_source.map(str::to_owned),
            id: row.event_id.map(str::to_owned),
            event_type: row.event_type.map(str::to_owned),
            data: match row.data {
                Some(Payload::Data(data)) => Some(data.to_owned()),
                Some(Payload::Raw(_)) | None => None,
            },
        });
    }

    /// Whether the `idx`-th event of the message that is there now is the one in the ledger.
    ///
    /// # Errors
    ///
    /// [`ShardError::OtherContent`] names both.
    pub fn check(
        &self,
        stream: &str,
        (idx, reading, raw): (i32, &Reading<'_>, RawBody<'_>),
    ) -> Result<(), ShardError> {
        let Some(known) = self.events.iter().find(|known| known.idx == idx) else {
            return Ok(());
        };
        let is_same = match reading {
            _ if known.is_rejected => known.data.as_deref() == Some(&*kept_body(raw)),
            Reading::Event(event) => {
                known.source.as_deref() == Some(event.source)
                    && known.id.as_deref() == Some(event.id)
                    && known.event_type.as_deref() == Some(event.event_type)
                    && known.data.as_deref().is_none_or(|data| data == event.data)
            }
            Reading::Empty | Reading::Malformed => false,
        };
        if is_same {
            return Ok(());
        }
        let known = match &known.id {
            Some(id) => format!("event `{id}`"),
            None => known
                .data
                .as_deref()
                .unwrap_or_default()
                .chars()
                .take(80)
                .collect(),
        };
        let found = match reading {
            Reading::Event(event) => format!("event `{}`", event.id),
            _ => kept_body(raw).chars().take(80).collect(),
        };
        let (stream, seq) = (stream.to_owned(), self.seq.unwrap_or_default());
        Err(ShardError::OtherContent {
            stream,
            seq,
            known,
            found,
        })
    }
}
