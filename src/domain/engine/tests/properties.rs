//! What holds whatever comes: random stories, in the words of the others.
//!
//! `play` itself stops after every message and comes back, and reckons every balance and grant
//! again; what is here makes the stories and adds the sums and the order of customers.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::line::Script;
use super::{PRICES, play, rows};
use crate::domain::entry::{Entry, Kind, Note, Reason};
use crate::domain::units::{MICROS, MICROS_PER_HOUR, Timestamp};

const CUSTOMERS: [&str; 3] = ["acme", "bob", "cloe"];
/// Where the random stories begin.
const START: &str = "2026-01-28";
const HOUR: i64 = MICROS_PER_HOUR;

pub(in crate::domain) const CHANGING: &str = "
    version v1 from=2026-01-01 default=starter grace_hours=24
    price docs type=usage each=docs:1
    price call type=call flat=0.5
    plan starter fee=99 pool=1000 used=50,80,100 bill=0.12
    plan small fee=10 pool=100 used=1,50,100
    version v2 from=2026-02-10 grace_hours=50 window_days=20
    price docs type=usage each=docs:1
    plan starter fee=120 pool=900 used=25,75 bill=0.1
    version v3 from=2026-04-01T12:00 default=small window_days=10
    plan small fee=11 pool=50 bill=1
";

/// One event: how many hours after the one before, who, and what.
#[derive(Clone, Debug)]
struct Step {
    gap_hours: i64,
    customer: usize,
    deed: Deed,
}

#[derive(Clone, Debug)]
enum Deed {
    /// Used so many hours ago; an id of a few, so that copies come.
    Usage {
        id: u8,
        docs: u16,
        hours_ago: i64,
    },
    Call {
        id: u8,
    },
    Open {
        anchor: u8,
    },
    Grant {
        credits: u16,
        promotional: bool,
        priority: Option<u8>,
        from: i64,
        hours: Option<i64>,
    },
    Malformed,
}

fn deed() -> impl Strategy<Value = Deed> {
    let hours_ago = prop_oneof![6 => Just(0_i64), 2 => 0..60_i64, 1 => 0..1_000_i64];
    let docs = prop_oneof![2 => Just(1_u16), 1 => Just(50_u16), 3 => 0..600_u16];
    let usage = (0..12_u8, docs, hours_ago);
    let hours = prop::option::weighted(0.7, 1..900_i64);
    let priority = prop::option::weighted(0.3, 40..210_u8);
    let from = prop_oneof![2 => Just(0_i64), 1 => -300..300_i64];
    prop_oneof![
        10 => usage.prop_map(|(id, docs, hours_ago)| Deed::Usage { id, docs, hours_ago }),
        1 => (0..12_u8).prop_map(|id| Deed::Call { id }),
        1 => (1..32_u8).prop_map(|anchor| Deed::Open { anchor }),
        4 => (1..400_u16, any::<bool>(), priority, from, hours).prop_map(
            |(credits, promotional, priority, from, hours)| Deed::Grant {
                credits, promotional, priority, from, hours
            }
        ),
        1 => Just(Deed::Malformed),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let gap = prop_oneof![3 => Just(0_i64), 4 => 0..30_i64, 2 => 0..400_i64, 1 => 700..2_200_i64];
    let step = (gap, 0..CUSTOMERS.len(), deed());
    let step = step.prop_map(|(gap_hours, customer, deed)| Step {
        gap_hours,
        customer,
        deed,
    });
    prop::collection::vec(step, 1..24)
}

/// `2026-02-03 04:00`, so many microseconds after the start.
fn moment(hours: i64) -> String {
    let start = super::line::instant(START, "00:00");
    let text = crate::domain::rfc3339::format(Timestamp::new(start.get() + hours * HOUR));
    let text = text.to_string();
    format!("{} {}", &text[..10], &text[11..19])
}

/// The steps as lines, each with its hour and customer; with `broker` as messages on subjects.
fn lines(steps: &[Step], broker: bool) -> Vec<(i64, usize, String)> {
    let mut now = 0;
    let mut told = Vec::new();
    for (
        n,
        Step {
            gap_hours,
            customer,
            deed,
        },
    ) in steps.iter().enumerate()
    {
        now += gap_hours;
        let name = CUSTOMERS[*customer];
        let (kind, ago, deed) = match deed {
            Deed::Usage {
                id,
                docs,
                hours_ago,
            } => (
                "usage",
                *hours_ago,
                format!("{name} usage e{id} docs={docs}"),
            ),
            Deed::Call { id } => ("usage", 0, format!("{name} call e{id}")),
            Deed::Open { anchor } => (
                "wallet",
                0,
                format!("{name} open o{n} plan=small anchor_day={anchor}"),
            ),
            Deed::Grant {
                credits,
                promotional,
                priority,
                from,
                hours,
            } => {
                let basis = if *promotional {
                    "promotional"
                } else {
                    "purchased"
                };
                let from = now + from;
                let mut data = format!("credits={credits}.5 basis={basis} price=7.5 currency=USD");
                data.push_str(&format!(
                    " effective_at={}Z",
                    moment(from).replace(' ', "T")
                ));
                if let Some(priority) = priority {
                    data.push_str(&format!(" priority={priority}"));
                }
                if let Some(hours) = hours {
                    let end = moment(from + hours).replace(' ', "T");
                    data.push_str(&format!(" expires_at={end}Z"));
                }
                ("wallet", 0, format!("{name} grant g{n} {data}"))
            }
            Deed::Malformed => ("usage", 0, "malformed".to_owned()),
        };
        let line = match (broker, deed.as_str()) {
            (false, "malformed") => deed,
            (false, _) => format!("{} {deed}", moment(now - ago)),
            (true, "malformed") => format!("{} @usage.{name} malformed", moment(now)),
            (true, _) => {
                let used = moment(now - ago).replace(' ', "T");
                format!("{} @{kind}.{name} used={used} {deed}", moment(now))
            }
        };
        told.push((now, *customer, line));
    }
    told
}

fn text(lines: &[(i64, usize, String)]) -> String {
    lines
        .iter()
        .map(|(_, _, line)| format!("{line}\n"))
        .collect()
}

/// A random story, from a file or from a broker.
pub(in crate::domain) fn stories() -> impl Strategy<Value = String> {
    (steps(), any::<bool>()).prop_map(|(steps, broker)| text(&lines(&steps, broker)))
}

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
                let owed = if price == "docs" { quantity.get() } else { MICROS / 2 };
                *charges.entry((row.seq, row.idx)).or_insert(0) -= owed;
            }
            amount += row.amount.map_or(0, |amount| i128::from(amount.get()));
            let bears_money = row.kind == Kind::Grant
                || (row.kind == Kind::Usage && row.grant_id.is_none());
            prop_assert!(row.amount.is_none() || bears_money);
            prop_assert_eq!(row.amount.is_some(), row.currency.is_some());
        }
        prop_assert!(charges.values().all(|difference| *difference == 0), "{:?}", charges);
        // Fees, prices and overage, counted apart.
        let of = |kind, named: bool| told.iter().filter(move |row| {
            row.kind == kind && row.grant_id.is_some() == named
        });
        let fees = of(Kind::Grant, true).map(|row| row.amount.unwrap().get());
        let overage = of(Kind::Usage, false).filter_map(|row| row.amount);
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
    for _ in 0..200 {
        let steps = steps().new_tree(&mut runner).unwrap().current();
        for row in rows(CHANGING, &text(&lines(&steps, true))) {
            let name = match row.reason {
                Some(Note::Rejected(reason)) => reason.name().to_owned(),
                Some(Note::Used(_)) => format!("alert {}", row.idx == -1),
                None => format!("{} {}", row.kind.name(), row.late.unwrap_or(false)),
            };
            *met.entry(name).or_insert(0) += 1;
        }
    }
    for needed in [
        "usage true",
        "usage false",
        "expire false",
        "alert true",
        "alert false",
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
