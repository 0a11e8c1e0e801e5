//! Which price and which cost an event meets, found without allocation.
//!
//! Owns a table's names as small numbers, and its rules in the order in which they win. Leaves
//! what conditions mean to `when` and the arithmetic to `formula`.
//!
//! Invariant: of the rules that an event meets the one with the most conditions comes first; the
//! checks of `fault` leave no two of them equal.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::formula::{Formula, Share};
use super::when::{EVENT_TYPE, Match, When};
use super::{Cost, Price, Shape};
use crate::domain::decimal::quantity_from_json;
use crate::domain::event::Value;
use crate::domain::text::Brief;
use crate::domain::units::Quantity;

/// Millionths of a measure times 10^-12 credits, over this, are microcredits.
const CREDITS_UNIT: i128 = 1_000_000_000_000;

/// Millionths of a measure times nano-dollars, over this, are nano-dollars.
const USD_UNIT: i128 = 1_000_000;

/// One table made ready for [`rate`](crate::domain::rating::rate).
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    types: Names,
    /// Names of dimensions and measures; a name's number is its cell.
    members: Names,
    uses: Vec<Use>,
    /// Texts that conditions ask for.
    texts: Names,
    pub(crate) prices: Rules,
    pub(crate) costs: Rules,
}

/// What a member is named for, so that no other value is looked at.
#[derive(Clone, Copy, Debug)]
struct Use {
    dimension: bool,
    measure: bool,
}

/// What an event holds under one name, as far as the table cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Not there, or nothing that a condition or formula could be about.
    Absent,
    /// One of the texts that conditions ask for, by number.
    Text(usize),
    Bool(bool),
    Measure(Quantity),
    BadMeasure,
}

/// All prices, or all costs, of a table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
    /// For each event type that conditions name, its rules; the most conditions first.
    by_type: Vec<Vec<usize>>,
    /// The rules for any other type.
    of_any_type: Vec<usize>,
}

#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// Conditions on dimensions: the cell's number and what it may hold.
    conditions: Vec<(usize, Vec<Cell>)>,
    /// The cell of the measure that `quantity` names.
    pub(crate) quantity: Option<usize>,
    pub(crate) formula: Formula,
}

impl Index {
    /// Makes a table without faults ready.
    pub(super) fn new(prices: &[Price], costs: &[Cost]) -> Self {
        let whens = || {
            let of_prices = prices.iter().map(|price| &price.when);
            of_prices.chain(costs.iter().map(|cost| &cost.when))
        };
        let conditions = || whens().flat_map(|when| &when.conditions);
        let of_type = conditions().filter(|condition| condition.key == EVENT_TYPE);
        let of_dimension = || conditions().filter(|condition| condition.key != EVENT_TYPE);
        let dimensions: BTreeSet<&str> = of_dimension().map(|one| one.key.as_str()).collect();
        let measures: BTreeSet<&str> = prices
            .iter()
            .flat_map(|price| price.shape.measures())
            .chain(
                costs
                    .iter()
                    .flat_map(|cost| cost.components.iter().map(|one| &*one.measure)),
            )
            .collect();

        let members = Names::new(dimensions.union(&measures).copied().collect());
        let uses = members.names.iter().map(|name| Use {
            dimension: dimensions.contains(&**name),
            measure: measures.contains(&**name),
        });
        let mut index = Self {
            types: Names::new(of_type.flat_map(|one| texts(&one.any_of)).collect()),
            uses: uses.collect(),
            members,
            texts: Names::new(of_dimension().flat_map(|one| texts(&one.any_of)).collect()),
            prices: Rules::default(),
            costs: Rules::default(),
        };
        index.prices = index.rules(prices.iter().map(|price| (&price.when, index.price(price))));
        index.costs = index.rules(costs.iter().map(|cost| (&cost.when, index.cost(cost))));
        index
    }

    /// How many cells an event fills.
    pub(crate) fn cells(&self) -> usize {
        self.uses.len()
    }

    /// The number of an event type that some condition names.
    pub(crate) fn event_type(&self, name: &str) -> Option<usize> {
        self.types.number(name)
    }

    /// The cell of a member, and what goes into it; `None` for members that no rule names.
    pub(crate) fn cell(&self, name: &str, value: Value<'_>) -> Option<(usize, Cell)> {
        let slot = self.members.number(name)?;
        let named_for = self.uses[slot];
        let cell = match value {
            Value::Text(text) if named_for.dimension => {
                self.texts.number(text).map_or(Cell::Absent, Cell::Text)
            }
            Value::Bool(value) => Cell::Bool(value),
            Value::Number(text) if named_for.measure => {
                quantity_from_json(text).map_or(Cell::BadMeasure, Cell::Measure)
            }
            Value::Text(_) | Value::Number(_) | Value::Null | Value::Nested => Cell::Absent,
        };
        Some((slot, cell))
    }

    fn price(&self, price: &Price) -> (Option<usize>, Formula) {
        match &price.shape {
            Shape::Flat { credits_pico } => (None, Formula::flat(*credits_pico, CREDITS_UNIT)),
            Shape::PerUnit {
                measure,
                credits_pico,
            } => {
                let shares = self.shares([(measure.as_str(), *credits_pico, 1)].into_iter());
                (
                    self.members.number(measure),
                    Formula::sum(&shares, CREDITS_UNIT),
                )
            }
            Shape::Components(components) => {
                let shares = components
                    .iter()
                    .map(|c| (&*c.measure, c.credits_pico, c.per));
                (None, Formula::sum(&self.shares(shares), CREDITS_UNIT))
            }
        }
    }

    fn cost(&self, cost: &Cost) -> (Option<usize>, Formula) {
        let shares = cost
            .components
            .iter()
            .map(|c| (&*c.measure, c.usd_nano, c.per));
        (None, Formula::sum(&self.shares(shares), USD_UNIT))
    }

    fn shares<'a>(&self, shares: impl Iterator<Item = (&'a str, i128, u64)>) -> Vec<Share> {
        shares
            .filter_map(|(measure, amount, per)| {
                self.members
                    .number(measure)
                    .map(|slot| Share { slot, amount, per })
            })
            .collect()
    }

    fn rules<'a>(
        &self,
        rules: impl Iterator<Item = (&'a When, (Option<usize>, Formula))>,
    ) -> Rules {
        let (whens, parts): (Vec<_>, Vec<_>) = rules.unzip();
        let mut order: Vec<usize> = (0..whens.len()).collect();
        order.sort_by_key(|rule| Reverse(whens[*rule].conditions.len()));
        let of_type = |name: &str| {
            let allows = |any_of: &[Match]| texts(any_of).any(|text| text == name);
            let holds = |rule: &&usize| whens[**rule].event_types().is_none_or(allows);
            order.iter().filter(holds).copied().collect()
        };
        let any = |rule: &&usize| whens[**rule].event_types().is_none();
        let rule = |(when, (quantity, formula)): (&&When, (Option<usize>, Formula))| Rule {
            conditions: self.conditions(when),
            quantity,
            formula,
        };
        Rules {
            by_type: self.types.names.iter().map(|name| of_type(name)).collect(),
            of_any_type: order.iter().filter(any).copied().collect(),
            rules: whens.iter().zip(parts).map(rule).collect(),
        }
    }

    fn conditions(&self, when: &When) -> Vec<(usize, Vec<Cell>)> {
        let cell = |one: &Match| match one {
            Match::Text(text) => self.texts.number(text).map(Cell::Text),
            Match::Bool(value) => Some(Cell::Bool(*value)),
        };
        when.conditions
            .iter()
            .filter_map(|condition| {
                let slot = self.members.number(&condition.key)?;
                let is_dimension = condition.key != EVENT_TYPE;
                is_dimension.then(|| (slot, condition.any_of.iter().filter_map(cell).collect()))
            })
            .collect()
    }
}

impl Rules {
    /// The first rule in winning order that the event meets, and its place in the table.
    pub(crate) fn first(
        &self,
        event_type: Option<usize>,
        cells: &[Cell],
    ) -> Option<(usize, &Rule)> {
        let order = event_type.map_or(&self.of_any_type, |number| &self.by_type[number]);
        let meets = |rule: &Rule| {
            rule.conditions
                .iter()
                .all(|(at, any)| any.contains(&cells[*at]))
        };
        order
            .iter()
            .map(|place| (*place, &self.rules[*place]))
            .find(|(_, rule)| meets(rule))
    }
}

impl Shape {
    fn measures(&self) -> Vec<&str> {
        match self {
            Self::Flat { .. } => Vec::new(),
            Self::PerUnit { measure, .. } => vec![measure],
            Self::Components(components) => components.iter().map(|one| &*one.measure).collect(),
        }
    }
}

fn texts(any_of: &[Match]) -> impl Iterator<Item = &str> {
    any_of.iter().filter_map(|one| match one {
        Match::Text(text) => Some(text.as_str()),
        Match::Bool(_) => None,
    })
}

/// A fixed set of names, each with its number; a hash table without growth. A producer cannot make
/// a search longer than the table's own names do.
#[derive(Clone, Debug, Default)]
struct Names {
    names: Vec<Box<str>>,
    /// Numbers of names; at least half are free, and a name lies at or after its hash.
    buckets: Vec<Option<(Brief, u32)>>,
}

impl Names {
    fn new(names: BTreeSet<&str>) -> Self {
        let mut buckets = vec![None; (names.len() * 2).next_power_of_two()];
        for (number, name) in names.iter().enumerate() {
            let brief = Brief::of(name);
            let mut at = brief.quick_hash() & (buckets.len() - 1);
            while buckets[at].is_some() {
                at = (at + 1) & (buckets.len() - 1);
            }
            buckets[at] = Some((brief, number as u32));
        }
        Self {
            names: names.into_iter().map(Box::from).collect(),
            buckets,
        }
    }

    #[inline]
    fn number(&self, name: &str) -> Option<usize> {
        let mask = self.buckets.len().checked_sub(1)?;
        let brief = Brief::of(name);
        let mut at = brief.quick_hash() & mask;
        while let Some((known, number)) = self.buckets[at] {
            let number = number as usize;
            if known == brief && (brief.is_whole() || *self.names[number] == *name) {
                return Some(number);
            }
            at = (at + 1) & mask;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Their first and last bytes are looked at first.
    #[test]
    fn long_names_with_the_same_ends_are_two() {
        let names = Names::new(["northern-1-warehouses", "northern-2-warehouses"].into());
        let numbers = [1, 2, 3].map(|n| names.number(&format!("northern-{n}-warehouses")));
        assert_eq!(numbers, [Some(0), Some(1), None]);
    }
}
