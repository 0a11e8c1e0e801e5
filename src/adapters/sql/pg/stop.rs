//! Ending a statement before its end.
//!
//! Owns when a client's cancel and its `statement_timeout` end what it runs. Leaves running it to
//! `bounded`.
//!
//! Invariant: a cancel reaches the statement or the rows that are under way, from their first step
//! to their last, and nothing that begins after them.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use datafusion_postgres::pgwire::api::results::SendableRowStream;
use datafusion_postgres::pgwire::api::{ClientInfo, ConnectionHandle};
use datafusion_postgres::pgwire::error::{PgWireError, PgWireResult};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, future, stream};
use tokio::time::{Instant, timeout_at};

use super::guard::error;

/// Where the service keeps what `SET statement_timeout` gave, in milliseconds.
const TIMEOUT: &str = "statement_timeout_ms";

/// `query_canceled`
const CANCELLED: &str = "57014";

/// Where cancels of a connection arrive.
struct Cancels(Arc<ConnectionHandle>);

impl Cancels {
    /// Takes the connection's handle to itself: whoever finds one under its own type listens until
    /// the first row, and only the last who began to listen hears a cancel.
    fn of(client: &impl ClientInfo) -> Option<Arc<Self>> {
        let extensions = client.session_extensions();
        if let Some(taken) = extensions.get::<Self>() {
            return Some(taken);
        }
        let handle = extensions.get::<Arc<ConnectionHandle>>()?;
        extensions.insert(Self(Arc::clone(&handle)));
        extensions.insert(Arc::new(ConnectionHandle::new()));
        extensions.get::<Self>()
    }
}

/// Ends with an error when the client cancels what it runs from now on.
pub(super) async fn cancel(client: &impl ClientInfo) -> BoxFuture<'static, PgWireError> {
    let cancelled = match Cancels::of(client) {
        Some(cancels) => Some(cancels.0.start_query().await),
        None => None,
    };
    async move {
        let is_cancelled = match cancelled {
            Some(cancelled) => cancelled.await.is_ok(),
            None => false,
        };
        if !is_cancelled {
            future::pending::<()>().await;
        }
        PgWireError::QueryCanceled
    }
    .boxed()
}

/// When what starts now must have ended.
pub(super) fn deadline(client: &impl ClientInfo) -> Option<Instant> {
    let limit = client.metadata().get(TIMEOUT)?.parse().ok()?;
    Instant::now().checked_add(Duration::from_millis(limit))
}

/// The outcome of `work`, or an error at the deadline.
pub(super) async fn by<T>(
    deadline: Option<Instant>,
    work: impl Future<Output = PgWireResult<T>>,
) -> PgWireResult<T> {
    match deadline {
        Some(deadline) => timeout_at(deadline, work)
            .await
            .unwrap_or_else(|_| Err(timed_out())),
        None => work.await,
    }
}

/// The rows, and an error in place of what has not come by the deadline.
pub(super) fn rows_by(deadline: Option<Instant>, mut rows: SendableRowStream) -> SendableRowStream {
    if deadline.is_none() {
        return rows;
    }
    let mut end = by(deadline, future::pending::<PgWireResult<Infallible>>()).boxed();
    // Looked at before each row, since rows that are ready give nothing else a turn.
    stream::poll_fn(move |context| match end.poll_unpin(context) {
        Poll::Ready(Err(fault)) => Poll::Ready(Some(Err(fault))),
        Poll::Pending => rows.poll_next_unpin(context),
    })
    .boxed()
}

fn timed_out() -> PgWireError {
    let told = "the statement took longer than statement_timeout";
    error(CANCELLED, told.to_owned())
}
