//! Why: the column `reason`.
//!
//! Owns the words of refusals and alerts. Leaves when one is due to `engine` and `wallet`.
//!
//! Invariant: what is written is read back as the same.

use std::fmt;

use super::Kind;

/// Why an event was refused, in the order of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    Empty,
    Malformed,
    BadCustomer,
    WrongSubject,
    WrongShard,
    InFuture,
    TooOld,
    UnknownCommand,
    BadCommand,
    UnknownWallet,
    AlreadyOpen,
    NothingRemaining,
    UnknownEvent,
    NoPriceVersion,
    NoPrice,
    BadMeasure,
    Overflow,
}

impl Reason {
    const ALL: [Reason; 17] = [
        Reason::Empty,
        Reason::Malformed,
        Reason::BadCustomer,
        Reason::WrongSubject,
        Reason::WrongShard,
        Reason::InFuture,
        Reason::TooOld,
        Reason::UnknownCommand,
        Reason::BadCommand,
        Reason::UnknownWallet,
        Reason::AlreadyOpen,
        Reason::NothingRemaining,
        Reason::UnknownEvent,
        Reason::NoPriceVersion,
        Reason::NoPrice,
        Reason::BadMeasure,
        Reason::Overflow,
    ];

    /// The word in the column `reason`.
    pub const fn name(self) -> &'static str {
        match self {
            Reason::Empty => "empty",
            Reason::Malformed => "malformed",
            Reason::BadCustomer => "bad_customer",
            Reason::WrongSubject => "wrong_subject",
            Reason::WrongShard => "wrong_shard",
            Reason::InFuture => "in_future",
            Reason::TooOld => "too_old",
            Reason::UnknownCommand => "unknown_command",
            Reason::BadCommand => "bad_command",
            Reason::UnknownWallet => "unknown_wallet",
            Reason::AlreadyOpen => "already_open",
            Reason::NothingRemaining => "nothing_remaining",
            Reason::UnknownEvent => "unknown_event",
            Reason::NoPriceVersion => "no_price_version",
            Reason::NoPrice => "no_price",
            Reason::BadMeasure => "bad_measure",
            Reason::Overflow => "overflow",
        }
    }
}

/// The column `reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note<'a> {
    Rejected(Reason),
    Alert(AlertKind),
    /// Why usage was reversed, in the words of the command.
    Reversed(&'a str),
}

impl<'a> Note<'a> {
    /// Reads what `Display` wrote into a row of `kind`.
    pub fn parse(kind: Kind, text: &'a str) -> Option<Self> {
        match kind {
            Kind::Reversal => Some(Self::Reversed(text)),
            Kind::Alert => AlertKind::parse(text).map(Self::Alert),
            _ => {
                let reason = Reason::ALL.into_iter().find(|reason| reason.name() == text);
                reason.map(Self::Rejected)
            }
        }
    }
}

impl fmt::Display for Note<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(reason) => out.write_str(reason.name()),
            Self::Alert(kind) => kind.fmt(out),
            Self::Reversed(reason) => out.write_str(reason),
        }
    }
}

/// What an alert tells, with the threshold that was crossed; ordered as those of one cause are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlertKind {
    /// Use reached so many percent.
    Used(u8),
    /// A period's first charge that no grant covers.
    Overage,
    /// At this pace the wallet is empty within so many days.
    RunOut(u16),
    /// A grant with something left ends within so many days.
    Expiring(u16),
    /// The wallet's status has changed to this.
    Status(Status),
}

impl AlertKind {
    /// The word before the threshold.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Used(_) => "used",
            Self::Overage => "overage",
            Self::RunOut(_) => "run_out",
            Self::Expiring(_) => "expiring",
            Self::Status(_) => "status",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (name, threshold) = text.split_once(' ').unwrap_or((text, ""));
        match name {
            "used" => threshold.parse().ok().map(Self::Used),
            "overage" if threshold.is_empty() => Some(Self::Overage),
            "run_out" => threshold.parse().ok().map(Self::RunOut),
            "expiring" => threshold.parse().ok().map(Self::Expiring),
            "status" => {
                let all = [Status::Ok, Status::Blocked, Status::Closed];
                let status = all.into_iter().find(|status| status.name() == threshold);
                status.map(Self::Status)
            }
            _ => None,
        }
    }
}

/// `used 80`, `overage`, `run_out 7`, `expiring 7`, `status blocked`
impl fmt::Display for AlertKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Self::Used(percent) => write!(out, "{name} {percent}"),
            Self::Overage => out.write_str(name),
            Self::RunOut(days) | Self::Expiring(days) => write!(out, "{name} {days}"),
            Self::Status(status) => write!(out, "{name} {}", status.name()),
        }
    }
}

/// Whether a wallet takes work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    Ok,
    /// Work was done that no credits covered and nobody is billed for, and no credits have
    /// arrived since.
    Blocked,
    Closed,
}

impl Status {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Blocked => "blocked",
            Self::Closed => "closed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_go_both_ways() {
        for (kind, text) in [
            (Kind::Rejected, "unknown_event"),
            (Kind::Alert, "used 80"),
            (Kind::Alert, "overage"),
            (Kind::Alert, "run_out 7"),
            (Kind::Alert, "expiring 30"),
            (Kind::Alert, "status blocked"),
            (Kind::Reversal, "used 80"), // a person's own words
        ] {
            let note = Note::parse(kind, text).expect("a reason");
            assert_eq!(note.to_string(), text);
        }
        for text in ["used", "used 256", "overage 1", "status gone", "run_out -1"] {
            assert_eq!(Note::parse(Kind::Alert, text), None, "{text}");
        }
    }
}
