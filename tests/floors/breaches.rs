//! Made-up breaches of the floors, each of which must be caught, and what must not be.
//!
//! In the tables a `;;` ends a line of the made-up source.

use super::{COLUMNS_MAX, IMPURE, LINES_MAX, Source};
use super::{import_faults, purity_faults, ring, shape_faults};

fn made_up(path: &str, text: &str) -> Source {
    Source {
        path: path.to_owned(),
        text: text.replace(";; ", "\n"),
    }
}

/// Rows of `path | source | a word of its only fault`, where `-` is no fault.
fn check_imports(table: &str) {
    for row in table.lines().filter(|row| !row.trim().is_empty()) {
        let cells: Vec<&str> = row.split(" | ").map(str::trim).collect();
        let [path, text, fault] = cells[..] else {
            panic!("three cells: {row}");
        };
        let found = import_faults(&made_up(&format!("src/{path}"), text));
        let is_right = match (&found[..], fault) {
            ([], "-") => true,
            ([only], word) => only.contains(&format!(": {word}")),
            _ => false,
        };
        assert!(is_right, "{row}: {found:?}");
    }
}

#[test]
fn each_breach_of_the_floors_is_caught() {
    check_imports(
        "
        domain/units.rs     | use crate::adapters::sql;                  | climbs
        domain/units.rs     | let x = crate::jobs::run::run();           | climbs
        domain/price/mod.rs | use super::super::adapters::sql;           | climbs
        adapters/files.rs   | use crate::jobs::run;                      | climbs
        adapters/files.rs   | pub use crate::cli::run;                   | climbs
        jobs/run/mod.rs     | use crate::cli::Args;                      | climbs
        jobs/run/feed.rs    | fn f(a: super::super::super::cli::Args) {  | climbs
        adapters/files.rs   | use crate::adapters::sql::Session;         | goes sideways
        adapters/files.rs   | use super::sql::Session;                   | goes sideways
        adapters/sql/out.rs | use super::super::files;                   | goes sideways
        adapters/files.rs   | mod tests {;;     use super::super::sql;;; } | goes sideways
        adapters/sql/out.rs | use super::super::{sql, files};            | hides
        adapters/files.rs   | use crate::adapters::{files, sql};         | hides
        adapters/files.rs   | use crate::adapters::*;                    | hides
        adapters/files.rs   | use super::*;                              | hides
        domain/units.rs     | use crate::{adapters::sql, domain};        | hides
        cli/run.rs          | use crate::{domain, jobs::run};            | hides
        domain/units.rs     | use crate::*;                              | hides
        jobs/run/mod.rs     | use crate as root;                         | hides
        jobs/run/mod.rs     | use crate::other::thing;                   | is on no floor
        jobs/run/mod.rs     | use anyhow::Context;                       | anyhow
        domain/units.rs     | use anyhow::Context;                       | anyhow
        ",
    );
}

#[test]
fn what_the_floors_allow_is_no_fault() {
    check_imports(
        "
        domain/price/when.rs   | use super::index::Index;                  | -
        domain/price/when.rs   | use super::super::{calendar, units};      | -
        domain/price/mod.rs    | pub(crate) fn f(supervisor: u8) {         | -
        domain/units.rs        | // use crate::adapters::sql;              | -
        adapters/sql/mod.rs    | use crate::domain::units::Day;            | -
        adapters/sql/mod.rs    | use crate::domain::{alert, units};        | -
        adapters/sql/a/b.rs    | use super::super::schema;                 | -
        adapters/sql/schema.rs | use crate::adapters::sql::encode;         | -
        adapters/files.rs      | mod tests {;;     use super::*;;; }       | -
        adapters/sql/views.rs  | mod tests {;;     use super::super::x;;; } | -
        jobs/run/mod.rs        | use crate::adapters::{files, sql};        | -
        cli/run.rs             | use anyhow::Context;                      | -
        main.rs                | use purser::cli;                          | -
        ",
    );
}

#[test]
fn each_impurity_is_caught_in_the_domain_alone() {
    let words = IMPURE.map(|word| format!("let x = {word}::thing;"));
    let more = [
        "let now = Zoned::now();",
        "let clock = Instant::now;",
        "use std::{collections::BTreeMap, fs};",
        "fn share() -> f64 {",
        "async fn f() {",
    ];
    for text in words.iter().map(String::as_str).chain(more) {
        let found = purity_faults(&made_up("src/domain/price/mod.rs", text));
        assert_eq!(found.len(), 1, "{text}");
        let elsewhere = purity_faults(&made_up("src/jobs/run/mod.rs", text));
        assert!(elsewhere.is_empty(), "{text}");
    }
    for text in [
        "engine.now()",
        "use std::fmt;",
        "let brand = 1;",
        "// tokio",
    ] {
        let found = purity_faults(&made_up("src/domain/price/mod.rs", text));
        assert!(found.is_empty(), "{found:?}");
    }
}

#[test]
fn a_ring_in_the_domain_is_caught() {
    let ring_with = |third| {
        ring(&[
            made_up("src/domain/a.rs", "use super::b::B;"),
            made_up("src/domain/b/mod.rs", "use crate::domain::c::C;"),
            made_up("src/domain/c.rs", third),
        ])
    };
    assert_eq!(ring_with("use std::fmt;"), None);
    let all = ["a", "b", "c"].map(str::to_owned);
    assert_eq!(ring_with("use super::a::A;"), Some(all.into()));
    assert!(ring_with("use super::b::B;").is_some());
}

#[test]
fn each_fault_of_shape_is_caught() {
    let long = format!("//! Header.\n{}", "\n".repeat(LINES_MAX));
    let wide = format!("//! Header.\n//{}", "é".repeat(COLUMNS_MAX - 1));
    let row = wide.replace("\n//", "\n  ");
    for (path, text, faults) in [
        ("src/a.rs", "use std::fmt;\n", 1),
        ("src/a.rs", "", 1),
        ("src/a.rs", "//! Header.\n", 0),
        ("src/a.rs", &long, 1),
        ("src/a.rs", &long[..long.len() - 1], 0),
        ("src/a.rs", &wide, 1),
        ("src/a.rs", &wide[..wide.len() - "é".len()], 0),
        ("src/a/tests/b.rs", &wide, 1),
        ("src/a.rs", &row, 1),
        ("src/a/tests/b.rs", &row, 0),
    ] {
        let found = shape_faults(&made_up(path, text));
        assert_eq!(found.len(), faults, "{path}: {found:?}");
    }
}
