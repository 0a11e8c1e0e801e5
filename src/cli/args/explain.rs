//! The flags of `purser explain`.

use clap::{Args as Flags, ValueEnum};

/// Explains what became of an event, step by step.
///
/// Its price and why no other, the sums, the grants that paid, the balance, the alerts; or why it
/// was refused, what it is a copy of, what it changed.
///
/// Several events may have one id; --customer and --source tell them apart. Exit code 1 when no
/// event has the id, or when the ledger differs from what the price tables make of the event.
#[derive(Debug, Flags)]
pub(in crate::cli) struct Explain {
    /// The event's own id
    pub(in crate::cli) event_id: String,
    /// The event's customer, where several have one id
    #[arg(long, env = "PURSER_CUSTOMER")]
    pub(in crate::cli) customer: Option<String>,
    /// The event's own source, such as /gateway/eu-1, where several have one id
    #[arg(long, env = "PURSER_EVENT_SOURCE")]
    pub(in crate::cli) source: Option<String>,
    /// A page for a person, or JSON with every event that has the id
    #[arg(
        long,
        env = "PURSER_EXPLAIN_FORMAT",
        value_enum,
        default_value = "text"
    )]
    pub(in crate::cli) format: ExplainFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ExplainFormat {
    Text,
    Json,
}
