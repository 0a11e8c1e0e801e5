//! Replays that are killed, and replays that meet.

use std::fmt::Write;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::dice::{Dice, seed};
use crate::purser::{ALL_ROWS, Place, Ran, ran, usage};

const KILLS: usize = 20;
const LINES: usize = 60_000;
/// Days that the file spans, each a commit.
const DAYS: usize = 28;
/// The longest that a replay may live before it is killed.
const LIFE: Duration = Duration::from_millis(1_500);
const PATIENCE: Duration = Duration::from_secs(120);

/// Usage of forty customers; every tenth line or so comes a second time, some of them much later.
fn many_events(dice: &mut Dice) -> String {
    let mut lines: Vec<String> = Vec::new();
    for number in 0..LINES {
        let copied = match dice.place(20) {
            0 => lines.len().checked_sub(1 + dice.place(5)),
            1 => lines.len().checked_sub(1 + dice.place(9_000)),
            _ => None,
        };
        if let Some(copied) = copied {
            lines.push(lines[copied].clone());
            continue;
        }
        let second = number * DAYS * 86_400 / LINES;
        let time = format!(
            "{:02}T{:02}:{:02}:{:02}.{number:06}Z",
            1 + second / 86_400,
            second / 3_600 % 24,
            second / 60 % 60,
            second % 60
        );
        let customer = format!("customer-{}", dice.below(40));
        lines.push(usage(&format!("e{number}"), &customer, &time));
    }
    lines.iter().fold(String::new(), |mut file, line| {
        writeln!(file, "{line}").expect("in memory");
        file
    })
}

#[test]
fn a_replay_that_is_killed_anywhere_ends_as_if_it_were_not() {
    let mut dice = Dice::new(seed("KILLED_SEED"));
    let file = many_events(&mut dice);
    let whole = Place::new();
    whole.write("events.ndjson", &file);
    whole.replay("events.ndjson");
    whole.check_whole("events.ndjson", LINES);
    let expected = whole.csv(ALL_ROWS);
    let duplicates = "SELECT count(*) FROM ledger WHERE kind = 'duplicate'";
    assert!(whole.number(duplicates) > 1_000, "the file has duplicates");

    let mut kills = 0;
    while kills < KILLS {
        let place = Place::new();
        place.write("events.ndjson", &file);
        let mut kills_here = 0;
        while kills < KILLS {
            let life = dice.millis(LIFE.as_millis() as u64);
            let mut child = start(&place, "events.ndjson");
            if !ends_within(&mut child, life) {
                child.kill().expect("killed");
                kills += 1;
                kills_here += 1;
                child.wait().expect("gone");
                continue;
            }
            let ran = ran(child.wait_with_output().expect("its output"));
            assert_eq!(ran.code, 0, "after {kills_here} kills: {}", ran.err);
            break;
        }
        place.replay("events.ndjson");
        place.check_whole("events.ndjson", LINES);
        let found = place.csv(ALL_ROWS);
        let first = expected
            .lines()
            .zip(found.lines())
            .find(|(one, other)| one != other);
        assert_eq!(first, None, "after {kills_here} kills, {dice:?}");
        assert_eq!(
            found.len(),
            expected.len(),
            "after {kills_here} kills, {dice:?}"
        );
    }
}

#[test]
fn of_two_replays_at_once_one_wins_and_the_ledger_is_whole() {
    let mut file = String::new();
    for number in 0..2_000 {
        let time = format!("{:02}T10:00:00Z", 1 + number / 300);
        writeln!(file, "{}", usage(&format!("e{number}"), "acme", &time)).expect("in memory");
    }
    let whole = Place::new();
    whole.write("events.ndjson", &file);
    whole.replay("events.ndjson");
    let expected = whole.csv(ALL_ROWS);

    for round in 0..4 {
        let place = Place::new();
        place.write("events.ndjson", &file);
        // Half of them meet in a ledger that is there, half while they make it.
        if round % 2 == 0 {
            place.write("first.ndjson", "");
            place.replay("first.ndjson");
        }
        let children = [
            start(&place, "events.ndjson"),
            start(&place, "events.ndjson"),
        ];
        let both = children.map(|mut child| {
            assert!(ends_within(&mut child, PATIENCE), "it hangs");
            ran(child.wait_with_output().expect("its output"))
        });
        let winners = both.iter().filter(|ran| ran.code == 0).count();
        for ran in both.iter().filter(|ran| ran.code != 0) {
            assert_eq!(ran.code, 3, "{both:?}");
            assert!(
                ran.err.contains("shard 0 belongs to another worker"),
                "{both:?}"
            );
        }
        assert!(winners == 1 || is_one_after_the_other(&both), "{both:?}");
        place.check_whole("events.ndjson", 2_000);
        assert_eq!(place.csv(ALL_ROWS), expected);
    }
}

/// Whether one began when the other had done all.
fn is_one_after_the_other(both: &[Ran; 2]) -> bool {
    let idle = |ran: &Ran| ran.out.contains("0 lines (and 2000 that were known)");
    both.iter().all(|ran| ran.code == 0) && both.iter().any(idle)
}

fn start(place: &Place, file: &str) -> Child {
    let mut command = place.command(&["replay", "--prices", "prices", file]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("a process")
}

fn ends_within(child: &mut Child, life: Duration) -> bool {
    let end = Instant::now() + life;
    loop {
        if child.try_wait().expect("a look at it").is_some() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        sleep(Duration::from_millis(1));
    }
}
