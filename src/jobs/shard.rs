//! A shard at work: its ledger and an engine that knows all of it.
//!
//! Owns coming back: the price versions, the newest checkpoint, the fold of the ledger's rows, and
//! whether what is cached is of this ledger. Leaves the fold itself to `domain::engine`.
//!
//! Invariant: the engine goes on exactly where the ledger ends.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use super::data::{DataError, DataFolder};
use super::last_message::LastMessage;
use super::prices::PricesError;
use crate::adapters::cloudevents::Decoder;
use crate::adapters::identities::{IdentityRuns, Opening, Split, mark, split};
use crate::adapters::ledger::{About, Ledger, RecoverError, has_row, newest_checkpoint, rows};
use crate::domain::customer::Shard;
use crate::domain::duplicates::{DuplicateFilter, Older, OlderFault, Room};
use crate::domain::engine::{Engine, RestoreError};
use crate::domain::entry::{Kind, Mark, Payload};
use crate::domain::event::Members;
use crate::domain::price::PriceBook;

/// Why a shard can't be worked on.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Prices(#[from] PricesError),
    #[error(transparent)]
    Recover(#[from] RecoverError),
    #[error(transparent)]
    Filter(#[from] OlderFault),
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

/// Which shard, and where.
#[derive(Clone, Debug)]
pub struct Attach {
    pub data: DataFolder,
    pub shard: Shard,
    /// Price files to publish first.
    pub prices: Option<PathBuf>,
    /// Memory for the duplicate filter.
    pub filter_bytes: u64,
}

/// A ledger and the engine that its rows lead to.
pub struct AttachedShard {
    shard: u32,
    ledger: Ledger,
    engine: Engine,
    /// The checkpoint that it has, or one of nothing.
    newest: About,
    /// The rows of the last message of the source that was asked for.
    last: LastMessage,
    committed: Arc<AtomicI64>,
}

/// Publishes the price files that are offered, opens or makes the ledger, and brings the shard's
/// engine to where it ends. `source` is the one that will be read on.
///
/// # Errors
///
/// See [`ShardError`]; nothing has been written to the ledger then.
pub async fn attach(job: &Attach, source: &str) -> Result<AttachedShard, ShardError> {
    loop {
        if let Some(attached) = attach_once(job, source).await? {
            return Ok(attached);
        }
    }
}

/// `None` when meanwhile a version was published whose window is longer than what the duplicate
/// filter was made for.
async fn attach_once(job: &Attach, source: &str) -> Result<Option<AttachedShard>, ShardError> {
    let Attach { data, shard, .. } = job;
    let (shard, offered) = (*shard, job.prices.as_deref());
    let folder = data.prices()?;
    let is_empty = data.find_ledger().await?.is_none();
    if let Some(offered) = offered.filter(|_| is_empty) {
        folder.publish(offered, None).await?;
    }
    let book = folder.load().await?;
    let mut ledger = data.make_ledger(shard.count).await?;
    let window = book.longest_window();
    let (filter, committed) = open_filter(job, &mut ledger, &book).await?;
    let (mut engine, checkpoint) = start(data, &mut ledger, (shard, book, filter)).await?;
    let mut newest = checkpoint;
    fold(&mut ledger, shard.index, &mut engine, &mut newest).await?;
    let seq = ledger
        .position(shard.index, source)
        .await
        .map_err(DataError::from)?;
    let last = LastMessage::read(&mut ledger, (shard.index, source, seq)).await?;
    if let Some(offered) = offered.filter(|_| !is_empty) {
        folder.publish(offered, engine.now()).await?;
    }
    engine.set_book(folder.load().await?)?;
    if engine.longest_window() > window {
        return Ok(None);
    }
    tracing::info!(
        shard = shard.index,
        entries = engine.last_entry(),
        checkpoint = newest.head.last.entry,
        wallets = engine.wallets().count(),
        "attached"
    );
    Ok(Some(AttachedShard {
        shard: shard.index,
        ledger,
        engine,
        newest,
        last,
        committed,
    }))
}

/// The duplicate filter with what its files have, and the entry up to which they may be believed:
/// it must be kept at the last one that the ledger has committed.
async fn open_filter(
    job: &Attach,
    ledger: &mut Ledger,
    book: &PriceBook,
) -> Result<(DuplicateFilter, Arc<AtomicI64>), ShardError> {
    let shard = job.shard.index;
    let id = ledger.id().map_err(DataError::from)?;
    let fence_entry = ledger.last_entry(shard).await.map_err(DataError::from)?;
    let committed = Arc::new(AtomicI64::new(fence_entry));
    let Split {
        segments,
        segment_identities,
        runs_bytes,
    } = split(job.filter_bytes);
    let keys = RandomState::new();
    let folder = job.data.cache().join("identities").join(shard.to_string());
    let is_forked = match mark(&folder) {
        Some(mark) => !has_row(ledger, shard, mark).await?,
        None => false,
    };
    let opened = IdentityRuns::open(Opening {
        folder,
        ledger_id: format!("{id} shard {shard}"),
        is_forked,
        budget_bytes: runs_bytes,
        window: book.longest_window(),
        fresh_key: [1, 2, 3, 4].map(|n| keys.hash_one(n)),
        committed: Arc::clone(&committed),
    })?;
    if let Some(why) = opened.thrown_away {
        tracing::warn!(why, "the duplicate filter is made anew from the ledger");
    }
    let room = Room {
        segments,
        segment_identities,
    };
    let older = (
        Box::new(opened.runs) as Box<dyn Older>,
        opened.covered_entry,
    );
    Ok((DuplicateFilter::bounded(opened.key, room, older), committed))
}

/// An engine as of the newest checkpoint that can be used, and that one; or of nothing.
async fn start(
    data: &DataFolder,
    ledger: &mut Ledger,
    (shard, book, filter): (Shard, PriceBook, DuplicateFilter),
) -> Result<(Engine, About), ShardError> {
    let found = newest_checkpoint(data.url(), ledger, shard.index).await;
    let mut engine = Engine::new(shard, book.clone(), filter);
    let loaded = found.and_then(|found| found.map(|found| found.load(&mut engine)).transpose());
    match loaded {
        Ok(Some(about)) => return Ok((engine, about)),
        Ok(None) => {}
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(
                error,
                "the checkpoint can't be used: the whole ledger is read"
            );
            engine = Engine::new(shard, book, engine.into_filter());
        }
    }
    let nothing = About {
        ledger: ledger.id().map_err(DataError::from)?,
        head: engine.head(),
        last: Mark::default(),
        sources: BTreeSet::new(),
    };
    Ok((engine, nothing))
}

/// Applies the ledger's rows after the checkpoint, and the identities of those before it.
async fn fold(
    ledger: &mut Ledger,
    shard: u32,
    engine: &mut Engine,
    checkpoint: &mut About,
) -> Result<(), ShardError> {
    let mut decoder = Decoder::default();
    let checkpoint_entry = checkpoint.head.last.entry;
    let known_entry = checkpoint_entry.min(engine.covered_entry());
    rows(ledger, (shard, known_entry), |rows| {
        engine.touch_wallets(rows.iter().filter_map(|row| row.customer));
        for row in rows {
            let is_read = matches!(row.kind, Kind::Wallet | Kind::Grant | Kind::Reversal);
            let members = match row.data {
                Some(Payload::Data(data)) if is_read => decoder.members(data),
                _ => None,
            };
            let members = members.unwrap_or(Members::NONE);
            if row.entry <= checkpoint_entry {
                engine.restore_identity(row, &members);
                engine.make_room(row)?;
                continue;
            }
            engine.restore(row, &members)?;
            engine.make_room(row)?;
            if !checkpoint.sources.contains(row.source) {
                checkpoint.sources.insert(row.source.to_owned());
            }
        }
        Ok::<(), ShardError>(())
    })
    .await
}

impl AttachedShard {
    /// All sources that the ledger has rows of.
    pub fn sources(&self) -> &BTreeSet<String> {
        &self.newest.sources
    }

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

    /// All that is needed to go on.
    pub fn into_parts(self) -> Parts {
        Parts {
            ledger: self.ledger,
            engine: self.engine,
            last: self.last,
            newest: self.newest,
            committed: self.committed,
        }
    }
}

/// What an attached shard is made of.
pub struct Parts {
    pub ledger: Ledger,
    pub engine: Engine,
    /// What the ledger tells of the source's last message.
    pub last: LastMessage,
    /// The newest checkpoint; its sources are all that the ledger has rows of.
    pub newest: About,
    /// To be kept at the last entry that the ledger has committed.
    pub committed: Arc<AtomicI64>,
}

/// Begins to keep what the engine's duplicate filter has, beside what is left to be written of the
/// engine's rows. A fault is told by [`keep_filter`].
pub fn begin_to_keep_filter(engine: &mut Engine) {
    engine.keep_identities().ok();
}

/// Keeps what the engine's duplicate filter has for the next start. All of the engine's rows are
/// committed.
pub fn keep_filter(engine: Engine) {
    let last = engine.mark();
    if let Err(fault) = engine.into_filter().close(last) {
        let fault: &dyn std::error::Error = &fault;
        tracing::warn!(fault, "the next start reads more of the ledger");
    }
}
