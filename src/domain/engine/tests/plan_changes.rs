//! Changes of plan: now or with the next period, and what they give, bill and alert.

use super::story;

const PLANS: &str = "
    version v1 from=2026-01-01 default=none
    price docs type=usage each=docs:1
    plan small fee=10 pool=100 used=50,80 bill=0.5
    plan cheap fee=10 pool=100 used=40 bill=0.1
    plan large fee=40 pool=500 used=50 bill=0.25
    plan strict fee=40 pool=500 used=50,80
    plan huge fee=90 pool=1000 bill=0.1
    plan wide fee=5 pool=300
    plan tight fee=60 pool=50
    plan half fee=15 pool=150 used=50,80
    plan euro fee=40 pool=500 currency=EUR
";

#[test]
fn an_upgrade_now_gives_the_difference_of_the_pools_and_bills_that_of_the_fees() {
    story(
        PLANS,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-10 00:00 acme usage u1 docs=45
          | usage 10-01 45 docs charge=45 pool/10-01 -45 left=55
        10-11 00:00 acme plan c1 plan=large at=now
          | wallet 10-01 left=55
          | grant 10-01 pool/10-01 +400 left=455 30 USD
        10-12 00:00 acme usage u2 docs=205           // 250 of 500
          | usage 10-01 205 docs charge=205 pool/10-01 -205 left=250
          | alert 10-01 left=250 used 50
        10-13 00:00 acme usage u3 docs=260           // large knows no 80
          | usage 10-01 260 docs charge=250 pool/10-01 -250 left=0
          | usage 10-01 charge=10 overage left=0 2.5 USD
          | alert 10-01 left=0 overage
        11-01 00:00 acme usage u4 docs=1             // the period kept its bounds
          | timer: grant 11-01 pool/11-01 +500 left=500 40 USD
          | usage 11-01 1 docs charge=1 pool/11-01 -1 left=499
        ",
    );
}

#[test]
fn the_rows_of_an_upgrade_name_the_new_plan_and_the_command() {
    story(
        PLANS,
        "
        show plan version event
        10-01 00:00 acme open o plan=small
          | prices v1 version=v1
          | wallet 10-01 left=0 plan=small version=v1 event=/app/o/purser.wallet.opened
          | grant 10-01 pool/10-01 +100 left=100 10 USD plan=small version=v1 \
              event=/app/o/purser.wallet.opened
        10-10 00:00 acme usage u1 docs=1
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=99 plan=small version=v1 \
              event=/app/u1/usage
        10-11 00:00 acme plan c1 plan=large at=now
          | wallet 10-01 left=99 plan=large version=v1 event=/app/c1/purser.wallet.plan_changed
          | grant 10-01 pool/10-01 +400 left=499 30 USD plan=large version=v1 \
              event=/app/c1/purser.wallet.plan_changed
        10-12 00:00 acme usage u2 docs=1
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=498 plan=large version=v1 \
              event=/app/u2/usage
        ",
    );
}

#[test]
fn a_downgrade_now_gives_and_bills_nothing_and_takes_nothing_away() {
    story(
        PLANS,
        "
        10-01 00:00 acme open o plan=large
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +500 left=500 40 USD
        10-02 00:00 acme usage u1 docs=100
          | usage 10-01 100 docs charge=100 pool/10-01 -100 left=400
        10-03 00:00 acme plan c1 plan=small at=now
          | wallet 10-01 left=400
        10-04 00:00 acme usage u2 docs=150           // 250 of 500
          | usage 10-01 150 docs charge=150 pool/10-01 -150 left=250
          | alert 10-01 left=250 used 50
        10-05 00:00 acme usage u3 docs=252           // small's threshold and overage price
          | usage 10-01 252 docs charge=250 pool/10-01 -250 left=0
          | usage 10-01 charge=2 overage left=0 1 USD
          | alert 10-01 left=0 used 80
          | alert 10-01 left=0 overage
        11-01 00:00 acme usage u4 docs=1
          | timer: grant 11-01 pool/11-01 +100 left=100 10 USD
          | usage 11-01 1 docs charge=1 pool/11-01 -1 left=99
        ",
    );
}

#[test]
fn up_down_up_counts_from_the_largest_that_was_given_and_billed() {
    story(
        PLANS,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 acme plan c1 plan=large at=now
          | wallet 10-01 left=100
          | grant 10-01 pool/10-01 +400 left=500 30 USD
        10-03 00:00 acme plan c2 plan=small at=now
          | wallet 10-01 left=500
        10-04 00:00 acme plan c3 plan=large at=now   // was given and billed before
          | wallet 10-01 left=500
        10-05 00:00 acme plan c4 plan=small at=now
          | wallet 10-01 left=500
        10-06 00:00 acme plan c5 plan=huge at=now    // 1000 - 500, 90 - 40
          | wallet 10-01 left=500
          | grant 10-01 pool/10-01 +500 left=1000 50 USD
        ",
    );
}

#[test]
fn pool_and_fee_count_each_for_itself() {
    story(
        PLANS,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 acme plan c1 plan=wide at=now    // more credits for less
          | wallet 10-01 left=100
          | grant 10-01 pool/10-01 +200 left=300 0 USD
        10-03 00:00 acme plan c2 plan=tight at=now   // fewer credits for more
          | wallet 10-01 left=300
          | grant 10-01 pool/10-01 0 left=300 50 USD
        10-04 00:00 acme plan c3 plan=small at=now
          | wallet 10-01 left=300
        ",
    );
}

#[test]
fn the_same_plan_again_is_a_wallet_row_alone() {
    story(
        PLANS,
        "
        show data
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0 data=[plan=small]
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 acme plan c1 plan=small at=now
          | wallet 10-01 left=100 data=[plan=small at=now]
        10-02 00:00 acme plan c1 plan=small at=now
          | duplicate
        10-02 00:00 acme plan c1 plan=large at=now
          | conflict
        ",
    );
}

#[test]
fn thresholds_and_overage_price_change_from_that_row_on() {
    story(
        PLANS,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 acme usage u1 docs=45
          | usage 10-01 45 docs charge=45 pool/10-01 -45 left=55
        10-03 00:00 acme plan c1 plan=cheap at=now   // whose 40 is reached
          | wallet 10-01 left=55
          | alert 10-01 left=55 used 40
        10-04 00:00 acme usage u2 docs=60
          | usage 10-01 60 docs charge=55 pool/10-01 -55 left=0
          | usage 10-01 charge=5 overage left=0 0.5 USD
          | alert 10-01 left=0 overage
        10-05 00:00 acme plan c2 plan=small at=now   // whose 50 and 80 are
          | wallet 10-01 left=0
          | alert 10-01 left=0 used 50
          | alert 10-01 left=0 used 80
        10-06 00:00 acme usage u3 docs=1
          | usage 10-01 1 docs charge=1 overage left=0 0.5 USD
        10-07 00:00 acme plan c3 plan=cheap at=now   // 40 was told
          | wallet 10-01 left=0
        10-08 00:00 acme usage u4 docs=1
          | usage 10-01 1 docs charge=1 overage left=0 0.1 USD
        ",
    );
}

#[test]
fn an_upgrade_at_85_percent_arms_the_thresholds_again() {
    story(
        PLANS,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 acme usage u1 docs=85
          | usage 10-01 85 docs charge=85 pool/10-01 -85 left=15
          | alert 10-01 left=15 used 50
          | alert 10-01 left=15 used 80
        10-03 00:00 acme plan c1 plan=half at=now    // 85 of 150: only 80 is false again
          | wallet 10-01 left=15
          | grant 10-01 pool/10-01 +50 left=65 5 USD
        10-04 00:00 acme usage u2 docs=35            // 120 of 150
          | usage 10-01 35 docs charge=35 pool/10-01 -35 left=30
          | alert 10-01 left=30 used 80
        10-05 00:00 acme plan c2 plan=strict at=now  // 120 of 500: both are
          | wallet 10-01 left=30
          | grant 10-01 pool/10-01 +350 left=380 25 USD
        10-06 00:00 acme usage u3 docs=130           // 250 of 500
          | usage 10-01 130 docs charge=130 pool/10-01 -130 left=250
          | alert 10-01 left=250 used 50
        10-07 00:00 acme usage u4 docs=150           // 400 of 500
          | usage 10-01 150 docs charge=150 pool/10-01 -150 left=100
          | alert 10-01 left=100 used 80
        ",
    );
}

#[test]
fn with_the_next_period_it_takes_effect_at_the_end() {
    story(
        PLANS,
        "
        show plan
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0 plan=small
          | grant 10-01 pool/10-01 +100 left=100 10 USD plan=small
        10-02 00:00 acme plan c1 plan=large at=next_period
          | wallet 10-01 left=100 plan=small
        10-31 23:59:59 acme usage u1 docs=50         // still small's threshold
          | usage 10-01 50 docs charge=50 pool/10-01 -50 left=50 plan=small
          | alert 10-01 left=50 used 50 plan=small
        11-01 00:00 acme usage u2 docs=1
          | timer: grant 11-01 pool/11-01 +500 left=500 40 USD plan=large
          | usage 11-01 1 docs charge=1 pool/11-01 -1 left=499 plan=large
        ",
    );
}

#[test]
fn a_later_change_replaces_the_one_that_waits() {
    story(
        PLANS,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 acme plan c1 plan=large at=next_period
          | wallet 10-01 left=100
        10-03 00:00 acme plan c2 plan=huge at=next_period
          | wallet 10-01 left=100
        11-01 00:00 acme plan c3 plan=large at=next_period
          | timer: grant 11-01 pool/11-01 +1000 left=1000 90 USD
          | wallet 11-01 left=1000
        11-01 00:00 acme plan c4 plan=huge at=next_period   // to stay as it is
          | wallet 11-01 left=1000
        12-01 00:00 acme usage u1 docs=1
          | timer: expire 10-01 pool/10-01 -100 left=1000
          | timer: grant 12-01 pool/12-01 +1000 left=1000 90 USD
          | usage 12-01 1 docs charge=1 pool/12-01 -1 left=999
        ",
    );
}

#[test]
fn a_change_now_drops_the_one_that_waits_and_a_refused_one_does_not() {
    story(
        PLANS,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 00:00 bob open o plan=small
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 acme plan c1 plan=huge at=next_period
          | wallet 10-01 left=100
        10-02 00:00 bob plan c1 plan=huge at=next_period
          | wallet 10-01 left=100
        10-03 00:00 acme plan c2 plan=small at=now
          | wallet 10-01 left=100
        10-03 00:00 bob plan c2 plan=euro at=now
          | rejected bad_command
        11-01 00:00 bob usage u1 docs=1
          | timer: grant (acme) 11-01 pool/11-01 +100 left=100 10 USD
          | timer: grant 11-01 pool/11-01 +1000 left=1000 90 USD
          | usage 11-01 1 docs charge=1 pool/11-01 -1 left=999
        ",
    );
}

#[test]
fn another_currency_must_wait_for_the_next_period() {
    story(
        PLANS,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 acme plan c1 plan=euro at=now
          | rejected bad_command
        10-02 00:00 acme plan c1 plan=euro at=next_period   // a refused one may be sent again
          | wallet 10-01 left=100
        11-01 00:00 acme plan c2 plan=large at=now   // the period's is the euro now
          | timer: grant 11-01 pool/11-01 +500 left=500 40 EUR
          | rejected bad_command
        ",
    );
}

#[test]
fn a_change_that_says_too_little_or_of_nobody_is_refused() {
    story(
        PLANS,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 acme plan c1 plan=gone at=now
          | rejected bad_command
        10-02 00:00 acme plan c1 plan=gone at=next_period
          | rejected bad_command
        10-02 00:00 acme plan c1 plan=large
          | rejected bad_command
        10-02 00:00 acme plan c1 plan=large at=later
          | rejected bad_command
        10-02 00:00 acme plan c1 at=now
          | rejected bad_command
        10-02 00:00 bob plan c1 plan=gone at=now     // bad before unknown
          | rejected bad_command
        10-02 00:00 bob plan c1 plan=large at=now
          | rejected unknown_wallet
        10-02 00:00 bob plan c1 plan=large at=next_period
          | rejected unknown_wallet
        ",
    );
}

#[test]
fn late_usage_of_the_ended_period_has_that_periods_terms() {
    story(
        PLANS,
        "
        10-01 00:00 @wallet.acme acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 @usage.acme acme usage u1 docs=100
          | usage 10-01 100 docs charge=100 pool/10-01 -100 left=0
          | alert 10-01 left=0 used 50
          | alert 10-01 left=0 used 80
        10-03 00:00 @wallet.acme acme plan c1 plan=large at=next_period
          | wallet 10-01 left=0
        11-01 06:00 @usage.acme used=10-31T12:00 acme usage u2 docs=10
          | timer: grant 11-01 pool/11-01 +500 left=500 40 USD
          | usage 10-01 late 10 docs charge=10 overage left=500 5 USD
          | alert 10-01 left=500 overage
        ",
    );
}
