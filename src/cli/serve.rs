//! `purser serve`

use std::net::SocketAddr;

use anyhow::{anyhow, bail};

use super::args::{Common, Serve};
use super::failure::Failure;
use super::secret::from_environment;
use super::stop::told_to_stop;
use crate::adapters::sql::pg::{Password, Passwords, Tls, User};
use crate::adapters::sql::session::Limits;
use crate::jobs::serve::{self, serve};

/// Who may log in, and where the password stands.
const USERS: [(User, &str); 2] = [
    (User::Purser, "PURSER_PG_PASSWORD"),
    (User::Reader, "PURSER_PG_READER_PASSWORD"),
];

pub(super) async fn run(common: &Common, args: Serve) -> Result<(), Failure> {
    let stop = told_to_stop()?;
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => Some(Tls::read(certificate, key)?),
        _ => None,
    };
    if tls.is_none() && !args.pg.ip().is_loopback() {
        tracing::warn!("answers cross the network in the clear: give --tls-cert and --tls-key");
    }
    let job = serve::Serve {
        data: common.folder()?,
        listen: args.pg,
        passwords: passwords()?,
        tls,
        limits: Limits {
            memory_bytes_max: Some(args.memory_mib << 20),
        },
        listening,
    };
    Ok(serve(job, stop).await?)
}

fn listening(address: SocketAddr) {
    println!("listening on {address}, database purser");
}

fn passwords() -> anyhow::Result<Passwords> {
    let mut all = Vec::new();
    for (user, name) in USERS {
        let Some((place, text)) = from_environment(name)? else {
            continue;
        };
        match Password::new(&text) {
            Some(password) => all.push((user, password)),
            None => bail!("{place} is too short: take eight characters or more"),
        }
    }
    Passwords::new(all).ok_or_else(|| {
        anyhow!(
            "nobody could log in: set PURSER_PG_PASSWORD, PURSER_PG_READER_PASSWORD or both, or \
             …_FILE to the path of a file; make one with `openssl rand -base64 24`"
        )
    })
}
