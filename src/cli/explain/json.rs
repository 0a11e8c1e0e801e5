//! An explanation as JSON.
//!
//! Owns its members, which the README lists. Leaves the words for reasons to `words`.
//!
//! Invariant: amounts are plain decimals in strings, as `purser query --format json` has them, so
//! that no reader loses a digit; a member that has no value is null.

use serde_json::{Value, json};

use super::words::{payer_kind, refusal};
use crate::domain::calendar::civil;
use crate::domain::explain::{Candidate, Pricing, Reckoning, Step, Verdict};
use crate::domain::price::Overage;
use crate::domain::rfc3339;
use crate::domain::units::{Day, Timestamp};
use crate::jobs::explain::{
    Arrival, Charge, Leg, Outcome, Payer, Rejection, Reversal, Reversed, Row, Story, StreamPlace,
};

/// The whole answer, with a line end.
pub(super) fn answer(event_id: &str, stories: &[Story], is_whole: bool) -> String {
    let events: Vec<Value> = stories.iter().map(story).collect();
    let answer = json!({ "event_id": event_id, "is_whole": is_whole, "events": events });
    format!("{answer:#}\n")
}

fn story(story: &Story) -> Value {
    let arrivals: Vec<Value> = story.arrivals.iter().map(arrival).collect();
    json!({ "customer": story.customer, "source": story.source, "arrivals": arrivals })
}

fn arrival(arrival: &Arrival) -> Value {
    let event = &arrival.event;
    let rows: Vec<Value> = arrival.rows.iter().map(row).collect();
    let alerts = arrival.rows.iter().filter(|row| row.kind == "alert");
    let alerts: Vec<_> = alerts.map(|row| &row.reason).collect();
    let mut told = json!({
        "outcome": "command",
        "place": place(&event.place()),
        "event_type": event.event_type,
        "used_at": time(event.used_at),
        "received_at": time(event.received_at),
        "data": event.data,
        "unread": arrival.unread,
        "charge": null,
        "reversal": null,
        "rejection": null,
        "original": null,
        "alerts": alerts,
        "rows": rows,
    });
    match &arrival.outcome {
        Outcome::Command => {}
        Outcome::Charge(charged) => {
            told["outcome"] = json!("charge");
            told["charge"] = charge(event, &arrival.rows, charged);
        }
        Outcome::Reversal(given) => {
            told["outcome"] = json!("reversal");
            told["reversal"] = reversal(given);
        }
        Outcome::Copy(original) => {
            told["outcome"] = json!(event.kind);
            told["original"] = json!(original);
        }
        Outcome::Rejection(refused) => {
            told["outcome"] = json!("rejected");
            told["rejection"] = rejection(event, refused);
        }
    }
    told
}

fn place(place: &StreamPlace) -> Value {
    let StreamPlace {
        shard,
        source,
        seq,
        idx,
    } = place;
    json!({ "shard": shard, "source": source, "seq": seq, "idx": idx })
}

fn row(row: &Row) -> Value {
    json!({
        "entry": row.entry,
        "leg": row.leg,
        "kind": row.kind,
        "period": day(row.period),
        "task": row.task,
        "unit": row.unit,
        "quantity": text(row.quantity),
        "credits": text(row.credits),
        "grant_id": row.grant_id,
        "delta": text(row.delta),
        "balance": text(row.balance),
        "amount": text(row.amount),
        "currency": row.currency,
        "cost_usd": text(row.cost_usd),
        "plan": row.plan,
        "price_version": row.price_version,
        "price_id": row.price_id,
        "late": row.late,
        "reason": row.reason,
    })
}

fn charge(event: &Row, rows: &[Row], charge: &Charge) -> Value {
    let credits = rows.iter().filter_map(|row| row.credits);
    let credits: i128 = credits.map(|credits| i128::from(credits.get())).sum();
    let legs: Vec<Value> = charge.legs.iter().map(leg).collect();
    let balance = charge.legs.last().and_then(|leg| leg.row.balance);
    let differences: Vec<Value> = charge
        .differences
        .iter()
        .map(|one| json!({ "column": one.column, "ledger": one.ledger, "expected": one.expected }))
        .collect();
    let reversals: Vec<Value> = charge.reversals.iter().map(reversed).collect();
    json!({
        "credits": full(credits),
        "period": day(event.period),
        "late": event.late,
        "why_period": charge.booked.to_string(),
        "pricing": charge.pricing.as_ref().map(pricing),
        "legs": legs,
        "balance": text(balance),
        "differences": differences,
        "reversals": reversals,
    })
}

fn leg(leg: &Leg) -> Value {
    let Leg { row, payer } = leg;
    let price = match payer {
        Payer::Overage(terms) => terms.and_then(Overage::price),
        Payer::Pool | Payer::Rollover | Payer::Grant(_) => None,
    };
    let granted = match payer {
        Payer::Grant(granted) => granted.as_ref(),
        Payer::Pool | Payer::Rollover | Payer::Overage(_) => None,
    };
    json!({
        "entry": row.entry,
        "payer": payer_kind(payer),
        "grant_id": row.grant_id,
        "granted_at": granted.and_then(|granted| time(granted.granted_at)),
        "expires_at": granted.and_then(|granted| granted.expires_at.as_ref()),
        "credits": text(row.credits),
        "delta": text(row.delta),
        "balance": text(row.balance),
        "overage_price": text(price),
        "amount": text(row.amount),
        "currency": row.currency,
    })
}

fn reversed(given: &Reversed) -> Value {
    json!({
        "place": place(&given.place),
        "event_source": given.event_source,
        "event_id": given.event_id,
        "received_at": time(given.received_at),
        "reason": given.reason,
        "credits": full(given.credits),
    })
}

fn reversal(given: &Reversal) -> Value {
    let named = given.named.as_ref();
    let original: Vec<Value> = given.original.iter().map(row).collect();
    json!({
        "source": named.map(|(source, _)| source),
        "id": named.map(|(_, id)| id),
        "place": given.original.first().map(|row| place(&row.place())),
        "rows": original,
    })
}

fn rejection(event: &Row, rejection: &Rejection) -> Value {
    json!({
        "reason": rejection.reason,
        "why": refusal(event, rejection),
        "pricing": rejection.pricing.as_ref().map(pricing),
    })
}

fn pricing(pricing: &Pricing) -> Value {
    let all = |candidates: &[Candidate]| candidates.iter().map(candidate).collect::<Vec<_>>();
    let matched = pricing.matched.as_ref().map(|matched| {
        json!({
            "price_id": matched.price_id,
            "task": matched.task,
            "unit": matched.unit,
            "shape": matched.shape,
            "sum": reckoning(&matched.charge),
        })
    });
    let quantity = pricing.rated.as_ref().ok().map(|rated| rated.quantity);
    json!({
        "version": pricing.version,
        "effective_from": time(Some(pricing.effective_from)),
        "prices": all(&pricing.prices),
        "matched": matched,
        "quantity": text(quantity),
        "costs": all(&pricing.costs),
        "cost": pricing.cost.as_ref().map(reckoning),
    })
}

fn candidate(candidate: &Candidate) -> Value {
    json!({
        "name": candidate.name,
        "when": candidate.when,
        "applies": candidate.verdict == Verdict::Wins,
        "why": candidate.verdict.to_string(),
    })
}

fn reckoning(sum: &Reckoning) -> Value {
    let plain = |smallest: i128| sum.plain(smallest);
    let steps: Vec<Value> = sum.steps.iter().map(step).collect();
    json!({
        "steps": steps,
        "exact": text(sum.exact),
        "rounding": sum.rounding.to_string(),
        "places": sum.places,
        "rounded": sum.rounded.map(plain),
        "minimum": plain(sum.minimum),
        "result": sum.result.map(plain),
    })
}

fn step(step: &Step) -> Value {
    json!({
        "measure": step.measure,
        "count": step.plain_count(),
        "amount": step.amount.to_string(),
        "per": step.per.to_string(),
        "share": text(step.share),
        "words": step.to_string(),
    })
}

fn text(value: Option<impl std::fmt::Display>) -> Option<String> {
    value.map(|value| value.to_string())
}

fn day(day: Option<Day>) -> Option<String> {
    day.map(|day| civil(day).to_string())
}

fn time(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| rfc3339::format(at).to_string())
}

/// Microcredits with all six places, as in the ledger.
fn full(microcredits: i128) -> String {
    let sign = if microcredits < 0 { "-" } else { "" };
    let (whole, part) = (
        microcredits.abs() / 1_000_000,
        microcredits.abs() % 1_000_000,
    );
    format!("{sign}{whole}.{part:06}")
}
