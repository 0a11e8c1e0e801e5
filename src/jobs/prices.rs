//! Price versions: into the data folder once, and out of it.
//!
//! Owns what may be published and when. Leaves the format to `adapters::price_files`.
//!
//! Invariant: a version in the data folder never changes, and none is put there that should have
//! priced usage already.

use std::path::Path;
use std::sync::Arc;

use object_store::path::Path as StorePath;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload};

use crate::adapters::price_files::{PriceFileFault, ReadError, load, read_folder, read_store};
use crate::domain::price::{PriceBook, PriceTable};
use crate::domain::rfc3339;
use crate::domain::units::{MICROS_PER_MINUTE, Timestamp};

/// The folder of price files below a data folder.
const FOLDER: &str = "prices";

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
        "there is no price file in {0}: publish some with `purser prices publish DIR`, or give \
         --prices DIR"
    )]
    None(String),
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
    #[error("could not write {path} into the data folder")]
    Write {
        path: String,
        #[source]
        source: object_store::Error,
    },
}

/// What publishing did, by version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    pub new: Vec<String>,
    /// There before, with the same content.
    pub known: Vec<String>,
}

/// The versions in a folder of price files on this machine.
///
/// # Errors
///
/// Every fault with its file and line; a folder without price files is one.
pub fn load_folder(folder: &Path) -> Result<PriceBook, PricesError> {
    let files = read_folder(folder)?;
    if files.is_empty() {
        return Err(PricesError::None(folder.display().to_string()));
    }
    load(&files).map_err(PricesError::Faults)
}

/// The price folder of a data folder.
#[derive(Clone, Debug)]
pub struct PriceFolder {
    /// Its paths begin at the data folder.
    pub store: Arc<dyn ObjectStore>,
    /// The data folder as people write it.
    pub shown: String,
}

impl PriceFolder {
    /// The versions that are in force or will be.
    ///
    /// # Errors
    ///
    /// Every fault with its file and line; a folder without price files is one.
    pub async fn load(&self) -> Result<PriceBook, PricesError> {
        let files = read_store(&*self.store, FOLDER).await?;
        if files.is_empty() {
            return Err(PricesError::None(format!("{}/{FOLDER}", self.shown)));
        }
        load(&files).map_err(PricesError::Faults)
    }

    /// Puts the versions in folder `from` in force. `now` is the ledger's; `None` for an empty
    /// one, which takes all.
    ///
    /// # Errors
    ///
    /// A fault in a file or in the set of all versions, a version that was published with other
    /// content, or one that would take effect too soon; nothing is published then.
    pub async fn publish(
        &self,
        from: &Path,
        now: Option<Timestamp>,
    ) -> Result<Published, PricesError> {
        let offered = read_folder(from)?;
        if offered.is_empty() {
            return Err(PricesError::None(from.display().to_string()));
        }
        load(&offered).map_err(PricesError::Faults)?;
        let there = read_store(&*self.store, FOLDER).await?;
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
                    in_time(&file, table, now)?;
                    all.push((file, text.clone()));
                    fresh.push((name, text));
                    published.new.push(version);
                }
            }
        }
        load(&all).map_err(PricesError::Faults)?;
        for (name, text) in fresh {
            self.write_once(&name, text).await?;
        }
        Ok(published)
    }

    /// Writes a file that nobody sees half, and that replaces none of other content.
    async fn write_once(&self, name: &str, text: String) -> Result<(), PricesError> {
        let path = StorePath::from_iter([FOLDER, name]);
        let failed = |source| PricesError::Write {
            path: path.to_string(),
            source,
        };
        let payload = PutPayload::from(text.clone());
        match self
            .store
            .put_opts(&path, payload, PutMode::Create.into())
            .await
        {
            Ok(_) => {}
            // Another process published the same at the same time.
            Err(taken @ object_store::Error::AlreadyExists { .. }) => {
                let there = self.store.get(&path).await.map_err(failed)?;
                if there.bytes().await.map_err(failed)? != text.as_bytes() {
                    return Err(failed(taken));
                }
            }
            Err(error) => return Err(failed(error)),
        }
        Ok(())
    }
}

/// A version must take effect well after the ledger's now, if it has one.
fn in_time(file: &str, table: &PriceTable, now: Option<Timestamp>) -> Result<(), PricesError> {
    let from = table.effective_from;
    match now.filter(|now| from <= now.plus(NOTICE)) {
        None => Ok(()),
        Some(now) => Err(PricesError::TooLate {
            file: file.to_owned(),
            version: table.version.clone(),
            from: rfc3339::format(from).to_string(),
            now: rfc3339::format(now).to_string(),
        }),
    }
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
    use object_store::local::LocalFileSystem;

    use super::*;

    fn table(version: &str, from: &str, credits: &str) -> String {
        format!(
            "version = \"{version}\"\neffective_from = \"{from}\"\n[[price]]\nid = \"p\"\n\
             task = \"t\"\nunit = \"u\"\nwhen = {{ type = \"t\" }}\ncredits = \"{credits}\"\n"
        )
    }

    #[tokio::test]
    async fn a_version_is_published_once_and_in_time() {
        let (from, to) = (
            tempfile::tempdir().expect("dir"),
            tempfile::tempdir().expect("dir"),
        );
        let to = PriceFolder {
            store: Arc::new(LocalFileSystem::new_with_prefix(to.path()).expect("a store")),
            shown: "data".to_owned(),
        };
        let put = |name: &str, text: &str| {
            std::fs::write(from.path().join(name), text).expect("a file");
        };
        let now = rfc3339::parse(b"2026-10-01T00:00:00Z");
        put("a.toml", &table("1", "2026-01-01T00:00:00Z", "1"));
        let first = to
            .publish(from.path(), None)
            .await
            .expect("an empty ledger takes all");
        assert_eq!(first.new, ["1"]);
        let again = to
            .publish(from.path(), now)
            .await
            .expect("the same again does nothing");
        assert_eq!((again.new.len(), again.known), (0, vec!["1".to_owned()]));

        put("a.toml", &table("1", "2026-01-01T00:00:00Z", "2"));
        let changed = to
            .publish(from.path(), None)
            .await
            .expect_err("never changes");
        assert!(changed.to_string().contains("a new `version`"), "{changed}");

        put("a.toml", &table("1", "2026-01-01T00:00:00Z", "1"));
        for (effective_from, is_in_time) in [
            ("2026-10-01T00:15:00Z", false),
            ("2026-10-01T00:15:00.000001Z", true),
        ] {
            put("b.toml", &table("2", effective_from, "1"));
            let published = to.publish(from.path(), now).await;
            assert_eq!(published.is_ok(), is_in_time, "{published:?}");
        }
        assert_eq!(to.load().await.expect("versions").tables().len(), 2);
    }
}
