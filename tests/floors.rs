//! The floors: what may import what, read from the sources.
//!
//! Owns the rules that no compiler holds: imports go down only, adapters do not know each other,
//! the domain is pure, files open with a header and stay short. Leaves what clippy can see to
//! `[lints]`.
//!
//! Invariant: every rule is shown to catch its breach, by the made-up lines of `breaches`.

#[path = "floors/breaches.rs"]
mod breaches;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// From the lowest up.
const FLOORS: [&str; 4] = ["domain", "adapters", "jobs", "cli"];

/// What the domain may not name: clocks, files, threads, floats, and all that is outside.
const IMPURE: [&str; 27] = [
    "anyhow",
    "arrow",
    "async",
    "async_nats",
    "await",
    "clap",
    "datafusion",
    "deltalake",
    "f32",
    "f64",
    "futures",
    "object_store",
    "parquet",
    "serde",
    "serde_json",
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "std::time",
    "tokio",
    "toml",
    "toml_edit",
    "tracing",
    "uuid",
];

const LINES_MAX: usize = 400;
const COLUMNS_MAX: usize = 100;

/// A source file: its path from the package's folder, and its text.
struct Source {
    path: String,
    text: String,
}

/// A line of code and the module that it stands in.
struct CodeLine<'a> {
    number: usize,
    module: Vec<&'a str>,
    text: &'a str,
}

#[test]
fn modules_import_only_downward() {
    let sources = sources("src");
    let faults: Vec<String> = sources.iter().flat_map(import_faults).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn the_domain_is_pure() {
    let sources = sources("src");
    let faults: Vec<String> = sources.iter().flat_map(purity_faults).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn domain_modules_import_one_way() {
    let ring = ring(&sources("src"));
    assert_eq!(ring, None, "these import each other in a ring");
}

#[test]
fn files_have_a_header_and_stay_short() {
    let both = sources("src").into_iter().chain(sources("tests"));
    let faults: Vec<String> = both.flat_map(|source| shape_faults(&source)).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

fn sources(folder: &str) -> Vec<Source> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![package.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                let path = path.strip_prefix(package).expect("within the package");
                found.push(Source {
                    path: path.display().to_string(),
                    text,
                });
            }
        }
    }
    assert!(!found.is_empty(), "no sources in {folder}");
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

/// The modules that a file's path names: none for `src/main.rs` and `src/lib.rs`.
fn module_of(path: &str) -> Vec<&str> {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs");
    let mut module: Vec<&str> = path.split('/').collect();
    if matches!(module.last(), Some(&("mod" | "lib" | "main"))) {
        module.pop();
    }
    module
}

/// All lines but comments. A module within a file begins with `mod name {` and ends with `}`,
/// both at the line's start, as rustfmt has them.
fn code_lines(source: &Source) -> Vec<CodeLine<'_>> {
    let of_file = module_of(&source.path);
    let mut inner = None;
    let mut lines = Vec::new();
    for (text, number) in source.text.lines().zip(1..) {
        if text.trim_start().starts_with("//") {
            continue;
        }
        match text
            .strip_suffix(" {")
            .and_then(|head| head.strip_prefix("mod "))
        {
            Some(name) => inner = Some(name),
            None if text == "}" => inner = None,
            None => {}
        }
        let module = of_file.iter().copied().chain(inner).collect();
        lines.push(CodeLine {
            number,
            module,
            text,
        });
    }
    lines
}

/// The paths in a line that begin in this crate, from its root. The last name is `{` or `*` where
/// a group or a glob hides what is meant, and `as` where the root gets another name.
fn paths<'a>(line: &CodeLine<'a>) -> Vec<Vec<&'a str>> {
    let mut found = Vec::new();
    let mut rest = line.text;
    while let Some((at, first)) = next_anchor(rest) {
        let is_whole_word = !rest[..at].ends_with(is_name) && !rest[..at].ends_with("::");
        let tail = &rest[at + first.len()..];
        rest = tail;
        if !is_whole_word {
            continue;
        }
        let mut names = match first {
            "crate" if tail.starts_with("::") => Vec::new(),
            "crate" if tail.starts_with(" as ") => vec!["as"],
            "super" => line.module[..line.module.len().saturating_sub(1)].to_vec(),
            _ => continue,
        };
        let mut tail = tail;
        while let Some(after) = tail.strip_prefix("::") {
            let end = after.find(|c| !is_name(c)).unwrap_or(after.len());
            match &after[..end.max(1).min(after.len())] {
                "super" => {
                    names.pop();
                }
                name => names.push(name),
            }
            tail = &after[end..];
        }
        found.push(names);
    }
    found
}

fn next_anchor(text: &str) -> Option<(usize, &'static str)> {
    let places = ["crate", "super"].map(|word| text.find(word).map(|at| (at, word)));
    places.into_iter().flatten().min()
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn import_faults(source: &Source) -> Vec<String> {
    let mut faults = Vec::new();
    for line in code_lines(source) {
        let at = |fault: &str| format!("{}:{}: {fault}: {}", source.path, line.number, line.text);
        if names_word(line.text, "anyhow") && !matches!(line.module.first(), None | Some(&"cli")) {
            faults.push(at("anyhow is for the command line"));
        }
        let Some(own) = line.module.first().and_then(|floor| height(floor)) else {
            continue;
        };
        for path in paths(&line) {
            let fault = match path[..] {
                ["{" | "*" | "as", ..] => Some("hides what it imports"),
                ["adapters", "{" | "*", ..] if own == 1 => Some("hides what it imports"),
                [floor, ..] if height(floor).is_none() => Some("is on no floor"),
                [floor, ..] if height(floor) > Some(own) => Some("climbs"),
                ["adapters", other, ..] if own == 1 && other != line.module[1] => {
                    Some("goes sideways")
                }
                _ => None,
            };
            faults.extend(fault.map(at));
        }
    }
    faults
}

fn height(floor: &str) -> Option<usize> {
    FLOORS.iter().position(|known| *known == floor)
}

fn purity_faults(source: &Source) -> Vec<String> {
    let mut faults = Vec::new();
    for line in code_lines(source)
        .iter()
        .filter(|line| line.module.first() == Some(&"domain"))
    {
        let impure = IMPURE.iter().any(|word| names_word(line.text, word));
        let clock = names_word(line.text, "::now");
        let hidden = line.text.contains("std::{");
        if impure || clock || hidden {
            faults.push(format!(
                "{}:{}: impure: {}",
                source.path, line.number, line.text
            ));
        }
    }
    faults
}

/// Whether `word` stands in `text` and is not a part of a longer name.
fn names_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let starts = word.starts_with(':') || !text[..at].ends_with(is_name);
        starts && !text[at + word.len()..].starts_with(is_name)
    })
}

/// Modules of the domain that import each other, if any do.
fn ring(sources: &[Source]) -> Option<BTreeSet<String>> {
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in sources.iter().flat_map(code_lines) {
        let ["domain", own, ..] = line.module[..] else {
            continue;
        };
        let own_imports = imports.entry(own.to_owned()).or_default();
        for path in paths(&line) {
            if let ["domain", other, ..] = path[..]
                && other != own
            {
                own_imports.insert(other.to_owned());
            }
        }
    }
    // Takes away what imports nothing that is left; what stays is a ring, or imports one.
    loop {
        let left: BTreeSet<String> = imports.keys().cloned().collect();
        imports.retain(|_, others| !others.is_disjoint(&left));
        if imports.len() == left.len() {
            return Some(left).filter(|left| !left.is_empty());
        }
    }
}

fn shape_faults(source: &Source) -> Vec<String> {
    let path = &source.path;
    let mut faults = Vec::new();
    if !source.text.starts_with("//! ") {
        faults.push(format!("{path}: opens without a `//!` header"));
    }
    let lines = source.text.lines().count();
    if lines > LINES_MAX {
        faults.push(format!(
            "{path}: {lines} lines, {LINES_MAX} at most: split it by noun"
        ));
    }
    // The rows of a test's table and raw strings cannot be broken.
    let is_test = path.contains("tests/") || path.ends_with("/tests.rs");
    for (line, number) in source.text.lines().zip(1..) {
        let is_table = is_test && !line.trim_start().starts_with("//");
        if line.chars().count() > COLUMNS_MAX && !is_table && !line.contains("r#\"") {
            faults.push(format!("{path}:{number}: over {COLUMNS_MAX} columns"));
        }
    }
    faults
}
