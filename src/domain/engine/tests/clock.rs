//! Now, when events come from files.

use super::{PRICES, story};

#[test]
fn an_events_time_moves_now_unless_it_lies_beyond_the_wall_clock() {
    story(
        PRICES,
        "
        show received used
        wall 10-05 12:00
        10-01 09:00 acme usage e1 docs=1
          | prices v1 received=10-01T09:00
          | wallet 10-01 left=0 received=10-01T09:00 used=10-01T09:00
          | grant 10-01 pool/10-01 +1000 left=1000 99 USD received=10-01T09:00 used=10-01T09:00
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=999 received=10-01T09:00 used=10-01T09:00
        10-05 12:05 acme usage e2 docs=1             // five minutes ahead of the wall clock
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=998 received=10-05T12:05 used=10-05T12:05
        10-05 12:05:00.000001 acme usage e3 docs=1   // beyond it now stays, yet that is near
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=997 received=10-05T12:05 \
              used=10-05T12:05:00.000001
        10-05 12:10:00.000001 acme usage e4 docs=1
          | rejected in_future received=10-05T12:05 used=10-05T12:10:00.000001
        10-04 00:00 acme usage e5 docs=1             // out of order: now stays
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=996 received=10-05T12:05 used=10-04T00:00
        acme usage e6 docs=1                         // no time is now
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=995 received=10-05T12:05 used=10-05T12:05
        ",
    );
}

#[test]
fn what_is_refused_later_still_moves_now_and_wakes_timers() {
    story(
        PRICES,
        "
        10-01 09:00 acme usage e1 docs=1
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +1000 left=1000 99 USD
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=999
        11-01 09:00 a.b usage e2 docs=1              // not this one
          | rejected bad_customer
        11-01 09:00 bob never e2
          | timer: grant (acme) 11-01 pool/11-01 +1000 left=1000 99 USD
          | rejected no_price
        ",
    );
}

#[test]
fn while_there_is_no_now_it_is_1970() {
    story(
        PRICES,
        "
        show received used
        wall 2026-09-30 00:00
        acme usage e1 docs=1                         // no time, and no now to take
          | rejected malformed received=1970-01-01T00:00
        empty
          | rejected empty received=1970-01-01T00:00
        10-01 09:00 acme usage e2 docs=1             // beyond the wall clock
          | rejected in_future received=1970-01-01T00:00 used=10-01T09:00
        acme usage e1 docs=1
          | rejected malformed received=1970-01-01T00:00
        09-30 00:00 acme usage e3 docs=1
          | prices v1 received=09-30T00:00
          | wallet 09-30 left=0 received=09-30T00:00 used=09-30T00:00
          | grant 09-30 pool/09-30 +1000 left=1000 99 USD received=09-30T00:00 used=09-30T00:00
          | usage 09-30 1 docs charge=1 pool/09-30 -1 left=999 received=09-30T00:00 used=09-30T00:00
        acme usage e1 docs=1
          | usage 09-30 1 docs charge=1 pool/09-30 -1 left=998 received=09-30T00:00 used=09-30T00:00
        ",
    );
}

#[test]
fn a_now_before_1970_is_one_too() {
    story(
        PRICES,
        "
        show received used
        1969-07-20 20:17 acme usage e1 docs=1
          | rejected no_price_version received=1969-07-20T20:17 used=1969-07-20T20:17
        acme usage e1 docs=1
          | rejected no_price_version received=1969-07-20T20:17 used=1969-07-20T20:17
        ",
    );
}
