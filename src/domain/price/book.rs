//! All versions of the price table.
//!
//! Owns which version is in force when. Leaves what a version says to [`PriceTable`].
//!
//! Invariant: at least one version, sorted by `effective_from`, no two equal, none with a fault.

use super::PriceTable;
use super::fault::{Fault, check_table, check_versions};
use super::index::Index;
use crate::domain::units::Timestamp;

/// The versions in the order in which they take effect.
#[derive(Clone, Debug)]
pub struct PriceBook {
    tables: Vec<PriceTable>,
}

impl PriceBook {
    /// The longest time, in microseconds, that a copy may come after the charged event.
    pub fn longest_window(&self) -> i64 {
        let windows = self.tables().iter().map(|table| table.rules.window);
        windows.max().unwrap_or_default()
    }

    /// Puts versions, given in any order, in force.
    ///
    /// # Errors
    ///
    /// Every fault; its places count `tables` as given. No table at all is one.
    pub fn new(mut tables: Vec<PriceTable>) -> Result<Self, Vec<Fault>> {
        let inside = tables
            .iter()
            .enumerate()
            .flat_map(|(at, table)| check_table(at, table));
        let mut faults: Vec<Fault> = inside.collect();
        faults.extend(check_versions(&tables));
        if !faults.is_empty() {
            return Err(faults);
        }
        tables.sort_by_key(|table| table.effective_from);
        for table in &mut tables {
            table.index = Index::new(&table.prices, &table.costs);
        }
        Ok(Self { tables })
    }

    /// All versions, the first in force first.
    pub fn tables(&self) -> &[PriceTable] {
        &self.tables
    }

    /// The place in [`tables`](Self::tables) of the version in force at `at`: the last whose
    /// `effective_from` is not after it. `None` before the first.
    pub fn in_force(&self, at: Timestamp) -> Option<usize> {
        let begun = self
            .tables
            .partition_point(|table| table.effective_from <= at);
        begun.checked_sub(1)
    }

    /// The same, and the first version before it is in force.
    pub fn in_force_or_first(&self, at: Timestamp) -> usize {
        self.in_force(at).unwrap_or(0)
    }

    /// The version that gives a period from `start` its plan terms: the one in force then, or
    /// else the first; if that does not know the plan yet, the first later one that does.
    pub fn terms_table(&self, start: Timestamp, plan: &str) -> &PriceTable {
        let tables = &self.tables[self.in_force_or_first(start)..];
        let knows = tables.iter().find(|table| table.plan(plan).is_some());
        knows.unwrap_or(&tables[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decimal::Rounding;
    use crate::domain::price::{
        Alerts, Component, Condition, Cost, CostComponent, Item, Match, Overage, Plan, Price,
        Shape, When,
    };
    use crate::domain::units::{Credits, Money};

    fn when(text: &str) -> When {
        let condition = |part: &str| {
            let (key, values) = part.split_once('=')?;
            let any_of = values
                .split('|')
                .map(|value| Match::Text(value.to_owned()))
                .collect();
            Some(Condition {
                key: key.to_owned(),
                any_of,
            })
        };
        When {
            conditions: text.split(',').filter_map(condition).collect(),
        }
    }

    fn pers(text: &str) -> impl Iterator<Item = u64> {
        text.split('|').map(|per| per.parse().unwrap())
    }

    /// `version:V effective:N default:P price:ID/WHEN/PERS cost:WHEN/PERS plan:ID`.
    fn table(text: &str) -> PriceTable {
        let mut table = PriceTable::new("v1".to_owned(), Timestamp::EPOCH);
        for word in text.split_whitespace() {
            let (key, value) = word.split_once(':').unwrap();
            let parts: Vec<&str> = value.split('/').collect();
            let measure = "tokens".to_owned();
            match key {
                "version" => table.version = value.to_owned(),
                "effective" => table.effective_from = Timestamp::new(value.parse().unwrap()),
                "default" => table.default_plan = Some(value.to_owned()),
                "price" => {
                    let one = |per| Component {
                        measure: measure.clone(),
                        per,
                        credits_pico: 1,
                    };
                    table.prices.push(Price {
                        id: parts[0].to_owned(),
                        task: "task".to_owned(),
                        unit: "unit".to_owned(),
                        when: when(parts[1]),
                        shape: Shape::Components(pers(parts[2]).map(one).collect()),
                        minimum: Credits::ZERO,
                        rounding: Rounding::HalfUp,
                    });
                }
                "cost" => {
                    let one = |per| CostComponent {
                        measure: measure.clone(),
                        per,
                        usd_nano: 1,
                    };
                    let components = pers(parts[1]).map(one).collect();
                    table.costs.push(Cost {
                        when: when(parts[0]),
                        components,
                    });
                }
                _ => table.plans.push(Plan {
                    id: value.to_owned(),
                    name: "name".to_owned(),
                    fee: Money::ZERO,
                    currency: "USD".to_owned(),
                    pool: Credits::ZERO,
                    alerts: Alerts::default(),
                    rollover: None,
                    overage: Overage::Block,
                }),
            }
        }
        table
    }

    fn item(item: Item) -> String {
        match item {
            Item::Version => "version".to_owned(),
            Item::EffectiveFrom => "effective_from".to_owned(),
            Item::DefaultPlan => "default_plan".to_owned(),
            Item::Price(at) => format!("price {at}"),
            Item::Cost(at) => format!("cost {at}"),
            Item::Plan(at) => format!("plan {at}"),
        }
    }

    /// Tables are divided by `;`; each expected fault is its table, item and some of its words.
    fn check(tables: &str, expected: &[&str]) {
        let given = tables
            .split(';')
            .filter(|text| !text.trim().is_empty())
            .map(table)
            .collect();
        let faults = PriceBook::new(given).map(|_| ()).err().unwrap_or_default();
        let told: Vec<String> = faults
            .iter()
            .map(|fault| format!("{} {}: {}", fault.at.table, item(fault.at.item), fault.kind))
            .collect();
        assert_eq!(told.len(), expected.len(), "{tables}: {told:#?}");
        for (told, expected) in told.iter().zip(expected) {
            let (place, words) = expected.split_once(": ").unwrap();
            let is_right = told.starts_with(&format!("{place}: ")) && told.contains(words);
            assert!(is_right, "{tables}: {told} is not {expected}");
        }
    }

    #[test]
    fn every_fault_of_a_set_is_told() {
        check("", &["0 version: no price version"]);
        check("plan:a", &[]);
        check(
            "; version:v1 ; version:v1 effective:1",
            &["1 version: \"v1\" is taken"],
        );
        check(
            " version:a ; version:b",
            &["1 effective_from: \"a\" takes effect"],
        );
        check(
            "version:b effective:1 ; version:a plan:x",
            &["0 version: plan \"x\" of version \"a\""],
        );
        check(
            "version:a plan:x ; version:b effective:1 plan:y; version:c effective:2",
            &[
                "1 version: plan \"x\" of version \"a\"",
                "2 version: plan \"x\" of version \"a\"",
                "2 version: plan \"y\" of version \"b\"",
            ],
        );
        check(
            "default:x plan:a plan:b",
            &["0 default_plan: one of: \"a\", \"b\""],
        );
        check("default:x", &["0 default_plan: there is none"]);
        check("default:a plan:a plan:a", &["0 plan 1: \"a\" is taken"]);
        check(
            "price:p/a=1/1 price:p/a=2/1 price:p/b=1/1",
            &[
                "0 price 1: id \"p\" is taken",
                "0 price 2: id \"p\" is taken",
                "0 price 2: match this price and price \"p\"",
                "0 price 2: match this price and price \"p\"",
            ],
        );
        check(
            "price:p//1 price:q//1",
            &["0 price 1: price \"p\" with equally"],
        );
        check(
            "price:p//1 price:q/a=1/1 price:r/a=1,b=1/1 price:s/a=1,b=2|3/1",
            &[],
        );
        check("cost:a=1|2/1 cost:a=2|3/1", &["0 cost 1: equally many"]);
        check("price:p//100000000000 cost:/3|1000", &[]);
        check(
            "price:p//100000000001",
            &["0 price 0: common multiple up to 100000000000"],
        );
        check("cost:/999999937|1000", &["0 cost 0: common multiple"]);
    }

    #[test]
    fn a_version_holds_from_its_instant_to_the_next() {
        let tables = ["version:b effective:20", "version:a effective:10"].map(table);
        let book = PriceBook::new(tables.to_vec()).unwrap();
        assert_eq!(book.tables()[0].version, "a");
        let cases = [
            (9, None, 0),
            (10, Some(0), 0),
            (19, Some(0), 0),
            (20, Some(1), 1),
            (i64::MAX, Some(1), 1),
        ];
        for (at, in_force, or_first) in cases {
            let at = Timestamp::new(at);
            assert_eq!(
                (book.in_force(at), book.in_force_or_first(at)),
                (in_force, or_first)
            );
        }
    }
}
