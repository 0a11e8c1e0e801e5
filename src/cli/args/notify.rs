//! The flags of `notify`.
//!
//! Owns their names, defaults and help. None of them holds a secret, and no address is shown by
//! the help or by an error, since it may hold a password or be a secret itself.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as Flags, ValueEnum};

use super::Nats;

/// No pause and no patience is longer, so that they can be counted in any unit.
const DURATION_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Posts alerts to webhooks, or prints them, until it is told to stop.
///
/// A webhook gets the alert's CloudEvent, signed by Standard Webhooks. The broker keeps the place
/// of each receiver: an alert that was not taken is tried again with growing pauses, also after a
/// restart, and is kept in the stream ALERTS-DEAD with the reason when that was in vain. Delivery
/// is at least once; every copy has the same webhook-id.
///
/// The secret of --to is read from PURSER_WEBHOOK_SECRET, or from the file that
/// PURSER_WEBHOOK_SECRET_FILE names. Several webhooks with a secret each go into a file, --config.
/// SIGTERM and SIGINT stop it: requests under way are finished, and it exits with 0.
#[derive(Flags)]
pub(in crate::cli) struct Notify {
    #[command(flatten)]
    pub(in crate::cli) nats: Nats,
    /// A file of webhooks, TOML
    #[arg(long, env = "PURSER_NOTIFY_CONFIG", value_name = "FILE")]
    pub(in crate::cli) config: Option<PathBuf>,
    /// Where to post, http:// or https://, or `stdout` for a line an alert; may be given again
    #[arg(
        long,
        env = "PURSER_NOTIFY_TO",
        hide_env_values = true,
        value_name = "URL|stdout"
    )]
    pub(in crate::cli) to: Vec<String>,
    /// The name under which the broker keeps the place of --to; give one, or a changed address is a
    /// new receiver [default: made of the address]
    #[arg(long, env = "PURSER_NOTIFY_NAME", requires = "to")]
    pub(in crate::cli) name: Option<String>,
    /// Only alerts of these kinds go to --to: used, overage, run_out, expiring, status; separated
    /// by commas, or given again [default: all]
    #[arg(
        long = "kind",
        env = "PURSER_NOTIFY_KIND",
        value_delimiter = ',',
        requires = "to"
    )]
    pub(in crate::cli) kinds: Vec<String>,
    /// Only alerts of this customer go to --to; may be given again [default: all]
    #[arg(long = "customer", env = "PURSER_NOTIFY_CUSTOMER", requires = "to")]
    pub(in crate::cli) customers: Vec<String>,
    /// What --to gets [default: standard]
    #[arg(long, env = "PURSER_NOTIFY_FORMAT", value_enum, requires = "to")]
    pub(in crate::cli) format: Option<NotifyFormat>,
    /// How long a request to --to may take [default: 15s]
    #[arg(long, env = "PURSER_NOTIFY_TIMEOUT", value_parser = timeout, requires = "to")]
    pub(in crate::cli) timeout: Option<Duration>,
    /// A receiver that was never served before begins with the oldest alert in the stream, not
    /// with the next one
    #[arg(long, env = "PURSER_NOTIFY_FROM_START")]
    pub(in crate::cli) from_start: bool,
    /// The longest pause after a first attempt; it doubles with each attempt
    #[arg(long, env = "PURSER_NOTIFY_FIRST_PAUSE", value_parser = duration, default_value = "1s")]
    pub(in crate::cli) first_pause: Duration,
    /// The longest pause at all
    #[arg(long, env = "PURSER_NOTIFY_LONGEST_PAUSE", value_parser = duration,
        default_value = "10m")]
    pub(in crate::cli) longest_pause: Duration,
    /// An alert that was not taken becomes a dead letter when it is so old, or so long after this
    /// process has begun if that was later, and was tried eight times
    #[arg(long, env = "PURSER_NOTIFY_GIVE_UP_AFTER", value_parser = duration,
        default_value = "24h")]
    pub(in crate::cli) give_up_after: Duration,
}

/// What a webhook gets.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum NotifyFormat {
    /// The alert's CloudEvent, signed
    Standard,
    /// A sentence, as Slack's incoming webhooks take it
    Slack,
}

/// Without the addresses.
impl std::fmt::Debug for Notify {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Notify").finish_non_exhaustive()
    }
}

/// A number and its unit, such as `500ms` or `10m`.
fn duration(text: &str) -> Result<Duration, String> {
    let length = text.parse::<jiff::SignedDuration>().ok();
    let length = length.and_then(|length| Duration::try_from(length).ok());
    length
        .filter(|length| *length <= DURATION_MAX)
        .ok_or_else(|| "write a number and its unit, at most 720h, such as 30s or 10m".to_owned())
}

fn timeout(text: &str) -> Result<Duration, String> {
    let range = Duration::from_secs(1)..=Duration::from_secs(300);
    let length = duration(text)?;
    if !range.contains(&length) {
        return Err("write from 1s to 5m".to_owned());
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit_and_a_bound() {
        for (text, wanted) in [
            ("50ms", Some(Duration::from_millis(50))),
            ("1s", Some(Duration::from_secs(1))),
            ("10m", Some(Duration::from_secs(600))),
            ("24h", Some(Duration::from_secs(86_400))),
            ("0s", Some(Duration::ZERO)),
            ("720h", Some(DURATION_MAX)),
            ("721h", None),
            ("-1s", None),
            ("10", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(duration(text).ok(), wanted, "{text:?}");
        }
        assert_eq!(timeout("5m"), Ok(Duration::from_secs(300)));
        assert!(timeout("500ms").is_err() && timeout("301s").is_err());
    }
}
