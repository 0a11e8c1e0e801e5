//! What can go wrong with the cache's files.
//!
//! Owns saying what was done to which file and why it failed. Leaves to the caller whether the
//! cache is thrown away (when it is opened) or the worker stops (later).

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::duplicates::OlderFault;

#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("could not {action} {}: {source}", .path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("{} {what}", .path.display())]
    Broken { path: PathBuf, what: String },
}

impl Fault {
    /// For `map_err`.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn broken(path: &Path, what: impl Into<String>) -> Self {
        Self::Broken {
            path: path.to_owned(),
            what: what.into(),
        }
    }
}

impl From<Fault> for OlderFault {
    /// The domain has one text for all: with the cause, and with the way out.
    fn from(fault: Fault) -> Self {
        let text = format!(
            "{fault}; free space there, or delete the folder: it is rebuilt from the ledger"
        );
        let source = match fault {
            Fault::Io { source, .. } => Some(Arc::new(source) as Arc<dyn Error + Send + Sync>),
            Fault::Broken { .. } => None,
        };
        Self { text, source }
    }
}
