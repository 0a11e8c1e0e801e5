//! One price file as a whole.
//!
//! Owns its own keys and its rules. Leaves its items to `price` and `plan`, single values to
//! `form`, and what tables may say together to `domain::price`.
//!
//! Invariant: an item with a fault is left out of the draft, and the fault is told.

use toml_edit::{Table, Value};

use super::form::{Field, Form, Reader, Section};
use super::keys::{COSTS, FILE, PLANS, PRICES, RULES};
use super::plan::plan;
use super::price::{cost, price};
use crate::domain::price::{Item, PriceTable, Rules};
use crate::domain::rfc3339;
use crate::domain::units::{MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, Timestamp};

/// Windows and graces are at most a hundred years, far inside what microseconds can count.
const DAYS_MAX: i64 = 36_500;

const VERSION_BYTES_MAX: usize = 64;

/// What could be read of one file.
pub(super) struct Draft {
    /// Without the items that have a fault of their own.
    pub(super) table: PriceTable,
    pub(super) origin: Origin,
}

/// Where the parts of a draft were written, in the table's order, and whether they are whole.
#[derive(Default)]
pub(super) struct Origin {
    version: usize,
    effective_from: usize,
    default_plan: usize,
    prices: Vec<usize>,
    costs: Vec<usize>,
    plans: Vec<usize>,
    /// Whether `version` and `effective_from` were read.
    pub(super) is_dated: bool,
    /// Whether no plan was left out.
    pub(super) has_all_plans: bool,
}

impl Origin {
    /// The line of a part of the table.
    pub(super) fn line(&self, item: Item) -> usize {
        match item {
            Item::Version => self.version,
            Item::EffectiveFrom => self.effective_from,
            Item::DefaultPlan => self.default_plan,
            Item::Price(at) => self.prices[at],
            Item::Cost(at) => self.costs[at],
            Item::Plan(at) => self.plans[at],
        }
    }
}

/// Reads a whole file; what is wrong with it goes to the reader's faults.
pub(super) fn read<'a>(reader: &mut Reader<'a>, root: &'a Table) -> Draft {
    let file = Section {
        form: &FILE,
        table: root,
        at: 0,
    };
    reader.unknown_keys(file);
    let line = |reader: &Reader<'a>, key| {
        reader
            .optional(file, key)
            .map_or(1, |field| reader.line(field.at))
    };
    let mut origin = Origin {
        version: line(reader, "version"),
        effective_from: line(reader, "effective_from"),
        default_plan: line(reader, "default_plan"),
        ..Origin::default()
    };
    let version = reader
        .required(file, "version")
        .and_then(|field| version(reader, field));
    let from = reader
        .required(file, "effective_from")
        .and_then(|field| instant(reader, field));
    origin.is_dated = version.is_some() && from.is_some();
    let mut table = PriceTable::new(
        version.unwrap_or_default().to_owned(),
        from.unwrap_or(Timestamp::EPOCH),
    );
    let default_plan = reader.optional(file, "default_plan");
    table.default_plan = default_plan
        .and_then(|field| reader.text(field))
        .map(str::to_owned);
    if let Some(section) = reader
        .optional(file, "rules")
        .and_then(|field| reader.section(field, &RULES))
    {
        table.rules = rules(reader, section);
    }
    (table.prices, origin.prices) = items(reader, file, ("price", &PRICES), price);
    (table.costs, origin.costs) = items(reader, file, ("cost", &COSTS), cost);
    let faults_before = reader.faults.len();
    (table.plans, origin.plans) = items(reader, file, ("plan", &PLANS), plan);
    origin.has_all_plans = reader.faults.len() == faults_before;
    Draft { table, origin }
}

/// The items of a list that have no fault, and their lines.
fn items<'a, T>(
    reader: &mut Reader<'a>,
    file: Section<'a>,
    (key, form): (&str, &'static Form),
    read: impl Fn(&mut Reader<'a>, Section<'a>) -> Option<T>,
) -> (Vec<T>, Vec<usize>) {
    let field = reader.optional(file, key);
    let sections = field.map_or_else(Vec::new, |field| reader.sections(field, form));
    let read = |section: &Section<'a>| Some((read(reader, *section)?, reader.line(section.at)));
    sections.iter().filter_map(read).unzip()
}

/// A name of a version: it becomes the name of a file.
fn version<'a>(reader: &mut Reader<'a>, field: Field<'a>) -> Option<&'a str> {
    let text = reader.text(field)?;
    let is_good = text.len() <= VERSION_BYTES_MAX
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if !is_good {
        let message = format!(
            "`version` {text:?} must be 1 to {VERSION_BYTES_MAX} letters, digits, `.`, `_` or \
             `-`, a letter or digit first; write e.g. version = \"2026-10\""
        );
        reader.tell(field.at, message);
    }
    is_good.then_some(text)
}

/// An RFC 3339 string, or a TOML date-time, with a zone.
fn instant<'a>(reader: &mut Reader<'a>, field: Field<'a>) -> Option<Timestamp> {
    let written = match field.value() {
        Some(Value::String(text)) => text.value().clone(),
        Some(Value::Datetime(datetime)) => datetime.value().to_string(),
        _ => {
            reader.wrong_type(field, "a string of a time with its zone");
            return None;
        }
    };
    let at = rfc3339::parse(written.as_bytes());
    if at.is_none() {
        let key = field.key;
        let message = format!(
            "`{key}` {written:?} is no RFC 3339 time with a zone; write e.g. {key} = \
             \"2026-10-01T00:00:00Z\""
        );
        reader.tell(field.at, message);
    }
    at
}

fn rules<'a>(reader: &mut Reader<'a>, section: Section<'a>) -> Rules {
    let mut micros = |key, unit, default| {
        let field = reader.optional(section, key);
        let count =
            field.and_then(|field| reader.integer(field, 0..=DAYS_MAX * (MICROS_PER_DAY / unit)));
        count.map_or(default, |count| count * unit)
    };
    let default = Rules::default();
    Rules {
        window: micros("window_days", MICROS_PER_DAY, default.window),
        future: micros("future_minutes", MICROS_PER_MINUTE, default.future),
        grace: micros("grace_hours", MICROS_PER_HOUR, default.grace),
    }
}
