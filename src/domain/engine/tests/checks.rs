//! The order of checks: each reason's row, and each reason winning over all that come after it.

use super::{PRICES, story};

/// Prices are known from 1 September on; usage opens nobody's wallet.
const STRICT: &str = "
    version v1 from=2026-09-01 default=none
    price docs type=usage each=docs:1
    price huge type=huge each=docs:1000000
    plan starter fee=99 pool=1000 bill=0.12
";

#[test]
fn each_reason_wins_over_the_later_ones() {
    story(
        STRICT,
        "
        shard 3/4                                    // of acme, not of bob
        10-01 09:00 @wallet.acme acme open o plan=starter
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +1000 left=1000 99 USD
        10-01 09:00 @usage.acme acme usage e1 docs=1
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=999

        // Each line is wrong in the named way and in a later one; the last is right.
        10-01 10:00 @usage.acme empty
          | rejected empty
        10-01 10:00 @usage.acme malformed
          | rejected malformed
        10-01 10:00 @usage.acme used=11-01T00:00 a.b usage e1 docs=-1
          | rejected bad_customer
        10-01 10:00 @usage.acme used=11-01T00:00 bob usage e1 docs=-1
          | rejected wrong_subject
        10-01 10:00 @usage.bob used=11-01T00:00 bob usage e1 docs=-1
          | rejected wrong_shard
        10-01 10:00 @usage.acme used=10-01T10:05:01 acme usage e1 docs=-1
          | rejected in_future
        10-01 10:00 @usage.acme used=08-27T09:59:59 acme usage e1 docs=-1
          | rejected too_old
        10-01 10:00 @usage.acme used=08-27T10:00 acme usage e1 docs=-1
          | conflict
        10-01 10:00 @usage.acme used=08-27T10:00 acme usage e1 docs=1
          | duplicate
        10-01 10:00 @usage.acme used=08-31T23:59:59 acme never e2 docs=-1
          | rejected no_price_version
        10-01 10:00 @usage.acme acme never e2 docs=-1
          | rejected no_price
        10-01 10:00 @usage.acme acme huge e2 docs=-1
          | rejected bad_measure
        10-01 10:00 @usage.acme acme huge e2 docs=1000
          | rejected overflow
        10-01 10:00 @usage.acme used=10-01T10:05 acme usage e2 docs=1
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=998
        ",
    );
}

#[test]
fn commands_have_their_own_order_after_the_duplicate() {
    story(
        STRICT,
        "
        10-01 09:00 acme purser.wallet.burnt c1 plan=none   // before bad_command
          | prices v1
          | rejected unknown_command
        10-01 09:00 acme grant c1 credits=-1 basis=purchased   // before unknown_wallet
          | rejected bad_command
        10-01 09:00 acme grant c1 credits=5 basis=purchased
          | rejected unknown_wallet
        10-01 09:00 acme open c1 plan=starter
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +1000 left=1000 99 USD
        10-01 09:00 acme open c1 plan=none                  // conflict before bad_command
          | conflict
        10-01 09:00 acme purser.wallet.burnt c1             // and before unknown_command
          | conflict
        10-01 09:00 acme open c2 plan=none                  // before already_open
          | rejected bad_command
        10-01 09:00 acme open c2 plan=starter
          | rejected already_open
        ",
    );
}

#[test]
fn unknown_wallet_comes_before_the_prices() {
    story(
        STRICT,
        "
        10-01 09:00 acme never e1 docs=-1
          | prices v1
          | rejected unknown_wallet
        ",
    );
}

#[test]
fn the_window_and_the_minutes_ahead_include_their_ends() {
    story(
        "version v1 from=2026-01-01 default=starter window_days=2 future_minutes=1
         price docs type=usage each=docs:1
         plan starter fee=99 pool=1000",
        "
        10-03 00:00 @usage.acme used=10-01T00:00 acme usage e1 docs=1
          | prices v1
          | wallet 10-03 left=0
          | grant 10-03 pool/10-03 +1000 left=1000 99 USD
          | usage 10-03 late 1 docs charge=1 pool/10-03 -1 left=999
        10-03 00:00 @usage.acme used=09-30T23:59:59.999999 acme usage e2 docs=1
          | rejected too_old
        10-03 00:00 @usage.acme used=10-03T00:01 acme usage e3 docs=1
          | usage 10-03 1 docs charge=1 pool/10-03 -1 left=998
        10-03 00:00 @usage.acme used=10-03T00:01:00.000001 acme usage e4 docs=1
          | rejected in_future
        ",
    );
}

#[test]
fn a_rejected_event_changes_nothing_and_may_be_sent_again() {
    story(
        PRICES,
        "
        10-01 09:00 acme usage e1 docs=-1            // the wallet is not opened either
          | prices v1
          | rejected bad_measure
        10-01 09:00 acme usage e1 docs=2
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +1000 left=1000 99 USD
          | usage 10-01 2 docs charge=2 pool/10-01 -2 left=998
        ",
    );
}

#[test]
fn a_rejection_tells_what_is_known_of_the_event() {
    story(
        STRICT,
        "
        show place received used event data plan version price task cost
        10-01 09:00 acme usage e1 docs=1
          | prices v1 at 1/0/0 received=10-01T09:00 version=v1
          | rejected unknown_wallet at 1/0/1 received=10-01T09:00 used=10-01T09:00 \
              event=/app/e1/usage raw=[10-01 09:00 acme usage e1 docs=1]
        empty
          | rejected empty at 2/0/0 received=10-01T09:00 raw=[empty]
        malformed
          | rejected malformed at 3/0/0 received=10-01T09:00 raw=[malformed]
        10-01 10:00 a.b usage e1 docs=1
          | rejected bad_customer at 4/0/0 received=10-01T09:00 used=10-01T10:00 \
              event=/app/e1/usage raw=[10-01 10:00 a.b usage e1 docs=1]
        ",
    );
}

#[test]
fn a_name_that_is_no_customer_gets_no_row_with_it() {
    for name in ["-", "\"\"", "a*", "a>", "usage.acme"] {
        let text = format!("10-01 09:00 {name} usage e1 docs=1\n| rejected bad_customer");
        story(PRICES, &text);
    }
}
