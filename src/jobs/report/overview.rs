//! The page of all wallets.
//!
//! Owns its words and their order. Leaves numbers to the views.

use maud::{Markup, html};
use serde::Deserialize;

use super::parts::{STYLE, by_task, days, footer, head, minute, tile, used_bar};
use super::{DAYS_SHOWN, Now, Signal, Task, Use, Wallet};
use crate::jobs::page::{document, grouped, rough};

#[derive(Deserialize)]
pub(super) struct Counts {
    pub(super) wallets: i64,
    blocked: i64,
    closed: i64,
    /// Open, with four fifths of the credits used or more.
    near: i64,
    remaining: String,
}

/// What the page shows.
pub(super) struct Facts {
    pub(super) counts: Counts,
    /// Those with the most used first.
    pub(super) wallets: Vec<Wallet>,
    pub(super) uses: Vec<Use>,
    pub(super) tasks: Vec<Task>,
    pub(super) signals: Vec<Signal>,
    pub(super) now: Now,
}

pub(super) fn page(facts: &Facts) -> String {
    let body = html! {
        h1 { "All wallets" }
        p.dim { "As of " (minute(&facts.now.now)) }
        (tiles(&facts.counts))
        @if !facts.signals.is_empty() {
            h2 { "Whom to call" }
            (signals(&facts.signals))
        }
        h2 { "Wallets" }
        (wallets(facts))
        h2 { "Use by day, the last " (DAYS_SHOWN) " days" }
        (days(&facts.uses, &facts.tasks, (facts.now.first_day, facts.now.day)))
        h2 { "Use by task, the last " (DAYS_SHOWN) " days" }
        (by_task(&facts.tasks))
        (footer(&facts.now))
    };
    document("Purser · all wallets", STYLE, &body)
}

fn tiles(counts: &Counts) -> Markup {
    html! {
        ul.tiles {
            (tile(&grouped(&counts.wallets.to_string()), &html! { "wallets" }))
            (tile(&grouped(&counts.near.to_string()), &html! { "have used 80 % or more" }))
            (tile(&grouped(&counts.blocked.to_string()), &html! { "blocked" }))
            (tile(&grouped(&counts.closed.to_string()), &html! { "closed" }))
            (tile(&grouped(&counts.remaining), &html! { "credits left in all" }))
        }
    }
}

fn signals(signals: &[Signal]) -> Markup {
    html! {
        div.scroll { table.cards {
            (head(&[("Customer", ""), ("Score", ""), ("Kind", "words"), ("Why", "words")]))
            tbody { @for signal in signals { tr {
                td { (signal.customer) }
                td data-label="Score" { (signal.score) }
                td.words data-label="Kind" { (signal.kind.replace('_', " ")) }
                td.words.whole { (signal.reasons) }
            } } }
        } }
    }
}

fn wallets(facts: &Facts) -> Markup {
    let shown = i64::try_from(facts.wallets.len()).unwrap_or(i64::MAX);
    html! {
        div.scroll { table.cards {
            (head(&[
                ("Customer", ""), ("Plan", "words"), ("Used, as a bar", "seen"), ("Used", ""),
                ("Left", ""), ("Overage", ""), ("A day", ""), ("Runs out", ""),
                ("Period ends", ""), ("Status", ""),
            ]))
            tbody { @for wallet in &facts.wallets { tr {
                td { (wallet.customer) }
                td.words.whole data-label="Plan" { (wallet.plan) }
                td.bars.whole { (used_bar(wallet.used_part.unwrap_or_default())) }
                td data-label="Used" {
                    @if let Some(used) = &wallet.used_percent { (grouped(used)) " %" }
                }
                td data-label="Left" { (grouped(&wallet.remaining)) }
                td data-label="Overage" { (grouped(&wallet.overage)) }
                td data-label="A day" { @if let Some(pace) = &wallet.pace { (rough(pace)) } }
                td data-label="Runs out" { (wallet.run_out_date.as_deref().unwrap_or("\u{2013}")) }
                td data-label="Period ends" { (wallet.period_end) }
                td class=(wallet.status) { (wallet.status) }
            } } }
        } }
        @if shown < facts.counts.wallets {
            p.dim {
                "The " (shown) " that have used the most of " (facts.counts.wallets) "; "
                code { "purser query \"select * from wallets\"" } " has all."
            }
        }
    }
}
