//! A file's footer → what the log says of the file.
//!
//! Owns which column tells what. Leaves the log's text to `delta::stats`.

use parquet::data_type::ByteArray;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;

use super::delta::{Bounds, ColumnStats, FileStats};
use crate::domain::units::{Day, Timestamp};

/// The statistics of a file's columns, out of its footer.
pub(super) fn file_stats(footer: &ParquetMetaData) -> FileStats {
    let mut stats = FileStats::default();
    for column in footer
        .row_groups()
        .iter()
        .flat_map(RowGroupMetaData::columns)
    {
        let Some(of) = column.statistics() else {
            continue;
        };
        match column.column_descr().name() {
            "shard" => widen(&mut stats.shard, of, |of| ints(of, i32::cast_unsigned)),
            "entry" => widen(&mut stats.entry, of, |of| longs(of, |entry| entry)),
            "source" => widen(&mut stats.source, of, texts),
            "seq" => widen(&mut stats.seq, of, |of| longs(of, |seq| seq)),
            "kind" => widen(&mut stats.kind, of, texts),
            "customer" => widen(&mut stats.customer, of, texts),
            "period" => widen(&mut stats.period, of, |of| ints(of, Day::new)),
            "used_at" => widen(&mut stats.used_at, of, |of| longs(of, Timestamp::new)),
            "received_at" => widen(&mut stats.received_at, of, |of| longs(of, Timestamp::new)),
            "event_id" => widen(&mut stats.event_id, of, texts),
            _ => {}
        }
    }
    stats
}

/// Adds what a row group says of one column.
fn widen<T: PartialOrd>(
    stats: &mut ColumnStats<T>,
    of: &Statistics,
    bounds: impl FnOnce(&Statistics) -> Option<(T, T)>,
) {
    stats.nulls += of.null_count_opt().unwrap_or_default();
    let Some((min, max)) = bounds(of) else {
        return;
    };
    stats.bounds = Some(match stats.bounds.take() {
        None => Bounds { min, max },
        Some(known) => Bounds {
            min: if min < known.min { min } else { known.min },
            max: if max > known.max { max } else { known.max },
        },
    });
}

fn ints<T>(of: &Statistics, make: impl Fn(i32) -> T) -> Option<(T, T)> {
    let Statistics::Int32(of) = of else {
        return None;
    };
    Some((make(*of.min_opt()?), make(*of.max_opt()?)))
}

fn longs<T>(of: &Statistics, make: impl Fn(i64) -> T) -> Option<(T, T)> {
    let Statistics::Int64(of) = of else {
        return None;
    };
    Some((make(*of.min_opt()?), make(*of.max_opt()?)))
}

fn texts(of: &Statistics) -> Option<(String, String)> {
    let Statistics::ByteArray(of) = of else {
        return None;
    };
    let text = |bytes: &ByteArray| bytes.as_utf8().ok().map(str::to_owned);
    text(of.min_opt()?).zip(text(of.max_opt()?))
}
