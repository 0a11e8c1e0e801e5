//! Price versions: their rows, and which of them says what.

use super::story;

const TWO: &str = "
    version v1 from=2026-09-01 default=small grace_hours=24
    price docs type=usage each=docs:1
    cost usage docs:0.01
    plan small fee=10 pool=100 used=50 bill=0.5
    version v2 from=2026-10-16T12:00 grace_hours=48 future_minutes=60
    price docs type=usage each=docs:2
    plan small fee=20 pool=200 used=80 bill=0.25
";

#[test]
fn the_moment_of_use_picks_the_price_and_the_start_of_the_period_the_terms() {
    story(
        TWO,
        "
        show version price plan cost
        10-01 00:00 @usage.acme acme usage e1 docs=1
          | prices v1 version=v1
          | wallet 10-01 left=0 version=v1 plan=small
          | grant 10-01 pool/10-01 +100 left=100 10 USD version=v1 plan=small
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=99 version=v1 price=docs plan=small \
              cost=0.01
        10-16 12:00 @usage.acme used=10-16T11:59:59 acme usage e2 docs=10
          | prices v2 version=v2
          | usage 10-01 10 docs charge=10 pool/10-01 -10 left=89 version=v1 price=docs \
              plan=small cost=0.1
        10-16 12:00 @usage.acme acme usage e3 docs=45 // still v1's terms: its threshold and overage
          | usage 10-01 45 docs charge=89 pool/10-01 -89 left=0 version=v2 price=docs plan=small \
              cost=0.45
          | usage 10-01 charge=1 overage left=0 0.5 USD version=v2 price=docs plan=small
          | alert 10-01 left=0 used 50 version=v1 plan=small
          | alert 10-01 left=0 overage version=v1 plan=small
        11-01 00:00 @usage.acme acme usage e4 docs=1
          | timer: grant 11-01 pool/11-01 +200 left=200 20 USD version=v2 plan=small
          | usage 11-01 1 docs charge=2 pool/11-01 -2 left=198 version=v2 price=docs plan=small \
              cost=0.01
        11-01 00:00 @usage.acme used=10-31T00:00 acme usage e5 docs=1   // the old period's \
            overage price
          | usage 10-01 late 1 docs charge=2 overage left=198 1 USD version=v2 price=docs \
              plan=small cost=0.01
        ",
    );
}

#[test]
fn usage_may_be_priced_ahead_by_a_version_that_now_has_not_reached() {
    story(
        TWO,
        "
        show version
        10-16 11:58 @usage.acme used=10-16T12:00 acme usage e1 docs=1
          | prices v1 version=v1
          | wallet 10-16 left=0 version=v1
          | grant 10-16 pool/10-16 +100 left=100 10 USD version=v1
          | usage 10-16 1 docs charge=2 pool/10-16 -2 left=98 version=v2
        ",
    );
}

#[test]
fn the_moment_of_receipt_picks_the_rules() {
    story(
        TWO,
        "
        10-16 11:59 @usage.acme used=10-16T12:30 acme usage e1 docs=1
          | prices v1
          | rejected in_future
        10-16 12:00 @usage.acme used=10-16T13:00 acme usage e1 docs=1
          | prices v2
          | wallet 10-16 left=0
          | grant 10-16 pool/10-16 +100 left=100 10 USD
          | usage 10-16 1 docs charge=2 pool/10-16 -2 left=98
        11-18 00:00 @usage.acme used=11-15T23:00 acme usage e2 docs=1 // the grace is v2's 48 hours
          | timer: grant 11-16 pool/11-16 +200 left=200 20 USD
          | timer: expire 10-16 pool/10-16 -98 left=200
          | usage 11-16 late 1 docs charge=2 pool/11-16 -2 left=198
        ",
    );
}

#[test]
fn several_versions_are_told_in_order_by_the_event_that_reaches_them() {
    story(
        TWO,
        "
        show place received
        08-01 00:00 acme usage e1 docs=1             // the first version's rules hold before it too
          | rejected no_price_version at 1/0/0 received=08-01T00:00
        08-01 00:00 acme open o plan=small
          | wallet 08-01 left=0 at 2/0/0 received=08-01T00:00
          | grant 08-01 pool/08-01 +100 left=100 10 USD at 2/0/1 received=08-01T00:00
        10-16 12:00 @usage.acme malformed            // after the timers, before the event's own row
          | timer: grant (acme) 09-01 pool/09-01 +100 left=100 10 USD at 3/-1/0 received=10-16T12:00
          | timer: expire (acme) 08-01 pool/08-01 -100 left=100 at 3/-1/1 received=10-16T12:00
          | timer: grant (acme) 10-01 pool/10-01 +100 left=100 10 USD at 3/-1/2 received=10-16T12:00
          | timer: expire (acme) 09-01 pool/09-01 -100 left=100 at 3/-1/3 received=10-16T12:00
          | prices v1 at 3/0/0 received=10-16T12:00
          | prices v2 at 3/0/1 received=10-16T12:00
          | rejected malformed at 3/0/2 received=10-16T12:00
        + acme usage e2 docs=1
          | usage 10-01 1 docs charge=2 pool/10-01 -2 left=98 at 3/1/0 received=10-16T12:00
        ",
    );
}
