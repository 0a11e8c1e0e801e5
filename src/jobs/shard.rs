//! A shard at work: its ledger and an engine that knows all of it.
//!
//! Owns coming back: the price versions, the fold of the ledger's rows, and whether a source
//! still is what the ledger has read. Leaves the fold itself to `domain::engine`.
//!
//! Invariant: the engine goes on exactly where the ledger ends.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;

use super::data::{DataError, DataFolder};
use super::prices::{self, PricesError};
use crate::adapters::cloudevents::Decoder;
use crate::adapters::ledger::{Ledger, RecoverError, kept_body, rows};
use crate::domain::customer::Shard;
use crate::domain::engine::{Engine, RestoreError};
use crate::domain::entry::{Entry, Kind, Payload, RawBody};
use crate::domain::event::{Members, Reading};
use crate::domain::rfc3339;

/// Why a shard can't be worked on.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Prices(#[from] PricesError),
    #[error(transparent)]
    Recover(#[from] RecoverError),
    #[error("the ledger can't be gone on with")]
    Restore(#[from] RestoreError),
    #[error(
        "message {seq} of {stream} is not the one that the ledger has read: ledger: {known}; \
         there now: {found}. Name another source, or another --data folder"
    )]
    OtherContent {
        stream: String,
        seq: i64,
        known: String,
        found: String,
    },
}

/// A ledger and the engine that its rows lead to.
pub struct AttachedShard {
    shard: u32,
    ledger: Ledger,
    engine: Engine,
    /// All sources that the ledger has rows of.
    pub sources: BTreeSet<String>,
    /// The rows of the last message of the source that was asked for.
    last: LastMessage,
}

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

/// Publishes `offered` price files, if any, opens or makes the ledger of `data`, and brings the
/// engine of `shard` to where it ends. `source` is the one that will be read on.
///
/// # Errors
///
/// See [`ShardError`]; nothing has been written to the ledger then.
pub async fn attach(
    data: &DataFolder,
    shard: Shard,
    source: &str,
    offered: Option<&Path>,
) -> Result<AttachedShard, ShardError> {
    let is_empty = data.find_ledger().await?.is_none();
    if let Some(offered) = offered.filter(|_| is_empty) {
        prices::publish(offered, &data.prices(), None)?;
    }
    let book = prices::load_folder(&data.prices())?;
    let mut ledger = data.make_ledger(shard.count).await?;
    let keys = RandomState::new();
    let mut engine = Engine::new(shard, book, (keys.hash_one(1), keys.hash_one(2)));
    let mut sources = BTreeSet::new();
    let seq = ledger
        .position(shard.index, source)
        .await
        .map_err(DataError::from)?;
    let mut last = LastMessage {
        seq,
        events: Vec::new(),
    };
    let mut decoder = Decoder::default();
    rows(&mut ledger, shard.index, |row| {
        let members = match row.data {
            Some(Payload::Data(data)) if matches!(row.kind, Kind::Wallet | Kind::Grant) => {
                decoder.members(data).unwrap_or(Members::NONE)
            }
            _ => Members::NONE,
        };
        engine.restore(row, &members)?;
        if !sources.contains(row.source) {
            sources.insert(row.source.to_owned());
        }
        if row.source == source && Some(row.seq) == seq {
            last.add(row);
        }
        Ok::<(), ShardError>(())
    })
    .await?;
    if let Some(offered) = offered.filter(|_| !is_empty) {
        prices::publish(offered, &data.prices(), engine.now())?;
    }
    engine.set_book(prices::load_folder(&data.prices())?)?;
    let entries = engine.last_entry();
    tracing::info!(
        shard = shard.index,
        entries,
        wallets = engine.wallets().len(),
        "attached"
    );
    Ok(AttachedShard {
        shard: shard.index,
        ledger,
        engine,
        sources,
        last,
    })
}

impl AttachedShard {
    /// What the ledger tells of the last message of the source that was asked for.
    pub fn last(&self) -> &LastMessage {
        &self.last
    }

    /// The last seq of `source` that the ledger has rows of.
    ///
    /// # Errors
    ///
    /// The ledger's log can't be read.
    pub async fn position(&self, source: &str) -> Result<Option<i64>, ShardError> {
        let position = self.ledger.position(self.shard, source).await;
        Ok(position.map_err(DataError::from)?)
    }

    /// The ledger, the engine, and what the ledger tells of the source's last message.
    pub fn into_parts(self) -> (Ledger, Engine, LastMessage) {
        (self.ledger, self.engine, self.last)
    }
}

/// Whether a source is a stream: its name, `@`, and when it was made.
pub fn is_stream(source: &str) -> bool {
    let made = source.rsplit_once('@').map(|(_, made)| made);
    made.is_some_and(|made| rfc3339::parse(made.as_bytes()).is_some())
}

impl LastMessage {
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
