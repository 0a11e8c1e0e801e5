//! One message of a stream, and what the broker tells about it.
//!
//! Owns the message, reading the reply subject in which JetStream puts seq, time and backlog, and
//! finding the content type. Leaves the body unread.
//!
//! Invariant: times are cut to the microsecond, on every way a message can come in.

use async_nats::{HeaderMap, Subject};
use bytes::Bytes;

use crate::domain::units::Timestamp;

const NANOS_PER_MICRO: i64 = 1_000;
const CONTENT_TYPE: &str = "content-type";

/// One message as the stream holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its place in the stream, from 1.
    pub seq: u64,
    /// The broker's stamp.
    pub received_at: Timestamp,
    pub subject: Subject,
    /// The header `content-type`, in whatever case its name was written.
    pub content_type: Option<String>,
    pub payload: Bytes,
}

/// What the reply subject of a delivered message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delivery {
    pub(super) seq: u64,
    pub(super) received_at: Timestamp,
    /// How many messages of the stream wait behind this one.
    pub(super) pending: u64,
}

impl Delivery {
    /// Reads `$JS.ACK.[domain.account.]stream.consumer.tries.seq.delivery.nanos.pending[.more]`;
    /// `None` for any other subject, so that no header of a producer passes for a word of the
    /// broker.
    pub(super) fn from_reply(reply: &str) -> Option<Self> {
        let rest = reply.strip_prefix("$JS.ACK.")?;
        // Seven parts in the old form; nine, and a random one perhaps, in the new.
        let named = if rest.bytes().filter(|byte| *byte == b'.').count() >= 8 {
            4
        } else {
            2
        };
        let mut parts = rest.split('.').skip(named + 1);
        let seq = parts.next()?.parse().ok()?;
        let nanos: i64 = parts.nth(1)?.parse().ok()?;
        let pending = parts.next()?.parse().ok()?;
        Some(Self {
            seq,
            received_at: from_nanos(nanos),
            pending,
        })
    }
}

/// Nanoseconds since the epoch, cut to the microsecond.
pub(super) fn from_nanos(nanos: i64) -> Timestamp {
    Timestamp::new(nanos.div_euclid(NANOS_PER_MICRO))
}

pub(super) fn content_type(headers: &HeaderMap) -> Option<String> {
    let (_, values) = headers.iter().find(|(name, _)| {
        let name: &str = (*name).as_ref();
        name.eq_ignore_ascii_case(CONTENT_TYPE)
    })?;
    values.first().map(|value| value.as_str().to_owned())
}

/// The content type in a header block that need not be well formed.
pub(super) fn content_type_in(block: &[u8]) -> Option<String> {
    String::from_utf8_lossy(block).lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim()
            .eq_ignore_ascii_case(CONTENT_TYPE)
            .then(|| value.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_forms_of_the_reply_subject() {
        check(
            "
            $JS.ACK.USAGE.x9.1.7.3.1700000000123456789.40                 7 1700000000123456 40
            $JS.ACK._.AbC.USAGE.x9.1.7.3.1700000000123456789.40           7 1700000000123456 40
            $JS.ACK.hub.AbC.USAGE.x9.1.7.3.1700000000123456789.0.rnd      7 1700000000123456 0
            $JS.ACK.USAGE.x9.1.7.3.soon.40                                none
            $JS.ACK.USAGE.x9.1.7                                          none
            _INBOX.abc.1                                                  none
        ",
        );
    }

    fn check(table: &str) {
        for line in table.lines().filter(|line| !line.trim().is_empty()) {
            let (reply, wanted) = line.trim().split_once(' ').unwrap();
            let answer = match Delivery::from_reply(reply) {
                Some(it) => format!("{} {} {}", it.seq, it.received_at.get(), it.pending),
                None => "none".to_owned(),
            };
            assert_eq!(answer, wanted.trim(), "{line}");
        }
    }

    #[test]
    fn a_content_type_is_found_in_any_case_and_among_rubbish() {
        let block = b"NATS/1.0\r\n\xff\xfe\r\nContent-Type:  application/x-ndjson \r\n\r\n";
        assert_eq!(
            content_type_in(block).as_deref(),
            Some("application/x-ndjson")
        );
        let mut headers = HeaderMap::new();
        headers.insert("CONTENT-type", "application/x-ndjson");
        assert_eq!(
            content_type(&headers).as_deref(),
            Some("application/x-ndjson")
        );
        assert_eq!(content_type(&HeaderMap::new()), None);
    }
}
