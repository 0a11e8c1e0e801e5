//! The connection to the broker.
//!
//! Owns who we are to the broker, what the client buffers, and how it reconnects. Leaves flags and
//! environment to the command line.
//!
//! Invariant: once connected, the client reconnects for ever; the parts that use it notice a gap.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, ServerError, jetstream};

use super::NatsError;
use super::pulls::IN_FLIGHT_MESSAGES_MAX;

/// How long one request or publish acknowledgement may take.
pub(super) const ANSWER_WAIT: Duration = Duration::from_secs(5);

/// So many subjects are remembered on which we may not publish.
const FORBIDDEN_MAX: usize = 4_096;

/// The longest pause between two attempts to reconnect.
const RECONNECT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// Where the broker is and who we are.
///
/// Holds secrets, and therefore cannot be printed.
#[derive(Clone)]
pub struct Access {
    /// `nats://host:port` or `tls://host:port`; any of them will do.
    pub servers: Vec<String>,
    /// Shown in the broker's connection list.
    pub name: String,
    pub login: Login,
    pub tls: TlsFiles,
}

/// How to log in.
#[derive(Clone)]
pub enum Login {
    /// With nothing but what stands in the server's address.
    Address,
    CredentialsFile(PathBuf),
    Password {
        user: String,
        password: String,
    },
    /// The seed of an nkey (`SU…`).
    Nkey(String),
}

/// PEM files; a `tls://` address, or an authority here, requires TLS.
#[derive(Clone, Default)]
pub struct TlsFiles {
    pub authority: Option<PathBuf>,
    /// Our certificate and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// A connection; clones share it.
#[derive(Clone)]
pub struct Connection {
    pub(super) client: Client,
    pub(super) jetstream: jetstream::Context,
    forbidden: Arc<Mutex<BTreeSet<String>>>,
}

impl Connection {
    /// Connects, once: a broker that is not there now is an error.
    ///
    /// # Errors
    ///
    /// [`NatsError::Connect`] names the servers and what to try;
    /// [`NatsError::Credentials`] when the file cannot be read.
    pub async fn open(access: &Access) -> Result<Self, NatsError> {
        let forbidden = Arc::default();
        let options = options(access, Arc::clone(&forbidden)).await?;
        let client = options
            .connect(access.servers.as_slice())
            .await
            .map_err(|source| NatsError::Connect {
                servers: access
                    .servers
                    .iter()
                    .map(|url| without_secret(url))
                    .collect::<Vec<_>>()
                    .join(", "),
                advice: advice(source.kind()),
                source,
            })?;
        let jetstream = jetstream::ContextBuilder::new()
            .timeout(ANSWER_WAIT)
            .build(client.clone());
        Ok(Self {
            client,
            jetstream,
            forbidden,
        })
    }

    /// Whether the broker has said that this user may not publish on `subject`.
    pub(super) fn is_forbidden(&self, subject: &str) -> bool {
        let forbidden = self
            .forbidden
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        forbidden.contains(subject)
    }

    /// Whether the broker is connected at this moment.
    pub fn is_up(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// How often the client has connected. What was under way when this changes may be lost.
    pub(super) fn connects(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::Relaxed)
    }

    /// Sends what is buffered and closes the connection for every clone.
    ///
    /// # Errors
    ///
    /// [`NatsError::Close`] when the client has already ended.
    pub async fn close(self) -> Result<(), NatsError> {
        if self.is_up() {
            self.client
                .flush()
                .await
                .map_err(|fault| NatsError::Close(fault.into()))?;
        }
        self.client
            .drain()
            .await
            .map_err(|fault| NatsError::Close(fault.into()))
    }
}

async fn options(
    access: &Access,
    forbidden: Arc<Mutex<BTreeSet<String>>>,
) -> Result<ConnectOptions, NatsError> {
    let mut options = ConnectOptions::new()
        .name(&access.name)
        // Overflow drops messages; the pulls ask for fewer than this.
        .subscription_capacity(IN_FLIGHT_MESSAGES_MAX)
        .request_timeout(Some(ANSWER_WAIT))
        .reconnect_delay_callback(|attempts| {
            let pause = Duration::from_millis(50).saturating_mul(attempts.min(1_000) as u32);
            pause.min(RECONNECT_PAUSE_MAX)
        })
        .event_callback(move |event| {
            note(&event, &forbidden);
            log(&event);
            std::future::ready(())
        });
    options = match &access.login {
        Login::Address => options,
        Login::CredentialsFile(path) => {
            options
                .credentials_file(path)
                .await
                .map_err(|source| NatsError::Credentials {
                    path: path.clone(),
                    source,
                })?
        }
        Login::Password { user, password } => {
            options.user_and_password(user.clone(), password.clone())
        }
        Login::Nkey(seed) => options.nkey(seed.clone()),
    };
    if let Some(authority) = &access.tls.authority {
        options = options
            .add_root_certificates(authority.clone())
            .require_tls(true);
    }
    if let Some((certificate, key)) = &access.tls.certificate {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    Ok(options)
}

/// The address without `user:password@`, for messages.
fn without_secret(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        (None, Some((_, host))) => host.to_owned(),
        (_, None) => url.to_owned(),
    }
}

fn advice(kind: ConnectErrorKind) -> &'static str {
    match kind {
        ConnectErrorKind::ServerParse => "an address looks like nats://host:4222",
        ConnectErrorKind::Dns => "check the host's name",
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            "check the credentials file, or user and password"
        }
        ConnectErrorKind::Tls => "check the certificate files, and that the broker speaks TLS",
        ConnectErrorKind::TimedOut | ConnectErrorKind::Io | ConnectErrorKind::MaxReconnects => {
            "check the address and that the broker runs (for a trial: `nats-server -js`)"
        }
    }
}

/// Keeps the subject of a refusal to publish, as in `Permissions Violation for Publish to "a.b"`;
/// the first ones, for these are asked for.
fn note(event: &Event, forbidden: &Mutex<BTreeSet<String>>) {
    let Event::ServerError(ServerError::Other(text)) = event else {
        return;
    };
    let Some((words, rest)) = text.split_once('"') else {
        return;
    };
    let mut forbidden = forbidden.lock().unwrap_or_else(PoisonError::into_inner);
    if words.to_lowercase().contains("for publish to") && forbidden.len() < FORBIDDEN_MAX {
        forbidden.insert(rest.trim_end_matches(['"', '\'']).to_owned());
    }
}

fn log(event: &Event) {
    match event {
        Event::Connected => tracing::info!("connected to nats"),
        Event::Draining | Event::Closed => tracing::debug!(%event, "nats connection"),
        Event::Disconnected | Event::LameDuckMode => tracing::warn!(%event, "nats connection"),
        Event::SlowConsumer(_) | Event::ServerError(_) | Event::ClientError(_) => {
            tracing::warn!(%event, "nats connection");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_an_address_is_not_shown() {
        assert_eq!(
            without_secret("nats://me:s@cret@host:4222"),
            "nats://host:4222"
        );
        assert_eq!(without_secret("me:secret@host"), "host");
        assert_eq!(without_secret("nats://host:4222"), "nats://host:4222");
    }
}
