//! Reports: a customer's wallet, or all of them, as a page.
//!
//! Owns what is asked of the views. Leaves sums to them, geometry to `chart`, and the pages to
//! `customer` and `overview`, which share `parts`.
//!
//! Invariant: every number on a page is one of a view, at one state of the ledger.

mod chart;
mod customer;
mod overview;
mod parts;

use serde::Deserialize;

use super::sql::{AnswerError, answer};
use crate::adapters::sql::session::Session;
use chart::Point;

/// Wallets on the page of all; the rest is a query away.
const WALLETS_SHOWN: usize = 500;
/// Days on the page of all.
const DAYS_SHOWN: i32 = 31;

/// A wallet with what is foreseen for it. Amounts stand twice: as decimals to be read, and in
/// microcredits to be drawn.
const WALLETS: &str = "
    SELECT w.customer, w.status, COALESCE(n.name, w.plan) AS plan, n.alerts,
           w.period, w.period_end, w.pool, w.used, w.overage, w.remaining, w.used_percent, w.pace,
           p.overage_price, p.currency, f.projected, f.run_out_date,
           CAST(DATE_PART('epoch', w.period) / 86400 AS INTEGER) AS first_day,
           CAST(DATE_PART('epoch', w.period_end) / 86400 AS INTEGER) AS end_day,
           CAST(DATE_PART('epoch', f.run_out_at) AS BIGINT) AS runs_out,
           CAST(1000000 * (w.remaining - (f.projected - w.used - w.overage)) AS BIGINT)
               AS end_balance,
           CAST(1000000 * w.remaining AS BIGINT) AS remaining_micro,
           CAST(100 * w.used_percent AS BIGINT) AS used_part
    FROM wallets AS w
    JOIN periods AS p ON p.customer = w.customer AND p.period = w.period
    LEFT JOIN plans AS n ON n.version = p.price_version AND n.plan = w.plan
    LEFT JOIN forecasts AS f ON f.customer = w.customer";

#[derive(Deserialize)]
struct Wallet {
    customer: String,
    status: String,
    plan: String,
    /// In words: `used 80, overage`.
    alerts: Option<String>,
    period: String,
    period_end: String,
    pool: String,
    used: String,
    overage: String,
    remaining: String,
    used_percent: Option<String>,
    pace: Option<String>,
    overage_price: Option<String>,
    currency: String,
    projected: Option<String>,
    run_out_date: Option<String>,
    first_day: i32,
    end_day: i32,
    runs_out: Option<i64>,
    end_balance: Option<i64>,
    remaining_micro: i64,
    /// In hundredths of a percent.
    used_part: Option<i64>,
}

impl Wallet {
    fn is_closed(&self) -> bool {
        self.status == "closed"
    }

    /// The percents whose use raises an alert.
    fn thresholds(&self) -> Vec<i64> {
        let alerts = self.alerts.as_deref().unwrap_or_default().split(", ");
        let used = alerts.filter_map(|alert| alert.strip_prefix("used "));
        used.filter_map(|percent| percent.parse().ok()).collect()
    }
}

#[derive(Deserialize)]
struct PaceDays {
    days: i32,
}

/// The newest row of the ledger.
#[derive(Deserialize)]
struct Now {
    now: String,
    seconds: i64,
    /// In days since 1970, and as a date.
    day: i32,
    today: String,
    /// The first of the days that the page of all shows.
    first_day: i32,
    first_date: String,
}

/// A task's use on a day.
#[derive(Deserialize)]
struct Use {
    day: i32,
    task: String,
    credits: String,
    overage: String,
    micro: i64,
    micro_overage: i64,
}

/// A task's use over all days shown.
#[derive(Deserialize)]
struct Task {
    task: String,
    unit: String,
    quantity: String,
    credits: String,
    overage: String,
    micro: i64,
}

#[derive(Deserialize)]
struct Granted {
    grant_id: String,
    basis: String,
    expires_at: Option<String>,
    granted: String,
    remaining: String,
}

#[derive(Deserialize)]
struct Fired {
    reason: String,
    received_at: String,
    event_id: Option<String>,
    balance: Option<String>,
    seconds: i64,
    micro_balance: Option<i64>,
}

#[derive(Deserialize)]
struct Signal {
    customer: String,
    kind: String,
    score: i64,
    reasons: String,
}

/// How the last days are read from `usage_by_day`.
fn uses(condition: &str) -> String {
    format!(
        "SELECT CAST(DATE_PART('epoch', used_on) / 86400 AS INTEGER) AS day, task,
                CAST(SUM(credits) AS DECIMAL(28, 6)) AS credits,
                CAST(SUM(overage) AS DECIMAL(28, 6)) AS overage,
                CAST(1000000 * SUM(credits) AS BIGINT) AS micro,
                CAST(1000000 * SUM(overage) AS BIGINT) AS micro_overage
         FROM usage_by_day WHERE {condition}
         GROUP BY used_on, task ORDER BY used_on, task"
    )
}

fn tasks(condition: &str) -> String {
    format!(
        "SELECT task, unit, CAST(SUM(quantity) AS DECIMAL(28, 6)) AS quantity,
                CAST(SUM(credits) AS DECIMAL(28, 6)) AS credits,
                CAST(SUM(overage) AS DECIMAL(28, 6)) AS overage,
                CAST(1000000 * SUM(credits) AS BIGINT) AS micro
         FROM usage_by_day WHERE {condition}
         GROUP BY task, unit ORDER BY micro DESC, task, unit"
    )
}

async fn now(session: &Session) -> Result<Option<Now>, AnswerError> {
    let statement = format!(
        "SELECT now, CAST(DATE_PART('epoch', now) AS BIGINT) AS seconds,
                CAST(DATE_PART('epoch', today) / 86400 AS INTEGER) AS day, today,
                CAST(DATE_PART('epoch', first_date) / 86400 AS INTEGER) AS first_day, first_date
         FROM (SELECT now, CAST(now AS DATE) AS today,
                      CAST(CAST(now AS DATE) - INTERVAL '{} days' AS DATE) AS first_date
               FROM (SELECT MAX(received_at) AS now FROM ledger) AS newest)
         WHERE now IS NOT NULL",
        DAYS_SHOWN - 1
    );
    Ok(answer(session, &statement, &[]).await?.pop())
}

/// The page of a customer's wallet; `None` when there is none.
///
/// # Errors
///
/// A view can't be read.
pub async fn customer(session: &Session, customer: &str) -> Result<Option<String>, AnswerError> {
    let named = [("customer", customer)];
    let wallets = format!("{WALLETS} WHERE w.customer = $customer");
    let wallet: Option<Wallet> = answer(session, &wallets, &named).await?.pop();
    let (Some(wallet), Some(now)) = (wallet, now(session).await?) else {
        return Ok(None);
    };
    let period = [("customer", customer), ("period", &*wallet.period)];
    let until = [&period[..], &[("until", &*wallet.period_end)]].concat();
    let points = "SELECT CAST(DATE_PART('epoch', hour) AS BIGINT) AS at,
            CAST(1000000 * used AS BIGINT) AS used, CAST(1000000 * balance AS BIGINT) AS balance
        FROM burn_down WHERE customer = $customer AND period = $period ORDER BY hour";
    let points: Vec<Point> = answer(session, points, &period).await?;
    let in_period = "customer = $customer AND used_on >= $period AND used_on < $until";
    let grants = "SELECT grant_id, basis, expires_at, granted, remaining FROM grants
        WHERE customer = $customer AND remaining <> 0
        ORDER BY effective_at > $now, priority, expires_at NULLS LAST,
            CASE basis WHEN 'promotional' THEN 1 WHEN 'rollover' THEN 2 WHEN 'pool' THEN 3
                ELSE 4 END, effective_at, grant_id";
    let alerts = "SELECT reason, received_at, event_id, balance,
            CAST(DATE_PART('epoch', received_at) AS BIGINT) AS seconds,
            CAST(1000000 * balance AS BIGINT) AS micro_balance
        FROM alerts WHERE customer = $customer AND received_at >= $period
        ORDER BY shard, entry";
    let pace_days = "SELECT days FROM pace WHERE customer = $customer";
    let pace_days: Option<PaceDays> = answer(session, pace_days, &named).await?.pop();
    let facts = customer::Facts {
        pace_days: pace_days.map_or(0, |pace| pace.days),
        points,
        uses: answer(session, &uses(in_period), &until).await?,
        tasks: answer(session, &tasks(in_period), &until).await?,
        grants: answer(session, grants, &[named[0], ("now", &*now.now)]).await?,
        alerts: answer(session, alerts, &period).await?,
        wallet,
        now,
    };
    Ok(Some(customer::page(&facts)))
}

/// The page of all wallets; `None` when there are none.
///
/// # Errors
///
/// A view can't be read.
pub async fn all(session: &Session) -> Result<Option<String>, AnswerError> {
    let Some(now) = now(session).await? else {
        return Ok(None);
    };
    let counts = "SELECT COUNT(*) AS wallets,
            COUNT(*) FILTER (WHERE status = 'blocked') AS blocked,
            COUNT(*) FILTER (WHERE status = 'closed') AS closed,
            COUNT(*) FILTER (WHERE status <> 'closed' AND used_percent >= 80) AS near,
            COALESCE(CAST(SUM(remaining) AS DECIMAL(28, 6)), 0) AS remaining
        FROM wallets";
    let counts: Option<overview::Counts> = answer(session, counts, &[]).await?.pop();
    let Some(counts) = counts.filter(|counts| counts.wallets > 0) else {
        return Ok(None);
    };
    let wallets = format!(
        "{WALLETS} ORDER BY w.status = 'closed', w.used_percent DESC NULLS LAST,
         w.overage DESC, w.customer LIMIT {WALLETS_SHOWN}"
    );
    let days = [("from", &*now.first_date), ("until", &*now.today)];
    let in_days = "used_on >= $from AND used_on <= $until";
    let signals = "SELECT * FROM signals ORDER BY score DESC, customer LIMIT 50";
    let facts = overview::Facts {
        counts,
        wallets: answer(session, &wallets, &[]).await?,
        uses: answer(session, &uses(in_days), &days).await?,
        tasks: answer(session, &tasks(in_days), &days).await?,
        signals: answer(session, signals, &[]).await?,
        now,
    };
    Ok(Some(overview::page(&facts)))
}
