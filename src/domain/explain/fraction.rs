//! Exact amounts, between the digits as written and the rounding.
//!
//! Owns multiplying, adding and printing them. Leaves how a remainder is rounded to `decimal`.
//!
//! Invariant: never negative, always in lowest terms; nothing is lost but by [`Fraction::rounded`].

use std::fmt;

use crate::domain::decimal::{Rounding, divide};

/// A count, or an amount of credits or dollars.
///
/// What a checked table makes of an event fits, unless it is 10^9 or more: amounts have at most
/// 12 places and 24 digits, measures 6 and 18, and the divisors of one price in lowest terms have
/// a common multiple of at most 10^11. So a denominator is at most 10^29.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fraction {
    numerator: i128,
    /// Positive.
    denominator: i128,
}

impl Fraction {
    pub const ZERO: Self = Self {
        numerator: 0,
        denominator: 1,
    };

    /// `count` units of 10^-`places`, not negative; at most 26 places.
    pub fn scaled(count: i128, places: u32) -> Self {
        let one = 10_i128.pow(places);
        let shared = gcd(one, count);
        Self {
            numerator: count / shared,
            denominator: one / shared,
        }
    }

    /// The product; `None` when it does not fit.
    pub fn times(self, other: Self) -> Option<Self> {
        let left = gcd(self.denominator, other.numerator);
        let right = gcd(other.denominator, self.numerator);
        let numerator = (self.numerator / right).checked_mul(other.numerator / left)?;
        let denominator = (self.denominator / left).checked_mul(other.denominator / right)?;
        Some(Self {
            numerator,
            denominator,
        })
    }

    /// The quotient by a positive number; `None` when it does not fit.
    pub fn over(self, divisor: u64) -> Option<Self> {
        let divisor = i128::from(divisor);
        let shared = gcd(divisor, self.numerator);
        Some(Self {
            numerator: self.numerator / shared,
            denominator: self.denominator.checked_mul(divisor / shared)?,
        })
    }

    /// The sum; `None` when it does not fit.
    pub fn plus(self, other: Self) -> Option<Self> {
        let shared = gcd(self.denominator, other.denominator);
        let (mine, theirs) = (other.denominator / shared, self.denominator / shared);
        let left = self.numerator.checked_mul(mine)?;
        let sum = left.checked_add(other.numerator.checked_mul(theirs)?)?;
        let common = self.denominator.checked_mul(mine)?;
        let shared = gcd(common, sum);
        Some(Self {
            numerator: sum / shared,
            denominator: common / shared,
        })
    }

    /// In units of 10^-`places`; `None` when it does not fit.
    pub fn rounded(self, places: u32, rounding: Rounding) -> Option<i128> {
        let one = 10_i128.pow(places);
        let shared = gcd(self.denominator, one);
        let dividend = self.numerator.checked_mul(one / shared)?;
        Some(divide(dividend, self.denominator / shared, rounding))
    }

    /// Whether its decimal ends, and each digit of it can be worked out.
    fn is_decimal(self) -> bool {
        let mut rest = self.denominator;
        for prime in [2, 5] {
            while rest % prime == 0 {
                rest /= prime;
            }
        }
        rest == 1 && self.denominator <= i128::MAX / 10
    }
}

/// The shortest decimal, `4.1`, or the fraction where no decimal is exact: `10/21`.
impl fmt::Display for Fraction {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_decimal() {
            return write!(out, "{}/{}", self.numerator, self.denominator);
        }
        write!(out, "{}", self.numerator / self.denominator)?;
        let mut rest = self.numerator % self.denominator;
        if rest > 0 {
            out.write_str(".")?;
        }
        while rest > 0 {
            rest *= 10;
            write!(out, "{}", rest / self.denominator)?;
            rest %= self.denominator;
        }
        Ok(())
    }
}

/// The greatest common divisor; `left` is positive, `right` not negative.
fn gcd(left: i128, right: i128) -> i128 {
    let (mut left, mut right) = (left, right);
    while right != 0 {
        (left, right) = (right, left % right);
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decimal::scaled_from_plain;

    /// `a/b` or a plain decimal.
    fn read(text: &str) -> Fraction {
        match text.split_once('/') {
            None => Fraction::scaled(scaled_from_plain(text, 12).unwrap(), 12),
            Some((above, below)) => {
                let above = Fraction::scaled(above.parse().unwrap(), 0);
                above.over(below.parse().unwrap()).unwrap()
            }
        }
    }

    #[test]
    fn prints_a_decimal_where_one_is_exact() {
        for (given, printed) in [
            ("0", "0"),
            ("0.000", "0"),
            ("3", "3"),
            ("3.200", "3.2"),
            ("0.000000000001", "0.000000000001"),
            ("10/21", "10/21"),
            ("20/42", "10/21"),
            ("7/4", "1.75"),
            ("21/7", "3"),
            ("1/1000000", "0.000001"),
            ("999999999999.999999999999", "999999999999.999999999999"),
        ] {
            assert_eq!(read(given).to_string(), printed, "{given}");
        }
        // Its decimal ends, but beyond what can be worked out.
        let tiny = Fraction {
            numerator: 1,
            denominator: 1 << 126,
        };
        assert_eq!(tiny.to_string(), format!("1/{}", 1_i128 << 126));
    }

    #[test]
    fn multiplies_and_adds_exactly() {
        for (left, right, product, sum) in [
            ("12800", "0.25", "3200", "12800.25"),
            ("0", "5", "0", "5"),
            ("1/3", "1/7", "1/21", "10/21"),
            ("1/3", "3", "1", "10/3"),
            ("2/3", "1/3", "2/9", "1"),
            ("0.1", "0.2", "0.02", "0.3"),
        ] {
            let (left, right) = (read(left), read(right));
            assert_eq!(left.times(right), Some(read(product)), "{left} {right}");
            assert_eq!(right.times(left), Some(read(product)), "{left} {right}");
            assert_eq!(left.plus(right), Some(read(sum)), "{left} {right}");
            assert_eq!(right.plus(left), Some(read(sum)), "{left} {right}");
        }
        let most = Fraction::scaled(i128::MAX, 0);
        assert_eq!(most.times(read("2")), None);
        assert_eq!(most.plus(read("1")), None);
        assert_eq!(most.rounded(6, Rounding::Down), None);
        assert_eq!(
            most.over(7).and_then(|part| part.times(read("7"))),
            Some(most)
        );
    }

    #[test]
    fn rounds_once() {
        for (given, up, down, half_up, half_even) in [
            ("10/21", 476_191, 476_190, 476_190, 476_190),
            ("1/2000000", 1, 0, 1, 0),
            ("3/2000000", 2, 1, 2, 2),
            ("3.2", 3_200_000, 3_200_000, 3_200_000, 3_200_000),
            ("0", 0, 0, 0, 0),
        ] {
            let rounded = [
                Rounding::Up,
                Rounding::Down,
                Rounding::HalfUp,
                Rounding::HalfEven,
            ]
            .map(|rounding| read(given).rounded(6, rounding));
            let expected = [up, down, half_up, half_even].map(Some);
            assert_eq!(rounded, expected, "{given}");
        }
    }
}
