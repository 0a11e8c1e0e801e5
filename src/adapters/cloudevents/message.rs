//! Cutting a message into events.
//!
//! Owns what one message may hold: an event, a JSON array of events, or one event a line. Leaves
//! each event's own bytes to `decode`.

use std::ops::Range;

use memchr::memchr;

use super::scan::Scanner;

/// Longest event, in bytes; a longer one is malformed.
pub(super) const EVENT_BYTES_MAX: usize = 8 << 20;

/// How a message says its events are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentType {
    Single,
    Batch,
    Lines,
    /// No header, or one that is not ours: `[` opens an array, anything else is lines.
    Unstated,
}

impl ContentType {
    /// Reads the header `content-type`; parameters after `;` and letter case do not matter.
    pub fn from_header(header: Option<&str>) -> Self {
        let header = header
            .and_then(|text| text.split(';').next())
            .unwrap_or_default();
        match header.trim().to_ascii_lowercase().as_str() {
            "application/cloudevents+json" => Self::Single,
            "application/cloudevents-batch+json" => Self::Batch,
            "application/x-ndjson" => Self::Lines,
            _ => Self::Unstated,
        }
    }
}

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Where the bytes of one event lie.
    Event(Range<usize>),
    /// The body of a message that is an array of nothing.
    Nothing,
    /// The body of a message that should be an array and is none.
    Broken,
}

/// Calls `handle` with each event in `body`, in order; at least once, since a message without
/// events is an empty one, and an array that is no JSON is one broken event.
pub fn each_event(body: &[u8], content: ContentType, mut handle: impl FnMut(Piece)) {
    let is_array = match content {
        ContentType::Single | ContentType::Lines => false,
        ContentType::Batch => true,
        ContentType::Unstated => body.first() == Some(&b'['),
    };
    if is_array {
        match elements(body) {
            Some(elements) if elements.is_empty() => handle(Piece::Nothing),
            Some(elements) => elements.into_iter().map(Piece::Event).for_each(handle),
            None if body.trim_ascii().is_empty() => handle(Piece::Event(0..0)),
            None => handle(Piece::Broken),
        }
    } else if content == ContentType::Single || body.is_empty() {
        handle(Piece::Event(0..body.len()));
    } else {
        line_ranges(body).map(Piece::Event).for_each(handle);
    }
}

/// The lines of `body`: each ends at `\n`, and one `\r` before that is dropped; the last may end
/// with the body.
pub fn lines(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    line_ranges(body).map(|line| &body[line])
}

/// Where they lie.
pub(super) fn line_ranges(body: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = &body[start..];
        let (line, length) = match memchr(b'\n', rest) {
            Some(end) => (
                rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]),
                end + 1,
            ),
            None if rest.is_empty() => return None,
            None => (rest, rest.len()),
        };
        let range = start..start + line.len();
        start += length;
        Some(range)
    })
}

/// Where each element lies, or `None` when `body` is not one JSON array.
fn elements(body: &[u8]) -> Option<Vec<Range<usize>>> {
    let text = std::str::from_utf8(body).ok()?;
    let mut nesting = Vec::new();
    let mut scanner = Scanner::new(text.as_bytes(), 0, &mut nesting);
    let mut elements = Vec::new();
    if !scanner.take(b'[') {
        return None;
    }
    let mut more = !scanner.take(b']');
    while more {
        scanner.peek()?;
        let start = scanner.at();
        scanner.skip_value(usize::MAX).ok()?;
        elements.push(start..scanner.at());
        more = scanner.take(b',');
        if !more && !scanner.take(b']') {
            return None;
        }
    }
    scanner.is_at_end().then_some(elements)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(body: &str, header: Option<&str>) -> Vec<String> {
        let mut events = Vec::new();
        each_event(body.as_bytes(), ContentType::from_header(header), |piece| {
            let (kind, text) = match piece {
                Piece::Event(place) => ("", &body[place]),
                Piece::Nothing => ("nothing: ", body),
                Piece::Broken => ("broken: ", body),
            };
            events.push(format!("{kind}{text}"));
        });
        events
    }

    #[test]
    fn cuts_as_the_content_type_says() {
        let single = Some("application/cloudevents+json; charset=utf-8");
        let batch = Some("Application/CloudEvents-Batch+JSON");
        let ndjson = Some("application/x-ndjson");
        for (body, header, expected) in [
            ("{\"a\":\n1}", single, &["{\"a\":\n1}"][..]),
            ("[1, {\"a\":[2]} ,3]", batch, &["1", "{\"a\":[2]}", "3"]),
            ("[1,2]", None, &["1", "2"]),
            (" [1,2]", None, &[" [1,2]"]),
            (" [1,2] \n", batch, &["1", "2"]),
            ("[1,2]", ndjson, &["[1,2]"]),
            ("a\r\nb\n\nc", None, &["a", "b", "", "c"]),
            ("a\n", None, &["a"]),
            ("a\r\r\n", None, &["a\r"]),
            ("a\r\nb\r", None, &["a", "b\r"]),
            ("\n", ndjson, &[""]),
            ("", None, &[""]),
            ("", batch, &[""]),
            ("[]", None, &["nothing: []"]),
            ("[ ]", batch, &["nothing: [ ]"]),
            ("[1,]", batch, &["broken: [1,]"]),
            ("[1", None, &["broken: [1"]),
            ("[1]x", None, &["broken: [1]x"]),
            ("{}", batch, &["broken: {}"]),
            (" \n", batch, &[""]),
        ] {
            assert_eq!(events(body, header), expected, "{body:?} as {header:?}");
        }
    }
}
