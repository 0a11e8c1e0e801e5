//! The ledger: rows in, Parquet files in a Delta Lake table out, and back.
//!
//! Owns the columns (`schema`), their memory (`columns`, `buffers`), the files (`encode`), the
//! table's log (`delta`) and reading rows again (`recover`). Leaves what a row means to
//! `domain::entry`.

mod buffers;
mod columns;
mod delta;
mod encode;
mod recover;
mod schema;

pub use columns::{Columns, kept_body};
pub use delta::{Commit, Error, Ledger, LedgerFile, NewFile, ShardCommit, data_url};
pub use encode::{EncodeError, FileWriter};
pub use recover::{RecoverError, rows};
