//! An explanation as a page for a person.
//!
//! Owns the order of the page: the event, its price and why no other, the sums, who paid, the
//! balance, the alerts. Leaves single sentences to `words`.

use std::fmt::{self, Display, Formatter};

use super::words::{clean, command, credits, money, payer, place, plain, refusal, time};
use crate::domain::calendar::civil;
use crate::domain::command::members_of;
use crate::domain::explain::{Candidate, Pricing, Reckoning, Verdict};
use crate::domain::price::EVENT_TYPE;
use crate::domain::units::Credits;
use crate::jobs::explain::{Arrival, Charge, Outcome, Rejection, Reversal, Row, Story};

/// The command of which a second one is a duplicate whatever its own id is.
const REVERSED: &str = "purser.usage.reversed";

/// The page of one event; says so when rows were left out.
pub(super) fn page(story: &Story, is_whole: bool) -> String {
    Page { story, is_whole }.to_string()
}

struct Page<'a> {
    story: &'a Story,
    is_whole: bool,
}

impl Display for Page<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let arrivals = &self.story.arrivals;
        for (at, arrival) in arrivals.iter().enumerate() {
            if at > 0 {
                writeln!(out)?;
            }
            if arrivals.len() > 1 {
                write!(out, "arrival {} of {}: ", at + 1, arrivals.len())?;
            }
            one_arrival(out, arrival)?;
        }
        if !self.is_whole {
            writeln!(out, "\nthere are more rows than are shown here")?;
        }
        Ok(())
    }
}

fn one_arrival(out: &mut Formatter<'_>, arrival: &Arrival) -> fmt::Result {
    writeln!(out, "{}", heading(arrival))?;
    event(out, arrival)?;
    match &arrival.outcome {
        Outcome::Charge(charged) => charge(out, arrival, charged),
        Outcome::Command => rows(out, "what it brought", &arrival.rows),
        Outcome::Reversal(given) => reversal(out, arrival, given),
        Outcome::Copy(_) => Ok(()),
        Outcome::Rejection(rejection) => refused(out, arrival, rejection),
    }
}

fn heading(arrival: &Arrival) -> String {
    let id = clean(arrival.event.event_id.as_deref().unwrap_or_default());
    match &arrival.outcome {
        Outcome::Charge(_) => format!("`{id}` was charged {} credits", sum(&arrival.rows)),
        Outcome::Command => {
            let event_type = arrival.event.event_type.as_deref();
            format!("`{id}` {}", command(event_type))
        }
        Outcome::Reversal(_) => {
            format!("`{id}` gave back a charge: {} credits", sum(&arrival.rows))
        }
        Outcome::Copy(original) => {
            let which = match original {
                Some(at) => format!("arrival {}", at + 1),
                None if arrival.event.event_type.as_deref() == Some(REVERSED) => {
                    "an earlier command that reversed the same event".to_owned()
                }
                None => "an arrival that is not among these".to_owned(),
            };
            match arrival.event.kind.as_str() {
                "conflict" => format!(
                    "`{id}` is a conflict: another type or other data than {which}, which stands; \
                     this one changed nothing"
                ),
                _ => format!("`{id}` is a duplicate of {which}, and changed nothing"),
            }
        }
        Outcome::Rejection(rejection) => {
            format!("`{id}` was refused: {}", clean(&rejection.reason))
        }
    }
}

/// What all rows charge together.
fn sum(rows: &[Row]) -> String {
    let credits = rows.iter().filter_map(|row| row.credits);
    plain(credits.map(|credits| i128::from(credits.get())).sum(), 6)
}

fn event(out: &mut Formatter<'_>, arrival: &Arrival) -> fmt::Result {
    let row = &arrival.event;
    let text = |column: &Option<String>| clean(column.as_deref().unwrap_or("not read"));
    line(out, "customer", &text(&row.customer))?;
    line(out, "source", &text(&row.event_source))?;
    line(out, "type", &text(&row.event_type))?;
    line(out, "used at", &time(row.used_at))?;
    line(out, "received at", &time(row.received_at))?;
    let first = arrival.rows.first().map_or(row.entry, |row| row.entry);
    let last = arrival.rows.last().map_or(row.entry, |row| row.entry);
    let entries = if first == last {
        format!("entry {first}")
    } else {
        format!("entries {first} to {last}")
    };
    let at = place(&row.place());
    line(
        out,
        "place",
        &format!("{at}; {entries} of shard {}", row.shard),
    )?;
    if let Some(data) = &row.data {
        line(out, "data", &clean(data))?;
    }
    if !arrival.unread.is_empty() {
        let names: Vec<String> = arrival.unread.iter().map(|name| clean(name)).collect();
        let own = members_of(row.event_type.as_deref().unwrap_or_default());
        let told = format!(
            "{}: this command reads {}",
            names.join(", "),
            own.join(", ")
        );
        line(out, "not read", &told)?;
    }
    Ok(())
}

fn line(out: &mut Formatter<'_>, name: &str, value: &str) -> fmt::Result {
    writeln!(out, "  {name:<12} {value}")
}

fn charge(out: &mut Formatter<'_>, arrival: &Arrival, charge: &Charge) -> fmt::Result {
    let row = &arrival.event;
    let period = row.period.map(|day| civil(day).to_string());
    let late = if row.late == Some(true) { "late, " } else { "" };
    let period = period.unwrap_or_default();
    line(out, "period", &format!("{period}: {late}{}", charge.booked))?;
    if let Some(pricing) = &charge.pricing {
        priced(out, pricing)?;
    }
    let others = |row: &&Row| row.kind != "usage" && row.kind != "alert";
    let others: Vec<Row> = arrival.rows.iter().filter(others).cloned().collect();
    rows(out, "it also brought", &others)?;
    writeln!(out, "\n  paid")?;
    for leg in &charge.legs {
        let part = credits(leg.row.credits.unwrap_or_default());
        writeln!(out, "    {part} {}", payer(&leg.row, &leg.payer))?;
        if let Some(balance) = leg.row.balance {
            writeln!(out, "      balance {}", credits(balance))?;
        }
    }
    alerts(out, arrival)?;
    for given in &charge.reversals {
        let id = clean(given.event_id.as_deref().unwrap_or_default());
        let reason = clean(given.reason.as_deref().unwrap_or_default());
        writeln!(
            out,
            "\n  reversed later: {} credits by `{id}` at {} ({reason})",
            plain(given.credits, 6),
            time(given.received_at)
        )?;
    }
    if !charge.differences.is_empty() {
        writeln!(out, "\n  THE LEDGER DIFFERS FROM THE PRICE TABLE")?;
    }
    for difference in &charge.differences {
        writeln!(out, "    {difference}")?;
    }
    Ok(())
}

/// Which price and cost apply, and why, and what they come to.
fn priced(out: &mut Formatter<'_>, pricing: &Pricing) -> fmt::Result {
    let Pricing {
        version,
        effective_from,
        ..
    } = pricing;
    let since = time(Some(*effective_from));
    writeln!(
        out,
        "\n  prices of version {version}, in force since {since}"
    )?;
    candidates(out, &pricing.prices)?;
    if let Some(matched) = &pricing.matched {
        let (id, shape) = (&matched.price_id, &matched.shape);
        writeln!(out, "\n  charge by {id}, {shape}")?;
        reckoning(out, &matched.charge, "credits")?;
        if let Ok(rated) = &pricing.rated {
            let quantity = plain(i128::from(rated.quantity.get()), 6);
            let (unit, task) = (&matched.unit, &matched.task);
            writeln!(out, "    on the invoice: {task}, {quantity} {unit}")?;
        }
    }
    writeln!(out, "\n  what it cost us")?;
    // Most of a table's costs are for other events.
    let close = |cost: &&Candidate| !misses_type(cost);
    let close: Vec<Candidate> = pricing.costs.iter().filter(close).cloned().collect();
    candidates(out, &close)?;
    match &pricing.cost {
        Some(cost) => reckoning(out, cost, "USD"),
        None => writeln!(out, "    0 USD: no cost matches"),
    }
}

fn misses_type(candidate: &Candidate) -> bool {
    match &candidate.verdict {
        Verdict::Misses { condition, .. } => condition.key == EVENT_TYPE,
        Verdict::Wins | Verdict::Outdone { .. } => false,
    }
}

/// The one that applies first.
fn candidates(out: &mut Formatter<'_>, all: &[Candidate]) -> fmt::Result {
    let (wins, others): (Vec<_>, Vec<_>) = all.iter().partition(|one| one.verdict == Verdict::Wins);
    for one in wins {
        let when = match one.when.as_str() {
            "" => "it has no conditions",
            when => when,
        };
        writeln!(out, "    {} matches: {}", one.name, clean(when))?;
    }
    for one in others {
        writeln!(out, "    {} does not apply: {}", one.name, one.verdict)?;
    }
    Ok(())
}

fn reckoning(out: &mut Formatter<'_>, sum: &Reckoning, unit: &str) -> fmt::Result {
    for (at, step) in sum.steps.iter().enumerate() {
        let plus = if at == 0 { " " } else { "+" };
        writeln!(out, "    {plus} {step}")?;
    }
    let (Some(exact), Some(rounded), Some(result)) = (sum.exact, sum.rounded, sum.result) else {
        return writeln!(out, "    = nothing that can be charged");
    };
    if sum.steps.len() != 1 {
        writeln!(out, "    = {exact}")?;
    }
    let (rounding, places) = (sum.rounding, sum.places);
    let rounded = sum.plain(rounded);
    writeln!(out, "    rounded {rounding} to {places} places: {rounded}")?;
    if sum.minimum > 0 {
        let minimum = sum.plain(sum.minimum);
        let lifted = if sum.plain(result) == rounded {
            "which it is not below"
        } else {
            "to which it is lifted"
        };
        writeln!(out, "    minimum {minimum}, {lifted}")?;
    }
    writeln!(out, "    = {} {unit}", sum.plain(result))
}

fn alerts(out: &mut Formatter<'_>, arrival: &Arrival) -> fmt::Result {
    let alerts = arrival.rows.iter().filter(|row| row.kind == "alert");
    let names: Vec<String> = alerts
        .map(|row| clean(row.reason.as_deref().unwrap_or_default()))
        .collect();
    if names.is_empty() {
        writeln!(out, "\n  it fired no alert")
    } else {
        writeln!(out, "\n  alerts that it fired: {}", names.join(", "))
    }
}

fn reversal(out: &mut Formatter<'_>, arrival: &Arrival, given: &Reversal) -> fmt::Result {
    match &given.named {
        Some((source, id)) => line(
            out,
            "of the event",
            &format!("`{}` from {}", clean(id), clean(source)),
        )?,
        None => line(out, "of the event", "its data can't be read")?,
    }
    match given.original.first() {
        Some(first) => {
            let charged = sum(&given.original);
            let at = place(&first.place());
            let used_at = time(first.used_at);
            let told = format!("{charged} credits, used at {used_at}; {at}");
            line(out, "it charged", &told)?;
        }
        None => line(out, "it charged", "its rows are not in the ledger")?,
    }
    rows(
        out,
        "what it gave back, in the reverse order of paying",
        &arrival.rows,
    )
}

fn refused(out: &mut Formatter<'_>, arrival: &Arrival, rejection: &Rejection) -> fmt::Result {
    line(out, "why", &refusal(&arrival.event, rejection))?;
    match &rejection.pricing {
        Some(pricing) => priced(out, pricing),
        None => Ok(()),
    }
}

/// One line for each row; nothing for none.
fn rows(out: &mut Formatter<'_>, title: &str, rows: &[Row]) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n  {title}")?;
    for row in rows {
        writeln!(out, "    {}: {}", row.kind, columns(row).join(", "))?;
    }
    Ok(())
}

/// What a row changes, in words.
fn columns(row: &Row) -> Vec<String> {
    let signed = |amount: Credits| match amount.get() {
        0.. => format!("+{}", credits(amount)),
        _ => credits(amount),
    };
    let currency = row.currency.as_deref().unwrap_or_default();
    let all = [
        row.grant_id.as_deref().map(clean),
        row.delta.map(signed),
        row.credits
            .map(|charge| format!("charge {}", credits(charge))),
        row.amount
            .map(|amount| format!("{} {}", money(amount), clean(currency))),
        row.cost_usd.map(|cost| format!("cost {} USD", money(cost))),
        row.plan.as_ref().map(|plan| format!("plan {plan}")),
        row.price_version
            .as_ref()
            .map(|version| format!("version {version}")),
        row.period.map(|day| format!("period {}", civil(day))),
        row.balance
            .map(|balance| format!("balance {}", credits(balance))),
        row.reason.as_deref().map(clean),
    ];
    all.into_iter().flatten().collect()
}
