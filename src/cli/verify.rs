//! `purser verify`
//!
//! Owns the words of the answer: a line of counts and a line of sums for each shard, then a line
//! for each fault that is shown, all of `name=value`.

use super::args::Common;
use super::failure::Failure;
use super::progress::Bar;
use crate::jobs::verify::{Progress, Verified, verify};

pub(super) async fn run(common: &Common) -> Result<(), Failure> {
    let bar = Bar::new("verify");
    let progress = |at: Progress| bar.count(at.rows, at.rows_total);
    let told = |verified: &Verified| bar.suspend(|| print(verified));
    let verified = verify(&common.folder()?, progress, told).await;
    bar.end();
    match verified? {
        0 => Ok(()),
        1 => Err(Failure::No("1 fault".to_owned())),
        faults => Err(Failure::No(format!("{faults} faults"))),
    }
}

fn print(verified: &Verified) {
    let Verified {
        shard,
        report,
        is_whole,
    } = verified;
    println!(
        "shard={shard} rows={} sources={} wallets={} charges={} grants={} alerts={} copies={} \
         rejected={} faults={}",
        report.rows,
        report.sources,
        report.wallets,
        report.charges,
        report.grants,
        report.alerts,
        report.copies,
        report.rejected,
        report.findings.count,
    );
    let sums = &report.sums;
    let (credits, overage, remaining) = (sums.credits(), sums.overage(), sums.remaining());
    print!("shard={shard} credits={credits} overage={overage} remaining={remaining}");
    for (currency, amount) in sums.amounts() {
        print!(" amount_{currency}={amount}");
    }
    println!();
    for finding in &report.findings.first {
        println!("shard={shard} {} fault: {}", finding.at, finding.fault);
    }
    let shown = report.findings.first.len() as u64;
    if report.findings.count > shown {
        let more = report.findings.count - shown;
        println!("shard={shard} … and {more} more faults");
    }
    if report.unfollowed > 0 {
        println!(
            "shard={shard} unfollowed={}: of wallets with a row that can't be right, only the \
             sums, charges and identities were checked after it",
            report.unfollowed
        );
    }
    if !is_whole {
        println!("shard={shard} not looked at to its end");
    }
}
