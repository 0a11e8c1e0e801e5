//! `purser signals`

use super::args::{Common, OutputFormat, Signals};
use super::failure::Failure;
use super::nats::access;
use super::query::{print, session};
use crate::adapters::jetstream::Connection;
use crate::jobs::signals::publish;

/// What a person sees: a line for each reason.
const SHOWN: &str = "customer, kind, score, plan, used_percent, run_out_date,
     UNNEST(STRING_TO_ARRAY(reasons, '; ')) AS why";

pub(super) async fn run(common: &Common, args: Signals) -> Result<(), Failure> {
    let session = session(common, args.as_of).await?;
    let shown = match args.format.format {
        OutputFormat::Table => SHOWN,
        _ => "*",
    };
    let mut statement = format!("SELECT {shown} FROM signals");
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
