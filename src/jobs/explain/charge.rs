//! A charge: its price table, who paid, and what was given back later.
//!
//! Owns reading the grants, periods and reversals that a charge is about. Leaves sums, reasons and
//! the comparison to `domain::explain`.

use super::rows::PeriodRow;
use super::{ExplainError, ROWS_MAX, Records, Row, StreamPlace, ledger_rows, named, text};
use crate::adapters::cloudevents::Decoder;
use crate::domain::entry::{POOL_PREFIX, ROLLOVER_PREFIX};
use crate::domain::event::Members;
use crate::domain::explain::{
    Booked, BookedRow, Charged, Difference, KnownPeriod, PaidLeg, Pricing, booked, differences,
    pricing,
};
use crate::domain::price::{Overage, PriceBook};
use crate::domain::units::{Credits, Timestamp};
use crate::jobs::sql::answer;

/// Grants that one statement asks for.
const GRANTS_AT_ONCE: usize = 100;

/// How an event came to its charge, and who paid.
#[derive(Clone, Debug)]
pub struct Charge {
    /// `None` when no version was in force.
    pub pricing: Option<Pricing>,
    pub booked: Booked,
    /// In order.
    pub legs: Vec<Leg>,
    /// Where the ledger has something else than it should.
    pub differences: Vec<Difference>,
    /// What was given back later.
    pub reversals: Vec<Reversed>,
}

/// A part of a charge: a row, and what paid it.
#[derive(Clone, Debug)]
pub struct Leg {
    pub row: Row,
    pub payer: Payer,
}

/// What pays.
#[derive(Clone, Debug)]
pub enum Payer {
    /// The pool of a period.
    Pool,
    /// What a period left over.
    Rollover,
    /// Credits that were bought or given; `None` when their row is not found.
    Grant(Option<Granted>),
    /// Nobody: what the plan says of it, `None` when the plan is not known.
    Overage(Option<Overage>),
}

/// What a grant's own row says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// `purchased` or `promotional`.
    pub basis: Option<String>,
    pub granted_at: Option<Timestamp>,
    pub credits: Option<Credits>,
    /// As the command has it.
    pub expires_at: Option<String>,
}

/// A command that gave back the charge.
#[derive(Clone, Debug)]
pub struct Reversed {
    pub place: StreamPlace,
    pub event_source: Option<String>,
    pub event_id: Option<String>,
    pub received_at: Option<Timestamp>,
    pub reason: Option<String>,
    /// What its rows come to, in microcredits; negative.
    pub credits: i128,
}

/// Explains the charge of `event`, whose rows are `rows`; reversals with an entry in `between`,
/// both ends excluded, are its.
pub(super) async fn charge(
    records: &Records,
    (event, rows): (&Row, &[Row]),
    between: (i64, i64),
) -> Result<Charge, ExplainError> {
    let usage: Vec<&Row> = rows.iter().filter(|row| row.kind == "usage").collect();
    let first = usage.first().copied().unwrap_or(event);
    let mut decoder = Decoder::default();
    let data = first.data.as_deref().unwrap_or_default();
    let members = decoder.members(data).unwrap_or(Members::NONE);
    let pricing = priced(&records.book, first, &members);
    let granted = grants(records, event, &usage).await?;
    let legs: Vec<Leg> = usage
        .iter()
        .map(|row| Leg {
            row: (*row).clone(),
            payer: payer(&records.book, row, &granted),
        })
        .collect();
    let differences = differences(&charged(first, &legs), pricing.as_ref());
    Ok(Charge {
        pricing,
        booked: booking(records, first).await?,
        legs,
        differences,
        reversals: reversals(records, event, between).await?,
    })
}

/// The version in force at the time of use, applied to the event.
pub(super) fn priced(book: &PriceBook, row: &Row, members: &Members<'_>) -> Option<Pricing> {
    let place = book.in_force(row.used_at?)?;
    let event_type = row.event_type.as_deref()?;
    Some(pricing(&book.tables()[place], event_type, members))
}

/// What the ledger's rows are held against the price table by.
fn charged<'a>(first: &'a Row, legs: &'a [Leg]) -> Charged<'a> {
    let paid = |leg: &'a Leg| PaidLeg {
        grant_id: leg.row.grant_id.as_deref(),
        credits: leg.row.credits,
        delta: leg.row.delta,
        amount: leg.row.amount,
        overage: match leg.payer {
            Payer::Overage(terms) => terms,
            Payer::Pool | Payer::Rollover | Payer::Grant(_) => None,
        },
    };
    Charged {
        price_version: first.price_version.as_deref(),
        price_id: first.price_id.as_deref(),
        task: first.task.as_deref(),
        unit: first.unit.as_deref(),
        quantity: first.quantity,
        cost_usd: first.cost_usd,
        legs: legs.iter().map(paid).collect(),
    }
}

/// What pays a row; `granted` are grants by their ids. Commands may not use the ids of pools and
/// rollovers.
fn payer(book: &PriceBook, row: &Row, granted: &[(String, Granted)]) -> Payer {
    match row.grant_id.as_deref() {
        None => Payer::Overage(overage(book, row)),
        Some(id) if id.starts_with(POOL_PREFIX) => Payer::Pool,
        Some(id) if id.starts_with(ROLLOVER_PREFIX) => Payer::Rollover,
        Some(id) => {
            let grant = granted.iter().find(|(known, _)| known == id);
            Payer::Grant(grant.map(|(_, facts)| facts.clone()))
        }
    }
}

/// The overage terms of the row's plan, as they hold in the row's period.
fn overage(book: &PriceBook, row: &Row) -> Option<Overage> {
    let plan = row.plan.as_deref()?;
    let terms = book.terms_table(row.period?.start(), plan).plan(plan)?;
    Some(terms.overage)
}

/// The grants made by commands that paid, by their ids; of one id the newest comes first.
async fn grants(
    records: &Records,
    event: &Row,
    usage: &[&Row],
) -> Result<Vec<(String, Granted)>, ExplainError> {
    let customer = event.customer.as_deref().unwrap_or_default();
    let ids = usage.iter().filter_map(|row| row.grant_id.as_deref());
    let mut ids: Vec<&str> = ids
        .filter(|id| !id.starts_with(POOL_PREFIX) && !id.starts_with(ROLLOVER_PREFIX))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let mut found = Vec::new();
    for some in ids.chunks(GRANTS_AT_ONCE) {
        let names: Vec<String> = (0..some.len()).map(|at| format!("g{at}")).collect();
        let list: Vec<String> = names.iter().map(|name| format!("${name}")).collect();
        let condition = format!(
            "customer = $customer AND kind = 'grant' AND grant_id IN ({})",
            list.join(", ")
        );
        let mut params: Vec<(&str, &str)> = vec![("customer", customer)];
        params.extend(names.iter().map(String::as_str).zip(some.iter().copied()));
        let rows = ledger_rows(&records.session, &condition, &params).await?;
        // An id may be used again once its grant is gone: the newest before the charge paid.
        let before = rows.into_iter().filter(|row| row.entry < event.entry).rev();
        found.extend(before.filter_map(|row| Some((row.grant_id.clone()?, facts(&row)))));
    }
    Ok(found)
}

fn facts(row: &Row) -> Granted {
    let mut decoder = Decoder::default();
    let data = row.data.as_deref().unwrap_or_default();
    let members = decoder.members(data).unwrap_or(Members::NONE);
    Granted {
        basis: text(&members, "basis"),
        granted_at: row.received_at,
        credits: row.delta,
        expires_at: text(&members, "expires_at"),
    }
}

/// Why the charge is booked to its period.
async fn booking(records: &Records, row: &Row) -> Result<Booked, ExplainError> {
    let (Some(used_at), Some(period), Some(late)) = (row.used_at, row.period, row.late) else {
        return Ok(Booked::Untold);
    };
    let customer = row.customer.as_deref().unwrap_or_default();
    let statement = "SELECT period, period_end, closes_at FROM periods \
                     WHERE customer = $customer ORDER BY period";
    let rows: Vec<PeriodRow> =
        answer(&records.session, statement, &[("customer", customer)]).await?;
    let known = rows.iter().filter_map(|row| {
        Some(KnownPeriod {
            start: row.period?,
            end: row.period_end?,
            closes_at: row.closes_at?,
        })
    });
    let known: Vec<KnownPeriod> = known.collect();
    let row = BookedRow {
        used_at,
        period,
        late,
    };
    Ok(booked(row, &known))
}

/// The commands that gave back this charge.
async fn reversals(
    records: &Records,
    event: &Row,
    (mut after, before): (i64, i64),
) -> Result<Vec<Reversed>, ExplainError> {
    let Some(customer) = event.customer.as_deref() else {
        return Ok(Vec::new());
    };
    let is_ours = |row: &Row| {
        let named = row.data.as_deref().and_then(named);
        named.is_some_and(|(source, id)| {
            event.event_source.as_deref() == Some(source.as_str())
                && event.event_id.as_deref() == Some(id.as_str())
        })
    };
    let mut given = Vec::new();
    loop {
        let condition = format!(
            "kind = 'reversal' AND customer = $customer AND shard = {} AND entry > {after} \
             AND entry < {before}",
            event.shard
        );
        let params = [("customer", customer)];
        let page = ledger_rows(&records.session, &condition, &params).await?;
        let is_last = page.len() < ROWS_MAX;
        after = page.last().map_or(after, |row| row.entry);
        given.extend(page.into_iter().filter(is_ours));
        if is_last {
            break;
        }
    }
    let mut found: Vec<Reversed> = Vec::new();
    for row in given {
        let credits = i128::from(row.credits.unwrap_or_default().get());
        match found.last_mut() {
            Some(same) if same.place == row.place() => same.credits += credits,
            _ => found.push(Reversed {
                place: row.place(),
                event_source: row.event_source,
                event_id: row.event_id,
                received_at: row.received_at,
                reason: row.reason,
                credits,
            }),
        }
    }
    Ok(found)
}
