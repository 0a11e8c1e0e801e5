//! `purser signals`

use super::args::{Common, Signals};
use super::failure::Failure;
use super::nats::access;
use super::query::{print, session};
use crate::adapters::jetstream::Connection;
use crate::jobs::signals::publish;

pub(super) async fn run(common: &Common, args: Signals) -> Result<(), Failure> {
    let session = session(common, args.as_of).await?;
    let mut statement = "SELECT * FROM signals".to_owned();
    let mut params = Vec::new();
    if let Some(customer) = &args.customer {
        statement.push_str(" WHERE customer = $customer");
        params.push(("customer".to_owned(), customer.clone()));
    }
    statement.push_str(" ORDER BY score DESC, customer");
    print(&session, &statement, &params, args.format.format).await?;
    if args.publish {
        let connection = Connection::open(&access(&args.nats, "purser signals")).await?;
        let told = publish(&session, &connection, args.customer.as_deref()).await?;
        connection.close().await?;
        eprintln!("{} signals told, {} were told before", told.new, told.known);
    }
    Ok(())
}
