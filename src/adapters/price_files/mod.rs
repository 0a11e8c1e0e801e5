//! Price files: TOML text to a checked [`PriceBook`].
//!
//! Owns the format, and on which line of which file every fault is, those of `domain::price` too.
//! Leaves where files are kept and when a version may be published to its callers.
//!
//! Invariant: nothing that was written is ignored; all faults are told at once.

mod form;
mod keys;
mod plan;
mod price;
mod table;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use object_store::path::Path as StorePath;
use object_store::{ObjectStore, ObjectStoreExt};

use toml_edit::Document;

use self::form::{Reader, line_of};
use self::table::{Draft, Origin, read};
use crate::domain::price::{
    Fault, FaultKind, Place, PriceBook, PriceTable, check_table, check_versions,
};

#[cfg(test)]
mod tests;

/// What is wrong with a price file, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct PriceFileFault {
    pub file: String,
    /// From 1; 0 for a fault of the whole set.
    pub line: usize,
    pub message: String,
}

/// `2026-10.toml:12: …`.
impl fmt::Display for PriceFileFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(out, "{}: {}", self.file, self.message),
            line => write!(out, "{}:{line}: {}", self.file, self.message),
        }
    }
}

/// Why the files of a folder could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("reading the folder of price files {}", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("reading the price file {}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("reading price files from {path} of the data folder")]
    Store {
        path: String,
        source: object_store::Error,
    },
    #[error("{}:{line}: not UTF-8; save the file as UTF-8", path.display())]
    NotUtf8 { path: PathBuf, line: usize },
}

/// Name and text of every `*.toml` in the folder `prices` of a store, sorted by name; hidden files
/// are passed over, and a folder that is not there is empty.
///
/// # Errors
///
/// The folder or one of the files cannot be read, or is not UTF-8.
pub async fn read_store(
    store: &dyn ObjectStore,
    folder: &str,
) -> Result<Vec<(String, String)>, ReadError> {
    let failed = |path: &str| {
        let path = path.to_owned();
        |source| ReadError::Store { path, source }
    };
    let prefix = StorePath::from(folder);
    let listed = store.list_with_delimiter(Some(&prefix)).await;
    let listed = listed.map_err(failed(folder))?;
    let mut files = Vec::new();
    for file in listed.objects {
        let (path, name) = (file.location.as_ref(), file.location.filename());
        let Some(name) = name.filter(|name| is_price_file(name)) else {
            continue;
        };
        let found = store.get(&file.location).await.map_err(failed(path))?;
        let bytes = found.bytes().await.map_err(failed(path))?;
        files.push((name.to_owned(), text(bytes.to_vec(), Path::new(path))?));
    }
    files.sort();
    Ok(files)
}

/// Name and text of every `*.toml` in a folder, sorted by name; hidden files are passed over.
///
/// # Errors
///
/// The folder or one of the files cannot be read, or is not UTF-8.
pub fn read_folder(folder: &Path) -> Result<Vec<(String, String)>, ReadError> {
    let failed = |source| ReadError::Folder {
        path: folder.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if !is_price_file(&name) {
            continue;
        }
        let bytes = fs::read(&path).map_err(|source| ReadError::File {
            path: path.clone(),
            source,
        })?;
        files.push((name, text(bytes, &path)?));
    }
    files.sort();
    Ok(files)
}

fn is_price_file(name: &str) -> bool {
    name.ends_with(".toml") && !name.starts_with('.')
}

fn text(bytes: Vec<u8>, path: &Path) -> Result<String, ReadError> {
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..good]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        let path = path.to_owned();
        ReadError::NotUtf8 { path, line }
    })
}

/// Makes a price book of files, given as name and text.
///
/// # Errors
///
/// Every fault in the order of files and lines; of broken TOML only each file's first. What a
/// fault hides (clashes with a price that could not be read) is told once that one is mended.
pub fn load(files: &[(String, String)]) -> Result<PriceBook, Vec<PriceFileFault>> {
    let mut faults = Vec::new();
    let mut tables = Vec::new();
    let mut origins = Vec::new();
    for (file, (_, text)) in files.iter().enumerate() {
        let (draft, found) = read_draft(text);
        faults.extend(
            found
                .into_iter()
                .map(|(line, message)| (file, line, message)),
        );
        if let Some(Draft { table, origin }) = draft {
            tables.push(table);
            origins.push((file, origin));
        }
    }
    let found = if faults.is_empty() {
        match PriceBook::new(tables) {
            Ok(book) => return Ok(book),
            Err(found) => found,
        }
    } else {
        sure_faults(&tables, &origins)
    };
    faults.extend(found.iter().map(|fault| locate(fault, files, &origins)));
    faults.sort();
    let name = |file: usize| {
        files
            .get(file)
            .map_or("*.toml", |(name, _)| name)
            .to_owned()
    };
    let faults = faults
        .into_iter()
        .map(|(file, line, message)| PriceFileFault {
            file: name(file),
            line,
            message,
        });
    Err(faults.collect())
}

/// Reads one file: what could be read of it, and its faults with their lines.
fn read_draft(text: &str) -> (Option<Draft>, Vec<(usize, String)>) {
    let mut reader = Reader::new(text);
    match Document::parse(text) {
        Ok(document) => {
            let draft = read(&mut reader, document.as_table());
            (Some(draft), reader.faults)
        }
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            let message = error.message().trim().replace('\n', ", ");
            (
                None,
                vec![(line_of(text, at), format!("this is not TOML: {message}"))],
            )
        }
    }
}

/// The faults of a set of which parts could not be read, without those that only seem to be there
/// for want of these parts.
fn sure_faults(tables: &[PriceTable], origins: &[(usize, Origin)]) -> Vec<Fault> {
    let origin = |place: Place| origins.get(place.table).map(|(_, origin)| origin);
    let is_dated = |place| origin(place).is_some_and(|origin| origin.is_dated);
    let inside = tables
        .iter()
        .enumerate()
        .flat_map(|(at, table)| check_table(at, table));
    let between = check_versions(tables).into_iter();
    let between = between.filter(|fault| is_dated(fault.at) && fault.other.is_none_or(is_dated));
    let is_sure = |fault: &Fault| match fault.kind {
        FaultKind::PlanDropped { .. } | FaultKind::UnknownDefaultPlan { .. } => {
            origin(fault.at).is_some_and(|origin| origin.has_all_plans)
        }
        _ => true,
    };
    inside.chain(between).filter(is_sure).collect()
}

/// File, line and words of a fault of the domain.
fn locate(
    fault: &Fault,
    files: &[(String, String)],
    origins: &[(usize, Origin)],
) -> (usize, usize, String) {
    let place = |place: Place| {
        origins
            .get(place.table)
            .map(|(file, origin)| (*file, origin.line(place.item)))
    };
    let (file, line) = place(fault.at).unwrap_or((0, 0));
    let other = fault.other.and_then(place);
    let other = other.map_or_else(String::new, |(file, line)| {
        format!(" (the other one: {}:{line})", files[file].0)
    });
    (file, line, format!("{}{other}", fault.kind))
}
