//! Many events read at once.
//!
//! Owns keeping what was read of each event, so that one thread can read for another. Leaves
//! reading an event to `decode`, and where one begins to `message`.
//!
//! Invariant: an event's reading is the one that it has alone.

use std::ops::Range;

use super::decode::{Decoder, Read};
use super::message::{ContentType, Piece, each_event, line_ranges};
use crate::domain::entry::RawBody;
use crate::domain::event::Reading;
use crate::domain::identity::{FilterKey, Identity};

/// Events whose memory is kept for others: far more come only of lines that are hardly any.
const EVENTS_KEPT: usize = 64 << 10;

/// Events and their readings. Its memory is used again after `clear`: fresh memory is dear.
pub struct Readings {
    key: FilterKey,
    /// The texts of all events, one after the other; or the block whose lines they are.
    text: String,
    /// That block, where it is not all text.
    broken: Vec<u8>,
    decoder: Decoder,
    all: Vec<Known>,
    /// Those that could be read.
    events: Vec<(Read, Option<Identity>)>,
    reversals: Vec<usize>,
}

/// What is known of anything that should be an event: little, since a message may hold a million of
/// what is none.
struct Known {
    /// Its place in the bytes that it came in.
    start: u32,
    end: u32,
    /// Which event it is, or one of those below.
    event: u32,
}

const EMPTY: u32 = u32::MAX;
const MALFORMED: u32 = u32::MAX - 1;

impl Readings {
    /// None yet; identities will be reckoned by `key`.
    pub fn new(key: FilterKey) -> Self {
        Self {
            key,
            text: String::new(),
            broken: Vec::new(),
            decoder: Decoder::default(),
            all: Vec::new(),
            events: Vec::new(),
            reversals: Vec::new(),
        }
    }

    /// Forgets all events.
    pub fn clear(&mut self) {
        self.text.clear();
        self.broken.clear();
        self.decoder.clear();
        self.all.clear();
        self.all.shrink_to(EVENTS_KEPT);
        self.events.clear();
        self.reversals.clear();
    }

    /// How many events there are.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// Forgets all events, and gives the memory of the block that they were lines of.
    pub fn take_block(&mut self) -> Vec<u8> {
        let block = match self.broken.is_empty() {
            true => std::mem::take(&mut self.text).into_bytes(),
            false => std::mem::take(&mut self.broken),
        };
        self.clear();
        block
    }

    /// Forgets all events and reads the lines of a block, an event each, but for the first
    /// `skipped` ones. The block stays here, until it is taken.
    pub fn read_lines(&mut self, block: Vec<u8>, skipped: usize) {
        self.clear();
        match String::from_utf8(block) {
            Ok(text) => {
                for place in line_ranges(text.as_bytes()).skip(skipped) {
                    self.add(&text, place.start, place);
                }
                self.text = text;
            }
            Err(broken) => {
                let block = broken.into_bytes();
                let mut text = std::mem::take(&mut self.text);
                for place in line_ranges(&block).skip(skipped) {
                    self.add_piece(&mut text, &block, place);
                }
                (self.text, self.broken) = (text, block);
            }
        }
    }

    /// Reads the events of a message, which are one at least.
    pub fn add_message(&mut self, body: &[u8], content: ContentType) {
        let mut text = std::mem::take(&mut self.text);
        let at = text.len();
        let is_text = str::from_utf8(body).map(|body| text.push_str(body)).is_ok();
        let whole = 0..body.len();
        each_event(body, content, |piece| match piece {
            Piece::Event(place) if is_text => self.add(&text, at + place.start, place),
            Piece::Event(place) => self.add_piece(&mut text, body, place),
            Piece::Nothing => self.note(whole.clone(), EMPTY),
            Piece::Broken => self.note(whole.clone(), MALFORMED),
        });
        self.text = text;
    }

    /// Reads what lies at `place` of bytes that are not all text, and adds it to `text`.
    fn add_piece(&mut self, text: &mut String, bytes: &[u8], place: Range<usize>) {
        let Ok(piece) = str::from_utf8(&bytes[place.clone()]) else {
            return self.note(place, MALFORMED);
        };
        let start = text.len();
        text.push_str(piece);
        self.add(text, start, place);
    }

    /// Reads what lies at `place` of its bytes, and from `start` on in `text`.
    fn add(&mut self, text: &str, start: usize, place: Range<usize>) {
        let read = self.decoder.scan(text, start..start + place.len());
        let pieces = match &read {
            Read::Event(pieces) => pieces,
            Read::Empty => return self.note(place, EMPTY),
            Read::Malformed => return self.note(place, MALFORMED),
        };
        if self.decoder.is_reversal(text, pieces) {
            self.reversals.push(self.all.len());
        }
        let identity = self.decoder.identity(&self.key, text, pieces);
        self.events.push((read, identity));
        self.note(place, (self.events.len() - 1) as u32);
    }

    fn note(&mut self, place: Range<usize>, event: u32) {
        self.all.push(Known {
            start: place.start as u32,
            end: place.end as u32,
            event,
        });
    }

    /// Those events that take a charge back.
    pub fn reversals(&self) -> &[usize] {
        &self.reversals
    }

    /// An event's reading.
    #[inline]
    pub fn get(&self, event: usize) -> Reading<'_> {
        match self.all[event].event {
            EMPTY => Reading::Empty,
            MALFORMED => Reading::Malformed,
            event => {
                let (read, identity) = &self.events[event as usize];
                self.decoder.view(&self.text, read, *identity)
            }
        }
    }

    /// The line of the block that an event is.
    pub fn line(&self, event: usize) -> RawBody<'_> {
        match self.broken.is_empty() {
            true => self.raw(event, self.text.as_bytes()),
            false => self.raw(event, &self.broken),
        }
    }

    /// An event's own of the `bytes` that it came in.
    pub fn raw<'a>(&self, event: usize, bytes: &'a [u8]) -> RawBody<'a> {
        let known = &self.all[event];
        let bytes = &bytes[known.start as usize..known.end as usize];
        match known.event {
            EMPTY | MALFORMED => RawBody::whole(bytes),
            _ => RawBody::text(bytes),
        }
    }

    /// The customers and identities of `count` events from `first` on, as far as they have them.
    pub fn who(&self, first: usize, count: usize) -> impl Iterator<Item = (&str, Identity)> {
        let all = self.all.iter().skip(first).take(count);
        all.filter_map(|known| {
            let (read, identity) = self.events.get(known.event as usize)?;
            let customer = self.decoder.subject(&self.text, read)?;
            Some((customer, (*identity)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_reads_as_it_does_alone() {
        let event = |id: &str, data: &str| {
            let event = r#"{"specversion":"1.0","source":"/s","type":"t","subject":"acme","id":"#;
            format!("{event}\"{id}\",\"data\":{data}}}")
        };
        let mut lines: Vec<Vec<u8>> = [
            event("1", r#"{"n":1,"text":"a"}"#),
            event("\\u00e9\\n", r#"{"\u0061":"\"","b":[{}]}"#),
            String::new(),
            " \t".to_owned(),
            "{".to_owned(),
            event("2", "[]"),
            event("é", r#"{"n":1,"n":2}"#),
            event("3", r#"{"n":1}"#),
        ]
        .into_iter()
        .map(String::into_bytes)
        .collect();
        let mut broken = event("4", r#"{"n":"?"}"#).into_bytes();
        if let Some(byte) = broken.iter_mut().find(|byte| **byte == b'?') {
            *byte = 0xff;
        }
        lines.insert(3, broken);
        lines.insert(0, b"\xc3".to_vec());
        let key = [1, 2, 3, 4];
        let mut readings = Readings::new(key);
        let mut alone = Decoder::default();
        let whole = lines.iter().filter(|line| str::from_utf8(line).is_ok());
        let whole: Vec<_> = whole.cloned().collect();
        for lines in [&lines, &whole] {
            let block = lines.join(&b'\n');
            for skipped in [0, 1, 4, lines.len()] {
                readings.read_lines(block.clone(), skipped);
                assert_eq!(readings.count(), lines.len() - skipped);
                for (event, line) in lines[skipped..].iter().enumerate() {
                    assert_eq!(readings.line(event).bytes, line);
                    let (reading, alone) = (readings.get(event), alone.read(line));
                    assert_eq!(shown(&reading), shown(&alone), "{line:?}");
                }
            }
            assert_eq!(readings.take_block(), block);
            assert_eq!(readings.count(), 0);
        }
        let block = lines.join(&b'\n');
        readings.clear();
        for content in [ContentType::Lines, ContentType::Unstated] {
            readings.add_message(&block, content);
        }
        assert_eq!(readings.count(), 2 * lines.len());
        readings.add_message(b"[]", ContentType::Unstated);
        readings.add_message(b"[1", ContentType::Batch);
        let last = |back| shown(&readings.get(readings.count() - back));
        assert_eq!([last(2), last(1)], ["Empty", "Malformed"]);
        let who: Vec<_> = readings.who(lines.len(), 4).map(|(name, _)| name).collect();
        assert_eq!(who, ["acme", "acme"], "one is broken, and one is no text");
    }

    fn shown(reading: &Reading<'_>) -> String {
        match reading {
            Reading::Event(event) => {
                let members: Vec<_> = event.members.iter().collect();
                let (id, data) = (event.id, event.data);
                format!("{id} {:?} {data} {members:?}", event.subject)
            }
            Reading::Empty | Reading::Malformed => format!("{reading:?}"),
        }
    }
}
