//! The promises of the Delta adapter, tried on folders of their own.
//!
//! Owns the ledgers that the tests make: small Parquet files of a few columns, not the encoder's.

mod commits;
mod filters;
mod writers;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, new_null_array};
use arrow::array::{Int32Array, StringArray, TimestampMicrosecondArray};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::SessionContext;
use parquet::arrow::ArrowWriter;
use tempfile::TempDir;
use url::Url;
use uuid::Uuid;

use super::*;
use crate::adapters::ledger::{ShardCommit, schema};
use crate::domain::units::{Day, Timestamp};

/// 2026-11-22.
const DAY: Day = Day::new(20_779);
const SOURCE: &str = "USAGE@2026-11-01T00:00:00Z";

fn folder() -> (TempDir, Url) {
    let folder = tempfile::Builder::new()
        .prefix("purser data ")
        .tempdir()
        .expect("a folder");
    let missing = folder.path().join("not yet/there");
    let url = data_url(missing.to_str().expect("UTF-8")).expect("a URL");
    (folder, url)
}

/// A customer's name that is longer than the bounds in the log.
fn customer(entry: i64) -> String {
    format!("{}{entry:04}", "é".repeat(40))
}

/// A row a microsecond before a round millisecond: what is cut falls out of its bounds.
fn received_at(entry: i64) -> i64 {
    DAY.start().get() + entry * 1_000 - 1
}

fn one<T>(min: T, max: T) -> ColumnStats<T> {
    ColumnStats {
        nulls: 0,
        bounds: Some(Bounds { min, max }),
    }
}

/// Writes the shard's entries `first..=last` and says how to commit them.
fn shard_commit(data: &Url, shard: u32, first: i64, last: i64) -> ShardCommit {
    let path = format!("{}/part-{}.parquet", partition_folder(DAY), Uuid::new_v4());
    let on_disk = data
        .to_file_path()
        .expect("a path")
        .join("ledger")
        .join(&path);
    write_parquet(&on_disk, shard, first, last);
    let (from, to) = (
        Timestamp::new(received_at(first)),
        Timestamp::new(received_at(last)),
    );
    let stats = FileStats {
        shard: one(shard, shard),
        entry: one(first, last),
        source: one(SOURCE.to_string(), SOURCE.to_string()),
        seq: one(first, last),
        kind: one("usage".to_string(), "usage".to_string()),
        customer: one(customer(first), customer(last)),
        period: ColumnStats {
            nulls: (last - first + 1).unsigned_abs(),
            bounds: None,
        },
        used_at: one(from, to),
        received_at: one(from, to),
        event_id: one(format!("id-{first:04}"), format!("id-{last:04}")),
    };
    let size = on_disk.metadata().expect("a file").len();
    let rows = (last - first + 1).unsigned_abs();
    ShardCommit {
        shard,
        first_entry: first,
        last_entry: last,
        positions: vec![(SOURCE.to_string(), last)],
        files: vec![NewFile {
            path,
            size,
            rows,
            day: DAY,
            stats,
        }],
    }
}

fn write_parquet(path: &Path, shard: u32, first: i64, last: i64) {
    let entries: Vec<i64> = (first..=last).collect();
    let text = |each: fn(i64) -> String| -> ArrayRef {
        Arc::new(
            entries
                .iter()
                .map(|entry| Some(each(*entry)))
                .collect::<StringArray>(),
        )
    };
    let int = |value: i32| -> ArrayRef { Arc::new(Int32Array::from(vec![value; entries.len()])) };
    let time = || -> ArrayRef {
        let times: Vec<i64> = entries.iter().map(|entry| received_at(*entry)).collect();
        Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC"))
    };
    let column = |name: &str| -> Option<ArrayRef> {
        Some(match name {
            "shard" => int(shard.cast_signed()),
            "entry" | "seq" => Arc::new(Int64Array::from(entries.clone())),
            "source" => text(|_| SOURCE.to_string()),
            "idx" | "leg" => int(0),
            "kind" => text(|_| "usage".to_string()),
            "customer" => text(customer),
            "event_id" => text(|entry| format!("id-{entry:04}")),
            "used_at" | "received_at" => time(),
            _ => return None,
        })
    };
    let fields = schema::file_schema();
    let columns = fields.fields().iter().map(|field| {
        column(field.name()).unwrap_or_else(|| new_null_array(field.data_type(), entries.len()))
    });
    let batch = RecordBatch::try_new(fields.clone(), columns.collect()).expect("a batch");
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    let file = File::create_new(path).expect("a new file");
    let mut writer = ArrowWriter::try_new(file, fields, None).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
}

fn commit(writer: &str, batch: u64, shards: Vec<ShardCommit>) -> Commit {
    Commit {
        writer: writer.to_string(),
        batch,
        shards,
    }
}

/// The answer's rows, cells parted by a blank.
async fn query(ledger: &mut Ledger, sql: &str) -> Vec<String> {
    let session = SessionContext::new();
    let table = ledger.provider().await.expect("a table");
    session.register_table("ledger", table).expect("registered");
    let answer = session
        .sql(sql)
        .await
        .expect("a plan")
        .collect()
        .await
        .expect("an answer");
    let format = FormatOptions::default();
    let mut rows = Vec::new();
    for batch in &answer {
        let cells = batch
            .columns()
            .iter()
            .map(|x| ArrayFormatter::try_new(x, &format));
        let cells: Vec<_> = cells.collect::<Result<_, _>>().expect("printable");
        for row in 0..batch.num_rows() {
            let row: Vec<String> = cells.iter().map(|x| x.value(row).to_string()).collect();
            rows.push(row.join(" "));
        }
    }
    rows
}
