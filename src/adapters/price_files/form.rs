//! Reading single keys of a price file, and telling what to write where one is wrong.
//!
//! Owns kinds of values, missing and unknown keys, and the lines that faults are on. Leaves which
//! keys there are to `keys`, and what they mean to `table`, `price` and `plan`.
//!
//! Invariant: whatever returns nothing for a key that is there has told a fault.

use std::ops::RangeInclusive;

use toml_edit::{Item, TableLike, Value};

use crate::domain::decimal::{PlainError, scaled_from_plain};

/// Texts are bounded, since they become columns and names.
const TEXT_BYTES_MAX: usize = 256;

/// The keys that one kind of table may have, each with a value to show.
pub(super) struct Form {
    pub(super) name: &'static str,
    pub(super) keys: &'static [(&'static str, &'static str)],
    /// Keys of the format that this version of the program does not know yet.
    pub(super) not_yet: &'static [&'static str],
}

/// A table of the file, to be read by its form.
#[derive(Clone, Copy)]
pub(super) struct Section<'a> {
    pub(super) form: &'static Form,
    pub(super) table: &'a dyn TableLike,
    /// Where it begins in the text.
    pub(super) at: usize,
}

/// One key of a section with what was written for it.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) key: &'a str,
    pub(super) item: &'a Item,
    pub(super) at: usize,
    example: &'static str,
}

impl<'a> Field<'a> {
    /// The plain value, `None` for a table under a header.
    pub(super) fn value(&self) -> Option<&'a Value> {
        self.item.as_value()
    }
}

/// The largest number of decimal places and the first amount that is too large.
#[derive(Clone, Copy)]
pub(super) struct AmountKind {
    pub(super) places: u32,
    /// In units of 10^-`places`.
    pub(super) bound: i128,
    pub(super) bound_name: &'static str,
}

/// Collects the faults of one file.
pub(super) struct Reader<'a> {
    text: &'a str,
    pub(super) faults: Vec<(usize, String)>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            faults: Vec::new(),
        }
    }

    /// The line, from 1, that holds a place in the text.
    pub(super) fn line(&self, at: usize) -> usize {
        line_of(self.text, at)
    }

    pub(super) fn tell(&mut self, at: usize, message: String) {
        self.faults.push((self.line(at), message));
    }

    /// The key's field, if it is there.
    pub(super) fn optional(&self, section: Section<'a>, key: &str) -> Option<Field<'a>> {
        let (written, item) = section.table.get_key_value(key)?;
        let at = written
            .span()
            .or_else(|| item.span())
            .map_or(section.at, |span| span.start);
        let example = section.form.keys.iter().find(|(known, _)| *known == key);
        let example = example.map_or("", |(_, example)| *example);
        Some(Field {
            key: written.get(),
            item,
            at,
            example,
        })
    }

    /// The key's field; that it is missing is a fault.
    pub(super) fn required(&mut self, section: Section<'a>, key: &str) -> Option<Field<'a>> {
        let field = self.optional(section, key);
        if field.is_none() {
            let known = section.form.keys.iter().find(|(known, _)| *known == key);
            let (_, example) = known.copied().unwrap_or((key, "…"));
            let name = section.form.name;
            let message =
                format!("`{key}` is missing from this {name}; write e.g. {key} = {example}");
            self.tell(section.at, message);
        }
        field
    }

    /// Tells of every key that the section's form does not have.
    pub(super) fn unknown_keys(&mut self, section: Section<'a>) {
        let Form {
            name,
            keys,
            not_yet,
        } = *section.form;
        for (key, item) in section.table.iter() {
            if item.is_none() || keys.iter().any(|(known, _)| *known == key) {
                continue;
            }
            let at = self
                .optional(section, key)
                .map_or(section.at, |field| field.at);
            let message = if not_yet.contains(&key) {
                format!("`{key}` is not supported yet; take it out of this {name}")
            } else if let Some(meant) = nearest(key, keys) {
                format!("`{key}` is no key of a {name}; did you mean `{meant}`?")
            } else {
                let known: Vec<_> = keys.iter().map(|(known, _)| format!("`{known}`")).collect();
                format!(
                    "`{key}` is no key of a {name}; it may have {}",
                    known.join(", ")
                )
            };
            self.tell(at, message);
        }
    }

    /// A string of 1 to 256 bytes without control characters.
    pub(super) fn text(&mut self, field: Field<'a>) -> Option<&'a str> {
        let Some(text) = field.value().and_then(Value::as_str) else {
            self.wrong_type(field, "a string");
            return None;
        };
        let is_good =
            (1..=TEXT_BYTES_MAX).contains(&text.len()) && !text.contains(char::is_control);
        if !is_good {
            let (key, example) = (field.key, field.example);
            let message = format!(
                "`{key}` must be 1 to {TEXT_BYTES_MAX} bytes without control characters; write \
                 e.g. {key} = {example}"
            );
            self.tell(field.at, message);
        }
        is_good.then_some(text)
    }

    /// A text that must be there.
    pub(super) fn required_text(&mut self, section: Section<'a>, key: &str) -> Option<String> {
        let field = self.required(section, key)?;
        self.text(field).map(str::to_owned)
    }

    /// What `read` makes of a key: `None` for a fault, `Some(None)` for an absent key.
    pub(super) fn unless_absent<T>(
        &mut self,
        section: Section<'a>,
        key: &str,
        read: impl Fn(&mut Self, Field<'a>) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.optional(section, key) {
            None => Some(None),
            Some(field) => read(self, field).map(Some),
        }
    }

    pub(super) fn integer(&mut self, field: Field<'a>, range: RangeInclusive<i64>) -> Option<i64> {
        let Some(value) = field.value().and_then(Value::as_integer) else {
            self.wrong_type(field, "an integer");
            return None;
        };
        if !range.contains(&value) {
            let (from, to, key) = (range.start(), range.end(), field.key);
            let example = field.example;
            let message =
                format!("`{key}` must be from {from} to {to}; write e.g. {key} = {example}");
            self.tell(field.at, message);
        }
        range.contains(&value).then_some(value)
    }

    /// A string of a plain decimal, in units of 10^-`places`.
    pub(super) fn amount(&mut self, field: Field<'a>, kind: AmountKind) -> Option<i128> {
        let Field { key, example, .. } = field;
        let Some(text) = field.value().and_then(Value::as_str) else {
            self.wrong_type(field, "a string of a plain decimal");
            return None;
        };
        let why = match scaled_from_plain(text, kind.places) {
            Ok(amount) if amount < kind.bound => return Some(amount),
            Ok(_) | Err(PlainError::TooLarge) => format!("{} or more", kind.bound_name),
            Err(why @ (PlainError::NotPlain | PlainError::TooManyPlaces { .. })) => why.to_string(),
        };
        self.tell(
            field.at,
            format!("`{key}` {text:?} is {why}; write e.g. {key} = {example}"),
        );
        None
    }

    /// A table, inline or under a header.
    pub(super) fn section(&mut self, field: Field<'a>, form: &'static Form) -> Option<Section<'a>> {
        let Some(table) = field.item.as_table_like() else {
            self.wrong_type(field, "a table");
            return None;
        };
        let section = Section {
            form,
            table,
            at: field.at,
        };
        self.unknown_keys(section);
        Some(section)
    }

    /// A list of tables: an array of inline ones, or one header each.
    pub(super) fn sections(&mut self, field: Field<'a>, form: &'static Form) -> Vec<Section<'a>> {
        let mut sections = Vec::new();
        if let Some(tables) = field.item.as_array_of_tables() {
            for table in tables.iter() {
                let at = table.span().map_or(field.at, |span| span.start);
                sections.push(Section { form, table, at });
            }
        } else if let Some(array) = field.value().and_then(Value::as_array) {
            for value in array.iter() {
                let at = value.span().map_or(field.at, |span| span.start);
                match value.as_inline_table() {
                    Some(table) => sections.push(Section { form, table, at }),
                    None => self.wrong_element(field, value, "a table"),
                }
            }
        } else {
            self.wrong_type(field, "a list of tables");
        }
        for section in &sections {
            self.unknown_keys(*section);
        }
        sections
    }

    /// Tells that a key holds another kind of value than it should.
    pub(super) fn wrong_type(&mut self, field: Field<'a>, expected: &str) {
        let Field { key, item, at, .. } = field;
        let given = with_article(item.type_name());
        let instead = self.instead(field, expected);
        self.tell(
            at,
            format!("`{key}` is {given}; write {expected}: {instead}"),
        );
    }

    /// Tells that a list holds another kind of value than it should.
    pub(super) fn wrong_element(&mut self, field: Field<'a>, value: &Value, expected: &str) {
        let at = value.span().map_or(field.at, |span| span.start);
        let (key, given) = (field.key, with_article(value.type_name()));
        let example = field.example;
        let message =
            format!("`{key}` holds {given}; write {expected} in its place: {key} = {example}");
        self.tell(at, message);
    }

    /// The author's own value in quotes where only these were missing, else the example.
    fn instead(&self, field: Field<'a>, expected: &str) -> String {
        let Field { key, example, .. } = field;
        let raw = match field.value() {
            Some(value @ (Value::Integer(_) | Value::Float(_))) => value
                .span()
                .and_then(|span| self.text.get(span))
                .unwrap_or_default(),
            _ => "",
        };
        let is_text = expected.starts_with("a string");
        if is_text && scaled_from_plain(raw, 12).is_ok() {
            format!("{key} = \"{raw}\"")
        } else if example.starts_with("[[") {
            example.to_owned()
        } else {
            format!("{key} = {example}")
        }
    }
}

/// The line, from 1, of a byte of the text.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

fn with_article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {kind}")
}

/// The known key that is a slip away: up to a third of its letters, two at the least.
fn nearest(key: &str, known: &[(&'static str, &str)]) -> Option<&'static str> {
    let distances = known
        .iter()
        .map(|(known, _)| (letters_apart(key, known), *known));
    let (distance, known) = distances.min()?;
    (distance <= 2.max(known.len() / 3) && distance < known.len()).then_some(known)
}

/// How many letters must be put in, taken out or exchanged (Levenshtein).
fn letters_apart(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (above, letter) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (at, other) in right.chars().enumerate() {
            let exchanged = diagonal + usize::from(letter != other);
            diagonal = row[at + 1];
            row[at + 1] = exchanged.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}
