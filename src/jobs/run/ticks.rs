//! Ticks: time for a shard to which no event comes.
//!
//! Owns when one is published: when something has fallen due, and when nothing has come for a
//! minute. Leaves what falls due to `domain::engine`.
//!
//! Invariant: one tick at a time, so that whatever falls due at one instant is woken in pieces,
//! between which events are handled.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::adapters::jetstream::Connection;
use crate::domain::engine::Engine;
use crate::domain::units::{MICROS_PER_SECOND, Timestamp};

/// How often the clock is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// A shard without an event for so long, in microseconds, is told the time.
const IDLE_MAX: i64 = 55 * MICROS_PER_SECOND;
/// So long, in microseconds, nothing is published after a tick that brought nothing: the broker's
/// clock may be behind, or the broker away. While a tick is on its way, as at the end of a long
/// backlog, `IDLE_MAX` is the wait. A worker's start counts as a tick at the end of the backlog.
const PAUSE: i64 = MICROS_PER_SECOND;

/// How far the engine is, for whoever looks from outside.
pub(super) struct Pulse {
    now: AtomicI64,
    next_due: AtomicI64,
    seq: AtomicU64,
}

impl Pulse {
    pub(super) fn new(engine: &Engine, seq: u64) -> Arc<Self> {
        let pulse = Self {
            now: AtomicI64::new(0),
            next_due: AtomicI64::new(0),
            seq: AtomicU64::new(0),
        };
        pulse.set(engine, seq);
        Arc::new(pulse)
    }

    /// The engine has handled the message `seq`.
    pub(super) fn set(&self, engine: &Engine, seq: u64) {
        let now = engine.now().unwrap_or(Timestamp::EPOCH);
        let due = engine.next_due().map_or(i64::MAX, Timestamp::get);
        self.now.store(now.get(), Ordering::Relaxed);
        self.next_due.store(due, Ordering::Relaxed);
        self.seq.store(seq, Ordering::Release);
    }
}

/// What to do at a look at the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Wait,
    Tick,
}

/// What is known at a look; instants in microseconds.
#[derive(Clone, Copy, Debug)]
struct Facts {
    wall: i64,
    /// The shard's now.
    now: i64,
    next_due: i64,
    /// How long ago the last tick was published, by a clock that nobody sets.
    since_tick: i64,
    /// Whether the engine has handled it.
    is_handled: bool,
}

fn look(facts: Facts) -> Look {
    if !facts.is_handled && facts.since_tick < IDLE_MAX {
        return Look::Wait;
    }
    let rested = facts.since_tick >= PAUSE;
    // Now has passed what is due: the last message fired as much as one may.
    let goes_on = facts.is_handled && facts.next_due <= facts.now;
    let is_due = facts.next_due <= facts.wall && rested;
    let is_idle = facts.wall - facts.now >= IDLE_MAX && rested;
    match goes_on || is_due || is_idle {
        true => Look::Tick,
        false => Look::Wait,
    }
}

/// Publishes ticks for as long as it is polled; the stream held messages up to `last` at the start.
pub(super) async fn tick(
    connection: Connection,
    shard: u32,
    (pulse, last): (Arc<Pulse>, u64),
    clock: fn() -> Timestamp,
) {
    let mut seq = last;
    let mut ticked = Instant::now();
    loop {
        tokio::time::sleep(LOOK).await;
        loop {
            let handled = pulse.seq.load(Ordering::Acquire);
            let facts = Facts {
                wall: clock().get(),
                now: pulse.now.load(Ordering::Relaxed),
                next_due: pulse.next_due.load(Ordering::Relaxed),
                since_tick: micros_since(ticked),
                is_handled: handled >= seq,
            };
            if look(facts) == Look::Wait {
                break;
            }
            ticked = Instant::now();
            match connection.tick(shard).await {
                Ok(published) => seq = published,
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, "a tick was not published, trying again");
                    break;
                }
            }
        }
    }
}

fn micros_since(instant: Instant) -> i64 {
    i64::try_from(instant.elapsed().as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = MICROS_PER_SECOND;

    #[test]
    fn a_tick_comes_when_something_is_due_or_nothing_comes() {
        // Seconds: wall clock, now, due, since the last tick.
        for (wall, now, next_due, since_tick, is_handled, expected) in [
            (1_000, 999, 2_000, 900, true, Look::Wait),
            (1_000, 999, 1_000, 900, true, Look::Tick),
            (1_000, 999, 1_001, 900, true, Look::Wait),
            (1_000, 945, 2_000, 900, true, Look::Tick), // nothing came
            (1_000, 945, 2_000, 0, true, Look::Wait),   // a tick is on its way
            (1_000, 999, 1_000, 0, true, Look::Wait),   // the broker's clock is behind
            (1_000, 1_000, 1_000, 0, true, Look::Tick), // more was due than one may fire
            (1_000, 1_000, 1_000, 0, false, Look::Wait),
            (1_000, 1_000, 1_000, 54, false, Look::Wait),
            (1_000, 1_000, 1_000, 55, false, Look::Tick), // it was lost
        ] {
            let facts = Facts {
                wall: wall * SECOND,
                now: now * SECOND,
                next_due: next_due * SECOND,
                since_tick: since_tick * SECOND,
                is_handled,
            };
            assert_eq!(look(facts), expected, "{facts:?}");
        }
    }
}
