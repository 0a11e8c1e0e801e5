//! What the log says about one data file.
//!
//! Owns the statistics of a file, as the log's JSON and back. Leaves gathering them to `footer` and
//! the list of their columns to `schema`.
//!
//! Invariant: a bound is never inside the values. What cannot be written exactly is written wider
//! or left out, because a reader skips every file whose bounds exclude what it looks for.

use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::domain::calendar;
use crate::domain::rfc3339;
use crate::domain::units::{Day, Timestamp};

/// Longest text bound in the log, in characters, as other Delta writers keep it.
const TEXT_CHARS_MAX: usize = 32;

const MICROS_PER_MILLI: i64 = 1_000;

/// Instants that every reader can hold: the years 1 to 9999.
const READABLE_MICROS: std::ops::Range<i64> = -62_135_596_800_000_000..253_402_300_800_000_000;

/// A Parquet file to be added to the table. Its bytes are durable before it is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// Relative to the table's root: `day=2026-11-22/part-….parquet`.
    pub path: String,
    /// Size of the file in bytes.
    pub size: u64,
    pub rows: u64,
    /// The partition: the UTC day of every row's `received_at`.
    pub day: Day,
    pub stats: FileStats,
}

/// Statistics of the columns in `schema::SKIPPING`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileStats {
    pub shard: ColumnStats<u32>,
    pub entry: ColumnStats<i64>,
    pub source: ColumnStats<String>,
    pub seq: ColumnStats<i64>,
    pub kind: ColumnStats<String>,
    pub customer: ColumnStats<String>,
    pub period: ColumnStats<Day>,
    pub used_at: ColumnStats<Timestamp>,
    pub received_at: ColumnStats<Timestamp>,
    pub event_id: ColumnStats<String>,
}

/// Statistics of one column in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnStats<T> {
    /// How many rows are null here.
    pub nulls: u64,
    /// `None` when all rows are null or the bounds are unknown: the file is then never skipped
    /// for this column's values.
    pub bounds: Option<Bounds<T>>,
}

impl<T> Default for ColumnStats<T> {
    fn default() -> Self {
        Self {
            nulls: 0,
            bounds: None,
        }
    }
}

/// Smallest and largest value, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds<T> {
    pub min: T,
    pub max: T,
}

/// A data file of the snapshot at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerFile {
    /// Relative to the table's root, for [`super::Ledger::store`].
    pub path: object_store::path::Path,
    /// Size of the file in bytes.
    pub size: u64,
    /// `None` when its writer kept no statistics.
    pub rows: Option<u64>,
    /// The partition's value, `2026-11-22`.
    pub day: String,
    /// `None` when unknown: the file may then hold rows of any shard.
    pub shards: Option<Bounds<u32>>,
    /// `None` when unknown: the file may then hold any entry.
    pub entries: Option<Bounds<i64>>,
    /// `None` when unknown: the file may then hold any message.
    pub seqs: Option<Bounds<i64>>,
    /// Of `received_at`; `None` when unknown.
    pub received: Option<Bounds<Timestamp>>,
}

/// The folder of a day's files below the table's root: `day=2026-11-22`.
pub(crate) fn partition_folder(day: Day) -> String {
    format!("{}={}", super::super::schema::PARTITION, DayText(day))
}

/// A day as the log spells it.
pub(super) struct DayText(pub(super) Day);

impl fmt::Display for DayText {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", calendar::civil(self.0))
    }
}

impl FileStats {
    /// The `stats` of an add action.
    pub(super) fn to_json(&self, rows: u64) -> String {
        let mut log = Log::default();
        log.column("shard", &self.shard, exact);
        log.column("entry", &self.entry, exact);
        log.column("source", &self.source, text_bounds);
        log.column("seq", &self.seq, exact);
        log.column("kind", &self.kind, text_bounds);
        log.column("customer", &self.customer, text_bounds);
        log.column("period", &self.period, day_bounds);
        log.column("used_at", &self.used_at, time_bounds);
        log.column("received_at", &self.received_at, time_bounds);
        log.column("event_id", &self.event_id, text_bounds);
        json!({
            "numRecords": rows,
            "minValues": log.min,
            "maxValues": log.max,
            "nullCount": log.nulls,
        })
        .to_string()
    }
}

/// The bounds that recovery needs, read back from an add action's `stats`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Known {
    pub(super) num_records: Option<u64>,
    #[serde(default)]
    min_values: Edge,
    #[serde(default)]
    max_values: Edge,
}

#[derive(Debug, Default, Deserialize)]
struct Edge {
    shard: Option<u32>,
    entry: Option<i64>,
    seq: Option<i64>,
    received_at: Option<String>,
}

impl Edge {
    fn received_at(&self) -> Option<Timestamp> {
        rfc3339::parse(self.received_at.as_deref()?.as_bytes())
    }
}

impl Known {
    /// What `stats` tells. Statistics are hints, so that those that cannot be read count as absent.
    pub(super) fn read(stats: &str) -> Self {
        serde_json::from_str(stats).unwrap_or_default()
    }

    pub(super) fn shards(&self) -> Option<Bounds<u32>> {
        self.min_values
            .shard
            .zip(self.max_values.shard)
            .map(|(min, max)| Bounds { min, max })
    }

    /// The newest `received_at`.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        self.max_values.received_at()
    }

    /// The bounds of `received_at`, wide enough for writers that cut it to the millisecond.
    pub(super) fn received(&self) -> Option<Bounds<Timestamp>> {
        let (min, newest) = self.min_values.received_at().zip(self.newest())?;
        let max = newest.plus(MICROS_PER_MILLI - 1);
        Some(Bounds { min, max })
    }

    pub(super) fn entries(&self) -> Option<Bounds<i64>> {
        self.min_values
            .entry
            .zip(self.max_values.entry)
            .map(|(min, max)| Bounds { min, max })
    }

    pub(super) fn seqs(&self) -> Option<Bounds<i64>> {
        self.min_values
            .seq
            .zip(self.max_values.seq)
            .map(|(min, max)| Bounds { min, max })
    }
}

/// The lower and upper bound as the log spells them; what has no readable spelling is left out.
type Spelled = (Option<Value>, Option<Value>);

#[derive(Default)]
struct Log {
    min: Map<String, Value>,
    max: Map<String, Value>,
    nulls: Map<String, Value>,
}

impl Log {
    fn column<T>(&mut self, name: &str, stats: &ColumnStats<T>, spell: fn(&Bounds<T>) -> Spelled) {
        self.nulls.insert(name.to_string(), stats.nulls.into());
        let (min, max) = stats.bounds.as_ref().map_or((None, None), spell);
        if let Some(min) = min {
            self.min.insert(name.to_string(), min);
        }
        if let Some(max) = max {
            self.max.insert(name.to_string(), max);
        }
    }
}

fn exact<T: Copy + Into<Value>>(bounds: &Bounds<T>) -> Spelled {
    (Some(bounds.min.into()), Some(bounds.max.into()))
}

/// The beginning of a text is never above it. To be never below it, the beginning needs the
/// highest character there is behind it, unless the text goes on with that one.
fn text_bounds(bounds: &Bounds<String>) -> Spelled {
    let (min, _) = split(&bounds.min);
    let max = match split(&bounds.max) {
        (whole, "") => Some(whole.to_string()),
        (_, rest) if rest.starts_with(char::MAX) => None,
        (start, _) => Some(format!("{start}{}", char::MAX)),
    };
    (Some(min.into()), max.map(Value::from))
}

/// The first characters that the log keeps, and the others.
fn split(text: &str) -> (&str, &str) {
    let end = text
        .char_indices()
        .nth(TEXT_CHARS_MAX)
        .map_or(text.len(), |(at, _)| at);
    text.split_at(end)
}

fn day_bounds(bounds: &Bounds<Day>) -> Spelled {
    let spell = |day: Day| {
        let is_readable = READABLE_MICROS.contains(&day.start().get());
        is_readable.then(|| DayText(day).to_string().into())
    };
    (spell(bounds.min), spell(bounds.max))
}

/// In full microseconds. Other writers cut theirs to the millisecond, for which every reader
/// allows by widening the upper bound; an exact one only gets a little wider.
fn time_bounds(bounds: &Bounds<Timestamp>) -> Spelled {
    let spell = |at: Timestamp| {
        let is_readable = READABLE_MICROS.contains(&at.get());
        is_readable.then(|| rfc3339::format(at).to_string().into())
    };
    (spell(bounds.min), spell(bounds.max))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(min: &str, max: &str) -> Spelled {
        text_bounds(&Bounds {
            min: min.to_string(),
            max: max.to_string(),
        })
    }

    #[test]
    fn text_bounds_are_cut_to_the_outside() {
        let (limit, over) = ("é".repeat(32), "é".repeat(33));
        assert_eq!(
            text("", &limit),
            (Some("".into()), Some(limit.clone().into()))
        );
        let (min, max) = text(&over, &over);
        assert_eq!(min, Some(limit.clone().into()));
        let max = max.expect("a bound");
        assert!(max.as_str().expect("a text") > over.as_str());

        let beyond = format!("{limit}{0}{0}", char::MAX);
        assert_eq!(text("", &beyond), (Some("".into()), None));
    }

    #[test]
    fn times_keep_their_microseconds_and_unreadable_ones_are_left_out() {
        let spell = |min, max| {
            time_bounds(&Bounds {
                min: Timestamp::new(min),
                max: Timestamp::new(max),
            })
        };
        let epoch = Some("1970-01-01T00:00:00.000001Z".into());
        assert_eq!(spell(1, READABLE_MICROS.end), (epoch.clone(), None));
        assert_eq!(spell(READABLE_MICROS.start - 1, 1), (None, epoch));
        let ends = spell(READABLE_MICROS.start, READABLE_MICROS.end - 1);
        assert_eq!(ends.0, Some("0001-01-01T00:00:00.000000Z".into()));
        assert_eq!(ends.1, Some("9999-12-31T23:59:59.999999Z".into()));
    }

    #[test]
    fn recovery_reads_back_what_was_written() {
        let stats = FileStats {
            shard: ColumnStats {
                nulls: 0,
                bounds: Some(Bounds { min: 3, max: 3 }),
            },
            entry: ColumnStats {
                nulls: 0,
                bounds: Some(Bounds {
                    min: 1,
                    max: i64::MAX,
                }),
            },
            customer: ColumnStats {
                nulls: 9,
                bounds: None,
            },
            received_at: ColumnStats {
                nulls: 0,
                bounds: Some(Bounds {
                    min: Timestamp::new(1),
                    max: Timestamp::new(2),
                }),
            },
            ..FileStats::default()
        };
        let written = stats.to_json(9);
        let known = Known::read(&written);
        assert_eq!(known.num_records, Some(9));
        assert_eq!(known.shards(), stats.shard.bounds);
        assert_eq!(known.entries(), stats.entry.bounds);
        assert!(written.contains(r#""customer":9"#));
        let (min, max) = (Timestamp::new(1), Timestamp::new(1_001));
        assert_eq!(known.received(), Some(Bounds { min, max }));
        assert_eq!(Known::read("{}").entries(), None);
        assert_eq!(Known::read("no JSON").entries(), None);
    }

    #[test]
    fn every_skipping_column_is_counted() {
        let json: Value = serde_json::from_str(&FileStats::default().to_json(0)).expect("JSON");
        let counted = json["nullCount"].as_object().expect("an object");
        let mut names: Vec<&str> = counted.keys().map(String::as_str).collect();
        let mut wanted = crate::adapters::ledger::schema::SKIPPING;
        names.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(names, wanted);
    }
}
