//! Grants: when they are alive, and how they end.

use super::{PRICES, story};

#[test]
fn a_grant_is_alive_from_its_start_until_just_before_its_expiry() {
    story(
        PRICES,
        "
        10-01 00:00 @wallet.acme acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 00:00 @wallet.acme acme grant g credits=50 basis=promotional \
            effective_at=2026-10-05T00:00:00Z expires_at=2026-10-06T00:00:00Z
          | grant 10-01 /app/g +50 left=100           // not effective yet
        10-04 23:59:59 @usage.acme acme usage e1 docs=1
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=99
        10-04 23:59:59 @usage.acme used=10-05T00:01 acme usage e2 docs=1   // not alive when decided
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=98
        10-05 00:00 @usage.acme used=10-04T23:59:59 acme usage e3 docs=1   // used before its start
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=147
        10-05 00:00 @usage.acme acme usage e4 docs=1
          | usage 10-01 1 docs charge=1 /app/g -1 left=146
        10-05 23:59:59.999999 @usage.acme acme usage e5 docs=1
          | usage 10-01 1 docs charge=1 /app/g -1 left=145
        10-06 00:00 @usage.acme used=10-05T23:59:59 acme usage e6 docs=1   // the very instant
          | timer: expire 10-01 /app/g -48 left=97
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=96
        ",
    );
}

#[test]
fn a_grant_may_begin_in_the_past_but_pays_only_what_was_used_since() {
    story(
        PRICES,
        "
        10-10 00:00 @wallet.acme acme open o plan=small
          | prices v1
          | wallet 10-10 left=0
          | grant 10-10 pool/10-10 +100 left=100 10 USD
        10-10 00:00 @wallet.acme acme grant g credits=50 basis=promotional \
            effective_at=2026-10-05T00:00:00Z
          | grant 10-10 /app/g +50 left=150
        10-10 00:00 @usage.acme used=10-04T23:59 acme usage e1 docs=1
          | usage 10-10 late 1 docs charge=1 pool/10-10 -1 left=149
        10-10 00:00 @usage.acme used=10-05T00:00 acme usage e2 docs=1
          | usage 10-10 late 1 docs charge=1 /app/g -1 left=148
        ",
    );
}

#[test]
fn a_grant_that_is_over_when_it_comes_expires_before_the_next_event() {
    story(
        PRICES,
        "
        10-10 00:00 @batch.0 acme usage e1 docs=0
          | prices v1
          | wallet 10-10 left=0
          | grant 10-10 pool/10-10 +1000 left=1000 99 USD
          | usage 10-10 0 docs charge=0 pool/10-10 0 left=1000
        10-10 01:00 @wallet.acme acme grant g credits=50 basis=promotional \
            effective_at=2026-10-05T00:00:00Z expires_at=2026-10-06T00:00:00Z
          | grant 10-10 /app/g +50 left=1000
        + acme grant h credits=50 basis=promotional
          | timer: expire 10-10 /app/g -50 left=1000
          | grant 10-10 /app/h +50 left=1050
        ",
    );
}

#[test]
fn an_expiry_with_nothing_left_writes_no_row() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 00:00 acme grant g credits=5 basis=promotional expires_at=2026-10-06T00:00:00Z
          | grant 10-01 /app/g +5 left=105
        10-02 00:00 acme usage e1 docs=5
          | usage 10-01 5 docs charge=5 /app/g -5 left=100
        10-07 00:00 acme usage e2 docs=1
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=99
        ",
    );
}

#[test]
fn expiries_of_one_instant_go_by_id_after_the_period_that_ends_then() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 00:00 acme grant a credits=5 basis=purchased expires_at=2026-11-01T00:00:00Z
          | grant 10-01 /app/a +5 left=105
        10-01 00:00 acme grant b credits=6 basis=promotional expires_at=2026-11-01T00:00:00Z
          | grant 10-01 /app/b +6 left=111
        10-01 00:00 acme grant c credits=7 basis=purchased expires_at=2026-11-01T12:00:00Z
          | grant 10-01 /app/c +7 left=118
        11-01 18:00 acme usage e1 docs=1
          | timer: grant 11-01 pool/11-01 +100 left=107 10 USD
          | timer: expire 11-01 /app/a -5 left=107
          | timer: expire 11-01 /app/b -6 left=107
          | timer: expire 11-01 /app/c -7 left=100
          | usage 11-01 1 docs charge=1 pool/11-01 -1 left=99
        ",
    );
}

#[test]
fn the_row_of_a_grant_tells_what_it_was_sold_for() {
    story(
        PRICES,
        "
        show plan version data event
        10-01 00:00 acme open o plan=small
          | prices v1 version=v1
          | wallet 10-01 left=0 plan=small version=v1 data=[plan=small] \
              event=/app/o/purser.wallet.opened
          | grant 10-01 pool/10-01 +100 left=100 10 USD plan=small version=v1 \
              event=/app/o/purser.wallet.opened
        10-01 00:00 source=shop acme grant 77 credits=500.25 basis=purchased price=49.99 \
            currency=EUR
          | grant 10-01 shop/77 +500.25 left=600.25 49.99 EUR plan=small data=[credits=500.25 \
              basis=purchased price=49.99 currency=EUR] event=shop/77/purser.wallet.granted
        ",
    );
}

#[test]
fn an_id_is_free_again_when_its_grant_is_spent_and_over() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 00:00 source=a/b acme grant c credits=5 basis=promotional \
            expires_at=2026-10-02T00:00:00Z
          | grant 10-01 a/b/c +5 left=105
        10-01 00:00 source=a acme grant b/c credits=7 basis=promotional
          | rejected bad_command
        10-01 00:00 acme usage e1 docs=5
          | usage 10-01 5 docs charge=5 a/b/c -5 left=100
        10-02 00:00 acme usage e2 docs=1
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=99
        10-02 00:00 source=a acme grant b/c credits=7 basis=promotional
          | grant 10-01 a/b/c +7 left=106
        10-02 00:00 acme usage e3 docs=3
          | usage 10-01 3 docs charge=3 a/b/c -3 left=103
        ",
    );
}
