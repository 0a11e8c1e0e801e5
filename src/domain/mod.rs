//! The pure core: events in, ledger rows out.
//!
//! No clock, no I/O, no float, nothing asynchronous; imports go down this list only.

pub mod alert;
pub mod audit;
pub mod calendar;
pub mod command;
pub mod customer;
pub mod decimal;
pub mod duplicates;
pub mod engine;
pub mod entry;
pub mod event;
pub mod explain;
pub mod identity;
pub mod price;
pub mod rating;
pub mod rfc3339;
pub mod text;
pub mod timers;
pub mod units;
pub mod wallet;
