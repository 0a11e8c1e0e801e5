//! What must hold: of each commit, of each alert, of a worker's end, of the whole ledger.
//!
//! Invariant: nothing here asks the protocol or the engine; only the store, the clean run and the
//! model are believed.

use std::collections::{BTreeMap, HashSet};

use purser::adapters::ledger::{Commit, Fenced, LogEntry};
use purser::domain::alert::Alert;
use purser::domain::entry::Kind;
use purser::domain::units::Credits;

use crate::model::{self, EventPlace, Outcome};
use crate::rows::{Place, Row};
use crate::story::{SHARD, STREAM, Story};
use crate::world::World;

/// Under which the log keeps the shard's fence and the stream's position.
fn ids() -> (String, String) {
    let fence = format!("purser/{}", SHARD.index);
    let position = format!("{fence}/{STREAM}");
    (fence, position)
}

/// The last entry that is committed.
pub(crate) fn newest_commit(world: &World) -> i64 {
    let store = world.store.borrow();
    store.transaction(store.newest(), &ids().0).unwrap_or(0)
}

/// Checks an entry that is about to become the newest of the log. It must go on where the ledger
/// ends, so that of all workers one at most commits past a fence, each row once.
pub(crate) fn commit(world: &World, entry: &LogEntry) {
    let (fence, position) = ids();
    let value = |id: &str| {
        let found = entry.transactions.iter().find(|(known, _)| known == id);
        found.map(|(_, value)| *value)
    };
    let Some(last_entry) = value(&fence) else {
        return;
    };
    let store = world.store.borrow();
    let before = store.transaction(store.newest(), &fence).unwrap_or(0);
    let last_seq = store.transaction(store.newest(), &position).unwrap_or(0);
    let rows: Vec<&Row> = entry
        .files
        .iter()
        .flat_map(|path| &store.files[path])
        .collect();
    for (row, expected) in rows.iter().zip(before + 1..) {
        assert_eq!(row.entry, expected, "entries have a gap, or come twice");
        let clean = world.clean.rows.get(row.entry as usize - 1);
        assert_eq!(Some(*row), clean, "not the row of the clean run");
    }
    assert_eq!(
        before + rows.len() as i64,
        last_entry,
        "the fence is not the last entry"
    );
    let (first, last) = (rows[0], rows[rows.len() - 1]);
    assert!(
        rows.iter()
            .all(|row| row.received_at.day() == first.received_at.day()),
        "a batch of two days"
    );
    assert_eq!(
        first.seq,
        last_seq + 1,
        "the batch does not begin with the next message"
    );
    assert_eq!(
        value(&position),
        Some(last.seq),
        "the position is not the last message"
    );
    for row in rows.iter().filter(|row| row.kind == Kind::Alert) {
        let id = &world.clean.alerts[&row.place()].id;
        let is_stored = world.alerts.borrow().contains_key(id);
        assert!(
            is_stored,
            "an alert's row is committed before the broker has the alert"
        );
    }
}

/// Tells of a row that an engine decides otherwise than in the clean run, committed or not.
pub(crate) fn told(world: &World, row: &Row) {
    let clean = world.clean.rows.get(row.entry as usize - 1);
    if clean != Some(row) {
        world.tell(format_args!(
            "decided: {row:?}\n in the clean run: {clean:?}"
        ));
    }
}

/// Checks an alert that an engine gives out: whoever gives it out, however often, it is the same.
pub(crate) fn alert(world: &World, place: Place, alert: &Alert) {
    let clean = world.clean.alerts.get(&place);
    assert_eq!(Some(alert), clean, "not the alert of the clean run");
}

/// An alert reaches the broker, which keeps the first of each id.
pub(crate) fn sent(world: &World, alert: Alert) {
    let mut alerts = world.alerts.borrow_mut();
    if alerts.contains_key(&alert.id) {
        world.count("alert sent again");
    } else {
        world.count("alert sent");
        alerts.insert(alert.id.clone(), alert);
    }
}

/// Checks that what a worker believes to be committed is. Where the log was cleaned it may find an
/// entry of its own that nobody reads: no harm if another worker committed up to the same entry,
/// because that worker's rows are the same.
pub(crate) fn committed(world: &World, commit: &Commit) {
    let store = world.store.borrow();
    let plate = Some(commit.nameplate());
    let is_own = |entry: &LogEntry| entry.nameplate == plate;
    let fence = (ids().0, commit.shards[0].last_entry);
    let count = store.commits().filter(|(_, entry)| is_own(entry)).count();
    if count == 0 && store.strays().any(is_own) {
        let is_same = |(_, entry): (_, &LogEntry)| entry.transactions.contains(&fence);
        assert!(
            store.commits().any(is_same),
            "{plate:?} was put where nobody reads it"
        );
        world.count("the same entries, committed by another");
        return;
    }
    assert_eq!(count, 1, "{plate:?} is believed to be committed");
}

/// Checks that a worker that was fenced was so by another one.
pub(crate) fn fenced(world: &World, worker: &str, fenced: &Fenced) {
    let store = world.store.borrow();
    let mover = store.commits().rev().find(|(_, entry)| {
        let fence = (ids().0, fenced.found);
        entry.transactions.contains(&fence)
    });
    let (version, entry) = mover.expect("the fence that it found");
    let is_own = entry
        .nameplate
        .as_ref()
        .is_some_and(|plate| plate.writer == worker);
    // Where the log was cleaned it cannot tell any more whose commit moved the fence.
    assert!(
        !is_own || store.is_cleaned(version),
        "{worker} is fenced by its own commit: {fenced:?}"
    );
}

/// Checks the ledger that the story came to.
pub(crate) fn ledger(world: &World) {
    let store = world.store.borrow();
    let rows: Vec<&Row> = store.rows(store.newest()).collect();
    assert_eq!(rows.len(), world.clean.rows.len(), "rows");
    for (row, clean) in rows.iter().zip(&world.clean.rows) {
        assert_eq!(*row, clean, "not the row of the clean run");
    }
    for row in &rows {
        match &row.reason {
            Some(reason) => world.add(format_args!("row {} {reason}", row.kind.name())),
            None => world.add(format_args!("row {}", row.kind.name())),
        }
    }
    numbering(&rows, world.story.messages.len());
    outcomes(&rows, &world.story);
    let sent: HashSet<String> = world.alerts.borrow().keys().cloned().collect();
    let wanted: HashSet<String> = world.clean.alerts.values().map(|a| a.id.clone()).collect();
    assert_eq!(sent, wanted, "the alerts of the ledger and the broker's");
    alert_ids(world, &rows);
}

/// No two alerts have one id, also of those that one message brings.
fn alert_ids(world: &World, rows: &[&Row]) {
    let alerts = rows.iter().filter(|row| row.kind == Kind::Alert);
    let ids = alerts.map(|row| &world.clean.alerts[&row.place()].id);
    let (count, ids) = (ids.clone().count(), ids.collect::<HashSet<_>>());
    assert_eq!(ids.len(), count, "two alerts have one id");
}

/// Entries run 1, 2, 3 …, messages without a gap, legs from 0.
fn numbering(rows: &[&Row], messages: usize) {
    let mut seqs = vec![0];
    let mut legs: BTreeMap<(i64, i32), i32> = BTreeMap::new();
    for (row, entry) in rows.iter().zip(1..) {
        assert_eq!((row.entry, row.source.as_str()), (entry, STREAM));
        if seqs.last() != Some(&row.seq) {
            seqs.push(row.seq);
        }
        let leg = legs.entry((row.seq, row.idx)).or_default();
        assert_eq!(row.leg, *leg, "{row:?}");
        *leg += 1;
    }
    assert!(
        seqs.into_iter().eq(0..=messages as i64),
        "messages have a gap"
    );
}

/// Each event has become what the model says, and each customer is charged what the events add up
/// to.
fn outcomes(rows: &[&Row], story: &Story) {
    let mut found: BTreeMap<EventPlace, Vec<&Row>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.idx >= 0 && is_own(row)) {
        found.entry((row.seq, row.idx)).or_default().push(row);
    }
    let voids = found.iter().filter(|(_, rows)| rows[0].kind == Kind::Void);
    let voids = voids.map(|(place, _)| *place).collect();
    let expected = model::outcomes(story, &voids);
    assert!(found.keys().eq(expected.keys()), "events");
    let mut charges: BTreeMap<&str, i64> = BTreeMap::new();
    for (place, outcome) in &expected {
        let rows = &found[place];
        assert!(
            is_told(*outcome, rows),
            "{place:?} must be {outcome:?}: {rows:?}"
        );
        let due = match outcome {
            Outcome::Usage(due) => *due,
            Outcome::Reversal(due) => -due,
            _ => 0,
        };
        if let Some(customer) = &rows[0].customer {
            *charges.entry(customer).or_default() += due;
        }
    }
    for row in rows {
        if let (Some(credits), Some(customer)) = (row.credits, &row.customer) {
            *charges.entry(customer).or_default() -= credits.get();
        }
    }
    assert!(
        charges.values().all(|rest| *rest == 0),
        "sums are not right: {charges:?}"
    );
}

/// Whether an event's own rows tell what became of it, and nothing else.
fn is_told(outcome: Outcome, rows: &[&Row]) -> bool {
    let (first, is_alone) = (rows[0], rows.len() == 1);
    let credits = rows.iter().filter_map(|row| row.credits);
    let credits: i64 = credits.map(Credits::get).sum();
    let is_right = match outcome {
        Outcome::Usage(due) => first.kind == Kind::Usage && credits == due,
        Outcome::Reversal(due) => first.kind == Kind::Reversal && credits == -due,
        Outcome::Command => {
            is_alone && matches!(first.kind, Kind::Wallet | Kind::Grant | Kind::Void)
        }
        Outcome::Tick => is_alone && first.kind == Kind::Tick,
        Outcome::Duplicate => is_alone && first.kind == Kind::Duplicate,
        Outcome::Conflict => is_alone && first.kind == Kind::Conflict,
        Outcome::Rejected(reason) => {
            let is_reason = first.reason.as_deref() == Some(reason);
            is_alone && first.kind == Kind::Rejected && is_reason
        }
    };
    is_right && rows.iter().all(|row| row.kind == first.kind)
}

/// Whether a row is what became of its event. What an event brings about besides has no data of
/// it: prices, wallets that it opened, pools, and what a reversal gives back to a grant that is
/// gone.
fn is_own(row: &Row) -> bool {
    match row.kind {
        Kind::Wallet | Kind::Grant | Kind::Void => row.data.is_some(),
        Kind::Prices | Kind::Alert | Kind::Expire | Kind::Rollover => false,
        Kind::Usage | Kind::Reversal | Kind::Tick => true,
        Kind::Duplicate | Kind::Conflict | Kind::Rejected => true,
    }
}
