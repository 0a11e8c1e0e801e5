//! An event and a message as the design says that they are read, told a second time.

use jiff::civil::DateTime;
use jiff::tz::Offset;
use proptest::test_runner::TestCaseError;
use purser::adapters::cloudevents::{ContentType, Decoder, Piece, each_event};
use purser::domain::event::{self, Reading};

use crate::json::{self, Kind, Value};

/// An event; its text is borrowed by nothing.
#[derive(Debug, PartialEq, Eq)]
struct Event {
    id: String,
    source: String,
    event_type: String,
    subject: Option<String>,
    time_micros: Option<i64>,
    data: String,
    /// Name, kind and text of each member of `data`.
    members: Vec<(String, char, String)>,
}

#[derive(Debug, PartialEq, Eq)]
enum Read {
    Empty,
    Malformed,
    Event(Event),
}

/// Holds that the decoder reads what the plain reader reads.
pub(crate) fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    let expected = plain(bytes);
    let found = match Decoder::default().read(bytes) {
        Reading::Empty => Read::Empty,
        Reading::Malformed => Read::Malformed,
        Reading::Event(event) => Read::Event(owned(&event)),
    };
    if expected == found {
        return Ok(());
    }
    let text = String::from_utf8_lossy(bytes);
    let told = format!("{text}\n{bytes:?}\nplain reader: {expected:?}\ndecoder: {found:?}");
    Err(TestCaseError::fail(told))
}

fn owned(event: &event::Event<'_>) -> Event {
    let member = |(name, value): (&str, event::Value<'_>)| {
        let (kind, text) = match value {
            event::Value::Text(text) => ('s', text.to_owned()),
            event::Value::Number(text) => ('n', text.to_owned()),
            event::Value::Bool(value) => ('b', value.to_string()),
            event::Value::Null => ('0', String::new()),
            event::Value::Nested => ('[', String::new()),
        };
        (name.to_owned(), kind, text)
    };
    Event {
        id: event.id.to_owned(),
        source: event.source.to_owned(),
        event_type: event.event_type.to_owned(),
        subject: event.subject.map(str::to_owned),
        time_micros: event.time.map(|time| time.get()),
        data: event.data.to_owned(),
        members: event.members.iter().map(member).collect(),
    }
}

fn plain(bytes: &[u8]) -> Read {
    if bytes.iter().all(|byte| b" \t\r".contains(byte)) {
        return Read::Empty;
    }
    let text = std::str::from_utf8(bytes).ok();
    let event = text.and_then(|text| plain_event(text, &json::parse(text)?));
    event.map_or(Read::Malformed, Read::Event)
}

fn plain_event(text: &str, value: &Value) -> Option<Event> {
    let Kind::Object(members) = &value.kind else {
        return None;
    };
    if value.depth > 100 || !value.is_unicode() {
        return None;
    }
    // Of a name given twice the last holds.
    let last = |wanted: &str| {
        let mut named = members.iter().rev();
        named
            .find(|(name, _)| name.as_deref() == Some(wanted))
            .map(|(_, value)| value)
    };
    let content = |wanted| match last(wanted).map(|value| &value.kind) {
        Some(Kind::Text(text)) => text.clone(),
        _ => None,
    };
    let attribute = |wanted| content(wanted).filter(|text| (1..=256).contains(&text.len()));
    if content("specversion").as_deref() != Some("1.0") {
        return None;
    }
    last("subject")?;
    let time_micros = match last("time") {
        None => None,
        Some(_) => Some(time(&content("time")?)?),
    };
    let (data, members) = match last("data") {
        None => ("{}".to_owned(), Vec::new()),
        Some(data) => match &data.kind {
            Kind::Object(members) => {
                let members = members
                    .iter()
                    .map(|(name, value)| member(text, name, value));
                (text[data.start..data.end].to_owned(), members.collect())
            }
            _ => return None,
        },
    };
    Some(Event {
        id: attribute("id")?,
        source: attribute("source")?,
        event_type: attribute("type")?,
        subject: content("subject"),
        time_micros,
        data,
        members,
    })
}

fn member(text: &str, name: &Option<String>, value: &Value) -> (String, char, String) {
    let (kind, text) = match &value.kind {
        Kind::Text(text) => ('s', text.clone().unwrap_or_default()),
        Kind::Number => ('n', text[value.start..value.end].to_owned()),
        Kind::Bool(value) => ('b', value.to_string()),
        Kind::Null => ('0', String::new()),
        Kind::Array(_) | Kind::Object(_) => ('[', String::new()),
    };
    (name.clone().unwrap_or_default(), kind, text)
}

/// RFC 3339 with a zone, of which `t` and `z` may be small and no second is 60; microseconds since
/// 1970.
fn time(text: &str) -> Option<i64> {
    let (date_and_time, zone) = match text.strip_suffix(['Z', 'z']) {
        Some(rest) => (rest, Some(0)),
        None => {
            let at = text.len().checked_sub(6)?;
            (text.get(..at)?, zone_minutes(text.get(at..)?))
        }
    };
    let (whole, digits) = date_and_time
        .split_once('.')
        .unwrap_or((date_and_time, "0"));
    let is_shaped = whole.len() == 19
        && whole
            .bytes()
            .zip(b"dddd-dd-ddTdd:dd:dd")
            .all(|(byte, shape)| match shape {
                b'd' => byte.is_ascii_digit(),
                b'T' => byte == b'T' || byte == b't',
                shape => byte == *shape,
            });
    let are_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_shaped || !are_digits || whole.ends_with(":60") {
        return None;
    }
    let civil: DateTime = whole.to_uppercase().parse().ok()?;
    let second = Offset::UTC.to_timestamp(civil).ok()?.as_second() - zone? * 60;
    let micros: i64 = format!("{digits:0<6}")[..6].parse().ok()?;
    Some(second * 1_000_000 + micros)
}

fn zone_minutes(zone: &str) -> Option<i64> {
    let bytes = zone.as_bytes();
    let digits = |from: usize| {
        let digits = zone.get(from..from + 2)?;
        let are_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<i64>().ok().filter(|_| are_digits)
    };
    let (hours, minutes) = (digits(1)?, digits(4)?);
    if bytes[3] != b':' || hours > 23 || minutes > 59 {
        return None;
    }
    match bytes[0] {
        b'+' => Some(hours * 60 + minutes),
        b'-' => Some(-hours * 60 - minutes),
        _ => None,
    }
}

/// Holds that a message is cut into the events that the plain reader finds.
pub(crate) fn check_cut(body: &[u8], content: ContentType) -> Result<(), TestCaseError> {
    let mut found = Vec::new();
    each_event(body, content, |piece| {
        found.push(match piece {
            Piece::Event(place) => ('e', &body[place]),
            Piece::Nothing => ('0', body),
            Piece::Broken => ('x', body),
        });
    });
    let expected = plain_cut(body, content);
    if expected == found {
        return Ok(());
    }
    let told = format!("{content:?} {body:?}\nplain reader: {expected:?}\nfound: {found:?}");
    Err(TestCaseError::fail(told))
}

fn plain_cut(body: &[u8], content: ContentType) -> Vec<(char, &[u8])> {
    let is_array = match content {
        ContentType::Batch => true,
        ContentType::Unstated => body.starts_with(b"["),
        ContentType::Single | ContentType::Lines => false,
    };
    if is_array {
        let array = std::str::from_utf8(body).ok().and_then(json::parse);
        return match array.map(|array| array.kind) {
            Some(Kind::Array(values)) if values.is_empty() => vec![('0', body)],
            Some(Kind::Array(values)) => {
                let values = values.iter();
                values
                    .map(|value| ('e', &body[value.start..value.end]))
                    .collect()
            }
            _ if body.iter().all(u8::is_ascii_whitespace) => vec![('e', &body[..0])],
            _ => vec![('x', body)],
        };
    }
    if content == ContentType::Single || body.is_empty() {
        return vec![('e', body)];
    }
    let mut lines: Vec<&[u8]> = body.split(|byte| *byte == b'\n').collect();
    let last = lines.pop().expect("at least one");
    let ended = lines
        .into_iter()
        .map(|line| ('e', line.strip_suffix(b"\r").unwrap_or(line)));
    let ended = ended.collect::<Vec<_>>().into_iter();
    ended
        .chain((!last.is_empty()).then_some(('e', last)))
        .collect()
}
