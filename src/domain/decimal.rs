//! Decimal text to integers, and division with a stated rounding.
//!
//! Owns how numbers of events and of price files become counts of a smallest unit. Leaves what a
//! number means, and the larger bounds of each amount, to its callers.
//!
//! Invariant: from text to integer without a float, in time that grows with the text's length and
//! never with its exponent.

use std::fmt;

use super::units::{MICROS, Quantity};

/// A measure has at most this many digits before the point.
const WHOLE_DIGITS: i64 = 12;

/// A measure is counted in millionths.
const MICRO_DIGITS: i64 = 6;

/// Measures are below this many millionths.
const MICROS_BOUND: i64 = 1_000_000_000_000 * MICROS;

/// Why a JSON number is no measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    #[error("the number is negative")]
    Negative,
    #[error("the number is 10^12 or more")]
    TooLarge,
}

/// Why text is no plain decimal of so many places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlainError {
    #[error("not a plain decimal: digits, with a point and more digits if need be")]
    NotPlain,
    #[error("more than {places} digits after the point")]
    TooManyPlaces { places: u32 },
    #[error("10^12 or more")]
    TooLarge,
}

/// What becomes of the part that the smallest unit cannot hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rounding {
    Up,
    Down,
    #[default]
    HalfUp,
    HalfEven,
}

/// The word of the price files.
impl fmt::Display for Rounding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::HalfUp => "half_up",
            Self::HalfEven => "half_even",
        })
    }
}

/// Reads a JSON number, which `text` must be, in millionths.
///
/// Rounding: half even, once, from the digits as written. The sign is judged after it, so `-0`
/// and `-1e-9` are zero.
///
/// # Errors
///
/// The rounded number is negative, or 10^12 or more.
pub fn quantity_from_json(text: &str) -> Result<Quantity, QuantityError> {
    match short_plain(text.as_bytes()) {
        Some(micros) => Ok(Quantity::new(micros)),
        None => any_quantity(text.as_bytes()),
    }
}

/// Reads the common measure: up to twelve bytes of digits, at most six of them after a point.
fn short_plain(text: &[u8]) -> Option<i64> {
    if text.len() as i64 > WHOLE_DIGITS {
        return None;
    }
    let mut digits = 0_i64;
    for (index, byte) in text.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            digits = digits * 10 + i64::from(digit);
        } else if *byte == b'.' {
            return short_fraction(digits, &text[index + 1..]);
        } else {
            return None;
        }
    }
    Some(digits * MICROS)
}

fn short_fraction(whole: i64, fraction: &[u8]) -> Option<i64> {
    let mut unit = MICROS;
    let mut micros = whole * MICROS;
    for byte in fraction {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 || unit == 1 {
            return None;
        }
        unit /= 10;
        micros += i64::from(digit) * unit;
    }
    Some(micros)
}

/// Reads what [`short_plain`] leaves: signs, exponents, long digits.
fn any_quantity(text: &[u8]) -> Result<Quantity, QuantityError> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let mark = text.iter().position(|byte| matches!(byte, b'e' | b'E'));
    let mantissa = &text[..mark.unwrap_or(text.len())];
    let exponent = mark.map_or(0, |mark| exponent(&text[mark + 1..]));
    let point = mantissa
        .iter()
        .position(|byte| *byte == b'.')
        .unwrap_or(mantissa.len());
    let digits = || {
        mantissa
            .iter()
            .filter(|byte| byte.is_ascii_digit())
            .map(|byte| byte - b'0')
    };

    let leading_zeros = digits().take_while(|digit| *digit == 0).count();
    let mut digits = digits().skip(leading_zeros).peekable();
    if digits.peek().is_none() {
        return Ok(Quantity::ZERO);
    }
    // The number is 0.d₁d₂d₃… × 10^magnitude, with d₁ not zero.
    let magnitude = exponent.saturating_add(point as i64 - leading_zeros as i64);
    let micros = if magnitude > WHOLE_DIGITS {
        MICROS_BOUND
    } else if magnitude + MICRO_DIGITS < 0 {
        0
    } else {
        half_even_prefix(digits, magnitude + MICRO_DIGITS)
    };
    match (micros, negative) {
        (0, _) => Ok(Quantity::ZERO),
        (_, true) => Err(QuantityError::Negative),
        (MICROS_BOUND.., false) => Err(QuantityError::TooLarge),
        (micros, false) => Ok(Quantity::new(micros)),
    }
}

/// The first `count` digits (at most 18) as an integer, rounded half even by those that follow.
fn half_even_prefix(mut digits: impl Iterator<Item = u8>, count: i64) -> i64 {
    let mut kept = 0_i64;
    for _ in 0..count {
        kept = kept * 10 + i64::from(digits.next().unwrap_or(0));
    }
    let up = match digits.next().unwrap_or(0) {
        0..=4 => false,
        5 => kept % 2 == 1 || digits.any(|digit| digit != 0),
        _ => true,
    };
    kept + i64::from(up)
}

/// The exponent after `e`, stopping far beyond what any text's digits could make up for.
fn exponent(text: &[u8]) -> i64 {
    const FAR: i64 = i64::MAX / 1_000;
    let magnitude = text
        .iter()
        .filter(|byte| byte.is_ascii_digit())
        .fold(0_i64, |sum, byte| {
            (sum * 10 + i64::from(byte - b'0')).min(FAR)
        });
    if text.first() == Some(&b'-') {
        -magnitude
    } else {
        magnitude
    }
}

/// Reads a plain decimal (`12.50`: digits, or digits, a point and digits) in units of
/// 10^-`places`. No sign, exponent or space.
///
/// # Errors
///
/// Other text, more digits after the point than `places` even if zeros, or 10^12 or more.
///
/// # Panics
///
/// Never for `places` up to 26, which is far above what the callers use.
pub fn scaled_from_plain(text: &str, places: u32) -> Result<i128, PlainError> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(whole) || !fraction.is_none_or(is_digits) {
        return Err(PlainError::NotPlain);
    }
    let fraction = fraction.unwrap_or("");
    if fraction.len() > places as usize {
        return Err(PlainError::TooManyPlaces { places });
    }
    let whole = whole.trim_start_matches('0');
    if whole.len() as i64 > WHOLE_DIGITS {
        return Err(PlainError::TooLarge);
    }
    let digits = whole.bytes().chain(fraction.bytes());
    let value = digits.fold(0_i128, |sum, byte| sum * 10 + i128::from(byte - b'0'));
    Ok(value * 10_i128.pow(places - fraction.len() as u32))
}

/// The shortest plain decimal of a count of 10^-`places`, neither of them negative: `12.5`, `3`.
pub fn plain_from_scaled(scaled: i128, places: u32) -> String {
    let one = 10_i128.pow(places);
    let (whole, part) = (scaled / one, scaled % one);
    let part = format!("{part:0width$}", width = places as usize);
    match part.trim_end_matches('0') {
        "" => whole.to_string(),
        part => format!("{whole}.{part}"),
    }
}

/// Divides by a positive divisor; the dividend is not negative.
pub fn divide(dividend: i128, divisor: i128, rounding: Rounding) -> i128 {
    // The processor divides 64 bits several times faster, and most charges fit.
    let (quotient, rest) = match (u64::try_from(dividend), u64::try_from(divisor)) {
        (Ok(dividend), Ok(divisor)) => (
            i128::from(dividend / divisor),
            i128::from(dividend % divisor),
        ),
        _ => (dividend / divisor, dividend % divisor),
    };
    let up = match rounding {
        Rounding::Up => rest > 0,
        Rounding::Down => false,
        Rounding::HalfUp => rest >= divisor - rest,
        Rounding::HalfEven => {
            rest > divisor - rest || (rest == divisor - rest && quotient % 2 == 1)
        }
    };
    quotient + i128::from(up)
}

/// Divides by a positive divisor, half even; the dividend, of either sign, is above `i128::MIN`.
pub fn divide_half_even(dividend: i128, divisor: i128) -> i128 {
    dividend.signum() * divide(dividend.abs(), divisor, Rounding::HalfEven)
}

#[cfg(test)]
mod tests;
