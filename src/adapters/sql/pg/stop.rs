//! Ending a statement before its end.
//!
//! Owns what a cancel by the client and its `statement_timeout` do once rows flow: what serves the
//! protocol heeds a cancel only until the first row, and the time only while it plans.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use datafusion_postgres::pgwire::api::results::{Response, SendableRowStream};
use datafusion_postgres::pgwire::api::{ClientInfo, ConnectionHandle};
use datafusion_postgres::pgwire::error::{PgWireError, PgWireResult};
use futures::future::{BoxFuture, Shared};
use futures::{FutureExt, StreamExt, future, stream};
use tokio::time::{Instant, timeout_at};

use super::guard::error;

/// Where the service keeps what `SET statement_timeout` gave, in milliseconds.
const TIMEOUT: &str = "statement_timeout_ms";

/// `query_canceled`
const CANCELLED: &str = "57014";

/// When a statement that starts now must have ended.
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

/// Ends when the client cancels what it runs from now on. What was given before for the same
/// connection then waits for ever: a cancel is for the newest.
pub(super) async fn cancelled(client: &impl ClientInfo) -> Shared<BoxFuture<'static, ()>> {
    let handle = client.session_extensions().get::<Arc<ConnectionHandle>>();
    let cancel = match handle {
        Some(handle) => Some(handle.start_query().await),
        None => None,
    };
    let cancelled = async move {
        let is_cancelled = match cancel {
            Some(cancel) => cancel.await.is_ok(),
            None => false,
        };
        if !is_cancelled {
            future::pending::<()>().await;
        }
    };
    cancelled.boxed().shared()
}

/// Makes the rows end with an error when the client cancels them, and at the deadline.
///
/// Must be the last step of a statement: from here on a cancel reaches nothing but the rows.
pub(super) async fn stoppable(
    mut responses: Vec<Response>,
    client: &impl ClientInfo,
    deadline: Option<Instant>,
) -> Vec<Response> {
    let cancelled = cancelled(client).await;
    for response in &mut responses {
        let Response::Query(answer) = response else {
            continue;
        };
        let cancelled = cancelled.clone();
        let stop = by(deadline, async {
            cancelled.await;
            Err::<Infallible, _>(PgWireError::QueryCanceled)
        });
        let rows = std::mem::replace(&mut answer.data_rows, stream::empty().boxed());
        answer.data_rows = until(rows, stop);
    }
    responses
}

/// The rows, and the fault as soon as `stop` gives it.
fn until(
    mut rows: SendableRowStream,
    stop: impl Future<Output = PgWireResult<Infallible>> + Send + 'static,
) -> SendableRowStream {
    let mut stop = Box::pin(stop.fuse());
    stream::poll_fn(move |context| match stop.poll_unpin(context) {
        Poll::Ready(Err(fault)) => Poll::Ready(Some(Err(fault))),
        Poll::Pending => rows.poll_next_unpin(context),
    })
    .boxed()
}

fn timed_out() -> PgWireError {
    let told = "the statement took longer than statement_timeout";
    error(CANCELLED, told.to_owned())
}
