//! Coming back: rows that do not follow from those before, and price folders that do not fit.

use super::line::Script;
use super::{PRICES, Run, filter, prices};
use crate::domain::engine::{ApplyError, Engine, RestoreError};
use crate::domain::entry::{Entry, Kind};
use crate::domain::event::Members;
use crate::domain::units::Credits;

fn played(text: &str) -> Run {
    let script = Script::read(text);
    let mut run = Run::new(script.shard, prices::book(PRICES));
    for (seq, lines) in script.messages().iter().enumerate() {
        run.message(seq, lines);
    }
    run
}

/// Comes back from the rows of one charge after `change` has been at them.
fn restore(change: impl Fn(&mut Vec<Entry<'static>>)) -> Result<Engine, RestoreError> {
    let run = played("10-01 09:00 acme usage e1 docs=3");
    let mut rows = run.rows.0;
    change(&mut rows);
    let mut engine = Engine::new(run.shard, run.book, filter(1));
    for row in &rows {
        engine.restore(row, &Members::NONE)?;
    }
    Ok(engine)
}

#[test]
fn rows_that_do_not_follow_are_told() {
    assert_eq!(restore(|_| {}).unwrap().last_entry(), 4);
    let gap = |expected, found| RestoreError::Gap { expected, found };
    let fault = |entry, source| RestoreError::Apply { entry, source };
    let told = |change: fn(&mut Vec<Entry<'static>>)| restore(change).err().unwrap();
    assert_eq!(told(|rows| rows.rotate_left(1)), gap(1, 2));
    assert_eq!(told(|rows| rows.swap(1, 2)), gap(2, 3));
    assert_eq!(told(|rows| rows.insert(1, rows[0])), gap(2, 1));
    let no_wallet = ApplyError::NoWallet("bob".to_owned());
    assert_eq!(
        told(|rows| rows[3].customer = Some("bob")),
        fault(4, no_wallet)
    );
    let missing = |column| ApplyError::Missing(column);
    assert_eq!(
        told(|rows| rows[3].customer = None),
        fault(4, missing("customer"))
    );
    assert_eq!(
        told(|rows| rows[3].credits = None),
        fault(4, missing("credits"))
    );
    assert_eq!(
        told(|rows| rows[2].grant_id = None),
        fault(3, missing("grant_id"))
    );
    assert_eq!(told(|rows| rows[1].plan = None), fault(2, missing("plan")));
    let (version, plan) = ("v9".to_owned(), "starter".to_owned());
    let no_terms = ApplyError::NoTerms { version, plan };
    assert_eq!(
        told(|rows| rows[1].price_version = Some("v9")),
        fault(2, no_terms)
    );
    let (stated, reckoned) = (Credits::new(998_000_000), Credits::new(997_000_000));
    assert_eq!(
        told(|rows| rows[3].balance = Some(Credits::new(998_000_000))),
        RestoreError::Balance {
            entry: 4,
            stated,
            reckoned
        }
    );
}

#[test]
fn a_version_that_was_overtaken_or_is_gone_is_told() {
    let with = |lines: &str| prices::book(&format!("{PRICES}\n{lines}"));
    let mut run = played("10-01 09:00 acme usage e1 docs=3");
    // Now is 10-01 09:00.
    let overtaken = run
        .engine
        .set_book(with("version v2 from=2026-10-01T09:00"));
    assert_eq!(overtaken, Err(RestoreError::Overtaken("v2".to_owned())));
    let before = run.engine.set_book(with("version v2 from=2025-01-01"));
    assert_eq!(before, Err(RestoreError::Overtaken("v2".to_owned())));
    let gone = run
        .engine
        .set_book(prices::book(&PRICES.replace("v1", "v0")));
    assert_eq!(gone, Err(RestoreError::VersionGone("v1".to_owned())));
    assert_eq!(run.engine.book.tables().len(), 1);
    assert_eq!(
        run.engine
            .set_book(with("version v2 from=2026-10-01T09:01")),
        Ok(())
    );
    // An empty ledger takes all.
    let mut fresh = Engine::new(run.shard, prices::book(PRICES), filter(1));
    assert_eq!(fresh.set_book(with("version v2 from=1999-01-01")), Ok(()));
}

#[test]
fn a_new_version_is_recorded_when_now_reaches_it() {
    let script = Script::read(
        "10-01 09:00 acme usage e1 docs=3
         10-01 09:10 acme usage e2 docs=3",
    );
    let mut run = Run::new(script.shard, prices::book(PRICES));
    let messages = script.messages();
    run.message(0, messages[0]);
    let more = "version v2 from=2026-10-01T09:05\nprice docs type=usage each=docs:2";
    run.book = prices::book(&format!("{PRICES}\n{more}"));
    run.engine.set_book(run.book.clone()).unwrap();
    run.message(1, messages[1]);
    let told = run.rows.0[4..]
        .iter()
        .map(|row| (row.kind, row.price_version, row.credits));
    let charge = Credits::new(6_000_000);
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            (Kind::Prices, Some("v2"), None),
            (Kind::Usage, Some("v2"), Some(charge))
        ]
    );
    run.restored(6);
}
