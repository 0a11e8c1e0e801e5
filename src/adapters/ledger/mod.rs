//! The ledger: rows in, Parquet files in a Delta Lake table out, and back.
//!
//! Owns rows between two threads (`block`, `together`), the columns (`schema`), their memory
//! (`columns`, `buffers`, `codes`, `group`), the files (`encode`, `chunk`, `deltas`, `hybrid`,
//! `footer`), what a commit is (`commit`) and asks of a log (`log`), the Delta table (`delta`),
//! reading rows again (`recover`, `rows`, `ahead`), finding some of them (`find`), the rows as SQL
//! groups them best (`coded`, `footer_cache`), merging files (`compact`), the checkpoints of
//! wallets (`wallets`) and the table of issued invoices (`books`).
//! Leaves what a row means to `domain::entry`.

mod ahead;
mod block;
mod books;
mod buffers;
mod chunk;
mod coded;
mod codes;
mod columns;
mod commit;
mod compact;
mod delta;
mod deltas;
mod encode;
mod find;
mod footer;
mod footer_cache;
mod group;
mod hybrid;
mod log;
mod pieces;
mod recover;
mod rows;
mod schema;
mod together;
mod wallets;

pub use block::{BLOCK_ROWS, RowBlock};
pub use books::{Booked, Books, BooksError, lines_schema};
pub use coded::CodedLedger;
pub use columns::{Columns, kept_body};
pub use commit::{Commit, CommitError, Fenced, KnownLog, ShardCommit};
pub use compact::{CompactError, compact};
pub use delta::{
    Bounds, Error, Ledger, LedgerFile, Merge, NewFile, Trouble, data_store, data_url, reach,
};
pub use encode::{EncodeError, FileWriter};
pub use find::{ChargeName, WantedCharge, charges, has_row, message_rows, rows_of_kind};
pub use log::{Fate, Log, LogEntry, Nameplate};
pub use recover::{RecoverError, rows, rows_of_days};
pub use wallets::{
    About, Checkpoint, NewWallets, WalletRows, WalletsError, WalletsFile, newest_checkpoint,
};
