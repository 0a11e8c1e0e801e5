//! `purser balance`

use super::args::{Balance, Common};
use super::failure::Failure;
use super::query::{print, session};

pub(super) async fn run(common: &Common, args: Balance) -> Result<(), Failure> {
    let statement = "SELECT * FROM wallets WHERE customer = $customer";
    let params = [("customer".to_owned(), args.customer.clone())];
    match print(
        &session(common, args.as_of).await?,
        statement,
        &params,
        args.format.format,
    )
    .await?
    {
        0 => Err(Failure::No(format!("`{}` has no wallet", args.customer))),
        _ => Ok(()),
    }
}
