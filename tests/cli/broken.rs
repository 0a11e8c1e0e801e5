//! A file of every kind of broken line, replayed to its end.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::broken_lines::{Fate, Lines, broken_lines};
use crate::memory::{PEAK_KIB_MAX, watch};
use crate::purser::Place;

/// What is kept of a rejected line.
const KEPT_BYTES: usize = 64 << 10;

#[test]
fn every_broken_line_is_one_row_that_tells_why_and_keeps_it() {
    let place = Place::new();
    let Lines { lines } = broken_lines();
    let bytes: Vec<&[u8]> = lines.iter().map(|(_, line, _)| &line[..]).collect();
    place.write("events.ndjson", bytes.join(&b'\n'));
    let command = place.command(&["replay", "--prices", "prices", "events.ndjson"]);
    let (ran, peak_kib) = watch(command);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    let count = format!("file:events.ndjson: {} lines became ", lines.len());
    assert!(ran.out.starts_with(&count), "{}", ran.out);
    assert!(peak_kib < PEAK_KIB_MAX, "{peak_kib} KiB at most");

    place.check_whole("events.ndjson", lines.len());
    let rows = place.rows(
        "SELECT seq, idx, kind, reason, data, customer, event_id FROM ledger \
         WHERE kind NOT IN ('prices', 'wallet', 'grant', 'alert') ORDER BY entry",
    );
    let mut rows = rows.iter().peekable();
    let mut faults = Vec::new();
    for ((name, line, fate), number) in lines.iter().zip(1..) {
        let mut own = Vec::new();
        while let Some(row) = rows.next_if(|row| row["seq"] == number) {
            own.push(row);
        }
        match own[..] {
            [row] => faults.extend(fault(name, line, fate, row)),
            _ => faults.push(format!("{name}: {} rows", own.len())),
        }
    }
    assert!(rows.next().is_none(), "rows beyond the last line");
    assert!(faults.is_empty(), "{faults:#?}");
}

/// How the row differs from what should have become of the line.
fn fault(name: &str, line: &[u8], fate: &Fate, row: &Map<String, Value>) -> Option<String> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (kind, reason, data) = match fate {
        Fate::Charged => ("usage", None, Some(data_of(line))),
        Fate::Kind(kind) => (*kind, None, None),
        Fate::Rejected(reason) => ("rejected", Some(*reason), Some(kept(line))),
    };
    let found = (row["kind"].as_str(), row["reason"].as_str());
    if found != (Some(kind), reason) {
        return Some(format!("{name}: {found:?}, not {kind} {reason:?}"));
    }
    let found = row["data"].as_str();
    if found != data.as_deref() {
        let short = |text: Option<&str>| text.map(|text| text.chars().take(90).collect::<String>());
        let (found, data) = (short(found), short(data.as_deref()));
        return Some(format!("{name}: data {found:?}, not {data:?}"));
    }
    None
}

/// The `data` of a good event, its last member.
fn data_of(line: &[u8]) -> String {
    let line = std::str::from_utf8(line).expect("text");
    let (_, data) = line.split_once("\"data\":").expect("a member");
    data[..data.rfind('}').expect("the event's end")].to_owned()
}

/// A rejected line as the ledger keeps it.
fn kept(line: &[u8]) -> String {
    let cut = line.len().min(KEPT_BYTES);
    let kept = match std::str::from_utf8(line) {
        Ok(text) => text[..text.floor_char_boundary(cut)].to_owned(),
        Err(_) => format!("base64:{}", STANDARD.encode(&line[..cut])),
    };
    match line.len() {
        length if length > KEPT_BYTES => format!("{kept}…[{length} bytes]"),
        _ => kept,
    }
}
