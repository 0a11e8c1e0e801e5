//! SQL over the PostgreSQL protocol, asked by two independent clients.
//!
//! Owns starting the server; `interop/serve.py` asks it. Clients are installed once into
//! `target/tools`.

#[path = "support/engines.rs"]
mod engines;
#[path = "support/purser.rs"]
mod purser;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use engines::{python, run};
use purser::{Place, ran, usage};

/// A server that ends with the test.
struct Served {
    child: Child,
    port: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().expect("it ran");
        self.child.wait().expect("its end");
    }
}

fn serve(place: &Place, more: &[&str]) -> Served {
    let mut command = place.command(&["serve", "--pg", "127.0.0.1:0"]);
    command.args(more);
    for (name, user) in [
        ("PURSER_PG_PASSWORD", "purser"),
        ("PURSER_PG_READER_PASSWORD", "reader"),
    ] {
        command.env(name, format!("secret-of-{user}"));
    }
    let mut child = command.stdout(Stdio::piped()).spawn().expect("a server");
    let mut line = String::new();
    let out = child.stdout.take().expect("its output");
    BufReader::new(out).read_line(&mut line).expect("a line");
    let address = line
        .strip_prefix("listening on ")
        .and_then(|rest| rest.split_once(','));
    let port = address.and_then(|(address, _)| address.rsplit_once(':'));
    let port = port.unwrap_or_else(|| panic!("{line}")).1.to_owned();
    Served { child, port }
}

#[test]
fn clients_of_postgres_read_what_their_user_may_see() {
    let place = Place::new();
    // 120 credits of a pool of 100, so that there is overage.
    let lines: Vec<String> = (0..120)
        .map(|n| usage(&format!("e{n}"), "acme", "05T10:00:00Z"))
        .collect();
    place.write("events.ndjson", lines.join("\n") + "\nbroken\n");
    place.replay("events.ndjson");
    place.write(
        "late.ndjson",
        usage("late", "late-comer", "06T10:00:00Z") + "\n",
    );
    let make = "import sys, trustme; ca = trustme.CA(); ca.cert_pem.write_to_path(sys.argv[1]);
cert = ca.issue_cert('localhost'); cert.private_key_pem.write_to_path(sys.argv[2]);
[pem.write_to_path(sys.argv[3], append=True) for pem in cert.cert_chain_pems]";
    let [authority, key, chain] = ["ca.pem", "key.pem", "chain.pem"].map(|name| place.path(name));
    run(Command::new(python())
        .args(["-c", make])
        .args([&authority, &key, &chain]));

    let served = serve(&place, &["--tls-cert", "chain.pem", "--tls-key", "key.pem"]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/serve.py");
    let mut ask = Command::new(python());
    ask.arg(script).arg(&served.port);
    ask.arg(served.child.id().to_string()).arg(&authority);
    ask.arg(env!("CARGO_BIN_EXE_purser"))
        .args(["replay", "--data"]);
    ask.arg(place.path("data")).arg(place.path("late.ndjson"));
    let asked = ran(ask.output().expect("python"));
    assert_eq!(asked.code, 0, "{}", asked.err);
    let sums = place.csv("SELECT SUM(credits), SUM(delta), SUM(amount) FROM ledger");
    let ours = sums.lines().nth(1).expect("a row").replace(',', "|");
    assert_eq!(asked.out.trim_end(), ours);
}

#[test]
fn a_server_that_nobody_could_log_in_to_does_not_start() {
    let place = Place::new();
    place.write("events.ndjson", usage("e", "acme", "05T10:00:00Z") + "\n");
    place.replay("events.ndjson");
    let ran = place.run(&["serve", "--pg", "127.0.0.1:0"]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.err
            .contains("nobody could log in: set PURSER_PG_PASSWORD"),
        "{}",
        ran.err
    );
}
