//! `purser publish`

use super::args::{Common, Publish};
use super::failure::Failure;
use super::nats::access;
use super::progress::Bar;
use crate::jobs::publish::{self, publish};

pub(super) async fn run(_common: &Common, args: Publish) -> Result<(), Failure> {
    for file in args.files {
        let bar = Bar::new(&file.display().to_string());
        let name = file.display().to_string();
        let job = publish::Publish {
            access: access(&args.nats, "purser publish"),
            stream: args.stream.stream.clone(),
            file,
            batch: args.batch.map(|lines| lines as usize),
        };
        let published = publish(&job, |progress| bar.follow(progress)).await;
        bar.end();
        let published = published?;
        println!(
            "{name}: {} messages stored, {} were there before",
            published.stored, published.duplicates
        );
    }
    Ok(())
}
