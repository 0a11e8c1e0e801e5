//! Reading one event.
//!
//! Owns the rules of a well-formed event: which members must stand there, and as what. Leaves
//! the grammar to `scan` and the times to `domain::rfc3339`.
//!
//! Invariant: an event borrows from its bytes and from the decoder's buffers; once these have
//! grown, reading allocates nothing.

use super::escape::unescape;
use super::message::EVENT_BYTES_MAX;
use super::scan::{NotJson, Scanner, StringSpan};
use crate::domain::event::{Event, MemberSpan, Members, Reading, TextSpan, ValueSpan};
use crate::domain::rfc3339;

/// Deepest nesting of an event, its own braces included.
const NESTING_MAX: usize = 100;
/// Longest `id`, `source` and `type`, in bytes.
const ATTRIBUTE_BYTES_MAX: usize = 256;

/// The buffers that reading needs.
#[derive(Default)]
pub struct Decoder {
    unescaped: String,
    spans: Vec<MemberSpan>,
    nesting: Vec<u8>,
}

/// The members of an event that Purser reads.
#[derive(Default)]
struct Attributes {
    specversion: Attribute,
    id: Attribute,
    source: Attribute,
    event_type: Attribute,
    subject: Attribute,
    time: Attribute,
    data: Data,
}

#[derive(Clone, Copy, Default)]
enum Attribute {
    #[default]
    Absent,
    NotText,
    Text(TextSpan),
}

#[derive(Clone, Copy, Default)]
enum Data {
    #[default]
    Absent,
    NotObject,
    Object {
        start: usize,
        end: usize,
    },
}

impl Decoder {
    /// Reads one event: the bytes of a line, an array's element or a whole message.
    pub fn read<'a>(&'a mut self, bytes: &'a [u8]) -> Reading<'a> {
        if bytes
            .iter()
            .all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
        {
            return Reading::Empty;
        }
        if bytes.len() > EVENT_BYTES_MAX {
            return Reading::Malformed;
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Reading::Malformed;
        };
        self.unescaped.clear();
        self.spans.clear();
        let Ok(attributes) = self.attributes(text) else {
            return Reading::Malformed;
        };
        let event = self.event(text, &attributes);
        event.map_or(Reading::Malformed, Reading::Event)
    }

    /// The members of a JSON object, such as the ledger's `data`; `None` when it is none.
    pub fn members<'a>(&'a mut self, object: &'a str) -> Option<Members<'a>> {
        self.unescaped.clear();
        self.spans.clear();
        let mut scanner = Scanner::new(object.as_bytes(), &mut self.nesting);
        let is_object = scanner.peek() == Some(b'{')
            && object_members(&mut scanner, object, &mut self.unescaped, &mut self.spans).is_ok();
        is_object.then(|| Members::new(object, &self.unescaped, &self.spans))
    }

    fn attributes(&mut self, text: &str) -> Result<Attributes, NotJson> {
        let mut scanner = Scanner::new(text.as_bytes(), &mut self.nesting);
        let mut attributes = Attributes::default();
        if !scanner.take(b'{') {
            return Err(NotJson);
        }
        let mut more = !scanner.take(b'}');
        while more {
            let name = scanner.name()?;
            let name = resolve(name, text, &mut self.unescaped);
            let attribute = match slice(name, text, &self.unescaped) {
                "specversion" => Some(&mut attributes.specversion),
                "id" => Some(&mut attributes.id),
                "source" => Some(&mut attributes.source),
                "type" => Some(&mut attributes.event_type),
                "subject" => Some(&mut attributes.subject),
                "time" => Some(&mut attributes.time),
                "data" => {
                    self.spans.clear();
                    attributes.data =
                        data(&mut scanner, text, &mut self.unescaped, &mut self.spans)?;
                    None
                }
                _ => {
                    scanner.skip_value(NESTING_MAX - 1)?;
                    None
                }
            };
            if let Some(attribute) = attribute {
                *attribute = if scanner.peek() == Some(b'"') {
                    Attribute::Text(resolve(scanner.string()?, text, &mut self.unescaped))
                } else {
                    scanner.skip_value(NESTING_MAX - 1)?;
                    Attribute::NotText
                };
            }
            more = another(&mut scanner)?;
        }
        if scanner.is_at_end() && !scanner.lone_surrogate {
            Ok(attributes)
        } else {
            Err(NotJson)
        }
    }

    fn event<'a>(&'a self, text: &'a str, attributes: &Attributes) -> Option<Event<'a>> {
        let content = |attribute| match attribute {
            Attribute::Text(span) => Some(slice(span, text, &self.unescaped)),
            Attribute::NotText | Attribute::Absent => None,
        };
        let bounded = |attribute| {
            content(attribute).filter(|text| (1..=ATTRIBUTE_BYTES_MAX).contains(&text.len()))
        };
        content(attributes.specversion).filter(|version| *version == "1.0")?;
        let time = match attributes.time {
            Attribute::Absent => None,
            given => Some(rfc3339::parse(content(given)?.as_bytes())?),
        };
        if matches!(attributes.subject, Attribute::Absent) {
            return None;
        }
        let (data, members) = match attributes.data {
            Data::Absent => ("{}", Members::NONE),
            Data::NotObject => return None,
            Data::Object { start, end } => (
                &text[start..end],
                Members::new(text, &self.unescaped, &self.spans),
            ),
        };
        Some(Event {
            id: bounded(attributes.id)?,
            source: bounded(attributes.source)?,
            event_type: bounded(attributes.event_type)?,
            subject: content(attributes.subject),
            time,
            data,
            members,
        })
    }
}

fn data(
    scanner: &mut Scanner<'_>,
    text: &str,
    unescaped: &mut String,
    spans: &mut Vec<MemberSpan>,
) -> Result<Data, NotJson> {
    if scanner.peek() != Some(b'{') {
        scanner.skip_value(NESTING_MAX - 1)?;
        return Ok(Data::NotObject);
    }
    let start = scanner.at();
    object_members(scanner, text, unescaped, spans)?;
    Ok(Data::Object {
        start,
        end: scanner.at(),
    })
}

fn object_members(
    scanner: &mut Scanner<'_>,
    text: &str,
    unescaped: &mut String,
    spans: &mut Vec<MemberSpan>,
) -> Result<(), NotJson> {
    scanner.take(b'{');
    let mut more = !scanner.take(b'}');
    while more {
        let name = resolve(scanner.name()?, text, unescaped);
        let value = match scanner.peek().ok_or(NotJson)? {
            b'"' => ValueSpan::Text(resolve(scanner.string()?, text, unescaped)),
            b'-' | b'0'..=b'9' => {
                let (start, end) = scanner.number()?;
                ValueSpan::Number(span(start, end, false))
            }
            b'{' | b'[' => {
                scanner.skip_value(NESTING_MAX - 2)?;
                ValueSpan::Nested
            }
            _ => scanner.literal()?.map_or(ValueSpan::Null, ValueSpan::Bool),
        };
        spans.push(MemberSpan { name, value });
        more = another(scanner)?;
    }
    Ok(())
}

/// After a member: whether another one follows, or the object ended.
fn another(scanner: &mut Scanner<'_>) -> Result<bool, NotJson> {
    match scanner.next() {
        Some(b',') => Ok(true),
        Some(b'}') => Ok(false),
        _ => Err(NotJson),
    }
}

/// Where the string's text lies once its escapes, if it has any, are resolved.
fn resolve(string: StringSpan, text: &str, unescaped: &mut String) -> TextSpan {
    if !string.escaped {
        return span(string.start, string.end, false);
    }
    let start = unescaped.len();
    unescape(&text[string.start..string.end], unescaped);
    span(start, unescaped.len(), true)
}

/// An event is at most 8 MiB, so that its places fit.
fn span(start: usize, end: usize, unescaped: bool) -> TextSpan {
    TextSpan {
        start: start as u32,
        end: end as u32,
        unescaped,
    }
}

fn slice<'a>(span: TextSpan, text: &'a str, unescaped: &'a str) -> &'a str {
    let text = if span.unescaped { unescaped } else { text };
    &text[span.start as usize..span.end as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::Value;

    fn verdict(text: &[u8]) -> &'static str {
        match Decoder::default().read(text) {
            Reading::Event(_) => "event",
            Reading::Empty => "empty",
            Reading::Malformed => "malformed",
        }
    }

    /// A good event with one member replaced (or dropped, when `json` is empty).
    fn with(member: &str, json: &str) -> String {
        let mut members = vec![
            ("specversion", "\"1.0\""),
            ("id", "\"1\""),
            ("source", "\"/s\""),
            ("type", "\"t\""),
            ("subject", "\"acme\""),
            ("time", "\"2026-11-22T10:33:00Z\""),
            ("data", "{}"),
        ];
        members.retain(|(name, _)| *name != member);
        if !json.is_empty() {
            members.push((member, json));
        }
        let members: Vec<_> = members
            .iter()
            .map(|(name, json)| format!("\"{name}\":{json}"))
            .collect();
        format!("{{{}}}", members.join(","))
    }

    #[test]
    fn tells_good_events_from_malformed_ones() {
        let long = |length| format!("\"{}\"", "x".repeat(length));
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        for (member, json, expected) in [
            ("id", "", "malformed"),
            ("id", "7", "malformed"),
            ("id", "\"\"", "malformed"),
            ("id", &long(256), "event"),
            ("id", &long(257), "malformed"),
            ("source", "", "malformed"),
            ("source", &long(257), "malformed"),
            ("type", "null", "malformed"),
            ("subject", "", "malformed"),
            ("subject", "7", "event"),
            ("subject", "\"\"", "event"),
            ("specversion", "", "malformed"),
            ("specversion", "\"0.3\"", "malformed"),
            ("specversion", "1.0", "malformed"),
            ("time", "", "event"),
            ("time", "null", "malformed"),
            ("time", "\"2026-11-22T10:33:00\"", "malformed"),
            ("time", "\"2026-11-22t10:33:00z\"", "event"),
            ("time", "\"2026-11-22T10:33:60Z\"", "malformed"),
            ("time", r#""2026-11-22T10:33:00\u005a""#, "event"),
            ("data", "", "event"),
            ("data", "null", "malformed"),
            ("data", "[]", "malformed"),
            ("data", "{\"a\":1e400}", "event"),
            ("data", "{\"a\":NaN}", "malformed"),
            ("data", "{\"a\":\"\\ud800\"}", "malformed"),
            ("data", "{\"a\":\"\u{0}\"}", "malformed"),
            ("data", &nested(98), "event"),
            ("data", &nested(99), "malformed"),
            ("extension", "{\"any\":[1]}", "event"),
            ("extension", "\"\\udc00\"", "malformed"),
        ] {
            let text = with(member, json);
            assert_eq!(verdict(text.as_bytes()), expected, "{member} {json}");
        }
    }

    #[test]
    fn blank_is_empty_and_the_rest_malformed() {
        for (bytes, expected) in [
            (&b""[..], "empty"),
            (b" \t\r", "empty"),
            (b"[]", "malformed"),
            (b"\n", "malformed"),
            (b"{", "malformed"),
            (b"\xff\xfe", "malformed"),
            (b"{}\0", "malformed"),
        ] {
            assert_eq!(verdict(bytes), expected, "{bytes:?}");
        }
        assert_eq!(verdict((with("id", "\"1\"") + "x").as_bytes()), "malformed");
        let large = with(
            "data",
            &format!("{{\"a\":\"{}\"}}", "x".repeat(EVENT_BYTES_MAX)),
        );
        assert_eq!(verdict(large.as_bytes()), "malformed");
    }

    #[test]
    fn the_last_of_a_name_given_twice_holds() {
        let text = r#"{"id":7,"i\u0064":"é\n1","specversion":"1.0","source":"s","type":"t",
            "data":[],"subject":"a","data":{"n":1,"n":"\u0032","b":true,"o":{"n":3}}}"#;
        let mut decoder = Decoder::default();
        let Reading::Event(event) = decoder.read(text.as_bytes()) else {
            panic!("an event")
        };
        assert_eq!(event.id, "é\n1");
        assert_eq!(event.data, r#"{"n":1,"n":"\u0032","b":true,"o":{"n":3}}"#);
        assert_eq!(event.members.get("n"), Some(Value::Text("2")));
        assert_eq!(event.members.get("b"), Some(Value::Bool(true)));
        assert_eq!(event.members.get("o"), Some(Value::Nested));
        assert_eq!(event.members.get("absent"), None);
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let good = with(
            "data",
            r#"{"a":"\u00e9\ud83d\ude00","n":-1.5e+3,"x":[{"y":null}]}"#,
        );
        let mut decoder = Decoder::default();
        for at in 0..good.len() {
            for byte in [0, b'"', b'\\', b'{', b'}', b'[', b',', b'u', 0x80, 0xff] {
                let mut bytes = good.clone().into_bytes();
                bytes[at] = byte;
                decoder.read(&bytes);
                decoder.read(&bytes[..at]);
            }
        }
    }
}
