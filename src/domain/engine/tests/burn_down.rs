//! Who pays first, and charges that several grants pay.

use super::{PRICES, story};

#[test]
fn promotions_pay_before_the_pool_and_purchases_after_it() {
    story(
        PRICES,
        "
        show task price version cost
        10-01 00:00 acme open o plan=small
          | prices v1 version=v1
          | wallet 10-01 left=0 version=v1
          | grant 10-01 pool/10-01 +100 left=100 10 USD version=v1
        10-01 00:00 acme grant bought credits=30 basis=purchased
          | grant 10-01 /app/bought +30 left=130
        10-01 00:00 acme grant given credits=20 basis=promotional
          | grant 10-01 /app/given +20 left=150
        10-02 00:00 acme usage e1 docs=160
          | usage 10-01 160 docs charge=20 /app/given -20 left=130 task=docs task price=docs \
              version=v1 cost=0
          | usage 10-01 charge=100 pool/10-01 -100 left=30 task=docs task price=docs version=v1
          | usage 10-01 charge=30 /app/bought -30 left=0 task=docs task price=docs version=v1
          | usage 10-01 charge=10 overage left=0 task=docs task price=docs version=v1
          | alert 10-01 left=0 status blocked version=v1
        ",
    );
}

/// Grants of one credit each; the order in which they pay, most decisive rule first.
#[test]
fn priority_then_expiry_then_basis_then_start_then_id() {
    story(
        PRICES,
        "
        10-10 00:00 acme open o plan=small anchor_day=1
          | prices v1
          | wallet 10-10 left=0
          | grant 10-10 pool/10-10 +100 left=100 10 USD
        10-10 00:00 acme grant i credits=1 basis=purchased priority=100
          | grant 10-10 /app/i +1 left=101
        10-10 00:00 acme grant h credits=1 basis=promotional priority=100
          | grant 10-10 /app/h +1 left=102
        10-10 00:00 acme grant g credits=1 basis=purchased priority=100 \
            expires_at=2026-11-01T00:00:01Z
          | grant 10-10 /app/g +1 left=103
        10-10 00:00 acme grant f credits=1 basis=purchased priority=100 \
            expires_at=2026-11-01T00:00:00Z
          | grant 10-10 /app/f +1 left=104
        10-10 00:00 acme grant d credits=1 basis=promotional priority=100 \
            expires_at=2026-11-01T00:00:00Z effective_at=2026-10-09T00:00:00Z
          | grant 10-10 /app/d +1 left=105
        10-10 00:00 acme grant e credits=1 basis=promotional priority=100 \
            expires_at=2026-11-01T00:00:00Z effective_at=2026-10-09T00:00:00Z
          | grant 10-10 /app/e +1 left=106
        10-10 00:00 acme grant z credits=1 basis=promotional priority=100 \
            expires_at=2026-11-01T00:00:00Z effective_at=2026-10-08T00:00:00Z
          | grant 10-10 /app/z +1 left=107
        10-10 00:00 acme grant c credits=1 basis=purchased priority=100 \
            expires_at=2026-10-31T00:00:00Z
          | grant 10-10 /app/c +1 left=108
        10-10 00:00 acme grant b credits=1 basis=purchased priority=99
          | grant 10-10 /app/b +1 left=109
        10-10 00:00 acme grant a credits=1 basis=purchased priority=-5
          | grant 10-10 /app/a +1 left=110
        10-20 00:00 acme usage e1 docs=110
          | usage 10-10 110 docs charge=1 /app/a -1 left=109
          | usage 10-10 charge=1 /app/b -1 left=108
          | usage 10-10 charge=1 /app/c -1 left=107
          | usage 10-10 charge=1 /app/z -1 left=106
          | usage 10-10 charge=1 /app/d -1 left=105
          | usage 10-10 charge=1 /app/e -1 left=104
          | usage 10-10 charge=100 pool/10-10 -100 left=4
          | usage 10-10 charge=1 /app/f -1 left=3
          | usage 10-10 charge=1 /app/g -1 left=2
          | usage 10-10 charge=1 /app/h -1 left=1
          | usage 10-10 charge=1 /app/i -1 left=0
        ",
    );
}

#[test]
fn a_charge_of_zero_names_the_first_that_could_pay_though_it_is_empty() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 00:00 acme grant g credits=1 basis=promotional
          | grant 10-01 /app/g +1 left=101
        10-01 00:00 acme usage e1 docs=101
          | usage 10-01 101 docs charge=1 /app/g -1 left=100
          | usage 10-01 charge=100 pool/10-01 -100 left=0
        10-01 00:00 acme usage e2 docs=0
          | usage 10-01 0 docs charge=0 /app/g 0 left=0
        ",
    );
}

#[test]
fn the_minimum_lifts_a_small_charge_and_a_zero() {
    story(
        "version v1 from=2026-01-01 default=small
         price docs type=usage each=docs:0.001 min=0.01
         cost usage docs:0.000000002
         plan small fee=10 pool=100",
        "
        show cost
        10-01 00:00 acme usage e1 docs=0
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
          | usage 10-01 0 docs charge=0.01 pool/10-01 -0.01 left=99.99 cost=0
        10-01 00:00 acme usage e2 docs=11
          | usage 10-01 11 docs charge=0.011 pool/10-01 -0.011 left=99.979 cost=0.000000022
        ",
    );
}
