//! What a ledger must hold: sums to compare two ledgers by, and what is true of every ledger.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::records;
use crate::world::World;

/// Sums by all that does not depend on how and when the events came. Usage of the last hour may be
/// late to one that opens its wallet after midnight, so only old usage counts as late.
const SUMS: &str = "
    SELECT customer, price_version, price_id, kind, reason, plan, currency,
        late AND received_at - used_at > INTERVAL '36 hours' AS is_late,
        COUNT(*) AS rows, SUM(credits) AS credits,
        SUM(credits) FILTER (WHERE grant_id IS NULL) AS overage, SUM(quantity) AS quantity,
        SUM(delta) AS delta, SUM(amount) AS amount, SUM(cost_usd) AS cost
    FROM ledger WHERE kind <> 'tick'
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
    ORDER BY 1, 2, 3, 4, 5, 6, 7, 8";

const ALERTS: &str = "SELECT customer, reason, event_id FROM ledger WHERE kind = 'alert'
    ORDER BY customer, reason, event_id";

/// Sums that do not depend on the order of events either.
const UNORDERED: &str = "
    SELECT customer, kind, price_id, reason,
        COUNT(DISTINCT CONCAT(source, seq, '/', idx)) AS events, SUM(credits) AS credits,
        SUM(credits) FILTER (WHERE grant_id IS NULL) AS overage, SUM(quantity) AS quantity,
        SUM(delta) AS delta, SUM(cost_usd) AS cost
    FROM ledger WHERE kind <> 'tick'
    GROUP BY customer, kind, price_id, reason
    ORDER BY customer, kind, price_id, reason";

/// What a ledger's rows add up to, and its alerts by what caused them.
pub(crate) fn sums(world: &World, data: &str) -> String {
    format!("{}\n{}", world.csv(data, SUMS), world.csv(data, ALERTS))
}

/// What the rows add up to whatever the order of events.
pub(crate) fn unordered_sums(world: &World, data: &str) -> String {
    world.csv(data, UNORDERED)
}

/// Holds that two ledgers add up to the same; tells the lines that differ.
pub(crate) fn assert_same(what: &str, expected: &str, found: &str) {
    let missing: Vec<_> = expected
        .lines()
        .filter(|line| !found.lines().any(|l| l == *line))
        .collect();
    let more: Vec<_> = found
        .lines()
        .filter(|line| !expected.lines().any(|l| l == *line))
        .collect();
    assert!(
        expected == found,
        "{what}: only expected: {missing:#?}\nonly found: {more:#?}"
    );
}

/// All rows up to the last message that is no tick: how many ticks come then is chance.
pub(crate) const ALL_ROWS: &str = "SELECT * EXCEPT (source) FROM ledger WHERE seq <=
    (SELECT MAX(seq) FROM ledger WHERE idx >= 0 AND kind NOT IN ('tick', 'prices')) ORDER BY entry";

/// Holds what is true of every ledger which has read the stream's first `messages`, ticks not
/// counted: nothing is lost and nothing is there twice.
pub(crate) fn assert_whole(world: &World, data: &str, messages: i64) {
    let entries = world.csv(
        data,
        "SELECT MIN(entry), MAX(entry) - COUNT(*), COUNT(DISTINCT entry) - COUNT(*) FROM ledger",
    );
    assert_eq!(entries, "1,0,0\n", "entries are not 1, 2, 3 …");
    let twice = "SELECT source, seq, idx, leg, COUNT(*) FROM ledger
        GROUP BY source, seq, idx, leg HAVING COUNT(*) > 1 ORDER BY seq LIMIT 5";
    assert_eq!(world.csv(data, twice), "", "places that two rows have");
    let seqs = "SELECT MIN(seq), MAX(seq) - COUNT(DISTINCT seq),
        COUNT(DISTINCT seq) FILTER (WHERE idx >= 0 AND kind NOT IN ('tick', 'prices'))
        FROM ledger GROUP BY source";
    assert_eq!(
        world.csv(data, seqs),
        format!("1,0,{messages}\n"),
        "seqs with a gap"
    );
    let idxs = "SELECT seq, MIN(idx), MAX(idx), COUNT(DISTINCT idx) FROM ledger WHERE idx >= 0
        GROUP BY source, seq HAVING MIN(idx) <> 0 OR MAX(idx) + 1 <> COUNT(DISTINCT idx)";
    assert_eq!(world.csv(data, idxs), "", "messages with a gap");
    let split = "SELECT seq, idx FROM ledger WHERE kind IN
        ('usage', 'duplicate', 'conflict', 'rejected') AND (kind <> 'usage' OR quantity IS NOT NULL)
        GROUP BY source, seq, idx HAVING COUNT(*) > 1";
    assert_eq!(world.csv(data, split), "", "events with two fates");
    let verified = world.purser(data).arg("verify").output();
    let verified = verified.expect("a run of purser verify");
    let told = String::from_utf8_lossy(&verified.stdout);
    assert_eq!(verified.status.code(), Some(0), "{told}");
}

/// Holds that stream `ALERTS` has exactly one message for each alert row of the ledger.
pub(crate) fn assert_one_message_an_alert(world: &World, data: &str) {
    let rows = "SELECT customer, reason, event_id FROM ledger WHERE kind = 'alert'";
    let mut expected = BTreeMap::new();
    for row in records(&world.csv(data, rows)) {
        *expected.entry(row).or_insert(0) += 1;
    }
    let mut found = BTreeMap::new();
    for (_, subject, body) in world.alerts() {
        let text = |value: &Value| value.as_str().expect("a string").to_owned();
        let (customer, id) = (text(&body["subject"]), text(&body["id"]));
        let kind = text(&body["data"]["kind"]);
        assert_eq!(subject, format!("alerts.{customer}.{kind}.{id}"));
        let event = body["data"]["event_id"].as_str().unwrap_or_default();
        let row = [customer, text(&body["data"]["reason"]), event.to_owned()];
        *found.entry(row.to_vec()).or_insert(0) += 1;
    }
    assert_eq!(expected, found, "alert rows, and messages in ALERTS");
    assert!(!expected.is_empty(), "no alert at all");
}
