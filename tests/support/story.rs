//! The story of `fixtures/events/story.ndjson`, replayed into a data folder of its own.
//!
//! Owns where the fixtures are and the replay. Leaves what should come out to the tests.
//!
//! Invariant: the wall clock is fixed, so that the rows are the same on every day.

use std::path::{Path, PathBuf};

use purser::domain::customer::Shard;
use purser::domain::rfc3339;
use purser::jobs::data::DataFolder;
use purser::jobs::replay::{Replay, replay};
use purser::jobs::shard::Attach;
use tempfile::TempDir;

/// How each wallet stands, by the view `wallets` and by the newest row of its burn-down.
pub(crate) const STANDS: &str = "
    SELECT customer, period, used, overage, remaining, used_percent FROM wallets
    ORDER BY customer";
pub(crate) const ENDS: &str = "
    SELECT b.customer, b.period, b.used, b.overage, b.balance AS remaining, b.used_percent
    FROM burn_down AS b
    JOIN (SELECT customer, MAX(entry) AS entry FROM burn_down GROUP BY customer) AS l
      ON l.customer = b.customer AND l.entry = b.entry
    ORDER BY b.customer";

/// The day after the story's last event.
const WALL_CLOCK: &[u8] = b"2026-11-21T00:00:00Z";

/// Replays the story into a data folder that is deleted with the returned value.
pub(crate) async fn replayed() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let job = Replay {
        shard: Attach {
            data: DataFolder::new(folder.path().to_str().expect("UTF-8"), None).expect("a folder"),
            shard: Shard::WHOLE,
            prices: Some(repository("fixtures/prices")),
            filter_bytes: 64 << 20,
        },
        file: repository("fixtures/events/story.ndjson"),
        source: None,
        wall_clock: rfc3339::parse(WALL_CLOCK).expect("a time"),
        until: None,
    };
    replay(job, |_| {}).await.expect("replayed");
    folder
}

/// A file or folder of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The text of a file of the repository.
pub(crate) fn text(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap_or_else(|fault| panic!("{path}: {fault}"))
}
