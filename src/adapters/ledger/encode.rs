//! Groups of rows → a Parquet file.
//!
//! Owns what readers may ask for of each column, the file's name and putting it on the disk. Leaves
//! a column's bytes to `chunk`, statistics to `footer`, and making the file visible to `delta`.
//!
//! Invariant: a file that `finish` returned is on the disk, and so is its name; until a commit
//! names it, nobody sees it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::error::ArrowError;
use parquet::arrow::ArrowSchemaConverter;
use parquet::errors::ParquetError;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use uuid::Uuid;

use super::chunk::{Asked, Encoder};
use super::columns::{Columns, batch_schema};
use super::delta::{NewFile, partition_folder, sync_folder};
use super::footer::file_stats;
use super::group::Values;
use crate::domain::units::Day;

/// The columns by whose values whole row groups are told not to hold a row. Most row groups have
/// neither a grant nor a reversal, and many questions are about these.
const FILTERED: [&str; 3] = ["kind", "customer", "event_id"];
/// Least and greatest cost a comparison a value, and of these nobody asks for a range: each has
/// a few values, or any.
const WITHOUT_BOUNDS: [&str; 10] = [
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
];

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
    day: Day,
    /// Relative to the table's root.
    name: String,
    partial: Partial,
    writer: SerializedFileWriter<File>,
    encoder: Encoder,
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
    /// Starts a file for rows received on `day`, below the table's folder.
    ///
    /// # Errors
    ///
    /// The folder or the file can't be made.
    pub fn create(table: &Path, day: Day) -> Result<Self, EncodeError> {
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
        Self::over(file, partial, name, day)
    }

    fn over(file: File, partial: Partial, name: String, day: Day) -> Result<Self, EncodeError> {
        let parquet = |source| EncodeError::Parquet {
            path: partial.path.clone(),
            source,
        };
        let schema = ArrowSchemaConverter::new().convert(&batch_schema());
        let schema = schema.map_err(parquet)?;
        let properties = WriterProperties::builder()
            .set_writer_version(WriterVersion::PARQUET_2_0)
            .build();
        let writer =
            SerializedFileWriter::new(file, schema.root_schema_ptr(), Arc::new(properties));
        let writer = writer.map_err(parquet)?;
        let encoder = Encoder::new().map_err(|source| EncodeError::Io {
            path: partial.path.clone(),
            source,
        })?;
        Ok(Self {
            day,
            name,
            partial,
            writer,
            encoder,
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
    pub fn write(&mut self, columns: &Columns) -> Result<(), EncodeError> {
        self.append(&columns.values())
    }

    /// Encodes more rows, their columns in the order of the file's schema.
    pub(super) fn append(&mut self, columns: &[Values<'_>]) -> Result<(), EncodeError> {
        let encoded = self.encode(columns);
        encoded.map_err(|source| EncodeError::Parquet {
            path: self.partial.path.clone(),
            source,
        })
    }

    fn encode(&mut self, columns: &[Values<'_>]) -> Result<(), ParquetError> {
        let descriptions = self.writer.schema_descr().columns().to_vec();
        let mut row_group = self.writer.next_row_group()?;
        for (column, description) in columns.iter().zip(&descriptions) {
            let asked = Asked {
                bounds: !WITHOUT_BOUNDS.contains(&description.name()),
                filter: FILTERED.contains(&description.name()),
            };
            let (bytes, close) = self.encoder.encode(*column, description, asked)?;
            row_group.append_column(&bytes, close)?;
            self.encoder.reuse(bytes);
        }
        row_group.close()?;
        Ok(())
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
            ..
        } = self;
        let path = partial.path.clone();
        let io = |source| EncodeError::Io {
            path: path.clone(),
            source,
        };
        // `into_inner` would make a text of what the disk answers.
        let footer = writer.finish().map_err(|source| EncodeError::Parquet {
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
            rows: footer.file_metadata().num_rows().unsigned_abs(),
            day,
            stats: file_stats(&footer),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    #[test]
    fn a_file_that_was_not_finished_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let begin = || FileWriter::create(folder.path(), Day::new(20_000)).expect("a file");
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
        let begun = FileWriter::over(file, partial, "part".to_owned(), Day::new(20_000));
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
