//! Openings, grants, expiries and sums.

use super::{Told, check};
use crate::domain::customer::Shard;
use crate::domain::entry::{GrantId, Payload};
use crate::domain::units::{Credits, MICROS_PER_DAY, Money};

const PRICES: &str = "
    version v1 from=2026-01-01 default=starter
    price docs type=usage each=docs:1
    plan starter fee=99 pool=100 bill=0.12
    plan team fee=299 pool=500
";

/// Entries: 1 v1, 2 wallet and 3 pool by command, 4 e1, 5 a purchase, 6 e2; then timers: 7 the
/// purchase expires, 8 the new pool, 9 the old pool expires; 10 e3.
const STORY: &str = "
    10-01 09:00 acme open o1 plan=starter anchor_day=1
    10-01 09:10 acme usage e1 docs=3
    10-01 09:20 acme grant g1 credits=10 basis=purchased price=1.5 currency=USD expires_at=2026-10-05T00:00:00Z
    10-01 09:30 acme usage e2 docs=4
    11-03 09:00 acme usage e3 docs=5
";

#[test]
fn the_story_is_what_the_cases_say() {
    let told = Told::new(PRICES, STORY);
    let kinds: Vec<_> = told.rows.iter().map(|row| row.kind.name()).collect();
    assert_eq!(
        kinds.join(" "),
        "prices wallet grant usage grant usage expire grant expire usage"
    );
}

#[test]
fn grants_are_what_the_plan_or_the_command_says() {
    check(
        PRICES,
        STORY,
        &[
            (
                |told| told.at(8).delta = Some(Credits::new(100_000_001)),
                "8: `delta` is 100.000001, and should be 100.000000
                 8: `balance` is 100.000000, and should be 100.000001",
            ),
            // Consistently: all later balances too.
            (
                |told| {
                    told.at(8).delta = Some(Credits::new(100_000_001));
                    told.at(8).balance = Some(Credits::new(100_000_001));
                    told.at(9).balance = Some(Credits::new(100_000_001));
                    told.at(10).balance = Some(Credits::new(95_000_001));
                },
                "8: `delta` is 100.000001, and should be 100.000000",
            ),
            (
                |told| told.at(3).amount = Some(Money::ZERO),
                "3: `amount` is 0.000000000, and should be 99.000000000",
            ),
            (
                |told| told.at(5).amount = Some(Money::ZERO),
                "5: `amount` is 0.000000000, and should be 1.500000000",
            ),
            (
                |told| told.at(5).data = Some(Payload::Data("credits=10 basis=gift")),
                "5: `data` can't be read
                 7: the grant is not over yet",
            ),
            (
                |told| told.at(5).grant_id = Some(GrantId::Named("/app/g2")),
                "5: `grant_id` is /app/g2, and should be /app/g1
                 7: there is no such grant
                 10: grant /app/g2 should have expired before, with 10.000000 left
                 all: the rows' `delta` add up to 95.000000, but 105.000000 remain in grants",
            ),
            (
                |told| told.at(5).delta = Some(Credits::new(11_000_000)),
                "5: `delta` is 11.000000, and should be 10.000000
                 5: `balance` is 107.000000, and should be 108.000000
                 7: `delta` is -10.000000, and should be -11.000000
                 10: grant /app/g1 should have expired before, with 1.000000 left",
            ),
            // Given twice under one name.
            (
                |told| {
                    let mut again = told.rows[4];
                    (again.seq, again.event_id) = (4, Some("g2"));
                    told.rows.insert(5, again);
                    for row in &mut told.rows[6..] {
                        row.seq += 1;
                    }
                    told.number();
                    told.log.positions[0].1 = Some(6);
                },
                "6: `grant_id` is /app/g1, and should be /app/g2
                 6: there is such a grant already
                 all: the rows' `delta` add up to 105.000000, but 95.000000 remain in grants",
            ),
            (
                |told| {
                    told.at(2).plan = Some("team");
                    told.at(3).plan = Some("team");
                },
                "2: `plan` is team, and should be starter
                 3: `delta` is 100.000000, and should be 500.000000
                 3: `amount` is 99.000000000, and should be 299.000000000",
            ),
        ],
    );
}

#[test]
fn grants_end_when_they_should_and_with_all_that_remains() {
    check(
        PRICES,
        STORY,
        &[
            (
                |told| told.at(9).delta = Some(Credits::new(-92_000_000)),
                "9: `delta` is -92.000000, and should be -93.000000
                 10: grant pool/2026-10-01 should have expired before, with 1.000000 left",
            ),
            (
                |told| told.at(7).delta = Some(Credits::new(-11_000_000)),
                "7: `delta` is -11.000000, and should be -10.000000
                 7: it takes more than the grant has left: 10.000000 remain
                 10: grant /app/g1 should have expired before, with -1.000000 left",
            ),
            (
                |told| {
                    let mut end = told.rows[6];
                    (end.seq, end.received_at) = (4, told.rows[5].received_at);
                    told.rows[6].leg = 0;
                    told.rows.remove(6);
                    told.rows.insert(5, end);
                    for (row, leg) in told.rows[7..9].iter_mut().zip(0..) {
                        row.leg = leg;
                    }
                    told.number();
                },
                "6: the grant is not over yet
                 6: `balance` is 93.000000, and should be 97.000000
                 7: `balance` is 103.000000, and should be 93.000000",
            ),
            // A period that ends in its middle.
            (
                |told| {
                    let middle = told.rows[5].received_at.plus(10 * MICROS_PER_DAY);
                    for row in &mut told.rows[6..] {
                        row.received_at = middle;
                    }
                    told.at(10).used_at = Some(middle);
                },
                "8: the grant is not over yet
                 9: the grant is not over yet",
            ),
            // The timers' rows are gone, the last first.
            (
                |told| {
                    told.remove(9);
                },
                "9: grant pool/2026-10-01 should have expired before, with 93.000000 left",
            ),
        ],
    );
}

#[test]
fn a_wallet_is_opened_once_before_anything_else() {
    check(
        PRICES,
        STORY,
        &[
            (
                |told| told.remove(2),
                "2: `leg` should be 1
                 2: the wallet was never opened
                 2: the grant is not over yet
                 2: nothing tells what became of the event",
            ),
            (
                |told| {
                    let mut again = told.rows[1];
                    again.leg = 3;
                    told.rows.insert(3, again);
                    told.number();
                },
                "4: the event has a row that says `wallet` already
                 4: an event of this identity was accepted already
                 4: the wallet is open already
                 4: `balance` is 0.000000, and should be 100.000000",
            ),
            (
                |told| {
                    told.rows.truncate(2);
                    told.number();
                    told.log.positions[0].1 = Some(1);
                },
                "customer=\"acme\": a pool, or what a larger plan adds to it, should have come before",
            ),
            (
                |told| told.at(10).customer = Some("bob"),
                "10: the wallet was never opened
                 10: there is no such grant
                 10: `balance` is 95.000000, and should be 0.000000
                 all: the rows' `delta` add up to 95.000000, but 100.000000 remain in grants",
            ),
        ],
    );
}

#[test]
fn a_wallet_lies_in_its_own_shard() {
    let mut told = Told::new(PRICES, "10-01 09:00 acme usage e1 docs=3");
    let [own, other] = [true, false].map(|is_own| {
        let halves = [0, 1].map(|index| Shard { index, count: 2 });
        let found = halves.into_iter().find(|half| half.owns("acme") == is_own);
        found.expect("one half owns it")
    });
    told.shard = own;
    assert_eq!(told.findings(), [""; 0]);
    told.shard = other;
    let expected = [2, 3, 4].map(|entry| format!("{entry}: the customer belongs to another shard"));
    assert_eq!(told.findings(), expected);
}

#[test]
fn balances_are_what_remains_in_effective_grants() {
    check(
        PRICES,
        STORY,
        &[
            (
                |told| told.at(6).balance = Some(Credits::new(103_000_001)),
                "6: `balance` is 103.000001, and should be 103.000000",
            ),
            (
                |told| told.at(6).balance = None,
                "6: `balance` should not be null",
            ),
            // One that is off from here on is told once.
            (
                |told| {
                    for row in &mut told.rows[5..] {
                        row.balance = row.balance.map(|left| Credits::new(left.get() + 1));
                    }
                },
                "6: `balance` is 103.000001, and should be 103.000000",
            ),
        ],
    );
}
