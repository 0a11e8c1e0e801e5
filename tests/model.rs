//! The engine against a second implementation: `model/model.py`, written from the rules alone.
//!
//! `model/make.py` makes a random input from a seed; both must give the same rows, column by
//! column. A failing seed is printed; `MODEL_SEEDS=17..18 cargo test --test model` runs it alone.

mod support;

use std::path::Path;
use std::process::Command;

use purser::domain::customer::Shard;
use purser::domain::rfc3339;
use purser::jobs::data::DataFolder;
use purser::jobs::replay::{Replay, replay};
use purser::jobs::shard::Attach;
use support::ledger_csv;

const COLUMNS: &str = "entry, seq, idx, leg, kind, customer, period, used_at, received_at, \
    event_source, event_id, event_type, task, unit, quantity, credits, grant_id, delta, balance, \
    amount, currency, cost_usd, plan, price_version, price_id, late, reason, data";

/// Lines of each input.
const EVENTS: &str = "400";

#[tokio::test]
async fn rows_are_those_of_the_model() {
    let seeds = std::env::var("MODEL_SEEDS").unwrap_or_else(|_| "0..12".to_owned());
    let (from, until) = seeds.split_once("..").expect("MODEL_SEEDS=from..until");
    let seeds = from.parse::<u32>().expect("a number")..until.parse().expect("a number");
    for seed in seeds {
        let folder = tempfile::tempdir().expect("a folder");
        let (model, wall) = model_rows(seed, folder.path());
        let engine = engine_rows(folder.path(), &wall).await;
        compare(seed, &model, &engine);
    }
}

fn model_rows(seed: u32, folder: &Path) -> (String, String) {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/model");
    let seed = seed.to_string();
    let mut make = Command::new("python3");
    make.arg(scripts.join("make.py"))
        .args(["--seed", &seed, "--events", EVENTS]);
    assert!(
        make.arg("--out")
            .arg(folder)
            .output()
            .expect("python3")
            .status
            .success()
    );
    let wall = std::fs::read_to_string(folder.join("wall.txt")).expect("a time");
    let mut model = Command::new("python3");
    model
        .arg(scripts.join("model.py"))
        .args(["--source", "file:events.ndjson"]);
    model
        .args(["--wall", wall.trim()])
        .arg("--prices")
        .arg(folder.join("prices"));
    let output = model
        .arg(folder.join("events.ndjson"))
        .output()
        .expect("python3");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    (
        String::from_utf8(output.stdout).expect("UTF-8"),
        wall.trim().to_owned(),
    )
}

async fn engine_rows(folder: &Path, wall: &str) -> String {
    let data =
        DataFolder::new(folder.join("data").to_str().expect("UTF-8"), None).expect("a folder");
    let job = Replay {
        shard: Attach {
            data: data.clone(),
            shard: Shard::WHOLE,
            prices: Some(folder.join("prices")),
            // So little that identities of larger inputs are handed over to the disk.
            filter_bytes: 1 << 20,
        },
        file: folder.join("events.ndjson"),
        source: None,
        wall_clock: rfc3339::parse(wall.as_bytes()).expect("a time"),
        until: None,
    };
    replay(job, |_| {}).await.expect("replayed");
    ledger_csv(
        &data,
        &format!("SELECT {COLUMNS} FROM ledger ORDER BY entry"),
    )
    .await
}

fn compare(seed: u32, model: &str, engine: &str) {
    let (model, engine) = (support::records(model), support::records(engine));
    let header = &model[0];
    for (number, (expected, found)) in model.iter().zip(&engine).enumerate().skip(1) {
        let differences: Vec<String> = (0..header.len())
            .filter(|column| expected[*column] != found[*column])
            .map(|at| {
                format!(
                    "{}: model {:?}, engine {:?}",
                    header[at], expected[at], found[at]
                )
            })
            .collect();
        assert!(
            differences.is_empty(),
            "seed {seed}, entry {number}, seq {}:\n{}",
            expected[1],
            differences.join("\n")
        );
    }
    assert_eq!(
        model.len(),
        engine.len(),
        "seed {seed}: rows of model and engine"
    );
}
