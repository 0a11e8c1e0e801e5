//! Voids: taking back what remains of a grant or of a pool.

use super::story;

const PRICES: &str = "
    version v1 from=2026-01-01 default=none
    price docs type=usage each=docs:1
    plan small fee=10 pool=100 bill=0.5
    plan rolling fee=10 pool=100 rollover=30:1 bill=0.5
    plan alerting fee=10 pool=100 used=50,80
";

#[test]
fn a_purchase_loses_what_remains_of_it() {
    story(
        PRICES,
        "
        show plan event place
        10-01 00:00 acme open o plan=small
          | prices v1 at 1/0/0
          | wallet 10-01 left=0 plan=small event=/app/o/purser.wallet.opened at 1/0/1
          | grant 10-01 pool/10-01 +100 left=100 10 USD plan=small \
              event=/app/o/purser.wallet.opened at 1/0/2
        10-02 00:00 acme grant p credits=50 basis=purchased
          | grant 10-01 /app/p +50 left=150 plan=small event=/app/p/purser.wallet.granted at 2/0/0
        10-03 00:00 acme usage u1 docs=120
          | usage 10-01 120 docs charge=100 pool/10-01 -100 left=50 plan=small \
              event=/app/u1/usage at 3/0/0
          | usage 10-01 charge=20 /app/p -20 left=30 plan=small event=/app/u1/usage at 3/0/1
        10-04 00:00 acme void v1 grant=/app/p
          | void 10-01 /app/p -30 left=0 plan=small event=/app/v1/purser.wallet.voided at 4/0/0
        10-05 00:00 acme usage u2 docs=1
          | usage 10-01 1 docs charge=1 overage left=0 0.5 USD plan=small event=/app/u2/usage \
              at 5/0/0
        ",
    );
}

#[test]
fn a_second_void_finds_nothing_and_a_copy_is_a_duplicate() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 acme grant p credits=50 basis=purchased
          | grant 10-01 /app/p +50 left=150
        10-04 00:00 acme void v1 grant=/app/p
          | void 10-01 /app/p -50 left=100
        10-04 00:00 acme void v1 grant=/app/p
          | duplicate
        10-04 00:00 acme void v1 grant=pool/2026-10-01
          | conflict
        10-04 00:00 acme void v2 grant=/app/p
          | rejected nothing_remaining
        ",
    );
}

#[test]
fn the_current_pool_can_be_voided_and_then_leaves_nothing_to_roll_over() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=rolling
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-03 00:00 acme usage u1 docs=20
          | usage 10-01 20 docs charge=20 pool/10-01 -20 left=80
        10-04 00:00 acme void v1 grant=pool/2026-10-01
          | void 10-01 pool/10-01 -80 left=0
        10-05 00:00 acme usage u2 docs=1
          | usage 10-01 1 docs charge=1 overage left=0 0.5 USD
        11-02 00:00 acme usage u3 docs=1             // the next pool is another one
          | timer: grant 11-01 pool/11-01 +100 left=100 10 USD
          | usage 11-01 1 docs charge=1 pool/11-01 -1 left=99
        ",
    );
}

#[test]
fn the_pool_of_an_ended_period_and_its_rollover_are_voided_each_for_itself() {
    story(
        PRICES,
        "
        10-01 00:00 @wallet.acme acme open o plan=rolling
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        11-01 06:00 @wallet.acme acme void v1 grant=pool/2026-10-01   // booked to its period
          | timer: grant 11-01 pool/11-01 +100 left=100 10 USD
          | timer: rollover 10-01 pool/10-01 -30 left=100
          | timer: rollover 11-01 rollover/10-01 +30 left=130
          | void 10-01 pool/10-01 -70 left=130
        11-01 07:00 @usage.acme used=10-31T12:00 acme usage u1 docs=5   // in its period still
          | usage 10-01 late 5 docs charge=5 rollover/10-01 -5 left=125
        11-01 08:00 @wallet.acme acme void v2 grant=rollover/2026-10-01   // to the current one
          | void 11-01 rollover/10-01 -25 left=100
        11-01 09:00 @usage.acme used=10-31T12:00 acme usage u2 docs=5
          | usage 10-01 late 5 docs charge=5 overage left=100 2.5 USD
        11-02 00:00 @wallet.acme acme void v3 grant=pool/2026-10-01   // closed with nothing left
          | rejected nothing_remaining
        12-01 00:00 @usage.acme acme usage u3 docs=1
          | timer: grant 12-01 pool/12-01 +100 left=100 10 USD
          | timer: rollover 11-01 pool/11-01 -30 left=100
          | timer: rollover 12-01 rollover/11-01 +30 left=130
          | usage 12-01 1 docs charge=1 rollover/11-01 -1 left=129
        ",
    );
}

#[test]
fn a_grant_that_has_not_begun_never_does() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 acme grant f credits=50 basis=promotional \
            effective_at=2026-10-05T00:00:00Z expires_at=2026-10-07T00:00:00Z
          | grant 10-01 /app/f +50 left=100
        10-03 00:00 acme void v1 grant=/app/f
          | void 10-01 /app/f -50 left=100
        10-06 00:00 acme usage u1 docs=1
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=99
        10-08 00:00 acme usage u2 docs=1
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=98
        ",
    );
}

#[test]
fn what_holds_nothing_is_refused() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 00:00 bob open o plan=small
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 00:00 bob grant p credits=5 basis=purchased
          | grant 10-01 /app/p +5 left=105
        10-01 00:00 acme grant spent credits=5 basis=promotional
          | grant 10-01 /app/spent +5 left=105
        10-01 00:00 acme grant over credits=6 basis=promotional expires_at=2026-10-02T00:00:00Z
          | grant 10-01 /app/over +6 left=111
        10-02 00:00 acme usage u1 docs=5
          | timer: expire 10-01 /app/over -6 left=105
          | usage 10-01 5 docs charge=5 /app/spent -5 left=100
        10-03 00:00 acme void v1 grant=/app/spent
          | rejected nothing_remaining
        10-03 00:00 acme void v1 grant=/app/over
          | rejected nothing_remaining
        10-03 00:00 acme void v1 grant=/app/p        // bob's
          | rejected nothing_remaining
        10-03 00:00 acme void v1 grant=pool/2026-11-01
          | rejected nothing_remaining
        10-03 00:00 acme void v1 grant=rollover/2026-10-01
          | rejected nothing_remaining
        11-02 00:00 acme void v1 grant=pool/2026-10-01   // has just expired
          | timer: grant 11-01 pool/11-01 +100 left=100 10 USD
          | timer: grant (bob) 11-01 pool/11-01 +100 left=105 10 USD
          | timer: expire 10-01 pool/10-01 -100 left=100
          | timer: expire (bob) 10-01 pool/10-01 -100 left=105
          | rejected nothing_remaining
        11-02 00:00 acme void v1 grant=pool/2026-11-01   // a refused one may be sent again
          | void 11-01 pool/11-01 -100 left=0
        ",
    );
}

#[test]
fn a_void_that_names_no_grant_or_comes_for_nobody_is_refused() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 acme void v1
          | rejected bad_command
        10-02 00:00 acme void v1 grant=null
          | rejected bad_command
        10-02 00:00 acme void v1 grant=7
          | rejected bad_command
        10-02 00:00 bob void v1 grant=7
          | rejected bad_command
        10-02 00:00 bob void v1 grant=pool/2026-10-01
          | rejected unknown_wallet
        ",
    );
}

#[test]
fn a_void_can_reach_thresholds_and_of_a_wallet_that_used_nothing_reaches_none() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=alerting
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 acme grant p credits=100 basis=purchased
          | grant 10-01 /app/p +100 left=200
        10-03 00:00 acme usage u1 docs=60            // of 200
          | usage 10-01 60 docs charge=60 pool/10-01 -60 left=140
        10-04 00:00 acme void v1 grant=/app/p        // of 100
          | void 10-01 /app/p -100 left=40
          | alert 10-01 left=40 used 50
        10-05 00:00 acme void v2 grant=pool/2026-10-01   // of 60
          | void 10-01 pool/10-01 -40 left=0
          | alert 10-01 left=0 used 80
        10-06 00:00 acme grant q credits=90 basis=purchased   // of 150: both are false
          | grant 10-01 /app/q +90 left=90
        10-07 00:00 acme usage u2 docs=15            // 75 of 150
          | usage 10-01 15 docs charge=15 /app/q -15 left=75
          | alert 10-01 left=75 used 50
        10-07 00:00 bob open o plan=alerting
          | wallet 10-07 left=0
          | grant 10-07 pool/10-07 +100 left=100 10 USD
        10-08 00:00 bob void v1 grant=pool/2026-10-07
          | void 10-07 pool/10-07 -100 left=0
        ",
    );
}

#[test]
fn after_a_void_late_usage_is_booked_to_the_ended_period_still() {
    story(
        PRICES,
        "
        10-01 00:00 @wallet.acme acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 @wallet.acme acme grant p credits=50 basis=purchased
          | grant 10-01 /app/p +50 left=150
        11-01 06:00 @wallet.acme acme void v1 grant=pool/2026-10-01
          | timer: grant 11-01 pool/11-01 +100 left=150 10 USD
          | void 10-01 pool/10-01 -100 left=150
        11-01 06:00 @usage.acme used=10-31T12:00 acme usage u1 docs=20
          | usage 10-01 late 20 docs charge=20 /app/p -20 left=130
        11-01 06:00 @wallet.acme acme void v2 grant=/app/p
          | void 11-01 /app/p -30 left=100
        11-01 06:00 @usage.acme used=10-31T12:00 acme usage u2 docs=20
          | usage 10-01 late 20 docs charge=20 overage left=100 10 USD
        ",
    );
}
