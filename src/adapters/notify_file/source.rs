//! Where the file says that an address or a secret is to be found.
//!
//! Owns telling a place from what should lie there. Leaves looking there to the callers.
//!
//! Invariant: a secret or an address that was written in the place of a name or a path is refused
//! here, without being shown, since later errors show names and paths.

use std::path::PathBuf;

use toml_edit::Table;

use super::{Placed, Reader, example};

/// What a secret begins with.
const SECRET_PREFIX: &str = "whsec_";

/// Where a text is to be found. Holds addresses, and therefore cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub enum Source {
    Text(String),
    /// The name of an environment variable.
    Variable(String),
    File(PathBuf),
}

impl Reader<'_> {
    /// Where the text called `what` is: in the file (for an address), in a variable or in a file.
    pub(super) fn source(&mut self, table: &Table, what: &str) -> Option<Placed<Source>> {
        let (variable, file) = (format!("{what}_env"), format!("{what}_file"));
        let mut found = Vec::new();
        if what == "url"
            && let Some(Placed { line, value }) = self.text(table, what)
        {
            let value = Source::Text(value);
            found.push(Placed { line, value });
        }
        if let Some(Placed { line, value }) = self.text(table, &variable) {
            if !is_variable(&value) {
                self.no_place(line, &variable, "NAME of an environment variable");
            }
            let value = Source::Variable(value);
            found.push(Placed { line, value });
        }
        if let Some(Placed { line, value }) = self.text(table, &file) {
            if !is_path(&value) {
                self.no_place(line, &file, "PATH of a file");
            }
            let value = Source::File(PathBuf::from(value));
            found.push(Placed { line, value });
        }
        if let [_, second, ..] = &found[..] {
            let message = format!("the {what} is given twice; write one of these keys");
            self.tell(second.line, message);
        }
        found.into_iter().next()
    }

    fn no_place(&mut self, line: usize, key: &str, wanted: &str) {
        let example = example(key);
        self.tell(
            line,
            format!("`{key}` must be the {wanted}; write e.g. {key} = {example}"),
        );
    }
}

/// Whether a text can be the name of an environment variable, and is no secret.
fn is_variable(text: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let starts_well = !text.starts_with(|c: char| c.is_ascii_digit());
    starts_well && !text.is_empty() && text.bytes().all(is_good) && !is_secret(text)
}

/// Whether a text can be the path of a file: no secret, and no address.
pub fn is_path(text: &str) -> bool {
    !is_secret(text) && !text.contains("://")
}

fn is_secret(text: &str) -> bool {
    text.trim_start().starts_with(SECRET_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_variable_is_no_secret_and_no_address() {
        for good in ["S", "_s", "CRM_SECRET", "crm2"] {
            assert!(is_variable(good), "{good}");
        }
        for bad in [
            "",
            "2crm",
            "a-b",
            "a b",
            "é",
            "a=b",
            "https://h",
            "whsec_",
            "whsec_abc",
            "ab+/=",
        ] {
            assert!(!is_variable(bad), "{bad}");
        }
    }

    #[test]
    fn a_path_is_no_secret_and_no_address() {
        for good in ["crm", "/run/secrets/crm", "../whsec_crm", "a b"] {
            assert!(is_path(good), "{good}");
        }
        for bad in ["whsec_abc", " whsec_abc", "https://h/x"] {
            assert!(!is_path(bad), "{bad}");
        }
    }
}
