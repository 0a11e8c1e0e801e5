//! Price versions: into the data folder once, and out of it.
//!
//! Owns what may be published and when. Leaves the format to `adapters::price_files`.
//!
//! Invariant: a version in the data folder never changes, and none is put there that should have
//! priced usage already.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::adapters::price_files::{PriceFileFault, ReadError, load, read_folder};
use crate::domain::price::PriceBook;
use crate::domain::rfc3339;
use crate::domain::units::{MICROS_PER_MINUTE, Timestamp};

/// A version must be published this long before it takes effect, so that every worker has seen
/// it by then.
const NOTICE: i64 = 15 * MICROS_PER_MINUTE;

/// Why price files can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PricesError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("the price files have faults:\n{}", list(.0))]
    Faults(Vec<PriceFileFault>),
    #[error(
        "there is no price file in {}: publish some with `purser prices publish DIR`, or give \
         --prices DIR", .0.display()
    )]
    None(PathBuf),
    #[error(
        "{file}: version `{version}` was published with other content and can't change: give the \
         new prices a new `version` and a later `effective_from`"
    )]
    Changed { file: String, version: String },
    #[error(
        "{file}: version `{version}` would take effect at {from}, but the ledger is at {now}: its \
         `effective_from` must lie more than 15 minutes after that"
    )]
    TooLate {
        file: String,
        version: String,
        from: String,
        now: String,
    },
    #[error("could not write {}", .path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// What publishing did, by version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    pub new: Vec<String>,
    /// There before, with the same content.
    pub known: Vec<String>,
}

/// The versions in a folder of price files.
///
/// # Errors
///
/// Every fault with its file and line; a folder without price files is one.
pub fn load_folder(folder: &Path) -> Result<PriceBook, PricesError> {
    let files = if folder.is_dir() {
        read_folder(folder)?
    } else {
        Vec::new()
    };
    if files.is_empty() {
        return Err(PricesError::None(folder.to_owned()));
    }
    load(&files).map_err(PricesError::Faults)
}

/// Puts the versions in folder `from` into folder `to`. `now` is the ledger's; `None` for an
/// empty one, which takes all.
///
/// # Errors
///
/// A fault in a file or in the set of all versions, a version that was published with other
/// content, or one that would take effect too soon; nothing is published then.
pub fn publish(from: &Path, to: &Path, now: Option<Timestamp>) -> Result<Published, PricesError> {
    let offered = read_folder(from)?;
    if offered.is_empty() {
        return Err(PricesError::None(from.to_owned()));
    }
    load(&offered).map_err(PricesError::Faults)?;
    let there = if to.is_dir() {
        read_folder(to)?
    } else {
        Vec::new()
    };
    let mut all = there.clone();
    let mut published = Published::default();
    let mut fresh = Vec::new();
    for (file, text) in offered {
        let alone = load(&[(file.clone(), text.clone())]).map_err(PricesError::Faults)?;
        let table = &alone.tables()[0];
        let version = table.version.clone();
        let name = format!("{version}.toml");
        match there.iter().find(|(known, _)| *known == name) {
            Some((_, known)) if *known == text => published.known.push(version),
            Some(_) => return Err(PricesError::Changed { file, version }),
            None => {
                let from = table.effective_from;
                if let Some(now) = now.filter(|now| from <= now.plus(NOTICE)) {
                    let (from, now) = (rfc3339::format(from), rfc3339::format(now));
                    let (from, now) = (from.to_string(), now.to_string());
                    return Err(PricesError::TooLate {
                        file,
                        version,
                        from,
                        now,
                    });
                }
                all.push((file, text.clone()));
                fresh.push((name, text));
                published.new.push(version);
            }
        }
    }
    load(&all).map_err(PricesError::Faults)?;
    for (name, text) in fresh {
        let path = to.join(name);
        match write_once(&path, &text) {
            // Another process published the same at the same time.
            Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists && holds(&path, &text) => {}
            written => written.map_err(|source| PricesError::Write { path, source })?,
        }
    }
    Ok(published)
}

fn holds(path: &Path, text: &str) -> bool {
    fs::read_to_string(path).is_ok_and(|there| there == text)
}

/// Writes a file that nobody sees half, and that replaces none.
fn write_once(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // Hidden, so that a worker that looks now does not read it.
    let draft = folder.join(format!(".{}", uuid::Uuid::new_v4()));
    let mut file = File::create_new(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    linked?;
    File::open(folder)?.sync_all()
}

fn list(faults: &[PriceFileFault]) -> String {
    faults
        .iter()
        .map(|fault| format!("  {fault}"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(version: &str, from: &str, credits: &str) -> String {
        format!(
            "version = \"{version}\"\neffective_from = \"{from}\"\n[[price]]\nid = \"p\"\n\
             task = \"t\"\nunit = \"u\"\nwhen = {{ type = \"t\" }}\ncredits = \"{credits}\"\n"
        )
    }

    #[test]
    fn a_version_is_published_once_and_in_time() {
        let (from, to) = (
            tempfile::tempdir().expect("dir"),
            tempfile::tempdir().expect("dir"),
        );
        let to = to.path().join("prices");
        let put = |name: &str, text: &str| {
            fs::write(from.path().join(name), text).expect("a file");
        };
        let now = rfc3339::parse(b"2026-10-01T00:00:00Z");
        put("a.toml", &table("1", "2026-01-01T00:00:00Z", "1"));
        let first = publish(from.path(), &to, None).expect("an empty ledger takes all");
        assert_eq!(first.new, ["1"]);
        let again = publish(from.path(), &to, now).expect("the same again does nothing");
        assert_eq!((again.new.len(), again.known), (0, vec!["1".to_owned()]));

        put("a.toml", &table("1", "2026-01-01T00:00:00Z", "2"));
        let changed = publish(from.path(), &to, None).expect_err("never changes");
        assert!(changed.to_string().contains("a new `version`"), "{changed}");

        put("a.toml", &table("1", "2026-01-01T00:00:00Z", "1"));
        for (effective_from, is_in_time) in [
            ("2026-10-01T00:15:00Z", false),
            ("2026-10-01T00:15:00.000001Z", true),
        ] {
            put("b.toml", &table("2", effective_from, "1"));
            let published = publish(from.path(), &to, now);
            assert_eq!(published.is_ok(), is_in_time, "{published:?}");
        }
        assert_eq!(load_folder(&to).expect("versions").tables().len(), 2);
    }
}
