//! Where things stand in the picture of a burn-down.
//!
//! Owns the geometry, in whole numbers. Leaves looks and words to the page.
//!
//! Invariant: a picture is [`FULL`] wide and high whatever it shows; time goes right, credits up.

use std::fmt::Write;

/// Width and height of a picture.
pub(super) const FULL: i64 = 10_000;

/// A wallet at the end of an hour, in seconds since 1970 and microcredits.
#[derive(Clone, Copy, Debug, serde::Deserialize)]
pub(super) struct Point {
    pub(super) at: i64,
    pub(super) used: i64,
    pub(super) balance: i64,
}

/// What is drawn; instants in seconds since 1970.
pub(super) struct BurnDown<'a> {
    /// In the order of time.
    pub(super) points: &'a [Point],
    /// First second of the period, and the one after its last.
    pub(super) span: (i64, i64),
    pub(super) now: i64,
    /// A wallet that is closed raises no alert after its last point.
    pub(super) is_closed: bool,
    /// Percents of the credits whose use raises an alert.
    pub(super) thresholds: &'a [i64],
    /// Where the pace leads: the instant and the microcredits that remain then.
    pub(super) heading: Option<(i64, i64)>,
}

impl BurnDown<'_> {
    /// The credits at the upper edge: the most that there were to use, rounded up to two digits.
    pub(super) fn top(&self) -> i64 {
        let most = |point: &Point| credits(point).max(point.balance);
        let most = self
            .points
            .iter()
            .map(most)
            .max()
            .unwrap_or_default()
            .max(1);
        let step = 10_i64.pow(most.ilog10().saturating_sub(1));
        most.saturating_add(step - 1) / step * step
    }

    /// How far right an instant is; what lies outside is at the edge.
    pub(super) fn x(&self, at: i64) -> i64 {
        let (start, end) = self.span;
        part(at - start, end - start)
    }

    /// How far down so many credits are.
    pub(super) fn y(&self, credits: i64) -> i64 {
        FULL - part(credits, self.top())
    }

    /// The balance, as the steps of a path, from the first point until now.
    pub(super) fn balance(&self) -> String {
        self.stairs(|point| point.balance, self.now)
    }

    /// The same, closed along the lower edge.
    pub(super) fn area(&self) -> String {
        let Some(first) = self.points.first() else {
            return String::new();
        };
        format!("{}V{FULL}H{}Z", self.balance(), self.x(first.at))
    }

    /// The balance at which so many percent of the credits are used, until the period's end or the
    /// wallet's, and how far down it ends.
    pub(super) fn threshold(&self, percent: i64) -> (String, i64) {
        let level = |point: &Point| credits(point) / 100 * (100 - percent);
        let last = self.points.last();
        let until = last.filter(|_| self.is_closed).map(|point| point.at);
        let path = self.stairs(level, until.unwrap_or(self.span.1));
        (path, self.y(last.map(level).unwrap_or_default()))
    }

    /// From where the wallet stands to where its pace leads.
    pub(super) fn heading(&self) -> Option<String> {
        let (at, credits) = self.heading?;
        let last = self.points.last()?;
        let from = (self.x(self.now), self.y(last.balance));
        let to = (self.x(at), self.y(credits));
        Some(format!("M{} {}L{} {}", from.0, from.1, to.0, to.1))
    }

    /// Begins with what there was to use in the first hour.
    fn stairs(&self, level: impl Fn(&Point) -> i64, until: i64) -> String {
        let mut path = String::new();
        let begun = self.points.first().map(|first| Point {
            used: 0,
            balance: credits(first),
            ..*first
        });
        for point in begun.iter().chain(self.points) {
            let (x, y) = (self.x(point.at), self.y(level(point)));
            let written = match path.is_empty() {
                true => write!(path, "M{x} {y}"),
                false => write!(path, "H{x}V{y}"),
            };
            written.expect("a string takes all");
        }
        if !path.is_empty() {
            write!(path, "H{}", self.x(until)).expect("a string takes all");
        }
        path
    }
}

/// What the wallet had to use up to then: what was used, net of reversals, and what is left.
fn credits(point: &Point) -> i64 {
    point.used.saturating_add(point.balance)
}

/// `part` of `whole` in [`FULL`], between nothing and all.
pub(super) fn part(part: i64, whole: i64) -> i64 {
    let full = i128::from(part.max(0)) * i128::from(FULL) / i128::from(whole.max(1));
    i64::try_from(full.min(i128::from(FULL))).unwrap_or(FULL)
}

/// A part of [`FULL`] in percent, as CSS takes it.
pub(super) fn percent(part: i64) -> String {
    format!("{}.{:02}%", part / 100, part % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points() -> Vec<Point> {
        [
            (0, 100, 900),
            (25, 400, 600),
            (50, 400, 1100),
            (60, 900, 600),
        ]
        .map(|(at, used, balance)| Point { at, used, balance })
        .to_vec()
    }

    #[test]
    fn a_purchase_lifts_the_balance_and_the_thresholds() {
        let points = points();
        let drawn = BurnDown {
            points: &points,
            span: (0, 100),
            now: 80,
            is_closed: false,
            thresholds: &[80],
            heading: Some((95, 0)),
        };
        assert_eq!(drawn.top(), 1500);
        assert_eq!(
            drawn.balance(),
            "M0 3334H0V4000H2500V6000H5000V2667H6000V6000H8000"
        );
        assert_eq!(drawn.area(), format!("{}V10000H0Z", drawn.balance()));
        // A fifth of 1000, and of 1500 from the purchase on.
        let (path, y) = drawn.threshold(80);
        assert_eq!(path, "M0 8667H0V8667H2500V8667H5000V8000H6000V8000H10000");
        assert_eq!(y, 8000);
        assert_eq!(drawn.heading().as_deref(), Some("M8000 6000L9500 10000"));
        let closed = BurnDown {
            is_closed: true,
            ..drawn
        };
        let (path, _) = closed.threshold(80);
        assert_eq!(path, "M0 8667H0V8667H2500V8667H5000V8000H6000V8000H6000");
    }

    #[test]
    fn what_was_given_back_lowers_the_thresholds() {
        let points = [Point {
            at: 0,
            used: -275,
            balance: 975,
        }];
        let drawn = BurnDown {
            points: &points,
            span: (0, 100),
            now: 0,
            is_closed: false,
            thresholds: &[50],
            heading: None,
        };
        // Half of 700, of a picture that is 980 high.
        assert_eq!((drawn.top(), drawn.threshold(50).1), (980, drawn.y(350)));
    }

    #[test]
    fn nothing_to_draw_draws_nothing() {
        let drawn = BurnDown {
            points: &[],
            span: (0, 0),
            now: 0,
            is_closed: false,
            thresholds: &[],
            heading: Some((0, 0)),
        };
        assert_eq!((drawn.top(), drawn.x(7), drawn.y(7)), (1, FULL, 0));
        assert_eq!(
            (drawn.balance(), drawn.area()),
            (String::new(), String::new())
        );
        assert_eq!(
            (drawn.threshold(80).0, drawn.heading()),
            (String::new(), None)
        );
    }

    #[test]
    fn parts_stay_within_the_whole() {
        assert_eq!([part(-1, 10), part(5, 10), part(11, 10)], [0, 5000, FULL]);
        assert_eq!(part(i64::MAX, 1), FULL);
        assert_eq!(
            [percent(0), percent(3334), percent(FULL)],
            ["0.00%", "33.34%", "100.00%"]
        );
    }
}
