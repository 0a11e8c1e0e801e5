//! The conditions under which a price or cost applies.
//!
//! Owns what they are and whether one event could meet two sets of them. Leaves meeting them,
//! which is on the hot path, to `index`.
//!
//! Invariant: values are compared with their type, so the text "true" is not the boolean.

use std::fmt;

/// The key that stands for the event's type; any other names a dimension of its data.
pub const EVENT_TYPE: &str = "type";

/// Conditions that must all hold, their keys distinct. None at all holds for every event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct When {
    pub conditions: Vec<Condition>,
}

/// The value under `key` is one of `any_of`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    pub key: String,
    pub any_of: Vec<Match>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    Text(String),
    Bool(bool),
}

impl When {
    /// Whether one event could meet both: no key that both name keeps them apart.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.conditions.iter().all(|mine| {
            let theirs = other
                .conditions
                .iter()
                .find(|theirs| theirs.key == mine.key);
            theirs.is_none_or(|theirs| mine.any_of.iter().any(|one| theirs.any_of.contains(one)))
        })
    }

    /// What the condition on the event's type allows, if there is one.
    pub fn event_types(&self) -> Option<&[Match]> {
        let condition = self
            .conditions
            .iter()
            .find(|condition| condition.key == EVENT_TYPE)?;
        Some(&condition.any_of)
    }
}

/// As in a price file: `type = "llm.completion", model = ["gpt-4o", "claude-opus"]`.
impl fmt::Display for When {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Condition { key, any_of }) in self.conditions.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(out, "{comma}{key} = ")?;
            match any_of.as_slice() {
                [one] => write!(out, "{one}")?,
                several => {
                    let values: Vec<_> = several.iter().map(Match::to_string).collect();
                    write!(out, "[{}]", values.join(", "))?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Match {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(out, "{text:?}"),
            Self::Bool(value) => write!(out, "{value}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `key=a|b key2=true`; `-` is no condition.
    fn when(text: &str) -> When {
        let condition = |part: &str| {
            let (key, values) = part.split_once('=')?;
            let any_of = values.split('|').map(|value| match value {
                "true" => Match::Bool(true),
                "false" => Match::Bool(false),
                text => Match::Text(text.trim_matches('"').to_owned()),
            });
            Some(Condition {
                key: key.to_owned(),
                any_of: any_of.collect(),
            })
        };
        When {
            conditions: text.split_whitespace().filter_map(condition).collect(),
        }
    }

    #[test]
    fn two_overlap_unless_a_key_they_share_keeps_them_apart() {
        let table = "
            -               ; -                ; overlap
            a=x             ; -                ; overlap
            a=x             ; b=x              ; overlap   // an event may have both keys
            a=x             ; a=y              ; apart
            a=x|y           ; a=y|z            ; overlap
            a=x|y b=1       ; a=y|z b=2        ; apart
            a=true          ; a=\"true\"       ; apart     // compared with their type
            a=true|false    ; a=false          ; overlap
            type=t a=x      ; type=u a=x       ; apart
        ";
        let lines = table
            .lines()
            .map(|line| line.split("//").next().unwrap_or(""));
        for line in lines.filter(|line| !line.trim().is_empty()) {
            let row: Vec<&str> = line.split(';').map(str::trim).collect();
            let (left, right) = (when(row[0]), when(row[1]));
            assert_eq!(left.overlaps(&right), row[2] == "overlap", "{line}");
            assert_eq!(right.overlaps(&left), row[2] == "overlap", "{line}");
        }
    }

    #[test]
    fn prints_as_in_a_price_file() {
        let printed = when("type=llm model=a|b stream=true").to_string();
        assert_eq!(
            printed,
            r#"type = "llm", model = ["a", "b"], stream = true"#
        );
        assert_eq!(when("-").to_string(), "");
    }
}
