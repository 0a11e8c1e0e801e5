//! Serve: the ledger, asked over the PostgreSQL protocol.
//!
//! Owns finding the newest state of the data before each statement. Leaves the protocol to
//! `adapters::sql::pg`.
//!
//! Invariant: a state is opened once, however many connections ask for it.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use super::data::{DataError, DataFolder};
use super::sql::{OpenError, tables};
use crate::adapters::ledger::{Books, Ledger};
use crate::adapters::sql::error::SqlError;
use crate::adapters::sql::pg::{self, Passwords, Server, Snapshot, Source, Tls};
use crate::adapters::sql::session::Limits;

/// What to serve, to whom.
pub struct Serve {
    pub data: DataFolder,
    pub listen: SocketAddr,
    pub passwords: Passwords,
    pub tls: Option<Tls>,
    /// For all statements together.
    pub limits: Limits,
    /// Called once with the address that is listened on.
    pub listening: fn(SocketAddr),
}

/// Why nothing can be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Sql(#[from] SqlError),
    #[error("could not listen on {address}; name another one with --pg")]
    Listen {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
}

/// The newest state, and of what it is.
struct Newest {
    data: DataFolder,
    opened: Mutex<Opened>,
}

struct Opened {
    ledger: Ledger,
    /// Versions of ledger and books that `snapshot` is of.
    versions: (u64, Option<u64>),
    snapshot: Arc<Snapshot>,
}

/// Serves until `stop` resolves.
///
/// # Errors
///
/// There is no ledger, or the address is taken.
pub async fn serve(job: Serve, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
    let mut ledger = job.data.ledger().await?;
    let (versions, snapshot) = newest(&job.data, &mut ledger).await?;
    let opened = Mutex::new(Opened {
        ledger,
        versions,
        snapshot,
    });
    let fault = |source| ServeError::Listen {
        address: job.listen,
        source,
    };
    let listener = TcpListener::bind(job.listen).await.map_err(fault)?;
    (job.listening)(listener.local_addr().map_err(fault)?);
    let server = Server {
        source: Arc::new(Newest {
            data: job.data,
            opened,
        }),
        passwords: Arc::new(job.passwords),
        tls: job.tls,
    };
    Ok(pg::serve(server, listener, &job.limits, stop).await?)
}

/// The newest state, and the versions that it is of.
async fn newest(
    data: &DataFolder,
    ledger: &mut Ledger,
) -> Result<((u64, Option<u64>), Arc<Snapshot>), OpenError> {
    let books = Books::open(data.url()).await?.version();
    let tables = tables(data, ledger, None).await?.into_providers()?;
    let snapshot = Snapshot {
        tables: tables.into_iter().collect(),
    };
    Ok(((ledger.version(), books), Arc::new(snapshot)))
}

#[async_trait]
impl Source for Newest {
    async fn newest(&self) -> Result<Arc<Snapshot>, Box<dyn std::error::Error + Send + Sync>> {
        let mut opened = self.opened.lock().await;
        let Opened {
            ledger,
            versions,
            snapshot,
        } = &mut *opened;
        ledger.refresh().await?;
        let books = Books::open(self.data.url()).await?.version();
        if (ledger.version(), books) != *versions {
            (*versions, *snapshot) = newest(&self.data, ledger).await?;
        }
        Ok(Arc::clone(snapshot))
    }
}
