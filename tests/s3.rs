//! A bucket as data folder, on a real S3 server: the same rows as in a folder, whatever the server
//! and the way to it do.
//!
//! Owns what only whole processes and a real store can show. Leaves the protocol of a commit to the
//! tests beside it, and what a row holds to all the others.
//!
//! `S3_ROUNDS` makes the tests with random faults longer; `cargo test --test s3 -- --ignored
//! stands_still` shows how long silence is borne. Everything random comes from one seed, which is
//! printed; `S3_SEED=…` runs it again.
#![allow(clippy::print_stderr, reason = "a failing test must tell its seed")]

#[path = "s3/answers.rs"]
mod answers;
#[path = "s3/bucket.rs"]
mod bucket;
#[path = "s3/cache.rs"]
mod cache;
#[path = "support/engines.rs"]
mod engines;
#[path = "s3/outages.rs"]
mod outages;
#[path = "worker/process.rs"]
mod process;
#[path = "s3/proxy.rs"]
mod proxy;
#[path = "support/purser.rs"]
mod purser;
#[path = "s3/refusals.rs"]
mod refusals;
#[path = "s3/same_rows.rs"]
mod same_rows;
mod support;
#[path = "s3/writers.rs"]
mod writers;
