//! A JSON array without spaces, value by value.
//!
//! Owns going through the text. Leaves what the values mean to `state`.
//!
//! Invariant: nothing but such an array is understood.

use std::borrow::Cow;
use std::str::FromStr;

/// The text is no such array, or not of these values.
pub(super) struct Torn;

/// What is left of a text. A million of them are read at a start, and a library that understands
/// all of JSON takes noticeably longer.
pub(super) struct Values<'a> {
    rest: &'a str,
    /// Whether the next value is the first of its array.
    is_first: bool,
}

impl<'a> Values<'a> {
    /// Before the first value of `text`.
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            rest: text,
            is_first: true,
        }
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }

    fn skip(&mut self, text: &str) -> Result<(), Torn> {
        self.rest = self.rest.strip_prefix(text).ok_or(Torn)?;
        Ok(())
    }

    /// Comes to the next value.
    fn next(&mut self) -> Result<(), Torn> {
        match std::mem::take(&mut self.is_first) {
            true => Ok(()),
            false => self.skip(","),
        }
    }

    /// Goes into an array.
    pub(super) fn begin(&mut self) -> Result<(), Torn> {
        self.next()?;
        self.is_first = true;
        self.skip("[")
    }

    /// Leaves an array after its last value.
    pub(super) fn end(&mut self) -> Result<(), Torn> {
        self.is_first = false;
        self.skip("]")
    }

    /// Reads an array to its end.
    pub(super) fn list<T, E: From<Torn>>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, E>,
    ) -> Result<Vec<T>, E> {
        self.begin()?;
        let mut list = Vec::new();
        while !self.rest.starts_with(']') {
            list.push(read(self)?);
        }
        self.end()?;
        Ok(list)
    }

    /// A whole number.
    pub(super) fn number<T: FromStr>(&mut self) -> Result<T, Torn> {
        self.next()?;
        let is_other = |byte| !matches!(byte, b'0'..=b'9' | b'-');
        let length = self.rest.bytes().position(is_other);
        let (number, rest) = self.rest.split_at(length.unwrap_or(self.rest.len()));
        let digits = number.strip_prefix('-').unwrap_or(number);
        let is_written_so = number == "0" || !digits.starts_with('0');
        let parsed = number.parse().ok().filter(|_| is_written_so);
        self.rest = rest;
        parsed.ok_or(Torn)
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self) -> Result<bool, Torn> {
        self.next()?;
        let is_set = self.rest.starts_with("true");
        self.skip(if is_set { "true" } else { "false" })?;
        Ok(is_set)
    }

    /// A string; borrowed unless it has escapes.
    pub(super) fn text(&mut self) -> Result<Cow<'a, str>, Torn> {
        self.next()?;
        let quoted = self.rest;
        self.skip("\"")?;
        let mut is_escaped = false;
        // Or what must be written as one.
        let mut has_escapes = false;
        let is_end = |byte| {
            let ends = byte == b'"' && !is_escaped;
            is_escaped = byte == b'\\' && !is_escaped;
            has_escapes |= is_escaped || byte < b' ';
            ends
        };
        let length = self.rest.bytes().position(is_end).ok_or(Torn)?;
        let (text, rest) = self.rest.split_at(length);
        self.rest = rest;
        self.skip("\"")?;
        if !has_escapes {
            return Ok(text.into());
        }
        let text: String = serde_json::from_str(&quoted[..length + 2]).map_err(|_| Torn)?;
        Ok(text.into())
    }

    /// `null`, or what `read` reads; not the first value of an array.
    pub(super) fn optional<T, E>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        match self.rest.strip_prefix(",null").filter(|_| !self.is_first) {
            Some(rest) => {
                self.rest = rest;
                Ok(None)
            }
            None => read(self).map(Some),
        }
    }
}
