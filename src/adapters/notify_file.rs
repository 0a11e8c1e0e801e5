//! The file that names the receivers of alerts, in TOML.
//!
//! Owns its format, and on which line every fault is. Leaves reading secrets and addresses from
//! where it says they are, and what kinds and customers there are, to its callers.
//!
//! Invariant: nothing that was written is ignored; all faults are told at once, and none shows an
//! address, or a secret that was written where its place should be.

mod source;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml_edit::{Document, Item, Table, Value};

pub use source::{Source, is_path};

/// So many receivers one process serves.
pub const WEBHOOKS_MAX: usize = 100;
/// How long a request may take when nothing else is said.
pub const TIMEOUT: Duration = Duration::from_secs(15);
const TIMEOUT_SECONDS_MAX: i64 = 300;
const NAME_BYTES_MAX: usize = 64;

/// Every key of a webhook, each with a value to show.
const KEYS: [(&str, &str); 10] = [
    ("name", "\"crm\""),
    ("url", "\"https://example.com/hooks/purser\""),
    ("url_env", "\"SLACK_URL\""),
    ("url_file", "\"/run/secrets/slack-url\""),
    ("secret_env", "\"CRM_SECRET\""),
    ("secret_file", "\"/run/secrets/crm\""),
    ("kinds", "[\"used\", \"run_out\"]"),
    ("customers", "[\"acme\"]"),
    ("format", "\"slack\""),
    ("timeout_seconds", "15"),
];

/// What a webhook gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The alert's CloudEvent, signed by Standard Webhooks.
    #[default]
    Standard,
    /// A sentence in the form that Slack and what speaks its protocol take.
    Slack,
}

/// Something and the line that it was written on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<T> {
    /// From 1.
    pub line: usize,
    pub value: T,
}

/// One webhook of the file.
#[derive(Clone)]
pub struct Entry {
    pub name: String,
    pub address: Placed<Source>,
    pub secret: Option<Placed<Source>>,
    /// Empty for all.
    pub kinds: Placed<Vec<String>>,
    /// Empty for all.
    pub customers: Placed<Vec<String>>,
    pub format: Format,
    pub timeout: Duration,
}

/// Why the file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum NotifyFileError {
    #[error("read the file of webhooks {}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// A line for each fault: `notify.toml:12: …`.
    #[error("{0}")]
    Faulty(String),
}

/// Whether a receiver can be called so: letters, digits, `-` and `_`, since the name becomes a
/// consumer's and a part of a subject.
pub fn is_name(text: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_good)
}

/// Reads the webhooks of a file, in its order.
///
/// # Errors
///
/// [`NotifyFileError`] with every fault, each with its line and what to write instead.
pub fn read(path: &Path) -> Result<Vec<Entry>, NotifyFileError> {
    let text = fs::read_to_string(path).map_err(|source| NotifyFileError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    parse(&text).map_err(|faults| {
        let faults = faults.into_iter();
        let told = faults.map(|(line, message)| format!("{}:{line}: {message}", path.display()));
        NotifyFileError::Faulty(told.collect::<Vec<_>>().join("\n"))
    })
}

fn parse(text: &str) -> Result<Vec<Entry>, Vec<(usize, String)>> {
    let mut reader = Reader {
        text,
        faults: Vec::new(),
    };
    match Document::parse(text) {
        Ok(document) => {
            let entries = reader.entries(document.as_table());
            reader.faults.sort();
            if reader.faults.is_empty() {
                Ok(entries)
            } else {
                Err(reader.faults)
            }
        }
        Err(error) => {
            let line = reader.line(error.span().map_or(0, |span| span.start));
            let message = error.message().trim().replace('\n', ", ");
            Err(vec![(line, format!("this is not TOML: {message}"))])
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    faults: Vec<(usize, String)>,
}

impl Reader<'_> {
    fn entries(&mut self, root: &Table) -> Vec<Entry> {
        for (key, _) in root.iter().filter(|(key, _)| *key != "webhook") {
            let line = self.line_of(root, key);
            self.tell(
                line,
                format!("`{key}` is no key of this file; write [[webhook]] and its keys below it"),
            );
        }
        let Some(tables) = root.get("webhook").and_then(Item::as_array_of_tables) else {
            let line = self.line_of(root, "webhook");
            let message = "no webhook is named; write [[webhook]] and its keys below it";
            self.tell(line, message.to_owned());
            return Vec::new();
        };
        if tables.len() > WEBHOOKS_MAX {
            let line = self.line_of(root, "webhook");
            self.tell(
                line,
                format!("more than {WEBHOOKS_MAX} webhooks; write several files"),
            );
        }
        let mut names = BTreeMap::new();
        let mut entries = Vec::new();
        for table in tables.iter() {
            let Some(entry) = self.entry(table) else {
                continue;
            };
            let line = self.line_of(table, "name");
            if let Some(other) = names.insert(entry.name.clone(), line) {
                let name = &entry.name;
                self.tell(
                    line,
                    format!(
                        "`{name}` is the name of the webhook on line {other} too; write another"
                    ),
                );
            }
            entries.push(entry);
        }
        entries
    }

    /// `None` for one with a fault, which is told.
    fn entry(&mut self, table: &Table) -> Option<Entry> {
        let told_before = self.faults.len();
        for (key, _) in table.iter() {
            self.known(table, key);
        }
        let name = self.name(table);
        let address = self.source(table, "url");
        if address.is_none() && !has_any(table, &["url", "url_env", "url_file"]) {
            self.missing(table, "url");
        }
        let secret = self.source(table, "secret");
        let format = self.format(table);
        let has_secret = has_any(table, &["secret", "secret_env", "secret_file"]);
        if format == Format::Standard && !has_secret {
            self.missing(table, "secret_env");
        }
        let entry = Entry {
            name: name?,
            address: address?,
            secret,
            kinds: self.words(table, "kinds"),
            customers: self.words(table, "customers"),
            format,
            timeout: self.timeout(table),
        };
        (self.faults.len() == told_before).then_some(entry)
    }

    fn known(&mut self, table: &Table, key: &str) {
        if KEYS.iter().any(|(known, _)| *known == key) {
            return;
        }
        let message = if key == "secret" {
            format!(
                "a secret does not stand in this file; write secret_env = {} or secret_file = {}",
                example("secret_env"),
                example("secret_file")
            )
        } else {
            let known: Vec<&str> = KEYS.iter().map(|(known, _)| *known).collect();
            format!(
                "`{key}` is no key of a webhook; it may have {}",
                known.join(", ")
            )
        };
        self.tell(self.line_of(table, key), message);
    }

    fn name(&mut self, table: &Table) -> Option<String> {
        if !table.contains_key("name") {
            self.missing(table, "name");
        }
        let Placed { line, value } = self.text(table, "name")?;
        if !is_name(&value) {
            let message = format!(
                "`name` must be 1 to {NAME_BYTES_MAX} letters, digits, `-` and `_`; write e.g. \
                 name = {}",
                example("name")
            );
            self.tell(line, message);
            return None;
        }
        Some(value)
    }

    fn format(&mut self, table: &Table) -> Format {
        let Some(Placed { line, value }) = self.text(table, "format") else {
            return Format::default();
        };
        match value.as_str() {
            "standard" => Format::Standard,
            "slack" => Format::Slack,
            _ => {
                let message = "`format` must be \"standard\" or \"slack\"";
                self.tell(line, message.to_owned());
                // So that a missing secret is not told too.
                Format::Slack
            }
        }
    }

    fn timeout(&mut self, table: &Table) -> Duration {
        let Some(item) = table.get("timeout_seconds") else {
            return TIMEOUT;
        };
        let seconds = item.as_integer();
        let seconds = seconds.filter(|seconds| (1..=TIMEOUT_SECONDS_MAX).contains(seconds));
        let Some(seconds) = seconds.and_then(|seconds| u64::try_from(seconds).ok()) else {
            let line = self.line_of(table, "timeout_seconds");
            let message = format!(
                "`timeout_seconds` must be an integer from 1 to {TIMEOUT_SECONDS_MAX}; write e.g. \
                 timeout_seconds = {}",
                example("timeout_seconds")
            );
            self.tell(line, message);
            return TIMEOUT;
        };
        Duration::from_secs(seconds)
    }

    /// A string that is not empty.
    fn text(&mut self, table: &Table, key: &str) -> Option<Placed<String>> {
        let item = table.get(key)?;
        let line = self.line_of(table, key);
        let is_good = |text: &&str| !text.is_empty() && !text.contains(char::is_control);
        let Some(value) = item.as_str().filter(is_good) else {
            let message = format!(
                "`{key}` must be a string that is not empty; write e.g. {key} = {}",
                example(key)
            );
            self.tell(line, message);
            return None;
        };
        let value = value.to_owned();
        Some(Placed { line, value })
    }

    /// A list of strings; an absent one is empty, and an empty one a fault, since it could mean
    /// all or none.
    fn words(&mut self, table: &Table, key: &str) -> Placed<Vec<String>> {
        let line = self.line_of(table, key);
        let Some(item) = table.get(key) else {
            let value = Vec::new();
            return Placed { line, value };
        };
        let values = item.as_array().map(|array| array.iter());
        let words: Option<Vec<String>> = values.and_then(|values| values.map(word).collect());
        let value = words.unwrap_or_default();
        if value.is_empty() {
            let message = format!(
                "`{key}` must be a list of strings that is not empty; write e.g. {key} = {}, or \
                 nothing for all",
                example(key)
            );
            self.tell(line, message);
        }
        Placed { line, value }
    }

    fn missing(&mut self, table: &Table, key: &str) {
        let line = self.line(table.span().map_or(0, |span| span.start));
        let instead = if key == "secret_env" {
            ", or format = \"slack\" for a receiver that checks no signature"
        } else {
            ""
        };
        let message = format!(
            "`{key}` is missing from this webhook; write e.g. {key} = {}{instead}",
            example(key)
        );
        self.tell(line, message);
    }

    fn tell(&mut self, line: usize, message: String) {
        self.faults.push((line, message));
    }

    /// The line of a key, or else that of its table.
    fn line_of(&self, table: &Table, key: &str) -> usize {
        let span = table.get_key_value(key);
        let span = span.and_then(|(key, item)| key.span().or_else(|| item.span()));
        self.line(span.or_else(|| table.span()).map_or(0, |span| span.start))
    }

    fn line(&self, at: usize) -> usize {
        let before = self.text.bytes().take(at);
        1 + before.filter(|byte| *byte == b'\n').count()
    }
}

fn word(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn has_any(table: &Table, keys: &[&str]) -> bool {
    keys.iter().any(|key| table.contains_key(key))
}

fn example(key: &str) -> &'static str {
    let found = KEYS.iter().find(|(known, _)| *known == key);
    found.map_or("…", |(_, example)| *example)
}

#[cfg(test)]
mod tests;
