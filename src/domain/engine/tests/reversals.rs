//! Reversals: credits back to the grants that paid, and credit notes.

use super::story;

const PRICES: &str = "
    version v1 from=2026-01-01 default=none
    price docs type=usage each=docs:1
    cost usage docs:0.02
    plan small fee=10 pool=100 bill=0.12
";

#[test]
fn a_charge_goes_back_in_reverse_order_to_the_grants_that_paid() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 00:00 acme grant bought credits=30 basis=purchased
          | grant 10-01 /app/bought +30 left=130
        10-01 00:00 acme grant given credits=20 basis=promotional
          | grant 10-01 /app/given +20 left=150
        10-02 00:00 acme usage u1 docs=160
          | usage 10-01 160 docs charge=20 /app/given -20 left=130
          | usage 10-01 charge=100 pool/10-01 -100 left=30
          | usage 10-01 charge=30 /app/bought -30 left=0
          | usage 10-01 charge=10 overage left=0 1.2 USD
        10-03 00:00 acme reverse r1 source=/app id=u1 reason=mistake
          | reversal 10-01 -160 docs charge=-10 overage left=0 -1.2 USD mistake
          | reversal 10-01 charge=-30 /app/bought +30 left=30 mistake
          | reversal 10-01 charge=-100 pool/10-01 +100 left=130 mistake
          | reversal 10-01 charge=-20 /app/given +20 left=150 mistake
        10-04 00:00 acme usage u2 docs=121           // and they pay again
          | usage 10-01 121 docs charge=20 /app/given -20 left=130
          | usage 10-01 charge=100 pool/10-01 -100 left=30
          | usage 10-01 charge=1 /app/bought -1 left=29
        ",
    );
}

#[test]
fn its_rows_have_the_originals_price_and_the_commands_event_and_the_cost_once() {
    story(
        PRICES,
        "
        show used received event task cost plan version price place
        10-01 00:00 acme open o plan=small
          | prices v1 received=10-01T00:00 version=v1 at 1/0/0
          | wallet 10-01 left=0 used=10-01T00:00 received=10-01T00:00 \
              event=/app/o/purser.wallet.opened plan=small version=v1 at 1/0/1
          | grant 10-01 pool/10-01 +100 left=100 10 USD used=10-01T00:00 received=10-01T00:00 \
              event=/app/o/purser.wallet.opened plan=small version=v1 at 1/0/2
        10-02 00:00 acme usage u1 docs=101
          | usage 10-01 101 docs charge=100 pool/10-01 -100 left=0 used=10-02T00:00 \
              received=10-02T00:00 event=/app/u1/usage task=docs task cost=2.02 plan=small \
              version=v1 price=docs at 2/0/0
          | usage 10-01 charge=1 overage left=0 0.12 USD used=10-02T00:00 \
              received=10-02T00:00 event=/app/u1/usage task=docs task plan=small version=v1 \
              price=docs at 2/0/1
        10-03 00:00 acme reverse r1 source=/app id=u1 reason=mistake
          | reversal 10-01 -101 docs charge=-1 overage left=0 -0.12 USD mistake \
              used=10-03T00:00 received=10-03T00:00 event=/app/r1/purser.usage.reversed \
              task=docs task cost=-2.02 plan=small version=v1 price=docs at 3/0/0
          | reversal 10-01 charge=-100 pool/10-01 +100 left=100 mistake used=10-03T00:00 \
              received=10-03T00:00 event=/app/r1/purser.usage.reversed task=docs task plan=small \
              version=v1 price=docs at 3/0/1
        ",
    );
}

#[test]
fn a_period_that_has_ended_but_is_open_gets_its_credits_back() {
    story(
        PRICES,
        "
        10-01 00:00 @wallet.acme acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-31 12:00 @usage.acme acme usage u1 docs=40
          | usage 10-01 40 docs charge=40 pool/10-01 -40 left=60
        11-01 06:00 @wallet.acme acme reverse r1 source=/app id=u1 reason=mistake
          | timer: grant 11-01 pool/11-01 +100 left=100 10 USD
          | reversal 11-01 -40 docs charge=-40 pool/10-01 +40 left=100 mistake
        11-01 07:00 @usage.acme used=10-31T12:00 acme usage u2 docs=70   // all 100 were there
          | usage 10-01 late 70 docs charge=70 pool/10-01 -70 left=100
        11-02 00:00 @usage.acme acme usage u3 docs=1
          | timer: expire 10-01 pool/10-01 -30 left=100
          | usage 11-01 1 docs charge=1 pool/11-01 -1 left=99
        ",
    );
}

#[test]
fn what_returns_to_a_closed_period_expires_in_the_same_message() {
    story(
        PRICES,
        "
        show place
        10-01 00:00 acme open o plan=small
          | prices v1 at 1/0/0
          | wallet 10-01 left=0 at 1/0/1
          | grant 10-01 pool/10-01 +100 left=100 10 USD at 1/0/2
        10-31 12:00 acme usage u1 docs=40
          | usage 10-01 40 docs charge=40 pool/10-01 -40 left=60 at 2/0/0
        11-02 00:00 acme reverse r1 source=/app id=u1 reason=mistake
          | timer: grant 11-01 pool/11-01 +100 left=100 10 USD at 3/-1/0
          | timer: expire 10-01 pool/10-01 -60 left=100 at 3/-1/1
          | reversal 11-01 -40 docs charge=-40 pool/10-01 +40 left=100 mistake at 3/0/0
          | expire 11-01 pool/10-01 -40 left=100 at 3/0/1
        ",
    );
}

#[test]
fn overage_of_a_closed_period_is_a_credit_note_of_the_current_one() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-20 00:00 acme usage u1 docs=110
          | usage 10-01 110 docs charge=100 pool/10-01 -100 left=0
          | usage 10-01 charge=10 overage left=0 1.2 USD
        11-10 00:00 acme reverse r1 source=/app id=u1 reason=mistake
          | timer: grant 11-01 pool/11-01 +100 left=100 10 USD
          | reversal 11-01 -110 docs charge=-10 overage left=100 -1.2 USD mistake
          | reversal 11-01 charge=-100 pool/10-01 +100 left=100 mistake
          | expire 11-01 pool/10-01 -100 left=100
        ",
    );
}

#[test]
fn what_returns_to_a_grant_that_is_over_expires_even_if_it_had_been_spent() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 00:00 acme grant g credits=20 basis=promotional expires_at=2026-10-05T00:00:00Z
          | grant 10-01 /app/g +20 left=120
        10-01 00:00 acme grant h credits=8 basis=promotional expires_at=2026-10-05T00:00:01Z
          | grant 10-01 /app/h +8 left=128
        10-02 00:00 acme usage u1 docs=20            // all of g
          | usage 10-01 20 docs charge=20 /app/g -20 left=108
        10-02 00:00 acme usage u2 docs=5
          | usage 10-01 5 docs charge=5 /app/h -5 left=103
        10-05 00:00 acme reverse r1 source=/app id=u1 reason=mistake   // the very instant
          | reversal 10-01 -20 docs charge=-20 /app/g +20 left=103 mistake
          | expire 10-01 /app/g -20 left=103
        10-05 00:01 acme reverse r2 source=/app id=u2 reason=mistake
          | timer: expire 10-01 /app/h -3 left=100
          | reversal 10-01 -5 docs charge=-5 /app/h +5 left=100 mistake
          | expire 10-01 /app/h -5 left=100
        ",
    );
}

#[test]
fn a_spent_grant_that_is_not_over_lives_on_until_its_own_end() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 00:00 acme grant g credits=20 basis=promotional expires_at=2026-10-05T00:00:00Z
          | grant 10-01 /app/g +20 left=120
        10-02 00:00 acme usage u1 docs=20
          | usage 10-01 20 docs charge=20 /app/g -20 left=100
        10-03 00:00 acme reverse r1 source=/app id=u1 reason=mistake
          | reversal 10-01 -20 docs charge=-20 /app/g +20 left=120 mistake
        10-04 00:00 acme usage u2 docs=1
          | usage 10-01 1 docs charge=1 /app/g -1 left=119
        10-05 00:00 acme usage u3 docs=1
          | timer: expire 10-01 /app/g -19 left=100
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=99
        ",
    );
}

#[test]
fn what_returns_to_a_voided_grant_expires() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-01 00:00 acme grant p credits=50 basis=purchased
          | grant 10-01 /app/p +50 left=150
        10-02 00:00 acme usage u1 docs=110
          | usage 10-01 110 docs charge=100 pool/10-01 -100 left=50
          | usage 10-01 charge=10 /app/p -10 left=40
        10-03 00:00 acme void v1 grant=/app/p
          | void 10-01 /app/p -40 left=0
        10-04 00:00 acme reverse r1 source=/app id=u1 reason=mistake
          | reversal 10-01 -110 docs charge=-10 /app/p +10 left=0 mistake
          | expire 10-01 /app/p -10 left=0
          | reversal 10-01 charge=-100 pool/10-01 +100 left=100 mistake
        10-05 00:00 acme void v2 grant=/app/p        // it is gone still
          | rejected nothing_remaining
        ",
    );
}

#[test]
fn a_rollover_gets_back_what_it_paid_while_it_lives() {
    story(
        "version v1 from=2026-01-01 default=none
         price docs type=usage each=docs:1
         plan rolling fee=10 pool=100 rollover=30:1",
        "
        10-01 00:00 acme open o plan=rolling
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        11-10 00:00 acme usage u1 docs=10
          | timer: grant 11-01 pool/11-01 +100 left=100 10 USD
          | timer: rollover 10-01 pool/10-01 -30 left=100
          | timer: rollover 11-01 rollover/10-01 +30 left=130
          | timer: expire 10-01 pool/10-01 -70 left=130
          | usage 11-01 10 docs charge=10 rollover/10-01 -10 left=120
        11-10 00:00 acme usage u2 docs=5
          | usage 11-01 5 docs charge=5 rollover/10-01 -5 left=115
        11-11 00:00 acme reverse r1 source=/app id=u1 reason=mistake
          | reversal 11-01 -10 docs charge=-10 rollover/10-01 +10 left=125 mistake
        12-01 12:00 acme reverse r2 source=/app id=u2 reason=mistake
          | timer: grant 12-01 pool/12-01 +100 left=100 10 USD
          | timer: rollover 11-01 pool/11-01 -30 left=100
          | timer: rollover 12-01 rollover/11-01 +30 left=130
          | timer: expire 12-01 rollover/10-01 -25 left=130
          | reversal 12-01 -5 docs charge=-5 rollover/10-01 +5 left=130 mistake
          | expire 12-01 rollover/10-01 -5 left=130
        ",
    );
}

#[test]
fn a_price_and_a_plan_that_changed_meanwhile_change_no_reversal() {
    story(
        "version v1 from=2026-01-01 default=none
         price docs type=usage each=docs:1
         plan small fee=10 pool=100 bill=0.5
         plan cheap fee=10 pool=100 bill=0.1
         version v2 from=2026-10-15
         price docs type=usage each=docs:2",
        "
        show version plan price
        10-01 00:00 acme open o plan=small
          | prices v1 version=v1
          | wallet 10-01 left=0 version=v1 plan=small
          | grant 10-01 pool/10-01 +100 left=100 10 USD version=v1 plan=small
        10-10 00:00 acme usage u1 docs=110
          | usage 10-01 110 docs charge=100 pool/10-01 -100 left=0 version=v1 plan=small \
              price=docs
          | usage 10-01 charge=10 overage left=0 5 USD version=v1 plan=small price=docs
        10-20 00:00 acme plan c1 plan=cheap at=now
          | prices v2 version=v2
          | wallet 10-01 left=0 version=v1 plan=cheap
        10-20 00:00 acme reverse r1 source=/app id=u1 reason=mistake
          | reversal 10-01 -110 docs charge=-10 overage left=0 -5 USD mistake version=v1 \
              plan=cheap price=docs
          | reversal 10-01 charge=-100 pool/10-01 +100 left=100 mistake version=v1 plan=cheap \
              price=docs
        10-20 00:00 acme usage u2 docs=55            // 110 at two each, 10 of them at 0.1
          | usage 10-01 55 docs charge=100 pool/10-01 -100 left=0 version=v2 plan=cheap price=docs
          | usage 10-01 charge=10 overage left=0 1 USD version=v2 plan=cheap price=docs
        ",
    );
}
