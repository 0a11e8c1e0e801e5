//! Edges: the exact amount, the exact instant, and the short months.

use super::story;

const PRICES: &str = "
    version v1 from=2026-01-01 default=none
    price docs type=usage each=docs:1
    plan alerting fee=10 pool=100 used=33,50,80,100 bill=0.5
    plan small fee=10 pool=100
    plan rolling fee=10 pool=100 used=50 rollover=30:1
    plan long fee=10 pool=100 rollover=30:2
    plan told fee=10 pool=10 used= bill=0.5
";

#[test]
fn a_threshold_is_reached_by_landing_on_it_and_not_by_a_microcredit_less() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=alerting
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 acme usage u1 docs=32.999999
          | usage 10-01 32.999999 docs charge=32.999999 pool/10-01 -32.999999 left=67.000001
        10-02 00:00 acme usage u2 docs=0.000001
          | usage 10-01 0.000001 docs charge=0.000001 pool/10-01 -0.000001 left=67
          | alert 10-01 left=67 used 33
        10-02 00:00 acme usage u3 docs=46.999999     // 79.999999 of 100
          | usage 10-01 46.999999 docs charge=46.999999 pool/10-01 -46.999999 left=20.000001
          | alert 10-01 left=20.000001 used 50
        10-02 00:00 acme usage u4 docs=0.000001
          | usage 10-01 0.000001 docs charge=0.000001 pool/10-01 -0.000001 left=20
          | alert 10-01 left=20 used 80
        10-02 00:00 acme usage u5 docs=19.999999
          | usage 10-01 19.999999 docs charge=19.999999 pool/10-01 -19.999999 left=0.000001
        10-02 00:00 acme usage u6 docs=0.000001      // empty is 100, without overage
          | usage 10-01 0.000001 docs charge=0.000001 pool/10-01 -0.000001 left=0
          | alert 10-01 left=0 used 100
        10-02 00:00 acme usage u7 docs=0.000001
          | usage 10-01 0.000001 docs charge=0.000001 overage left=0 0.0000005 USD
          | alert 10-01 left=0 overage
        ",
    );
}

#[test]
fn an_alerts_table_without_thresholds_tells_the_first_overage_of_each_period() {
    story(
        PRICES,
        "
        10-01 00:00 @wallet.acme acme open o plan=told
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +10 left=10 10 USD
        10-31 12:00 @usage.acme acme usage u1 docs=10
          | usage 10-01 10 docs charge=10 pool/10-01 -10 left=0
        11-01 06:00 @usage.acme acme usage u2 docs=11
          | timer: grant 11-01 pool/11-01 +10 left=10 10 USD
          | usage 11-01 11 docs charge=10 pool/11-01 -10 left=0
          | usage 11-01 charge=1 overage left=0 0.5 USD
          | alert 11-01 left=0 overage
        11-01 07:00 @usage.acme used=10-31T13:00 acme usage u3 docs=2   // the first of October
          | usage 10-01 late 2 docs charge=2 overage left=0 1 USD
          | alert 10-01 left=0 overage
        11-01 08:00 @usage.acme used=10-31T14:00 acme usage u4 docs=2
          | usage 10-01 late 2 docs charge=2 overage left=0 1 USD
        11-01 09:00 @usage.acme acme usage u5 docs=2
          | usage 11-01 2 docs charge=2 overage left=0 1 USD
        12-01 00:00 @usage.acme acme usage u6 docs=12
          | timer: grant 12-01 pool/12-01 +10 left=10 10 USD
          | usage 12-01 12 docs charge=10 pool/12-01 -10 left=0
          | usage 12-01 charge=2 overage left=0 1 USD
          | alert 12-01 left=0 overage
        ",
    );
}

#[test]
fn a_rollover_counts_in_what_is_used_and_what_remains() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=rolling
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        11-01 00:00 acme usage u1 docs=64.999999     // of 130
          | timer: grant 11-01 pool/11-01 +100 left=100 10 USD
          | timer: rollover 10-01 pool/10-01 -30 left=100
          | timer: rollover 11-01 rollover/10-01 +30 left=130
          | usage 11-01 64.999999 docs charge=30 rollover/10-01 -30 left=100
          | usage 11-01 charge=34.999999 pool/11-01 -34.999999 left=65.000001
        11-01 00:00 acme usage u2 docs=0.000001
          | usage 11-01 0.000001 docs charge=0.000001 pool/11-01 -0.000001 left=65
          | alert 11-01 left=65 used 50
        ",
    );
}

#[test]
fn at_the_very_instant_of_its_expiry_a_grant_pays_no_more() {
    story(
        PRICES,
        "
        10-01 00:00 @wallet.acme acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 00:00 @wallet.acme acme grant g credits=50 basis=promotional \
            expires_at=2026-10-06T00:00:00Z
          | grant 10-01 /app/g +50 left=150
        10-05 23:59:59.999999 @usage.acme used=10-06T00:00 acme usage u1 docs=1   // as decided
          | usage 10-01 1 docs charge=1 /app/g -1 left=149
        10-06 00:00 @usage.acme acme usage u2 docs=1
          | timer: expire 10-01 /app/g -49 left=100
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=99
        ",
    );
}

#[test]
fn a_grant_that_starts_as_another_expires_pays_from_that_instant() {
    story(
        PRICES,
        "
        10-01 00:00 @wallet.acme acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 00:00 @wallet.acme acme grant a credits=50 basis=promotional \
            expires_at=2026-10-06T00:00:00Z
          | grant 10-01 /app/a +50 left=150
        10-01 00:00 @wallet.acme acme grant b credits=20 basis=promotional \
            effective_at=2026-10-06T00:00:00Z
          | grant 10-01 /app/b +20 left=150
        10-06 00:00 @usage.acme acme usage u1 docs=1
          | timer: expire 10-01 /app/a -50 left=120
          | usage 10-01 1 docs charge=1 /app/b -1 left=119
        10-06 00:00 @usage.acme used=10-05T23:59:59.999999 acme usage u2 docs=1
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=118
        ",
    );
}

#[test]
fn a_grant_that_expires_as_the_period_ends_leaves_no_trace_in_the_next() {
    story(
        PRICES,
        "
        10-01 00:00 @wallet.acme acme open o plan=rolling
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 00:00 @wallet.acme acme grant g credits=20 basis=promotional \
            expires_at=2026-11-01T00:00:00Z
          | grant 10-01 /app/g +20 left=120
        11-01 00:00 @usage.acme used=10-31T23:59:59.999999 acme usage u1 docs=75
          | timer: grant 11-01 pool/11-01 +100 left=100 10 USD
          | timer: rollover 10-01 pool/10-01 -30 left=100
          | timer: rollover 11-01 rollover/10-01 +30 left=130
          | timer: expire 11-01 /app/g -20 left=130
          | usage 10-01 late 75 docs charge=70 pool/10-01 -70 left=130
          | usage 10-01 late charge=5 rollover/10-01 -5 left=125
        ",
    );
}

#[test]
fn anchor_31_rolls_over_at_the_end_of_each_month() {
    story(
        PRICES,
        "
        2026-01-31 00:00 acme open o plan=long anchor_day=31
          | prices v1
          | wallet 01-31 left=0
          | grant 01-31 pool/01-31 +100 left=100 10 USD
        2026-02-28 00:00 acme usage u1 docs=1
          | timer: grant 02-28 pool/02-28 +100 left=100 10 USD
          | timer: rollover 01-31 pool/01-31 -30 left=100
          | timer: rollover 02-28 rollover/01-31 +30 left=130
          | usage 02-28 1 docs charge=1 rollover/01-31 -1 left=129
        2026-03-31 00:00 acme usage u2 docs=1
          | timer: expire 01-31 pool/01-31 -70 left=129
          | timer: grant 03-31 pool/03-31 +100 left=129 10 USD
          | timer: rollover 02-28 pool/02-28 -30 left=129
          | timer: rollover 03-31 rollover/02-28 +30 left=159
          | usage 03-31 1 docs charge=1 rollover/01-31 -1 left=158
        2026-04-29 23:59:59.999999 acme usage u3 docs=1
          | timer: expire 02-28 pool/02-28 -70 left=158
          | usage 03-31 1 docs charge=1 rollover/01-31 -1 left=157
        2026-04-30 00:00 acme usage u4 docs=1        // the end of the second period
          | timer: grant 04-30 pool/04-30 +100 left=130 10 USD
          | timer: rollover 03-31 pool/03-31 -30 left=130
          | timer: rollover 04-30 rollover/03-31 +30 left=160
          | timer: expire 04-30 rollover/01-31 -27 left=160
          | usage 04-30 1 docs charge=1 rollover/02-28 -1 left=159
        ",
    );
}

#[test]
fn anchor_29_rolls_over_on_the_leap_day_of_2024() {
    story(
        "version v1 from=2024-01-01 default=none
         price docs type=usage each=docs:1
         plan small fee=10 pool=100 rollover=30:1",
        "
        2024-01-29 00:00 acme open o plan=small
          | prices v1
          | wallet 2024-01-29 left=0
          | grant 2024-01-29 pool/2024-01-29 +100 left=100 10 USD
        2024-02-28 23:59:59.999999 acme usage u1 docs=1
          | usage 2024-01-29 1 docs charge=1 pool/2024-01-29 -1 left=99
        2024-02-29 00:00 acme usage u2 docs=1
          | timer: grant 2024-02-29 pool/2024-02-29 +100 left=100 10 USD
          | timer: rollover 2024-01-29 pool/2024-01-29 -30 left=100
          | timer: rollover 2024-02-29 rollover/2024-01-29 +30 left=130
          | usage 2024-02-29 1 docs charge=1 rollover/2024-01-29 -1 left=129
        2024-03-29 00:00 acme usage u3 docs=1
          | timer: expire 2024-01-29 pool/2024-01-29 -69 left=129
          | timer: grant 2024-03-29 pool/2024-03-29 +100 left=100 10 USD
          | timer: rollover 2024-02-29 pool/2024-02-29 -30 left=100
          | timer: rollover 2024-03-29 rollover/2024-02-29 +30 left=130
          | timer: expire 2024-03-29 rollover/2024-01-29 -29 left=130
          | usage 2024-03-29 1 docs charge=1 rollover/2024-02-29 -1 left=129
        ",
    );
}
