//! SQL over the PostgreSQL protocol.
//!
//! Owns the connections: who may log in, TLS, and a session for each. Leaves which statements pass
//! to `guard`, `bounded` and `expansion`, what ends one early to `stop`, the tables to `latest`,
//! and the newest state of the data to its [`Source`].
//!
//! Invariant: reads only, and only after a password. Every statement sees one state of the data,
//! the newest at its start.

mod bounded;
mod expansion;
mod guard;
mod latest;
mod login;
mod stop;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion_postgres::DfSessionService;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::context::EmptyContextProvider;
use datafusion_postgres::datafusion_pg_catalog::setup_pg_catalog;
use datafusion_postgres::hooks::cursor::CursorStatementHook;
use datafusion_postgres::hooks::set_show::SetShowHook;
use datafusion_postgres::hooks::transactions::TransactionStatementHook;
use datafusion_postgres::pgwire::api::auth::StartupHandler;
use datafusion_postgres::pgwire::api::cancel::{CancelHandler, DefaultCancelHandler};
use datafusion_postgres::pgwire::api::query::{ExtendedQueryHandler, SimpleQueryHandler};
use datafusion_postgres::pgwire::api::{ConnectionManager, ErrorHandler, PgWireServerHandlers};
use datafusion_postgres::pgwire::tokio::process_socket;
use futures::FutureExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::error::SqlError;
use super::session::{CATALOG, Limits, runtime};
use bounded::Bounded;
use guard::Guard;
pub use latest::{Snapshot, Source};
use login::{InTurn, NameUser, startup};
pub use login::{Password, Passwords, User};
pub use tls::{Tls, TlsError};

/// Connections at a time; a further one waits for the time that it has to log in.
const CONNECTIONS_MAX: usize = 64;
/// Connections that have not logged in, cancels among them, and those that have.
const SOCKETS_MAX: usize = 256;

/// Between attempts to accept a connection when one has failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What every connection needs.
pub struct Server {
    pub source: Arc<dyn Source>,
    pub passwords: Arc<Passwords>,
    /// Absent: connections are not encrypted.
    pub tls: Option<Tls>,
}

/// The handlers of one connection.
struct Handlers {
    service: Arc<Bounded>,
    server: Arc<Server>,
    connections: Arc<ConnectionManager>,
    room: Arc<Semaphore>,
}

/// Answers connections until `stop` resolves; statements under way are then dropped, which only
/// read.
///
/// # Errors
///
/// The memory limit can't be set up.
pub async fn serve(
    server: Server,
    listener: TcpListener,
    limits: &Limits,
    stop: impl Future<Output = ()>,
) -> Result<(), SqlError> {
    let server = Arc::new(server);
    let runtime = runtime(limits).map_err(SqlError::Open)?;
    let connections = Arc::new(ConnectionManager::new());
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let sockets = Arc::new(Semaphore::new(SOCKETS_MAX));
    let stop = stop.fuse();
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => return Ok(()),
            accepted = listener.accept() => accepted,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                // As when no file may be opened any more: that passes when others end.
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (server, runtime) = (Arc::clone(&server), Arc::clone(&runtime));
        let (connections, room) = (Arc::clone(&connections), Arc::clone(&room));
        let sockets = Arc::clone(&sockets);
        tokio::spawn(async move {
            let Ok(_socket) = sockets.acquire().await else {
                return;
            };
            if let Err(error) = answer(socket, server, &runtime, (connections, room)).await {
                tracing::warn!(%peer, error, "a connection failed");
            }
        });
    }
}

/// Answers one connection to its end.
async fn answer(
    socket: TcpStream,
    server: Arc<Server>,
    runtime: &Arc<RuntimeEnv>,
    (connections, room): (Arc<ConnectionManager>, Arc<Semaphore>),
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let context = Arc::new(super::session::context_on(Arc::clone(runtime)));
    setup_pg_catalog(&context, CATALOG, EmptyContextProvider)?;
    let guard = Guard::new(Arc::clone(&server.source), Arc::clone(runtime));
    let service = DfSessionService::new_with_hooks(
        context,
        vec![
            Arc::new(guard),
            Arc::new(CursorStatementHook),
            Arc::new(SetShowHook),
            Arc::new(TransactionStatementHook),
        ],
    );
    let tls = server.tls.as_ref().map(|tls| tls.acceptor.clone());
    let handlers = Handlers {
        service: Arc::new(Bounded(service)),
        server,
        connections,
        room,
    };
    process_socket(socket, tls, Arc::new(handlers)).await?;
    Ok(())
}

impl PgWireServerHandlers for Handlers {
    fn simple_query_handler(&self) -> Arc<impl SimpleQueryHandler> {
        Arc::clone(&self.service)
    }

    fn extended_query_handler(&self) -> Arc<impl ExtendedQueryHandler> {
        Arc::clone(&self.service)
    }

    fn startup_handler(&self) -> Arc<impl StartupHandler> {
        let certificate = self.server.tls.as_ref().map(|tls| &*tls.certificate);
        let passwords = Arc::clone(&self.server.passwords);
        Arc::new(InTurn {
            room: Arc::clone(&self.room),
            login: startup(passwords, certificate, &self.connections),
        })
    }

    fn error_handler(&self) -> Arc<impl ErrorHandler> {
        Arc::new(NameUser)
    }

    fn cancel_handler(&self) -> Arc<impl CancelHandler> {
        Arc::new(DefaultCancelHandler::new(Arc::clone(&self.connections)))
    }
}
