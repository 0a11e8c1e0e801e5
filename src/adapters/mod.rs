//! One file or folder for each outside thing; none imports another.

pub mod cloudevents;
pub mod files;
pub mod identities;
pub mod jetstream;
pub mod ledger;
pub mod notify_file;
pub mod price_files;
pub mod sql;
pub mod webhook;
