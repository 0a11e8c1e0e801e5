//! What holds whatever comes: random stories, in the words of the others.
//!
//! `play` itself stops after every message and comes back, and reckons every balance and grant
//! again; what is here adds the sums and the order of customers. The stories come from `deeds`.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::deeds::{CHANGING, CUSTOMERS, Deed, lines, steps, text};
use super::line::Script;
use super::{PRICES, play, rows};
use crate::domain::entry::{Entry, Kind, Note, Reason};

/// A customer's own rows, without what numbers all rows of the shard.
fn own_rows(rows: &[Entry<'static>], customer: &str) -> Vec<String> {
    let own = rows.iter().filter(|row| row.customer == Some(customer));
    own.map(|row| {
        format!(
            "{:?}",
            Entry {
                entry: 0,
                seq: 0,
                leg: 0,
                ..*row
            }
        )
    })
    .collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn stopping_anywhere_changes_no_row_and_all_rows_add_up(
        steps in steps(), broker in any::<bool>()
    ) {
        let text = text(&lines(&steps, broker));
        play(CHANGING, &Script::read(&text));
    }

    #[test]
    fn plain_sums_are_right(steps in steps(), broker in any::<bool>()) {
        let text = text(&lines(&steps, broker));
        let told = rows(CHANGING, &text);
        let mut charges = BTreeMap::new();
        let mut amount = 0_i128;
        for row in &told {
            let charge = row.credits.map_or(0, |credits| credits.get());
            *charges.entry((row.seq, row.idx)).or_insert(0) += charge;
            if let (Some(quantity), Some(price)) = (row.quantity, row.price_id) {
                let owed = if price == "docs" { quantity.get() } else { quantity.get() / 2 };
                *charges.entry((row.seq, row.idx)).or_insert(0) -= owed;
            }
            amount += row.amount.map_or(0, |amount| i128::from(amount.get()));
            let bears_money = row.kind == Kind::Grant
                || (matches!(row.kind, Kind::Usage | Kind::Reversal) && row.grant_id.is_none());
            prop_assert!(row.amount.is_none() || bears_money);
            prop_assert_eq!(row.amount.is_some(), row.currency.is_some());
        }
        prop_assert!(charges.values().all(|difference| *difference == 0), "{:?}", charges);
        // Fees, prices and overage, counted apart.
        let of = |kind, named: bool| told.iter().filter(move |row| {
            row.kind == kind && row.grant_id.is_some() == named
        });
        let fees = of(Kind::Grant, true).map(|row| row.amount.unwrap().get());
        let overage = of(Kind::Usage, false).chain(of(Kind::Reversal, false));
        let overage = overage.filter_map(|row| row.amount);
        let apart: i64 = fees.chain(overage.map(|amount| amount.get())).sum();
        prop_assert_eq!(amount, i128::from(apart));
    }

    #[test]
    fn every_event_has_its_row(steps in steps(), broker in any::<bool>()) {
        let text = text(&lines(&steps, broker));
        let told = rows(CHANGING, &text);
        for seq in 1..=steps.len() as i64 {
            let own: Vec<_> = told.iter().filter(|row| row.seq == seq && row.idx == 0).collect();
            prop_assert!(own.iter().any(|row| row.kind != Kind::Prices && row.kind != Kind::Alert));
            let is_refused = own.iter().any(|row| row.kind == Kind::Rejected);
            let others = own.iter().filter(|row| row.kind != Kind::Prices).count();
            prop_assert!(!is_refused || others == 1);
        }
    }

    #[test]
    fn the_order_of_unrelated_customers_changes_no_row_of_theirs(mut steps in steps()) {
        // What is over when it comes expires with the next message, whoever sends it.
        steps.retain(|step| match step.deed {
            Deed::Grant { from, hours: Some(hours), .. } => from + hours > 0,
            _ => true,
        });
        for step in &mut steps {
            step.gap_hours = step.gap_hours / 24 * 24;
        }
        let mut lines = lines(&steps, true);
        let told = rows(CHANGING, &text(&lines));
        lines.sort_by_key(|(hour, customer, _)| (*hour, CUSTOMERS.len() - customer));
        let other = rows(CHANGING, &text(&lines));
        for customer in CUSTOMERS {
            prop_assert_eq!(own_rows(&told, customer), own_rows(&other, customer));
        }
    }

    #[test]
    fn a_message_of_many_events_charges_as_many_messages_do(steps in steps()) {
        let mut steps = steps;
        steps.retain(|step| matches!(step.deed, Deed::Usage { .. } | Deed::Call { .. }));
        for step in &mut steps {
            step.gap_hours = 0;
        }
        let single: Vec<_> = lines(&steps, true);
        let first = |line: &str| line.replacen("@usage", "@batch", 1);
        let joined: String = single.iter().enumerate().map(|(n, (_, _, line))| {
            let line = first(line);
            let event = line.split_once(" used=").unwrap().1;
            if n == 0 { format!("{line}\n") } else { format!("+ used={event}\n") }
        }).collect();
        let (single, joined) = (rows(PRICES, &text(&single)), rows(PRICES, &joined));
        let bare = |rows: &[Entry<'static>]| -> Vec<String> {
            let bare = rows.iter().map(|row| Entry { seq: 0, idx: 0, data: None, ..*row });
            bare.map(|row| format!("{row:?}")).collect()
        };
        prop_assert_eq!(bare(&single), bare(&joined));
    }
}

#[test]
fn random_stories_meet_what_they_are_for() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut met: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..500 {
        let steps = steps().new_tree(&mut runner).unwrap().current();
        for row in rows(CHANGING, &text(&lines(&steps, true))) {
            let name = match row.reason {
                Some(Note::Rejected(reason)) => reason.name().to_owned(),
                Some(Note::Reversed(_)) => "reversal".to_owned(),
                Some(Note::Alert(kind)) => format!("alert {} {}", kind.name(), row.idx == -1),
                None if row.kind == Kind::Void => format!("void {}", row.idx == -1),
                None => format!("{} {}", row.kind.name(), row.late.unwrap_or(false)),
            };
            *met.entry(name).or_insert(0) += 1;
        }
    }
    for needed in [
        "usage true",
        "usage false",
        "expire false",
        "void true",
        "void false",
        "rollover false",
        "reversal",
        "tick false",
        "alert used true",
        "alert used false",
        "alert overage false",
        "alert run_out true",
        "alert expiring true",
        "alert status true",
        "alert status false",
        Reason::NothingRemaining.name(),
        Reason::UnknownEvent.name(),
        "duplicate false",
        "conflict false",
        Reason::TooOld.name(),
        Reason::AlreadyOpen.name(),
        Reason::UnknownWallet.name(),
        Reason::Malformed.name(),
    ] {
        assert!(met.contains_key(needed), "{needed} in {met:#?}");
    }
}
