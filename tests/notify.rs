//! `purser notify` as a user runs it: the real program, a real broker, and receivers that verify
//! what they get with the `standardwebhooks` package.
//!
//! Owns what only whole processes can show: deliveries, retries, dead letters, kills, secrets that
//! do not show. Leaves single decisions to the tables beside them.

#[path = "notify/deliveries.rs"]
mod deliveries;
#[path = "notify/faults.rs"]
mod faults;
#[path = "support/nats.rs"]
mod nats;
#[path = "worker/process.rs"]
mod process;
#[path = "notify/retries.rs"]
mod retries;
#[path = "notify/trouble.rs"]
mod trouble;
#[path = "notify/webhook.rs"]
mod webhook;
#[path = "notify/world.rs"]
mod world;
