//! The CloudEvent that tells of an alert.
//!
//! Owns its members. Amounts are plain decimals in strings, so that no reader loses a digit.

use serde_json::{Map, Value, json};

use crate::domain::alert::Alert;
use crate::domain::calendar::civil;
use crate::domain::entry::AlertKind;
use crate::domain::rfc3339;
use crate::domain::units::Credits;

/// The alert as a CloudEvent in JSON.
pub fn cloud_event(alert: &Alert) -> Vec<u8> {
    let fit = alert.fit.as_ref();
    let mut data = Map::new();
    let mut put = |name: &str, value: Value| {
        data.insert(name.to_owned(), value);
    };
    put("customer", json!(alert.customer));
    put("kind", json!(alert.kind.name()));
    put("reason", json!(alert.kind.to_string()));
    match alert.kind {
        AlertKind::Used(percent) => put("threshold", json!(percent)),
        AlertKind::RunOut(days) | AlertKind::Expiring(days) => put("within_days", json!(days)),
        AlertKind::Overage | AlertKind::Status(_) => {}
    }
    if let Some(expiring) = &alert.expiring {
        put("grant", json!(expiring.grant));
        put("grant_remaining", json!(expiring.remaining.to_string()));
        let expires_at = rfc3339::format(expiring.expires_at);
        put("grant_expires_at", json!(expires_at.to_string()));
    }
    put("status", json!(alert.status.name()));
    let percent = used_percent(alert.used, alert.balance);
    put("used_percent", json!(percent));
    put("used", json!(alert.used.to_string()));
    put("balance", json!(alert.balance.to_string()));
    put("overage", json!(alert.overage.to_string()));
    put("plan", json!(alert.plan.id));
    put("plan_name", json!(alert.plan.name));
    put("pool", json!(alert.plan.pool.to_string()));
    put("period", json!(civil(alert.period).to_string()));
    put("period_end", json!(civil(alert.period_end).to_string()));
    put("pace_per_day", json!(alert.pace.per_day().to_string()));
    put(
        "run_out_date",
        json!(alert.run_out.map(|day| civil(day).to_string())),
    );
    put("projected", json!(alert.projected.to_string()));
    put("fitting_plan", json!(fit.map(|fit| &fit.plan)));
    put("fitting_plan_name", json!(fit.map(|fit| &fit.name)));
    put(
        "fitting_plan_cost",
        json!(fit.map(|fit| fit.cost.to_string())),
    );
    put("currency", json!(alert.plan.currency));
    put("event_id", json!(alert.event_id));
    let event = json!({
        "specversion": "1.0",
        "id": alert.id,
        "source": "purser",
        "type": format!("purser.alert.{}", alert.kind.name()),
        "subject": alert.customer,
        "time": rfc3339::format(alert.at).to_string(),
        "datacontenttype": "application/json",
        "data": data,
    });
    event.to_string().into_bytes()
}

/// 100 · used ÷ (used + balance), cut to two places, so that it never shows a threshold that was
/// not reached.
pub(super) fn used_percent(used: Credits, balance: Credits) -> String {
    let used = i128::from(used.get());
    let all = (used + i128::from(balance.get())).max(1);
    let hundredths = used * 10_000 / all;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alert::PlanFit;
    use crate::domain::entry::Status;
    use crate::domain::price::{Alerts, Overage, Plan};
    use crate::domain::units::{Day, Money, Timestamp};
    use crate::domain::wallet::pace::Pace;

    #[test]
    fn tells_sales_all_it_needs() {
        let alert = Alert {
            id: "0f".to_owned(),
            customer: "acme".to_owned(),
            kind: AlertKind::Used(80),
            at: Timestamp::new(0),
            event_id: Some("e1".to_owned()),
            plan: Plan {
                id: "starter".to_owned(),
                name: "Starter".to_owned(),
                fee: Money::ZERO,
                currency: "USD".to_owned(),
                pool: Credits::new(1_000_000_000),
                alerts: Alerts {
                    used: vec![80],
                    ..Alerts::default()
                },
                overage: Overage::Block,
                rollover: None,
            },
            period: Day::new(0),
            period_end: Day::new(31),
            status: Status::Ok,
            used: Credits::new(799_999_999),
            balance: Credits::new(200_000_001),
            overage: Credits::ZERO,
            pace: Pace {
                charged: Credits::new(70_000_000),
                days: 7,
            },
            run_out: Some(Day::new(20)),
            projected: Credits::new(1_100_000_000),
            fit: Some(PlanFit {
                plan: "team".to_owned(),
                name: "Team".to_owned(),
                cost: Money::new(399_000_000_000),
            }),
            expiring: None,
        };
        let event: Value = serde_json::from_slice(&cloud_event(&alert)).expect("JSON");
        assert_eq!(event["type"], "purser.alert.used");
        assert_eq!(event["time"], "1970-01-01T00:00:00.000000Z");
        for (member, value) in [
            ("used_percent", "79.99"),
            ("pool", "1000.000000"),
            ("pace_per_day", "10.000000"),
            ("run_out_date", "1970-01-21"),
            ("period_end", "1970-02-01"),
            ("fitting_plan_cost", "399.000000000"),
            ("event_id", "e1"),
            ("kind", "used"),
            ("reason", "used 80"),
            ("status", "ok"),
        ] {
            assert_eq!(event["data"][member], value, "{member}");
        }
    }
}
