//! Purser: the credit wallet behind AI products.
//!
//! Four floors, imports go down only. In reading order:
//! - [`domain`] decides: events in, ledger rows out; pure.
//! - [`adapters`] touch the outside: CloudEvents, files, NATS, the ledger table, SQL.
//! - [`jobs`] order the work: replay, run, publish, query.
//! - [`cli`] speaks with people and scripts.

#![cfg_attr(not(test), deny(clippy::unwrap_used))]

pub mod adapters;
pub mod cli;
pub mod domain;
pub mod jobs;
