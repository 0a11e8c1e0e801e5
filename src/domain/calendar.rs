//! Billing months.
//!
//! Owns where a wallet's periods begin and end. Leaves instants to `units`.
//!
//! Invariant: all in UTC; a period is `[start, end)` in whole days, and the next one starts where
//! it ends.

use jiff::civil::{Date, date};

use super::units::Day;

const EPOCH: Date = date(1970, 1, 1);

/// The end of the period that starts on `start`: the first anchor day after it. The anchor day
/// (1–31) is clamped to a month's last day.
pub fn period_end(start: Day, anchor: u8) -> Day {
    let from = civil(start);
    let this_month = anchored(from, anchor);
    if this_month > from {
        return day(this_month);
    }
    let next_month = from.last_of_month().tomorrow().unwrap_or(Date::MAX);
    day(anchored(next_month, anchor))
}

/// The day of the month, 1–31: the anchor of a wallet that opens without one.
pub fn day_of_month(day: Day) -> u8 {
    civil(day).day().unsigned_abs()
}

/// Year, month (1–12) and day of the month, for printing. Days outside the years −9999 to 9999
/// stop at these.
pub fn civil(day: Day) -> Date {
    EPOCH.saturating_add(jiff::Span::new().days(day.get().clamp(-4_300_000, 2_900_000)))
}

/// The day that a civil date names.
pub fn day(date: Date) -> Day {
    // Every civil date is within a few million days of the epoch.
    Day::new(EPOCH.until(date).map_or(0, |span| span.get_days()))
}

fn anchored(month: Date, anchor: u8) -> Date {
    let last = month.last_of_month();
    let clamped = i8::try_from(anchor).unwrap_or(31).clamp(1, last.day());
    date(last.year(), last.month(), clamped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_run_from_anchor_to_anchor() {
        for (start, anchor, end) in [
            ("2026-10-01", 1, "2026-11-01"),
            ("2026-01-31", 31, "2026-02-28"),
            ("2026-02-28", 31, "2026-03-31"), // the clamp does not stick
            ("2024-01-31", 31, "2024-02-29"), // a leap year
            ("2024-02-29", 29, "2024-03-29"),
            ("2025-01-29", 29, "2025-02-28"),
            ("2026-10-20", 5, "2026-11-05"), // opened after the anchor day
            ("2026-10-03", 5, "2026-10-05"), // opened just before it
            ("2026-10-05", 5, "2026-11-05"), // opened on it
            ("2026-12-15", 15, "2027-01-15"),
            ("2026-02-28", 30, "2026-03-30"),
        ] {
            let start = day(start.parse().expect("a date"));
            assert_eq!(civil(period_end(start, anchor)).to_string(), end);
        }
    }

    #[test]
    fn days_and_civil_dates_go_both_ways() {
        for (days, text) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (20_779, "2026-11-22"),
        ] {
            assert_eq!(civil(Day::new(days)).to_string(), text);
            assert_eq!(day(text.parse().expect("a date")), Day::new(days));
        }
    }
}
