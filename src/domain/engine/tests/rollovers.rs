//! Rollovers: what a pool leaves for the periods after it, who draws it, and how it ends.

use super::{rows, story};
use crate::domain::entry::Kind;

/// Pools of 100 credits: 30 of them live on for one period or for two, all of them, or none.
const ROLLING: &str = "
    version v1 from=2026-01-01 default=none
    price docs type=usage each=docs:1
    plan small fee=10 pool=100 rollover=30:1 bill=0.5
    plan long fee=10 pool=100 rollover=30:2
    plan all fee=10 pool=100 rollover=500:1
    plan none0 fee=10 pool=100
";

#[test]
fn at_the_end_what_remains_moves_up_to_the_max_and_is_usable_at_once() {
    story(
        ROLLING,
        "
        show plan version place
        10-01 00:00 acme open o plan=small
          | prices v1 version=v1 at 1/0/0
          | wallet 10-01 left=0 plan=small version=v1 at 1/0/1
          | grant 10-01 pool/10-01 +100 left=100 10 USD plan=small version=v1 at 1/0/2
        10-10 00:00 acme usage u1 docs=20
          | usage 10-01 20 docs charge=20 pool/10-01 -20 left=80 plan=small version=v1 at 2/0/0
        11-01 00:00 acme usage u2 docs=5
          | timer: grant 11-01 pool/11-01 +100 left=100 10 USD plan=small version=v1 at 3/-1/0
          | timer: rollover 10-01 pool/10-01 -30 left=100 plan=small at 3/-1/1
          | timer: rollover 11-01 rollover/10-01 +30 left=130 plan=small at 3/-1/2
          | usage 11-01 5 docs charge=5 rollover/10-01 -5 left=125 plan=small version=v1 at 3/0/0
        11-02 00:00 acme usage u3 docs=1             // 50 of the 80 were over the max
          | timer: expire 10-01 pool/10-01 -50 left=125 plan=small at 4/-1/0
          | usage 11-01 1 docs charge=1 rollover/10-01 -1 left=124 plan=small version=v1 at 4/0/0
        ",
    );
}

#[test]
fn less_than_the_max_moves_whole_and_leaves_nothing_to_expire() {
    story(
        ROLLING,
        "
        10-01 00:00 acme open o plan=all
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-10 00:00 acme usage u1 docs=99.999999
          | usage 10-01 99.999999 docs charge=99.999999 pool/10-01 -99.999999 left=0.000001
        11-01 00:00 acme usage u2 docs=1
          | timer: grant 11-01 pool/11-01 +100 left=100 10 USD
          | timer: rollover 10-01 pool/10-01 -0.000001 left=100
          | timer: rollover 11-01 rollover/10-01 +0.000001 left=100.000001
          | usage 11-01 1 docs charge=0.000001 rollover/10-01 -0.000001 left=100
          | usage 11-01 charge=0.999999 pool/11-01 -0.999999 left=99.000001
        11-02 00:00 acme usage u3 docs=0.000001
          | usage 11-01 0.000001 docs charge=0.000001 pool/11-01 -0.000001 left=99
        12-01 00:00 acme usage u4 docs=1             // the rollover was spent: no row of its end
          | timer: grant 12-01 pool/12-01 +100 left=100 10 USD
          | timer: rollover 11-01 pool/11-01 -99 left=100
          | timer: rollover 12-01 rollover/11-01 +99 left=199
          | usage 12-01 1 docs charge=1 rollover/11-01 -1 left=198
        ",
    );
}

#[test]
fn exactly_the_max_moves_whole() {
    story(
        ROLLING,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-10 00:00 acme usage u1 docs=70
          | usage 10-01 70 docs charge=70 pool/10-01 -70 left=30
        11-02 00:00 acme usage u2 docs=1
          | timer: grant 11-01 pool/11-01 +100 left=100 10 USD
          | timer: rollover 10-01 pool/10-01 -30 left=100
          | timer: rollover 11-01 rollover/10-01 +30 left=130
          | usage 11-01 1 docs charge=1 rollover/10-01 -1 left=129
        ",
    );
}

#[test]
fn it_pays_after_promotions_and_before_the_pool_and_purchases() {
    story(
        ROLLING,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 00:00 acme grant bought credits=40 basis=purchased
          | grant 10-01 /app/bought +40 left=140
        10-01 00:00 acme grant given credits=10 basis=promotional
          | grant 10-01 /app/given +10 left=150
        11-01 00:00 acme usage u1 docs=145
          | timer: grant 11-01 pool/11-01 +100 left=150 10 USD
          | timer: rollover 10-01 pool/10-01 -30 left=150
          | timer: rollover 11-01 rollover/10-01 +30 left=180
          | usage 11-01 145 docs charge=10 /app/given -10 left=170
          | usage 11-01 charge=30 rollover/10-01 -30 left=140
          | usage 11-01 charge=100 pool/11-01 -100 left=40
          | usage 11-01 charge=5 /app/bought -5 left=35
        ",
    );
}

#[test]
fn for_one_period_it_ends_with_the_next_one_and_the_rest_of_it_expires() {
    story(
        ROLLING,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        11-01 00:00 acme usage u1 docs=10
          | timer: grant 11-01 pool/11-01 +100 left=100 10 USD
          | timer: rollover 10-01 pool/10-01 -30 left=100
          | timer: rollover 11-01 rollover/10-01 +30 left=130
          | usage 11-01 10 docs charge=10 rollover/10-01 -10 left=120
        11-30 23:59:59.999999 acme usage u2 docs=1
          | timer: expire 10-01 pool/10-01 -70 left=120
          | usage 11-01 1 docs charge=1 rollover/10-01 -1 left=119
        12-01 00:00 acme usage u3 docs=1             // the new one is not of the 19
          | timer: grant 12-01 pool/12-01 +100 left=100 10 USD
          | timer: rollover 11-01 pool/11-01 -30 left=100
          | timer: rollover 12-01 rollover/11-01 +30 left=130
          | timer: expire 12-01 rollover/10-01 -19 left=130
          | usage 12-01 1 docs charge=1 rollover/11-01 -1 left=129
        ",
    );
}

#[test]
fn for_two_periods_two_of_them_stand_and_the_older_pays_first() {
    story(
        ROLLING,
        "
        09-01 00:00 acme open o plan=long
          | prices v1
          | wallet 09-01 left=0
          | grant 09-01 pool/09-01 +100 left=100 10 USD
        11-01 00:00 acme usage u1 docs=25
          | timer: grant 10-01 pool/10-01 +100 left=100 10 USD
          | timer: rollover 09-01 pool/09-01 -30 left=100
          | timer: rollover 10-01 rollover/09-01 +30 left=130
          | timer: expire 09-01 pool/09-01 -70 left=130
          | timer: grant 11-01 pool/11-01 +100 left=130 10 USD
          | timer: rollover 10-01 pool/10-01 -30 left=130
          | timer: rollover 11-01 rollover/10-01 +30 left=160
          | usage 11-01 25 docs charge=25 rollover/09-01 -25 left=135
        12-01 00:00 acme usage u2 docs=40
          | timer: expire 10-01 pool/10-01 -70 left=135
          | timer: grant 12-01 pool/12-01 +100 left=130 10 USD
          | timer: rollover 11-01 pool/11-01 -30 left=130
          | timer: rollover 12-01 rollover/11-01 +30 left=160
          | timer: expire 12-01 rollover/09-01 -5 left=160
          | usage 12-01 40 docs charge=30 rollover/10-01 -30 left=130
          | usage 12-01 charge=10 rollover/11-01 -10 left=120
        ",
    );
}

#[test]
fn late_usage_draws_the_old_pool_then_the_rollover_it_left_then_the_others() {
    story(
        ROLLING,
        "
        10-01 00:00 @wallet.acme acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-20 00:00 @usage.acme acme usage u1 docs=60
          | usage 10-01 60 docs charge=60 pool/10-01 -60 left=40
        10-20 00:00 @wallet.acme acme grant given credits=10 basis=promotional
          | grant 10-01 /app/given +10 left=50
        10-20 00:00 @wallet.acme acme grant later credits=50 basis=promotional \
            effective_at=2026-11-01T00:00:00Z
          | grant 10-01 /app/later +50 left=50
        11-01 06:00 @usage.acme used=10-31T12:00 acme usage u2 docs=4
          | timer: grant 11-01 pool/11-01 +100 left=160 10 USD
          | timer: rollover 10-01 pool/10-01 -30 left=160
          | timer: rollover 11-01 rollover/10-01 +30 left=190
          | usage 10-01 late 4 docs charge=4 pool/10-01 -4 left=190
        11-01 06:00 @usage.acme used=10-31T12:00 acme usage u3 docs=20   // begun after the use
          | usage 10-01 late 20 docs charge=6 pool/10-01 -6 left=190
          | usage 10-01 late charge=14 rollover/10-01 -14 left=176
        11-01 06:00 @usage.acme used=10-31T12:00 acme usage u4 docs=30   // but `later` never pays
          | usage 10-01 late 30 docs charge=16 rollover/10-01 -16 left=160
          | usage 10-01 late charge=10 /app/given -10 left=150
          | usage 10-01 late charge=4 overage left=150 2 USD
        11-02 00:00 @usage.acme acme usage u5 docs=1   // nothing of the old pool is left
          | usage 11-01 1 docs charge=1 /app/later -1 left=149
        ",
    );
}

#[test]
fn the_close_takes_the_old_remainder_only_and_after_it_late_usage_finds_no_rollover() {
    story(
        ROLLING,
        "
        10-01 00:00 @wallet.acme acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-20 00:00 @usage.acme acme usage u1 docs=20
          | usage 10-01 20 docs charge=20 pool/10-01 -20 left=80
        11-01 23:59:59.999999 @usage.acme used=10-31T12:00 acme usage u2 docs=10
          | timer: grant 11-01 pool/11-01 +100 left=100 10 USD
          | timer: rollover 10-01 pool/10-01 -30 left=100
          | timer: rollover 11-01 rollover/10-01 +30 left=130
          | usage 10-01 late 10 docs charge=10 pool/10-01 -10 left=130
        11-02 00:00 @usage.acme used=10-31T12:00 acme usage u3 docs=1   // it began after the use
          | timer: expire 10-01 pool/10-01 -40 left=130
          | usage 11-01 late 1 docs charge=1 pool/11-01 -1 left=129
        11-02 00:00 @usage.acme used=11-01T00:00 acme usage u4 docs=1   // at its very beginning
          | usage 11-01 1 docs charge=1 rollover/10-01 -1 left=128
        ",
    );
}

#[test]
fn a_pool_that_is_spent_leaves_no_rollover() {
    story(
        ROLLING,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-10 00:00 acme usage u1 docs=100
          | usage 10-01 100 docs charge=100 pool/10-01 -100 left=0
        10-10 00:00 acme grant bought credits=40 basis=purchased   // of the pool alone
          | grant 10-01 /app/bought +40 left=40
        11-02 00:00 acme usage u2 docs=1
          | timer: grant 11-01 pool/11-01 +100 left=140 10 USD
          | usage 11-01 1 docs charge=1 pool/11-01 -1 left=139
        ",
    );
}

#[test]
fn without_rollover_in_the_plan_all_that_is_unused_expires_at_the_close() {
    story(
        ROLLING,
        "
        10-01 00:00 acme open o plan=none0
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        11-02 00:00 acme usage u1 docs=1
          | timer: grant 11-01 pool/11-01 +100 left=100 10 USD
          | timer: expire 10-01 pool/10-01 -100 left=100
          | usage 11-01 1 docs charge=1 pool/11-01 -1 left=99
        ",
    );
}

#[test]
fn missed_periods_are_caught_up_one_by_one_with_their_rollovers() {
    story(
        ROLLING,
        "
        08-01 00:00 acme open o plan=small
          | prices v1
          | wallet 08-01 left=0
          | grant 08-01 pool/08-01 +100 left=100 10 USD
        11-01 00:00 acme usage u1 docs=35
          | timer: grant 09-01 pool/09-01 +100 left=100 10 USD
          | timer: rollover 08-01 pool/08-01 -30 left=100
          | timer: rollover 09-01 rollover/08-01 +30 left=130
          | timer: expire 08-01 pool/08-01 -70 left=130
          | timer: grant 10-01 pool/10-01 +100 left=100 10 USD
          | timer: rollover 09-01 pool/09-01 -30 left=100
          | timer: rollover 10-01 rollover/09-01 +30 left=130
          | timer: expire 10-01 rollover/08-01 -30 left=130
          | timer: expire 09-01 pool/09-01 -70 left=130
          | timer: grant 11-01 pool/11-01 +100 left=100 10 USD
          | timer: rollover 10-01 pool/10-01 -30 left=100
          | timer: rollover 11-01 rollover/10-01 +30 left=130
          | timer: expire 11-01 rollover/09-01 -30 left=130
          | usage 11-01 35 docs charge=30 rollover/10-01 -30 left=100
          | usage 11-01 charge=5 pool/11-01 -5 left=95
        ",
    );
}

#[test]
fn the_rows_of_a_rollover_add_up_to_nothing() {
    let told = rows(
        ROLLING,
        "08-01 00:00 acme open o plan=long
         08-20 00:00 acme usage u1 docs=75.5
         11-01 00:00 acme usage u2 docs=0",
    );
    let rollovers = told.iter().filter(|row| row.kind == Kind::Rollover);
    let deltas: Vec<i64> = rollovers.map(|row| row.delta.unwrap().get()).collect();
    let (moved, max) = (24_500_000, 30_000_000);
    assert_eq!(deltas, [-moved, moved, -max, max, -max, max]);
}
