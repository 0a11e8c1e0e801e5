//! Status: what blocks a wallet and what makes it ok again, each told once.

use super::story;

const PRICES: &str = "
    version v1 from=2026-01-01 default=none
    price docs type=usage each=docs:1
    plan small fee=10 pool=100
    plan billed fee=10 pool=100 bill=0.5
    plan large fee=40 pool=500
    plan empty fee=0 pool=0
";

#[test]
fn the_first_unbilled_overage_of_an_empty_wallet_blocks_it() {
    story(
        PRICES,
        "
        show event plan version place
        10-01 00:00 acme open o plan=small
          | prices v1 version=v1 at 1/0/0
          | wallet 10-01 left=0 event=/app/o/purser.wallet.opened plan=small version=v1 at 1/0/1
          | grant 10-01 pool/10-01 +100 left=100 10 USD event=/app/o/purser.wallet.opened \
              plan=small version=v1 at 1/0/2
        10-02 00:00 acme usage u1 docs=100           // empty, but nothing is owed
          | usage 10-01 100 docs charge=100 pool/10-01 -100 left=0 event=/app/u1/usage plan=small \
              version=v1 at 2/0/0
        10-02 00:00 acme usage u2 docs=0             // nor is it of a charge of zero
          | usage 10-01 0 docs charge=0 pool/10-01 0 left=0 event=/app/u2/usage plan=small \
              version=v1 at 3/0/0
        10-02 00:00 acme usage u3 docs=0.000001
          | usage 10-01 0.000001 docs charge=0.000001 overage left=0 event=/app/u3/usage \
              plan=small version=v1 at 4/0/0
          | alert 10-01 left=0 status blocked event=/app/u3/usage plan=small version=v1 at 4/0/1
        10-02 00:00 acme usage u4 docs=1             // it is blocked already
          | usage 10-01 1 docs charge=1 overage left=0 event=/app/u4/usage plan=small version=v1 \
              at 5/0/0
        ",
    );
}

#[test]
fn a_split_charge_blocks_with_its_last_row() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 acme usage u1 docs=101
          | usage 10-01 101 docs charge=100 pool/10-01 -100 left=0
          | usage 10-01 charge=1 overage left=0
          | alert 10-01 left=0 status blocked
        ",
    );
}

#[test]
fn billed_overage_blocks_nothing() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=billed
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 acme usage u1 docs=101
          | usage 10-01 101 docs charge=100 pool/10-01 -100 left=0
          | usage 10-01 charge=1 overage left=0 0.5 USD
        10-02 00:00 acme grant g credits=1 basis=promotional
          | grant 10-01 /app/g +1 left=1
        ",
    );
}

#[test]
fn a_grant_makes_it_ok_and_the_next_overage_blocks_it_again() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 acme usage u1 docs=101
          | usage 10-01 101 docs charge=100 pool/10-01 -100 left=0
          | usage 10-01 charge=1 overage left=0
          | alert 10-01 left=0 status blocked
        10-03 00:00 acme grant g credits=10 basis=purchased
          | grant 10-01 /app/g +10 left=10
          | alert 10-01 left=10 status ok
        10-03 00:00 acme grant h credits=1 basis=purchased   // it is ok already
          | grant 10-01 /app/h +1 left=11
        10-04 00:00 acme usage u2 docs=11            // empty is not blocked
          | usage 10-01 11 docs charge=10 /app/g -10 left=1
          | usage 10-01 charge=1 /app/h -1 left=0
        10-04 00:00 acme usage u3 docs=1
          | usage 10-01 1 docs charge=1 overage left=0
          | alert 10-01 left=0 status blocked
        ",
    );
}

#[test]
fn the_pool_of_a_new_period_makes_it_ok_unless_it_is_empty() {
    story(
        PRICES,
        "
        show place
        10-01 00:00 @wallet.acme acme open o plan=small
          | prices v1 at 1/0/0
          | wallet 10-01 left=0 at 1/0/1
          | grant 10-01 pool/10-01 +100 left=100 10 USD at 1/0/2
        10-01 00:00 @wallet.bob bob open o plan=empty
          | wallet 10-01 left=0 at 2/0/0
          | grant 10-01 pool/10-01 0 left=0 0 USD at 2/0/1
        10-02 00:00 @usage.acme acme usage u1 docs=101
          | usage 10-01 101 docs charge=100 pool/10-01 -100 left=0 at 3/0/0
          | usage 10-01 charge=1 overage left=0 at 3/0/1
          | alert 10-01 left=0 status blocked at 3/0/2
        10-02 00:00 @usage.bob bob usage u1 docs=1
          | usage 10-01 1 docs charge=1 overage left=0 at 4/0/0
          | alert 10-01 left=0 status blocked at 4/0/1
        11-01 00:00 @clock.0 empty
          | timer: grant (acme) 11-01 pool/11-01 +100 left=100 10 USD at 5/-1/0
          | timer: alert (acme) 11-01 left=100 status ok at 5/-1/1
          | timer: grant (bob) 11-01 pool/11-01 0 left=0 0 USD at 5/-1/2
          | tick at 5/0/0
        11-02 00:00 @usage.bob bob usage u2 docs=1   // blocked all the while
          | usage 11-01 1 docs charge=1 overage left=0 at 6/0/0
        ",
    );
}

#[test]
fn a_grant_that_starts_later_makes_it_ok_when_it_starts() {
    story(
        PRICES,
        "
        10-01 00:00 @wallet.acme acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 @usage.acme acme usage u1 docs=101
          | usage 10-01 101 docs charge=100 pool/10-01 -100 left=0
          | usage 10-01 charge=1 overage left=0
          | alert 10-01 left=0 status blocked
        10-03 00:00 @wallet.acme acme grant f credits=50 basis=promotional \
            effective_at=2026-10-05T00:00:00Z
          | grant 10-01 /app/f +50 left=0
        10-04 23:59:59.999999 @clock.0 empty
          | tick
        10-05 00:00 @clock.0 empty
          | timer: alert (acme) 10-01 left=50 status ok
          | tick
        10-06 00:00 @usage.acme acme usage u2 docs=1
          | usage 10-01 1 docs charge=1 /app/f -1 left=49
        ",
    );
}

#[test]
fn its_own_usage_wakes_the_start_and_finds_it_ok() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 00:00 acme grant f credits=50 basis=promotional effective_at=2026-10-05T00:00:00Z
          | grant 10-01 /app/f +50 left=100
        10-02 00:00 acme usage u1 docs=101           // a grant to come keeps nobody from it
          | usage 10-01 101 docs charge=100 pool/10-01 -100 left=0
          | usage 10-01 charge=1 overage left=0
          | alert 10-01 left=0 status blocked
        10-05 00:00 acme usage u2 docs=51
          | timer: alert 10-01 left=50 status ok
          | usage 10-01 51 docs charge=50 /app/f -50 left=0
          | usage 10-01 charge=1 overage left=0
          | alert 10-01 left=0 status blocked
        ",
    );
}

#[test]
fn a_start_while_it_is_ok_tells_nothing() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 00:00 acme grant f credits=50 basis=promotional effective_at=2026-10-05T00:00:00Z
          | grant 10-01 /app/f +50 left=100
        10-02 00:00 acme usage u1 docs=100
          | usage 10-01 100 docs charge=100 pool/10-01 -100 left=0
        10-05 00:00 acme usage u2 docs=1
          | usage 10-01 1 docs charge=1 /app/f -1 left=49
        ",
    );
}

#[test]
fn a_larger_pool_makes_it_ok_and_the_same_pool_with_billed_overage_does_not() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 acme usage u1 docs=101
          | usage 10-01 101 docs charge=100 pool/10-01 -100 left=0
          | usage 10-01 charge=1 overage left=0
          | alert 10-01 left=0 status blocked
        10-03 00:00 acme plan c1 plan=billed at=now
          | wallet 10-01 left=0
        10-04 00:00 acme usage u2 docs=1
          | usage 10-01 1 docs charge=1 overage left=0 0.5 USD
        10-05 00:00 acme plan c2 plan=large at=now
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +400 left=400 30 USD
          | alert 10-01 left=400 status ok
        ",
    );
}

#[test]
fn overage_beside_credits_that_may_not_pay_it_blocks_nothing() {
    story(
        PRICES,
        "
        10-01 00:00 @wallet.acme acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 @usage.acme acme usage u1 docs=100
          | usage 10-01 100 docs charge=100 pool/10-01 -100 left=0
        10-05 00:00 @wallet.acme acme grant p credits=10 basis=purchased
          | grant 10-01 /app/p +10 left=10
        10-06 00:00 @usage.acme used=10-04T23:59 acme usage u2 docs=3   // from before the grant
          | usage 10-01 3 docs charge=3 overage left=10
        10-07 00:00 @usage.acme acme usage u3 docs=10
          | usage 10-01 10 docs charge=10 /app/p -10 left=0
        11-01 06:00 @usage.acme used=10-31T12:00 acme usage u4 docs=3   // from before the pool
          | timer: grant 11-01 pool/11-01 +100 left=100 10 USD
          | usage 10-01 late 3 docs charge=3 overage left=100
        ",
    );
}

#[test]
fn an_expiry_or_a_void_that_empties_a_wallet_blocks_nothing() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=empty
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 0 left=0 0 USD
        10-01 00:00 acme grant g credits=5 basis=promotional expires_at=2026-10-03T00:00:00Z
          | grant 10-01 /app/g +5 left=5
        10-03 00:00 acme grant h credits=6 basis=promotional
          | timer: expire 10-01 /app/g -5 left=0
          | grant 10-01 /app/h +6 left=6
        10-04 00:00 acme void v1 grant=/app/h
          | void 10-01 /app/h -6 left=0
        10-05 00:00 acme usage u1 docs=1
          | usage 10-01 1 docs charge=1 overage left=0
          | alert 10-01 left=0 status blocked
        ",
    );
}
