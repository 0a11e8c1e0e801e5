//! The integers that a price or cost is reckoned with.
//!
//! Owns bringing components to one denominator and summing an event's measures over it. Leaves
//! rounding, minimum and bounds to `rating`.
//!
//! Invariant: exact. The common divisor of the components is at most [`DIVISOR_MAX`], so a sum
//! that does not fit `i128` is a charge of more than 10^9 credits and a cost of more than 10^9.

use super::index::Cell;
use crate::domain::units::MICROS;

/// The largest least common multiple of components' divisors that a table may have.
///
/// A sum over `i128::MAX` is then at least 1.7 · 10^38 ÷ (10^11 · 10^12) microcredits, which is
/// 1.7 · 10^9 credits; for costs, whose unit is finer by less, far more.
pub(super) const DIVISOR_MAX: i128 = 100_000_000_000;

/// `amount` of the smallest unit for `per` of a measure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    pub(super) slot: usize,
    pub(super) amount: i128,
    pub(super) per: u64,
}

/// (constant + Σ factor · measure) ÷ divisor, with measures in millionths.
#[derive(Clone, Debug)]
pub(crate) struct Formula {
    constant: i128,
    terms: Vec<Term>,
    pub(crate) divisor: i128,
}

#[derive(Clone, Copy, Debug)]
struct Term {
    slot: usize,
    factor: i128,
}

/// A measure that the formula names is negative or too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadMeasure;

impl Formula {
    /// `amount` for each event, as if for one of a measure.
    pub(super) fn flat(amount: i128, unit: i128) -> Self {
        Self {
            constant: amount * i128::from(MICROS),
            terms: Vec::new(),
            divisor: unit,
        }
        .reduced()
    }

    /// The sum of `shares`, whose common divisor was checked; `unit` turns millionths of a measure
    /// times amounts into the result's smallest unit.
    pub(super) fn sum(shares: &[Share], unit: i128) -> Self {
        let common = common_divisor(shares.iter().map(|share| (share.amount, share.per)));
        let term = |share: &Share| {
            let (amount, per) = lowest(share.amount, share.per);
            Term {
                slot: share.slot,
                factor: amount * (common / per),
            }
        };
        let terms = shares.iter().map(term).collect();
        Self {
            constant: 0,
            terms,
            divisor: common * unit,
        }
        .reduced()
    }

    /// The same in lowest terms: small numbers multiply and divide faster.
    fn reduced(mut self) -> Self {
        let factors = self.terms.iter().map(|term| term.factor);
        let shared = factors.fold(gcd(self.divisor, self.constant), gcd);
        self.divisor /= shared;
        self.constant /= shared;
        self.terms.iter_mut().for_each(|term| term.factor /= shared);
        self
    }

    /// The sum before division; `None` when it does not fit. A measure that is absent or of
    /// another type counts zero.
    ///
    /// # Errors
    ///
    /// A measure is bad, wherever it stands: that is told even of a sum that does not fit.
    pub(crate) fn dividend(&self, cells: &[Cell]) -> Result<Option<i128>, BadMeasure> {
        let mut sum = Some(self.constant);
        for term in &self.terms {
            let micros = match cells[term.slot] {
                Cell::Measure(quantity) => quantity.get(),
                Cell::BadMeasure => return Err(BadMeasure),
                Cell::Absent | Cell::Text(_) | Cell::Bool(_) => continue,
            };
            // Two of 64 bits multiply fast and always fit; reduced factors mostly are.
            let share = match i64::try_from(term.factor) {
                Ok(factor) => Some(i128::from(factor) * i128::from(micros)),
                Err(_) => term.factor.checked_mul(i128::from(micros)),
            };
            sum = sum
                .zip(share)
                .and_then(|(sum, share)| sum.checked_add(share));
        }
        Ok(sum)
    }
}

/// The least common multiple of the shares' divisors in lowest terms; once it is above
/// [`DIVISOR_MAX`], any number above it.
pub(super) fn common_divisor(shares: impl Iterator<Item = (i128, u64)>) -> i128 {
    let mut common = 1;
    for (amount, per) in shares {
        let (_, per) = lowest(amount, per);
        common *= per / gcd(common, per);
        if common > DIVISOR_MAX {
            break;
        }
    }
    common
}

fn lowest(amount: i128, per: u64) -> (i128, i128) {
    let per = i128::from(per);
    let shared = gcd(per, amount);
    (amount / shared, per / shared)
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
    use crate::domain::units::Quantity;

    #[test]
    fn shares_come_to_one_small_divisor() {
        let shares = [
            Share {
                slot: 0,
                amount: 250_000_000_000,
                per: 1_000,
            },
            Share {
                slot: 1,
                amount: 1_000_000_000_000,
                per: 1_000,
            },
        ];
        let formula = Formula::sum(&shares, 1_000_000_000_000);
        assert_eq!(formula.divisor, 4_000);
        let cells = [12_800, 900].map(|count| Cell::Measure(Quantity::new(count * MICROS)));
        assert_eq!(
            formula.dividend(&cells),
            Ok(Some(12_800 * 1_000_000 + 4 * 900 * 1_000_000))
        );
        assert_eq!(
            formula.dividend(&[Cell::Absent, Cell::Bool(true)]),
            Ok(Some(0))
        );
        assert_eq!(
            formula.dividend(&[Cell::Text(0), Cell::BadMeasure]),
            Err(BadMeasure)
        );
    }

    #[test]
    fn common_divisors_are_of_lowest_terms() {
        let table: [(&[(i128, u64)], i128); 5] = [
            (&[], 1),
            (&[(0, 7)], 1),
            (&[(14, 7), (1, 6), (1, 4)], 12),
            (&[(1, 100_000_000_000)], DIVISOR_MAX),
            (
                &[(1, 100_000_000_000), (1, 3), (1, u64::MAX)],
                3 * DIVISOR_MAX,
            ),
        ];
        for (shares, expected) in table {
            assert_eq!(common_divisor(shares.iter().copied()), expected);
        }
    }
}
