//! Closings: what a closed wallet still takes, how it ends, and how it opens again.

use super::story;

/// Whoever was never opened is opened on `small` by usage; a closed one is not.
const PRICES: &str = "
    version v1 from=2026-01-01 default=small
    price docs type=usage each=docs:1
    plan small fee=10 pool=100
";

const NO_GRACE: &str = "
    version v1 from=2026-01-01 default=small grace_hours=0
    price docs type=usage each=docs:1
    plan small fee=10 pool=100
";

#[test]
fn usage_from_before_the_closing_is_taken_for_the_grace_then_the_rest_is_voided() {
    story(
        PRICES,
        "
        10-01 00:00 @wallet.acme acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 @wallet.acme acme grant p credits=50 basis=purchased
          | grant 10-01 /app/p +50 left=150
        10-03 00:00 @usage.acme acme usage u1 docs=30
          | usage 10-01 30 docs charge=30 pool/10-01 -30 left=120
        10-05 12:00 @wallet.acme acme close c1
          | wallet 10-01 left=120
          | alert 10-01 left=120 status closed
        10-06 11:59:59.999999 @usage.acme used=10-05T11:59:59.999999 acme usage u2 docs=10
          | usage 10-01 10 docs charge=10 pool/10-01 -10 left=110
        10-06 12:00 @usage.acme used=10-05T11:59:59.999999 acme usage u3 docs=1   // its very end
          | timer: void 10-01 pool/10-01 -60 left=50
          | timer: void 10-01 /app/p -50 left=0
          | rejected unknown_wallet
        10-06 12:00 @usage.acme acme usage u4 docs=1   // usage opens no closed wallet
          | rejected unknown_wallet
        ",
    );
}

#[test]
fn the_closing_names_its_event_and_the_voids_the_message_that_woke_them() {
    story(
        PRICES,
        "
        show place event plan received
        10-01 00:00 @wallet.acme acme open o plan=small
          | prices v1 at 1/0/0 received=10-01T00:00
          | wallet 10-01 left=0 at 1/0/1 event=/app/o/purser.wallet.opened plan=small \
              received=10-01T00:00
          | grant 10-01 pool/10-01 +100 left=100 10 USD at 1/0/2 \
              event=/app/o/purser.wallet.opened plan=small received=10-01T00:00
        10-05 12:00 @wallet.acme acme close c1
          | wallet 10-01 left=100 at 2/0/0 event=/app/c1/purser.wallet.closed plan=small \
              received=10-05T12:00
          | alert 10-01 left=100 status closed at 2/0/1 event=/app/c1/purser.wallet.closed \
              plan=small received=10-05T12:00
        10-09 00:00 @clock.0 empty
          | timer: void (acme) 10-01 pool/10-01 -100 left=0 at 3/-1/0 plan=small \
              received=10-09T00:00
          | tick at 3/0/0 received=10-09T00:00
        ",
    );
}

#[test]
fn usage_stamped_at_the_closing_or_later_is_refused() {
    story(
        PRICES,
        "
        10-01 00:00 @wallet.acme acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-05 12:00 @wallet.acme acme close c1
          | wallet 10-01 left=100
          | alert 10-01 left=100 status closed
        10-05 12:00 @usage.acme acme usage u1 docs=1
          | rejected unknown_wallet
        10-05 12:00 @usage.acme used=10-05T12:04 acme usage u1 docs=1
          | rejected unknown_wallet
        10-05 12:00 @usage.acme used=10-05T11:59:59.999999 acme usage u1 docs=1
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=99
        10-05 12:00 @usage.acme used=10-05T11:59:59.999999 acme usage u1 docs=1
          | duplicate
        ",
    );
}

#[test]
fn every_command_finds_a_closed_wallet_unknown() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 acme usage u1 docs=1
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=99
        10-05 12:00 acme close c1
          | wallet 10-01 left=99
          | alert 10-01 left=99 status closed
        10-05 13:00 acme grant g credits=5 basis=promotional
          | rejected unknown_wallet
        10-05 13:00 acme plan c2 plan=small at=now
          | rejected unknown_wallet
        10-05 13:00 acme void v1 grant=pool/2026-10-01
          | rejected unknown_wallet
        10-05 13:00 acme reverse r1 source=/app id=u1 reason=mistake
          | rejected unknown_wallet
        10-05 13:00 acme close c1
          | duplicate
        10-05 13:00 acme close c2                    // closed already
          | rejected unknown_wallet
        10-06 12:00 acme close c2
          | timer: void 10-01 pool/10-01 -99 left=0
          | rejected unknown_wallet
        10-06 12:00 bob close c1                     // never opened
          | rejected unknown_wallet
        ",
    );
}

/// The grace of October is 72 hours still when that of the closing is one.
#[test]
fn pools_are_voided_oldest_first_and_then_the_grants_in_the_order_in_which_they_pay() {
    story(
        "version v1 from=2026-01-01 default=none grace_hours=72
         price docs type=usage each=docs:1
         plan rolling fee=10 pool=100 rollover=30:1
         version v2 from=2026-11-01T12:00 grace_hours=1",
        "
        10-01 00:00 @wallet.acme acme open o plan=rolling
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 @wallet.acme acme grant p credits=50 basis=purchased
          | grant 10-01 /app/p +50 left=150
        10-02 00:00 @wallet.acme acme grant f credits=7 basis=purchased \
            effective_at=2026-12-01T00:00:00Z
          | grant 10-01 /app/f +7 left=150
        10-02 00:00 @wallet.acme acme grant q credits=5 basis=promotional
          | grant 10-01 /app/q +5 left=155
        11-01 00:00 @clock.0 empty
          | timer: grant (acme) 11-01 pool/11-01 +100 left=155 10 USD
          | timer: rollover (acme) 10-01 pool/10-01 -30 left=155
          | timer: rollover (acme) 11-01 rollover/10-01 +30 left=185
          | tick
        11-01 13:00 @wallet.acme acme close c1
          | prices v2
          | wallet 11-01 left=185
          | alert 11-01 left=185 status closed
        11-01 14:00 @clock.0 empty
          | timer: void (acme) 10-01 pool/10-01 -70 left=185
          | timer: void (acme) 11-01 pool/11-01 -100 left=85
          | timer: void (acme) 11-01 /app/q -5 left=80
          | timer: void (acme) 11-01 rollover/10-01 -30 left=50
          | timer: void (acme) 11-01 /app/p -50 left=0
          | timer: void (acme) 11-01 /app/f -7 left=0
          | tick
        ",
    );
}

#[test]
fn no_period_of_a_closed_wallet_ends_and_no_pool_comes() {
    story(
        PRICES,
        "
        10-01 00:00 @wallet.acme acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-31 12:00 @wallet.acme acme close c1
          | wallet 10-01 left=100
          | alert 10-01 left=100 status closed
        11-01 06:00 @usage.acme used=10-31T11:59 acme usage u1 docs=1   // not even late
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=99
        11-01 12:00 @clock.0 empty
          | timer: void (acme) 10-01 pool/10-01 -99 left=0
          | tick
        2027-01-01 00:00 @clock.0 empty
          | tick
        ",
    );
}

#[test]
fn a_period_that_had_ended_before_the_closing_closes_as_ever() {
    story(
        PRICES,
        "
        10-01 00:00 @wallet.acme acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        11-01 06:00 @wallet.acme acme close c1
          | timer: grant 11-01 pool/11-01 +100 left=100 10 USD
          | wallet 11-01 left=100
          | alert 11-01 left=100 status closed
        11-01 07:00 @usage.acme used=10-31T12:00 acme usage u1 docs=1
          | usage 10-01 late 1 docs charge=1 pool/10-01 -1 left=100
        11-02 00:00 @usage.acme used=10-31T12:00 acme usage u2 docs=1
          | timer: expire 10-01 pool/10-01 -99 left=100
          | usage 11-01 late 1 docs charge=1 pool/11-01 -1 left=99
        11-02 06:00 @clock.0 empty
          | timer: void (acme) 11-01 pool/11-01 -99 left=0
          | tick
        ",
    );
}

#[test]
fn a_grant_that_is_over_within_the_grace_expires_and_what_is_spent_is_not_voided() {
    story(
        PRICES,
        "
        10-01 00:00 @wallet.acme acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 @wallet.acme acme grant g credits=5 basis=promotional \
            expires_at=2026-10-06T00:00:00Z
          | grant 10-01 /app/g +5 left=105
        10-02 00:00 @wallet.acme acme grant p credits=20 basis=purchased
          | grant 10-01 /app/p +20 left=125
        10-05 12:00 @wallet.acme acme close c1
          | wallet 10-01 left=125
          | alert 10-01 left=125 status closed
        10-06 06:00 @usage.acme used=10-05T11:00 acme usage u1 docs=100
          | timer: expire 10-01 /app/g -5 left=120
          | usage 10-01 100 docs charge=100 pool/10-01 -100 left=20
        10-06 12:00 @clock.0 empty
          | timer: void (acme) 10-01 /app/p -20 left=0
          | tick
        ",
    );
}

#[test]
fn it_opens_anew_by_command_once_the_close_has_come() {
    story(
        PRICES,
        "
        10-01 00:00 @wallet.acme acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-05 12:00 @wallet.acme acme close c1
          | wallet 10-01 left=100
          | alert 10-01 left=100 status closed
        10-06 11:59:59.999999 @wallet.acme acme open o2 plan=small
          | rejected already_open
        10-06 12:00 @wallet.acme acme open o2 plan=small
          | timer: void 10-01 pool/10-01 -100 left=0
          | wallet 10-06 left=0
          | grant 10-06 pool/10-06 +100 left=100 10 USD
          | alert 10-06 left=100 status ok
        10-06 13:00 @usage.acme acme usage u1 docs=1
          | usage 10-06 1 docs charge=1 pool/10-06 -1 left=99
        10-06 13:00 @usage.acme used=10-05T23:59 acme usage u2 docs=1   // from before the opening
          | usage 10-06 late 1 docs charge=1 pool/10-06 -1 left=98
        11-06 00:00 @usage.acme acme usage u3 docs=1
          | timer: grant 11-06 pool/11-06 +100 left=100 10 USD
          | usage 11-06 1 docs charge=1 pool/11-06 -1 left=99
        11-06 12:00 @wallet.acme acme close c2
          | wallet 11-06 left=99
          | alert 11-06 left=99 status closed
        ",
    );
}

#[test]
fn a_grace_of_none_voids_before_the_next_message() {
    story(
        NO_GRACE,
        "
        10-01 00:00 @wallet.acme acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-05 12:00 @wallet.acme acme close c1
          | wallet 10-01 left=100
          | alert 10-01 left=100 status closed
        10-05 12:00 @usage.acme used=10-05T11:59 acme usage u1 docs=1
          | timer: void 10-01 pool/10-01 -100 left=0
          | rejected unknown_wallet
        10-05 12:00 @wallet.acme acme open o2 plan=none0
          | rejected bad_command
        ",
    );
}

#[test]
fn a_wallet_with_nothing_left_closes_without_voids() {
    story(
        PRICES,
        "
        10-01 00:00 acme open o plan=small
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +100 left=100 10 USD
        10-02 00:00 acme usage u1 docs=101
          | usage 10-01 101 docs charge=100 pool/10-01 -100 left=0
          | usage 10-01 charge=1 overage left=0
          | alert 10-01 left=0 status blocked
        10-05 12:00 acme close c1
          | wallet 10-01 left=0
          | alert 10-01 left=0 status closed
        11-05 12:00 acme open o2 plan=small
          | wallet 11-05 left=0
          | grant 11-05 pool/11-05 +100 left=100 10 USD
          | alert 11-05 left=100 status ok
        ",
    );
}
