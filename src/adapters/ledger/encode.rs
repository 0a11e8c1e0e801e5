//! Columns → a Parquet file.
//!
//! Owns the encoding of each column, the file's name, its statistics and putting it on the disk.
//! Leaves making it visible to `delta`.
//!
//! Invariant: a file that `finish` returned is on the disk, and so is its name; until a commit
//! names it, nobody sees it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::compute::{max, max_string, min, min_string};
use arrow::datatypes::{Date32Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use uuid::Uuid;

use super::columns::{Columns, batch_schema};
use super::delta::{Bounds, ColumnStats, FileStats, NewFile, partition_folder, sync_folder};
use crate::domain::units::{Day, Timestamp};

/// Rows of a row group: what a reader skips or reads at once, and what the writer holds.
const ROW_GROUP_ROWS: usize = 128 << 10;
/// Bytes of a row group, so that long rows do not fill the memory.
const ROW_GROUP_BYTES: usize = 24 << 20;

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    #[error("could not write {}", .path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("could not encode {}", .path.display())]
    Parquet {
        path: PathBuf,
        #[source]
        source: ParquetError,
    },
    #[error("could not make a batch of the rows")]
    Columns(#[from] ArrowError),
}

/// One file of one day, being written.
pub struct FileWriter {
    shard: u32,
    day: Day,
    /// Relative to the table's root.
    name: String,
    partial: Partial,
    writer: ArrowWriter<File>,
    rows: u64,
    stats: FileStats,
}

/// A file that is deleted again unless it is finished: on a disk that is full, what was begun in
/// vain must not stay.
struct Partial {
    path: PathBuf,
    is_finished: bool,
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.is_finished {
            // One that stays is deleted by maintenance.
            fs::remove_file(&self.path).ok();
        }
    }
}

impl FileWriter {
    /// Starts a file for rows of `shard` received on `day`, below the table's folder.
    ///
    /// # Errors
    ///
    /// The folder or the file can't be made.
    pub fn create(table: &Path, shard: u32, day: Day) -> Result<Self, EncodeError> {
        let name = format!("{}/part-{}.parquet", partition_folder(day), Uuid::new_v4());
        let path = table.join(&name);
        let io = |source| EncodeError::Io {
            path: path.clone(),
            source,
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(io)?;
        }
        let file = File::create_new(&path).map_err(io)?;
        let partial = Partial {
            path,
            is_finished: false,
        };
        Self::over(file, partial, name, shard, day)
    }

    fn over(
        file: File,
        partial: Partial,
        name: String,
        shard: u32,
        day: Day,
    ) -> Result<Self, EncodeError> {
        let options = ArrowWriterOptions::new()
            .with_properties(properties())
            .with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(file, batch_schema(), options);
        let writer = writer.map_err(|source| EncodeError::Parquet {
            path: partial.path.clone(),
            source,
        })?;
        Ok(Self {
            shard,
            day,
            name,
            partial,
            writer,
            rows: 0,
            stats: FileStats::default(),
        })
    }

    pub fn day(&self) -> Day {
        self.day
    }

    /// Encodes more rows, which follow those before.
    ///
    /// # Errors
    ///
    /// The disk is full, for instance.
    pub fn write(&mut self, columns: Columns) -> Result<(), EncodeError> {
        self.append(&columns.into_batch()?)
    }

    /// Encodes more rows, with the columns of `batch_schema`.
    pub(super) fn append(&mut self, batch: &RecordBatch) -> Result<(), EncodeError> {
        self.rows += batch.num_rows() as u64;
        add_stats(&mut self.stats, self.shard, batch);
        let written = self.writer.write(batch);
        written.map_err(|source| EncodeError::Parquet {
            path: self.partial.path.clone(),
            source,
        })
    }

    /// Ends the file and puts it on the disk.
    ///
    /// # Errors
    ///
    /// The disk is full, for instance; nothing of the file stays.
    pub fn finish(self) -> Result<NewFile, EncodeError> {
        let Self {
            day,
            name,
            mut partial,
            mut writer,
            rows,
            stats,
            ..
        } = self;
        let path = partial.path.clone();
        let io = |source| EncodeError::Io {
            path: path.clone(),
            source,
        };
        // `into_inner` would make a text of what the disk answers.
        writer.finish().map_err(|source| EncodeError::Parquet {
            path: path.clone(),
            source,
        })?;
        let file = writer.inner();
        file.sync_all().map_err(io)?;
        let size = file.metadata().map_err(io)?.len();
        // The day's folder, and the table's: whoever made the day's may not have come to it.
        for folder in path.ancestors().skip(1).take(2) {
            sync_folder(folder).map_err(io)?;
        }
        partial.is_finished = true;
        Ok(NewFile {
            path: name,
            size,
            rows,
            day,
            stats,
        })
    }
}

/// How each column is stored. Numbers that grow or repeat are small as deltas without
/// compression; names repeat, so a dictionary and zstd; ids and data hardly do.
fn properties() -> WriterProperties {
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_compression(zstd)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_column_bloom_filter_max_ndv("event_id".into(), ROW_GROUP_ROWS as u64)
        .set_column_bloom_filter_max_ndv("customer".into(), ROW_GROUP_ROWS as u64);
    for column in [
        "entry",
        "seq",
        "used_at",
        "received_at",
        "credits",
        "delta",
        "balance",
        "cost_usd",
    ] {
        properties = properties
            .set_column_dictionary_enabled(column.into(), false)
            .set_column_encoding(column.into(), Encoding::DELTA_BINARY_PACKED)
            .set_column_compression(column.into(), Compression::UNCOMPRESSED);
    }
    for column in ["event_id", "data"] {
        properties = properties
            .set_column_dictionary_enabled(column.into(), false)
            .set_column_encoding(column.into(), Encoding::DELTA_LENGTH_BYTE_ARRAY);
    }
    // Least and greatest cost a comparison a value, and of these nobody asks for a range: each has
    // a few values, or any.
    for column in [
        "event_source",
        "task",
        "unit",
        "grant_id",
        "currency",
        "plan",
        "price_version",
        "price_id",
        "reason",
        "data",
    ] {
        properties =
            properties.set_column_statistics_enabled(column.into(), EnabledStatistics::None);
    }
    properties.build()
}

fn add_stats(stats: &mut FileStats, shard: u32, batch: &RecordBatch) {
    if batch.num_rows() == 0 {
        return;
    }
    let column = |name: &str| batch.column_by_name(name).map(|array| array.as_ref());
    let longs = |name| column(name).map(|array| array.as_primitive::<Int64Type>());
    let texts = |name| column(name).map(|array| array.as_string::<i32>());
    let instants =
        |name| column(name).map(|array| array.as_primitive::<TimestampMicrosecondType>());
    widen(&mut stats.shard, 0, Some(shard), Some(shard));
    if let Some(entry) = longs("entry") {
        widen(&mut stats.entry, 0, min(entry), max(entry));
    }
    if let Some(seq) = longs("seq") {
        widen(&mut stats.seq, 0, min(seq), max(seq));
    }
    if let Some(period) = column("period").map(|array| array.as_primitive::<Date32Type>()) {
        let (from, to) = (min(period).map(Day::new), max(period).map(Day::new));
        widen(&mut stats.period, period.null_count(), from, to);
    }
    for (stats, name) in [
        (&mut stats.used_at, "used_at"),
        (&mut stats.received_at, "received_at"),
    ] {
        if let Some(at) = instants(name) {
            let (from, to) = (min(at).map(Timestamp::new), max(at).map(Timestamp::new));
            widen(stats, at.null_count(), from, to);
        }
    }
    for (stats, name) in [
        (&mut stats.source, "source"),
        (&mut stats.kind, "kind"),
        (&mut stats.customer, "customer"),
        (&mut stats.event_id, "event_id"),
    ] {
        if let Some(text) = texts(name) {
            widen_text(stats, text);
        }
    }
}

fn widen<T: PartialOrd>(stats: &mut ColumnStats<T>, nulls: usize, min: Option<T>, max: Option<T>) {
    stats.nulls += nulls as u64;
    let (Some(min), Some(max)) = (min, max) else {
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

fn widen_text(stats: &mut ColumnStats<String>, text: &StringArray) {
    let (from, to) = (min_string(text), max_string(text));
    widen(
        stats,
        text.null_count(),
        from.map(str::to_owned),
        to.map(str::to_owned),
    );
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    #[test]
    fn a_file_that_was_not_finished_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let begin = || FileWriter::create(folder.path(), 0, Day::new(20_000)).expect("a file");
        let files = || {
            let day = folder.path().join(partition_folder(Day::new(20_000)));
            fs::read_dir(day).expect("a folder").count()
        };
        let begun = begin();
        assert_eq!(files(), 1);
        drop(begun);
        assert_eq!(files(), 0);
        begin().finish().expect("a finished file");
        assert_eq!(files(), 1);
    }

    #[test]
    fn what_a_full_disk_answers_last_is_known_as_that() {
        let full = File::options().write(true).open("/dev/full");
        let partial = Partial {
            path: PathBuf::from("part"),
            is_finished: false,
        };
        let file = full.expect("the device that is always full");
        let begun = FileWriter::over(file, partial, "part".to_owned(), 0, Day::new(20_000));
        // So few bytes that all of them wait in memory until the end.
        let Err(error) = begun.expect("a begun file").finish() else {
            panic!("finished on a full disk")
        };
        let mut causes: Option<&(dyn Error + 'static)> = Some(&error);
        let mut kinds = Vec::new();
        while let Some(cause) = causes {
            kinds.extend(cause.downcast_ref::<io::Error>().map(io::Error::kind));
            causes = cause.source();
        }
        assert_eq!(kinds, [io::ErrorKind::StorageFull], "{error:?}");
    }
}
