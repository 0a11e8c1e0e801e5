//! What the commands take and print: environment, help, formats, compressed input.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::purser::{ALL_ROWS, Place, ran, usage};

/// Each command, and all of its flags but those of every command.
const FLAGS: [(&str, &[&str]); 14] = [
    ("replay", &["--prices", "--source", "--shards", "<FILES>"]),
    (
        "run",
        &[
            "--nats",
            "--stream",
            "--nats-creds",
            "--nats-user",
            "--nats-ca",
            "--nats-cert",
        ],
    ),
    (
        "run",
        &[
            "--nats-key",
            "--prices",
            "--shards",
            "--commit-interval",
            "--new-source",
        ],
    ),
    (
        "publish",
        &["--nats", "--stream", "--nats-creds", "--batch", "<FILES>"],
    ),
    (
        "query",
        &[
            "--param",
            "--format",
            "--memory-mib",
            "--as-of",
            "--history",
            "[SQL]",
        ],
    ),
    ("report", &["--customer", "--all", "--out", "--as-of"]),
    ("invoice", &["--period", "--customer", "--format"]),
    ("signals", &["--customer", "--format"]),
    ("balance", &["--format", "<CUSTOMER>"]),
    (
        "explain",
        &["--customer", "--source", "--format", "<EVENT_ID>"],
    ),
    (
        "bench",
        &["--events", "--customers", "--rounds", "--seed", "--python"],
    ),
    (
        "bench",
        &[
            "--identities",
            "--entries",
            "--work",
            "--nats-server",
            "[LOAD]...",
        ],
    ),
    ("prices check", &["<FOLDER>"]),
    ("prices publish", &["<FOLDER>"]),
];

/// Reads an answer in each text format with Python's own readers, and prints it as lines of
/// `id quantity credits used_at reason`, where `-` is no value.
const READ: &str = r#"
import csv, json, sys
def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        if path.endswith(".csv"):
            rows = list(csv.DictReader(file))
        elif path.endswith(".ndjson"):
            rows = [json.loads(line) for line in file]
        else:
            rows = json.load(file)
    for row in rows:
        values = [row["event_id"], row["quantity"], row["credits"], row["used_at"], row["reason"]]
        print(" ".join(json.dumps(value) if value else "-" for value in values))
read(sys.argv[1])
"#;

fn three_events() -> String {
    ["first", "second", "third"]
        .map(|id| usage(id, "acme", "05T10:00:00.123456Z") + "\n")
        .concat()
}

#[test]
fn help_tells_every_flag_of_every_command() {
    let place = Place::new();
    let whole = place.done(&["--help"]);
    for (command, flags) in FLAGS {
        let words: Vec<&str> = command.split(' ').collect();
        assert!(whole.contains(words[0]), "{command} in {whole}");
        let help = place.done(&[&words[..], &["--help"]].concat());
        let everywhere = [
            "--data",
            "PURSER_DATA",
            "--log-format",
            "--log-level",
            "--help",
        ];
        for flag in flags.iter().chain(&everywhere) {
            assert!(help.contains(flag), "{command}: {flag} in {help}");
        }
    }
    for code in [
        "0 done",
        "1 the answer is no",
        "2 it could not be done",
        "3 another worker",
    ] {
        assert!(whole.replace('\n', " ").contains(code), "{code} in {whole}");
    }
}

#[test]
fn flags_come_from_the_environment_too_and_the_command_line_wins() {
    let place = Place::new();
    place.write("events.ndjson", three_events());
    let mut command = place.command(&["replay", "events.ndjson"]);
    command
        .env("PURSER_DATA", "by-environment")
        .env("PURSER_PRICES", "prices");
    command
        .env("PURSER_SOURCE", "named")
        .env("PURSER_LOG_FORMAT", "json");
    command.env("PURSER_LOG_LEVEL", "info");
    let replayed = ran(command.output().expect("a run"));
    assert_eq!(replayed.code, 0, "{}", replayed.err);
    assert!(
        replayed.out.starts_with("named: 3 lines"),
        "{}",
        replayed.out
    );
    let logs = replayed
        .err
        .lines()
        .map(serde_json::from_str::<serde_json::Value>);
    assert!(logs.count() > 0, "logs at this level");
    for log in replayed.err.lines() {
        let log: serde_json::Value = serde_json::from_str(log).expect("a log as JSON");
        assert!(log["level"].is_string(), "{log}");
    }
    assert!(place.path("by-environment/ledger").is_dir());

    let statement = "SELECT source, count(*) AS n FROM usage GROUP BY source";
    let mut query = place.command(&["query", statement, "--data", "by-environment"]);
    query
        .env("PURSER_DATA", "elsewhere")
        .env("PURSER_FORMAT", "csv");
    let answer = ran(query.output().expect("a run"));
    assert_eq!(answer.out, "source,n\nnamed,3\n", "{}", answer.err);
    let mut query = place.command(&["query", statement, "--format", "ndjson"]);
    query
        .env("PURSER_DATA", "by-environment")
        .env("PURSER_FORMAT", "csv");
    let answer = ran(query.output().expect("a run"));
    assert_eq!(
        answer.out, "{\"source\":\"named\",\"n\":3}\n",
        "{}",
        answer.err
    );
}

#[test]
fn answers_are_read_by_python_in_every_text_format() {
    let place = Place::new();
    let odd = "a \\\"quoted\\\", comma\\nand line, ünïcödé";
    let broken = "broken, \"and\" odd ü";
    let odd = usage(odd, "acme", "05T10:00:00.123456Z").replace(":2,", ":12345678.123456,");
    place.write(
        "events.ndjson",
        format!("{}{odd}\n{broken}\n", three_events()),
    );
    place.replay("events.ndjson");
    // More than a double holds.
    let statement = "SELECT event_id, quantity, \
                     CASE WHEN event_id = 'first' THEN 123456789012.345678 ELSE credits END \
                     AS credits, used_at, CASE WHEN kind = 'rejected' THEN data END AS reason \
                     FROM ledger WHERE quantity IS NOT NULL OR kind = 'rejected' ORDER BY entry";
    let mut read = Vec::new();
    for format in ["csv", "json", "ndjson"] {
        let answer = place.done(&["query", statement, "--format", format]);
        let path = place.write(&format!("answer.{format}"), answer);
        let output = Command::new("python3")
            .args(["-c", READ])
            .arg(path)
            .output();
        let output = ran(output.expect("python3, which this test needs"));
        assert_eq!(output.code, 0, "{format}: {}", output.err);
        read.push(output.out);
    }
    let time = "\"2026-03-05T10:00:00.123456Z\"";
    let expected = format!(
        "\"first\" \"2.000000\" \"123456789012.345678\" {time} -\n\
         \"second\" \"2.000000\" \"1.000000\" {time} -\n\
         \"third\" \"2.000000\" \"1.000000\" {time} -\n\
         \"a \\\"quoted\\\", comma\\nand line, \\u00fcn\\u00efc\\u00f6d\\u00e9\" \
         \"12345678.123456\" \"97.000000\" {time} -\n\
         - - - - \"broken, \\\"and\\\" odd \\u00fc\"\n"
    );
    for (format, read) in ["csv", "json", "ndjson"].iter().zip(read) {
        assert_eq!(read, expected, "{format}");
    }
}

#[test]
fn a_statement_may_lie_in_a_file_and_have_parameters() {
    let place = Place::new();
    place.write("events.ndjson", three_events());
    place.replay("events.ndjson");
    place.write(
        "q.sql",
        "SELECT count(*) AS n FROM usage WHERE event_id = $id",
    );
    let query = ["query", "q.sql", "--param", "id=second", "--format", "csv"];
    assert_eq!(place.done(&query), "n\n1\n");
    let nothing = place.csv("SELECT event_id FROM usage WHERE event_id = 'x'");
    assert_eq!(nothing, "event_id\n", "a header even without rows");
    let table = place.done(&["query", "SELECT 1.50 AS price"]);
    assert!(table.contains("price") && table.contains("1.50"), "{table}");
}

#[test]
fn every_way_in_gives_the_same_rows() {
    let file = three_events() + "broken\n\n" + &usage("no-end", "acme", "06T10:00:00Z");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(file.as_bytes()).expect("in memory");
    let gzip = gzip.finish().expect("in memory");
    let zstd = zstd::encode_all(file.as_bytes(), 1).expect("in memory");
    // A file may be several that were joined, as logs are.
    let middle = file.len() / 2;
    let halves = [&file.as_bytes()[..middle], &file.as_bytes()[middle..]];
    let joined = halves
        .map(|half| zstd::encode_all(half, 1).expect("in memory"))
        .concat();

    let place = Place::new();
    place.write("plain.ndjson", &file);
    place.done(&[
        "replay",
        "--prices",
        "prices",
        "--source",
        "same",
        "plain.ndjson",
    ]);
    let expected = place.csv(ALL_ROWS);
    for (name, bytes) in [
        ("a.ndjson.gz", gzip),
        ("b.ndjson.zst", zstd),
        ("c.zst", joined),
    ] {
        let place = Place::new();
        place.write(name, bytes);
        place.done(&["replay", "--prices", "prices", "--source", "same", name]);
        assert_eq!(place.csv(ALL_ROWS), expected, "{name}");
    }

    let place = Place::new();
    let mut command = place.command(&["replay", "--prices", "prices", "--source", "same", "-"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("a process");
    let mut input = child.stdin.take().expect("its input");
    for half in halves {
        input.write_all(half).expect("written");
        input.flush().expect("written");
    }
    drop(input);
    let piped = ran(child.wait_with_output().expect("its output"));
    assert_eq!(piped.code, 0, "{}", piped.err);
    assert_eq!(place.csv(ALL_ROWS), expected, "standard input");
}

#[test]
fn several_files_are_replayed_in_order() {
    let place = Place::new();
    for (name, day) in [("a.ndjson", "05"), ("b.ndjson", "06")] {
        place.write(name, usage(name, "acme", &format!("{day}T10:00:00Z")));
    }
    let out = place.done(&["replay", "--prices", "prices", "a.ndjson", "b.ndjson"]);
    assert_eq!(out.lines().count(), 2, "{out}");
    let rows = place.csv("SELECT source, seq, event_id FROM usage ORDER BY entry");
    let expected = "source,seq,event_id\nfile:a.ndjson,1,a.ndjson\nfile:b.ndjson,1,b.ndjson\n";
    assert_eq!(rows, expected);
}
