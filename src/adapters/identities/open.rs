//! Opening the runs in a folder.
//!
//! Owns judging whether they can be used, and clearing away what cannot. Leaves to the caller
//! filling in, from the ledger, what they do not cover.
//!
//! Invariant: what is used was made of this ledger, of rows that it still has, for a window
//! no shorter than today's, and every bit of it is as it was written.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use crate::domain::duplicates::OlderFault;
use crate::domain::entry::Mark;

use super::IdentityRuns;
use super::background::Worker;
use super::budget::Room;
use super::fault::Fault;
use super::filter::Filter;
use super::manifest::{Manifest, UNFINISHED, covered};
use super::records::Record;
use super::run::{About, RUN, Run, delete};
use super::view::Shared;

/// What is needed to open the runs of one shard.
pub struct Opening {
    /// Made if it is not there; nothing else may be kept in it.
    pub folder: PathBuf,
    /// Tells this ledger and shard from any other.
    pub ledger_id: String,
    /// The ledger has another row at the [`mark`] of the runs, or none: it was put back to an
    /// earlier state, and has perhaps grown again since.
    pub is_forked: bool,
    /// Bytes of memory; see [`super::split`]. Below 8 MiB, up to 3 MiB more are used.
    pub budget_bytes: u64,
    /// Microseconds that an identity is kept at least.
    pub window: i64,
    /// Hash keys, in case that a new cache is begun; random.
    pub fresh_key: [u64; 4],
    /// The last entry that the ledger has committed; kept up to date by the owner.
    pub committed: Arc<AtomicI64>,
}

/// Runs that were opened.
pub struct Opened {
    pub runs: IdentityRuns,
    /// What all hashes must be made with.
    pub key: [u64; 4],
    /// The runs hold the identities of all entries up to this one.
    pub covered_entry: i64,
    /// Why an earlier cache was of no use.
    pub thrown_away: Option<String>,
}

/// The last row whose identity is in the runs of a folder; `None` when there are none that can be
/// used.
pub fn mark(folder: &Path) -> Option<Mark> {
    let manifest = Manifest::read(folder).ok()??;
    manifest.runs.last().map(About::mark)
}

/// The runs and their worker, which is not at work yet.
pub(super) fn prepare(opening: Opening) -> Result<(Opened, Worker), OlderFault> {
    let folder = &opening.folder;
    fs::create_dir_all(folder).map_err(Fault::io("make the folder", folder))?;
    let room = Room::new(opening.budget_bytes);
    let (manifest, runs, filter, thrown_away) = match load(&opening, room) {
        Ok((manifest, runs, filter)) => (manifest, runs, filter, None),
        Err(why) => (
            Manifest {
                ledger: one_line(&opening.ledger_id),
                window: opening.window,
                key: opening.fresh_key,
                runs: Vec::new(),
            },
            Vec::new(),
            Filter::with_room(0, room.filter_blocks),
            why,
        ),
    };
    manifest.write(folder)?;
    clear(&opening, &manifest)?;
    let numbers = manifest.runs.iter().map(|run| run.number);
    let last_number = numbers.max().unwrap_or(0);
    let filter = Arc::new(filter);
    let shared = Arc::new(Shared::new(Arc::clone(&filter), runs.clone()));
    let covered_entry = covered(&manifest.runs);
    let key = manifest.key;
    let worker = Worker {
        shared: Arc::clone(&shared),
        folder: opening.folder,
        manifest,
        committed: Arc::clone(&opening.committed),
        room,
        runs,
        filter,
        // Another process may still be at work here; no file of ours may have its name.
        next_number: last_number + 1 + (opening.fresh_key[0] >> 16),
        job: None,
        recent_count: 0,
    };
    let runs = IdentityRuns {
        view: shared.view(),
        shared,
        buffer: Vec::new(),
        last_entry: covered_entry,
        committed: opening.committed,
        forgetting: VecDeque::new(),
        thread: None,
    };
    let opened = Opened {
        runs,
        key,
        covered_entry,
        thrown_away,
    };
    Ok((opened, worker))
}

type Loaded = (Manifest, Vec<Arc<Run>>, Filter);

/// # Errors
///
/// Why nothing can be used, or `None` when there is nothing.
fn load(opening: &Opening, room: Room) -> Result<Loaded, Option<String>> {
    let told = |fault: Fault| Some(fault.to_string());
    let mut manifest = Manifest::read(&opening.folder).map_err(told)?.ok_or(None)?;
    let covered_entry = covered(&manifest.runs);
    if manifest.ledger != one_line(&opening.ledger_id) {
        return Err(Some(format!("it is of the ledger {}", manifest.ledger)));
    }
    if opening.is_forked {
        return Err(Some(format!(
            "it holds entries up to {covered_entry} that the ledger does not have any more"
        )));
    }
    if opening.window > manifest.window {
        return Err(Some(format!(
            "it was kept for {} µs, and {} are asked for",
            manifest.window, opening.window
        )));
    }
    // From now on, no more than today's window is kept.
    manifest.window = opening.window;
    let count = manifest.runs.iter().map(|run| run.count).sum();
    let filter = Filter::with_room(count, room.filter_blocks);
    let mut runs: Vec<Arc<Run>> = Vec::new();
    let mut used = 0;
    for about in &manifest.runs {
        let index_bytes = room.next_index_bytes(used);
        let each = |record: Record| filter.add(record.hash);
        let run = Run::open(&opening.folder, about.clone(), index_bytes, each).map_err(told)?;
        used += run.index_bytes();
        runs.push(Arc::new(run));
    }
    Ok((manifest, runs, filter))
}

/// Deletes all files that `manifest` does not name.
fn clear(opening: &Opening, manifest: &Manifest) -> Result<(), Fault> {
    let folder = &opening.folder;
    for entry in fs::read_dir(folder).map_err(Fault::io("read", folder))? {
        let path = entry.map_err(Fault::io("read", folder))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let number: Option<u64> = name.strip_prefix(RUN).and_then(|rest| rest.parse().ok());
        let is_run =
            number.is_some_and(|number| manifest.runs.iter().any(|run| run.number == number));
        let is_ours = number.is_some() || name.starts_with(UNFINISHED);
        if is_ours && !is_run {
            delete(&path)?;
        }
    }
    Ok(())
}

fn one_line(id: &str) -> String {
    id.escape_default().to_string()
}
