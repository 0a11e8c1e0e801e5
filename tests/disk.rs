//! The real program on a disk that loses power, is full, or refuses.
//!
//! Owns what a disk can do to a ledger. Everything random comes from one seed, which is printed;
//! `WORKER_SEED=…` runs it again, and `DISK_ROUNDS` makes the tests with random moments longer.
#![allow(clippy::print_stderr, reason = "a failing test must tell its seed")]

#[path = "disk/faults.rs"]
mod faults;
#[path = "worker/input.rs"]
#[allow(dead_code, reason = "the worker's tests use more of it")]
mod input;
#[path = "worker/load.rs"]
mod load;
#[path = "disk/place.rs"]
mod place;
#[path = "disk/platter.rs"]
mod platter;
#[path = "disk/power.rs"]
mod power;
#[path = "worker/process.rs"]
mod process;
#[path = "worker/sums.rs"]
#[allow(dead_code, reason = "the worker's tests use more of it")]
mod sums;
mod support;
#[path = "worker/world.rs"]
#[allow(dead_code, reason = "the worker's tests use more of it")]
mod world;
