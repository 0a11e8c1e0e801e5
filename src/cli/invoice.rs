//! `purser invoice`
//!
//! Owns the choice of periods and the words. The lines, their sums and the rounding are the view's.

use std::path::Path;

use super::args::{AsOfFlag, Common, Invoice, OutputFormat};
use super::failure::Failure;
use super::query::{print, session};
use crate::jobs::invoice::{self, InvoiceError, Issued, Missing, Total, Wanted, check, issue};

/// What a person sees of a line; the totals tell the invoice's number.
const SHOWN: &str = "customer, period, line, kind, description, unit, quantity, credits, \
     pool_used, overage, amount, currency, status";

pub(super) async fn run(common: &Common, args: Invoice) -> Result<(), Failure> {
    if args.schema {
        let schema = serde_json::to_string_pretty(&invoice::Invoice::schema())?;
        println!("{schema}");
        return Ok(());
    }
    let Some(month) = args.period.filter(|_| !args.check) else {
        return checked(common).await;
    };
    let session = session(common, args.as_of).await?;
    let wanted = Wanted {
        month,
        customer: args.customer,
    };
    if let Some(out) = &args.out {
        let issued = match issue(&session, &common.folder()?, &wanted, out).await {
            Err(differ @ InvoiceError::Differ { .. }) => {
                return Err(Failure::No(differ.to_string()));
            }
            issued => issued?,
        };
        if issued.is_empty() {
            return Err(none(&wanted));
        }
        tell(&issued, out);
        return Ok(());
    }
    let is_table = matches!(args.format.format, OutputFormat::Table);
    let (lines, params) = wanted.lines(if is_table { SHOWN } else { "*" });
    if print(&session, &lines, &params, args.format.format).await? == 0 {
        return Err(none(&wanted));
    }
    if is_table {
        let (condition, params) = wanted.condition();
        let totals = format!(
            "SELECT customer, period, status, number,
                    CAST(SUM(amount) AS DECIMAL(28, 2)) AS total, currency
             FROM invoice_lines WHERE {condition}
             GROUP BY customer, period, status, number, currency
             ORDER BY customer, period, currency"
        );
        print(&session, &totals, &params, OutputFormat::Table).await?;
    }
    Ok(())
}

fn none(wanted: &Wanted) -> Failure {
    let month = &wanted.month;
    let whose = wanted.customer.as_ref();
    let whose = whose.map(|customer| format!(" of `{customer}`"));
    Failure::No(format!(
        "no period{} starts in {month}",
        whose.unwrap_or_default()
    ))
}

fn tell(issued: &Issued, out: &Path) {
    let out = out.display();
    println!(
        "{} invoices issued, {} were issued before{}; in {out}",
        issued.new,
        issued.known,
        sums(&issued.totals)
    );
    if issued.drafts > 0 {
        let sums = sums(&issued.draft_totals);
        println!("{} drafts of periods that are open{sums}", issued.drafts);
    }
}

fn sums(totals: &[Total]) -> String {
    let totals = totals.iter().map(|total| {
        let currency = total.currency.as_deref().unwrap_or_default();
        format!(", {} {currency}", total.amount)
    });
    totals.collect()
}

/// Compares the books with the ledger.
async fn checked(common: &Common) -> Result<(), Failure> {
    let session = session(common, AsOfFlag { as_of: None }).await?;
    let checked = check(&session).await?;
    let missing: i64 = checked.missing.iter().map(|missing| missing.periods).sum();
    println!(
        "{} invoices in the books, {missing} closed periods not issued yet",
        checked.issued
    );
    for Missing { month, periods } in &checked.missing {
        println!("{periods} to be issued by `purser invoice --period {month} --out DIR`");
    }
    for fault in &checked.first {
        println!("{fault}");
    }
    match checked.faults {
        0 => Ok(()),
        faults => Err(Failure::No(format!(
            "{faults} differences between the books and the ledger"
        ))),
    }
}
