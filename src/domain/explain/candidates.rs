//! Why each price, or each cost, applies to an event or does not.
//!
//! Owns looking at one condition after the other, and what the event has instead. Leaves the sums
//! to `arithmetic`. The engine finds the winner by `price::Index`; the tests of `explain` hold
//! both to the same answer.
//!
//! Invariant: one wins at most, and every other one has the reason why it does not.

use std::fmt;

use crate::domain::event::{Members, Value};
use crate::domain::price::{Condition, EVENT_TYPE, Match, When};

/// Characters of a value that are printed; a producer's text may be as long as a message.
const SHOWN_CHARS_MAX: usize = 60;

/// What is looked at of an event.
#[derive(Clone, Copy)]
pub(super) struct Facts<'a> {
    pub(super) event_type: &'a str,
    pub(super) members: Members<'a>,
}

/// What an event has under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Absent,
    Text(String),
    Bool(bool),
    /// As written.
    Number(String),
    Null,
    Nested,
}

/// A price or cost, and whether it applies to the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The price's id, or `cost 2` for the second cost of the file.
    pub name: String,
    /// Its conditions, as in the price file.
    pub when: String,
    pub verdict: Verdict,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All its conditions hold, and it has the most.
    Wins,
    /// The first of its conditions that does not hold.
    Misses { condition: Condition, found: Found },
    /// All its conditions hold, but so do those of another one that has more.
    Outdone {
        by: String,
        conditions: usize,
        more: usize,
    },
}

/// Judges all rules of a table, given by name and conditions; the place of the one that wins.
pub(super) fn candidates(
    rules: &[(String, &When)],
    facts: Facts<'_>,
) -> (Vec<Candidate>, Option<usize>) {
    let misses: Vec<_> = rules
        .iter()
        .map(|(_, when)| facts.first_miss(when))
        .collect();
    let matching = (0..rules.len()).filter(|at| misses[*at].is_none());
    let winner = matching.max_by_key(|at| rules[*at].1.conditions.len());
    let judge = |(at, ((name, when), miss)): (usize, (&(String, &When), Option<Verdict>))| {
        let outdone = winner.filter(|winner| *winner != at).map(|winner| {
            let (by, more) = &rules[winner];
            Verdict::Outdone {
                by: by.clone(),
                conditions: when.conditions.len(),
                more: more.conditions.len(),
            }
        });
        Candidate {
            name: name.clone(),
            when: when.to_string(),
            verdict: miss.or(outdone).unwrap_or(Verdict::Wins),
        }
    };
    let judged = rules.iter().zip(misses).enumerate().map(judge).collect();
    (judged, winner)
}

impl<'a> Facts<'a> {
    /// What stands under `key`: the last of that name.
    pub(super) fn value(&self, key: &str) -> Option<Value<'a>> {
        match key {
            EVENT_TYPE => Some(Value::Text(self.event_type)),
            _ => self.members.get(key),
        }
    }

    fn first_miss(&self, when: &When) -> Option<Verdict> {
        when.conditions.iter().find_map(|condition| {
            let value = self.value(&condition.key);
            let holds = condition.any_of.iter().any(|wanted| is(wanted, value));
            (!holds).then(|| Verdict::Misses {
                condition: condition.clone(),
                found: Found::of(value),
            })
        })
    }
}

fn is(wanted: &Match, value: Option<Value<'_>>) -> bool {
    match (wanted, value) {
        (Match::Text(wanted), Some(Value::Text(text))) => wanted == text,
        (Match::Bool(wanted), Some(Value::Bool(value))) => *wanted == value,
        _ => false,
    }
}

impl Found {
    pub(super) fn of(value: Option<Value<'_>>) -> Self {
        match value {
            None => Self::Absent,
            Some(Value::Text(text)) => Self::Text(text.to_owned()),
            Some(Value::Bool(value)) => Self::Bool(value),
            Some(Value::Number(text)) => Self::Number(text.to_owned()),
            Some(Value::Null) => Self::Null,
            Some(Value::Nested) => Self::Nested,
        }
    }
}

/// `"gpt-4o"`, `true`, `12.5`; long values are cut.
impl fmt::Display for Found {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => out.write_str("absent"),
            Self::Text(text) => match cut(text) {
                Some(start) => write!(out, "{start:?}…"),
                None => write!(out, "{text:?}"),
            },
            Self::Bool(value) => write!(out, "{value}"),
            Self::Number(text) => match cut(text) {
                Some(start) => write!(out, "{start}…"),
                None => out.write_str(text),
            },
            Self::Null => out.write_str("null"),
            Self::Nested => out.write_str("a list or object"),
        }
    }
}

/// The beginning of what is too long.
fn cut(text: &str) -> Option<&str> {
    let (end, _) = text.char_indices().nth(SHOWN_CHARS_MAX)?;
    Some(&text[..end])
}

/// `model is "gpt-4o", not "claude-haiku" or "claude-opus"`.
impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wins => out.write_str("matches"),
            Self::Misses { condition, found } => {
                let key = &condition.key;
                let wanted: Vec<String> = condition.any_of.iter().map(Match::to_string).collect();
                let wanted = wanted.join(" or ");
                match found {
                    Found::Absent => write!(out, "{key} is absent, and must be {wanted}"),
                    found => write!(out, "{key} is {found}, not {wanted}"),
                }
            }
            Self::Outdone {
                by,
                conditions,
                more,
            } => write!(
                out,
                "matches too, but {by} has more conditions: {more}, and this one {conditions}"
            ),
        }
    }
}
