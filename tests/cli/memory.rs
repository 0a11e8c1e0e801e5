//! How much memory a replay takes, whatever its input.
//!
//! Owns looking at the running process.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::purser::{Place, Ran, ran};

/// What broken input may make a replay take at most.
pub(crate) const PEAK_KIB_MAX: u64 = 300 << 10;

/// How often the process is looked at.
const GLANCE: Duration = Duration::from_millis(2);

/// Runs a command that prints little, and tells the most memory that it held, in KiB.
pub(crate) fn watch(mut command: Command) -> (Ran, u64) {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("a process");
    let status = format!("/proc/{}/status", child.id());
    let mut peak_kib = 0;
    while child.try_wait().expect("a look at it").is_none() {
        // An ended process has no such line; the mark only rises, so the last one seen is it.
        let status = fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak_kib = kib.unwrap_or(peak_kib);
        sleep(GLANCE);
    }
    assert!(peak_kib > 0, "the process was never seen");
    (ran(child.wait_with_output().expect("its output")), peak_kib)
}

#[test]
fn broken_lines_without_end_take_no_more_memory() {
    let place = Place::new();
    let mut file = Vec::new();
    for number in 0..200_000 {
        match number % 4 {
            0 => writeln!(file, "{number} is no event {}", "x".repeat(number % 200)),
            1 => writeln!(file, "{{\"specversion\":\"1.0\",\"id\":\"{number}"),
            2 => file.write_all(b"\xff\xfe\0\n"),
            _ => writeln!(file, "{}", "[".repeat(number % 200)),
        }
        .expect("in memory");
    }
    place.write("events.ndjson", file);
    let (ran, peak_kib) = watch(place.command(&["replay", "--prices", "prices", "events.ndjson"]));
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(peak_kib < PEAK_KIB_MAX, "{peak_kib} KiB at most");
    let rejected = "SELECT count(*) FROM rejected WHERE reason = 'malformed'";
    assert_eq!(place.number(rejected), 200_000);
    place.check_whole("events.ndjson", 200_000);
}

#[test]
fn lines_that_are_too_long_take_no_more_memory() {
    let place = Place::new();
    let output = fs::File::create(place.path("events.ndjson.zst")).expect("a file");
    let mut output = zstd::Encoder::new(output, 1).expect("an encoder");
    // Lines of all lengths, most of them over the limit.
    let megabyte = vec![b'x'; 1 << 20];
    for length in [0, 1, 7, 8, 9, 40, 330] {
        for _ in 0..length {
            output.write_all(&megabyte).expect("written");
        }
        output.write_all(b"\n").expect("written");
    }
    output.finish().expect("written");
    let file = "events.ndjson.zst";
    let (ran, peak_kib) = watch(place.command(&["replay", "--prices", "prices", file]));
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(peak_kib < PEAK_KIB_MAX, "{peak_kib} KiB at most");
    let rows = place.csv("SELECT reason, right(data, 20) AS e FROM rejected ORDER BY seq");
    let ends = rows.lines().skip(2).map(|line| line.rsplit('x').next());
    let expected = [1_u64, 7, 8, 9, 40, 330].map(|mib| mib << 20);
    let expected = expected.map(|bytes| format!("…[{bytes} bytes]"));
    assert!(
        ends.eq(expected.iter().map(|end| Some(end.as_str()))),
        "{rows}"
    );
}
