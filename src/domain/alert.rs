//! Alerts: what one tells, and the plan that would fit.
//!
//! Owns the alert's identity, its facts and the comparison of plans. Leaves when one fires to
//! `wallet` and sending it to the jobs.
//!
//! Invariant: the same crossing has the same id, however often it is read again.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher24};

use super::decimal::divide_half_even;
use super::entry::{AlertKind, Status};
use super::price::{Overage, Plan};
use super::units::{Credits, Day, MICROS, Money, Timestamp};
use super::wallet::Wallet;
use super::wallet::pace::Pace;

/// Something about a wallet that somebody should know: all that sales needs to act on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// 32 hexadecimal digits.
    pub id: String,
    pub customer: String,
    pub kind: AlertKind,
    pub at: Timestamp,
    /// The event that brought it about; `None` when time did.
    pub event_id: Option<String>,
    pub plan: Plan,
    /// The period that it is about: the current one, or one that has ended, for its overage.
    pub period: Day,
    /// Exclusive.
    pub period_end: Day,
    pub status: Status,
    /// What grants paid in the current period.
    pub used: Credits,
    /// What remains in all effective grants.
    pub balance: Credits,
    /// What no grant covered in the current period.
    pub overage: Credits,
    pub pace: Pace,
    /// The day on which the balance is used up at this pace.
    pub run_out: Option<Day>,
    /// The current period's use at its end, at this pace.
    pub projected: Credits,
    /// The cheapest plan at the projected use; `None` when none can carry it.
    pub fit: Option<PlanFit>,
    /// The grant that ends soon.
    pub expiring: Option<Expiring>,
}

/// A grant that ends soon with something left in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiring {
    pub grant: String,
    pub remaining: Credits,
    /// Exclusive.
    pub expires_at: Timestamp,
}

/// A plan and what a period of it would cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanFit {
    pub plan: String,
    pub name: String,
    pub cost: Money,
}

/// What it came from: the ledger row's place.
#[derive(Clone, Copy, Debug)]
pub struct Cause<'a> {
    pub source: &'a str,
    pub seq: i64,
    pub idx: i32,
    pub event_id: Option<&'a str>,
    /// Now, or when the timer was due.
    pub at: Timestamp,
}

/// What an alert is about.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    pub kind: AlertKind,
    pub period: Day,
    /// The grant that ends soon.
    pub grant: Option<&'a str>,
}

impl Alert {
    /// The alert on `wallet` that `cause` brought about; `plans` are those on offer.
    pub fn new(wallet: &Wallet, about: About<'_>, cause: Cause<'_>, plans: &[Plan]) -> Self {
        let current = &wallet.current;
        let balance = wallet.balance(cause.at);
        let pace = wallet.daily_use.pace(cause.at, wallet.opened);
        let used = Credits::new(current.consumed.get().max(0));
        let overage = Credits::new(current.overage.get().max(0));
        let so_far = used.get().saturating_add(overage.get());
        let ahead = pace.use_until(cause.at, current.end);
        let projected = Credits::new(so_far.saturating_add(ahead.get()));
        let ended = wallet.ended.iter();
        let mut ended = ended.filter(|ended| ended.start == about.period);
        let period_end = ended.next().map_or(current.end, |ended| ended.end);
        let plan = &wallet.terms_of(about.period).plan;
        let grants = wallet.grants.iter();
        let mut grants = grants.filter(|grant| Some(&*grant.id) == about.grant);
        let expiring = grants.next().and_then(|grant| {
            Some(Expiring {
                grant: grant.id.to_string(),
                remaining: grant.remaining,
                expires_at: grant.order.expires_at?,
            })
        });
        Self {
            id: alert_id(&wallet.customer, about, cause),
            customer: wallet.customer.to_string(),
            kind: about.kind,
            at: cause.at,
            event_id: cause.event_id.map(str::to_owned),
            plan: plan.clone(),
            period: about.period,
            period_end,
            status: wallet.status(),
            used,
            balance,
            overage,
            pace,
            run_out: pace.run_out(cause.at, balance),
            projected,
            fit: plan_that_fits(plans, &plan.currency, projected),
            expiring,
        }
    }
}

/// One message may wake several timers of a wallet, which its seq and idx do not tell apart: the
/// moment does.
fn alert_id(customer: &str, about: About<'_>, cause: Cause<'_>) -> String {
    let mut hasher = SipHasher24::new();
    let kind = about.kind.to_string();
    for text in [customer, cause.source, &kind, about.grant.unwrap_or("")] {
        hasher.write_usize(text.len());
        hasher.write(text.as_bytes());
    }
    hasher.write_i64(cause.seq);
    hasher.write_i32(cause.idx);
    hasher.write_i64(cause.at.get());
    let hash = hasher.finish128();
    format!("{:016x}{:016x}", hash.h1, hash.h2)
}

/// The plan with the lowest fee + overage for a period of `projected` credits, among those in
/// `currency`; of two that cost the same the one with the lower fee, then the one whose id comes
/// first. A plan that blocks is one only as long as its pool lasts.
pub fn plan_that_fits(plans: &[Plan], currency: &str, projected: Credits) -> Option<PlanFit> {
    let on_offer = plans.iter().filter(|plan| plan.currency == currency);
    let costs = on_offer.filter_map(|plan| Some((plan_cost(plan, projected)?, plan)));
    let (cost, plan) = costs.min_by(|(cost, plan), (other_cost, other)| {
        cost.cmp(other_cost)
            .then_with(|| (plan.fee, &plan.id).cmp(&(other.fee, &other.id)))
    })?;
    Some(PlanFit {
        plan: plan.id.clone(),
        name: plan.name.clone(),
        cost,
    })
}

/// Fee + overage of a period of `used` credits, rounded half even to the nano-unit; `None` when
/// the plan can't carry it.
fn plan_cost(plan: &Plan, used: Credits) -> Option<Money> {
    let over = i128::from((used.get() - plan.pool.get()).max(0));
    let overage = match plan.overage {
        Overage::Bill { price } => {
            divide_half_even(over * i128::from(price.get()), i128::from(MICROS))
        }
        Overage::Block if over == 0 => 0,
        Overage::Block => return None,
    };
    Money::from_i128(i128::from(plan.fee.get()) + overage)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::price::Alerts;

    fn plan(id: &str, fee: i64, pool: i64, overage: Overage) -> Plan {
        Plan {
            id: id.to_owned(),
            name: id.to_owned(),
            fee: Money::new(fee * 1_000_000_000),
            currency: "USD".to_owned(),
            pool: Credits::new(pool * MICROS),
            alerts: Alerts::default(),
            overage,
            rollover: None,
        }
    }

    #[test]
    fn the_plan_that_fits_is_the_cheapest_at_the_projected_use() {
        let bill = |cents: i64| Overage::Bill {
            price: Money::new(cents * 10_000_000),
        };
        let plans = [
            plan("starter", 49, 500, bill(12)),
            plan("team", 199, 2_500, bill(10)),
            plan("capped", 150, 2_000, Overage::Block),
        ];
        for (projected, fitting, cost) in [
            (0, "starter", "49.000000000"),
            (500, "starter", "49.000000000"),
            (1_341, "starter", "149.920000000"),
            (1_342, "capped", "150.000000000"),
            (2_001, "team", "199.000000000"),
            (3_000, "team", "249.000000000"),
        ] {
            let fit = plan_that_fits(&plans, "USD", Credits::new(projected * MICROS));
            let fit = fit.expect("a plan in dollars");
            assert_eq!(
                (fit.plan.as_str(), fit.cost.to_string()),
                (fitting, cost.to_owned())
            );
        }
        assert_eq!(plan_that_fits(&plans, "EUR", Credits::ZERO), None);
    }
}
