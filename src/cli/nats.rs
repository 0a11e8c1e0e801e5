//! The broker's flags → how to connect.

use super::args::Nats;
use crate::adapters::jetstream::{Access, Login, TlsFiles};

/// Where a password comes from: a flag would show in the list of processes.
const PASSWORD: &str = "PURSER_NATS_PASSWORD";

/// How to connect as `name`.
pub(super) fn access(nats: &Nats, name: &str) -> Access {
    let login = match (&nats.credentials, &nats.user) {
        (Some(file), _) => Login::CredentialsFile(file.clone()),
        (None, Some(user)) => Login::Password {
            user: user.clone(),
            password: std::env::var(PASSWORD).unwrap_or_default(),
        },
        (None, None) => Login::Address,
    };
    Access {
        servers: nats.servers.clone(),
        name: name.to_owned(),
        login,
        tls: TlsFiles {
            authority: nats.authority.clone(),
            certificate: nats.certificate.clone().zip(nats.key.clone()),
        },
    }
}
