//! Changes of plan: whose terms they bring, and what the plan that is left rolls over.

use super::story;

const ROLLING: &str = "
    version v1 from=2026-01-01 default=none
    price docs type=usage each=docs:1
    plan rolling fee=10 pool=100 rollover=30:1
    plan rolls fee=40 pool=500 rollover=200:1
    plan plain fee=90 pool=1000
";

#[test]
fn the_version_at_the_start_of_the_period_gives_the_terms_if_it_has_the_plan() {
    story(
        "version v1 from=2026-01-01 default=none
         price docs type=usage each=docs:1
         plan small fee=10 pool=100
         plan large fee=40 pool=500
         version v2 from=2026-10-15
         plan large fee=70 pool=700
         plan mid fee=50 pool=600",
        "
        show plan version
        10-01 00:00 acme open o plan=small
          | prices v1 version=v1
          | wallet 10-01 left=0 plan=small version=v1
          | grant 10-01 pool/10-01 +100 left=100 10 USD plan=small version=v1
        10-14 00:00 acme plan c1 plan=mid at=now     // in no table yet
          | rejected bad_command
        10-20 00:00 acme plan c1 plan=large at=now   // 500 for 40, as on the 1st
          | prices v2 version=v2
          | wallet 10-01 left=100 plan=large version=v1
          | grant 10-01 pool/10-01 +400 left=500 30 USD plan=large version=v1
        10-21 00:00 acme plan c2 plan=mid at=now
          | wallet 10-01 left=500 plan=mid version=v2
          | grant 10-01 pool/10-01 +100 left=600 10 USD plan=mid version=v2
        10-22 00:00 acme plan c3 plan=large at=now
          | wallet 10-01 left=600 plan=large version=v1
        11-01 00:00 acme usage u1 docs=1
          | timer: grant 11-01 pool/11-01 +700 left=700 70 USD plan=large version=v2
          | usage 11-01 1 docs charge=1 pool/11-01 -1 left=699 plan=large version=v2
        ",
    );
}

#[test]
fn the_plan_of_the_ended_period_rolls_over_not_the_one_that_begins() {
    story(
        ROLLING,
        "
        10-01 00:00 acme open o plan=rolling
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 acme plan c1 plan=plain at=next_period
          | wallet 10-01 left=100
        11-02 00:00 acme usage u1 docs=1
          | timer: grant 11-01 pool/11-01 +1000 left=1000 90 USD
          | timer: rollover 10-01 pool/10-01 -30 left=1000
          | timer: rollover 11-01 rollover/10-01 +30 left=1030
          | timer: expire 10-01 pool/10-01 -70 left=1030
          | usage 11-01 1 docs charge=1 rollover/10-01 -1 left=1029
        12-02 00:00 acme usage u2 docs=1
          | timer: grant 12-01 pool/12-01 +1000 left=1000 90 USD
          | timer: expire 12-01 rollover/10-01 -29 left=1000
          | timer: expire 11-01 pool/11-01 -1000 left=1000
          | usage 12-01 1 docs charge=1 pool/12-01 -1 left=999
        ",
    );
}

#[test]
fn a_plan_that_was_taken_now_rolls_over_at_the_end() {
    story(
        ROLLING,
        "
        10-01 00:00 acme open o plan=rolling
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 acme plan c1 plan=rolls at=now
          | wallet 10-01 left=100
          | grant 10-01 pool/10-01 +400 left=500 30 USD
        11-01 00:00 acme usage u1 docs=1
          | timer: grant 11-01 pool/11-01 +500 left=500 40 USD
          | timer: rollover 10-01 pool/10-01 -200 left=500
          | timer: rollover 11-01 rollover/10-01 +200 left=700
          | usage 11-01 1 docs charge=1 rollover/10-01 -1 left=699
        ",
    );
}

#[test]
fn a_plan_without_rollover_that_was_taken_now_leaves_nothing() {
    story(
        ROLLING,
        "
        10-01 00:00 acme open o plan=rolling
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 acme plan c1 plan=plain at=now
          | wallet 10-01 left=100
          | grant 10-01 pool/10-01 +900 left=1000 80 USD
        11-01 00:00 acme usage u1 docs=1
          | timer: grant 11-01 pool/11-01 +1000 left=1000 90 USD
          | usage 11-01 1 docs charge=1 pool/11-01 -1 left=999
        ",
    );
}
