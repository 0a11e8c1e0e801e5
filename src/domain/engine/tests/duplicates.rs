//! Copies: duplicates, conflicts, the window's edge, and charging again after it.

use super::{PRICES, rows, story};
use crate::domain::entry::Kind;

#[test]
fn a_copy_is_a_duplicate_whatever_its_time_and_a_conflict_if_its_payload_differs() {
    story(
        PRICES,
        "
        show event data
        10-01 09:00 acme usage e1 docs=1
          | prices v1
          | wallet 10-01 left=0 event=/app/e1/usage
          | grant 10-01 pool/10-01 +1000 left=1000 99 USD event=/app/e1/usage
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=999 event=/app/e1/usage data=[docs=1]
        10-01 09:00 acme usage e1 docs=1
          | duplicate event=/app/e1/usage
        10-01 11:00 acme usage e1 docs=1
          | duplicate event=/app/e1/usage
        10-01 11:00 acme usage e1 docs=1.0           // other bytes
          | conflict event=/app/e1/usage
        10-01 11:00 acme call e1 docs=1              // another type
          | conflict event=/app/e1/call
        ",
    );
}

#[test]
fn long_names_with_the_same_ends_are_two_customers() {
    story(
        PRICES,
        "
        10-01 09:00 northern-1-warehouses usage e1 docs=1
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +1000 left=1000 99 USD
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=999
        10-01 09:00 northern-2-warehouses usage e1 docs=1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +1000 left=1000 99 USD
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=999
        10-01 09:01 northern-1-warehouses usage e2 docs=1
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=998
        ",
    );
}

#[test]
fn another_customer_source_or_id_is_another_event() {
    story(
        PRICES,
        "
        10-01 09:00 acme usage e1 docs=1
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +1000 left=1000 99 USD
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=999
        10-01 09:00 bob usage e1 docs=1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +1000 left=1000 99 USD
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=999
        10-01 09:00 source=/app2 acme usage e1 docs=1
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=998
        10-01 09:00 acme usage e2 docs=1
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=997
        ",
    );
}

#[test]
fn a_copy_after_the_window_is_charged_again_and_occupies_anew() {
    story(
        "version v1 from=2026-01-01 default=starter window_days=2
         price docs type=usage each=docs:1
         plan starter fee=99 pool=1000",
        "
        10-01 09:00 acme usage e1 docs=1
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +1000 left=1000 99 USD
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=999
        10-02 09:00 acme usage e1 docs=1             // does not make the window longer
          | duplicate
        10-03 09:00 acme usage e1 docs=1             // exactly the window later
          | duplicate
        10-03 09:00:00.000001 acme usage e1 docs=1
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=998
        10-05 09:00 acme usage e1 docs=2
          | conflict
        10-06 09:00 acme usage e1 docs=2
          | usage 10-01 2 docs charge=2 pool/10-01 -2 left=996
        ",
    );
}

#[test]
fn the_window_in_force_at_the_copy_decides() {
    story(
        "version v1 from=2026-01-01 default=starter window_days=2
         price docs type=usage each=docs:1
         plan starter fee=99 pool=1000
         version v2 from=2026-10-04 window_days=4",
        "
        10-01 09:00 acme usage e1 docs=1
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +1000 left=1000 99 USD
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=999
        10-01 09:00 acme usage e2 docs=1
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=998
        10-03 23:00 acme usage e1 docs=1
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=997
        10-05 09:00 acme usage e2 docs=1
          | prices v2
          | duplicate
        ",
    );
}

#[test]
fn a_command_is_never_forgotten() {
    story(
        PRICES,
        "
        2026-01-05 09:00 acme open o plan=small anchor_day=1
          | prices v1
          | wallet 01-05 left=0
          | grant 01-05 pool/01-05 +100 left=100 10 USD
        2026-01-05 09:00 acme grant g credits=5 basis=purchased
          | grant 01-05 /app/g +5 left=105
        2026-01-05 09:00 acme grant g credits=5 basis=purchased
          | duplicate
        2027-02-01 00:00 acme usage g docs=1         // shares the identity
          | timer: grant 02-01 pool/02-01 +100 left=105 10 USD
          | timer: expire 01-05 pool/01-05 -100 left=105
          | timer: grant 03-01 pool/03-01 +100 left=105 10 USD
          | timer: expire 02-01 pool/02-01 -100 left=105
          | timer: grant 04-01 pool/04-01 +100 left=105 10 USD
          | timer: expire 03-01 pool/03-01 -100 left=105
          | timer: grant 05-01 pool/05-01 +100 left=105 10 USD
          | timer: expire 04-01 pool/04-01 -100 left=105
          | timer: grant 06-01 pool/06-01 +100 left=105 10 USD
          | timer: expire 05-01 pool/05-01 -100 left=105
          | timer: grant 07-01 pool/07-01 +100 left=105 10 USD
          | timer: expire 06-01 pool/06-01 -100 left=105
          | timer: grant 08-01 pool/08-01 +100 left=105 10 USD
          | timer: expire 07-01 pool/07-01 -100 left=105
          | timer: grant 09-01 pool/09-01 +100 left=105 10 USD
          | timer: expire 08-01 pool/08-01 -100 left=105
          | timer: grant 10-01 pool/10-01 +100 left=105 10 USD
          | timer: expire 09-01 pool/09-01 -100 left=105
          | timer: grant 11-01 pool/11-01 +100 left=105 10 USD
          | timer: expire 10-01 pool/10-01 -100 left=105
          | timer: grant 12-01 pool/12-01 +100 left=105 10 USD
          | timer: expire 11-01 pool/11-01 -100 left=105
          | timer: grant 2027-01-01 pool/2027-01-01 +100 left=105 10 USD
          | timer: expire 12-01 pool/12-01 -100 left=105
          | timer: grant 2027-02-01 pool/2027-02-01 +100 left=105 10 USD
          | conflict
        ",
    );
}

#[test]
fn the_copy_of_a_charge_that_was_split_is_one_duplicate() {
    let told = rows(
        PRICES,
        "10-01 09:00 acme open o plan=small
         10-01 09:00 acme usage e1 docs=150
         10-01 09:00 acme usage e1 docs=150",
    );
    let kinds: Vec<Kind> = told[3..].iter().map(|row| row.kind).collect();
    assert_eq!(
        kinds,
        [Kind::Usage, Kind::Usage, Kind::Alert, Kind::Duplicate]
    );
}
