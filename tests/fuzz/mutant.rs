//! Bytes that are nearly right: a text, and a few changes to it.

use proptest::prelude::*;

/// What a reader of JSON or TOML may stumble over.
const PIECES: [&[u8]; 40] = [
    b"\"",
    b"\\",
    b"\\u",
    b"\\ud800",
    b"\\udc00",
    b"\\ud83d\\ude00",
    b"\\u0000",
    b"\\\"",
    b"\\/",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"-",
    b"-0",
    b"0",
    b"00",
    b"1e3",
    b"1E-9",
    b"1e999999999999",
    b"0.0000005",
    b"999999999999.9999995",
    b"1000000000000",
    b"null",
    b"true",
    b"NaN",
    b"\n",
    b"\r\n",
    b" ",
    b"\t",
    b"\0",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"=",
    b"[[",
    b"#",
];

#[derive(Clone, Debug)]
enum Change {
    Flip {
        at: usize,
        bit: u8,
    },
    Insert {
        at: usize,
        bytes: Vec<u8>,
    },
    Delete {
        at: usize,
        count: usize,
    },
    /// A part of it once more, so many times.
    Repeat {
        at: usize,
        count: usize,
        times: usize,
    },
    /// What follows there in another text.
    Splice {
        at: usize,
        text: usize,
        from: usize,
    },
}

fn change() -> impl Strategy<Value = Change> {
    let at = || any::<usize>();
    let piece = prop_oneof![
        4 => (0..PIECES.len()).prop_map(|piece| PIECES[piece].to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..6),
        1 => "[0-9.eE+-]{1,20}".prop_map(String::into_bytes),
    ];
    prop_oneof![
        3 => (at(), 0..8_u8).prop_map(|(at, bit)| Change::Flip { at, bit }),
        6 => (at(), piece).prop_map(|(at, bytes)| Change::Insert { at, bytes }),
        3 => (at(), 1..30_usize).prop_map(|(at, count)| Change::Delete { at, count }),
        2 => (at(), 1..40_usize, prop_oneof![3 => 1..3_usize, 1 => 90..110_usize])
            .prop_map(|(at, count, times)| Change::Repeat { at, count, times }),
        2 => (at(), at(), at()).prop_map(|(at, text, from)| Change::Splice { at, text, from }),
    ]
}

/// One of `texts` with some changes.
pub(crate) fn mutant(texts: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec(change(), 0..6);
    (0..texts.len(), changes).prop_map(|(text, changes)| {
        let mut bytes = texts[text].as_bytes().to_vec();
        for change in changes {
            apply(&change, texts, &mut bytes);
        }
        bytes
    })
}

fn apply(change: &Change, texts: &[&str], bytes: &mut Vec<u8>) {
    let within = |at: usize| at % (bytes.len() + 1);
    match change {
        Change::Flip { at, bit } => {
            let at = within(*at);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << bit;
            }
        }
        Change::Insert { at, bytes: more } => {
            let at = within(*at);
            bytes.splice(at..at, more.iter().copied());
        }
        Change::Delete { at, count } => {
            let at = within(*at);
            bytes.drain(at..bytes.len().min(at + count));
        }
        Change::Repeat { at, count, times } => {
            let at = within(*at);
            let part = bytes[at..bytes.len().min(at + count)].repeat(*times);
            bytes.splice(at..at, part);
        }
        Change::Splice { at, text, from } => {
            bytes.truncate(within(*at));
            let other = texts[text % texts.len()].as_bytes();
            bytes.extend(&other[from % (other.len() + 1)..]);
        }
    }
}
