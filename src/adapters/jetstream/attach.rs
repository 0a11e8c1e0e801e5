//! Whether a stream may be read on from where the ledger stopped.
//!
//! Owns the decision and its words. Leaves reading the facts to `stream`.
//!
//! Invariant: pure; never skips a message, and never reads a number twice for two messages.

use super::stream::Facts;

/// How far the ledger has read, and in which stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// `<name>@<created>`.
    pub source: String,
    /// The last seq that the ledger holds.
    pub position: u64,
}

/// Where to go on, or why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attach {
    Start { next: u64 },
    Refuse(Refusal),
}

/// Why reading on would lose messages or mistake one for another; names both sides and the way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(
        "the ledger has read {known} up to {position}, the broker has {found} with messages \
         {first} to {last}; read from the stream that the ledger knows, or start once with \
         --new-source to read {found} from its first message"
    )]
    OtherStream {
        known: String,
        position: u64,
        found: String,
        first: u64,
        last: u64,
    },

    #[error(
        "messages {missing} to {} of {source_name} are gone: the ledger has read up to {position}, \
         the stream begins at {first}; restore the stream from a backup, or start once with \
         --new-source to accept the loss", first - 1
    )]
    Lost {
        source_name: String,
        position: u64,
        missing: u64,
        first: u64,
    },

    #[error(
        "{source_name} has lost its end: the ledger has read up to {position}, the stream ends at \
         {last} and would give the numbers in between to other messages; restore the stream, or \
         make it again and start once with --new-source"
    )]
    RolledBack {
        source_name: String,
        position: u64,
        last: u64,
    },

    #[error(
        "message {seq} of {source_name} is not the one that was read: the stream has lost its end \
         and has grown again; restore the stream, or make it again and start once with --new-source"
    )]
    Replaced { source_name: String, seq: u64 },

    #[error(
        "message {seq} of {source_name} was deleted: the ledger has read up to {}, the stream \
         holds {first} to {last} without it; restore the stream from a backup, or start once with \
         --new-source to accept the loss", seq - 1
    )]
    Hole {
        source_name: String,
        seq: u64,
        first: u64,
        last: u64,
    },
}

/// Decides where to go on in the stream of `facts`.
///
/// `known` is `None` for a source that the ledger does not know: it is read from its first message
/// that is still there. Else the stream must be the one known, hold position + 1 or be about to
/// give it, and not end before position.
pub fn attach(known: Option<&Known>, facts: &Facts) -> Attach {
    let found = facts.stream.source();
    let Some(Known { source, position }) = known else {
        return Attach::Start {
            next: facts.first_seq.max(1),
        };
    };
    let (position, next) = (*position, position.saturating_add(1));
    let (first, last) = (facts.first_seq, facts.last_seq);
    if *source != found {
        let known = source.clone();
        return Attach::Refuse(Refusal::OtherStream {
            known,
            position,
            found,
            first,
            last,
        });
    }
    if last < position {
        return Attach::Refuse(Refusal::RolledBack {
            source_name: found,
            position,
            last,
        });
    }
    if first > next {
        let (source_name, missing) = (found, next);
        return Attach::Refuse(Refusal::Lost {
            source_name,
            position,
            missing,
            first,
        });
    }
    Attach::Start { next }
}

#[cfg(test)]
mod tests {
    use super::super::StreamId;
    use super::*;
    use crate::domain::units::Timestamp;

    #[test]
    fn reads_on_only_where_nothing_is_lost() {
        check(
            "
            known                      created  first  last   answer
            -                          0        0      0      start 1        // a stream never used
            -                          0        7      9      start 7
            USAGE@1970-01-01T00:00:00Z/0   0    0      0      start 1
            USAGE@1970-01-01T00:00:00Z/5   0    1      5      start 6
            USAGE@1970-01-01T00:00:00Z/5   0    1      9      start 6
            USAGE@1970-01-01T00:00:00Z/5   0    6      9      start 6        // S itself is gone
            USAGE@1970-01-01T00:00:00Z/5   0    6      5      start 6        // purged behind us
            USAGE@1970-01-01T00:00:00Z/5   0    7      9      lost
            USAGE@1970-01-01T00:00:00Z/5   0    1      4      rolled-back
            USAGE@1970-01-01T00:00:00Z/5   0    0      0      rolled-back
            USAGE@1970-01-01T00:00:00Z/5   1    1      9      other          // made again
            OTHER@1970-01-01T00:00:00Z/5   0    1      9      other
            file:may.ndjson/5              0    1      9      other
        ",
        );
    }

    #[test]
    fn a_refusal_names_both_sides_and_the_way_out() {
        let known = Known {
            source: "USAGE@1970-01-01T00:00:00Z".into(),
            position: 5,
        };
        for (created, first, last) in [(0, 7, 9), (0, 1, 4), (1, 1, 9)] {
            let Attach::Refuse(refusal) = attach(Some(&known), &facts(created, first, last)) else {
                panic!("{created} {first} {last} was not refused");
            };
            let text = refusal.to_string();
            let theirs = if last < 5 { last } else { first };
            for word in ["up to 5", &theirs.to_string(), "USAGE@1970", "--new-source"] {
                assert!(text.contains(word), "no {word:?} in {text:?}");
            }
        }
    }

    fn facts(created_micros: i64, first_seq: u64, last_seq: u64) -> Facts {
        let created = Timestamp::new(created_micros);
        let stream = StreamId {
            name: "USAGE".into(),
            created,
        };
        Facts {
            stream,
            first_seq,
            last_seq,
            messages: 0,
            bytes: 0,
        }
    }

    fn check(table: &str) {
        for line in table.lines().skip(2).filter(|line| !line.trim().is_empty()) {
            let line = line.split("//").next().unwrap();
            let mut words = line.split_whitespace();
            let mut word = || words.next().unwrap();
            let known = word().rsplit_once('/').map(|(source, position)| Known {
                source: source.into(),
                position: position.parse().unwrap(),
            });
            let facts = facts(
                word().parse().unwrap(),
                word().parse().unwrap(),
                word().parse().unwrap(),
            );
            let wanted = words.collect::<Vec<_>>().join(" ");
            let answer = match attach(known.as_ref(), &facts) {
                Attach::Start { next } => format!("start {next}"),
                Attach::Refuse(Refusal::Lost { .. }) => "lost".to_owned(),
                Attach::Refuse(Refusal::RolledBack { .. }) => "rolled-back".to_owned(),
                Attach::Refuse(Refusal::OtherStream { .. }) => "other".to_owned(),
                Attach::Refuse(found_while_reading) => found_while_reading.to_string(),
            };
            assert_eq!(answer, wanted, "{line}");
        }
    }
}
