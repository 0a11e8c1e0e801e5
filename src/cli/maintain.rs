//! `purser maintain`

use super::args::{Common, Maintain};
use super::failure::Failure;
use super::progress::Bar;
use crate::jobs::maintain::maintain;

pub(super) async fn run(common: &Common, args: Maintain) -> Result<(), Failure> {
    let data = common.folder()?;
    let bar = Bar::new("maintaining");
    let done = maintain(&data, args.dry_run, |step, at, of| bar.step(step, at, of)).await;
    bar.end();
    let done = done?;
    let (was, would) = match args.dry_run {
        false => ("", ""),
        true => ("would be ", " (nothing was changed: --dry-run)"),
    };
    println!(
        "{} files {was}merged into {}, {} old files {was}deleted, log {}{would}",
        done.files_before,
        done.files_after,
        done.files_deleted,
        match done.checkpointed {
            true => format!(
                "{was}checkpointed and {} of its entries {was}deleted",
                done.log_entries_deleted
            ),
            false => "left as it is".to_owned(),
        },
    );
    Ok(())
}
