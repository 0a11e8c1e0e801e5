//! What the engine writes is right: random stories have no finding.

use proptest::prelude::*;

use super::Told;
use crate::domain::engine::tests::deeds::{CHANGING, stories};
use crate::domain::entry::{AlertKind, Entry, GrantId, Kind, Note, Payload};
use crate::domain::units::{Credits, Day, Money, Quantity, Timestamp};

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_the_engine_writes_has_no_finding(story in stories()) {
        prop_assert_eq!(Told::new(CHANGING, &story).findings(), [""; 0]);
    }

    /// Whichever row is gone as if it had never been, its absence shows.
    #[test]
    fn no_row_can_be_taken_away(story in stories(), place in any::<prop::sample::Index>()) {
        let mut told = Told::new(CHANGING, &story);
        let removed = told.rows[place.index(told.rows.len())];
        told.remove(removed.entry);
        if told.rows.is_empty() {
            return Ok(());
        }
        prop_assert!(!told.findings().is_empty(), "{:?}", removed);
    }
}

/// Changes one column of a row to a value near by.
fn change(row: &mut Entry<'static>, column: usize) {
    fn next<T: Copy>(value: &mut Option<T>, more: impl Fn(T) -> T, first: T) {
        *value = Some(value.map_or(first, more));
    }
    let credits = |value: Credits| Credits::new(value.get() + 1);
    let money = |value: Money| Money::new(value.get() - 1);
    let one = Credits::new(1);
    match column {
        0 => next(&mut row.credits, credits, one),
        1 => next(&mut row.delta, credits, one),
        2 => next(&mut row.balance, credits, one),
        3 => next(&mut row.amount, money, Money::new(1)),
        4 => next(&mut row.cost_usd, money, Money::new(1)),
        5 => next(
            &mut row.quantity,
            |n| Quantity::new(n.get() + 1),
            Quantity::new(1),
        ),
        6 => next(
            &mut row.grant_id,
            |_| GrantId::Named("other"),
            GrantId::Named("other"),
        ),
        7 => next(&mut row.period, |day| Day::new(day.get() + 1), Day::new(1)),
        8 => next(&mut row.plan, |_| "other", "other"),
        9 => next(&mut row.price_version, |_| "other", "other"),
        10 => next(&mut row.price_id, |_| "other", "other"),
        11 => next(&mut row.task, |_| "other", "other"),
        12 => next(&mut row.unit, |_| "other", "other"),
        13 => next(&mut row.late, |late| !late, true),
        14 => next(&mut row.currency, |_| "OTH", "OTH"),
        15 => row.entry += 1,
        16 => row.seq += 1,
        17 => row.idx += 1,
        18 => row.leg += 1,
        19 => row.source = "other",
        20 => {
            row.kind = if row.kind == Kind::Usage {
                Kind::Duplicate
            } else {
                Kind::Usage
            }
        }
        21 => row.received_at = row.received_at.plus(-1),
        22 => row.customer = Some("other"),
        _ => row.reason = Some(Note::Alert(AlertKind::Used(99))),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_column_can_be_changed(
        story in stories(), place in any::<prop::sample::Index>(), column in 0..24_usize
    ) {
        let mut told = Told::new(CHANGING, &story);
        let place = place.index(told.rows.len());
        let before = told.rows[place];
        // What was refused is held against nothing but the order of rows.
        prop_assume!(column != 22 || before.kind != Kind::Rejected);
        // Nothing tells when a message of one row came, but those before and after it.
        let is_alone = told.rows.iter().filter(|row| row.seq == before.seq).count() == 1;
        prop_assume!(column != 21 || !is_alone);
        change(&mut told.rows[place], column);
        prop_assert!(!told.findings().is_empty(), "column {}: {:?}", column, before);
    }
}

/// Puts a value at the end of what a column can hold into it.
fn spoil(row: &mut Entry<'static>, column: usize, end: bool) {
    let long = if end { i64::MAX } else { i64::MIN };
    let int = if end { i32::MAX } else { i32::MIN };
    match column {
        0 => row.credits = Some(Credits::new(long)),
        1 => row.delta = Some(Credits::new(long)),
        2 => row.balance = Some(Credits::new(long)),
        3 => row.amount = Some(Money::new(long)),
        4 => row.quantity = Some(Quantity::new(long)),
        5 => row.period = Some(Day::new(int)),
        6 => row.used_at = Some(Timestamp::new(long)),
        7 => row.received_at = Timestamp::new(long),
        8 => row.entry = long,
        9 => row.seq = long,
        10 => row.idx = int,
        11 => row.leg = int,
        12 => row.data = Some(Payload::Data("")),
        13 => row.customer = None,
        14 => row.grant_id = Some(GrantId::Pool(Day::new(int))),
        15 => row.kind = if end { Kind::Grant } else { Kind::Expire },
        _ => row.kind = if end { Kind::Wallet } else { Kind::Alert },
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_row_can_stop_the_audit(
        story in stories(),
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), 0..17_usize, any::<bool>()), 1..8
        ),
    ) {
        let mut told = Told::new(CHANGING, &story);
        for (place, column, end) in changes {
            let place = place.index(told.rows.len());
            spoil(&mut told.rows[place], column, end);
        }
        told.findings();
    }
}
