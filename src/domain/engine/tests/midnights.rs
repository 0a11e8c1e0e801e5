//! Midnights: when a wallet is about to run out, and which credits are about to expire.

use super::story;

const PRICES: &str = "
    version v1 from=2026-01-01 default=none
    price docs type=usage each=docs:1
    plan pace fee=10 pool=100 run_out=7
    plan ends fee=10 pool=100 expiring=3
    plan both fee=10 pool=100 run_out=7 expiring=3
    plan rolling fee=10 pool=100 expiring=3 rollover=30:1
";

#[test]
fn the_first_full_day_is_pace_enough_for_a_young_wallet() {
    story(
        PRICES,
        "
        10-01 00:00 @wallet.acme acme open o plan=pace
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 12:00 @usage.acme acme usage u1 docs=20   // 20 a day, 80 are left
          | usage 10-01 20 docs charge=20 pool/10-01 -20 left=80
        10-01 23:59:59.999999 @clock.0 empty
          | tick
        10-02 00:00 @clock.0 empty
          | timer: alert (acme) 10-01 left=80 run_out 7
          | tick
        ",
    );
}

#[test]
fn exactly_so_many_days_is_within_them() {
    story(
        PRICES,
        "
        10-01 00:00 @wallet.acme acme open o plan=pace
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 00:00 @wallet.bob bob open o plan=pace
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 12:00 @usage.acme acme usage u1 docs=12.5   // 7 days
          | usage 10-01 12.5 docs charge=12.5 pool/10-01 -12.5 left=87.5
        10-01 12:00 @usage.bob bob usage u1 docs=12.499999   // and a little
          | usage 10-01 12.499999 docs charge=12.499999 pool/10-01 -12.499999 left=87.500001
        10-02 00:00 @clock.0 empty
          | timer: alert (acme) 10-01 left=87.5 run_out 7
          | tick
        ",
    );
}

/// 80 credits at 20 a day from the 2nd on last until the 6th.
#[test]
fn not_when_the_period_ends_first() {
    story(
        PRICES,
        "
        10-01 00:00 @wallet.acme acme open o plan=pace anchor_day=4
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 00:00 @wallet.bob bob open o plan=pace anchor_day=6
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 00:00 @wallet.cloe cloe open o plan=pace anchor_day=7
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 12:00 @usage.acme acme usage u1 docs=20
          | usage 10-01 20 docs charge=20 pool/10-01 -20 left=80
        10-01 12:00 @usage.bob bob usage u1 docs=20  // empty as the period ends is not before
          | usage 10-01 20 docs charge=20 pool/10-01 -20 left=80
        10-01 12:00 @usage.cloe cloe usage u1 docs=20
          | usage 10-01 20 docs charge=20 pool/10-01 -20 left=80
        10-02 00:00 @clock.0 empty
          | timer: alert (cloe) 10-01 left=80 run_out 7
          | tick
        ",
    );
}

#[test]
fn the_pace_is_that_of_the_last_seven_full_days() {
    story(
        PRICES,
        "
        10-01 00:00 @wallet.acme acme open o plan=pace
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 00:00 @wallet.bob bob open o plan=pace
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 12:00 @usage.bob bob usage u1 docs=1   // falls out of the seven
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=99
        10-08 00:00 @clock.0 empty
          | tick
        10-08 12:00 @usage.acme acme usage u1 docs=50   // 50 in 7 days, 50 are left
          | usage 10-01 50 docs charge=50 pool/10-01 -50 left=50
        10-08 12:00 @usage.bob bob usage u2 docs=49.4   // 49.4 in 7 days, 49.6 are left
          | usage 10-01 49.4 docs charge=49.4 pool/10-01 -49.4 left=49.6
        10-09 00:00 @clock.0 empty
          | timer: alert (acme) 10-01 left=50 run_out 7
          | tick
        ",
    );
}

#[test]
fn without_use_or_with_nothing_left_it_is_silent() {
    story(
        PRICES,
        "
        10-01 00:00 @wallet.acme acme open o plan=pace anchor_day=3
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 00:00 @wallet.bob bob open o plan=pace
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 12:00 @usage.bob bob usage u1 docs=100
          | usage 10-01 100 docs charge=100 pool/10-01 -100 left=0
        10-05 00:00 @clock.0 empty
          | timer: grant (acme) 10-03 pool/10-03 +100 left=100 10 USD
          | timer: expire (acme) 10-01 pool/10-01 -100 left=100
          | tick
        ",
    );
}

#[test]
fn it_is_told_once_until_a_row_makes_it_false() {
    story(
        PRICES,
        "
        10-01 00:00 @wallet.acme acme open o plan=pace
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 12:00 @usage.acme acme usage u1 docs=20
          | usage 10-01 20 docs charge=20 pool/10-01 -20 left=80
        10-02 12:00 @usage.acme acme usage u2 docs=20   // 80 at 20 a day
          | timer: alert 10-01 left=80 run_out 7
          | usage 10-01 20 docs charge=20 pool/10-01 -20 left=60
        10-03 12:00 @wallet.acme acme grant g credits=1000 basis=purchased   // 60 at 20: told
          | grant 10-01 /app/g +1000 left=1060
        10-04 12:00 @usage.acme acme usage u3 docs=940   // 1060 at 20, then at 40 in 3 days
          | usage 10-01 940 docs charge=60 pool/10-01 -60 left=1000
          | usage 10-01 charge=880 /app/g -880 left=120
        10-05 00:00 @clock.0 empty                   // 120 at 980 in 4 days
          | timer: alert (acme) 10-01 left=120 run_out 7
          | tick
        ",
    );
}

/// The full days are those of both periods: 90 credits in seven, then 110.
#[test]
fn a_new_pool_makes_it_false_and_what_closes_at_midnight_comes_before_it() {
    story(
        PRICES,
        "
        10-01 00:00 @wallet.acme acme open o plan=pace
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-30 12:00 @usage.acme acme usage u1 docs=90
          | usage 10-01 90 docs charge=90 pool/10-01 -90 left=10
        10-31 00:00 @clock.0 empty
          | timer: alert (acme) 10-01 left=10 run_out 7
          | tick
        11-01 12:00 @usage.acme acme usage u2 docs=20
          | timer: grant 11-01 pool/11-01 +100 left=100 10 USD
          | usage 11-01 20 docs charge=20 pool/11-01 -20 left=80
        11-02 00:00 @clock.0 empty
          | timer: expire (acme) 10-01 pool/10-01 -10 left=80
          | timer: alert (acme) 11-01 left=80 run_out 7
          | tick
        ",
    );
}

#[test]
fn grants_are_told_so_many_days_before_they_expire_once_and_in_the_order_in_which_they_pay() {
    story(
        PRICES,
        "
        10-01 00:00 @wallet.acme acme open o plan=ends
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 00:00 @wallet.acme acme grant a credits=10 basis=purchased \
            expires_at=2026-10-10T00:00:00Z
          | grant 10-01 /app/a +10 left=110
        10-01 00:00 @wallet.acme acme grant b credits=20 basis=promotional \
            expires_at=2026-10-10T00:00:00Z
          | grant 10-01 /app/b +20 left=130
        10-01 00:00 @wallet.acme acme grant c credits=5 basis=purchased \
            expires_at=2026-10-10T00:00:01Z
          | grant 10-01 /app/c +5 left=135
        10-01 00:00 @wallet.acme acme grant d credits=5 basis=promotional \
            expires_at=2026-10-09T00:00:00Z
          | grant 10-01 /app/d +5 left=140
        10-02 00:00 @usage.acme acme usage u1 docs=5   // d is spent
          | usage 10-01 5 docs charge=5 /app/d -5 left=135
        10-06 00:00 @clock.0 empty
          | tick
        10-07 00:00 @clock.0 empty
          | timer: alert (acme) 10-01 /app/b left=135 expiring 3
          | timer: alert (acme) 10-01 /app/a left=135 expiring 3
          | tick
        10-08 00:00 @clock.0 empty
          | timer: alert (acme) 10-01 /app/c left=135 expiring 3
          | tick
        10-09 00:00 @clock.0 empty
          | tick
        10-10 00:00 @clock.0 empty
          | timer: expire (acme) 10-01 /app/a -10 left=105
          | timer: expire (acme) 10-01 /app/b -20 left=105
          | tick
        ",
    );
}

#[test]
fn a_grant_with_fewer_days_left_is_told_at_the_next_midnight_if_it_sees_one() {
    story(
        PRICES,
        "
        10-01 00:00 @wallet.acme acme open o plan=ends
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-05 12:00 @wallet.acme acme grant g credits=10 basis=promotional \
            expires_at=2026-10-06T12:00:00Z
          | grant 10-01 /app/g +10 left=110
        10-05 12:00 @wallet.acme acme grant h credits=7 basis=promotional \
            expires_at=2026-10-05T18:00:00Z
          | grant 10-01 /app/h +7 left=117
        10-05 12:00 @wallet.acme acme grant i credits=1 basis=promotional \
            expires_at=2026-10-06T00:00:00Z
          | grant 10-01 /app/i +1 left=118
        10-06 00:00 @clock.0 empty
          | timer: expire (acme) 10-01 /app/h -7 left=111
          | timer: expire (acme) 10-01 /app/i -1 left=110
          | timer: alert (acme) 10-01 /app/g left=110 expiring 3
          | tick
        ",
    );
}

#[test]
fn a_grant_to_come_is_told_once_it_lives() {
    story(
        PRICES,
        "
        10-01 00:00 @wallet.acme acme open o plan=ends
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 00:00 @wallet.acme acme grant f credits=50 basis=purchased \
            effective_at=2026-10-09T00:00:00Z expires_at=2026-10-10T12:00:00Z
          | grant 10-01 /app/f +50 left=100
        10-08 00:00 @clock.0 empty
          | tick
        10-09 00:00 @clock.0 empty
          | timer: alert (acme) 10-01 /app/f left=150 expiring 3
          | tick
        10-10 00:00 @clock.0 empty
          | tick
        ",
    );
}

#[test]
fn a_rollover_is_told_and_a_pool_never() {
    story(
        PRICES,
        "
        10-01 00:00 @wallet.acme acme open o plan=rolling
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        11-27 00:00 @clock.0 empty
          | timer: grant (acme) 11-01 pool/11-01 +100 left=100 10 USD
          | timer: rollover (acme) 10-01 pool/10-01 -30 left=100
          | timer: rollover (acme) 11-01 rollover/10-01 +30 left=130
          | timer: expire (acme) 10-01 pool/10-01 -70 left=130
          | tick
        11-28 00:00 @clock.0 empty
          | timer: alert (acme) 11-01 rollover/10-01 left=130 expiring 3
          | tick
        ",
    );
}

#[test]
fn missed_midnights_are_caught_up_by_the_message_that_wakes_them() {
    story(
        PRICES,
        "
        show place received
        10-01 00:00 @wallet.acme acme open o plan=both
          | prices v1 at 1/0/0 received=10-01T00:00
          | wallet 10-01 left=0 at 1/0/1 received=10-01T00:00
          | grant 10-01 pool/10-01 +100 left=100 10 USD at 1/0/2 received=10-01T00:00
        10-01 00:00 @wallet.acme acme grant p credits=10 basis=purchased \
            expires_at=2026-10-06T00:00:00Z
          | grant 10-01 /app/p +10 left=110 at 2/0/0 received=10-01T00:00
        10-01 12:00 @usage.acme acme usage u1 docs=20
          | usage 10-01 20 docs charge=20 pool/10-01 -20 left=90 at 3/0/0 received=10-01T12:00
        10-04 12:00 @usage.acme acme usage u2 docs=1   // of the 2nd and of the 3rd
          | timer: alert 10-01 left=90 run_out 7 at 4/-1/0 received=10-04T12:00
          | timer: alert 10-01 /app/p left=90 expiring 3 at 4/-1/1 received=10-04T12:00
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=89 at 4/0/0 received=10-04T12:00
        ",
    );
}

#[test]
fn of_one_midnight_the_run_out_comes_first_and_wallets_go_by_name() {
    story(
        PRICES,
        "
        show plan version
        10-01 00:00 @wallet.bob bob open o plan=pace
          | prices v1 version=v1
          | wallet 10-01 left=0 plan=pace version=v1
          | grant 10-01 pool/10-01 +100 left=100 10 USD plan=pace version=v1
        10-01 00:00 @wallet.acme acme open o plan=both
          | wallet 10-01 left=0 plan=both version=v1
          | grant 10-01 pool/10-01 +100 left=100 10 USD plan=both version=v1
        10-01 00:00 @wallet.acme acme grant p credits=10 basis=purchased \
            expires_at=2026-10-05T00:00:00Z
          | grant 10-01 /app/p +10 left=110 plan=both
        10-01 12:00 @usage.acme acme usage u1 docs=20
          | usage 10-01 20 docs charge=20 pool/10-01 -20 left=90 plan=both version=v1
        10-01 12:00 @usage.bob bob usage u1 docs=20
          | usage 10-01 20 docs charge=20 pool/10-01 -20 left=80 plan=pace version=v1
        10-02 00:00 @clock.0 empty
          | timer: alert (acme) 10-01 left=90 run_out 7 plan=both version=v1
          | timer: alert (acme) 10-01 /app/p left=90 expiring 3 plan=both version=v1
          | timer: alert (bob) 10-01 left=80 run_out 7 plan=pace version=v1
          | tick
        ",
    );
}
