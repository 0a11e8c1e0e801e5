//! The worker as a user runs it: the real program against a real broker.
//!
//! Owns what only whole processes can show: what `run` and `publish` leave in the ledger and in
//! the alert stream, whatever is killed meanwhile. Leaves single rows to the engine's tests.
//!
//! Everything random comes from one seed, which is printed; `WORKER_SEED=…` runs it again.
#![allow(clippy::print_stderr, reason = "a failing test must tell its seed")]

#[path = "worker/alerts.rs"]
mod alerts;
#[path = "worker/deployed.rs"]
mod deployed;
#[path = "worker/input.rs"]
mod input;
#[path = "worker/kills.rs"]
mod kills;
#[path = "worker/latency.rs"]
mod latency;
#[path = "worker/load.rs"]
mod load;
#[path = "worker/messages.rs"]
mod messages;
#[path = "worker/prices.rs"]
mod prices;
#[path = "worker/process.rs"]
mod process;
#[path = "worker/rounds.rs"]
mod rounds;
#[path = "worker/same_sums.rs"]
mod same_sums;
#[path = "worker/signals.rs"]
mod signals;
#[path = "worker/stopping.rs"]
mod stopping;
#[path = "worker/streams.rs"]
mod streams;
#[path = "worker/sums.rs"]
mod sums;
mod support;
#[path = "worker/time.rs"]
mod time;
#[path = "worker/world.rs"]
mod world;
