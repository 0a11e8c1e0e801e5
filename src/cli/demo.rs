//! `purser demo`: one made-up month, from events to an invoice.
//!
//! Owns the story's order and words. Everything it shows comes from the same jobs and views that
//! the other commands use.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use uuid::Uuid;

use super::args::{Common, Demo, FILTER_MIB, OutputFormat};
use super::failure::Failure;
use super::query::print;
use crate::adapters::sql::session::{Limits, Session};
use crate::domain::customer::Shard;
use crate::domain::rfc3339;
use crate::jobs::data::DataFolder;
use crate::jobs::demo_events::{DemoCounts, write_october};
use crate::jobs::replay::{Replay, replay};
use crate::jobs::shard::Attach;
use crate::jobs::sql;

/// The demo's own price tables.
const PRICES: [(&str, &str); 2] = [
    (
        "2026-09.toml",
        include_str!("../../fixtures/prices/2026-09.toml"),
    ),
    (
        "2026-10b.toml",
        include_str!("../../fixtures/prices/2026-10b.toml"),
    ),
];
/// The demo's month lies before this moment, which stands for the machine's clock.
const AFTER_THE_MONTH: &str = "2026-11-01T00:00:00Z";

/// What is told, and the statement that answers it.
const CHAPTERS: [(&str, &str); 7] = [
    (
        "What came in. A retry is never charged twice, and nothing is dropped in silence:",
        "SELECT kind, COALESCE(reason, '') AS reason, COUNT(*) AS rows, SUM(credits) AS credits
         FROM ledger WHERE kind <> 'alert' GROUP BY kind, reason ORDER BY rows DESC, kind, reason",
    ),
    (
        "What customers bought, in their own words:",
        "SELECT task, unit, SUM(quantity) AS quantity, SUM(credits) AS credits
         FROM usage_by_task GROUP BY task, unit ORDER BY credits DESC",
    ),
    (
        "Wallets at the end of the month:",
        "SELECT customer, plan,
                CONCAT(REPEAT('█', CAST(used_percent / 5 AS INT)),
                       REPEAT('░', 20 - CAST(used_percent / 5 AS INT))) AS used_of_credits,
                used_percent, remaining, overage
         FROM wallets ORDER BY used_percent DESC, customer",
    ),
    (
        "Alerts, as they fired:",
        "SELECT received_at, customer, reason AS alert, event_id, balance
         FROM alerts ORDER BY entry",
    ),
    (
        "The invoice of ember-studio, whose pool ran out in the first week:",
        "SELECT line, description, unit, quantity, credits, pool_used, overage, amount, currency
         FROM invoice_lines WHERE customer = 'ember-studio'
         UNION ALL
         SELECT NULL, 'total', NULL, NULL, SUM(credits), SUM(pool_used), SUM(overage), SUM(amount),
                currency
         FROM invoice_lines WHERE customer = 'ember-studio' GROUP BY currency
         ORDER BY line NULLS LAST",
    ),
    (
        "Whom sales should call, and with which plan:",
        "SELECT customer, plan, projected, cost_now_plan, fitting_plan, fitting_plan_cost, saving
         FROM upgrade_signals ORDER BY saving DESC, customer",
    ),
    (
        "Every charge can be explained. The dearest one:",
        "SELECT u.event_id, u.task, u.quantity, u.credits, u.price_version, u.price_id, p.charge
         FROM usage AS u
         JOIN prices AS p ON p.version = u.price_version AND p.price_id = u.price_id
         ORDER BY u.credits DESC, u.event_id LIMIT 1",
    ),
];

pub(super) async fn run(common: &Common, args: Demo) -> Result<(), Failure> {
    let (data, folder) = folder(common)?;
    let events = folder.join("october.ndjson");
    tell_events(&write_events(&events)?, &events);
    let job = Replay {
        shard: Attach {
            data: data.clone(),
            shard: Shard::WHOLE,
            prices: Some(prices(&args, &folder)?),
            filter_bytes: FILTER_MIB << 20,
        },
        file: events,
        source: None,
        wall_clock: rfc3339::parse(AFTER_THE_MONTH.as_bytes()).context("the demo's clock")?,
        until: None,
    };
    let replayed = replay(job, |_| {}).await?;
    println!(
        "Replayed: {} lines became {} entries.\n",
        replayed.lines_new, replayed.entries
    );
    tell_chapters(
        &sql::open(
            &data,
            &Limits {
                memory_bytes_max: None,
            },
            None,
        )
        .await?,
    )
    .await?;
    go_on(&folder);
    Ok(())
}

fn tell_events(counts: &DemoCounts, file: &Path) {
    let DemoCounts {
        commands,
        usage,
        delayed,
        duplicates,
        conflicts,
        broken,
    } = counts;
    let lines = commands + usage + duplicates + conflicts + broken;
    println!(
        "October 2026, eight customers: {lines} lines in {}",
        file.display()
    );
    println!(
        "({usage} events of usage, {delayed} of them late; {commands} wallet commands, \
         {duplicates} retries, {conflicts} conflicts, {broken} broken lines)\n"
    );
}

async fn tell_chapters(session: &Session) -> Result<(), Failure> {
    for (title, statement) in CHAPTERS {
        println!("{title}");
        print(session, statement, &[], OutputFormat::Table).await?;
        println!();
    }
    Ok(())
}

fn go_on(folder: &Path) {
    let folder = folder.display();
    println!("The ledger is a Delta Lake table in {folder}/ledger. Go on with SQL:\n");
    for command in [
        "query \"select * from usage where customer = 'atlas-bank' limit 5\"",
        "query \"select task, sum(margin) as margin from margin_by_task group by task\"",
        "invoice --period 2026-10 --customer birch-legal",
        "signals",
        "balance cobalt-realty",
        "report --customer cobalt-realty --out cobalt-realty.html",
    ] {
        println!("  purser --data {folder} {command}");
    }
}

/// The folder that was named, which must have no ledger yet, or a fresh one.
fn folder(common: &Common) -> Result<(DataFolder, PathBuf), Failure> {
    let data = match &common.data {
        Some(_) => common.folder()?,
        None => {
            let fresh = std::env::temp_dir().join(format!("purser-demo-{}", Uuid::new_v4()));
            DataFolder::new(
                fresh
                    .to_str()
                    .context("the temporary folder is not UTF-8")?,
                None,
            )?
        }
    };
    let path = data
        .local()
        .context("the demo wants a folder on this machine")?;
    let folder = path.display();
    if path.join("ledger").exists() {
        return Err(anyhow!("{folder} has a ledger already: name an empty folder").into());
    }
    fs::create_dir_all(path).with_context(|| format!("making {folder}"))?;
    let path = path.to_owned();
    Ok((data, path))
}

fn write_events(path: &Path) -> anyhow::Result<DemoCounts> {
    let writing = || format!("writing {}", path.display());
    let mut out = BufWriter::new(File::create(path).with_context(writing)?);
    let counts = write_october(&mut out).with_context(writing)?;
    out.into_inner()
        .map_err(|error| error.into_error())
        .with_context(writing)?;
    Ok(counts)
}

/// The folder of price files: the one that was named, or the demo's own.
fn prices(args: &Demo, data: &Path) -> anyhow::Result<PathBuf> {
    if let Some(folder) = &args.prices {
        return Ok(folder.clone());
    }
    let folder = data.join("price-files");
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    for (name, text) in PRICES {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(folder)
}
