//! The order of checks: each reason, and each winning over all that come after it.

use super::{PRICES, story};

/// Usage is known from 1 March on; nobody is opened by usage.
const STRICT: &str = "
    version v1 from=2026-03-01 default=none
    price docs type=usage each=docs:1
    price huge type=huge each=docs:1000000
    plan starter fee=99 pool=1000 bill=0.12
";

#[test]
fn each_reason_has_its_row() {
    story(
        STRICT,
        "
        show data event used received
        10-01 09:00 acme open o plan=starter
          | wallet 10-01 left=0 event=/app/o/purser.wallet.opened used=10-01T09:00 received=10-01T09:00 data=[plan=starter]
          | grant 10-01 pool/10-01 +1000 left=1000 99 USD event=/app/o/purser.wallet.opened used=10-01T09:00 received=10-01T09:00
        empty
          | rejected empty received=10-01T09:00 raw=[empty]
        malformed
          | rejected malformed received=10-01T09:00 raw=[malformed]
        10-01 10:00 a.b usage e1 docs=1
          | rejected bad_customer
        ",
    );
}

#[test]
fn zz() {
    story(PRICES, "10-01 09:00 acme usage e1 docs=3");
}
