//! JSON by RFC 8259, read one character after the other, as plainly as can be.
//!
//! Owns the grammar. An object keeps its members in the order written, each value its own text.

/// A value, and where it stands in the text.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) kind: Kind,
    /// Arrays and objects around its innermost part, its own included.
    pub(crate) depth: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Number,
    /// `None`: half of a surrogate pair stands in it.
    Text(Option<String>),
    Array(Vec<Value>),
    Object(Vec<(Option<String>, Value)>),
}

impl Value {
    /// Whether no half of a surrogate pair stands anywhere in it.
    pub(crate) fn is_unicode(&self) -> bool {
        match &self.kind {
            Kind::Null | Kind::Bool(_) | Kind::Number => true,
            Kind::Text(text) => text.is_some(),
            Kind::Array(values) => values.iter().all(Value::is_unicode),
            Kind::Object(members) => members
                .iter()
                .all(|(name, value)| name.is_some() && value.is_unicode()),
        }
    }
}

/// The value that `text` is; `None` when it is no JSON.
pub(crate) fn parse(text: &str) -> Option<Value> {
    let mut reader = Reader {
        bytes: text.as_bytes(),
        at: 0,
    };
    let value = reader.value()?;
    reader.space();
    (reader.at == text.len()).then_some(value)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let is_there = self.bytes[self.at..].starts_with(word.as_bytes());
        self.at += word.len();
        is_there.then_some(())
    }

    fn value(&mut self) -> Option<Value> {
        self.space();
        let start = self.at;
        let mut depth = 0;
        let kind = match self.peek()? {
            b'{' => {
                let members = self.list(b'}', |reader| {
                    reader.space();
                    let name = reader.text()?;
                    reader.space();
                    reader.word(":")?;
                    Some((name, reader.value()?))
                })?;
                depth = 1 + members
                    .iter()
                    .map(|(_, value)| value.depth)
                    .max()
                    .unwrap_or(0);
                Kind::Object(members)
            }
            b'[' => {
                let values = self.list(b']', Self::value)?;
                depth = 1 + values.iter().map(|value| value.depth).max().unwrap_or(0);
                Kind::Array(values)
            }
            b'"' => Kind::Text(self.text()?),
            b't' => self.word("true").map(|()| Kind::Bool(true))?,
            b'f' => self.word("false").map(|()| Kind::Bool(false))?,
            b'n' => self.word("null").map(|()| Kind::Null)?,
            _ => self.number().map(|()| Kind::Number)?,
        };
        let end = self.at;
        Some(Value {
            start,
            end,
            kind,
            depth,
        })
    }

    fn list<T>(
        &mut self,
        close: u8,
        mut one: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.at += 1;
        self.space();
        let mut all = Vec::new();
        if self.peek()? == close {
            self.at += 1;
            return Some(all);
        }
        loop {
            all.push(one(self)?);
            self.space();
            match self.next()? {
                b',' => {}
                byte if byte == close => return Some(all),
                _ => return None,
            }
        }
    }

    fn number(&mut self) -> Option<()> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek()? {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    /// A string; the inner `None` when half of a surrogate pair stands in it.
    fn text(&mut self) -> Option<Option<String>> {
        if self.next()? != b'"' {
            return None;
        }
        // UTF-16, in which halves can be seen.
        let mut units: Vec<u16> = Vec::new();
        loop {
            let start = self.at;
            while !matches!(self.peek()?, b'"' | b'\\' | 0..0x20) {
                self.at += 1;
            }
            let plain = std::str::from_utf8(&self.bytes[start..self.at]).expect("UTF-8");
            units.extend(plain.encode_utf16());
            match self.next()? {
                b'"' => return Some(String::from_utf16(&units).ok()),
                b'\\' => units.push(self.escape()?),
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<u16> {
        let byte = match self.next()? {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            byte @ (b'"' | b'\\' | b'/') => byte,
            b'u' => {
                let digits = self.bytes.get(self.at..self.at + 4)?;
                self.at += 4;
                let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
                let digits = std::str::from_utf8(digits).ok().filter(|_| is_hex)?;
                return u16::from_str_radix(digits, 16).ok();
            }
            _ => return None,
        };
        Some(byte.into())
    }
}
