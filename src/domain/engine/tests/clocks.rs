//! Ticks: rows of the clock that wake what is due.

use super::{PRICES, story};

#[test]
fn an_empty_body_on_the_clock_is_a_tick_and_nothing_else() {
    story(
        "version v1 from=2026-10-05 default=starter
         price docs type=usage each=docs:1
         plan starter fee=99 pool=1000",
        "
        show place received used event data plan version
        10-04 23:59 @clock.0 empty
          | tick at 1/0/0 received=10-04T23:59
        10-04 23:59 @clock.0 empty                   // each is a row
          | tick at 2/0/0 received=10-04T23:59
        10-05 00:00 @clock.0 empty                   // tells the prices that begin
          | prices v1 at 3/0/0 received=10-05T00:00 version=v1
          | tick at 3/0/1 received=10-05T00:00
        10-04 12:00 @clock.0 empty                   // does not put now back
          | tick at 4/0/0 received=10-05T00:00
        ",
    );
}

#[test]
fn an_empty_body_elsewhere_is_no_tick() {
    story(
        PRICES,
        "
        10-01 09:00 @usage.acme empty
          | prices v1
          | rejected empty
        10-01 09:00 @batch.0 empty
          | rejected empty
        10-01 09:00 @wallet.acme empty
          | rejected empty
        empty
          | rejected empty
        ",
    );
}

#[test]
fn an_event_on_the_clock_is_on_the_wrong_subject() {
    story(
        PRICES,
        "
        10-01 09:00 @clock.0 acme usage e1 docs=1
          | prices v1
          | rejected wrong_subject
        10-01 09:00 @clock.0 acme open o plan=small
          | rejected wrong_subject
        10-01 09:00 @clock.0 acme usage e1 docs=1
          | rejected wrong_subject
        + bob usage e1 docs=1
          | rejected wrong_subject
        10-01 09:00 @usage.acme acme usage e1 docs=1   // nothing was charged or opened
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +1000 left=1000 99 USD
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=999
        ",
    );
}

#[test]
fn a_tick_moves_now() {
    story(
        PRICES,
        "
        show used received
        10-05 00:00 @clock.0 empty
          | prices v1 received=10-05T00:00
          | tick received=10-05T00:00
        10-04 00:00 @usage.acme used=none acme usage e1 docs=1
          | wallet 10-05 left=0 used=10-05T00:00 received=10-05T00:00
          | grant 10-05 pool/10-05 +1000 left=1000 99 USD used=10-05T00:00 received=10-05T00:00
          | usage 10-05 1 docs charge=1 pool/10-05 -1 left=999 used=10-05T00:00 \
              received=10-05T00:00
        ",
    );
}

#[test]
fn timers_that_are_due_come_before_the_tick_that_wakes_them() {
    story(
        "version v1 from=2026-01-01 default=none
         price docs type=usage each=docs:1
         plan small fee=10 pool=100
         version v2 from=2026-11-02",
        "
        show place
        10-01 00:00 @wallet.bob bob open o plan=small
          | prices v1 at 1/0/0
          | wallet 10-01 left=0 at 1/0/1
          | grant 10-01 pool/10-01 +100 left=100 10 USD at 1/0/2
        10-01 00:00 @wallet.acme acme open o plan=small
          | wallet 10-01 left=0 at 2/0/0
          | grant 10-01 pool/10-01 +100 left=100 10 USD at 2/0/1
        10-01 00:00 @wallet.acme acme grant g credits=5 basis=promotional \
            expires_at=2026-11-01T00:00:00Z
          | grant 10-01 /app/g +5 left=105 at 3/0/0
        10-31 23:59:59.999999 @clock.0 empty
          | tick at 4/0/0
        11-01 00:00 @clock.0 empty                   // of one wallet the end comes first
          | timer: grant (acme) 11-01 pool/11-01 +100 left=100 10 USD at 5/-1/0
          | timer: expire (acme) 11-01 /app/g -5 left=100 at 5/-1/1
          | timer: grant (bob) 11-01 pool/11-01 +100 left=100 10 USD at 5/-1/2
          | tick at 5/0/0
        11-01 12:00 @wallet.bob bob close c1
          | wallet 11-01 left=100 at 6/0/0
          | alert 11-01 left=100 status closed at 6/0/1
        11-02 12:00 @clock.0 empty                   // and all before what begins meanwhile
          | timer: expire (acme) 10-01 pool/10-01 -100 left=100 at 7/-1/0
          | timer: expire (bob) 10-01 pool/10-01 -100 left=100 at 7/-1/1
          | timer: void (bob) 11-01 pool/11-01 -100 left=0 at 7/-1/2
          | prices v2 at 7/0/0
          | tick at 7/0/1
        11-02 12:00 @clock.0 empty                   // nothing is due twice
          | tick at 8/0/0
        ",
    );
}

#[test]
fn a_later_tick_catches_up_periods_one_by_one() {
    story(
        "version v1 from=2026-01-01 default=none
         price docs type=usage each=docs:1
         plan small fee=10 pool=100",
        "
        10-01 00:00 @wallet.acme acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        12-01 00:00 @clock.0 empty
          | timer: grant (acme) 11-01 pool/11-01 +100 left=100 10 USD
          | timer: expire (acme) 10-01 pool/10-01 -100 left=100
          | timer: grant (acme) 12-01 pool/12-01 +100 left=100 10 USD
          | tick
        ",
    );
}
