//! Charges: what each column of a usage row should be.

use super::check;
use crate::domain::entry::{AlertKind, GrantId, Payload};
use crate::domain::units::{Credits, Money, Quantity, Timestamp};

const PRICES: &str = "
    version v1 from=2026-01-01 default=starter
    price docs type=usage each=docs:1
    cost usage docs:0.02
    plan starter fee=99 pool=100 used=50,100 bill=0.12
    version v2 from=2026-10-03
    price docs type=usage each=docs:2
    price call type=call flat=0.5
";

/// Entries: 1 v1, 2 wallet, 3 pool, 4 e1; 5 the promotion; 6 and 7 e2 in two legs, 8 the alert at
/// 50; 9 to 12 e3 in two legs (one of overage), the alert at 100 and that of the overage.
const STORY: &str = "
    10-01 09:00 acme usage e1 docs=3
    10-01 09:10 acme grant g1 credits=10 basis=promotional
    10-01 09:20 acme usage e2 docs=60
    10-01 09:30 acme usage e3 docs=50
";

#[test]
fn the_story_is_what_the_cases_say() {
    let told = super::Told::new(PRICES, STORY);
    let kinds: Vec<_> = told.rows.iter().map(|row| row.kind.name()).collect();
    assert_eq!(
        kinds.join(" "),
        "prices wallet grant usage grant usage usage alert usage usage alert alert"
    );
}

#[test]
fn prices_are_those_in_force_that_match_best() {
    check(
        PRICES,
        STORY,
        &[
            (
                |told| told.at(4).price_version = Some("v2"),
                "4: `price_version` is v2, and should be v1",
            ),
            (
                |told| told.at(4).price_id = Some("call"),
                "4: `price_id` is call, and should be docs",
            ),
            (
                |told| told.at(4).task = Some("call task"),
                "4: `task` is call task, and should be docs task",
            ),
            (
                |told| told.at(4).unit = Some("page"),
                "4: `unit` is page, and should be docs",
            ),
            (
                |told| told.at(4).quantity = Some(Quantity::new(3_000_001)),
                "4: `quantity` is 3.000001, and should be 3.000000",
            ),
            (
                |told| told.at(4).cost_usd = Some(Money::ZERO),
                "4: `cost_usd` is 0.000000000, and should be 0.060000000",
            ),
            (
                |told| told.at(7).quantity = Some(Quantity::new(60_000_000)),
                "7: `quantity` is 60.000000, and should be null",
            ),
            (
                |told| told.at(4).event_type = Some("call"),
                "4: it is charged, but no price matches",
            ),
            (
                |told| told.at(4).data = Some(Payload::Data("docs=-1")),
                "4: it is charged, but a measure that the price or cost names is missing, negative or too large",
            ),
            (
                |told| told.at(4).data = Some(Payload::Data("docs=4")),
                "4: `quantity` is 3.000000, and should be 4.000000
                 4: `cost_usd` is 0.060000000, and should be 0.080000000
                 4: `credits` is 3.000000, and should be 4.000000",
            ),
            (
                |told| told.at(7).data = Some(Payload::Data("docs=4")),
                "7: `data` is docs=4, and should be docs=60",
            ),
            (
                |told| told.at(4).used_at = Some(Timestamp::new(0)),
                "4: `used_at` is outside what was accepted then
                 4: `price_version` is v1, and should be null",
            ),
        ],
    );
}

#[test]
fn credits_are_charged_to_those_who_should_pay() {
    check(
        PRICES,
        STORY,
        &[
            (
                |told| told.at(10).credits = Some(Credits::new(3_000_001)),
                "10: `amount` is 0.360000000, and should be 0.360000120
                 10: `credits` is 3.000001, and should be 3.000000",
            ),
            (
                |told| told.at(10).amount = Some(Money::new(360_000_001)),
                "10: `amount` is 0.360000001, and should be 0.360000000",
            ),
            (
                |told| told.at(10).currency = Some("EUR"),
                "10: `currency` is EUR, and should be USD",
            ),
            // The pool pays what the promotion should, and the balance is right.
            (
                |told| {
                    told.remove(6);
                    told.rows.truncate(7);
                    told.number();
                    told.log.positions[0].1 = Some(3);
                    let first = &mut told.rows[5];
                    first.leg = 0;
                    first.quantity = Some(Quantity::new(60_000_000));
                    first.cost_usd = Some(Money::new(1_200_000_000));
                    first.credits = Some(Credits::new(60_000_000));
                    first.delta = Some(Credits::new(-60_000_000));
                    told.rows[6].leg = 1;
                },
                "6: `credits` is 60.000000, and should be 10.000000
                 6: `grant_id` is pool/2026-10-01, and should be /app/g1",
            ),
            // One more leg, of nothing.
            (
                |told| {
                    let mut more = told.rows[9];
                    (more.leg, more.credits) = (2, Some(Credits::ZERO));
                    (more.amount, more.currency) = (None, None);
                    told.rows.insert(10, more);
                    told.rows[11].leg = 3;
                    told.rows[12].leg = 4;
                    told.number();
                },
                "11: the charge has more rows than grants and overage make",
            ),
            (
                |told| told.at(4).late = Some(true),
                "4: `late` is true, and should be false",
            ),
            (
                |told| told.at(4).plan = Some("team"),
                "4: `plan` is team, and should be starter",
            ),
            (
                |told| told.at(4).grant_id = Some(GrantId::Named("/app/g1")),
                "4: `grant_id` is /app/g1, and should be pool/2026-10-01
                 4: there is no such grant
                 4: `balance` is 97.000000, and should be 100.000000
                 all: the rows' `delta` add up to 0.000000, but 3.000000 remain in grants",
            ),
        ],
    );
}

#[test]
fn alerts_follow_the_row_that_crossed_their_threshold() {
    use crate::domain::entry::Note;
    check(
        PRICES,
        STORY,
        &[
            (
                |told| told.at(8).reason = Some(Note::Alert(AlertKind::Used(51))),
                "8: what it tells did not come about by the row before
                 7: the alert `used 50` should follow, and does not",
            ),
            (
                |told| told.at(8).reason = Some(Note::Alert(AlertKind::Used(100))),
                "8: what it tells did not come about by the row before
                 7: the alert `used 50` should follow, and does not",
            ),
            (
                |told| told.remove(8),
                "7: the alert `used 50` should follow, and does not",
            ),
            (
                |told| told.remove(12),
                "10: the alert `overage` should follow, and does not",
            ),
            (
                |told| told.at(12).reason = Some(Note::Alert(AlertKind::RunOut(7))),
                "12: no midnight since the wallet's last row brings this alert
                 10: the alert `overage` should follow, and does not",
            ),
            (
                |told| {
                    let mut again = told.rows[7];
                    again.leg += 1;
                    told.rows.insert(8, again);
                    told.number();
                },
                "9: what it tells did not come about by the row before",
            ),
            (
                |told| told.at(8).balance = Some(Credits::ZERO),
                "8: `balance` is 0.000000, and should be 47.000000",
            ),
        ],
    );
}

/// Row 6, the first leg, reaches 50 percent; 7 is the second leg, and 8 the alert.
#[test]
fn alerts_come_after_the_last_leg() {
    check(
        PRICES,
        "10-01 09:00 acme usage e1 docs=49
         10-01 09:10 acme grant g1 credits=10 basis=promotional
         10-01 09:20 acme usage e2 docs=11",
        &[(
            |told| {
                told.rows.swap(6, 7);
                (told.rows[6].leg, told.rows[7].leg) = (1, 2);
                told.rows[6].balance = told.rows[5].balance;
                told.number();
            },
            "8: the alert `used 50` should follow, and does not",
        )],
    );
}
