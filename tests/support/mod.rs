//! What several tests need: chance, reading a ledger, a real nats-server and a real S3 server.
#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod dice;
pub(crate) mod nats;
pub(crate) mod s3;

use purser::adapters::sql::output::{Format, write};
use purser::adapters::sql::session::Limits;
use purser::jobs::data::DataFolder;
use purser::jobs::sql;

/// The answer of a statement over a data folder, as CSV.
pub(crate) async fn ledger_csv(data: &DataFolder, statement: &str) -> String {
    let session = sql::open(
        data,
        &Limits {
            memory_bytes_max: None,
        },
        None,
    )
    .await
    .expect("a ledger");
    let rows = session.run(statement, &[]).await.expect("a statement");
    let mut out = Vec::new();
    write(rows, Format::Csv, &mut out).await.expect("an answer");
    String::from_utf8(out).expect("UTF-8")
}

/// The records of a CSV text, the header first; quoted fields may hold commas, quotes and lines.
pub(crate) fn records(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut field) = (Vec::new(), Vec::new(), String::new());
    let mut quoted = false;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' if quoted && rest.peek() == Some(&'"') => {
                field.push('"');
                rest.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut field)),
            '\r' if !quoted && rest.peek() == Some(&'\n') => {}
            '\n' if !quoted => {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            other => field.push(other),
        }
    }
    records
}
