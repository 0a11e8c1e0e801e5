//! Which alerts a receiver gets.
//!
//! Owns the kinds that there are, and the subjects that a filter stands for. Leaves choosing to
//! the broker, but for what it had given out before a filter was narrowed.
//!
//! Invariant: pure; no subject of a filter takes what another one of it takes.

use std::collections::BTreeSet;

use crate::domain::customer::is_customer;

/// Every kind of alert.
pub const KINDS: [&str; 5] = ["used", "overage", "run_out", "expiring", "status"];

/// A consumer's settings travel in one message of the broker, so their number is bounded.
const SUBJECTS_MAX: usize = 1_000;

/// A kind and a customer must be among these; an empty set stands for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    kinds: BTreeSet<String>,
    customers: BTreeSet<String>,
}

/// Why no alert can pass a filter, or why it is too large.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterFault {
    #[error("{kind:?} is no kind of alert; write one of used, overage, run_out, expiring, status")]
    Kind { kind: String },
    #[error(
        "{customer:?} can't be a customer; write a name without white space, `.`, `*` and `>`, or \
         nothing for all"
    )]
    Customer { customer: String },
    #[error(
        "kinds × customers are {subjects}, more than {max}; write fewer customers, or no kinds \
         for all of them",
        max = SUBJECTS_MAX
    )]
    TooMany { subjects: usize },
}

impl Filter {
    /// A filter for these kinds and customers; none stands for all.
    ///
    /// # Errors
    ///
    /// [`FilterFault`] names the first that is no good.
    pub fn new(kinds: &[String], customers: &[String]) -> Result<Self, FilterFault> {
        if let Some(kind) = kinds.iter().find(|kind| !KINDS.contains(&kind.as_str())) {
            let kind = kind.clone();
            return Err(FilterFault::Kind { kind });
        }
        if let Some(customer) = customers.iter().find(|customer| !is_customer(customer)) {
            let customer = customer.clone();
            return Err(FilterFault::Customer { customer });
        }
        let filter = Self {
            kinds: kinds.iter().cloned().collect(),
            customers: customers.iter().cloned().collect(),
        };
        let subjects = filter.kinds.len().max(1) * filter.customers.len().max(1);
        if subjects > SUBJECTS_MAX {
            return Err(FilterFault::TooMany { subjects });
        }
        Ok(filter)
    }

    /// The subjects of `alerts.<customer>.<kind>.<id>` that pass, in order.
    pub fn subjects(&self) -> Vec<String> {
        let customers = words(&self.customers);
        let kinds = words(&self.kinds);
        let pairs = customers
            .iter()
            .flat_map(|customer| kinds.iter().map(move |kind| (customer, kind)));
        pairs
            .map(|(customer, kind)| format!("alerts.{customer}.{kind}.*"))
            .collect()
    }

    /// Whether an alert of this customer and kind is one of those.
    pub fn passes(&self, customer: &str, kind: &str) -> bool {
        let is_in =
            |chosen: &BTreeSet<String>, word: &str| chosen.is_empty() || chosen.contains(word);
        is_in(&self.customers, customer) && is_in(&self.kinds, kind)
    }
}

fn words(chosen: &BTreeSet<String>) -> Vec<&str> {
    if chosen.is_empty() {
        return vec!["*"];
    }
    chosen.iter().map(String::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kinds, customers, subjects.
    type Row = (
        &'static [&'static str],
        &'static [&'static str],
        &'static [&'static str],
    );

    fn owned(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_filter_stands_for_subjects_that_do_not_overlap() {
        let rows: [Row; 5] = [
            (&[], &[], &["alerts.*.*.*"]),
            (&["used"], &[], &["alerts.*.used.*"]),
            (&[], &["acme"], &["alerts.acme.*.*"]),
            (
                &["used", "used"],
                &["acme", "acme"],
                &["alerts.acme.used.*"],
            ),
            (
                &["used", "run_out"],
                &["b:/-_c", "客户"],
                &[
                    "alerts.b:/-_c.run_out.*",
                    "alerts.b:/-_c.used.*",
                    "alerts.客户.run_out.*",
                    "alerts.客户.used.*",
                ],
            ),
        ];
        for (kinds, customers, wanted) in rows {
            let filter = Filter::new(&owned(kinds), &owned(customers)).unwrap();
            assert_eq!(filter.subjects(), wanted, "{kinds:?} {customers:?}");
        }
    }

    #[test]
    fn an_alert_passes_by_its_customer_and_its_kind() {
        /// Kinds, customers, an alert's customer and kind, whether it passes.
        type Passing = (
            &'static [&'static str],
            &'static [&'static str],
            &'static str,
            &'static str,
            bool,
        );
        let rows: [Passing; 9] = [
            (&[], &[], "acme", "used", true),
            (&[], &[], "", "", true),
            (&["used"], &[], "acme", "used", true),
            (&["used"], &[], "acme", "status", false),
            (&[], &["acme"], "acme", "status", true),
            (&[], &["acme"], "globex", "status", false),
            (&["used"], &["acme"], "acme", "used", true),
            (&["used"], &["acme"], "acme", "status", false),
            (&["used"], &["acme"], "globex", "used", false),
        ];
        for (kinds, customers, customer, kind, wanted) in rows {
            let filter = Filter::new(&owned(kinds), &owned(customers)).unwrap();
            let found = filter.passes(customer, kind);
            assert_eq!(found, wanted, "{kinds:?} {customers:?}: {customer} {kind}");
        }
    }

    #[test]
    fn what_no_alert_can_be_is_refused() {
        let told = |kinds: &[&str], customers: &[&str]| {
            let fault = Filter::new(&owned(kinds), &owned(customers)).unwrap_err();
            fault.to_string()
        };
        for kind in ["use", "", "*", "Used", "used.x"] {
            assert!(told(&[kind], &[]).contains("write one of used, overage"));
        }
        for customer in ["", "a.b", "*", ">", "a b", "a\n"] {
            assert!(told(&["used"], &[customer]).contains("can't be a customer"));
        }
    }

    #[test]
    fn a_filter_is_bounded() {
        let customers: Vec<String> = (0..501).map(|number| format!("c{number}")).collect();
        let one = owned(&["used"]);
        let two = owned(&["used", "status"]);
        assert_eq!(Filter::new(&one, &customers).unwrap().subjects().len(), 501);
        assert_eq!(
            Filter::new(&two, &customers[..500])
                .unwrap()
                .subjects()
                .len(),
            1_000
        );
        let fault = Filter::new(&two, &customers).unwrap_err();
        assert_eq!(fault, FilterFault::TooMany { subjects: 1_002 });
    }
}
