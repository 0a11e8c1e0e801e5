//! `purser signals`

use super::args::{Common, Signals};
use super::failure::Failure;
use super::query::{print, session};

pub(super) async fn run(common: &Common, args: Signals) -> Result<(), Failure> {
    let mut statement = "SELECT * FROM upgrade_signals".to_owned();
    let mut params = Vec::new();
    if let Some(customer) = args.customer {
        statement.push_str(" WHERE customer = $customer");
        params.push(("customer".to_owned(), customer));
    }
    // What a change would save first: that is whom to call.
    statement.push_str(" ORDER BY saving DESC NULLS LAST, customer");
    print(
        &session(common, args.as_of).await?,
        &statement,
        &params,
        args.format.format,
    )
    .await?;
    Ok(())
}
