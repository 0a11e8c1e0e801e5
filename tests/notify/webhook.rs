//! A receiver of webhooks on a port of its own, which keeps every call and answers as it is told.
//!
//! Owns just enough of HTTP/1.1 for one request a connection, and verifying signatures. Its
//! threads end with the test program.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use crate::process::poll;

/// Long enough that nobody waits for the answer.
const FOR_EVER: Duration = Duration::from_secs(3_600);

/// One request as it came in.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) at: Instant,
}

/// How a call is answered.
pub(crate) enum Reply {
    Status(u16),
    /// Further lines of the head, each ended by `\r\n`, and a body.
    Full(u16, &'static str, &'static str),
    /// After a while.
    Late(Duration, u16),
    /// Never.
    Hang,
}

pub(crate) struct Webhook {
    port: u16,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Webhook {
    /// Answers by the number of the call, from 1, and the call itself.
    pub(crate) fn start(answer: impl Fn(usize, &Call) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("the port").port();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer) = (Arc::clone(&calls), Arc::new(answer));
        spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                spawn(move || serve(stream, &kept, &*answer));
            }
        });
        Self { port, calls }
    }

    /// One that takes everything.
    pub(crate) fn willing() -> Self {
        Self::start(|_, _| Reply::Status(204))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().expect("the calls").clone()
    }

    /// Waits until there are at least so many calls, and gives them.
    pub(crate) fn wait_for(&self, count: usize, log: impl Fn() -> String) -> Vec<Call> {
        poll(&format!("{count} calls"), log, || {
            let calls = self.calls();
            (calls.len() >= count).then_some(calls)
        })
    }

    /// The ids of all calls, in their order.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.calls().iter().map(Call::id).collect()
    }
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(|value| value.to_str());
        value.and_then(Result::ok).unwrap_or_default()
    }

    pub(crate) fn id(&self) -> String {
        self.header("webhook-id").to_owned()
    }

    /// Whether the signature is that of a secret, checked as a receiver does.
    pub(crate) fn is_signed_with(&self, secret: &str) -> bool {
        let webhook = standardwebhooks::Webhook::new(secret).expect("a secret");
        webhook.verify(&self.body, &self.headers).is_ok()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

fn serve(
    mut stream: TcpStream,
    calls: &Mutex<Vec<Call>>,
    answer: &(dyn Fn(usize, &Call) -> Reply + Send + Sync),
) {
    let Some(call) = read(&stream) else {
        return; // The other side went away in the middle.
    };
    let number = {
        let mut calls = calls.lock().expect("the calls");
        calls.push(call.clone());
        calls.len()
    };
    let (status, head, body) = match answer(number, &call) {
        Reply::Status(status) => (status, "", ""),
        Reply::Full(status, head, body) => (status, head, body),
        Reply::Late(pause, status) => {
            sleep(pause);
            (status, "", "")
        }
        Reply::Hang => {
            sleep(FOR_EVER);
            return;
        }
    };
    let length = match status {
        204 => String::new(),
        _ => format!("content-length: {}\r\n", body.len()),
    };
    let reply = format!("HTTP/1.1 {status} x\r\n{head}{length}connection: close\r\n\r\n{body}");
    // Who has been killed meanwhile does not read it.
    drop(stream.write_all(reply.as_bytes()));
}

/// Reads one request; `None` when it does not come to its end.
fn read(stream: &TcpStream) -> Option<Call> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = HeaderMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_str(value.trim()).ok()?);
    }
    let length = headers.get("content-length")?.to_str().ok()?.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let at = Instant::now();
    Some(Call {
        path,
        headers,
        body,
        at,
    })
}
