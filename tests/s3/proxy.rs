//! A way to the server on which answers get lost.
//!
//! Owns passing requests on, one connection to the server for each of the program's, and what
//! becomes of each request. Leaves which request meets which fate to the test.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// The beginning of a request.
pub(crate) struct Request {
    pub(crate) method: String,
    /// With the query, without the address.
    pub(crate) path: String,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Pass,
    /// Passed without the line of its head that begins so.
    PassWithout(&'static str),
    /// The server does what is asked; its answer gets lost with the connection.
    LoseAnswer,
    /// The server does what is asked; its answer never comes.
    HoldAnswer,
    /// The server never sees it, and no answer comes.
    Hold,
    /// The server never sees it; an answer comes all the same.
    Answer(&'static str),
}

type Rule = Box<dyn FnMut(&Request) -> Fate + Send>;

/// A running proxy; it ends with the test program.
pub(crate) struct Proxy {
    port: u16,
    rule: Arc<Mutex<Rule>>,
    /// Requests that did not just pass.
    touched: Arc<AtomicUsize>,
}

impl Proxy {
    /// A proxy in front of the server on port `server`; everything passes.
    pub(crate) fn start(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("the free port").port();
        let rule: Arc<Mutex<Rule>> = Arc::new(Mutex::new(Box::new(|_| Fate::Pass)));
        let touched = Arc::new(AtomicUsize::new(0));
        let seen = (Arc::clone(&rule), Arc::clone(&touched));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (rule, touched) = seen.clone();
                // A side that goes away ends its connection, and nothing else.
                thread::spawn(move || drop(serve(client, server, &rule, &touched)));
            }
        });
        Self {
            port,
            rule,
            touched,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// From now on `rule` says what becomes of each request.
    pub(crate) fn rule(&self, rule: impl FnMut(&Request) -> Fate + Send + 'static) {
        *self.rule.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(rule);
    }

    /// How many requests did not just pass.
    pub(crate) fn touched(&self) -> usize {
        self.touched.load(Ordering::Acquire)
    }
}

fn serve(
    client: TcpStream,
    server: u16,
    rule: &Mutex<Rule>,
    touched: &AtomicUsize,
) -> io::Result<()> {
    let mut to_client = client.try_clone()?;
    let mut client = BufReader::new(client);
    let mut upstream: Option<BufReader<TcpStream>> = None;
    while let Some((mut head, body)) = read_message(&mut client, true)? {
        let mut words = head.split(' ');
        let request = Request {
            method: words.next().unwrap_or_default().to_owned(),
            path: words.next().unwrap_or_default().to_owned(),
        };
        let fate = rule.lock().unwrap_or_else(PoisonError::into_inner)(&request);
        if fate != Fate::Pass {
            touched.fetch_add(1, Ordering::AcqRel);
        }
        match &fate {
            Fate::Hold => return wait_for_end(&mut client),
            Fate::Answer(answer) => {
                to_client.write_all(answer.as_bytes())?;
                continue;
            }
            Fate::PassWithout(line) => {
                let is_kept = |kept: &&str| !kept.to_ascii_lowercase().starts_with(line);
                head = head.split_inclusive("\r\n").filter(is_kept).collect();
            }
            Fate::Pass | Fate::LoseAnswer | Fate::HoldAnswer => {}
        }
        let upstream = match &mut upstream {
            Some(there) => there,
            None => upstream.insert(BufReader::new(TcpStream::connect((
                Ipv4Addr::LOCALHOST,
                server,
            ))?)),
        };
        upstream.get_mut().write_all(head.as_bytes())?;
        upstream.get_mut().write_all(&body)?;
        let answer = read_message(upstream, request.method != "HEAD")?;
        let Some((head, body)) = answer else {
            return Ok(());
        };
        match fate {
            Fate::LoseAnswer => return Ok(()),
            Fate::HoldAnswer => return wait_for_end(&mut client),
            _ => {}
        }
        to_client.write_all(head.as_bytes())?;
        to_client.write_all(&body)?;
    }
    Ok(())
}

/// Says nothing until the client goes away.
fn wait_for_end(client: &mut BufReader<TcpStream>) -> io::Result<()> {
    io::copy(client, &mut io::sink())?;
    Ok(())
}

/// A head with its empty line, and the body behind it; `None` when the other side has gone.
fn read_message(
    from: &mut BufReader<TcpStream>,
    has_body: bool,
) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if from.read_line(&mut head)? == 0 {
            return Ok(None);
        }
    }
    let field = |name: &str| {
        let line = head.lines().find_map(|line| {
            line.split_once(':')
                .filter(|(n, _)| n.eq_ignore_ascii_case(name))
        });
        line.map(|(_, value)| value.trim().to_owned())
    };
    let mut body = Vec::new();
    if !has_body {
        return Ok(Some((head, body)));
    }
    if field("transfer-encoding").is_some_and(|how| how == "chunked") {
        read_chunks(from, &mut body)?;
    } else if let Some(length) = field("content-length").and_then(|length| length.parse().ok()) {
        body.resize(length, 0);
        from.read_exact(&mut body)?;
    }
    Ok(Some((head, body)))
}

/// A body in chunks, as it is.
fn read_chunks(from: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let start = body.len();
        from.read_until(b'\n', body)?;
        let size = String::from_utf8_lossy(&body[start..]).trim().to_owned();
        let size = usize::from_str_radix(&size, 16).map_err(io::Error::other)?;
        let before = body.len();
        body.resize(before + size + 2, 0);
        from.read_exact(&mut body[before..])?;
        if size == 0 {
            return Ok(());
        }
    }
}
