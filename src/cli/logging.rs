//! Logs: on standard error, as text or JSON.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use super::args::{Common, LogFormat};

/// Starts logging: what `--log-level` says of Purser, and warnings of the libraries.
pub(super) fn start(common: &Common) {
    let filter = EnvFilter::new(format!("warn,purser={}", common.log_level));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal());
    match common.log_format {
        LogFormat::Text => logs.init(),
        LogFormat::Json => logs.json().init(),
    }
}
