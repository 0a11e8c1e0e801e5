//! Opening a wallet, by its first usage and by command.

use super::{PRICES, story};

#[test]
fn the_first_usage_opens_a_wallet_on_the_default_plan() {
    story(
        PRICES,
        "
        show place plan version data
        10-15 09:00 acme usage e1 docs=3
          | prices v1 at 1/0/0 version=v1
          | wallet 10-15 left=0 at 1/0/1 plan=starter version=v1
          | grant 10-15 pool/10-15 +1000 left=1000 99 USD at 1/0/2 plan=starter version=v1
          | usage 10-15 3 docs charge=3 pool/10-15 -3 left=997 at 1/0/3 plan=starter version=v1 \
              data=[docs=3]
        11-15 00:00 acme usage e2 docs=1             // the period ran to that day next month
          | timer: grant 11-15 pool/11-15 +1000 left=1000 99 USD at 2/-1/0 plan=starter version=v1
          | usage 11-15 1 docs charge=1 pool/11-15 -1 left=999 at 2/0/0 plan=starter version=v1 \
              data=[docs=1]
        ",
    );
}

#[test]
fn the_command_names_plan_and_anchor_day() {
    story(
        PRICES,
        "
        show plan version data
        10-15 23:59 acme open o plan=small anchor_day=20
          | prices v1 version=v1
          | wallet 10-15 left=0 plan=small version=v1 data=[plan=small anchor_day=20]
          | grant 10-15 pool/10-15 +100 left=100 10 USD plan=small version=v1
        10-16 09:00 acme open o2 plan=starter
          | rejected already_open raw=[10-16 09:00 acme open o2 plan=starter]
        10-20 00:00 acme usage e1 docs=1
          | timer: grant 10-20 pool/10-20 +100 left=100 10 USD plan=small version=v1
          | usage 10-20 1 docs charge=1 pool/10-20 -1 left=99 plan=small version=v1 data=[docs=1]
        ",
    );
}

#[test]
fn a_wallet_opened_by_usage_is_open() {
    story(
        PRICES,
        "
        10-15 09:00 acme usage e1 docs=0
          | prices v1
          | wallet 10-15 left=0
          | grant 10-15 pool/10-15 +1000 left=1000 99 USD
          | usage 10-15 0 docs charge=0 pool/10-15 0 left=1000
        10-15 09:00 acme open o plan=small
          | rejected already_open
        ",
    );
}

#[test]
fn usage_from_before_the_opening_is_late_in_the_first_period() {
    story(
        PRICES,
        "
        10-15 09:00 @wallet.acme acme open o plan=small anchor_day=20
          | prices v1
          | wallet 10-15 left=0
          | grant 10-15 pool/10-15 +100 left=100 10 USD
        10-15 10:00 @usage.acme used=10-15T00:00 acme usage e1 docs=1   // the opening day itself
          | usage 10-15 1 docs charge=1 pool/10-15 -1 left=99
        10-15 10:00 @usage.acme used=10-14T23:59:59 acme usage e2 docs=1
          | usage 10-15 late 1 docs charge=1 pool/10-15 -1 left=98
        10-20 23:59 @usage.acme used=10-14T23:59:59 acme usage e3 docs=1   // in the grace
          | timer: grant 10-20 pool/10-20 +100 left=100 10 USD
          | usage 10-15 late 1 docs charge=1 pool/10-15 -1 left=100
        10-21 00:00 @usage.acme used=10-14T23:59:59 acme usage e4 docs=1   // the first is closed
          | timer: expire 10-15 pool/10-15 -97 left=100
          | usage 10-20 late 1 docs charge=1 pool/10-20 -1 left=99
        ",
    );
}

#[test]
fn the_default_plan_is_that_of_the_moment_of_receipt() {
    story(
        "version v1 from=2026-01-01 default=none
         price docs type=usage each=docs:1
         plan starter fee=99 pool=1000
         version v2 from=2026-10-02T12:00 default=starter
         plan starter fee=120 pool=2000
         version v3 from=2026-10-04 default=small
         plan small fee=10 pool=100",
        "
        show version
        10-02 11:00 @usage.acme acme usage e1 docs=1
          | prices v1 version=v1
          | rejected unknown_wallet
        10-02 12:00 @usage.acme acme usage e1 docs=1   // the terms are of midnight's version
          | prices v2 version=v2
          | wallet 10-02 left=0 version=v1
          | grant 10-02 pool/10-02 +1000 left=1000 99 USD version=v1
          | usage 10-02 1 docs charge=1 pool/10-02 -1 left=999 version=v2
        10-04 00:00 @usage.bob used=10-02T11:00 bob usage e1 docs=1
          | prices v3 version=v3
          | wallet 10-04 left=0 version=v3
          | grant 10-04 pool/10-04 +100 left=100 10 USD version=v3
          | usage 10-04 late 1 docs charge=1 pool/10-04 -1 left=99 version=v1
        ",
    );
}

#[test]
fn a_plan_that_begins_later_today_has_its_first_terms() {
    story(
        "version v1 from=2026-01-01 default=none
         price docs type=usage each=docs:1
         version v2 from=2026-10-02T12:00
         plan small fee=10 pool=100",
        "
        show version
        10-02 11:00 acme open o plan=small
          | prices v1 version=v1
          | rejected bad_command
        10-02 12:00 acme open o plan=small
          | prices v2 version=v2
          | wallet 10-02 left=0 version=v2
          | grant 10-02 pool/10-02 +100 left=100 10 USD version=v2
        ",
    );
}
