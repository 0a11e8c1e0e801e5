//! Secrets, which no flag holds: a flag would show in the list of processes.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

use crate::adapters::notify_file::is_path;

/// The secret that the variable `name` holds, or the file that `<name>_FILE` names; with the
/// variable that it came from.
///
/// # Errors
///
/// Both are set, or the file can't be read; no message shows the secret.
pub(super) fn from_environment(name: &str) -> anyhow::Result<Option<(String, String)>> {
    let file = format!("{name}_FILE");
    match (variable(name), variable(&file)) {
        (Some(_), Some(_)) => bail!("{name} and {file} are both set; set one of them"),
        (Some(text), None) => Ok(Some((name.to_owned(), text))),
        (None, Some(path)) if !is_path(&path) => {
            bail!("{file} must be the PATH of a file with the secret")
        }
        (None, Some(path)) => Ok(Some((file, text_of(Path::new(&path))?))),
        (None, None) => Ok(None),
    }
}

/// The text of a file.
pub(super) fn text_of(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}

/// An environment variable that is set and not empty.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}
