//! Which failures of a worker may pass by themselves.
//!
//! Owns the distinction: a full disk or a store that is away may pass, damage and refusals will
//! not. Leaves trying again to `run`.

use std::error::Error;
use std::io::{self, ErrorKind};

use super::RunError;
use crate::adapters::jetstream::NatsError;
use crate::adapters::ledger;
use crate::jobs::writer::WriterError;

/// Whether the same may go well later, though nobody has changed what the worker was told.
pub(super) fn may_pass(error: &RunError) -> bool {
    match error {
        RunError::Nats(NatsError::Refused(_)) => return false,
        RunError::Refused(_) | RunError::Prices(_) | RunError::Book(_) => return false,
        RunError::AheadOfClock { .. } | RunError::Panicked => return false,
        RunError::LongerWindow => return true,
        RunError::Shard(_) | RunError::Writer(_) | RunError::Filter(_) => {}
        RunError::Find(_) | RunError::Nats(_) => {}
    }
    if matches!(
        error,
        RunError::Writer(WriterError::Ledger(ledger::Error::Fenced { .. }))
    ) {
        return false;
    }
    let mut causes: Option<&(dyn Error + 'static)> = Some(error);
    let mut passes = matches!(error, RunError::Nats(_));
    while let Some(cause) = causes {
        // The last one that can be told apart decides: it is nearest to what happened.
        if let Some(cause) = cause.downcast_ref::<io::Error>() {
            passes = io_may_pass(cause).unwrap_or(passes);
        } else if let Some(cause) = cause.downcast_ref::<object_store::Error>() {
            passes = matches!(cause, object_store::Error::Generic { .. });
        } else if let Some(ledger::Error::Busy { .. }) = cause.downcast_ref::<ledger::Error>() {
            passes = true;
        }
        causes = cause.source();
    }
    passes
}

/// `None` for an error that says too little.
fn io_may_pass(error: &io::Error) -> Option<bool> {
    /// The device has lost what it was given.
    const EIO: i32 = 5;
    match error.kind() {
        _ if error.raw_os_error() == Some(EIO) => Some(false),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::ResourceBusy => Some(true),
        ErrorKind::TimedOut | ErrorKind::Interrupted | ErrorKind::BrokenPipe => Some(true),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => Some(true),
        ErrorKind::ConnectionAborted | ErrorKind::NotConnected => Some(true),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Some(true),
        ErrorKind::NetworkDown | ErrorKind::UnexpectedEof => Some(true),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Some(false),
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::AlreadyExists => Some(false),
        ErrorKind::InvalidData | ErrorKind::InvalidInput => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;
    use crate::adapters::jetstream::Refusal;
    use crate::adapters::ledger::EncodeError;
    use crate::domain::duplicates::OlderFault;

    fn written(kind: ErrorKind) -> RunError {
        let (path, source) = (PathBuf::from("part"), io::Error::from(kind));
        RunError::Writer(WriterError::Encode(EncodeError::Io { path, source }))
    }

    #[test]
    fn a_full_disk_may_pass_and_a_refusal_does_not() {
        for (kind, passes) in [
            (ErrorKind::StorageFull, true),
            (ErrorKind::TimedOut, true),
            (ErrorKind::PermissionDenied, false),
            (ErrorKind::NotFound, false),
            (ErrorKind::Other, false),
        ] {
            assert_eq!(may_pass(&written(kind)), passes, "{kind}");
        }
        let full = io::Error::from(ErrorKind::StorageFull);
        let (text, source) = ("the cache".to_owned(), Some(Arc::new(full) as _));
        assert!(may_pass(&RunError::Filter(OlderFault { text, source })));
        let hole = Refusal::Hole {
            source_name: "USAGE@2026-01-01T00:00:00Z".to_owned(),
            seq: 2,
            first: 1,
            last: 3,
        };
        assert!(!may_pass(&RunError::Nats(NatsError::Refused(hole))));
        let fenced = ledger::Error::Fenced {
            shard: 0,
            expected: 1,
            found: 2,
            writer: None,
        };
        assert!(!may_pass(&RunError::Writer(WriterError::Ledger(fenced))));
        assert!(!may_pass(&RunError::Panicked));
    }
}
