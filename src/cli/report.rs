//! `purser report`

use std::fs;
use std::io::{self, Write};

use anyhow::Context;

use super::args::{Common, Report};
use super::failure::Failure;
use super::query::session;
use crate::jobs::report;

pub(super) async fn run(common: &Common, args: Report) -> Result<(), Failure> {
    let session = session(common, args.as_of).await?;
    // The environment may name a customer.
    let (page, none) = match args.customer.filter(|_| !args.all) {
        Some(customer) => (
            report::customer(&session, &customer).await?,
            format!("`{customer}` has no wallet"),
        ),
        None => (
            report::all(&session).await?,
            "there is no wallet yet".to_owned(),
        ),
    };
    let page = page.ok_or(Failure::No(none))?;
    match &args.out {
        Some(path) => {
            let writing = || format!("writing {}", path.display());
            fs::write(path, page).with_context(writing)?;
            eprintln!("{} is written", path.display());
        }
        None => io::stdout().write_all(page.as_bytes())?,
    }
    Ok(())
}
