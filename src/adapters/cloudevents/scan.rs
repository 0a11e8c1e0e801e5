//! A JSON scanner that checks a text and tells where its pieces lie.
//!
//! Owns the grammar of RFC 8259. Leaves the meaning of members to `decode` and numbers to
//! `domain::decimal`.
//!
//! Invariant: one pass, no recursion, nothing copied; strings are read eight bytes at a time.

use super::escape::hex4;

/// The text is not JSON, or nests deeper than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotJson;

/// A string's content between its quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct StringSpan {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) escaped: bool,
}

pub(super) struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    /// Open brackets of the value being skipped.
    nesting: &'a mut Vec<u8>,
    /// A `\u` escape named half of a surrogate pair: JSON by its grammar, but no text.
    pub(super) lone_surrogate: bool,
}

impl<'a> Scanner<'a> {
    /// Scans `text`, which is UTF-8, from `at` on; `nesting` is only a buffer to reuse.
    pub(super) fn new(text: &'a [u8], at: usize, nesting: &'a mut Vec<u8>) -> Self {
        Self {
            text,
            at,
            nesting,
            lone_surrogate: false,
        }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The next byte after white space, not taken.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.get(self.at)?;
            // Nearly always there is no white space, which one comparison tells.
            if byte > b' ' || !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    /// The byte behind the next one.
    #[inline]
    pub(super) fn second(&self) -> Option<u8> {
        self.text.get(self.at + 1).copied()
    }

    /// Takes just these bytes, if they are next, without white space.
    #[inline]
    pub(super) fn take_all<const N: usize>(&mut self, bytes: &[u8; N]) -> bool {
        let next = self.text.get(self.at..).and_then(<[u8]>::first_chunk);
        let found = next == Some(bytes);
        self.at += if found { N } else { 0 };
        found
    }

    /// Takes `byte` if it is next after white space.
    #[inline]
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Takes the next byte after white space.
    #[inline]
    pub(super) fn next(&mut self) -> Option<u8> {
        let next = self.peek()?;
        self.at += 1;
        Some(next)
    }

    /// Only white space is left.
    pub(super) fn is_at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    /// Skips any value; it may nest `depth_max` brackets deep.
    pub(super) fn skip_value(&mut self, depth_max: usize) -> Result<(), NotJson> {
        self.nesting.clear();
        loop {
            match self.peek().ok_or(NotJson)? {
                b'"' => drop(self.string()?),
                open @ (b'{' | b'[') => {
                    self.at += 1;
                    if self.nesting.len() == depth_max {
                        return Err(NotJson);
                    }
                    self.nesting.push(open);
                    let close = if open == b'{' { b'}' } else { b']' };
                    if !self.take(close) {
                        if open == b'{' {
                            self.name()?;
                        }
                        continue;
                    }
                    self.nesting.pop();
                }
                b'-' | b'0'..=b'9' => drop(self.number()?),
                _ => drop(self.literal()?),
            }
            if self.close_or_continue()? {
                return Ok(());
            }
        }
    }

    /// After a value: closes brackets and moves on to the next value; true when all are closed.
    fn close_or_continue(&mut self) -> Result<bool, NotJson> {
        while let Some(&open) = self.nesting.last() {
            if self.take(b',') {
                if open == b'{' {
                    self.name()?;
                }
                return Ok(false);
            }
            if !self.take(if open == b'{' { b'}' } else { b']' }) {
                return Err(NotJson);
            }
            self.nesting.pop();
        }
        Ok(true)
    }

    /// A member's name and its colon.
    #[inline]
    pub(super) fn name(&mut self) -> Result<StringSpan, NotJson> {
        if self.peek() != Some(b'"') {
            return Err(NotJson);
        }
        let name = self.string()?;
        if self.take(b':') {
            Ok(name)
        } else {
            Err(NotJson)
        }
    }

    /// `true`, `false` or `null`, the last as `None`.
    pub(super) fn literal(&mut self) -> Result<Option<bool>, NotJson> {
        let rest = &self.text[self.at..];
        for (word, value) in [
            (&b"true"[..], Some(true)),
            (b"false", Some(false)),
            (b"null", None),
        ] {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(NotJson)
    }

    /// A number, as the range of its text.
    pub(super) fn number(&mut self) -> Result<(usize, usize), NotJson> {
        let start = self.at;
        self.at += usize::from(self.text[self.at] == b'-');
        match self.text.get(self.at) {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => return Err(NotJson),
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.text.get(self.at) {
            self.at += 1;
            self.at += usize::from(matches!(self.text.get(self.at), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok((start, self.at))
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<(), NotJson> {
        let start = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        if self.at > start {
            Ok(())
        } else {
            Err(NotJson)
        }
    }

    /// A string whose opening quote is next.
    #[inline]
    pub(super) fn string(&mut self) -> Result<StringSpan, NotJson> {
        let start = self.at + 1;
        let end = plain_end(self.text, start);
        if self.text.get(end) == Some(&b'"') {
            self.at = end + 1;
            return Ok(StringSpan {
                start,
                end,
                escaped: false,
            });
        }
        self.escaped_string(start, end)
    }

    /// The same with escapes, the first one at `at`.
    #[cold]
    fn escaped_string(&mut self, start: usize, at: usize) -> Result<StringSpan, NotJson> {
        self.at = at;
        loop {
            match self.text.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                _ => return Err(NotJson), // a control character, or the text ended
            }
            self.at = plain_end(self.text, self.at);
        }
        let end = self.at;
        self.at += 1;
        Ok(StringSpan {
            start,
            end,
            escaped: true,
        })
    }

    /// Steps over one escape, or over the two of a surrogate pair.
    fn escape(&mut self) -> Result<(), NotJson> {
        match self.text.get(self.at + 1).ok_or(NotJson)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 2,
            b'u' => {
                let first = hex4(self.text, self.at + 2).ok_or(NotJson)?;
                self.at += 6;
                let low_follows = self.text[self.at..].starts_with(b"\\u")
                    && matches!(hex4(self.text, self.at + 2), Some(0xDC00..=0xDFFF));
                match first {
                    0xD800..=0xDBFF if low_follows => self.at += 6,
                    0xD800..=0xDFFF => self.lone_surrogate = true,
                    _ => {}
                }
            }
            _ => return Err(NotJson),
        }
        Ok(())
    }
}

/// Where the next quote, backslash or control character from `start` on is, or the end.
#[inline]
fn plain_end(text: &[u8], start: usize) -> usize {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    const TWOS: u64 = u64::from_ne_bytes([0x02; 8]);
    const QUOTES_AND_BELOW: u64 = u64::from_ne_bytes([b' ' + 1; 8]);
    const BACKSLASHES: u64 = u64::from_ne_bytes([b'\\'; 8]);
    let (words, tail) = text[start..].as_chunks::<8>();
    let mut at = start;
    for word in words {
        let word = u64::from_le_bytes(*word);
        // A byte's high bit is set where it is below what is taken away (or, past the first such,
        // by a borrow). With its bit of two turned, a quote is a space, space itself is above that,
        // and control characters stay among themselves.
        let below = |word: u64, bound: u64| word.wrapping_sub(bound) & !word;
        let quotes_and_controls = below(word ^ TWOS, QUOTES_AND_BELOW);
        let special = (quotes_and_controls | below(word ^ BACKSLASHES, ONES)) & HIGHS;
        if special != 0 {
            return at + special.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
    at + tail.iter().position(is_special).unwrap_or(tail.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_json(text: &str) -> bool {
        let mut nesting = Vec::new();
        let mut scanner = Scanner::new(text.as_bytes(), 0, &mut nesting);
        scanner.skip_value(usize::MAX).is_ok() && scanner.is_at_end()
    }

    #[test]
    fn agrees_with_a_json_library_on_what_is_json() {
        for text in [
            "{}",
            "[]",
            "[1,2]",
            "[1,]",
            "[,1]",
            "{\"a\":1}",
            "{\"a\":1,}",
            "{\"a\" 1}",
            "{a:1}",
            "\"\\u00e9\"",
            "\"\\x\"",
            "\"\u{1}\"",
            "\"tab\tinside\"",
            "01",
            "-",
            "-0",
            "1.",
            ".5",
            "1e5",
            "1E+05",
            "1e",
            "nul",
            "null",
            "true",
            "truefalse",
            "NaN",
            "Infinity",
            "1 2",
            "[[[]]]",
            "[[[]]",
            "{\"a\":{\"b\":[1,{\"c\":null}]}}",
            "[}",
            "{]",
            "",
            " ",
            "\"open",
            "\"quote \\\" inside and more than eight bytes\"",
            "'single'",
            "\u{feff}{}",
            "{}\0",
            "\"ünïcödé, long enough for words\"",
            "[1,\n\t2 , 3\r\n]",
            "{\"a\":1 \"b\":2}",
        ] {
            let expected = serde_json::from_str::<serde_json::Value>(text).is_ok();
            assert_eq!(is_json(text), expected, "{text:?}");
        }
    }

    /// Eight bytes are looked at together, so each character stands at each place of such a word,
    /// beside each kind of neighbour.
    #[test]
    fn every_character_at_every_place_is_what_a_json_library_says() {
        let characters = (0..0x300).filter_map(char::from_u32);
        for character in characters.chain(['\u{20ac}', '\u{10ffff}']) {
            for before in 0..17 {
                for around in [" ", "!", "#", "]", "é"] {
                    let (left, right) = (around.repeat(before), around.repeat(9));
                    let text = format!("\"{left}{character}{right}\"");
                    let expected = serde_json::from_str::<serde_json::Value>(&text).is_ok();
                    assert_eq!(is_json(&text), expected, "{text:?}");
                }
            }
        }
    }

    #[test]
    fn limits_nesting() {
        let nest = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let mut nesting = Vec::new();
        assert!(
            Scanner::new(nest(100).as_bytes(), 0, &mut nesting)
                .skip_value(100)
                .is_ok()
        );
        assert!(
            Scanner::new(nest(101).as_bytes(), 0, &mut nesting)
                .skip_value(100)
                .is_err()
        );
        assert!(is_json(&nest(1_000_000)));
    }

    #[test]
    fn tells_of_lone_surrogates() {
        for (text, lone) in [
            (r#""\ud83d""#, true),
            (r#""\ude00""#, true),
            (r#""\ud83d\ude00""#, false),
        ] {
            let mut nesting = Vec::new();
            let mut scanner = Scanner::new(text.as_bytes(), 0, &mut nesting);
            assert!(scanner.skip_value(1).is_ok());
            assert_eq!(scanner.lone_surrogate, lone, "{text}");
        }
    }
}
