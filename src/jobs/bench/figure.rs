//! A line of the bench's table, and what it should be.
//!
//! Owns ratios and the sides of targets. Leaves how a figure is shown to the command line.

use super::measure::Spread;

/// A line of the table.
#[derive(Clone, Debug)]
pub struct Figure {
    pub what: &'static str,
    pub ours: Spread,
    /// Absent: the figure stands for itself.
    pub theirs: Option<Spread>,
    pub unit: Unit,
    /// Hundredths: of ours, or of how ours stands to theirs.
    pub value: u64,
    pub at_least: Option<Target>,
    pub aim: Option<Target>,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Micros,
    Bytes,
    Count,
}

/// What a value should be, in hundredths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    AtLeast(u64),
    AtMost(u64),
}

impl Figure {
    /// Whether it is below what it must be.
    pub fn is_missed(&self) -> bool {
        let target = self.at_least;
        target.is_some_and(|target| !target.is_met_by(self.value))
    }
}

impl Target {
    /// Whether `value` reaches it.
    pub fn is_met_by(self, value: u64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }
}

/// How many hundredths of `other` the median of `one` is, cut.
pub(super) fn hundredths(one: Spread, other: Spread) -> u64 {
    100 * one.median / other.median.max(1)
}

/// How fast ours is against theirs, by what the rounds of each took in microseconds.
pub(super) fn speed(what: &'static str, times: [Vec<u64>; 2], targets: [Target; 2]) -> Figure {
    ratio(what, times, targets, |ours, theirs| {
        hundredths(theirs, ours)
    })
}

/// How long ours takes against theirs, by what the rounds of each took in microseconds.
pub(super) fn time(what: &'static str, times: [Vec<u64>; 2], targets: [Target; 2]) -> Figure {
    ratio(what, times, targets, hundredths)
}

fn ratio(
    what: &'static str,
    [ours, theirs]: [Vec<u64>; 2],
    [at_least, aim]: [Target; 2],
    value: fn(Spread, Spread) -> u64,
) -> Figure {
    let [ours, theirs] = [ours, theirs].map(|times| Spread::of(times.into_iter()));
    Figure {
        what,
        ours,
        theirs: Some(theirs),
        unit: Unit::Micros,
        value: value(ours, theirs),
        at_least: Some(at_least),
        aim: Some(aim),
    }
}

/// What was measured once.
pub(super) fn once(figure: u64) -> Spread {
    Spread::of([figure].into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_of_medians_and_a_target_has_a_side() {
        let spread = |median| Spread {
            least: 1,
            median,
            most: 900,
        };
        let value = hundredths(spread(300), spread(200));
        assert_eq!(value, 150);
        assert!(Target::AtLeast(150).is_met_by(value) && !Target::AtLeast(151).is_met_by(value));
        assert!(Target::AtMost(150).is_met_by(value) && !Target::AtMost(149).is_met_by(value));
        for (at_least, is_missed) in [
            (None, false),
            (Some(Target::AtMost(150)), false),
            (Some(Target::AtMost(149)), true),
        ] {
            let figure = Figure {
                what: "a figure",
                ours: spread(300),
                theirs: Some(spread(200)),
                unit: Unit::Micros,
                value,
                at_least,
                aim: None,
            };
            assert_eq!(figure.is_missed(), is_missed);
        }
    }
}
