//! What falls due.
//!
//! Owns the order in which timers fire: (due, customer, kind). Leaves what they do to `engine`,
//! which asks the wallet whether a timer still stands, so that none ever needs to be taken back.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use super::units::{Day, Timestamp};

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
    WalletClose,
    GrantStart,
    GrantExpiry,
    Midnight,
}

/// All timers of a shard.
#[derive(Default)]
pub struct Timers {
    heap: BinaryHeap<Reverse<Timer>>,
    midnights: Midnights,
    /// How many there were when none was there in vain.
    needed: usize,
}

/// Timers that may be there in vain, whatever the number of needed ones.
const IN_VAIN: usize = 4_096;

/// Which wallets a midnight may bring an alert: most midnights bring most wallets nothing, and so
/// each is looked at first and becomes a timer only then.
#[derive(Default)]
struct Midnights {
    /// The places of wallets by day.
    by_day: BTreeMap<Day, Vec<u32>>,
    /// How many those are.
    places: usize,
    /// By place: the day under which the wallet counts; under others it was listed before.
    listed: Vec<Option<Day>>,
}

impl Timers {
    /// Makes room for so many more.
    pub fn reserve(&mut self, count: usize) {
        self.heap.reserve(count);
    }

    pub fn add(&mut self, timer: Timer) {
        self.heap.push(Reverse(timer));
    }

    /// Adds some.
    pub fn extend(&mut self, timers: impl IntoIterator<Item = Timer>) {
        self.heap.extend(timers.into_iter().map(Reverse));
    }

    /// Lists the wallet at `place` to be looked at on the midnight that `day` begins with, and no
    /// more on another that it was listed for.
    pub fn list(&mut self, place: u32, day: Option<Day>) {
        let Midnights {
            by_day,
            places,
            listed,
        } = &mut self.midnights;
        let at = place as usize;
        if listed.get(at).copied().flatten() == day {
            return;
        }
        if listed.len() <= at {
            listed.resize(at + 1, None);
        }
        listed[at] = day;
        if let Some(day) = day {
            by_day.entry(day).or_default().push(place);
            *places += 1;
        }
    }

    /// Looks at what [`Timers::list`] will look at; gives what means nothing.
    pub fn touch(&self, place: u32) -> i32 {
        let listed = self.midnights.listed.get(place as usize);
        listed.copied().flatten().map_or(0, Day::get)
    }

    /// Takes a wallet that is listed for a midnight at or before `now`, with that day.
    pub fn pop_listed(&mut self, now: Timestamp) -> Option<(Day, u32)> {
        let Midnights {
            by_day,
            places,
            listed,
        } = &mut self.midnights;
        loop {
            let mut first = by_day.first_entry()?;
            let day = *first.key();
            if day.start() > now {
                return None;
            }
            let place = first.get_mut().pop();
            *places -= usize::from(place.is_some());
            if first.get().is_empty() {
                first.remove();
            }
            let counts = place.map(|place| &mut listed[place as usize]);
            if let Some(counts) = counts.filter(|counts| **counts == Some(day)) {
                *counts = None;
                return Some((day, place?));
            }
        }
    }

    /// When something is due next.
    pub fn next_due(&self) -> Option<Timestamp> {
        let timer = self.heap.peek().map(|Reverse(timer)| timer.due);
        let midnight = self.midnights.by_day.keys().next().map(|day| day.start());
        timer.into_iter().chain(midnight).min()
    }

    /// Forgets all: for whoever needs no timers.
    pub fn forget(&mut self) {
        self.heap.clear();
        self.midnights.by_day.clear();
        self.midnights.places = 0;
    }

    /// How many there are, those that no longer stand included.
    fn count(&self) -> usize {
        self.heap.len() + self.midnights.places
    }

    /// Says that all of them stand.
    pub fn all_stand(&mut self) {
        self.needed = self.count();
    }

    /// Whether most do not stand any more.
    pub fn is_stale(&self) -> bool {
        self.count() > 2 * self.needed + IN_VAIN
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
            timer(2, "a", TimerKind::WalletClose),
            timer(2, "a", TimerKind::GrantStart),
            timer(2, "a", TimerKind::GrantExpiry),
            timer(2, "a", TimerKind::Midnight),
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

    #[test]
    fn timers_of_the_past_are_stale_when_they_are_more_than_the_others() {
        let mut timers = Timers::default();
        let add = |timers: &mut Timers, count| {
            for due in 0..count {
                timers.list(0, Some(Day::new(due)));
            }
        };
        add(&mut timers, 1_000);
        timers.all_stand();
        add(&mut timers, IN_VAIN as i32 + 1_000);
        assert!(!timers.is_stale());
        add(&mut timers, 1);
        assert!(timers.is_stale());
    }

    #[test]
    fn a_wallet_is_looked_at_on_the_day_that_it_was_listed_for_last() {
        let mut timers = Timers::default();
        let day = Day::new;
        timers.list(3, Some(day(5)));
        timers.list(0, Some(day(4)));
        timers.list(3, Some(day(7)));
        timers.list(1, Some(day(4)));
        timers.list(1, None);
        assert_eq!(timers.next_due(), Some(day(4).start()));
        assert_eq!(timers.count(), 4);
        let noon = day(6).start();
        assert_eq!(timers.pop_listed(noon), Some((day(4), 0)));
        assert_eq!(timers.pop_listed(noon), None);
        assert_eq!(timers.pop_listed(day(7).start()), Some((day(7), 3)));
        assert_eq!((timers.next_due(), timers.count()), (None, 0));
    }
}
