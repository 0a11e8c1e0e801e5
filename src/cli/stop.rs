//! How a command that runs until it is told to stop is told: SIGTERM or SIGINT.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::failure::UNABLE;

/// Listens from now on; the future resolves when the process is asked to stop. Asked twice, it
/// ends at once: nothing that was not finished is lost, since a start reads it again.
///
/// # Errors
///
/// The signals can't be listened to.
pub(super) fn told_to_stop() -> io::Result<impl Future<Output = ()>> {
    let mut signals = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    Ok(async move {
        either(&mut signals).await;
        tokio::spawn(async move {
            either(&mut signals).await;
            std::process::exit(i32::from(UNABLE));
        });
    })
}

async fn either((terminate, interrupt): &mut (Signal, Signal)) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
