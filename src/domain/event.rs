//! What a producer sent, read but not yet judged.
//!
//! Owns the shape of a usage event or wallet command once its bytes were understood. Leaves the
//! reading to `adapters::cloudevents` and every verdict to `engine`.
//!
//! Invariant: borrows from the message and from one reused buffer; nothing is copied an event.

use super::identity::Identity;
use super::units::Timestamp;

/// What the bytes of one event turned out to be.
#[derive(Clone, Copy, Debug)]
pub enum Reading<'a> {
    Event(Event<'a>),
    /// Nothing but spaces, tabs and carriage returns, or a message that is an array of nothing.
    Empty,
    Malformed,
}

/// One CloudEvent. `id`, `source` and `event_type` are 1–256 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    pub id: &'a str,
    pub source: &'a str,
    pub event_type: &'a str,
    /// `None` when the member was not a string; its rules are `customer`'s.
    pub subject: Option<&'a str>,
    /// `None` when the producer gave none: it is then the shard's now.
    pub time: Option<Timestamp>,
    /// The raw text of `data`, `{}` when absent.
    pub data: &'a str,
    pub members: Members<'a>,
    /// The place that it will occupy, if whoever read it has reckoned it already.
    pub identity: Option<Identity>,
}

/// A top-level member of `data`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    Text(&'a str),
    Bool(bool),
    /// The number's own text, valid JSON.
    Number(&'a str),
    Null,
    /// An array or an object.
    Nested,
}

/// The top-level members of `data` in the order written; of a name given twice the last holds.
#[derive(Clone, Copy, Debug)]
pub struct Members<'a> {
    text: &'a str,
    unescaped: &'a str,
    spans: &'a [MemberSpan],
}

/// Where a member's name and value lie.
#[derive(Clone, Copy, Debug)]
pub struct MemberSpan {
    pub name: TextSpan,
    pub value: ValueSpan,
}

#[derive(Clone, Copy, Debug)]
pub enum ValueSpan {
    Text(TextSpan),
    Bool(bool),
    Number(TextSpan),
    Null,
    Nested,
}

/// A piece of the event's text or, where it had escapes, of the buffer they were resolved into.
#[derive(Clone, Copy, Debug)]
pub struct TextSpan {
    start: u32,
    /// With [`UNESCAPED`].
    end: u32,
}

/// Set in the end of a piece of the buffer: texts are far shorter than 2 GiB.
const UNESCAPED: u32 = 1 << 31;

impl TextSpan {
    /// `[start, end)` of the text, or of the buffer if it is `unescaped`.
    #[inline]
    pub fn new(start: usize, end: usize, unescaped: bool) -> Self {
        let flag = if unescaped { UNESCAPED } else { 0 };
        Self {
            start: start as u32,
            end: end as u32 | flag,
        }
    }

    /// In bytes.
    #[inline]
    pub fn length(self) -> usize {
        ((self.end & !UNESCAPED) - self.start) as usize
    }

    /// The piece.
    #[inline]
    pub fn of<'a>(self, text: &'a str, unescaped: &'a str) -> &'a str {
        let (start, end) = (self.start as usize, (self.end & !UNESCAPED) as usize);
        let text = if self.end == end as u32 {
            text
        } else {
            unescaped
        };
        &text[start..end]
    }
}

impl<'a> Members<'a> {
    /// No members: the `data` of `{}`.
    pub const NONE: Members<'static> = Members {
        text: "",
        unescaped: "",
        spans: &[],
    };

    /// `spans` lie in `text`, those marked so in `unescaped`.
    pub fn new(text: &'a str, unescaped: &'a str, spans: &'a [MemberSpan]) -> Self {
        Self {
            text,
            unescaped,
            spans,
        }
    }

    /// Name and value of each member in the order written.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        let Self {
            text,
            unescaped,
            spans,
        } = *self;
        let slice = move |span: TextSpan| span.of(text, unescaped);
        spans.iter().map(move |span| {
            let value = match span.value {
                ValueSpan::Text(text) => Value::Text(slice(text)),
                ValueSpan::Bool(value) => Value::Bool(value),
                ValueSpan::Number(text) => Value::Number(slice(text)),
                ValueSpan::Null => Value::Null,
                ValueSpan::Nested => Value::Nested,
            };
            (slice(span.name), value)
        })
    }

    /// The member called `name`; the last of that name.
    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        self.iter()
            .filter(|(given, _)| *given == name)
            .last()
            .map(|(_, value)| value)
    }
}
