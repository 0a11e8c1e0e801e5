//! The page of one customer's wallet.
//!
//! Owns its words and their order. Leaves numbers to the views, geometry to `chart`.

use maud::{Markup, html};

use super::chart::{BurnDown, FULL, Point, percent};
use super::parts::{STYLE, by_task, days, footer, head, minute, tile, used_bar};
use super::{Fired, Granted, Now, Task, Use, Wallet};
use crate::domain::calendar::civil;
use crate::domain::units::Day;
use crate::jobs::page::{document, grouped, rough};

/// What the page shows.
pub(super) struct Facts {
    pub(super) wallet: Wallet,
    pub(super) now: Now,
    /// Days by which the pace is measured.
    pub(super) pace_days: i32,
    pub(super) points: Vec<Point>,
    pub(super) uses: Vec<Use>,
    pub(super) tasks: Vec<Task>,
    pub(super) grants: Vec<Granted>,
    /// In the order in which they fired.
    pub(super) alerts: Vec<Fired>,
}

const DAY_SECONDS: i64 = 86_400;
/// What a label takes of the picture's height at least.
const LABEL_HEIGHT: i64 = FULL / 15;

pub(super) fn page(facts: &Facts) -> String {
    let wallet = &facts.wallet;
    let body = html! {
        h1 { (wallet.customer) " " span class={ "status " (wallet.status) } { (wallet.status) } }
        p.dim {
            "Plan " (wallet.plan) ", period " (wallet.period) " up to, not including, "
            (wallet.period_end) "; as of " (minute(&facts.now.now))
        }
        (tiles(wallet, facts.pace_days))
        h2 { "Credits left" }
        (burn_down(facts))
        h2 { "Use by day" }
        (days(&facts.uses, &facts.tasks, (wallet.first_day, wallet.end_day - 1)))
        h2 { "Use by task" }
        @if facts.tasks.is_empty() {
            p { "No work was done on the days of this period." }
        }
        @else { (by_task(&facts.tasks)) }
        @if !facts.grants.is_empty() {
            h2 { "Credits by grant, in the order in which they pay" }
            (grants(&facts.grants))
        }
        @if !facts.alerts.is_empty() {
            h2 { "Alerts of this period" }
            (alerts(&facts.alerts))
        }
        (footer(&facts.now))
    };
    document(&format!("{} · credits", wallet.customer), STYLE, &body)
}

fn tiles(wallet: &Wallet, pace_days: i32) -> Markup {
    let used = wallet.used_percent.as_deref().unwrap_or("0");
    let pace = wallet.pace.as_deref().unwrap_or("0");
    html! {
        ul.tiles {
            (tile(&format!("{} %", grouped(used)), &html! {
                "of the credits used"
                (used_bar(wallet.used_part.unwrap_or_default()))
            }))
            (tile(&grouped(&wallet.remaining), &html! { "credits left" }))
            (tile(&grouped(&wallet.used), &html! {
                "used, net of reversals; the pool is " (grouped(&wallet.pool))
            }))
            (tile(&grouped(&wallet.overage), &html! {
                "of overage"
                @if let Some(price) = &wallet.overage_price {
                    " at " (grouped(price)) " " (wallet.currency)
                }
            }))
            (tile(&rough(pace), &html! {
                @if pace_days == 1 { "a day, by one day" }
                @else { "a day, by the last " (pace_days) " days" }
            }))
            (tile(wallet.run_out_date.as_deref().unwrap_or("\u{2013}"), &html! {
                @if wallet.is_closed() { "the wallet is closed" }
                @else if wallet.run_out_date.is_some() { "runs out" }
                @else if wallet.remaining_micro <= 0 { "nothing is left" }
                @else { "does not run out in this period" }
                @if let Some(projected) = &wallet.projected {
                    "; heading for " (rough(projected)) " by the period's end"
                }
            }))
        }
    }
}

fn burn_down(facts: &Facts) -> Markup {
    let wallet = &facts.wallet;
    let span = [wallet.first_day, wallet.end_day].map(|day| i64::from(day) * DAY_SECONDS);
    let thresholds = wallet.thresholds();
    let heading = wallet.runs_out.map(|at| (at, 0));
    let heading = heading.or(wallet.end_balance.map(|credits| (span[1], credits)));
    let drawn = BurnDown {
        points: &facts.points,
        span: (span[0], span[1]),
        now: facts.now.seconds,
        is_closed: wallet.is_closed(),
        thresholds: &thresholds,
        // Where nothing is left there is nowhere to head for.
        heading: heading.filter(|_| wallet.remaining_micro > 0),
    };
    let now_x = drawn.x(facts.now.seconds);
    let top = drawn.top();
    html! {
        figure {
            div.burn {
                (edge(top))
                div.plot {
                    svg viewBox=(format!("0 0 {FULL} {FULL}")) preserveAspectRatio="none" role="img"
                        aria-label=(format!("{} credits left of the period's", wallet.remaining)) {
                        path.area d=(drawn.area()) {}
                        @for percent in drawn.thresholds {
                            path.threshold d=(drawn.threshold(*percent).0) {}
                        }
                        path.now d=(format!("M{now_x} 0V{FULL}")) {}
                        @if let Some(heading) = drawn.heading() { path.heading d=(heading) {} }
                        path.balance d=(drawn.balance()) {}
                    }
                    @for alert in &facts.alerts { (mark(&drawn, alert)) }
                }
                div.down {
                    @for (threshold, y) in labels(&drawn) {
                        span style=(format!("top:{}", percent(y))) { (threshold) " %" }
                    }
                }
                div {}
                (dates(&drawn, wallet))
                div {}
            }
            figcaption {
                "Credits left, hour by hour; dashed, where the use of "
                (words(drawn.thresholds)) " raises an alert; a dot, an alert that was raised"
                @if drawn.heading.is_some() { "; dotted, where the pace leads" }
                "."
            }
        }
    }
}

/// The thresholds and how far down they end, but for those too close to the one before.
fn labels(drawn: &BurnDown<'_>) -> Vec<(i64, i64)> {
    let mut labels: Vec<(i64, i64)> = Vec::new();
    for threshold in drawn.thresholds {
        let y = drawn.threshold(*threshold).1;
        if labels
            .last()
            .is_none_or(|(_, before)| y - before >= LABEL_HEIGHT)
        {
            labels.push((*threshold, y));
        }
    }
    labels
}

/// The labels of the left edge.
fn edge(top: i64) -> Markup {
    let label = |micro: i64| grouped(&format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000));
    html! {
        div.down.left {
            span style="top:0" { (label(top)) }
            span style="top:50%" { (label(top / 2)) }
            span style="top:100%" { "0" }
        }
    }
}

fn words(thresholds: &[i64]) -> String {
    let percents: Vec<String> = thresholds.iter().map(|x| format!("{x} %")).collect();
    match percents.is_empty() {
        true => "no share of them".to_owned(),
        false => percents.join(", "),
    }
}

/// The dot of an alert that was raised while the credits are drawn.
fn mark(drawn: &BurnDown<'_>, alert: &Fired) -> Markup {
    let place = |balance: i64| {
        let (left, top) = (drawn.x(alert.seconds), drawn.y(balance));
        format!("left:{};top:{}", percent(left), percent(top))
    };
    let told = format!("{}: {}", minute(&alert.received_at), alert.reason);
    html! {
        @if let Some(balance) = alert.micro_balance {
            b style=(place(balance)) title=(told) {}
        }
    }
}

/// The lower edge: a label a week.
fn dates(drawn: &BurnDown<'_>, wallet: &Wallet) -> Markup {
    let weeks = (wallet.first_day..wallet.end_day).step_by(7);
    html! {
        div.across {
            @for (number, day) in weeks.enumerate() {
                @let left = percent(drawn.x(i64::from(day) * DAY_SECONDS));
                span.odd[number % 2 == 1] style=(format!("left:{left}")) {
                    (civil(Day::new(day)).strftime("%b %-d"))
                }
            }
        }
    }
}

fn grants(grants: &[Granted]) -> Markup {
    html! {
        div.scroll { table.cards {
            (head(&[("Grant", ""), ("Kind", "words"), ("Until", ""), ("Given", ""), ("Left", "")]))
            tbody { @for grant in grants { tr {
                td { (grant.grant_id) }
                td.words data-label="Kind" { (grant.basis) }
                td data-label="Until" {
                    @if let Some(until) = &grant.expires_at { (minute(until)) } @else { "used" }
                }
                td data-label="Given" { (grouped(&grant.granted)) }
                td data-label="Left" { (grouped(&grant.remaining)) }
            } } }
        } }
    }
}

fn alerts(alerts: &[Fired]) -> Markup {
    html! {
        div.scroll { table.cards {
            (head(&[
                ("When", ""), ("Alert", "words"), ("Credits left", ""), ("By the event", "words"),
            ]))
            tbody { @for alert in alerts.iter().rev() { tr {
                td { (minute(&alert.received_at)) }
                td.words { (alert.reason) }
                td data-label="Left" {
                    @if let Some(balance) = &alert.balance { (grouped(balance)) }
                }
                td.words data-label="By" { (alert.event_id.as_deref().unwrap_or("time")) }
            } } }
        } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_would_overlap_are_left_out() {
        let points = [Point {
            at: 0,
            used: 0,
            balance: 1_000,
        }];
        let drawn = BurnDown {
            points: &points,
            span: (0, 100),
            now: 50,
            is_closed: false,
            thresholds: &[50, 55, 57, 100],
            heading: None,
        };
        assert_eq!(labels(&drawn), [(50, 5_000), (57, 5_700), (100, 10_000)]);
    }
}
