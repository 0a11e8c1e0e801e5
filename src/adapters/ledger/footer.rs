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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::ledger::{Columns, FileWriter, RowBlock};
    use crate::domain::entry::{Entry, Kind, Sink};

    fn row(entry: i64, customer: Option<&str>) -> Entry<'_> {
        Entry {
            customer,
            used_at: customer.map(|_| Timestamp::new(entry)),
            event_id: customer,
            ..Entry::bare(
                entry,
                ("file:a", entry),
                Kind::Rejected,
                Timestamp::new(entry),
            )
        }
    }

    /// Row groups without a customer, with one each row and with two.
    #[test]
    fn a_file_s_statistics_are_those_of_its_rows() {
        let long = "m".repeat(200);
        let each: Vec<String> = (0..50).map(|n| format!("customer-{n}")).collect();
        let none = vec![None; 9];
        let each: Vec<Option<&str>> = each.iter().map(|name| Some(name.as_str())).collect();
        let two = [Some("zebra"), None, Some(long.as_str())].repeat(5);
        let folder = tempfile::tempdir().expect("a folder");
        let mut file = FileWriter::create(folder.path(), Day::new(0)).expect("a file");
        let mut entry = 0;
        for group in [&none, &each, &two] {
            let mut columns = Columns::new(7);
            let mut block = RowBlock::default();
            for customer in group {
                entry += 1;
                block.append(&row(entry, *customer));
            }
            columns.append(&block);
            file.write(&columns).expect("written rows");
        }
        let file = file.finish().expect("a finished file");
        let one = |min: &str, max: &str, nulls| ColumnStats {
            nulls,
            bounds: Some(Bounds {
                min: min.to_owned(),
                max: max.to_owned(),
            }),
        };
        let numbers = Some(Bounds { min: 1, max: 74 });
        assert_eq!((file.rows, file.stats.entry.bounds), (74, numbers));
        assert_eq!(file.stats.shard.bounds, Some(Bounds { min: 7, max: 7 }));
        assert_eq!(file.stats.source, one("file:a", "file:a", 0));
        assert_eq!(file.stats.kind, one("rejected", "rejected", 0));
        assert_eq!(file.stats.customer, one("customer-0", "zebra", 14));
        assert_eq!(file.stats.event_id, file.stats.customer);
        assert_eq!(
            (file.stats.period.nulls, file.stats.period.bounds),
            (74, None)
        );
        let used = file
            .stats
            .used_at
            .bounds
            .map(|bounds| (bounds.min, bounds.max));
        assert_eq!(used, Some((Timestamp::new(10), Timestamp::new(74))));
    }
}
