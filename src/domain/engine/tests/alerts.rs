//! `used` alerts: when a threshold fires, and when again.

use super::{PRICES, prices, story};
use crate::domain::engine::tests::Run;
use crate::domain::engine::tests::line::Script;

const ALERTING: &str = "
    version v1 from=2026-01-01 default=small
    price docs type=usage each=docs:1
    plan small fee=10 pool=100 used=80,50,100 bill=0.5
    plan large fee=40 pool=500 used=50 bill=0.25
    plan empty fee=0 pool=0 used=1,100
";

#[test]
fn landing_on_a_threshold_fires_it_once_and_several_fire_lowest_first() {
    story(
        ALERTING,
        "
        show plan version event place
        10-01 00:00 acme usage e1 docs=49.999999
          | prices v1 version=v1 at 1/0/0
          | wallet 10-01 left=0 plan=small version=v1 event=/app/e1/usage at 1/0/1
          | grant 10-01 pool/10-01 +100 left=100 10 USD plan=small version=v1 \
              event=/app/e1/usage at 1/0/2
          | usage 10-01 49.999999 docs charge=49.999999 pool/10-01 -49.999999 left=50.000001 \
              plan=small version=v1 event=/app/e1/usage at 1/0/3
        10-01 00:00 acme usage e2 docs=0.000001
          | usage 10-01 0.000001 docs charge=0.000001 pool/10-01 -0.000001 left=50 plan=small \
              version=v1 event=/app/e2/usage at 2/0/0
          | alert 10-01 left=50 used 50 plan=small version=v1 event=/app/e2/usage at 2/0/1
        10-01 00:00 acme usage e3 docs=1             // not again
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=49 plan=small version=v1 \
              event=/app/e3/usage at 3/0/0
        10-01 00:00 acme usage e4 docs=60
          | usage 10-01 60 docs charge=49 pool/10-01 -49 left=0 plan=small version=v1 \
              event=/app/e4/usage at 4/0/0
          | usage 10-01 charge=11 overage left=0 5.5 USD plan=small version=v1 \
              event=/app/e4/usage at 4/0/1
          | alert 10-01 left=0 used 80 plan=small version=v1 event=/app/e4/usage at 4/0/2
          | alert 10-01 left=0 used 100 plan=small version=v1 event=/app/e4/usage at 4/0/3
          | alert 10-01 left=0 overage plan=small version=v1 event=/app/e4/usage at 4/0/4
        10-01 00:00 acme usage e5 docs=1
          | usage 10-01 1 docs charge=1 overage left=0 0.5 USD plan=small version=v1 \
              event=/app/e5/usage at 5/0/0
        ",
    );
}

#[test]
fn a_grant_arms_it_again_and_so_does_a_new_period() {
    story(
        ALERTING,
        "
        10-01 00:00 acme usage e1 docs=60
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
          | usage 10-01 60 docs charge=60 pool/10-01 -60 left=40
          | alert 10-01 left=40 used 50
        10-01 00:00 acme grant g credits=20 basis=purchased   // 60 of 120: still true
          | grant 10-01 /app/g +20 left=60
        10-01 00:00 acme usage e2 docs=1
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=59
        10-01 00:00 acme grant h credits=10 basis=purchased   // 61 of 130
          | grant 10-01 /app/h +10 left=69
        10-01 00:00 acme usage e3 docs=4
          | usage 10-01 4 docs charge=4 pool/10-01 -4 left=65
          | alert 10-01 left=65 used 50
        11-01 00:00 acme usage e4 docs=66            // 66 of 130
          | timer: grant 11-01 pool/11-01 +100 left=130 10 USD
          | usage 11-01 66 docs charge=66 pool/11-01 -66 left=64
          | alert 11-01 left=64 used 50
        ",
    );
}

#[test]
fn an_expiring_grant_can_cross_a_threshold() {
    story(
        ALERTING,
        "
        show event used place
        10-01 00:00 acme open o plan=small
          | prices v1 at 1/0/0
          | wallet 10-01 left=0 event=/app/o/purser.wallet.opened used=10-01T00:00 at 1/0/1
          | grant 10-01 pool/10-01 +100 left=100 10 USD event=/app/o/purser.wallet.opened \
              used=10-01T00:00 at 1/0/2
        10-01 00:00 acme grant g credits=20 basis=purchased expires_at=2026-10-05T00:00:00Z
          | grant 10-01 /app/g +20 left=120 event=/app/g/purser.wallet.granted used=10-01T00:00 \
              at 2/0/0
        10-01 00:00 acme usage e1 docs=55
          | usage 10-01 55 docs charge=55 pool/10-01 -55 left=65 event=/app/e1/usage \
              used=10-01T00:00 at 3/0/0
        10-06 00:00 bob never e1
          | timer: expire (acme) 10-01 /app/g -20 left=45 at 4/-1/0
          | timer: alert (acme) 10-01 left=45 used 50 at 4/-1/1
          | rejected no_price event=/app/e1/never used=10-06T00:00 at 4/0/0
        ",
    );
}

#[test]
fn nothing_fires_at_nothing_of_nothing_and_overage_alone_is_no_use() {
    story(
        ALERTING,
        "
        10-01 00:00 acme open o plan=empty
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 0 left=0 0 USD
        10-01 00:00 acme usage e1 docs=5
          | usage 10-01 5 docs charge=5 overage left=0
          | alert 10-01 left=0 overage
          | alert 10-01 left=0 status blocked
        10-01 00:00 acme grant g credits=100 basis=purchased
          | grant 10-01 /app/g +100 left=100
          | alert 10-01 left=100 status ok
        10-01 00:00 acme usage e2 docs=1
          | usage 10-01 1 docs charge=1 /app/g -1 left=99
          | alert 10-01 left=99 used 1
        ",
    );
}

#[test]
fn late_usage_of_an_ended_period_is_not_used_of_this_one() {
    story(
        ALERTING,
        "
        10-01 00:00 @wallet.acme acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 00:00 @wallet.acme acme grant g credits=100 basis=purchased
          | grant 10-01 /app/g +100 left=200
        11-01 00:00 @usage.acme acme usage e1 docs=70
          | timer: grant 11-01 pool/11-01 +100 left=200 10 USD
          | usage 11-01 70 docs charge=70 pool/11-01 -70 left=130
        11-01 00:00 @usage.acme used=10-31T00:00 acme usage e2 docs=100   // of the old pool
          | usage 10-01 late 100 docs charge=100 pool/10-01 -100 left=130
        11-01 00:00 @usage.acme used=10-31T00:00 acme usage e3 docs=60   // 70 of 140 are left
          | usage 10-01 late 60 docs charge=60 /app/g -60 left=70
          | alert 11-01 left=70 used 50
        ",
    );
}

#[test]
fn a_grant_that_becomes_effective_counts_from_the_next_row() {
    story(
        ALERTING,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 00:00 acme grant g credits=100 basis=purchased effective_at=2026-10-03T00:00:00Z
          | grant 10-01 /app/g +100 left=100
        10-02 00:00 acme usage e1 docs=50
          | usage 10-01 50 docs charge=50 pool/10-01 -50 left=50
          | alert 10-01 left=50 used 50
        10-03 00:00 acme usage e2 docs=1             // 51 of 200
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=149
        10-03 00:00 acme usage e3 docs=49
          | usage 10-01 49 docs charge=49 pool/10-01 -49 left=100
          | alert 10-01 left=100 used 50
        ",
    );
}

#[test]
fn a_plan_without_thresholds_never_alerts() {
    story(
        PRICES,
        "
        10-01 00:00 acme usage e1 docs=1000
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +1000 left=1000 99 USD
          | usage 10-01 1000 docs charge=1000 pool/10-01 -1000 left=0
        ",
    );
}

/// What the published alert carries; its id is the same for the engine that came back.
#[test]
fn an_alert_tells_sales_what_it_needs() {
    let script = Script::read(
        "10-01 00:00 acme open o plan=small
         10-03 12:00 acme usage e1 docs=40
         10-05 12:00 acme usage e2 docs=80",
    );
    let mut run = Run::new(script.shard, prices::book(ALERTING));
    let mut again = None;
    for (seq, lines) in script.messages().iter().enumerate() {
        again = Some(run.restored(run.rows.0.len()));
        again.as_mut().unwrap().message(seq, lines);
        run.message(seq, lines);
    }
    assert_eq!(run.engine.alerts, again.unwrap().engine.alerts);
    let kinds: Vec<String> = run
        .engine
        .alerts
        .iter()
        .map(|alert| alert.kind.to_string())
        .collect();
    assert_eq!(kinds, ["used 50", "used 80", "used 100", "overage"]);
    let ids: std::collections::HashSet<&str> = run
        .engine
        .alerts
        .iter()
        .map(|alert| alert.id.as_str())
        .collect();
    assert!(ids.len() == 4 && ids.iter().all(|id| id.len() == 32));
    let alert = &run.engine.alerts[2];
    assert_eq!(alert.event_id.as_deref(), Some("e2"));
    let amounts = [alert.used, alert.balance, alert.overage].map(|amount| amount.to_string());
    assert_eq!(amounts, ["100.000000", "0.000000", "20.000000"]);
    // 40 credits in 4 full days; 26.5 days are left of the period.
    assert_eq!((alert.pace.charged.get(), alert.pace.days), (40_000_000, 4));
    assert_eq!(alert.projected.to_string(), "385.000000");
    let fit = alert.fit.as_ref().unwrap();
    assert_eq!(
        (fit.plan.as_str(), fit.cost.to_string().as_str()),
        ("large", "40.000000000")
    );
}
