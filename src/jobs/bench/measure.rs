//! What a process takes, and the middle of several rounds.
//!
//! Owns the figures of the system: time, time of processors, memory. Leaves what they are compared
//! with to the bench.

use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;
use wait4::Wait4;

/// What one run took.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Took {
    pub(super) wall_micros: u64,
    /// User and system, all threads.
    pub(super) cpu_micros: u64,
    pub(super) peak_bytes: u64,
}

/// Runs a command to its end: what it took, and what it printed.
///
/// # Errors
///
/// It can't be started, or it fails: the error is what it said.
pub(super) fn measured(command: &mut Command) -> io::Result<(Took, String)> {
    let begun = Instant::now();
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (mut out, mut said) = (String::new(), String::new());
    // What it says is no more than a pipe holds.
    if let Some(pipe) = &mut child.stdout {
        pipe.read_to_string(&mut out)?;
    }
    if let Some(pipe) = &mut child.stderr {
        pipe.read_to_string(&mut said)?;
    }
    let ended = child.wait4()?;
    let wall = begun.elapsed();
    if !ended.status.success() {
        return Err(io::Error::other(format!("{command:?}: {said}")));
    }
    let took = Took {
        wall_micros: micros(wall),
        cpu_micros: micros(ended.rusage.utime + ended.rusage.stime),
        peak_bytes: ended.rusage.maxrss,
    };
    Ok((took, out))
}

pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// A figure of several rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    pub least: u64,
    pub median: u64,
    pub most: u64,
}

impl Spread {
    /// The middle of an even number of figures is the lower one. All zero without any.
    pub(super) fn of(figures: impl Iterator<Item = u64>) -> Self {
        let mut sorted: Vec<u64> = figures.collect();
        sorted.sort_unstable();
        let at = |place: usize| sorted.get(place).copied().unwrap_or(0);
        Self {
            least: at(0),
            median: at(sorted.len().saturating_sub(1) / 2),
            most: at(sorted.len().saturating_sub(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_one_of_the_figures() {
        for (figures, least, median, most) in [
            (&[][..], 0, 0, 0),
            (&[7], 7, 7, 7),
            (&[9, 1], 1, 1, 9),
            (&[5, 9, 1], 1, 5, 9),
        ] {
            let spread = Spread::of(figures.iter().copied());
            let expected = Spread {
                least,
                median,
                most,
            };
            assert_eq!(spread, expected);
        }
    }

    #[test]
    fn a_process_is_measured_and_one_that_fails_says_why() {
        let (took, out) = measured(Command::new("sh").args(["-c", "echo told"])).unwrap();
        assert_eq!(out, "told\n");
        assert!(
            took.wall_micros > 0 && took.peak_bytes > 100_000,
            "{took:?}"
        );
        let failed = measured(Command::new("sh").args(["-c", "echo no >&2; exit 3"]));
        assert!(failed.unwrap_err().to_string().ends_with(": no\n"));
    }
}
