//! The machine's clock, which only the command line looks at.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::domain::units::Timestamp;

/// The instant that the machine's clock shows.
pub(super) fn wall_clock() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::new(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
