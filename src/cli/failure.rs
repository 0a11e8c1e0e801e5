//! How a command ends other than well, and its exit code.

use crate::adapters::ledger;
use crate::jobs::replay::ReplayError;
use crate::jobs::run::RunError;
use crate::jobs::writer::WriterError;

/// The answer is no: a check failed.
pub(super) const NO: u8 = 1;
/// It could not be done.
pub(super) const UNABLE: u8 = 2;
/// Another worker owns the shard.
pub(super) const FENCED: u8 = 3;

/// How a command ended.
#[derive(Debug)]
pub(super) enum Failure {
    No(String),
    Unable(anyhow::Error),
    Fenced(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        // A transparent error does not show what it holds, so each is opened by its own name.
        let is_fenced = |cause: &(dyn std::error::Error + 'static)| {
            let writer = match (cause.downcast_ref(), cause.downcast_ref()) {
                (Some(RunError::Writer(writer)), _) => Some(writer),
                (_, Some(ReplayError::Writer(writer))) => Some(writer),
                _ => None,
            };
            matches!(
                writer,
                Some(WriterError::Ledger(ledger::Error::Fenced { .. }))
            )
        };
        if error.chain().any(is_fenced) {
            Self::Fenced(error)
        } else {
            Self::Unable(error)
        }
    }
}
