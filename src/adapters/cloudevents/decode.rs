//! Reading one event.
//!
//! Owns the rules of a well-formed event: which members must stand there, and as what. Leaves
//! the grammar to `scan` and the times to `domain::rfc3339`.
//!
//! Invariant: an event borrows from its bytes and from the decoder's buffers; once these have
//! grown, reading allocates nothing.

use std::ops::Range;

use super::escape::unescape;
use super::message::EVENT_BYTES_MAX;
use super::scan::{NotJson, Scanner, StringSpan};
use crate::domain::command::REVERSED;
use crate::domain::event::{Event, MemberSpan, Members, Reading, TextSpan, ValueSpan};
use crate::domain::identity::{FilterKey, Identity};
use crate::domain::rfc3339;
use crate::domain::units::Timestamp;

/// Deepest nesting of an event, its own braces included.
const NESTING_MAX: usize = 100;
/// Longest `id`, `source` and `type`, in bytes.
const ATTRIBUTE_BYTES_MAX: usize = 256;

/// Reads events; its buffers hold what the last ones need.
#[derive(Default)]
pub struct Decoder {
    unescaped: String,
    spans: Vec<MemberSpan>,
    nesting: Vec<u8>,
}

/// What one event's bytes turned out to be; [`Decoder::view`] makes it a reading.
#[derive(Clone, Copy)]
pub(super) enum Read {
    Event(Pieces),
    Empty,
    Malformed,
}

/// Where the pieces of an event lie.
#[derive(Clone, Copy)]
pub(super) struct Pieces {
    id: TextSpan,
    source: TextSpan,
    event_type: TextSpan,
    subject: Option<TextSpan>,
    time: Option<Timestamp>,
    data: Option<TextSpan>,
    /// The members of `data` begin and end at these of the decoder's spans.
    members: (u32, u32),
}

/// The members of an event that Purser reads.
#[derive(Clone, Copy)]
enum Name {
    Specversion,
    Id,
    Source,
    Type,
    Subject,
    Time,
    Data,
    Other,
}

/// Those of them that are texts, by their [`Name`].
type Attributes = [Attribute; Name::Data as usize];

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
    Object(TextSpan),
}

impl Decoder {
    /// Reads one event: the bytes of a line, an array's element or a whole message.
    pub fn read<'a>(&'a mut self, bytes: &'a [u8]) -> Reading<'a> {
        self.clear();
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Reading::Malformed;
        };
        let read = self.scan(text, 0..text.len());
        self.view(text, &read, None)
    }

    /// The members of a JSON object, such as the ledger's `data`; `None` when it is none.
    pub fn members<'a>(&'a mut self, object: &'a str) -> Option<Members<'a>> {
        self.clear();
        let mut scanner = Scanner::new(object.as_bytes(), 0, &mut self.nesting);
        let is_object = scanner.peek() == Some(b'{')
            && object_members(&mut scanner, object, &mut self.unescaped, &mut self.spans).is_ok();
        is_object.then(|| Members::new(object, &self.unescaped, &self.spans))
    }

    /// Forgets what was read before.
    pub(super) fn clear(&mut self) {
        self.unescaped.clear();
        self.spans.clear();
    }

    /// Reads the event at `place` of a text. What it needs of the buffers comes after what is in
    /// them.
    pub(super) fn scan(&mut self, text: &str, place: Range<usize>) -> Read {
        let bytes = &text.as_bytes()[place.clone()];
        if bytes
            .iter()
            .all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
        {
            return Read::Empty;
        }
        if bytes.len() > EVENT_BYTES_MAX {
            return Read::Malformed;
        }
        let first = self.spans.len();
        match self.pieces(text, place) {
            Some(pieces) => Read::Event(pieces),
            None => {
                self.spans.truncate(first);
                Read::Malformed
            }
        }
    }

    /// An event that was read from `text`, as long as the buffers have what it needs.
    #[inline]
    pub(super) fn view<'a>(
        &'a self,
        text: &'a str,
        read: &Read,
        identity: Option<Identity>,
    ) -> Reading<'a> {
        let pieces = match read {
            Read::Event(pieces) => pieces,
            Read::Empty => return Reading::Empty,
            Read::Malformed => return Reading::Malformed,
        };
        let slice = |span: TextSpan| span.of(text, &self.unescaped);
        let (first, end) = pieces.members;
        let spans = &self.spans[first as usize..end as usize];
        Reading::Event(Event {
            id: slice(pieces.id),
            source: slice(pieces.source),
            event_type: slice(pieces.event_type),
            subject: pieces.subject.map(slice),
            time: pieces.time,
            data: self.data(text, pieces),
            members: Members::new(text, &self.unescaped, spans),
            identity,
        })
    }

    /// The place that an event which was read from `text` will occupy; `None` where it names no
    /// customer.
    pub(super) fn identity(
        &self,
        key: &FilterKey,
        text: &str,
        pieces: &Pieces,
    ) -> Option<Identity> {
        let slice = |span: TextSpan| span.of(text, &self.unescaped);
        let sent = (
            slice(pieces.subject?),
            slice(pieces.source),
            slice(pieces.id),
        );
        let payload = (slice(pieces.event_type), self.data(text, pieces));
        Some(Identity::of(key, sent, payload))
    }

    /// Whether an event that was read from `text` takes a charge back.
    pub(super) fn is_reversal(&self, text: &str, pieces: &Pieces) -> bool {
        pieces.event_type.of(text, &self.unescaped) == REVERSED
    }

    fn data<'a>(&'a self, text: &'a str, pieces: &Pieces) -> &'a str {
        pieces
            .data
            .map_or("{}", |data| data.of(text, &self.unescaped))
    }

    /// The subject of an event that was read from `text`.
    pub(super) fn subject<'a>(&'a self, text: &'a str, read: &Read) -> Option<&'a str> {
        match read {
            Read::Event(pieces) => Some(pieces.subject?.of(text, &self.unescaped)),
            Read::Empty | Read::Malformed => None,
        }
    }

    fn pieces(&mut self, text: &str, place: Range<usize>) -> Option<Pieces> {
        let first = self.spans.len();
        let mut data = Data::Absent;
        let attributes = self.attributes(text, place, (first, &mut data)).ok()?;
        let [specversion, id, source, event_type, subject, time] = attributes;
        let content = |attribute| match attribute {
            Attribute::Text(span) => Some(span),
            Attribute::NotText | Attribute::Absent => None,
        };
        let bounded = |attribute| {
            let is_bounded = |span: &TextSpan| (1..=ATTRIBUTE_BYTES_MAX).contains(&span.length());
            content(attribute).filter(is_bounded)
        };
        let slice = |span: TextSpan| span.of(text, &self.unescaped);
        content(specversion).filter(|version| slice(*version) == "1.0")?;
        let time = match time {
            Attribute::Absent => None,
            given => Some(rfc3339::parse(slice(content(given)?).as_bytes())?),
        };
        let subject = match subject {
            Attribute::Absent => return None,
            Attribute::NotText => None,
            Attribute::Text(span) => Some(span),
        };
        let data = match data {
            Data::Absent => None,
            Data::NotObject => return None,
            Data::Object(span) => Some(span),
        };
        Some(Pieces {
            id: bounded(id)?,
            source: bounded(source)?,
            event_type: bounded(event_type)?,
            subject,
            time,
            data,
            members: (first as u32, self.spans.len() as u32),
        })
    }

    /// Reads all members of an event; those of its data go behind the `first` spans.
    fn attributes(
        &mut self,
        text: &str,
        place: Range<usize>,
        (first, data): (usize, &mut Data),
    ) -> Result<Attributes, NotJson> {
        let bytes = &text.as_bytes()[..place.end];
        let mut scanner = Scanner::new(bytes, place.start, &mut self.nesting);
        let mut attributes = Attributes::default();
        if !scanner.take(b'{') {
            return Err(NotJson);
        }
        let mut more = !scanner.take(b'}');
        while more {
            match name(&mut scanner, text, &mut self.unescaped)? {
                Name::Data if scanner.peek() == Some(b'{') => {
                    self.spans.truncate(first);
                    let start = scanner.at();
                    object_members(&mut scanner, text, &mut self.unescaped, &mut self.spans)?;
                    *data = Data::Object(TextSpan::new(start, scanner.at(), false));
                }
                Name::Data => {
                    self.spans.truncate(first);
                    scanner.skip_value(NESTING_MAX - 1)?;
                    *data = Data::NotObject;
                }
                Name::Other => scanner.skip_value(NESTING_MAX - 1)?,
                attribute => {
                    attributes[attribute as usize] = if scanner.peek() == Some(b'"') {
                        Attribute::Text(resolve(scanner.string()?, text, &mut self.unescaped))
                    } else {
                        scanner.skip_value(NESTING_MAX - 1)?;
                        Attribute::NotText
                    };
                }
            }
            more = another(&mut scanner)?;
        }
        if scanner.is_at_end() && !scanner.lone_surrogate {
            Ok(attributes)
        } else {
            Err(NotJson)
        }
    }
}

/// A member's name and its colon.
#[inline]
fn name(scanner: &mut Scanner<'_>, text: &str, unescaped: &mut String) -> Result<Name, NotJson> {
    // As nearly all producers write them.
    let plain = match scanner.second() {
        Some(b'i') if scanner.take_all(b"\"id\":") => Name::Id,
        Some(b's') if scanner.take_all(b"\"source\":") => Name::Source,
        Some(b's') if scanner.take_all(b"\"subject\":") => Name::Subject,
        Some(b's') if scanner.take_all(b"\"specversion\":") => Name::Specversion,
        Some(b't') if scanner.take_all(b"\"type\":") => Name::Type,
        Some(b't') if scanner.take_all(b"\"time\":") => Name::Time,
        Some(b'd') if scanner.take_all(b"\"data\":") => Name::Data,
        _ => Name::Other,
    };
    if !matches!(plain, Name::Other) {
        return Ok(plain);
    }
    let name = resolve(scanner.name()?, text, unescaped);
    Ok(match name.of(text, unescaped) {
        "specversion" => Name::Specversion,
        "id" => Name::Id,
        "source" => Name::Source,
        "type" => Name::Type,
        "subject" => Name::Subject,
        "time" => Name::Time,
        "data" => Name::Data,
        _ => Name::Other,
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
                ValueSpan::Number(TextSpan::new(start, end, false))
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
#[inline]
fn another(scanner: &mut Scanner<'_>) -> Result<bool, NotJson> {
    match scanner.next() {
        Some(b',') => Ok(true),
        Some(b'}') => Ok(false),
        _ => Err(NotJson),
    }
}

/// Where the string's text lies once its escapes, if it has any, are resolved.
#[inline]
fn resolve(string: StringSpan, text: &str, unescaped: &mut String) -> TextSpan {
    match string.escaped {
        false => TextSpan::new(string.start, string.end, false),
        true => resolve_escapes(string, text, unescaped),
    }
}

#[cold]
fn resolve_escapes(string: StringSpan, text: &str, unescaped: &mut String) -> TextSpan {
    let start = unescaped.len();
    unescape(&text[string.start..string.end], unescaped);
    TextSpan::new(start, unescaped.len(), true)
}

#[cfg(test)]
mod tests;
