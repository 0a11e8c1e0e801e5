//! Wallet commands: what their `data` says.
//!
//! Owns the shape of each command. Leaves what a wallet makes of it to `engine`.
//!
//! Invariant: a command is read from the event's own members, when it arrives and again when its
//! row is applied, so both give the same.

use thiserror::Error;

use super::decimal::scaled_from_plain;
use super::event::{Event, Members, Value};
use super::rfc3339;
use super::units::{Credits, Money, Timestamp};
use super::wallet::{Basis, BurnOrder};

/// Events whose type begins so are commands.
pub const COMMAND_PREFIX: &str = "purser.";
pub const OPENED: &str = "purser.wallet.opened";
pub const PLAN_CHANGED: &str = "purser.wallet.plan_changed";
pub const GRANTED: &str = "purser.wallet.granted";
pub const VOIDED: &str = "purser.wallet.voided";
pub const CLOSED: &str = "purser.wallet.closed";
pub const REVERSED: &str = "purser.usage.reversed";

/// The longest text that a command gives as a name or a reason, in bytes.
const TEXT_BYTES_MAX: usize = 256;

/// A column of `decimal(18, …)` holds fewer units.
const UNITS_BOUND: i128 = 10_i128.pow(18);

/// What a command lacks.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadCommand {
    #[error("`{0}` is missing")]
    Missing(&'static str),
    #[error("`{member}` must be {expected}")]
    Wrong {
        member: &'static str,
        expected: &'static str,
    },
    #[error("there is no plan `{0}` in the price table in force")]
    UnknownPlan(String),
    #[error("`price` needs a `currency`")]
    PriceWithoutCurrency,
    #[error("`expires_at` must lie after `effective_at`")]
    NeverAlive,
    #[error("the grant id `{0}` is taken")]
    GrantIdTaken(String),
    #[error(
        "plan `{plan}` bills in {currency}, and this period in another currency; write at = \
         \"next_period\""
    )]
    OtherCurrency { plan: String, currency: String },
}

/// The members of `data` that the command `event_type` reads; none for a type that is no command.
pub fn members_of(event_type: &str) -> &'static [&'static str] {
    match event_type {
        OPENED => &["plan", "anchor_day"],
        PLAN_CHANGED => &["plan", "at"],
        GRANTED => &[
            "credits",
            "basis",
            "priority",
            "effective_at",
            "expires_at",
            "price",
            "currency",
        ],
        VOIDED => &["grant"],
        REVERSED => &["source", "id", "reason"],
        _ => &[],
    }
}

/// `purser.wallet.opened`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened<'a> {
    pub plan: &'a str,
    /// 1–31.
    pub anchor_day: Option<u8>,
}

/// `purser.wallet.plan_changed`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanChanged<'a> {
    pub plan: &'a str,
    pub at: ChangeAt,
}

/// When a plan changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeAt {
    Now,
    NextPeriod,
}

/// `purser.wallet.voided`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Voided<'a> {
    pub grant: &'a str,
}

/// `purser.usage.reversed`: names the event by its source and id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reversed<'a> {
    pub source: &'a str,
    pub id: &'a str,
    pub reason: &'a str,
}

/// `purser.wallet.granted`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted<'a> {
    pub credits: Credits,
    pub order: BurnOrder,
    /// What it was sold for, and the currency.
    pub price: Option<(Money, &'a str)>,
}

impl<'a> Opened<'a> {
    /// Reads the command's `data`.
    ///
    /// # Errors
    ///
    /// [`BadCommand`] names the member that is missing or wrong.
    pub fn read(data: &Members<'a>) -> Result<Self, BadCommand> {
        let plan = text(data, "plan")?.ok_or(BadCommand::Missing("plan"))?;
        Ok(Self {
            plan,
            anchor_day: Self::anchor_day(data)?,
        })
    }

    /// The anchor day that `data` states.
    ///
    /// # Errors
    ///
    /// [`BadCommand::Wrong`] when it is no day of a month.
    pub fn anchor_day(data: &Members<'_>) -> Result<Option<u8>, BadCommand> {
        let wrong = BadCommand::Wrong {
            member: "anchor_day",
            expected: "a whole number, 1 to 31",
        };
        match integer(data, "anchor_day").map_err(|()| wrong.clone())? {
            None => Ok(None),
            Some(day @ 1..=31) => Ok(Some(day.unsigned_abs() as u8)),
            Some(_) => Err(wrong),
        }
    }
}

impl<'a> PlanChanged<'a> {
    /// Reads the command's `data`.
    ///
    /// # Errors
    ///
    /// [`BadCommand`] names the member that is missing or wrong.
    pub fn read(data: &Members<'a>) -> Result<Self, BadCommand> {
        let plan = text(data, "plan")?.ok_or(BadCommand::Missing("plan"))?;
        let at = match text(data, "at")?.ok_or(BadCommand::Missing("at"))? {
            "now" => ChangeAt::Now,
            "next_period" => ChangeAt::NextPeriod,
            _ => {
                let (member, expected) = ("at", "\"now\" or \"next_period\"");
                return Err(BadCommand::Wrong { member, expected });
            }
        };
        Ok(Self { plan, at })
    }
}

impl<'a> Voided<'a> {
    /// Reads the command's `data`.
    ///
    /// # Errors
    ///
    /// [`BadCommand`] names the member that is missing or wrong.
    pub fn read(data: &Members<'a>) -> Result<Self, BadCommand> {
        let (member, expected) = ("grant", "the id of a grant, such as \"pool/2026-10-01\"");
        match text(data, member)?.ok_or(BadCommand::Missing(member))? {
            "" => Err(BadCommand::Wrong { member, expected }),
            grant => Ok(Self { grant }),
        }
    }
}

impl<'a> Reversed<'a> {
    /// Reads the command's `data`.
    ///
    /// # Errors
    ///
    /// [`BadCommand`] names the member that is missing or wrong.
    pub fn read(data: &Members<'a>) -> Result<Self, BadCommand> {
        Ok(Self {
            source: short_text(data, "source")?,
            id: short_text(data, "id")?,
            reason: short_text(data, "reason")?,
        })
    }

    /// What `event` reverses, if it is such a command and says so.
    pub fn of(event: &Event<'a>) -> Option<Self> {
        let is_reversal = event.event_type == REVERSED;
        let read = is_reversal.then(|| Self::read(&event.members));
        read.and_then(Result::ok)
    }
}

impl<'a> Granted<'a> {
    /// Reads the command's `data`; `received_at` is when a grant starts that does not say.
    ///
    /// # Errors
    ///
    /// [`BadCommand`] names the member that is missing or wrong.
    pub fn read(data: &Members<'a>, received_at: Timestamp) -> Result<Self, BadCommand> {
        let credits = decimal(data, "credits", 6)
            .map_err(|()| BadCommand::Wrong {
                member: "credits",
                expected: "a decimal above 0 with at most 6 places, such as \"500\"",
            })?
            .ok_or(BadCommand::Missing("credits"))?;
        let basis = match text(data, "basis")?.ok_or(BadCommand::Missing("basis"))? {
            "purchased" => Basis::Purchased,
            "promotional" => Basis::Promotional,
            _ => {
                let expected = "\"purchased\" or \"promotional\"";
                return Err(BadCommand::Wrong {
                    member: "basis",
                    expected,
                });
            }
        };
        let priority = integer(data, "priority").map_err(|()| BadCommand::Wrong {
            member: "priority",
            expected: "a whole number; lower pays first",
        })?;
        let (effective_at, expires_at) = (time(data, "effective_at")?, time(data, "expires_at")?);
        let effective_at = effective_at.unwrap_or(received_at);
        if expires_at.is_some_and(|expires_at| expires_at <= effective_at) {
            return Err(BadCommand::NeverAlive);
        }
        let order = BurnOrder {
            priority: priority.unwrap_or(basis.default_priority()),
            expires_at,
            basis,
            effective_at,
        };
        Ok(Self {
            credits: positive(credits)?,
            order,
            price: price(data)?,
        })
    }
}

fn positive(credits: i128) -> Result<Credits, BadCommand> {
    let expected = "above 0 and below 10^12";
    Credits::from_i128(credits)
        .filter(|credits| *credits > Credits::ZERO)
        .ok_or(BadCommand::Wrong {
            member: "credits",
            expected,
        })
}

fn price<'a>(data: &Members<'a>) -> Result<Option<(Money, &'a str)>, BadCommand> {
    let wrong = BadCommand::Wrong {
        member: "price",
        expected: "a decimal with at most 9 places, such as \"49.00\"",
    };
    let price = decimal(data, "price", 9).map_err(|()| wrong.clone())?;
    match (price, text(data, "currency")?) {
        (None, _) => Ok(None),
        (Some(price), Some(currency)) => {
            let is_code = currency.len() == 3 && currency.bytes().all(|b| b.is_ascii_uppercase());
            if !is_code {
                let expected = "three capital letters, such as \"USD\"";
                return Err(BadCommand::Wrong {
                    member: "currency",
                    expected,
                });
            }
            Ok(Some((Money::from_i128(price).ok_or(wrong)?, currency)))
        }
        (Some(_), None) => Err(BadCommand::PriceWithoutCurrency),
    }
}

/// The member, unless it is absent or null.
fn given<'a>(data: &Members<'a>, member: &str) -> Option<Value<'a>> {
    data.get(member).filter(|value| *value != Value::Null)
}

fn text<'a>(data: &Members<'a>, member: &'static str) -> Result<Option<&'a str>, BadCommand> {
    match given(data, member) {
        None => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text)),
        Some(_) => Err(BadCommand::Wrong {
            member,
            expected: "a string",
        }),
    }
}

fn short_text<'a>(data: &Members<'a>, member: &'static str) -> Result<&'a str, BadCommand> {
    let text = text(data, member)?.ok_or(BadCommand::Missing(member))?;
    let expected = "a string of 1 to 256 bytes";
    match (1..=TEXT_BYTES_MAX).contains(&text.len()) {
        true => Ok(text),
        false => Err(BadCommand::Wrong { member, expected }),
    }
}

fn time(data: &Members<'_>, member: &'static str) -> Result<Option<Timestamp>, BadCommand> {
    let expected = "a time with a zone, such as \"2026-11-01T00:00:00Z\"";
    let parse =
        |text: &str| rfc3339::parse(text.as_bytes()).ok_or(BadCommand::Wrong { member, expected });
    text(data, member)?.map(parse).transpose()
}

fn integer(data: &Members<'_>, member: &str) -> Result<Option<i32>, ()> {
    match given(data, member) {
        None => Ok(None),
        Some(Value::Number(text)) => {
            let (sign, magnitude) = match text.strip_prefix('-') {
                Some(magnitude) => (-1, magnitude),
                None => (1, text),
            };
            let whole = sign * exact_from_json(magnitude, 0).ok_or(())?;
            i32::try_from(whole).map(Some).map_err(drop)
        }
        Some(_) => Err(()),
    }
}

/// A string or a number, in units of 10^-`places`.
fn decimal(data: &Members<'_>, member: &str, places: u32) -> Result<Option<i128>, ()> {
    match given(data, member) {
        None => Ok(None),
        Some(Value::Text(text)) => scaled_from_plain(text, places).map(Some).map_err(drop),
        Some(Value::Number(text)) => exact_from_json(text, places).map(Some).ok_or(()),
        Some(_) => Err(()),
    }
}

/// A JSON number in units of 10^-`places`; `None` when it is negative, has more places, or comes
/// to 10^18 units or more. Nothing is rounded: a command is refused rather than changed.
fn exact_from_json(text: &str, places: u32) -> Option<i128> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    let zeros = i64::try_from(digits.len() - significant.len()).ok()?;
    let behind_point = i64::try_from(fraction.len()).ok()?;
    let exponent = i64::from(exponent.parse::<i32>().ok()?);
    let power = u32::try_from(exponent + zeros - behind_point + i64::from(places)).ok()?;
    let significant = i128::from(significant.parse::<u64>().ok()?);
    let units = significant.checked_mul(10_i128.checked_pow(power)?)?;
    (units < UNITS_BOUND).then_some(units)
}
