//! SQL over the ledger: the tables and views of a session, running a query, writing its answer.
//!
//! Owns which views there are (`views`), the tables that are computed outside of the ledger
//! (`tables`), a SQL session (`session`, `statement`, `error`), the formats of an answer
//! (`output`, `text_table`) and answering PostgreSQL's clients (`pg`). Leaves reading the ledger to
//! whoever hands over its table provider, and what each view says to its file in `queries/`.
//!
//! Invariant: reads only. No statement that a session accepts can change the data folder.

mod cooperative;
pub mod error;
pub mod output;
mod periods;
pub mod pg;
mod rollup;
pub mod session;
mod statement;
pub mod tables;
#[cfg(test)]
mod tests;
mod text_table;
pub mod typed;
mod views;

pub use periods::{Decode, read_periods};
