//! An invoice as one self-contained page, for a screen and for A4 paper.
//!
//! Owns the words and the looks. Leaves every number to the document.

use maud::{Markup, html};

use super::document::{Invoice, Line, Status, Total};
use crate::jobs::page::{document, short};

const STYLE: &str = "
@page { size: A4; margin: 16mm 14mm }
* { box-sizing: border-box }
body { font: 10.5pt/1.4 system-ui, sans-serif; color: #1b1f24; background: #fff;
       max-width: 190mm; margin: 0 auto; padding: 8mm 4mm }
header { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 1rem;
         align-items: baseline; border-bottom: 2px solid #1b1f24; padding-bottom: .6rem }
h1 { font-size: 1.5rem; margin: 0 }
.draft { color: #a40000; border: 2px solid; padding: 0 .5rem; text-transform: uppercase }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 1rem 0 }
dt { color: #57606a }
dd { margin: 0; overflow-wrap: anywhere }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100%; min-width: 40rem }
th, td { text-align: right; padding: .3rem .4rem; vertical-align: top; white-space: nowrap;
         font-variant-numeric: tabular-nums }
th { color: #57606a; font-weight: 600; border-bottom: 1px solid #8c959f }
td { border-bottom: 1px solid #d8dee4 }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 11rem;
                                 overflow-wrap: anywhere }
tfoot td { font-weight: 700; border: 0; border-top: 2px solid #1b1f24 }
tr { break-inside: avoid }
footer { margin-top: 1.2rem; color: #57606a; font-size: .85em }
";

/// The page.
pub(super) fn page(invoice: &Invoice) -> String {
    let title = match &invoice.number {
        Some(number) => format!("Invoice {number}"),
        None => "Invoice".to_owned(),
    };
    let body = html! {
        header {
            h1 { (title) }
            @if invoice.status == Status::Draft {
                span.draft { "Draft: the period is open" }
            }
        }
        (facts(invoice))
        (lines(invoice))
        (notes(invoice))
    };
    document(&format!("{title} · {}", invoice.customer), STYLE, &body)
}

fn facts(invoice: &Invoice) -> Markup {
    html! {
        dl {
            dt { "Customer" } dd { (invoice.customer) }
            dt { "Period" } dd { (invoice.period) " up to, not including, " (invoice.period_end) }
            @if let Some(day) = &invoice.issued_on { dt { "Issued on" } dd { (day) } }
            @for total in &invoice.totals {
                dt { "Total" } dd { strong { (money(&total.amount, total.currency.as_deref())) } }
            }
        }
    }
}

fn lines(invoice: &Invoice) -> Markup {
    html! {
        div.wide {
            table {
                thead { tr {
                    th scope="col" { "What" }
                    th scope="col" { "Quantity" }
                    th scope="col" { "Credits" }
                    th scope="col" { "From grants" }
                    th scope="col" { "Overage" }
                    th scope="col" { "Amount" }
                } }
                tbody { @for line in &invoice.lines { (row(line)) } }
                tfoot { @for total in &invoice.totals { (sum(total)) } }
            }
        }
    }
}

fn row(line: &Line) -> Markup {
    html! {
        tr {
            td { (words(line)) }
            td { (short(&line.quantity)) " " (line.unit) }
            td { (credits(&line.credits)) }
            td { (credits(&line.pool_used)) }
            td { (credits(&line.overage)) }
            td { (money(&line.amount, line.currency.as_deref())) }
        }
    }
}

fn credits(credits: &Option<String>) -> &str {
    credits.as_deref().map(short).unwrap_or_default()
}

fn words(line: &Line) -> String {
    match line.kind.as_str() {
        "fee" => format!("Plan {}", line.description),
        "late" => format!("Adjustment: {}", line.description),
        "reversal" => format!("Credit note: {}", line.description),
        _ => line.description.clone(),
    }
}

fn sum(total: &Total) -> Markup {
    html! {
        tr {
            td colspan="5" { "Total" }
            td { (money(&total.amount, total.currency.as_deref())) }
        }
    }
}

fn notes(invoice: &Invoice) -> Markup {
    let made_of = invoice.made_of;
    html! {
        footer {
            p {
                "Credits that grants paid (the period's pool, purchases, promotions) cost nothing \
                 more; the amount of a task is for the credits that none covered. Each line is \
                 rounded to the cent once. What cannot be told apart here, "
                code { "purser explain" } " tells event by event."
            }
            p { "Made of the ledger's entries up to " (made_of.last_entry) " of shard "
                (made_of.shard) "." }
        }
    }
}

fn money(amount: &str, currency: Option<&str>) -> String {
    format!("{amount} {}", currency.unwrap_or_default())
}
