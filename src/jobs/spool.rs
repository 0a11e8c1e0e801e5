//! Files that wait for their upload into a bucket.
//!
//! Owns a folder of this process alone, and deleting what ended processes left of theirs. Leaves
//! the files to `writer` and `maintain`.
//!
//! Invariant: nobody deletes the folder of a process that lives, for that holds a lock beside it,
//! which the system takes back however the process ends.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use uuid::Uuid;

/// The folder of all spools below the cache.
const FOLDER: &str = "upload";
/// What the lock's name ends in.
const LOCK: &str = "lock";

/// A folder below the cache; it is deleted with this.
#[derive(Debug)]
pub(super) struct Spool {
    folder: PathBuf,
    /// Held once the folder is claimed.
    lock: OnceLock<File>,
}

impl Spool {
    /// A folder below `cache` that nobody else uses; nothing is made yet.
    pub(super) fn new(cache: &Path) -> Self {
        Self {
            folder: cache.join(FOLDER).join(Uuid::new_v4().to_string()),
            lock: OnceLock::new(),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes the folder this process's, and deletes those of processes that have ended. A second
    /// call does nothing.
    ///
    /// # Errors
    ///
    /// The cache can't be written.
    pub(super) fn claim(&self) -> io::Result<()> {
        let Some(all) = self.folder.parent().filter(|_| self.lock.get().is_none()) else {
            return Ok(());
        };
        fs::create_dir_all(all)?;
        // One at a time, so that a lock that is made but not yet held is nobody's prey.
        let turn = File::open(all)?;
        turn.lock()?;
        for entry in fs::read_dir(all)? {
            sweep(&entry?.path());
        }
        let lock = File::create_new(self.folder.with_extension(LOCK))?;
        lock.lock()?;
        fs::create_dir(&self.folder)?;
        // Nobody else has the name.
        drop(self.lock.set(lock));
        Ok(())
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if self.lock.get().is_some() {
            delete(&self.folder.with_extension(LOCK));
        }
    }
}

/// Deletes the spool of a lock that nobody holds.
fn sweep(lock: &Path) {
    if lock.extension().is_none_or(|ending| ending != LOCK) {
        return;
    }
    match File::open(lock).map(|file| file.try_lock().map(|()| file)) {
        Ok(Ok(_held)) => delete(lock),
        Ok(Err(TryLockError::WouldBlock)) => {}
        Ok(Err(TryLockError::Error(error))) | Err(error) => {
            tracing::warn!(path = %lock.display(), %error, "could not look at an old upload");
        }
    }
}

/// The lock last: what could not be deleted is found by the next start.
fn delete(lock: &Path) {
    let folder = lock.with_extension("");
    let deleted = match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::remove_file(lock),
    };
    if let Err(error) = deleted {
        tracing::warn!(path = %folder.display(), %error, "could not delete an old upload");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_deletes_what_ended_processes_left_and_nothing_else() {
        let cache = tempfile::tempdir().expect("a folder");
        let all = cache.path().join(FOLDER);
        let spool = |name: &str| {
            fs::create_dir_all(all.join(name).join("day=2026-03-01")).expect("a folder");
            fs::write(all.join(name).join("day=2026-03-01/part"), "rows").expect("a file");
        };
        // A process that ended, one that lives, and what is none of ours.
        spool("ended");
        fs::write(all.join("ended.lock"), "").expect("a lock");
        spool("lives");
        let lives = File::create(all.join("lives.lock")).expect("a lock");
        lives.lock().expect("held");
        spool("another");

        let ours = Spool::new(cache.path());
        ours.claim().expect("claimed");
        ours.claim().expect("claimed before");
        assert!(ours.folder().is_dir());
        let there = || {
            let names = fs::read_dir(&all).expect("the cache");
            let name = |entry: io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
            let mut names: Vec<_> = names.map(name).collect();
            names.sort();
            names
        };
        assert_eq!(there().len(), 5, "{:?}", there());
        assert!(!all.join("ended").exists());
        // Another start while this one lives.
        let next = Spool::new(cache.path());
        next.claim().expect("claimed");
        assert!(ours.folder().is_dir());
        drop((ours, next));
        assert_eq!(there(), ["another", "lives", "lives.lock"]);
        drop(lives);
        Spool::new(cache.path()).claim().expect("claimed");
        assert_eq!(there(), ["another"]);
    }

    #[test]
    fn a_spool_that_was_never_claimed_leaves_nothing() {
        let cache = tempfile::tempdir().expect("a folder");
        drop(Spool::new(cache.path()));
        assert!(!cache.path().join(FOLDER).exists());
    }
}
