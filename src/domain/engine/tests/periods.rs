//! Periods: where they end, catching up, the grace, and usage that comes late.

use super::{PRICES, story};

#[test]
fn a_period_is_named_by_its_start_and_ends_at_midnight() {
    story(
        PRICES,
        "
        show place received version plan
        10-15 09:00 acme usage e1 docs=1
          | prices v1 at 1/0/0 received=10-15T09:00 version=v1
          | wallet 10-15 left=0 at 1/0/1 received=10-15T09:00 version=v1 plan=starter
          | grant 10-15 pool/10-15 +1000 left=1000 99 USD at 1/0/2 received=10-15T09:00 \
              version=v1 plan=starter
          | usage 10-15 1 docs charge=1 pool/10-15 -1 left=999 at 1/0/3 received=10-15T09:00 \
              version=v1 plan=starter
        11-14 23:59:59.999999 acme usage e2 docs=1
          | usage 10-15 1 docs charge=1 pool/10-15 -1 left=998 at 2/0/0 \
              received=11-14T23:59:59.999999 version=v1 plan=starter
        11-16 09:00 acme usage e3 docs=1
          | timer: grant 11-15 pool/11-15 +1000 left=1000 99 USD at 3/-1/0 received=11-16T09:00 \
              version=v1 plan=starter
          | timer: expire 10-15 pool/10-15 -998 left=1000 at 3/-1/1 received=11-16T09:00 \
              plan=starter
          | usage 11-15 1 docs charge=1 pool/11-15 -1 left=999 at 3/0/0 received=11-16T09:00 \
              version=v1 plan=starter
        ",
    );
}

#[test]
fn anchor_31_is_clamped_and_missed_periods_are_caught_up_one_by_one() {
    story(
        PRICES,
        "
        2024-01-31 09:00 acme open o plan=small anchor_day=31   // before any version: the first
          | wallet 2024-01-31 left=0
          | grant 2024-01-31 pool/2024-01-31 +100 left=100 10 USD
        2024-02-29 00:00 bob open o plan=small
          | timer: grant (acme) 2024-02-29 pool/2024-02-29 +100 left=100 10 USD
          | wallet 2024-02-29 left=0
          | grant 2024-02-29 pool/2024-02-29 +100 left=100 10 USD
        2024-05-01 00:00 acme usage e1 docs=1
          | timer: expire 2024-01-31 pool/2024-01-31 -100 left=100
          | timer: grant (bob) 2024-03-29 pool/2024-03-29 +100 left=100 10 USD
          | timer: expire (bob) 2024-02-29 pool/2024-02-29 -100 left=100
          | timer: grant 2024-03-31 pool/2024-03-31 +100 left=100 10 USD
          | timer: expire 2024-02-29 pool/2024-02-29 -100 left=100
          | timer: grant (bob) 2024-04-29 pool/2024-04-29 +100 left=100 10 USD
          | timer: grant 2024-04-30 pool/2024-04-30 +100 left=100 10 USD
          | timer: expire (bob) 2024-03-29 pool/2024-03-29 -100 left=100
          | timer: expire 2024-03-31 pool/2024-03-31 -100 left=100
          | rejected no_price_version
        ",
    );
}

#[test]
fn anchor_29_meets_the_end_of_february() {
    story(
        PRICES,
        "
        2026-01-29 09:00 acme open o plan=small
          | prices v1
          | wallet 01-29 left=0
          | grant 01-29 pool/01-29 +100 left=100 10 USD
        2026-02-28 00:00 acme usage e1 docs=1
          | timer: grant 02-28 pool/02-28 +100 left=100 10 USD
          | usage 02-28 1 docs charge=1 pool/02-28 -1 left=99
        2026-03-29 00:00 acme usage e2 docs=1
          | timer: expire 01-29 pool/01-29 -100 left=99
          | timer: grant 03-29 pool/03-29 +100 left=100 10 USD
          | usage 03-29 1 docs charge=1 pool/03-29 -1 left=99
        ",
    );
}

#[test]
fn late_usage_draws_its_own_pool_within_the_grace_only() {
    story(
        PRICES,
        "
        10-01 09:00 @usage.acme acme usage e1 docs=100
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +1000 left=1000 99 USD
          | usage 10-01 100 docs charge=100 pool/10-01 -100 left=900
        11-01 00:00 @usage.acme used=10-31T23:59:59 acme usage e2 docs=10
          | timer: grant 11-01 pool/11-01 +1000 left=1000 99 USD
          | usage 10-01 late 10 docs charge=10 pool/10-01 -10 left=1000
        11-01 23:59:59.999999 @usage.acme used=10-01T00:00 acme usage e3 docs=10
          | usage 10-01 late 10 docs charge=10 pool/10-01 -10 left=1000
        11-02 00:00 @usage.acme used=10-31T23:59:59 acme usage e4 docs=10 // end + grace is too late
          | timer: expire 10-01 pool/10-01 -880 left=1000
          | usage 11-01 late 10 docs charge=10 pool/11-01 -10 left=990
        11-02 00:00 @usage.acme used=11-01T00:00 acme usage e5 docs=10
          | usage 11-01 10 docs charge=10 pool/11-01 -10 left=980
        ",
    );
}

#[test]
fn late_usage_takes_the_old_pool_then_the_other_grants_then_overage_never_the_new_pool() {
    story(
        PRICES,
        "
        10-01 09:00 @usage.acme acme usage e1 docs=990
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +1000 left=1000 99 USD
          | usage 10-01 990 docs charge=990 pool/10-01 -990 left=10
        10-02 09:00 @wallet.acme acme grant g credits=5 basis=promotional
          | grant 10-01 /app/g +5 left=15
        11-01 09:00 @usage.acme used=10-31T09:00 acme usage e2 docs=20
          | timer: grant 11-01 pool/11-01 +1000 left=1005 99 USD
          | usage 10-01 late 20 docs charge=10 pool/10-01 -10 left=1005
          | usage 10-01 late charge=5 /app/g -5 left=1000
          | usage 10-01 late charge=5 overage left=1000 0.6 USD
        11-01 09:00 @usage.acme used=10-31T09:00 acme usage e3 docs=0
          | usage 10-01 late 0 docs charge=0 pool/10-01 0 left=1000
        11-02 09:00 @usage.acme acme usage e4 docs=1     // nothing was left to expire: no row
          | usage 11-01 1 docs charge=1 pool/11-01 -1 left=999
        ",
    );
}

#[test]
fn usage_a_few_minutes_ahead_of_the_next_period_is_in_the_current_one() {
    story(
        PRICES,
        "
        10-31 23:58 @wallet.acme acme open o plan=starter anchor_day=1
          | prices v1
          | wallet 10-31 left=0
          | grant 10-31 pool/10-31 +1000 left=1000 99 USD
        10-31 23:58 @usage.acme used=11-01T00:03 acme usage e1 docs=1
          | usage 10-31 1 docs charge=1 pool/10-31 -1 left=999
        11-01 00:00 @usage.acme used=11-01T00:03 acme usage e2 docs=1
          | timer: grant 11-01 pool/11-01 +1000 left=1000 99 USD
          | usage 11-01 1 docs charge=1 pool/11-01 -1 left=999
        ",
    );
}

#[test]
fn two_ended_periods_can_be_open_and_a_grace_of_none_closes_at_once() {
    let prices = |hours: &str| {
        format!(
            "version v1 from=2026-01-01 window_days=90 grace_hours={hours}
             price docs type=usage each=docs:1
             plan small fee=10 pool=100"
        )
    };
    story(
        &prices("1000"),
        "
        08-01 00:00 @wallet.acme acme open o plan=small
          | prices v1
          | wallet 08-01 left=0
          | grant 08-01 pool/08-01 +100 left=100 10 USD
        10-02 00:00 @usage.acme used=08-31T00:00 acme usage e1 docs=1
          | timer: grant 09-01 pool/09-01 +100 left=100 10 USD
          | timer: grant 10-01 pool/10-01 +100 left=100 10 USD
          | usage 08-01 late 1 docs charge=1 pool/08-01 -1 left=100
        10-02 00:00 @usage.acme used=07-31T23:59 acme usage e2 docs=1
          | usage 08-01 late 1 docs charge=1 pool/08-01 -1 left=100
        10-02 00:00 @usage.acme used=09-30T00:00 acme usage e3 docs=1
          | usage 09-01 late 1 docs charge=1 pool/09-01 -1 left=100
        10-12 16:00 @usage.acme used=08-31T00:00 acme usage e4 docs=1
          | timer: expire 08-01 pool/08-01 -98 left=100
          | usage 10-01 late 1 docs charge=1 pool/10-01 -1 left=99
        10-12 16:00 @usage.acme used=09-30T00:00 acme usage e5 docs=1
          | usage 09-01 late 1 docs charge=1 pool/09-01 -1 left=99
        ",
    );
    story(
        &prices("0"),
        "
        09-01 00:00 @wallet.acme acme open o plan=small
          | prices v1
          | wallet 09-01 left=0
          | grant 09-01 pool/09-01 +100 left=100 10 USD
        10-01 00:00 @usage.acme used=09-30T23:59:59 acme usage e1 docs=1
          | timer: grant 10-01 pool/10-01 +100 left=100 10 USD
          | timer: expire 09-01 pool/09-01 -100 left=100
          | usage 10-01 late 1 docs charge=1 pool/10-01 -1 left=99
        ",
    );
}

#[test]
fn periods_end_for_wallets_in_order_of_name() {
    story(
        PRICES,
        "
        10-01 09:00 zoe usage e1 docs=0
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +1000 left=1000 99 USD
          | usage 10-01 0 docs charge=0 pool/10-01 0 left=1000
        10-01 10:00 acme usage e1 docs=0
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +1000 left=1000 99 USD
          | usage 10-01 0 docs charge=0 pool/10-01 0 left=1000
        11-03 09:00 bob usage e1 docs=0
          | timer: grant (acme) 11-01 pool/11-01 +1000 left=1000 99 USD
          | timer: grant (zoe) 11-01 pool/11-01 +1000 left=1000 99 USD
          | timer: expire (acme) 10-01 pool/10-01 -1000 left=1000
          | timer: expire (zoe) 10-01 pool/10-01 -1000 left=1000
          | wallet 11-03 left=0
          | grant 11-03 pool/11-03 +1000 left=1000 99 USD
          | usage 11-03 0 docs charge=0 pool/11-03 0 left=1000
        ",
    );
}
