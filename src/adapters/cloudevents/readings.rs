//! Many events read at once.
//!
//! Owns keeping what was read of each line, so that one thread can read for another. Leaves reading
//! a line to `decode`.
//!
//! Invariant: a line's reading is the one that it has alone.

use std::ops::Range;

use super::decode::{Decoder, Read};
use super::message::line_ranges;
use crate::domain::entry::RawBody;
use crate::domain::event::Reading;
use crate::domain::identity::{FilterKey, Identity};

/// Lines and their readings.
#[derive(Default)]
pub struct Readings {
    /// What is not UTF-8 is replaced in it.
    text: String,
    /// The lines as they came, if they are not UTF-8.
    broken: Option<Vec<u8>>,
    decoder: Decoder,
    lines: Vec<Line>,
}

struct Line {
    /// As it came.
    bytes: Range<usize>,
    read: Read,
    identity: Option<Identity>,
}

impl Readings {
    /// Reads all lines but the first `skipped` ones; each ends at `\n`, but perhaps the last.
    /// Reckons identities by `key`, and calls `each` with every reading. Lines that were here
    /// before are gone, and the memory that they took is given back.
    pub fn read(
        &mut self,
        bytes: Vec<u8>,
        skipped: usize,
        key: &FilterKey,
        mut each: impl FnMut(&Reading<'_>),
    ) -> Vec<u8> {
        let (text, broken) = match String::from_utf8(bytes) {
            Ok(text) => (text, None),
            Err(error) => {
                let bytes = error.into_bytes();
                let text = String::from_utf8_lossy(&bytes).into_owned();
                (text, Some(bytes))
            }
        };
        let decoder = &mut self.decoder;
        decoder.clear();
        // Replacing takes no end of a line away, and makes none.
        let bytes = broken.as_deref().unwrap_or(text.as_bytes());
        let both = line_ranges(text.as_bytes()).zip(line_ranges(bytes));
        let lines = both.skip(skipped).map(|(place, as_it_came)| {
            let is_text = broken.is_none() || str::from_utf8(&bytes[as_it_came.clone()]).is_ok();
            let read = match is_text {
                true => decoder.scan(&text, place),
                false => Read::Malformed,
            };
            let reading = decoder.view(&text, &read);
            each(&reading);
            Line {
                bytes: as_it_came,
                read,
                identity: identity(&reading, key),
            }
        });
        self.lines.clear();
        self.lines.extend(lines);
        self.broken = broken;
        std::mem::replace(&mut self.text, text).into_bytes()
    }

    /// Each line's reading, and its bytes.
    pub fn iter(&self) -> impl Iterator<Item = (Reading<'_>, RawBody<'_>)> {
        let bytes = self.broken.as_deref().unwrap_or(self.text.as_bytes());
        self.lines.iter().map(|line| {
            let mut reading = self.decoder.view(&self.text, &line.read);
            if let Reading::Event(event) = &mut reading {
                event.identity = line.identity;
            }
            let raw = RawBody::of(&reading, &bytes[line.bytes.clone()]);
            (reading, raw)
        })
    }
}

fn identity(reading: &Reading<'_>, key: &FilterKey) -> Option<Identity> {
    let Reading::Event(event) = reading else {
        return None;
    };
    let payload = (event.event_type, event.data);
    let by = |customer| Identity::of(key, (customer, event.source, event.id), payload);
    event.subject.map(by)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_as_it_does_alone() {
        let event = |id: &str, data: &str| {
            let event = r#"{"specversion":"1.0","source":"/s","type":"t","subject":"acme","id":"#;
            format!("{event}\"{id}\",\"data\":{data}}}")
        };
        let mut lines: Vec<Vec<u8>> = [
            event("1", r#"{"n":1,"text":"a"}"#),
            event("\\u00e9\\n", r#"{"\u0061":"\"","b":[{}]}"#),
            String::new(),
            " \t".to_owned(),
            "{".to_owned(),
            event("2", "[]"),
            event("é", r#"{"n":1,"n":2}"#),
            event("3", r#"{"n":1}"#) + "\r",
            event("4", "{}"),
        ]
        .into_iter()
        .map(String::into_bytes)
        .collect();
        let text_only = lines.clone();
        let mut broken = event("5", r#"{"n":"?"}"#).into_bytes();
        if let Some(byte) = broken.iter_mut().find(|byte| **byte == b'?') {
            *byte = 0xff;
        }
        lines.insert(3, broken);
        lines.insert(0, b"\xc3".to_vec());
        let mut readings = Readings::default();
        for lines in [text_only, lines] {
            for skipped in [0, 1, 4, lines.len()] {
                readings.read(lines.join(&b'\n'), skipped, &[1, 2, 3, 4], |_| {});
                let mut alone = Decoder::default();
                let mut read = 0;
                for ((reading, raw), line) in readings.iter().zip(&lines[skipped..]) {
                    let line = line.strip_suffix(b"\r").unwrap_or(line);
                    assert_eq!(raw.bytes, line);
                    let expected = shown(&alone.read(line));
                    assert_eq!(shown(&reading), expected, "{line:?}");
                    read += 1;
                }
                assert_eq!(read, lines.len() - skipped);
            }
        }
    }

    fn shown(reading: &Reading<'_>) -> String {
        match reading {
            Reading::Event(event) => {
                let members: Vec<_> = event.members.iter().collect();
                let (id, data) = (event.id, event.data);
                format!("{id} {:?} {data} {members:?}", event.subject)
            }
            Reading::Empty | Reading::Malformed => format!("{reading:?}"),
        }
    }
}
