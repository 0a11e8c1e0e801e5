//! Instants to and from RFC 3339 text.
//!
//! Owns the text form. Leaves months, anchors and periods to `calendar`.
//!
//! Invariant: what `format` prints, `parse` reads back, for every year of four digits.

use std::fmt;

use super::units::{
    Day, MICROS, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, Timestamp,
};

/// Years are counted from here and begin in March, so that a leap day ends its year.
const DAYS_FROM_0000_03_01_TO_EPOCH: i64 = 719_468;
const DAYS_PER_400_YEARS: i64 = 146_097;

/// Reads `2026-11-22T10:33:00.123Z` or the same with an offset of up to 23:59 hours.
///
/// `t` and `z` pass in lower case, the zone is required, dates must exist, second 60 does not.
/// Digits past the microsecond are cut.
pub fn parse(text: &[u8]) -> Option<Timestamp> {
    let (fixed, rest) = text.split_first_chunk::<19>()?;
    let at = |start: usize| {
        fixed[start..]
            .first_chunk()
            .map(|word| u64::from_le_bytes(*word))
    };
    const EITHER_CASE: u64 = u64::from_le_bytes([0, 0, 0x20, 0, 0, 0, 0, 0]);
    let date = pairs(at(0)?, b"0000-00-")?;
    let time = pairs(at(8)? | EITHER_CASE, b"00t00:00")?;
    let seconds = pairs(at(11)?, b"00:00:00")?;
    let pair = |pairs: [u8; 8], at: usize| i64::from(pairs[at]);
    let (year, month) = (pair(date, 0) * 100 + pair(date, 2), pair(date, 5));
    let (day, hour, minute) = (pair(time, 0), pair(time, 3), pair(time, 6));
    let second = pair(seconds, 6);
    let is_real = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
    if !is_real || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (fraction, zone) = split_fraction(rest)?;
    let micros = days_from_civil(year, month, day) * MICROS_PER_DAY
        + hour * MICROS_PER_HOUR
        + minute * MICROS_PER_MINUTE
        + second * MICROS_PER_SECOND
        + fraction
        - offset_micros(zone)?;
    Some(Timestamp::new(micros))
}

/// Prints `2026-11-22T10:33:00.123456Z`, always in UTC with six digits of a second.
pub fn format(at: Timestamp) -> impl fmt::Display {
    Text(at)
}

struct Text(Timestamp);

impl fmt::Display for Text {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_day(self.0.day());
        let micros = self.0.get().rem_euclid(MICROS_PER_DAY);
        let hour = micros / MICROS_PER_HOUR;
        let minute = micros % MICROS_PER_HOUR / MICROS_PER_MINUTE;
        let second = micros % MICROS_PER_MINUTE / MICROS_PER_SECOND;
        let fraction = micros % MICROS_PER_SECOND;
        write!(out, "{year:04}-{month:02}-{day:02}")?;
        write!(out, "T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z")
    }
}

/// At each place the number that the digits there and behind it make; `None` when `word` does not
/// look `like` that, where a zero stands for any digit.
#[inline]
fn pairs(word: u64, like: &[u8; 8]) -> Option<[u8; 8]> {
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    let digits = word ^ u64::from_le_bytes(*like);
    // What is more than it may be reaches its byte's high bit by this.
    let most = like.map(|byte| if byte == b'0' { 0x7f - 9 } else { 0x7f });
    let sums = digits.wrapping_add(u64::from_le_bytes(most));
    ((digits | sums) & HIGHS == 0).then(|| (digits * 10 + (digits >> 8)).to_le_bytes())
}

fn two_digits(tens: u8, ones: u8) -> Option<i64> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| i64::from(tens * 10 + ones))
}

/// Microseconds of the last digit of a fraction, by the number of its digits.
const UNITS: [i64; 7] = [MICROS, 100_000, 10_000, 1_000, 100, 10, 1];

/// Microseconds of a fraction, zero without one, and what follows it.
fn split_fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    // As most producers write it.
    if let Ok(word) = text.try_into()
        && let Some(digits) = pairs(u64::from_le_bytes(word), b".000000Z")
    {
        let pair = |at: usize| i64::from(digits[at]);
        return Some((pair(1) * 10_000 + pair(3) * 100 + pair(5), b"Z"));
    }
    let Some(digits) = text.strip_prefix(b".") else {
        return Some((0, text));
    };
    let mut kept = 0;
    let mut count = 0;
    while let Some(digit @ b'0'..=b'9') = digits.get(count) {
        if count < UNITS.len() - 1 {
            kept = kept * 10 + i64::from(digit - b'0');
        }
        count += 1;
    }
    let unit = UNITS[count.min(UNITS.len() - 1)];
    (count > 0).then(|| (kept * unit, &digits[count..]))
}

/// Microseconds by which the zone is ahead of UTC.
fn offset_micros(zone: &[u8]) -> Option<i64> {
    let (sign, hour, minute) = match *zone {
        [b'Z' | b'z'] => return Some(0),
        [b'+', h, o, b':', m, i] => (1, two_digits(h, o)?, two_digits(m, i)?),
        [b'-', h, o, b':', m, i] => (-1, two_digits(h, o)?, two_digits(m, i)?),
        _ => return None,
    };
    let in_range = hour <= 23 && minute <= 59;
    in_range.then_some(sign * (hour * MICROS_PER_HOUR + minute * MICROS_PER_MINUTE))
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since the epoch of a day of the Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Counted from 400 years earlier, which repeat, so that the year before 0000 is none below 0.
    let years = (year + 400 - i64::from(month <= 2)).unsigned_abs() as u32;
    let march_month = (month as u32 + 9) % 12;
    let day_of_year = (153 * march_month + 2) / 5 + day as u32 - 1;
    let days = years * 365 + years / 4 - years / 100 + years / 400 + day_of_year;
    i64::from(days) - DAYS_PER_400_YEARS - DAYS_FROM_0000_03_01_TO_EPOCH
}

/// Year, month and day of a day counted from the epoch.
fn civil_from_day(day: Day) -> (i64, i64, i64) {
    let days = i64::from(day.get()) + DAYS_FROM_0000_03_01_TO_EPOCH;
    let (era, day_of_era) = (
        days.div_euclid(DAYS_PER_400_YEARS),
        days.rem_euclid(DAYS_PER_400_YEARS),
    );
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day_of_year - (153 * march_month + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_rfc_3339_with_a_zone_and_nothing_else() {
        let table = "
            1970-01-01T00:00:00Z                 1970-01-01T00:00:00.000000Z
            2026-11-22T10:33:00.123Z             2026-11-22T10:33:00.123000Z
            2026-11-22t10:33:00.1z               2026-11-22T10:33:00.100000Z
            2026-11-22T10:33:00.1234569Z         2026-11-22T10:33:00.123456Z    // cut
            1969-12-31T23:59:59.9999999Z         1969-12-31T23:59:59.999999Z
            2026-11-22T10:33:00.000000000000001Z 2026-11-22T10:33:00.000000Z
            2026-11-22T10:33:00+02:00            2026-11-22T08:33:00.000000Z
            2026-11-22T10:33:00-23:59            2026-11-23T10:32:00.000000Z
            2026-11-22T10:33:00-00:00            2026-11-22T10:33:00.000000Z
            2024-02-29T00:00:00Z                 2024-02-29T00:00:00.000000Z
            2000-02-29T00:00:00Z                 2000-02-29T00:00:00.000000Z
            0000-02-29T00:00:00Z                 0000-02-29T00:00:00.000000Z
            0000-01-01T00:00:00Z                 0000-01-01T00:00:00.000000Z
            9999-12-31T23:59:59.999999Z          9999-12-31T23:59:59.999999Z
            9999-12-31T23:59:59-23:59            10000-01-01T23:58:59.000000Z
            0000-01-01T00:00:00+00:01            -001-12-31T23:59:00.000000Z
            2023-02-29T00:00:00Z                 none
            1900-02-29T00:00:00Z                 none
            2026-04-31T00:00:00Z                 none
            2026-00-01T00:00:00Z                 none
            2026-13-01T00:00:00Z                 none
            2026-01-00T00:00:00Z                 none
            2026-01-32T00:00:00Z                 none
            2026-01-01T24:00:00Z                 none
            2026-01-01T00:60:00Z                 none
            2026-12-31T23:59:60Z                 none
            2026-01-01T00:00:00                  none
            2026-01-01T00:00:00.Z                none
            2026-01-01T00:00:00,5Z               none
            2026-01-01T00:00:00+24:00            none
            2026-01-01T00:00:00+00:60            none
            2026-01-01T00:00:00+0100             none
            2026-01-01T00:00:00+01               none
            2026-01-01T00:00Z                    none
            2026-01-01_00:00:00Z                 none
            2026-01-01                           none
            2026-1-01T00:00:00Z                  none
            +026-01-01T00:00:00Z                 none
            2026-01-01T00:00:00ZZ                none
            2026-01-01T00:00:00.1+00:0           none
        ";
        for line in table
            .lines()
            .map(|line| line.split("//").next().unwrap_or(""))
        {
            let row: Vec<&str> = line.split_whitespace().collect();
            let [given, expected] = row[..] else { continue };
            let got = parse(given.as_bytes()).map(|at| format(at).to_string());
            assert_eq!(got.as_deref().unwrap_or("none"), expected, "{given}");
        }
        assert_eq!(parse(b"2026-01-01 00:00:00Z"), None);
        assert_eq!(parse(b""), None);
    }

    #[test]
    fn a_known_instant_has_its_known_number() {
        assert_eq!(
            parse(b"2001-09-09T01:46:40Z"),
            Some(Timestamp::new(1_000_000_000_000_000))
        );
    }

    #[test]
    fn the_ends_of_time_print() {
        for micros in [i64::MIN, i64::MAX] {
            assert!(format(Timestamp::new(micros)).to_string().ends_with('Z'));
        }
    }

    proptest! {
        #[test]
        fn reads_back_what_it_printed(
            micros in -62_167_219_200_000_000_i64..253_402_300_800_000_000
        ) {
            let printed = format(Timestamp::new(micros)).to_string();
            prop_assert_eq!(parse(printed.as_bytes()), Some(Timestamp::new(micros)));
        }

        #[test]
        fn never_panics(text in "[-0-9T:.Z+]{0,40}") {
            let at = parse(text.as_bytes());
            prop_assert!(at.is_none() || text.len() >= 20);
        }
    }
}
