//! What falls due.
//!
//! Owns the order in which timers fire: (due, customer, kind). Leaves what they do to `engine`,
//! which asks the wallet whether a timer still stands, so that none ever needs to be taken back.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::units::Timestamp;

/// One thing that falls due for one wallet. Ordered by due time, customer and kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timer {
    pub due: Timestamp,
    pub customer: Arc<str>,
    pub kind: TimerKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimerKind {
    PeriodEnd,
    PeriodClose,
    GrantExpiry,
}

/// All timers of a shard.
#[derive(Default)]
pub struct Timers {
    heap: BinaryHeap<Reverse<Timer>>,
}

impl Timers {
    pub fn add(&mut self, timer: Timer) {
        self.heap.push(Reverse(timer));
    }

    /// Whether a timer is due at or before `now`.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.heap
            .peek()
            .is_some_and(|Reverse(timer)| timer.due <= now)
    }

    /// Takes the first timer that is due at or before `now`.
    pub fn pop_due(&mut self, now: Timestamp) -> Option<Timer> {
        if self.is_due(now) {
            self.heap.pop().map(|Reverse(timer)| timer)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fire_by_due_time_customer_and_kind() {
        let timer = |due, customer: &str, kind| Timer {
            due: Timestamp::new(due),
            customer: customer.into(),
            kind,
        };
        let expected = [
            timer(1, "z", TimerKind::GrantExpiry),
            timer(2, "a", TimerKind::PeriodEnd),
            timer(2, "a", TimerKind::PeriodClose),
            timer(2, "b", TimerKind::PeriodEnd),
        ];
        let mut timers = Timers::default();
        expected
            .iter()
            .rev()
            .for_each(|timer| timers.add(timer.clone()));
        timers.add(timer(4, "a", TimerKind::PeriodEnd));
        let fired: Vec<_> = std::iter::from_fn(|| timers.pop_due(Timestamp::new(3))).collect();
        assert_eq!(fired, expected);
        assert!(timers.is_due(Timestamp::new(4)));
    }
}
