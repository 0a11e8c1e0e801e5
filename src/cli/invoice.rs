//! `purser invoice`
//!
//! Owns the choice of periods. The lines, their sums and the rounding are the view's.

use super::args::{Common, Invoice, OutputFormat};
use super::failure::Failure;
use super::query::{print, session};

const LINES: &str = "
    SELECT * FROM invoice_lines
    WHERE CAST(period AS VARCHAR) LIKE CONCAT($month, '-%') AND customer LIKE $customer
    ORDER BY customer, period, line";

const TOTALS: &str = "
    SELECT customer, period, status, CAST(SUM(amount) AS DECIMAL(28, 2)) AS total, currency
    FROM invoice_lines
    WHERE CAST(period AS VARCHAR) LIKE CONCAT($month, '-%') AND customer LIKE $customer
    GROUP BY customer, period, status, currency
    ORDER BY customer, period, currency";

pub(super) async fn run(common: &Common, args: Invoice) -> Result<(), Failure> {
    let session = session(common).await?;
    // Names hold no wild cards but `%` and `_`, which the backslash takes back.
    let customer = args
        .customer
        .as_deref()
        .map_or_else(|| "%".to_owned(), literal);
    let params = [
        ("month".to_owned(), args.period.clone()),
        ("customer".to_owned(), customer),
    ];
    let format = args.format.format;
    let lines = print(&session, LINES, &params, format).await?;
    if lines == 0 {
        let whose = args
            .customer
            .map_or_else(String::new, |customer| format!(" of `{customer}`"));
        return Err(Failure::No(format!(
            "no period{whose} starts in {}",
            args.period
        )));
    }
    if matches!(format, OutputFormat::Table) {
        print(&session, TOTALS, &params, format).await?;
    }
    Ok(())
}

fn literal(name: &str) -> String {
    let mut pattern = String::new();
    for c in name.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}
