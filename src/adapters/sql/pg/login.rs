//! Logging in: SCRAM-SHA-256, in which no password crosses the line.
//!
//! Owns which users there are and what each may see.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion_postgres::pgwire::api::auth::sasl::SASLAuthStartupHandler;
use datafusion_postgres::pgwire::api::auth::sasl::scram::{
    SCRAM_ITERATIONS, ScramAuth, gen_salted_password,
};
use datafusion_postgres::pgwire::api::auth::{
    self, AuthSource, DefaultServerParameterProvider, LoginInfo, StartupHandler,
};
use datafusion_postgres::pgwire::api::{
    ClientInfo, ConnectionManager, ErrorHandler, METADATA_USER,
};
use datafusion_postgres::pgwire::error::{PgWireError, PgWireResult};
use datafusion_postgres::pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use futures::Sink;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Who may log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum User {
    /// `purser`: sees everything.
    Purser,
    /// `reader`: sees neither `cost_usd` nor `data`, nor what is made of costs.
    Reader,
}

/// A password, which is never shown.
pub struct Password(String);

/// The passwords of those who may log in.
#[derive(Debug)]
pub struct Passwords(BTreeMap<User, Password>);

impl User {
    /// The user of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "purser" => Some(Self::Purser),
            "reader" => Some(Self::Reader),
            _ => None,
        }
    }
}

impl Password {
    /// `None` for a text that is too easy to guess: shorter than eight characters.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (text.chars().count() >= 8).then(|| Self(text.to_owned()))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Password")
    }
}

impl Passwords {
    /// `None` when nobody could log in.
    pub fn new(all: impl IntoIterator<Item = (User, Password)>) -> Option<Self> {
        let all: BTreeMap<_, _> = all.into_iter().collect();
        (!all.is_empty()).then_some(Self(all))
    }
}

#[async_trait]
impl AuthSource for Passwords {
    async fn get_password(&self, login: &LoginInfo) -> PgWireResult<auth::Password> {
        let name = login.user().unwrap_or_default();
        let password = User::named(name).and_then(|user| self.0.get(&user));
        let password = password.ok_or_else(|| PgWireError::InvalidPassword(name.to_owned()))?;
        let salt = uuid::Uuid::new_v4().into_bytes().to_vec();
        let salted = gen_salted_password(&password.0, &salt, SCRAM_ITERATIONS);
        Ok(auth::Password::new(Some(salt), salted))
    }
}

/// Names the user of a wrong password: most clients leave the name out of their proof.
pub(super) struct NameUser;

impl ErrorHandler for NameUser {
    fn on_error<C: ClientInfo>(&self, client: &C, error: &mut PgWireError) {
        if let (PgWireError::InvalidPassword(name), Some(user)) =
            (error, client.metadata().get(METADATA_USER))
        {
            name.clone_from(user);
        }
    }
}

/// Takes a place for a connection before it logs in; a cancel needs none.
pub(super) struct InTurn {
    pub(super) room: Arc<Semaphore>,
    pub(super) login: SASLAuthStartupHandler<DefaultServerParameterProvider>,
}

#[async_trait]
impl StartupHandler for InTurn {
    async fn on_startup<C>(
        &self,
        client: &mut C,
        message: PgWireFrontendMessage,
    ) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: fmt::Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        // It ends with the connection.
        if client
            .session_extensions()
            .get::<OwnedSemaphorePermit>()
            .is_none()
            && let Ok(place) = Arc::clone(&self.room).acquire_owned().await
        {
            client.session_extensions().insert(place);
        }
        self.login.on_startup(client, message).await
    }
}

/// What greets a connection; with TLS the login is bound to the certificate.
pub(super) fn startup(
    passwords: Arc<Passwords>,
    certificate: Option<&[u8]>,
    connections: &Arc<ConnectionManager>,
) -> SASLAuthStartupHandler<DefaultServerParameterProvider> {
    let mut scram = ScramAuth::new(passwords);
    if let Some(Err(error)) = certificate.map(|pem| scram.configure_certificate(pem)) {
        tracing::debug!(%error, "logins are not bound to the certificate");
    }
    let mut parameters = DefaultServerParameterProvider::default();
    parameters.is_superuser = false;
    parameters.default_transaction_read_only = true;
    SASLAuthStartupHandler::new(Arc::new(parameters))
        .with_scram(scram)
        .with_connection_manager(Arc::clone(connections))
}
