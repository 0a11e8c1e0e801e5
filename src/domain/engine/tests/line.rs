//! The input lines of a story.
//!
//! `10-01 09:00 acme usage e1 docs=3` is an event of a file: its time (of the year 2026 unless
//! given), customer (`-`: none, `""`: empty), type and id, and the rest is its data. Without a
//! time it has none. `@usage.acme` after the time makes it a broker's message on that subject,
//! received then; a line that begins with `+` is one more event of the same message. Before the
//! customer may stand `used=10-01T09:00` (`none`: no time) and `source=/x`. `empty` and
//! `malformed` in place of an event are just that, `open`, `plan`, `grant`, `void`, `close` and
//! `reverse` the commands. `wall 10-01 09:00` sets the wall clock, `shard 1/4` the shard.

use crate::domain::command::{CLOSED, GRANTED, OPENED, PLAN_CHANGED, REVERSED, VOIDED};
use crate::domain::customer::Shard;
use crate::domain::event::{Event, MemberSpan, Members, Reading, TextSpan, ValueSpan};
use crate::domain::rfc3339;
use crate::domain::units::Timestamp;

pub(super) struct Script<'t> {
    pub(super) shard: Shard,
    /// Lines `show …` and `shard …`.
    pub(super) show: Vec<&'t str>,
    lines: Vec<Line<'t>>,
}

pub(super) struct Line<'t> {
    pub(super) text: &'t str,
    /// Lines `wall …` before it.
    pub(super) settings: Vec<&'t str>,
    pub(super) wall: Timestamp,
    pub(super) at: Option<Timestamp>,
    pub(super) subject: Option<&'t str>,
    pub(super) used_at: Option<Timestamp>,
    pub(super) body: Body<'t>,
    /// Of its data.
    members: Vec<MemberSpan>,
}

pub(super) enum Body<'t> {
    Empty,
    Malformed,
    Event {
        source: &'t str,
        event_type: &'t str,
        id: &'t str,
        subject: Option<&'t str>,
        data: &'t str,
    },
}

/// Lines without comments and indentation, but the empty ones.
pub(super) fn meant(text: &str) -> impl Iterator<Item = &str> {
    let lines = text
        .lines()
        .map(|line| line.split(" //").next().unwrap_or("").trim());
    lines.filter(|line| !line.is_empty())
}

impl<'t> Script<'t> {
    pub(super) fn read(text: &'t str) -> Self {
        let mut script = Self {
            shard: Shard::WHOLE,
            show: Vec::new(),
            lines: Vec::new(),
        };
        let mut wall = instant("2100-01-01", "00:00");
        let mut settings = Vec::new();
        for line in meant(text).filter(|line| !line.starts_with('|')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["wall", date, time] => {
                    wall = instant(date, time);
                    settings.push(line);
                }
                ["shard", part] => {
                    let (index, count) = part.split_once('/').unwrap();
                    let (index, count) = (index.parse().unwrap(), count.parse().unwrap());
                    script.shard = Shard { index, count };
                    script.show.push(line);
                }
                ["show", ..] => script.show.push(line),
                _ => {
                    let settings = std::mem::take(&mut settings);
                    script.lines.push(Line::read(line, (wall, settings)));
                }
            }
        }
        script
    }

    /// The lines of each message.
    pub(super) fn messages(&self) -> Vec<&[Line<'t>]> {
        self.lines
            .chunk_by(|_, next| next.text.starts_with('+'))
            .collect()
    }
}

impl<'t> Line<'t> {
    fn read(text: &'t str, (wall, settings): (Timestamp, Vec<&'t str>)) -> Self {
        let mut rest = text.trim_start_matches('+').trim_start();
        let mut word = || {
            let (word, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            rest = after.trim_start();
            word
        };
        let mut next = word();
        let at = next.starts_with(|c: char| c.is_ascii_digit()).then(|| {
            let date = next;
            let at = instant(date, word());
            next = word();
            at
        });
        let subject = next.strip_prefix('@');
        if subject.is_some() {
            next = word();
        }
        let mut used_at = at;
        if let Some(used) = next.strip_prefix("used=") {
            used_at = used.split_once('T').map(|(date, time)| instant(date, time));
            next = word();
        }
        let source = next.strip_prefix("source=");
        if source.is_some() {
            next = word();
        }
        let body = match next {
            "empty" => Body::Empty,
            "malformed" => Body::Malformed,
            customer => Body::Event {
                source: source.unwrap_or("/app"),
                event_type: match word() {
                    "open" => OPENED,
                    "plan" => PLAN_CHANGED,
                    "grant" => GRANTED,
                    "void" => VOIDED,
                    "close" => CLOSED,
                    "reverse" => REVERSED,
                    event_type => event_type,
                },
                id: word(),
                subject: Some(customer)
                    .filter(|name| *name != "-")
                    .map(|name| match name {
                        "\"\"" => "",
                        name => name,
                    }),
                data: rest,
            },
        };
        let members = match body {
            Body::Event { data, .. } => spans(data),
            Body::Empty | Body::Malformed => Vec::new(),
        };
        Self {
            text,
            settings,
            wall,
            at,
            subject,
            used_at,
            body,
            members,
        }
    }

    /// What the engine is handed.
    pub(super) fn reading(&self) -> Reading<'_> {
        match self.body {
            Body::Empty => Reading::Empty,
            Body::Malformed => Reading::Malformed,
            Body::Event {
                source,
                event_type,
                id,
                subject,
                data,
            } => Reading::Event(Event {
                identity: None,
                id,
                source,
                event_type,
                subject,
                time: self.used_at,
                data,
                members: Members::new(data, "", &self.members),
            }),
        }
    }
}

/// `10-01` or `2026-10-01`, and `09:00` with or without seconds.
pub(super) fn instant(date: &str, time: &str) -> Timestamp {
    let year = if date.len() == 5 { "2026-" } else { "" };
    let seconds = if time.len() == 5 { ":00" } else { "" };
    rfc3339::parse(format!("{year}{date}T{time}{seconds}Z").as_bytes()).expect("a time")
}

/// The members of `name=value …`: numbers, `true`, `false`, `null`, `[]`, and words, which may
/// stand in quotes.
pub(in crate::domain) fn spans(data: &str) -> Vec<MemberSpan> {
    let place = |text: &str| {
        let start = text.as_ptr() as usize - data.as_ptr() as usize;
        TextSpan::new(start, start + text.len(), false)
    };
    let is_number = |text: &str| {
        let is_digits = |c| matches!(c, '0'..='9' | '.' | 'e' | 'E' | '+' | '-');
        text.chars().all(is_digits) && text.starts_with(|c: char| c.is_ascii_digit() || c == '-')
    };
    let members = data.split_whitespace().map(|word| {
        let (name, value) = word.split_once('=').expect("name=value");
        let value = match value {
            "true" | "false" => ValueSpan::Bool(value == "true"),
            "null" => ValueSpan::Null,
            "[]" => ValueSpan::Nested,
            number if is_number(number) => ValueSpan::Number(place(number)),
            text => ValueSpan::Text(place(text.trim_matches('"'))),
        };
        MemberSpan {
            name: place(name),
            value,
        }
    });
    members.collect()
}
