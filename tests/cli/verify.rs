//! `purser verify`: right ledgers pass, and each kind of tampering is named with its row.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use crate::purser::{Place, Ran};
use crate::tampering::Files;

/// Customers of the fixtures' story who are left out, so that few entries need to be numbered.
const OTHERS: [&str; 5] = ["juniper", "linden", "maple", "nettle", "olive"];

/// A ledger of the story of the fixtures, but for some customers.
fn story() -> &'static Place {
    static STORY: OnceLock<Place> = OnceLock::new();
    STORY.get_or_init(|| {
        let place = Place::new();
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        let events = fs::read_to_string(fixtures.join("events/story.ndjson")).expect("the story");
        let is_kept = |line: &&str| !OTHERS.iter().any(|other| line.contains(other));
        let kept: String = events.split_inclusive('\n').filter(is_kept).collect();
        let file = place.path("story.ndjson");
        fs::write(&file, kept).expect("a file");
        let prices = fixtures.join("prices");
        let paths = prices.to_str().zip(file.to_str()).expect("UTF-8");
        place.done(&["replay", "--prices", paths.0, paths.1]);
        place
    })
}

/// A copy of the story's data folder, to be changed.
fn copied() -> Place {
    let copy = Place::new();
    copy_folder(&story().path("data"), &copy.path("data"));
    copy
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let from = entry.expect("an entry").path();
        let to = to.join(from.file_name().expect("a name"));
        if from.is_dir() {
            copy_folder(&from, &to);
        } else {
            fs::copy(&from, &to).expect("a copy");
        }
    }
}

/// Verifies a copy after `change`.
fn after(change: impl FnOnce(&mut Files)) -> Ran {
    let place = copied();
    let mut files = Files::open(&place.path("data"));
    change(&mut files);
    files.save();
    place.run(&["verify"])
}

/// A tampering is found: `row` has a fault that begins with `words`, and is the first to have one.
fn caught(row: &str, words: &str, change: impl FnOnce(&mut Files)) {
    let ran = after(change);
    assert_eq!(ran.code, 1, "{row} {words}: {}{}", ran.out, ran.err);
    let faults = ran
        .out
        .lines()
        .filter_map(|line| line.split_once(" fault: "));
    // Where `all` is meant, the wallets' checkpoint may have come to its own view before.
    let is_of = |place: &str| format!("{place} ").contains(&format!(" {row} "));
    let mut faults = faults.skip_while(|(_, told)| row == "all" && !told.starts_with(words));
    let (place, told) = faults.next().unwrap_or_default();
    let is_named = is_of(place) && told.starts_with(words);
    assert!(is_named, "{row} {words}: {}", ran.out);
    let count = ran.out.split_once("faults=").expect("a count").1;
    let count = count.lines().next().expect("a count");
    // A log line may come before it.
    let last = ran.err.lines().last().unwrap_or_default();
    assert!(last.starts_with(&format!("{count} fault")), "{}", ran.err);
}

#[test]
fn a_right_ledger_passes_and_its_sums_are_printed() {
    let ran = story().run(&["verify"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    let sums = story().csv("SELECT sum(credits), sum(delta), sum(amount) FROM ledger");
    let sums: Vec<&str> = sums.lines().nth(1).expect("a row").split(',').collect();
    let expected = format!(
        "shard=0 rows=110 sources=1 wallets=6 charges=41 grants=16 alerts=16 copies=4 \
         rejected=15 faults=0\n\
         shard=0 credits={} overage=1631.016667 remaining={} amount_USD={}\n",
        sums[0], sums[1], sums[2]
    );
    assert_eq!(ran.out, expected);
    // Written again and not changed, it passes too: what is caught below is the change.
    let ran = after(|_| {});
    assert_eq!((ran.code, ran.out), (0, expected));
}

#[test]
fn rows_that_are_gone_or_doubled_are_caught() {
    caught("entry=6", "entries 5 to 5 are missing", |files| {
        files.remove(5)
    });
    caught("all", "the rows end at entry 109", |files| {
        files.remove(110)
    });
    caught("entry=11", "it comes after entry 11", |files| {
        files.double(11)
    });
    // As if they had never been: a rejection, a charge, an alert, an expiry, a price version.
    for (entry, row, words) in [
        (6, "entry=6", "seq 4 to 4 of its source are missing"),
        (37, "entry=37", "`leg` should be 0"),
        (27, "entry=26", "the alert `used 50` should follow"),
        (
            25,
            "entry=27",
            "grant pool/2026-09-01 should have expired before",
        ),
        (43, "entry=43", "`leg` should be 0"),
    ] {
        caught(row, words, |files| {
            files.remove(entry);
            files.shift_after(entry, -1);
            files.edit_log(
                "\"appId\":\"purser/0\",\"version\":110",
                "\"appId\":\"purser/0\",\"version\":109",
            );
        });
    }
}

#[test]
fn numbers_that_were_moved_are_caught() {
    caught(
        "entry=110",
        "seq 69 to 69 of its source are missing",
        |files| {
            files.set(110, "seq", Some("70"));
        },
    );
    caught("entry=23", "event 0 of its message", |files| {
        files.set(23, "idx", Some("1"))
    });
    caught("entry=39", "`leg` should be 2", |files| {
        files.set(39, "leg", Some("3"))
    });
    caught("entry=9", "`received_at` goes back", |files| {
        let before = files.get(7, "received_at").expect("a time");
        files.set(9, "received_at", Some(&before.replace("T10:30", "T10:29")));
    });
    caught(
        "source=\"file:story.ndjson\"",
        "the rows end at seq 69, but the log says 70",
        |files| {
            let of = |seq| format!("\"appId\":\"purser/0/file:story.ndjson\",\"version\":{seq}");
            files.edit_log(&of(69), &of(70));
        },
    );
    caught(
        "all",
        "the rows end at entry 110, but the log says 111",
        |files| {
            let of = |entry| format!("\"appId\":\"purser/0\",\"version\":{entry}");
            files.edit_log(&of(110), &of(111));
        },
    );
    caught("entry=106", "it lies in partition 2026-11-21", |files| {
        files.edit_log("{\"day\":\"2026-11-20\"}", "{\"day\":\"2026-11-21\"}");
    });
}

#[test]
fn amounts_that_were_changed_are_caught() {
    caught(
        "entry=20",
        "`balance` is 771.220001, and should be 771.220000",
        |files| {
            files.add(20, "balance", 1);
        },
    );
    caught(
        "entry=20",
        "`credits` is 5.000001, and should be 5.000000",
        |files| {
            files.add(20, "credits", 1);
        },
    );
    caught(
        "entry=20",
        "`quantity` is 10.000001, and should be 10.000000",
        |files| {
            files.add(20, "quantity", 1);
        },
    );
    caught(
        "entry=47",
        "`amount` is 12.546000001, and should be 12.546000000",
        |files| {
            files.set(47, "amount", Some("12.546000001"));
        },
    );
    caught(
        "entry=21",
        "`amount` is 9.000000000, and should be 99.000000000",
        |files| {
            files.set(21, "amount", Some("9"));
        },
    );
    caught(
        "entry=4",
        "`cost_usd` is 0.000000001, and should be",
        |files| {
            files.set(4, "cost_usd", Some("0.000000001"));
        },
    );
    // The credits of a gift, and all balances as if it had been so.
    caught(
        "entry=36",
        "`delta` is 15.000000, and should be 10.000000",
        |files| {
            files.add(36, "delta", 5_000_000);
            for entry in (36..=46).filter(|entry| *entry != 43) {
                files.add(entry, "balance", 5_000_000);
            }
        },
    );
    // A charge that is five credits too low, and all balances and the expiry to match it.
    caught(
        "entry=20",
        "`credits` is 0.000000, and should be 5.000000",
        |files| {
            for column in ["credits", "delta", "balance"] {
                let sign = if column == "credits" { -1 } else { 1 };
                files.add(20, column, sign * 5_000_000);
            }
            files.add(25, "delta", -5_000_000);
        },
    );
}

#[test]
fn facts_that_were_changed_are_caught() {
    caught(
        "entry=20",
        "`quantity` is 10.000000, and should be 11.000000",
        |files| {
            let data = files.get(20, "data").expect("data");
            files.set(20, "data", Some(&data.replace(":10", ":11")));
        },
    );
    caught(
        "entry=4",
        "`price_id` is document-large, and should be document-small",
        |files| {
            files.set(4, "price_id", Some("document-large"));
        },
    );
    caught(
        "entry=4",
        "`price_version` is 2026-10b, and should be 2026-09",
        |files| {
            files.set(4, "price_version", Some("2026-10b"));
        },
    );
    caught(
        "entry=4",
        "`plan` is team, and should be starter",
        |files| {
            files.set(4, "plan", Some("team"));
        },
    );
    caught("entry=24", "`late` is false, and should be true", |files| {
        files.set(24, "late", Some("false"));
    });
    caught(
        "entry=24",
        "`period` is 2026-10-01, and should be 2026-09-01",
        |files| {
            files.set(24, "period", Some("2026-10-01"));
        },
    );
    caught(
        "entry=37",
        "`grant_id` is /billing/order-71, and should be /billing/thanks-4",
        |files| {
            files.set(37, "grant_id", Some("/billing/order-71"));
        },
    );
    caught(
        "entry=12",
        "no event of this identity was accepted",
        |files| {
            files.set(12, "event_id", Some("another"));
        },
    );
    caught(
        "entry=12",
        "`period`, `task`, `unit`, `credits`, `balance`",
        |files| files.set(12, "kind", Some("usage")),
    );
    // A copy that was charged again, with all that a charge has.
    caught(
        "entry=90",
        "an event of this identity was accepted already",
        |files| {
            for column in [
                "kind",
                "period",
                "task",
                "unit",
                "quantity",
                "credits",
                "balance",
                "amount",
                "currency",
                "cost_usd",
                "plan",
                "price_version",
                "price_id",
                "late",
                "data",
            ] {
                let value = files.get(89, column);
                files.set(90, column, value.as_deref());
            }
        },
    );
    caught(
        "entry=27",
        "what it tells did not come about by the row before",
        |files| {
            files.set(27, "reason", Some("used 51"));
        },
    );
    caught("entry=27", "what it tells did not come about", |files| {
        files.set(27, "reason", Some("used 80"));
    });
}

#[test]
fn a_ledger_that_cannot_be_read_is_no_answer() {
    for (change, words) in [
        (
            (|path| fs::remove_file(path)) as fn(&Path) -> std::io::Result<()>,
            "could not read ",
        ),
        (
            |path| fs::File::options().write(true).open(path)?.set_len(900),
            "could not decode ",
        ),
        (|path| fs::write(path, ""), "could not decode "),
    ] {
        let place = copied();
        let files = Files::open(&place.path("data"));
        let path = files.path(44);
        change(path).expect("a changed file");
        let ran = place.run(&["verify"]);
        assert_eq!(ran.code, 2, "{}", ran.out);
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name");
        assert!(
            ran.err.contains(words) && ran.err.contains(name),
            "{}",
            ran.err
        );
        assert!(
            ran.out.ends_with("shard=0 not looked at to its end\n"),
            "{}",
            ran.out
        );
        // What comes before it was looked at.
        assert!(ran.out.starts_with("shard=0 rows=42 "), "{}", ran.out);
    }
    let place = Place::new();
    let ran = place.run(&["verify"]);
    assert_eq!(ran.code, 2, "{}", ran.out);
    assert!(ran.err.contains("there is no ledger"), "{}", ran.err);
}
