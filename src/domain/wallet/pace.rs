//! How fast a wallet is used.
//!
//! Owns the use of the last days and the pace that follows from it. Leaves what it means for
//! money to `plan_fit`.
//!
//! Invariant: integers; a pace is a sum over a number of days, never divided before its use.

use crate::domain::calendar::civil;
use crate::domain::units::{Credits, Day, MICROS_PER_DAY, MICROS_PER_MINUTE, Timestamp};

/// The pace looks back on this many full days.
const PACE_DAYS: i32 = 7;
/// Those, today, and one more for usage stamped a few minutes past midnight.
pub const KEPT_DAYS: usize = PACE_DAYS as usize + 2;

/// Credits charged on each of the last days, by the day of `used_at`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DailyUse {
    /// The newest day that is kept.
    pub latest: Day,
    /// Microcredits of that day and those before it, each at its day modulo their number.
    pub charged: [i64; KEPT_DAYS],
}

/// Credits charged over a number of days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    pub charged: Credits,
    /// 1 to 7.
    pub days: u32,
}

impl DailyUse {
    /// No use yet, seen from `today`.
    pub fn new(today: Day) -> Self {
        Self {
            latest: today,
            charged: [0; KEPT_DAYS],
        }
    }

    /// Counts a charge; one older than the days that are kept does not count.
    pub fn add(&mut self, day: Day, charge: Credits) {
        while self.latest < day {
            let gap = day.get() - self.latest.get();
            // After a long pause all kept days are empty, whatever day it started from.
            let step = if gap > KEPT_DAYS as i32 {
                gap - KEPT_DAYS as i32
            } else {
                1
            };
            self.latest = Day::new(self.latest.get() + step);
            self.charged[slot(self.latest)] = 0;
        }
        if self.latest.get() - day.get() < KEPT_DAYS as i32 {
            let charged = &mut self.charged[slot(day)];
            *charged = charged.saturating_add(charge.get());
        }
    }

    /// Whether the pace may be higher at a midnight after that of `day`, though nothing more is
    /// charged: by a charge of a day that is not full yet, or when a day leaves that gave more back
    /// than was charged.
    pub fn may_rise_after(&self, day: Day) -> bool {
        let kept = self.latest.get() - KEPT_DAYS as i32 + 1..=self.latest.get();
        kept.into_iter().any(|kept| {
            let charged = self.charged[slot(Day::new(kept))];
            if kept >= day.get() {
                charged > 0
            } else {
                charged < 0 && kept >= day.get() - PACE_DAYS
            }
        })
    }

    /// The pace at `now`: the last full days, at most seven, none before `opened`; on the very
    /// first day, that day so far.
    pub fn pace(&self, now: Timestamp, opened: Day) -> Pace {
        let today = now.day();
        let first = opened.get().max(today.get() - PACE_DAYS);
        let days = today.get() - first;
        let (from, until) = if days > 0 {
            (first, today.get())
        } else {
            (today.get(), today.get() + 1)
        };
        let kept = |day: &i32| {
            (self.latest.get() - KEPT_DAYS as i32 + 1..=self.latest.get()).contains(day)
        };
        let sum = (from..until)
            .filter(kept)
            .map(|day| self.charged[slot(Day::new(day))]);
        let charged = Credits::new(sum.fold(0, i64::saturating_add));
        Pace {
            charged,
            days: days.max(1).unsigned_abs(),
        }
    }
}

impl Pace {
    /// Credits a day, rounded down to the microcredit; none when more was given back than charged.
    pub fn per_day(self) -> Credits {
        Credits::new(self.charged.get().max(0) / i64::from(self.days))
    }

    /// Credits that the whole minutes from `now` until midnight before `end` take at this pace,
    /// rounded down to the microcredit.
    pub fn use_until(self, now: Timestamp, end: Day) -> Credits {
        let minutes = (end.start().get() - now.get()).max(0) / MICROS_PER_MINUTE;
        let charged = i128::from(self.charged.get().max(0)) * i128::from(minutes);
        let ahead = charged / (i128::from(self.days) * 1_440);
        Credits::from_i128(ahead).unwrap_or(Credits::new(i64::MAX))
    }

    /// The day on which `remaining` is used up, or `None` when it lasts beyond the year 9999.
    pub fn run_out(self, now: Timestamp, remaining: Credits) -> Option<Day> {
        if self.charged <= Credits::ZERO {
            return None;
        }
        let per_day = i128::from(self.charged.get());
        let lasts =
            i128::from(remaining.get()) * i128::from(self.days) * i128::from(MICROS_PER_DAY)
                / per_day;
        let at = i64::try_from(i128::from(now.get()) + lasts).ok()?;
        let day = Timestamp::new(at).day();
        (at < i64::MAX / 2 && civil(day).year() < 9999).then_some(day)
    }
}

fn slot(day: Day) -> usize {
    day.get().rem_euclid(KEPT_DAYS as i32).unsigned_abs() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn credits(whole: i64) -> Credits {
        Credits::new(whole * 1_000_000)
    }

    fn pace_on(today: i32, opened: i32, use_by_day: &[(i32, i64)]) -> (i64, u32) {
        let mut daily = DailyUse::new(Day::new(opened));
        for (day, charge) in use_by_day {
            daily.add(Day::new(*day), credits(*charge));
        }
        let pace = daily.pace(Day::new(today).start(), Day::new(opened));
        (pace.charged.get() / 1_000_000, pace.days)
    }

    #[test]
    fn looks_back_on_full_days() {
        for (today, opened, use_by_day, expected) in [
            (100, 100, &[(100, 5)][..], (5, 1)), // the first day, so far
            (101, 100, &[(100, 5), (101, 9)], (5, 1)), // today is not full
            (110, 100, &[(102, 1), (103, 2), (109, 4), (110, 8)], (6, 7)),
            (110, 108, &[(108, 1), (109, 2)], (3, 2)), // a young wallet
            (110, 100, &[(111, 7), (109, 4)], (4, 7)), // stamped past midnight
            (400, 100, &[(101, 7)], (0, 7)),           // a long pause
            (400, 100, &[(101, 7), (399, 3)], (3, 7)),
            (110, 100, &[(110, 1), (99, 50), (105, 2)], (2, 7)), // too late to count
        ] {
            assert_eq!(
                pace_on(today, opened, use_by_day),
                expected,
                "{today} {use_by_day:?}"
            );
        }
    }

    #[test]
    fn projects_by_the_minute() {
        let pace = Pace {
            charged: credits(70),
            days: 7,
        };
        let noon = Timestamp::new(MICROS_PER_DAY / 2);
        assert_eq!(pace.use_until(noon, Day::new(2)), credits(15));
        assert_eq!(pace.use_until(noon, Day::new(0)), Credits::ZERO);
        assert_eq!(pace.run_out(noon, credits(25)), Some(Day::new(3)));
        assert_eq!(pace.run_out(noon, credits(24)), Some(Day::new(2)));
        assert_eq!(
            Pace {
                charged: Credits::ZERO,
                days: 7
            }
            .run_out(noon, credits(1)),
            None
        );
        let slow = Pace {
            charged: Credits::new(1),
            days: 7,
        };
        assert_eq!(slow.run_out(noon, credits(999_999_999_999)), None);
    }
}
