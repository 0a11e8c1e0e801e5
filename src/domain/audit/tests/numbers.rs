//! Entries, seqs, idxs, legs, times, partitions, identities and the log.

use super::{Told, check};
use crate::domain::entry::Kind;
use crate::domain::units::Day;

const PRICES: &str = "
    version v1 from=2026-01-01 default=starter window_days=10
    price docs type=usage each=docs:1
    price call type=call flat=0.5
    plan starter fee=99 pool=1000 bill=0.12
    version v2 from=2026-10-03
    price docs type=usage each=docs:2
";

/// Entry 1 is v1, 2–4 e1, 5 e2, 6 its copy, 7 a conflict, 8 v2, 9 e3, 10 empty.
const STORY: &str = "
    10-01 09:00 @batch.0 used=10-01T09:00 acme usage e1 docs=3
    + used=10-01T09:00 acme usage e2 docs=4
    10-02 09:00 @batch.0 used=10-01T09:00 acme usage e2 docs=4
    10-02 09:00 @batch.0 used=10-01T09:00 acme usage e2 docs=5
    10-03 09:00 @batch.0 used=10-03T09:00 acme usage e3 docs=5
    10-03 09:00 @batch.0 empty
";

#[test]
fn entries_run_without_a_gap_to_the_fence() {
    check(
        PRICES,
        STORY,
        &[
            (
                |told| told.rows.retain(|row| row.entry != 6),
                "7: entries 6 to 6 are missing before it
                 7: seq 2 to 2 of its source are missing before it",
            ),
            (
                |told| told.rows.insert(6, told.rows[5]),
                "6: it comes after entry 6: it is there twice or out of order",
            ),
            (
                |told| told.rows.swap(5, 6),
                "7: entries 6 to 6 are missing before it
                 7: seq 2 to 2 of its source are missing before it
                 6: it comes after entry 7: it is there twice or out of order",
            ),
            (
                |told| told.rows.truncate(9),
                "all: the rows end at entry 9, but the log says 10
                 source=\"S\": the rows end at seq 4, but the log says 5",
            ),
            (
                |told| told.log.fence = 9,
                "all: the rows end at entry 10, but the log says 9",
            ),
            (
                |told| told.log.positions[0].1 = Some(6),
                "source=\"S\": the rows end at seq 5, but the log says 6",
            ),
            (
                |told| told.log.positions.push(("other".to_owned(), Some(1))),
                "source=\"other\": the rows end at seq null, but the log says 1",
            ),
            (
                |told| told.log.positions[0].1 = None,
                "source=\"S\": the rows end at seq 5, but the log says null",
            ),
            (
                |told| told.at(9).entry = i64::MAX,
                "9223372036854775807: entries 9 to 9223372036854775806 are missing before it
                 10: it comes after entry 9223372036854775807: it is there twice or out of order
                 all: the rows end at entry 9223372036854775807, but the log says 10
                 source=\"S\": the rows end at seq 4, but the log says 5",
            ),
        ],
    );
}

#[test]
fn a_row_that_is_gone_as_if_it_never_was_leaves_a_gap_in_its_source() {
    check(
        PRICES,
        STORY,
        &[
            (
                |told| told.remove(6),
                "6: seq 2 to 2 of its source are missing before it",
            ),
            (
                |told| told.remove(5),
                "5: no event of this identity was accepted within the window
                 6: no event of this identity was accepted within the window
                 8: `balance` is 983.000000, and should be 987.000000",
            ),
            (
                |told| told.remove(8),
                "8: `leg` should be 0
                 8: price version `v2` was in force already, but has no row",
            ),
        ],
    );
}

#[test]
fn seqs_idxs_and_legs_run_without_a_gap() {
    check(
        PRICES,
        STORY,
        &[
            (
                |told| told.at(7).seq = 5,
                "7: seq 3 to 4 of its source are missing before it
                 8: it comes after seq 5 of its source
                 10: it comes after seq 5 of its source",
            ),
            (
                |told| told.at(7).seq = 1,
                "7: it comes after seq 2 of its source
                 8: seq 3 to 3 of its source are missing before it",
            ),
            (
                |told| told.rows.iter_mut().for_each(|row| row.seq += 1),
                "1: seq 1 to 1 of its source are missing before it
                 source=\"S\": the rows end at seq 6, but the log says 5",
            ),
            (
                |told| told.at(5).idx = 2,
                "5: event 1 of its message should come here",
            ),
            (|told| told.at(5).leg = 1, "5: `leg` should be 0"),
            (|told| told.at(4).leg = 2, "4: `leg` should be 3"),
        ],
    );
    // A stream's first messages may have gone before anybody read it.
    check(
        PRICES,
        STORY,
        &[(
            |told| {
                for row in &mut told.rows {
                    row.source = "USAGE@2026-01-01T00:00:00Z";
                    row.seq += 7;
                }
                told.log.positions[0] = (told.rows[0].source.to_owned(), Some(12));
            },
            "",
        )],
    );
}

#[test]
fn times_do_not_go_back_and_partitions_are_their_days() {
    check(
        PRICES,
        STORY,
        &[
            (
                |told| told.at(6).received_at = told.rows[4].received_at.plus(-1),
                "6: `received_at` goes back: it was 2026-10-01T09:00:00.000000Z already",
            ),
            (
                |told| told.partition = Some((6, Some(Day::new(1)))),
                "6: it lies in partition 1970-01-02, not in that of its `received_at`",
            ),
            (
                |told| told.partition = Some((6, None)),
                "6: it lies in partition that is no day, not in that of its `received_at`",
            ),
        ],
    );
}

#[test]
fn every_event_has_one_outcome_and_no_identity_two() {
    check(
        PRICES,
        STORY,
        &[
            (
                |told| {
                    let mut copy = told.rows[5];
                    copy.leg = 1;
                    told.rows.insert(6, copy);
                    told.number();
                },
                "7: the event has a row that says `duplicate` already",
            ),
            (
                |told| told.at(6).event_id = Some("e9"),
                "6: no event of this identity was accepted within the window",
            ),
            (
                |told| told.at(6).event_type = Some("call"),
                "6: the accepted event of this identity has another type: it is a conflict",
            ),
            (|told| told.at(7).event_type = Some("call"), ""),
            (|told| told.at(7).kind = Kind::Duplicate, ""),
            (
                |told| told.at(9).event_id = Some("e2"),
                "9: an event of this identity was accepted already",
            ),
        ],
    );
}

#[test]
fn a_price_version_has_its_row_when_now_reaches_it() {
    check(
        PRICES,
        STORY,
        &[
            (
                |told| told.at(8).price_version = Some("v3"),
                "8: `price_version` is v3, and should be v2",
            ),
            (
                |told| {
                    let later = PRICES.replace("10-03", "10-04");
                    told.book = Told::new(&later, STORY).book;
                },
                "8: the price version is not in force yet
                 9: `price_version` is v2, and should be v1
                 9: `credits` is 10.000000, and should be 5.000000",
            ),
        ],
    );
}
