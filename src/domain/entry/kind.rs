//! The kinds of rows.
//!
//! Owns the words of the column `kind`. Leaves which columns each has to whoever writes it.

/// What a row records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Usage,
    Reversal,
    Grant,
    Expire,
    Void,
    Rollover,
    Wallet,
    Prices,
    Alert,
    Duplicate,
    Conflict,
    Rejected,
    Tick,
}

impl Kind {
    pub const ALL: [Kind; 13] = [
        Kind::Usage,
        Kind::Reversal,
        Kind::Grant,
        Kind::Expire,
        Kind::Void,
        Kind::Rollover,
        Kind::Wallet,
        Kind::Prices,
        Kind::Alert,
        Kind::Duplicate,
        Kind::Conflict,
        Kind::Rejected,
        Kind::Tick,
    ];

    /// The word in the column `kind`.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Usage => "usage",
            Kind::Reversal => "reversal",
            Kind::Grant => "grant",
            Kind::Expire => "expire",
            Kind::Void => "void",
            Kind::Rollover => "rollover",
            Kind::Wallet => "wallet",
            Kind::Prices => "prices",
            Kind::Alert => "alert",
            Kind::Duplicate => "duplicate",
            Kind::Conflict => "conflict",
            Kind::Rejected => "rejected",
            Kind::Tick => "tick",
        }
    }
}
