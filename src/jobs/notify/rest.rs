//! The rest that a receiver has asked for.
//!
//! Owns until when none of its readers takes another alert. Leaves what counts as asking to
//! `decide`. A reader that is waiting for an alert already may still post that one.
//!
//! Invariant: a rest is never shortened.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Until when a receiver is left alone; its readers share one.
#[derive(Default)]
pub(super) struct Rest {
    until: Mutex<Option<Instant>>,
}

impl Rest {
    /// Leaves the receiver alone for so long from now.
    pub(super) fn prolong(&self, wait: Duration) {
        let wanted = Some(Instant::now() + wait);
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        *until = (*until).max(wanted);
    }

    /// Waits until the rest is over, however often it is prolonged meanwhile.
    pub(super) async fn over(&self) {
        while let Some(until) = self.until()
            && until > Instant::now()
        {
            sleep_until(until).await;
        }
    }

    fn until(&self) -> Option<Instant> {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_rest_is_never_shortened() {
        let rest = Rest::default();
        assert!(rest.over().now_or_never().is_some());
        rest.prolong(Duration::ZERO);
        assert!(rest.over().now_or_never().is_some());
        rest.prolong(Duration::from_secs(3_600));
        rest.prolong(Duration::from_secs(1));
        let hour = rest.until().unwrap() - Instant::now();
        assert!(hour > Duration::from_secs(3_500), "{hour:?}");
        assert!(rest.over().now_or_never().is_none());
    }
}
