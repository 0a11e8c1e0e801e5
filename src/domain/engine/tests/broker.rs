//! Messages of a broker: what a subject admits, now, batches, and the bound on timers.

use super::{PRICES, rows, story};
use crate::domain::entry::Kind;

#[test]
fn a_subject_admits_its_own_kind_and_customer() {
    story(
        PRICES,
        "
        10-01 09:00 @usage.acme acme usage e1 docs=1
          | prices v1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +1000 left=1000 99 USD
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=999
        10-01 09:00 @batch.0 bob usage e1 docs=1
          | wallet 10-01 left=0
          | grant 10-01 pool/10-01 +1000 left=1000 99 USD
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=999
        10-01 09:00 @wallet.acme acme grant g1 credits=1 basis=promotional
          | grant 10-01 /app/g1 +1 left=1000
        10-01 09:00 @usage.bob acme usage e2 docs=1
          | rejected wrong_subject
        10-01 09:00 @wallet.acme acme usage e2 docs=1
          | rejected wrong_subject
        10-01 09:00 @usage.acme acme grant g2 credits=1 basis=promotional
          | rejected wrong_subject
        10-01 09:00 @batch.0 acme grant g2 credits=1 basis=promotional
          | rejected wrong_subject
        10-01 09:00 @wallet.bob acme grant g2 credits=1 basis=promotional
          | rejected wrong_subject
        10-01 09:00 @usage.acme.more acme usage e2 docs=1
          | rejected wrong_subject
        10-01 09:00 @usage acme usage e2 docs=1
          | rejected wrong_subject
        10-01 09:00 @other.acme acme usage e2 docs=1
          | rejected wrong_subject
        ",
    );
}

#[test]
fn now_never_goes_back() {
    story(
        PRICES,
        "
        show received used
        10-01 09:00 @usage.acme acme usage e1 docs=1
          | prices v1 received=10-01T09:00
          | wallet 10-01 left=0 received=10-01T09:00 used=10-01T09:00
          | grant 10-01 pool/10-01 +1000 left=1000 99 USD received=10-01T09:00 used=10-01T09:00
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=999 received=10-01T09:00 used=10-01T09:00
        10-01 08:00 @usage.acme used=10-01T09:05 acme usage e2 docs=1
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=998 received=10-01T09:00 used=10-01T09:05
        10-01 08:00 @usage.acme used=none acme usage e3 docs=1   // no time is now
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=997 received=10-01T09:00 used=10-01T09:00
        ",
    );
}

#[test]
fn one_bad_event_of_a_batch_is_rejected_alone_and_legs_count_by_event() {
    story(
        PRICES,
        "
        show place
        10-01 09:00 @batch.0 acme usage e1 docs=1
          | prices v1 at 1/0/0
          | wallet 10-01 left=0 at 1/0/1
          | grant 10-01 pool/10-01 +1000 left=1000 99 USD at 1/0/2
          | usage 10-01 1 docs charge=1 pool/10-01 -1 left=999 at 1/0/3
        + malformed
          | rejected malformed at 1/1/0
        + acme usage e1 docs=1
          | duplicate at 1/2/0
        + bob usage e1 docs=1001
          | wallet 10-01 left=0 at 1/3/0
          | grant 10-01 pool/10-01 +1000 left=1000 99 USD at 1/3/1
          | usage 10-01 1001 docs charge=1000 pool/10-01 -1000 left=0 at 1/3/2
          | usage 10-01 charge=1 overage left=0 0.12 USD at 1/3/3
        11-02 00:00 @batch.0 empty
          | timer: grant (acme) 11-01 pool/11-01 +1000 left=1000 99 USD at 2/-1/0
          | timer: grant (bob) 11-01 pool/11-01 +1000 left=1000 99 USD at 2/-1/1
          | timer: expire (acme) 10-01 pool/10-01 -999 left=1000 at 2/-1/2
          | rejected empty at 2/0/0
        ",
    );
}

/// More wallets than timers may fire before one message; the last by name has its event first.
#[test]
fn at_most_4096_timers_fire_before_a_message_but_a_wallets_own_always() {
    let names = (0..4_100).map(|n| format!("+ c{n:04} usage e1 docs=1"));
    let mut text = "10-01 00:00 @batch.0 a usage e1 docs=1\n".to_owned();
    text.push_str(&names.collect::<Vec<_>>().join("\n"));
    text.push_str(
        "
        11-01 00:00 @usage.c4099 used=11-01T01:00 c4099 usage e2 docs=1   // in_future
        11-01 00:00 @usage.c4098 c4098 usage e2 docs=1
        11-01 00:00 @usage.a empty",
    );
    let prices = "version v1 from=2026-01-01 default=small
        price docs type=usage each=docs:1
        plan small fee=10 pool=100
        version v2 from=2026-11-01";
    let told = rows(prices, &text);
    let ends = |seq, idx| {
        let of = told
            .iter()
            .filter(move |row| (row.seq, row.idx) == (seq, idx));
        of.map(|row| (row.kind, row.customer.unwrap_or("-")))
            .collect::<Vec<_>>()
    };
    // `a` and c0000 to c4094 are 4,096; then the wallet of the event, even of one that is refused.
    let first = ends(2, -1);
    assert_eq!(first.len(), 4_097);
    assert_eq!(
        first[4_095..],
        [(Kind::Grant, "c4094"), (Kind::Grant, "c4099")]
    );
    assert_eq!(ends(2, 0), [(Kind::Prices, "-"), (Kind::Rejected, "c4099")]);
    let timers_come_first = told.iter().rposition(|row| row.idx == -1 && row.seq == 2)
        < told.iter().position(|row| row.idx == 0 && row.seq == 2);
    assert!(timers_come_first);
    let left: Vec<_> = ends(3, -1)
        .iter()
        .map(|(_, name)| name.to_string())
        .collect();
    assert_eq!(left, ["c4095", "c4096", "c4097", "c4098"]);
    assert_eq!(ends(3, 0), [(Kind::Usage, "c4098")]);
    assert_eq!(ends(4, -1), []);
}

#[test]
fn each_grant_that_ends_is_a_timer_of_its_own() {
    let mut text = "10-01 00:00 @wallet.acme acme open o plan=small\n".to_owned();
    for n in 0..4_097 {
        text.push_str(&format!(
            "+ acme grant g{n:04} credits=1 basis=promotional expires_at=2026-10-02T00:00:00Z\n"
        ));
    }
    text.push_str("10-02 00:00 @usage.bob bob usage e1 docs=1\n");
    text.push_str("10-02 00:00 @usage.bob bob usage e2 docs=1\n");
    let told = rows(PRICES, &text);
    let expired = |seq| {
        told.iter()
            .filter(|row| (row.seq, row.kind) == (seq, Kind::Expire))
            .count()
    };
    assert_eq!((expired(2), expired(3)), (4_096, 1));
}
