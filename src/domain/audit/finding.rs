//! What is wrong with a ledger, and where.
//!
//! Owns the faults, their words and how many are kept. Leaves finding them to the files beside
//! this one.
//!
//! Invariant: all faults are counted; only the first few are kept, whatever a ledger holds.

use std::fmt;

use thiserror::Error;

use crate::domain::calendar::civil;
use crate::domain::engine::ApplyError;
use crate::domain::entry::{AlertKind, Entry, Kind};
use crate::domain::rating::RateError;
use crate::domain::rfc3339;
use crate::domain::units::{Credits, Day, Timestamp};

/// How much of a value a fault shows.
const SHOWN_CHARS_MAX: usize = 80;

/// A fault and the row that has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub at: At,
    pub fault: Fault,
}

/// Where a fault lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    Row(RowPlace),
    /// All rows of a wallet.
    Wallet(String),
    /// All rows of a source.
    Source(String),
    /// All rows of the shard.
    Shard,
}

/// A row, by all that it can be looked up by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowPlace {
    pub entry: i64,
    pub source: String,
    pub seq: i64,
    pub idx: i32,
    pub leg: i32,
    pub kind: Option<Kind>,
    pub customer: Option<String>,
}

/// What is wrong, and what it should be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    #[error("entries {from} to {to} are missing before it")]
    EntriesMissing { from: i64, to: i64 },
    #[error("it comes after entry {last}: it is there twice or out of order")]
    EntryAgain { last: i64 },
    #[error("the rows end at entry {last}, but the log says {fence}")]
    Fence { fence: i64, last: i64 },
    #[error("seq {from} to {to} of its source are missing before it")]
    SeqsMissing { from: i64, to: i64 },
    #[error("it comes after seq {last} of its source")]
    SeqAgain { last: i64 },
    #[error("event {expected} of its message should come here")]
    Idx { expected: i32 },
    #[error("`leg` should be {expected}")]
    Leg { expected: i32 },
    #[error("nothing tells what became of the event")]
    NoOutcome,
    #[error("the event has a row that says `{}` already", .0.name())]
    TwoOutcomes(Kind),
    #[error("the rows end at seq {}, but the log says {}", option(.last), option(.position))]
    Position {
        position: Option<i64>,
        last: Option<i64>,
    },
    #[error("`received_at` goes back: it was {} already", rfc3339::format(*.before))]
    TimeGoesBack { before: Timestamp },
    #[error("it lies in partition {}, not in that of its `received_at`", partition(*.0))]
    Partition(Option<Day>),
    #[error("`received_at` is not that of the message's other rows, {}", rfc3339::format(*.0))]
    OtherTime(Timestamp),
    #[error("`used_at` is outside what was accepted then")]
    UsedAt,
    #[error("`{0}` is beyond the calendar")]
    Beyond(&'static str),
    #[error("price version `{0}` was in force already, but has no row")]
    VersionWithoutRow(String),
    #[error("the price version is not in force yet")]
    VersionTooEarly,
    #[error("{} should not be null", list(.0))]
    Null(Vec<&'static str>),
    #[error("{} should be null", list(.0))]
    NotNull(Vec<&'static str>),
    #[error("`{column}` is {stated}, and should be {expected}")]
    Differs {
        column: &'static str,
        stated: String,
        expected: String,
    },
    #[error("the customer belongs to another shard")]
    OtherShard,
    #[error("`reason` is none of a rejection's")]
    NoReason,
    #[error("an event of this identity was accepted already")]
    AcceptedTwice,
    #[error("no event of this identity was accepted within the window")]
    NoOriginal,
    #[error("the accepted event of this identity has another type: it is a conflict")]
    NotADuplicate,
    #[error("`data` can't be read")]
    Data,
    #[error("it is charged, but {0}")]
    Rate(RateError),
    #[error("the event is charged {charged} credits, and should be {expected}")]
    Charge { charged: String, expected: Credits },
    #[error("the charge has more rows than grants and overage make")]
    LegTooMany,
    #[error("the wallet was never opened")]
    NoWallet,
    #[error("the wallet is open already")]
    AlreadyOpen,
    #[error("a pool, or what a larger plan adds to it, should have come before")]
    NoPool,
    #[error("there is no such grant")]
    NoGrant,
    #[error("there is such a grant already")]
    GrantAgain,
    #[error("it takes more than the grant has left: {remaining} remain")]
    BelowZero { remaining: String },
    #[error("the grant is not over yet")]
    NotOver,
    #[error("grant {grant} should have expired before, with {remaining} left")]
    Overdue { grant: String, remaining: String },
    #[error("the period should have ended before, on {}", civil(*.0))]
    PeriodOverdue(Day),
    #[error("{0} credits of the period that ended should have been rolled over before")]
    NotRolledOver(Credits),
    #[error("nothing is to be rolled over")]
    NothingRolls,
    #[error("{remaining} credits of a closed wallet should have been voided before")]
    NotVoided { remaining: String },
    #[error("applying the row to the wallet fails: {0}")]
    Apply(ApplyError),
    #[error("the table wallets and the rows after it lead to another wallet of `{0}`")]
    Checkpoint(String),
    #[error("the table wallets and the rows after it lead to {count} wallets, and not {opened}")]
    CheckpointCount { count: u64, opened: u64 },
    #[error("the wallet folded from the rows has {folded}, but its grants' rows add up to {own}")]
    Fold { folded: Credits, own: String },
    #[error("grant {grant} of the wallet folded from the rows has {folded} left, and not {own}")]
    FoldedGrant {
        grant: String,
        folded: Credits,
        own: String,
    },
    #[error("the plan has no such alert")]
    NoThreshold,
    #[error("what it tells did not come about by the row before")]
    NotCrossed,
    #[error("no midnight since the wallet's last row brings this alert")]
    NotAtMidnight,
    #[error("the alert `{0}` should follow, and does not")]
    AlertMissing(AlertKind),
    #[error("the wallet is closed")]
    Closed,
    #[error("a command of this kind can't have such a row")]
    OtherCommand,
    #[error("no charge of `{source_name}` / `{id}` is left to be taken back")]
    NoCharge { source_name: String, id: String },
    #[error("the charge has {expected} rows to be taken back, and {found} were")]
    HalfReversed { expected: usize, found: usize },
    #[error("the rows' `delta` add up to {deltas}, but {remaining} remain in grants")]
    Sum { deltas: String, remaining: String },
}

/// The first findings, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    pub first: Vec<Finding>,
    pub count: u64,
    kept_max: usize,
}

impl Findings {
    /// None yet; the first `kept_max` will be kept.
    pub(super) fn new(kept_max: usize) -> Self {
        Self {
            kept_max,
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, at: impl FnOnce() -> At, fault: Fault) {
        self.count += 1;
        if self.first.len() < self.kept_max {
            self.first.push(Finding { at: at(), fault });
        }
    }

    pub(super) fn of_row(&mut self, row: &Entry<'_>, fault: Fault) {
        self.add(|| At::Row(RowPlace::of(row)), fault);
    }
}

/// A row under examination.
pub(super) struct RowCheck<'a, 'r> {
    pub(super) row: &'a Entry<'r>,
    pub(super) findings: &'a mut Findings,
}

impl RowCheck<'_, '_> {
    pub(super) fn fault(&mut self, fault: Fault) {
        self.findings.of_row(self.row, fault);
    }

    /// Compares a column with what it should be; true when they agree.
    pub(super) fn column<T: PartialEq + fmt::Display>(
        &mut self,
        column: &'static str,
        stated: Option<T>,
        expected: Option<T>,
    ) -> bool {
        let agree = stated == expected;
        if !agree {
            let fault = Fault::Differs {
                column,
                stated: option(&stated),
                expected: option(&expected),
            };
            self.fault(fault);
        }
        agree
    }

    /// The same for a day.
    pub(super) fn day(
        &mut self,
        column: &'static str,
        stated: Option<Day>,
        expected: Option<Day>,
    ) -> bool {
        // Civil dates are dear, and days almost always agree.
        stated == expected || self.column(column, stated.map(civil), expected.map(civil))
    }
}

impl RowPlace {
    pub(super) fn of(row: &Entry<'_>) -> Self {
        let mut place = Self::default();
        place.set(row);
        place
    }

    /// Becomes the place of `row`; allocates nothing once its texts have grown.
    pub(super) fn set(&mut self, row: &Entry<'_>) {
        self.entry = row.entry;
        self.source.clear();
        self.source.push_str(row.source);
        (self.seq, self.idx, self.leg) = (row.seq, row.idx, row.leg);
        self.kind = Some(row.kind);
        match (&mut self.customer, row.customer) {
            (Some(known), Some(customer)) => {
                known.clear();
                known.push_str(customer);
            }
            (known, customer) => *known = customer.map(str::to_owned),
        }
    }
}

/// `entry=7 source="file:a" seq=3 idx=0 leg=1 kind=usage customer="acme"`
impl fmt::Display for At {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row(row) => {
                write!(out, "entry={} source={:?}", row.entry, row.source)?;
                write!(out, " seq={} idx={} leg={}", row.seq, row.idx, row.leg)?;
                let kind = row.kind.map_or("unknown", Kind::name);
                write!(out, " kind={kind}")?;
                match &row.customer {
                    Some(customer) => write!(out, " customer={customer:?}"),
                    None => Ok(()),
                }
            }
            Self::Wallet(customer) => write!(out, "customer={customer:?}"),
            Self::Source(source) => write!(out, "source={source:?}"),
            Self::Shard => out.write_str("all"),
        }
    }
}

/// A value as it may be printed: one line, not too long, and nothing that steers a terminal.
fn option(value: &Option<impl fmt::Display>) -> String {
    let Some(value) = value else {
        return "null".to_owned();
    };
    let text = value.to_string();
    let mut shown = String::new();
    for c in text.chars().take(SHOWN_CHARS_MAX) {
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    if text.chars().nth(SHOWN_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

fn list(columns: &[&str]) -> String {
    let columns: Vec<String> = columns.iter().map(|name| format!("`{name}`")).collect();
    columns.join(", ")
}

fn partition(day: Option<Day>) -> String {
    day.map_or_else(|| "that is no day".to_owned(), |day| civil(day).to_string())
}
