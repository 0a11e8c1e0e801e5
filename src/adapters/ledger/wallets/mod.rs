//! The Delta Lake table at `<data>/wallets`: a checkpoint of each shard's wallets.
//!
//! Owns what a checkpoint says of itself. Leaves its file to `file`, replacing one by another to
//! `table`, the columns to `columns` and a wallet's text to `state`
//! and `values`.
//!
//! Invariant: the table is a cache of the ledger. A checkpoint says which ledger it is of, from
//! which entry on its rows are still needed, and a checksum over its wallets; one that is torn,
//! of another ledger or ahead of the ledger's fence is an error, never a different wallet.

mod columns;
mod file;
mod state;
mod table;
mod values;

use std::collections::BTreeSet;

use arrow::error::ArrowError;
use deltalake::DeltaTableError;
use parquet::errors::ParquetError;

use super::delta;
use super::recover::RecoverError;
pub use columns::WalletRows;
pub use file::{Checkpoint, NewWallets, WalletsFile};
pub use table::newest_checkpoint;

use crate::domain::engine::{ApplyError, Head};
use crate::domain::entry::Mark;

/// The table's folder below the data folder.
const TABLE: &str = "wallets";
/// Why a checkpoint can't be written or used.
#[derive(Debug, thiserror::Error)]
pub enum WalletsError {
    #[error(transparent)]
    Location(#[from] delta::Error),
    #[error("could not read or write the wallets' Delta log")]
    Delta(#[from] DeltaTableError),
    #[error("could not read or write a file of wallets")]
    Store(#[from] object_store::Error),
    #[error("could not encode or decode a file of wallets")]
    Parquet(#[from] ParquetError),
    #[error("could not encode or decode a file of wallets")]
    Arrow(#[from] ArrowError),
    #[error("a wallet's state can't be written, or a file's footer not be read")]
    State(#[from] serde_json::Error),
    #[error("a wallet's plan can't be found")]
    Terms(#[from] ApplyError),
    #[error("could not look up the row that the checkpoint ends at")]
    Row(#[from] RecoverError),
    #[error("the checkpoint does not fit: {0}")]
    Unfit(String),
}

/// What a checkpoint says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Which ledger table it is of.
    pub ledger: String,
    /// Rows up to `head.last` are in every wallet; later ones may be in some.
    pub head: Head,
    /// The last row that is in any wallet.
    pub last: Mark,
    /// The sources that the ledger has rows of.
    pub sources: BTreeSet<String>,
}
