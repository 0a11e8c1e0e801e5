//! Reversals: what is refused, copies, and what they do to thresholds and status.

use super::story;

const PRICES: &str = "
    version v1 from=2026-01-01 default=none
    price docs type=usage each=docs:1
    plan small fee=10 pool=100 bill=0.12
    plan alerting fee=10 pool=100 used=50,80 bill=0.12
    plan blocking fee=10 pool=100
";

#[test]
fn an_event_is_reversed_once_and_stays_a_duplicate() {
    story(
        PRICES,
        "
        show data
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0 data=[plan=small]
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 acme usage u1 docs=7
          | usage 10-01 7 docs charge=7 pool/10-01 -7 left=93 data=[docs=7]
        10-03 00:00 acme reverse r1 source=/app id=u1 reason=mistake
          | reversal 10-01 -7 docs charge=-7 pool/10-01 +7 left=100 mistake \
              data=[source=/app id=u1 reason=mistake]
        10-03 00:00 acme reverse r1 source=/app id=u1 reason=mistake   // the same command
          | duplicate
        10-03 00:00 acme reverse r1 source=/app id=u1 reason=other
          | conflict
        10-03 00:00 acme reverse r2 source=/app id=u1 reason=mistake   // another one
          | duplicate
        10-03 00:00 source=/ops acme reverse r1 source=/app id=u1 reason=other
          | duplicate
        10-04 00:00 acme usage u1 docs=7             // the event itself, within the window
          | duplicate
        10-04 00:00 acme usage u1 docs=8
          | conflict
        ",
    );
}

#[test]
fn only_a_charge_of_this_wallet_can_be_reversed() {
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
        10-02 00:00 bob usage u1 docs=1
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=99
        10-02 00:00 acme usage u2 docs=-1
          | rejected bad_measure
        10-03 00:00 acme reverse r1 source=/app id=u1 reason=mistake   // bob's
          | rejected unknown_event
        10-03 00:00 acme reverse r1 source=/app id=u2 reason=mistake   // never charged
          | rejected unknown_event
        10-03 00:00 acme reverse r1 source=/app id=o reason=mistake   // no usage
          | rejected unknown_event
        10-03 00:00 acme usage u2 docs=2
          | usage 10-01 2 docs charge=2 pool/10-01 -2 left=98
        10-03 00:00 acme reverse r1 source=/other id=u2 reason=mistake
          | rejected unknown_event
        10-03 00:00 acme reverse r1 source=/app id=u2 reason=mistake   // it may be sent again
          | reversal 10-01 -2 docs charge=-2 pool/10-01 +2 left=100 mistake
        10-04 00:00 acme reverse r2 source=/app id=r1 reason=mistake   // no reversal of reversals
          | rejected unknown_event
        10-04 00:00 cloe reverse r1 source=/app id=u1 reason=mistake
          | rejected unknown_wallet
        ",
    );
}

#[test]
fn it_names_source_id_and_reason_and_comes_as_a_command() {
    story(
        PRICES,
        "
        10-01 00:00 @wallet.acme acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 @usage.acme acme usage u1 docs=1
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=99
        10-03 00:00 @wallet.acme acme reverse r1 source=/app id=u1
          | rejected bad_command
        10-03 00:00 @wallet.acme acme reverse r1 source=/app reason=mistake
          | rejected bad_command
        10-03 00:00 @wallet.acme acme reverse r1 id=u1 reason=mistake
          | rejected bad_command
        10-03 00:00 @wallet.acme acme reverse r1 source=/app id=u1 reason=\"\"
          | rejected bad_command
        10-03 00:00 @wallet.acme acme reverse r1 source=/app id=1 reason=mistake
          | rejected bad_command
        10-03 00:00 @wallet.acme acme reverse r1 source=/app id=u1 reason=true
          | rejected bad_command
        10-03 00:00 @wallet.bob bob reverse r1 source=/app id=u1
          | rejected bad_command
        10-03 00:00 @usage.acme acme reverse r1 source=/app id=u1 reason=mistake
          | rejected wrong_subject
        10-03 00:00 @wallet.acme acme reverse r1 source=/app id=u1 reason=mistake
          | reversal 10-01 -1 docs charge=-1 pool/10-01 +1 left=100 mistake
        ",
    );
}

#[test]
fn its_reason_has_at_most_256_bytes() {
    let (fits, long) = ("r".repeat(256), "r".repeat(257));
    let text = format!(
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 acme usage u1 docs=1
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=99
        10-03 00:00 acme reverse r1 source=/app id=u1 reason={long}
          | rejected bad_command
        10-03 00:00 acme reverse r1 source=/app id=u1 reason={fits}
          | reversal 10-01 -1 docs charge=-1 pool/10-01 +1 left=100 {fits}
        "
    );
    story(PRICES, &text);
}

#[test]
fn a_charge_of_zero_is_reversed_too() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 acme usage u1 docs=0
          | usage 10-01 0 docs charge=0 pool/10-01 0 left=100
        10-03 00:00 acme reverse r1 source=/app id=u1 reason=mistake
          | reversal 10-01 0 docs charge=0 pool/10-01 0 left=100 mistake
        10-03 00:00 acme reverse r2 source=/app id=u1 reason=mistake
          | duplicate
        ",
    );
}

#[test]
fn used_goes_down_and_thresholds_are_armed_again_but_the_first_overage_was_told() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=alerting
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 acme usage u1 docs=60
          | usage 10-01 60 docs charge=60 pool/10-01 -60 left=40
          | alert 10-01 left=40 used 50
        10-02 00:00 acme usage u2 docs=50
          | usage 10-01 50 docs charge=40 pool/10-01 -40 left=0
          | usage 10-01 charge=10 overage left=0 1.2 USD
          | alert 10-01 left=0 used 80
          | alert 10-01 left=0 overage
        10-03 00:00 acme reverse r1 source=/app id=u2 reason=mistake   // 60 of 100
          | reversal 10-01 -50 docs charge=-10 overage left=0 -1.2 USD mistake
          | reversal 10-01 charge=-40 pool/10-01 +40 left=40 mistake
        10-03 00:00 acme usage u3 docs=20            // 80 of 100
          | usage 10-01 20 docs charge=20 pool/10-01 -20 left=20
          | alert 10-01 left=20 used 80
        10-03 00:00 acme reverse r2 source=/app id=u1 reason=mistake   // 20 of 100
          | reversal 10-01 -60 docs charge=-60 pool/10-01 +60 left=80 mistake
        10-04 00:00 acme usage u4 docs=85            // not the first overage of the period
          | usage 10-01 85 docs charge=80 pool/10-01 -80 left=0
          | usage 10-01 charge=5 overage left=0 0.6 USD
          | alert 10-01 left=0 used 50
          | alert 10-01 left=0 used 80
        ",
    );
}

#[test]
fn a_reversal_over_periods_lowers_what_is_used_of_the_current_one_even_below_zero() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=alerting
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-20 00:00 acme usage u1 docs=40
          | usage 10-01 40 docs charge=40 pool/10-01 -40 left=60
        11-02 00:00 acme reverse r1 source=/app id=u1 reason=mistake
          | timer: grant 11-01 pool/11-01 +100 left=100 10 USD
          | timer: expire 10-01 pool/10-01 -60 left=100
          | reversal 11-01 -40 docs charge=-40 pool/10-01 +40 left=100 mistake
          | expire 11-01 pool/10-01 -40 left=100
        11-03 00:00 acme usage u2 docs=60            // 20 of 60
          | usage 11-01 60 docs charge=60 pool/11-01 -60 left=40
        11-04 00:00 acme usage u3 docs=10            // 30 of 60
          | usage 11-01 10 docs charge=10 pool/11-01 -10 left=30
          | alert 11-01 left=30 used 50
        ",
    );
}

#[test]
fn without_credits_a_blocked_wallet_stays_blocked_and_with_them_it_is_ok() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=blocking
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 acme usage u1 docs=100
          | usage 10-01 100 docs charge=100 pool/10-01 -100 left=0
        10-02 00:00 acme usage u2 docs=5
          | usage 10-01 5 docs charge=5 overage left=0
          | alert 10-01 left=0 status blocked
        10-03 00:00 acme reverse r1 source=/app id=u2 reason=mistake   // was never billed
          | reversal 10-01 -5 docs charge=-5 overage left=0 mistake
        10-03 00:00 acme reverse r2 source=/app id=u1 reason=mistake
          | reversal 10-01 -100 docs charge=-100 pool/10-01 +100 left=100 mistake
          | alert 10-01 left=100 status ok
        10-04 00:00 acme usage u3 docs=101
          | usage 10-01 101 docs charge=100 pool/10-01 -100 left=0
          | usage 10-01 charge=1 overage left=0
          | alert 10-01 left=0 status blocked
        ",
    );
}
