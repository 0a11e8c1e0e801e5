//! The prompt of `query`, on a terminal.

use std::path::Path;
use std::process::Command;

use crate::purser::{Place, ran, usage};

#[test]
fn a_person_types_statements_and_finds_them_again() {
    let place = Place::new();
    place.write("events.ndjson", usage("e", "acme", "05T10:00:00Z") + "\n");
    place.replay("events.ndjson");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/prompt.py");
    let mut typed = Command::new("python3");
    typed.arg(script).arg(place.path("state/history"));
    typed.arg(env!("CARGO_BIN_EXE_purser"));
    typed.args(["query", "--param", "n=41", "--data"]);
    typed.arg(place.path("data"));
    let typed = ran(typed.output().expect("python3"));
    assert_eq!(typed.code, 0, "{}", typed.err);
}

#[test]
fn a_statement_comes_from_standard_input_too() {
    let place = Place::new();
    place.write("events.ndjson", usage("e", "acme", "05T10:00:00Z") + "\n");
    place.replay("events.ndjson");
    place.write("wallets.sql", "SELECT customer FROM wallets");
    let mut query = place.command(&["query", "--format", "csv"]);
    let file = std::fs::File::open(place.path("wallets.sql")).expect("a file");
    let answer = ran(query.stdin(file).output().expect("a run"));
    assert_eq!((answer.code, &*answer.out), (0, "customer\nacme\n"));
    let two = place.run(&["query", "SELECT 1; SELECT 2"]);
    assert_eq!(two.code, 2, "{two:?}");
    assert!(two.err.contains("2 statements at once"), "{two:?}");
    // Nothing is not a statement.
    let nothing = place.run(&["query"]);
    assert_eq!(nothing.code, 2, "{nothing:?}");
    assert!(nothing.err.contains("there is no statement"), "{nothing:?}");
}
