//! Why a charge is booked to the period that it is booked to.
//!
//! Owns the words for it, from the row and the wallet's periods. Leaves the rule itself, which
//! needs the wallet as it was, to `wallet::spend`.

use std::fmt;

use crate::domain::calendar::civil;
use crate::domain::rfc3339;
use crate::domain::units::{Day, Timestamp};

/// A period `[start, end)` of a wallet, which takes its late usage until `closes_at` (exclusive).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownPeriod {
    pub start: Day,
    pub end: Day,
    pub closes_at: Timestamp,
}

/// What a row says of its booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookedRow {
    pub used_at: Timestamp,
    pub period: Day,
    pub late: bool,
}

/// How the booking came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Booked {
    /// The period holds the time of use, and had not ended.
    Current,
    /// The next period holds it, and had not begun.
    Ahead,
    /// The period holds it and had ended, but was still open.
    StillOpen(KnownPeriod),
    /// The period that holds it had closed.
    Closed(KnownPeriod),
    /// No period holds it: it is before the first one, which is given.
    BeforeOpening(Day),
    /// The wallet's periods do not tell.
    Untold,
}

/// Why `row` is booked as it is, by the periods of its wallet.
pub fn booked(row: BookedRow, known: &[KnownPeriod]) -> Booked {
    let BookedRow {
        used_at,
        period,
        late,
    } = row;
    let own = known.iter().find(|known| known.start == period);
    let holds =
        |period: &&KnownPeriod| period.start.start() <= used_at && used_at < period.end.start();
    let first = known.iter().map(|known| known.start).min();
    match (own, late, known.iter().find(holds)) {
        (None, _, _) => Booked::Untold,
        (Some(own), false, Some(holder)) if holder.start == own.start => Booked::Current,
        (Some(own), false, _) if used_at >= own.end.start() => Booked::Ahead,
        (Some(own), true, Some(holder)) if holder.start == own.start => Booked::StillOpen(*own),
        (Some(_), true, Some(holder)) => Booked::Closed(*holder),
        (Some(_), true, None) => match first.filter(|first| used_at < first.start()) {
            Some(first) => Booked::BeforeOpening(first),
            None => Booked::Untold,
        },
        (Some(_), false, _) => Booked::Untold,
    }
}

impl fmt::Display for Booked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current => {
                out.write_str("the current period when it arrived, and it holds used_at")
            }
            Self::Ahead => {
                out.write_str("the current period when it arrived; used_at is a little ahead of it")
            }
            Self::StillOpen(own) => write!(
                out,
                "it holds used_at; it ended on {} and was open until {}",
                civil(own.end),
                rfc3339::format(own.closes_at)
            ),
            Self::Closed(holder) => write!(
                out,
                "the current period when it arrived, for the period of {}, which holds used_at, \
                 had closed at {}",
                civil(holder.start),
                rfc3339::format(holder.closes_at)
            ),
            Self::BeforeOpening(first) => write!(
                out,
                "used before the wallet was opened; its first period is that of {}",
                civil(*first)
            ),
            Self::Untold => out.write_str("the wallet's periods do not tell why"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_periods_tell_why_a_charge_is_booked_so() {
        // Opened on day 10; each period closes a day after its end.
        let known = [(10, 40), (40, 70), (70, 100)].map(|(start, end)| KnownPeriod {
            start: Day::new(start),
            end: Day::new(end),
            closes_at: Day::new(end + 1).start(),
        });
        for (used_on, period, late, expected) in [
            (10, 10, false, Booked::Current),
            (39, 10, false, Booked::Current),
            (40, 10, false, Booked::Ahead),
            (39, 10, true, Booked::StillOpen(known[0])),
            (39, 40, true, Booked::Closed(known[0])),
            (40, 70, true, Booked::Closed(known[1])),
            (9, 10, true, Booked::BeforeOpening(Day::new(10))),
            (9, 40, true, Booked::BeforeOpening(Day::new(10))),
            (100, 70, true, Booked::Untold),
            (39, 40, false, Booked::Untold),
            (39, 41, false, Booked::Untold), // no such period
        ] {
            let row = BookedRow {
                used_at: Day::new(used_on).start(),
                period: Day::new(period),
                late,
            };
            assert_eq!(booked(row, &known), expected, "{used_on} {period} {late}");
        }
        assert_eq!(Booked::Current.to_string().lines().count(), 1);
    }
}
