//! The manifest: which runs count, and what they were made for.
//!
//! Owns its format, and replacing it in one step. Leaves judging it to `open`.
//!
//! Invariant: a manifest is whole or is not read; the entries of its runs follow each other from
//! the first one on.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};

use super::checksum::Checksum;
use super::fault::Fault;
use super::run::About;

const NAME: &str = "manifest";
/// What a manifest is called until it is complete, with a random ending.
pub(super) const UNFINISHED: &str = "manifest-";
/// How often a manifest is written that another worker deletes meanwhile.
const TRIES: u32 = 10;
const FIRST_LINE: &str = "purser identities 3";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    /// The ledger's id, escaped to be one line.
    pub(super) ledger: String,
    /// Microseconds: what was occupied no longer ago than this is in the runs.
    pub(super) window: i64,
    pub(super) key: [u64; 4],
    /// Oldest first.
    pub(super) runs: Vec<About>,
}

impl Manifest {
    /// The manifest of `folder`, `None` when there is none.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, Fault> {
        let path = folder.join(NAME);
        match fs::read(&path) {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                let manifest = Self::parse(&text).map_err(|what| Fault::broken(&path, what))?;
                Ok(Some(manifest))
            }
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(fault) => Err(Fault::io("read", &path)(fault)),
        }
    }

    /// Replaces the manifest of `folder`.
    pub(super) fn write(&self, folder: &Path) -> Result<(), Fault> {
        for _ in 1..TRIES {
            match self.try_write(folder) {
                // Another worker that starts here has deleted it as one that nobody finished.
                Err((_, gone)) if gone.kind() == io::ErrorKind::NotFound && folder.is_dir() => {}
                done => return done.map_err(|(path, fault)| Fault::io("write", &path)(fault)),
            }
        }
        let done = self.try_write(folder);
        done.map_err(|(path, fault)| Fault::io("write", &path)(fault))
    }

    fn try_write(&self, folder: &Path) -> Result<(), (PathBuf, io::Error)> {
        // A name of its own: two workers may be writing, one of them not yet aware of the other.
        let chance = RandomState::new().build_hasher().finish();
        let unfinished = folder.join(format!("{UNFINISHED}{chance:016x}"));
        let done = fs::write(&unfinished, self.text())
            .and_then(|()| fs::rename(&unfinished, folder.join(NAME)));
        done.map_err(|fault| {
            // If it stays, the next start deletes it.
            fs::remove_file(&unfinished).ok();
            (unfinished, fault)
        })
    }

    pub(super) fn key_id(key: [u64; 4]) -> u64 {
        Checksum::of(&key)
    }

    fn text(&self) -> String {
        let [a, b, c, d] = self.key;
        let mut text = format!(
            "{FIRST_LINE}\nledger {}\nwindow {}\nkey {a} {b} {c} {d}\n",
            self.ledger, self.window
        );
        for run in &self.runs {
            text += &format!(
                "run {} {} {} {} {} {}\n",
                run.number, run.count, run.first_entry, run.last_entry, run.last_hash, run.checksum
            );
        }
        let checksum = Checksum::of_text(&text);
        text + &format!("end {checksum:016x}\n")
    }

    /// # Errors
    ///
    /// What is wrong with it.
    fn parse(text: &str) -> Result<Self, &'static str> {
        const TORN: &str = "is torn";
        let (body, end) = text.rsplit_once("end ").ok_or(TORN)?;
        if format!("{:016x}\n", Checksum::of_text(body)) != end {
            return Err(TORN);
        }
        let mut lines = body.lines();
        if lines.next() != Some(FIRST_LINE) {
            return Err("is of another format");
        }
        let mut line = |name| {
            let line = lines.next()?;
            line.strip_prefix(name)?.strip_prefix(' ')
        };
        let ledger = line("ledger").ok_or(TORN)?.to_owned();
        let window = line("window")
            .and_then(|word| word.parse().ok())
            .ok_or(TORN)?;
        let key = line("key").and_then(numbers).ok_or(TORN)?;
        let mut runs: Vec<About> = Vec::new();
        while let Some(run) = line("run") {
            let [number, count, first, last, hash, checksum] = numbers(run).ok_or(TORN)?;
            let about = About {
                number,
                count,
                first_entry: first as i64,
                last_entry: last as i64,
                last_hash: hash,
                key_id: Self::key_id(key),
                checksum,
            };
            if about.first_entry != covered(&runs).saturating_add(1) {
                return Err("leaves out entries");
            }
            runs.push(about);
        }
        Ok(Self {
            ledger,
            window,
            key,
            runs,
        })
    }
}

/// The last entry whose identities, and those of all before it, are in `runs`.
pub(super) fn covered(runs: &[About]) -> i64 {
    runs.last().map_or(0, |run| run.last_entry)
}

/// Exactly `N` numbers.
fn numbers<const N: usize>(text: &str) -> Option<[u64; N]> {
    let numbers: Result<Vec<u64>, _> = text.split(' ').map(str::parse).collect();
    numbers.ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(entries: &[(i64, i64)]) -> Manifest {
        let key = [1, 2, 3, u64::MAX];
        let run = |(number, entries): (usize, &(i64, i64))| About {
            number: number as u64,
            count: 9,
            first_entry: entries.0,
            last_entry: entries.1,
            last_hash: 1,
            key_id: Manifest::key_id(key),
            checksum: u64::MAX,
        };
        Manifest {
            ledger: "/data/t\\n".to_owned(),
            window: 7,
            key,
            runs: entries.iter().enumerate().map(run).collect(),
        }
    }

    #[test]
    fn reads_what_it_wrote_unless_entries_are_left_out() {
        for (entries, is_whole) in [
            (&[][..], true),
            (&[(1, 9), (10, 10), (11, 10), (11, i64::MAX)], true),
            (&[(2, 9)], false),
            (&[(1, 9), (11, 12)], false),
            (&[(1, 9), (9, 12)], false),
        ] {
            let written = manifest(entries);
            let read = Manifest::parse(&written.text());
            let expected = if is_whole {
                Ok(written)
            } else {
                Err("leaves out entries")
            };
            assert_eq!(read, expected);
        }
    }

    #[test]
    fn refuses_other_formats() {
        for (from, to) in [
            ("ties 3", "ties 2"),
            ("window", "widow"),
            ("key 1 2", "key 1 x"),
        ] {
            let text = manifest(&[(1, 9)]).text().replace(from, to);
            let body = text.rsplit_once("end ").unwrap().0;
            let sealed = format!("{body}end {:016x}\n", Checksum::of_text(body));
            assert!(Manifest::parse(&sealed).is_err(), "{sealed}");
        }
    }

    #[test]
    fn is_written_whatever_another_start_deletes() {
        let folder = tempfile::tempdir().unwrap();
        let written = manifest(&[(1, 9)]);
        let is_done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_done.load(std::sync::atomic::Ordering::Relaxed) {
                    for entry in fs::read_dir(folder.path()).unwrap().flatten() {
                        let path = entry.path();
                        if path.to_string_lossy().contains(UNFINISHED) {
                            fs::remove_file(path).ok();
                        }
                        std::thread::yield_now();
                    }
                }
            });
            let all = (0..50).try_for_each(|_| written.write(folder.path()));
            is_done.store(true, std::sync::atomic::Ordering::Relaxed);
            all.unwrap();
        });
        assert_eq!(Manifest::read(folder.path()).unwrap(), Some(written));
    }
}
