//! Overage: what no grant covers, billed or not.

use super::{PRICES, story};

#[test]
fn billed_overage_has_an_amount_and_blocked_overage_none() {
    story(
        PRICES,
        "
        10-01 09:00 acme usage e1 docs=1010
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +1000 left=1000 99 USD
          | usage 10-01 1010 docs charge=1000 pool/10-01 -1000 left=0
          | usage 10-01 charge=10 overage left=0 1.2 USD
        10-01 09:00 bob open o plan=small
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 09:00 bob usage e1 docs=101
          | usage 10-01 101 docs charge=100 pool/10-01 -100 left=0
          | usage 10-01 charge=1 overage left=0
          | alert 10-01 left=0 status blocked
        10-01 09:00 bob usage e2 docs=2.5             // the work was done, so it is recorded
          | usage 10-01 2.5 docs charge=2.5 overage left=0
        10-01 09:00 bob grant g credits=10 basis=purchased   // pays no earlier overage
          | grant 10-01 /app/g +10 left=10
          | alert 10-01 left=10 status ok
        10-01 09:00 bob usage e3 docs=1
          | usage 10-01 1 docs charge=1 /app/g -1 left=9
        ",
    );
}

#[test]
fn the_amount_is_rounded_half_even_to_the_nano() {
    story(
        "version v1 from=2026-01-01 default=none
         price docs type=usage each=docs:1
         plan none0 fee=0 pool=0 bill=0.5 currency=EUR
         plan free0 fee=0 pool=0 bill=0
         plan nano0 fee=0 pool=0 bill=0.000500000",
        "
        10-01 09:00 acme open o plan=none0
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 0 left=0 0 EUR
        10-01 09:00 acme usage e1 docs=0.000001
          | usage 10-01 0.000001 docs charge=0.000001 overage left=0 0.0000005 EUR
        10-01 09:00 bob open o plan=nano0
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 0 left=0 0 USD
        10-01 09:00 bob usage e1 docs=0.000001       // half a nano, to the even 0
          | usage 10-01 0.000001 docs charge=0.000001 overage left=0 0 USD
        10-01 09:00 bob usage e2 docs=0.000003       // one and a half, to the even 2
          | usage 10-01 0.000003 docs charge=0.000003 overage left=0 0.000000002 USD
        10-01 09:00 bob usage e3 docs=0              // zero is no overage
          | usage 10-01 0 docs charge=0 pool/10-01 0 left=0
        10-01 09:00 cloe open o plan=free0
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 0 left=0 0 USD
        10-01 09:00 cloe usage e1 docs=1
          | usage 10-01 1 docs charge=1 overage left=0 0 USD
        ",
    );
}

#[test]
fn an_amount_that_no_column_holds_is_overflow_and_opens_nothing() {
    story(
        "version v1 from=2026-01-01 default=dear
         price docs type=usage each=docs:1
         plan dear fee=0 pool=0 bill=1000000",
        "
        10-01 09:00 acme usage e1 docs=1000
          | prices v1
          | rejected overflow
        10-01 09:00 acme usage e1 docs=999
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 0 left=0 0 USD
          | usage 10-01 999 docs charge=999 overage left=0 999000000 USD
        ",
    );
}
