//! What can be wrong with price tables that are well-formed each for itself.
//!
//! Owns the checks inside one table and between versions. Leaves the form of files, and the lines
//! that faults are on, to `adapters::price_files`.
//!
//! Invariant: every fault is told, not only the first.

use super::formula::{DIVISOR_MAX, common_divisor};
use super::when::When;
use super::{PriceTable, Shape};

/// One thing that is wrong, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub at: Place,
    /// What it clashes with.
    pub other: Option<Place>,
    pub kind: FaultKind,
}

/// A part of one of the tables that were checked, by its place in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub table: usize,
    pub item: Item,
}

/// A part of a table; prices, costs and plans by their place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    Version,
    EffectiveFrom,
    DefaultPlan,
    Price(usize),
    Cost(usize),
    Plan(usize),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultKind {
    #[error("there is no price version; write one")]
    NoVersion,
    #[error("version {version:?} is taken; give each file a version of its own")]
    VersionTaken { version: String },
    #[error(
        "version {version:?} takes effect at the same instant; move `effective_from` of one of \
         them"
    )]
    EffectiveFromTaken { version: String },
    #[error(
        "plan {plan:?} of version {version:?} is missing; a version may not drop a plan, so repeat \
         its [[plan]] here"
    )]
    PlanDropped { plan: String, version: String },
    #[error("`default_plan` {plan:?} is no plan of this version; write one of: {known}")]
    UnknownDefaultPlan { plan: String, known: String },
    #[error("price id {id:?} is taken; give each price an id of its own")]
    PriceIdTaken { id: String },
    #[error("plan id {id:?} is taken; give each plan an id of its own")]
    PlanIdTaken { id: String },
    #[error(
        "an event could match this price and price {other:?} with equally many conditions; \
         add a condition to one of them or keep their values apart"
    )]
    AmbiguousPrices { other: String },
    #[error(
        "an event could match this cost and an earlier one with equally many conditions; \
         add a condition to one of them or keep their values apart"
    )]
    AmbiguousCosts,
    #[error(
        "the `per` of the components have no common multiple up to {DIVISOR_MAX}; write \
         round ones, such as 1000 or 1000000"
    )]
    DivisorTooLarge,
}

/// The faults inside one table, the one in place `table` of those that are checked.
pub fn check_table(table: usize, facts: &PriceTable) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut tell = |item, other: Option<Item>, kind| {
        let place = |item| Place { table, item };
        faults.push(Fault {
            at: place(item),
            other: other.map(place),
            kind,
        });
    };
    if let Some(plan) = &facts.default_plan
        && facts.plan(plan).is_none()
    {
        let known: Vec<_> = facts
            .plans
            .iter()
            .map(|plan| format!("{:?}", plan.id))
            .collect();
        let known = if known.is_empty() {
            "(there is none)".to_owned()
        } else {
            known.join(", ")
        };
        let kind = FaultKind::UnknownDefaultPlan {
            plan: plan.clone(),
            known,
        };
        tell(Item::DefaultPlan, None, kind);
    }
    for (at, price) in facts.prices.iter().enumerate() {
        let same_id = facts.prices[..at]
            .iter()
            .position(|earlier| earlier.id == price.id);
        if let Some(earlier) = same_id {
            let kind = FaultKind::PriceIdTaken {
                id: price.id.clone(),
            };
            tell(Item::Price(at), Some(Item::Price(earlier)), kind);
        }
        for (earlier, other) in facts.prices[..at].iter().enumerate() {
            if is_ambiguous(&price.when, &other.when) {
                let kind = FaultKind::AmbiguousPrices {
                    other: other.id.clone(),
                };
                tell(Item::Price(at), Some(Item::Price(earlier)), kind);
            }
        }
        if let Shape::Components(components) = &price.shape
            && common_divisor(components.iter().map(|c| (c.credits_pico, c.per))) > DIVISOR_MAX
        {
            tell(Item::Price(at), None, FaultKind::DivisorTooLarge);
        }
    }
    for (at, cost) in facts.costs.iter().enumerate() {
        for (earlier, other) in facts.costs[..at].iter().enumerate() {
            if is_ambiguous(&cost.when, &other.when) {
                tell(
                    Item::Cost(at),
                    Some(Item::Cost(earlier)),
                    FaultKind::AmbiguousCosts,
                );
            }
        }
        if common_divisor(cost.components.iter().map(|c| (c.usd_nano, c.per))) > DIVISOR_MAX {
            tell(Item::Cost(at), None, FaultKind::DivisorTooLarge);
        }
    }
    for (at, plan) in facts.plans.iter().enumerate() {
        let same_id = facts.plans[..at]
            .iter()
            .position(|earlier| earlier.id == plan.id);
        if let Some(earlier) = same_id {
            let kind = FaultKind::PlanIdTaken {
                id: plan.id.clone(),
            };
            tell(Item::Plan(at), Some(Item::Plan(earlier)), kind);
        }
    }
    faults
}

fn is_ambiguous(one: &When, other: &When) -> bool {
    one.conditions.len() == other.conditions.len() && one.overlaps(other)
}

/// The faults between versions, given in any order.
pub fn check_versions(tables: &[PriceTable]) -> Vec<Fault> {
    let mut faults = Vec::new();
    if tables.is_empty() {
        let at = Place {
            table: 0,
            item: Item::Version,
        };
        faults.push(Fault {
            at,
            other: None,
            kind: FaultKind::NoVersion,
        });
    }
    for (at, table) in tables.iter().enumerate() {
        for (before, other) in tables[..at].iter().enumerate() {
            let mut tell = |item, kind| {
                let place = |table| Place { table, item };
                faults.push(Fault {
                    at: place(at),
                    other: Some(place(before)),
                    kind,
                });
            };
            if other.version == table.version {
                let kind = FaultKind::VersionTaken {
                    version: table.version.clone(),
                };
                tell(Item::Version, kind);
            }
            if other.effective_from == table.effective_from {
                let kind = FaultKind::EffectiveFromTaken {
                    version: other.version.clone(),
                };
                tell(Item::EffectiveFrom, kind);
            }
        }
        faults.extend(dropped_plans(tables, at));
    }
    faults
}

/// The plans that earlier versions have and the one in place `at` has not, each told once.
fn dropped_plans(tables: &[PriceTable], at: usize) -> Vec<Fault> {
    let table = &tables[at];
    let mut missing: Vec<&str> = Vec::new();
    let mut faults = Vec::new();
    for (before, other) in tables.iter().enumerate() {
        if other.effective_from >= table.effective_from {
            continue;
        }
        for (plan, facts) in other.plans.iter().enumerate() {
            if table.plan(&facts.id).is_none() && !missing.contains(&&*facts.id) {
                missing.push(&facts.id);
                let (plan_id, version) = (facts.id.clone(), other.version.clone());
                faults.push(Fault {
                    at: Place {
                        table: at,
                        item: Item::Version,
                    },
                    other: Some(Place {
                        table: before,
                        item: Item::Plan(plan),
                    }),
                    kind: FaultKind::PlanDropped {
                        plan: plan_id,
                        version,
                    },
                });
            }
        }
    }
    faults
}
