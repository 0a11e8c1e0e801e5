//! Rows as text.
//!
//! A row reads: `timer:` when one brought it, kind, customer if not the line's own, period,
//! `late`, quantity and unit, `charge=`, the grant and what it gained or lost (`overage`: none
//! paid), `left=` the balance, amount and currency, reason, or the price version that begins.
//! `show …` adds more columns.

use super::line::{Body, Line};
use crate::domain::entry::{Entry, GrantId, Kind, Note, Payload, RawBody};
use crate::domain::rfc3339;

pub(super) fn shown(row: &Entry<'_>, line: &Line<'_>, show: &[&str]) -> String {
    let mut parts = Vec::new();
    let mut tell = |part: Option<String>| parts.extend(part);
    let own = match line.body {
        Body::Event { subject, .. } => subject,
        Body::Empty | Body::Malformed => None,
    };
    let delta = row.delta.map(|delta| {
        let sign = if delta.get() > 0 { "+" } else { "" };
        format!("{sign}{}", short(delta))
    });
    tell((row.idx == -1).then(|| "timer:".to_owned()));
    tell(Some(row.kind.name().to_owned()));
    tell(
        row.customer
            .filter(|name| Some(*name) != own)
            .map(|name| format!("({name})")),
    );
    tell(
        row.period
            .map(|day| date(&rfc3339::format(day.start()).to_string()).to_owned()),
    );
    tell(row.late.filter(|late| *late).map(|_| "late".to_owned()));
    tell(
        row.quantity
            .map(|n| format!("{} {}", short(n), row.unit.unwrap_or_default())),
    );
    tell(
        row.credits
            .map(|charge| format!("charge={}", short(charge))),
    );
    match row.grant_id {
        Some(GrantId::Pool(_)) => {
            let id = row.grant_id.map(|id| id.to_string()).unwrap_or_default();
            tell(Some(format!("pool/{}", date(&id["pool/".len()..]))));
        }
        Some(GrantId::Named(id)) => tell(Some(match id.strip_prefix("rollover/") {
            Some(day) => format!("rollover/{}", date(day)),
            None => id.to_owned(),
        })),
        None => {
            let is_overage = matches!(row.kind, Kind::Usage | Kind::Reversal);
            tell(is_overage.then(|| "overage".to_owned()));
        }
    }
    tell(delta);
    tell(
        row.balance
            .map(|balance| format!("left={}", short(balance))),
    );
    tell(
        row.amount
            .map(|amount| format!("{} {}", short(amount), row.currency.unwrap_or_default())),
    );
    tell(row.reason.map(|reason| reason.to_string()));
    tell((row.kind == Kind::Prices).then(|| row.price_version.unwrap_or("?").to_owned()));
    for column in show.iter().flat_map(|line| line.split_whitespace()) {
        tell(more(row, column));
    }
    parts.join(" ")
}

fn more(row: &Entry<'_>, column: &str) -> Option<String> {
    let time = |at| {
        let text = rfc3339::format(at).to_string();
        let time = text[11..].trim_end_matches('Z').trim_end_matches(".000000");
        format!(
            "{}T{}",
            date(&text),
            time.strip_suffix(":00").unwrap_or(time)
        )
    };
    match column {
        "place" => Some(format!("at {}/{}/{}", row.seq, row.idx, row.leg)),
        "received" => Some(format!("received={}", time(row.received_at))),
        "used" => row.used_at.map(|at| format!("used={}", time(at))),
        "event" => {
            let (source, id, kind) = (row.event_source?, row.event_id?, row.event_type?);
            Some(format!("event={source}/{id}/{kind}"))
        }
        "task" => row.task.map(|task| format!("task={task}")),
        "cost" => row.cost_usd.map(|cost| format!("cost={}", short(cost))),
        "plan" => row.plan.map(|plan| format!("plan={plan}")),
        "version" => row
            .price_version
            .map(|version| format!("version={version}")),
        "price" => row.price_id.map(|price| format!("price={price}")),
        "data" => match row.data? {
            Payload::Data(data) => Some(format!("data=[{data}]")),
            Payload::Raw(raw) => Some(format!("raw=[{}]", String::from_utf8_lossy(raw.bytes))),
        },
        _ => None,
    }
}

/// A date without the stories' own year.
fn date(text: &str) -> &str {
    let text = text.get(..10).unwrap_or(text);
    text.strip_prefix("2026-").unwrap_or(text)
}

/// A decimal without the zeros at its end.
fn short(amount: impl std::fmt::Display) -> String {
    amount
        .to_string()
        .trim_end_matches('0')
        .trim_end_matches('.')
        .to_owned()
}

pub(super) fn keep(row: &Entry<'_>) -> Entry<'static> {
    Entry {
        entry: row.entry,
        source: leak(row.source),
        seq: row.seq,
        idx: row.idx,
        leg: row.leg,
        kind: row.kind,
        customer: row.customer.map(leak),
        period: row.period,
        used_at: row.used_at,
        received_at: row.received_at,
        event_source: row.event_source.map(leak),
        event_id: row.event_id.map(leak),
        event_type: row.event_type.map(leak),
        task: row.task.map(leak),
        unit: row.unit.map(leak),
        quantity: row.quantity,
        credits: row.credits,
        grant_id: row.grant_id.map(|id| match id {
            GrantId::Pool(day) => GrantId::Pool(day),
            GrantId::Named(id) => GrantId::Named(leak(id)),
        }),
        delta: row.delta,
        balance: row.balance,
        amount: row.amount,
        currency: row.currency.map(leak),
        cost_usd: row.cost_usd,
        plan: row.plan.map(leak),
        price_version: row.price_version.map(leak),
        price_id: row.price_id.map(leak),
        late: row.late,
        reason: row.reason.map(|reason| match reason {
            Note::Rejected(reason) => Note::Rejected(reason),
            Note::Alert(alert) => Note::Alert(alert),
            Note::Reversed(words) => Note::Reversed(leak(words)),
        }),
        data: row.data.map(|data| match data {
            Payload::Data(data) => Payload::Data(leak(data)),
            Payload::Raw(raw) => Payload::Raw(RawBody {
                bytes: raw.bytes.to_vec().leak(),
                ..raw
            }),
        }),
    }
}

fn leak(text: &str) -> &'static str {
    text.to_owned().leak()
}
