//! A disk that loses what was not synced, or refuses, under the real program.
//!
//! Owns building the library that stands between the program and the C library, what it is told,
//! and what a power loss leaves. What the library does stands at its top.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::support::dice::Dice;

/// A folder on such a disk. What it keeps lies beside the folder.
pub(crate) struct Disk {
    folder: TempDir,
}

/// What a power loss leaves of what was not synced.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Left {
    /// No byte and no name.
    Nothing,
    /// Every name, and of the bytes some from the beginning.
    Torn,
}

impl Disk {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["root", "platter"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        Self { folder }
    }

    /// The folder as the program sees it.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// Puts the disk under a program.
    pub(crate) fn under(&self, command: &mut Command) {
        let path = |name: &str| self.folder.path().join(name);
        command
            .env("LD_PRELOAD", library())
            .env("DISK_ROOT", self.root())
            .env("DISK_PLATTER", path("platter"))
            .env("DISK_FAULT", path("fault"));
    }

    /// From now on a call of a kind, `write` or `sync`, fails with this number.
    pub(crate) fn fail(&self, kind: &str, error: i32) {
        let (staged, fault) = (
            self.folder.path().join("new"),
            self.folder.path().join("fault"),
        );
        fs::write(&staged, format!("{kind} {error}")).expect("a file");
        fs::rename(staged, fault).expect("renamed");
    }

    /// All goes well again; tells how many calls failed.
    pub(crate) fn mend(&self) -> usize {
        fs::remove_file(self.folder.path().join("fault")).expect("deleted");
        let met = self.folder.path().join("fault.met");
        let failed = fs::read(&met).map_or(0, |met| met.len());
        // Nothing failed where it is not there.
        fs::remove_file(met).ok();
        failed
    }

    /// The disk as it is when the power is back.
    pub(crate) fn after_power_loss(&self, left: Left, random: &mut Dice) -> Self {
        let after = Self::new();
        match left {
            Left::Nothing => self.copy_synced(inode(&self.root()), &after.root()),
            Left::Torn => self.copy_torn(&self.root(), &after.root(), random),
        }
        after.settle(&after.root());
        after
    }

    /// What is there is on the disk.
    fn settle(&self, folder: &Path) {
        let keep = |kind, path: &Path| {
            let name = format!("platter/{kind}{}", inode(path));
            self.folder.path().join(name)
        };
        let mut names = String::new();
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str());
            let (name, inode) = (name.expect("UTF-8"), inode(&path));
            let kind = if path.is_dir() { 'd' } else { 'f' };
            names += &format!("{kind} {inode} {name}\n");
            if kind == 'd' {
                self.settle(&path);
            } else {
                fs::copy(&path, keep('f', &path)).expect("a copy");
                fs::hard_link(&path, keep('k', &path)).expect("a link");
            }
        }
        fs::write(keep('d', folder), names).expect("a file");
    }

    fn kept(&self, kind: char, inode: u64) -> Option<Vec<u8>> {
        let path = self.folder.path().join(format!("platter/{kind}{inode}"));
        fs::read(path).ok()
    }

    fn copy_synced(&self, folder: u64, to: &Path) {
        let names = self.kept('d', folder).unwrap_or_default();
        for line in String::from_utf8(names).expect("UTF-8").lines() {
            let mut words = line.splitn(3, ' ');
            let mut word = || words.next().expect("three words");
            let (kind, inode, name) = (word(), word().parse().expect("a number"), word());
            let to = to.join(name);
            if kind == "d" {
                fs::create_dir(&to).expect("a folder");
                self.copy_synced(inode, &to);
            } else {
                fs::write(to, self.kept('f', inode).unwrap_or_default()).expect("a file");
            }
        }
    }

    fn copy_torn(&self, from: &Path, to: &Path, random: &mut Dice) {
        for entry in fs::read_dir(from).expect("a folder") {
            let from = entry.expect("an entry").path();
            let to = to.join(from.file_name().expect("a name"));
            if from.is_dir() {
                fs::create_dir(&to).expect("a folder");
                self.copy_torn(&from, &to, random);
                continue;
            }
            let mut bytes = fs::read(&from).expect("a file");
            let synced = self.kept('f', inode(&from));
            let synced = synced.map_or(0, |synced| synced.len().min(bytes.len()));
            let more = random.below(1 + (bytes.len() - synced) as u64) as usize;
            bytes.truncate(synced + more);
            fs::write(to, bytes).expect("a file");
        }
    }
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).expect("it is there").ino()
}

/// The library, built once by the C compiler that the program needs too.
fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/disk/shim.c");
        let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("disk.so");
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let mut command = Command::new(&compiler);
        command.args([
            "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o",
        ]);
        let done = command.arg(&built).arg(source).arg("-ldl").output();
        let done = done.unwrap_or_else(|fault| panic!("run {compiler:?}: {fault}"));
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{compiler:?}: {said}");
        built
    })
}
