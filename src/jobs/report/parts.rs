//! What the pages of reports share: looks, tiles, use by day and by task.
//!
//! Owns the colours and sizes. Leaves numbers to the views.
//!
//! Invariant: whatever a picture shows stands beside it or below it in words and digits too.

use maud::{Markup, html};

use super::chart::{FULL, part, percent};
use super::{Now, Task, Use};
use crate::domain::calendar::civil;
use crate::domain::units::Day;
use crate::jobs::page::grouped;

/// Tasks with a colour of their own, dark ones and light ones by turns; the rest share one.
const COLOURS: usize = 5;

pub(super) const STYLE: &str = "
:root { color-scheme: light dark; --back: #fff; --card: #f6f8fa; --ink: #1b1f24; --dim: #57606a;
  --line: #d0d7de; --main: #1f6feb; --good: #1a7f37; --warn: #9a6700; --bad: #b42318;
  --c0: #0b4fb8; --c1: #35b8a9; --c2: #8c2f6b; --c3: #e3a12f; --c4: #5a3fc0; --c5: #a3abb5 }
@media (prefers-color-scheme: dark) {
  :root { --back: #0d1117; --card: #161b22; --ink: #e6edf3; --dim: #9198a1; --line: #30363d;
    --main: #58a6ff; --good: #3fb950; --warn: #d29922; --bad: #ff7b72;
    --c0: #79b8ff; --c1: #1f8f84; --c2: #f0a3d6; --c3: #b7791f; --c4: #b9a3ff; --c5: #6b737d } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; background: var(--back); color: var(--ink);
  font: 16px/1.45 system-ui, sans-serif }
h1 { margin: 0; font-size: 1.6rem; overflow-wrap: anywhere }
h2 { margin: 2rem 0 .6rem; font-size: 1.1rem }
p, figure { margin: .4rem 0 }
.dim, figcaption, th, footer { color: var(--dim) }
.status { border: 1px solid; border-radius: 1rem; padding: .05rem .6rem; font-size: .85rem }
.ok { color: var(--good) } .blocked { color: var(--bad) } .closed { color: var(--dim) }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .6rem;
  margin: 1rem 0; padding: 0; list-style: none }
.tiles div { overflow-wrap: anywhere }
.tiles li { background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  padding: .6rem .8rem }
.tiles b { display: block; font-size: 1.15rem; line-height: 1.3; overflow-wrap: anywhere;
  font-variant-numeric: tabular-nums }
.scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: .9rem;
  font-variant-numeric: tabular-nums }
th, td { padding: .3rem .5rem; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; vertical-align: top }
th { font-weight: 600 }
th:first-child, td:first-child, .words { text-align: left; white-space: normal;
  overflow-wrap: break-word }
td:first-child { min-width: 7rem; overflow-wrap: anywhere }
.bars { min-width: 6rem }
.bar { position: relative; height: .7rem; min-width: 6rem; border-radius: .2rem;
  background: var(--card); border: 1px solid var(--line); overflow: hidden }
.bar i { display: block; height: 100% }
.burn { display: grid; grid-template-columns: max-content 1fr max-content; gap: 0 .4rem;
  font-size: .75rem; color: var(--dim) }
.plot { position: relative; height: 18rem; border: solid var(--line); border-width: 0 0 1px 1px }
.plot svg { position: absolute; inset: 0; width: 100%; height: 100%; overflow: visible }
.plot path { fill: none; stroke-width: 2; vector-effect: non-scaling-stroke }
.plot .area { fill: var(--main); fill-opacity: .15; stroke: none }
.plot .balance { stroke: var(--main) }
.plot .heading { stroke: var(--main); stroke-dasharray: 2 5 }
.plot .threshold { stroke: var(--warn); stroke-width: 1; stroke-dasharray: 6 4 }
.plot .now { stroke: var(--dim); stroke-width: 1 }
.plot b { position: absolute; width: .7rem; height: .7rem; border-radius: 50%;
  background: var(--bad); border: 2px solid var(--back); transform: translate(-50%, -50%) }
.down { position: relative; min-width: 2.6rem }
.down span { position: absolute; transform: translateY(-50%); white-space: nowrap }
.down.left span { right: 0 }
.down.left { min-width: 3.4rem }
.down.left span:first-child { position: relative; display: block; text-align: right }
.across { position: relative; height: 1.4rem }
.across span { position: absolute; transform: translateX(-50%); white-space: nowrap }
.across span:first-child { transform: none }
.days { display: grid; grid-auto-flow: column; grid-auto-columns: 1fr; gap: 2px; height: 11rem;
  border-bottom: 1px solid var(--line) }
.days > div { display: flex; flex-direction: column-reverse; border-radius: .15rem }
.days > div:hover { background: var(--card) }
.days i { display: block; min-height: 1px }
.days > div { border-bottom: 4px solid transparent }
.days .over { border-color: var(--bad) }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .85rem; padding: 0;
  list-style: none }
.legend i { display: inline-block; width: .8rem; height: .8rem; border-radius: .15rem;
  vertical-align: -.08rem; margin-right: .3rem }
.legend .over { height: 4px; background: var(--bad); vertical-align: .2rem }
.k0 { background: var(--c0) } .k1 { background: var(--c1) } .k2 { background: var(--c2) }
.k3 { background: var(--c3) } .k4 { background: var(--c4) } .k5 { background: var(--c5) }
.full { background: var(--bad) } .near { background: var(--warn) } .some { background: var(--main) }
.unseen { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden }
details { margin: .5rem 0 } summary { cursor: pointer; color: var(--dim) }
footer { margin-top: 2.5rem; font-size: .85rem }
@media (max-width: 40rem) {
  body { padding: .7rem }
  .plot { height: 13rem }
  .across .odd { display: none }
  .cards thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px;
    overflow: hidden }
  .cards tr { display: grid; grid-template-columns: 1fr 1fr; gap: 0 .8rem; padding: .5rem 0;
    border-bottom: 1px solid var(--line) }
  .cards td { border: 0; padding: .1rem 0; text-align: left; white-space: normal; min-width: 0 }
  .cards td:first-child, .cards .whole { grid-column: 1 / -1 }
  .cards td:first-child { font-weight: 600 }
  .cards td[data-label]::before { content: attr(data-label) \" \"; color: var(--dim) }
}
@media print { body { font-size: 11px } details { display: none } }
";

/// The head of a table: a title and a class for each column. One that is `seen` has a title only
/// for those who do not see it.
pub(super) fn head(titles: &[(&str, &str)]) -> Markup {
    html! {
        thead { tr {
            @for (title, class) in titles {
                @if *class == "seen" { th scope="col" { span.unseen { (title) } } }
                @else { th scope="col" class=[(!class.is_empty()).then_some(class)] { (title) } }
            }
        } }
    }
}

/// A tile of the first row.
pub(super) fn tile(number: &str, what: &Markup) -> Markup {
    html! { li { b { (number) } div.dim { (what) } } }
}

/// A bar of how much of the credits is used.
pub(super) fn used_bar(used_part: i64) -> Markup {
    let class = match used_part {
        FULL.. => "full",
        8_000.. => "near",
        _ => "some",
    };
    let width = format!("width:{}", percent(part(used_part, FULL)));
    html! { div.bar { i class=(class) style=(width) {} } }
}

/// A column for each day, from the first to the last.
pub(super) fn days(uses: &[Use], tasks: &[Task], (first_day, last_day): (i32, i32)) -> Markup {
    let by_day = |day| uses.iter().filter(move |of_day| of_day.day == day);
    let used = |day| by_day(day).map(|of_day| of_day.micro.max(0)).sum::<i64>();
    let most = (first_day..=last_day).map(used).max().unwrap_or_default();
    let half_way = first_day + (last_day - first_day) / 2;
    html! {
        figure {
            div.days role="img" aria-label="Credits used each day" {
                @for day in first_day..=last_day {
                    @let over = by_day(day).any(|of_day| of_day.micro_overage > 0);
                    div.over[over] title=(told(day, by_day(day))) {
                        @for of_day in by_day(day).filter(|of_day| of_day.micro > 0) {
                            i class=(colour(tasks, &of_day.task))
                                style=(format!("height:{}", percent(part(of_day.micro, most)))) {}
                        }
                    }
                }
            }
            div.across {
                span style="left:0" { (civil(Day::new(first_day))) }
                span style="left:50%" { (civil(Day::new(half_way))) }
                span style="left:100%;transform:translateX(-100%)" { (civil(Day::new(last_day))) }
            }
            ul.legend {
                @for task in tasks.iter().take(COLOURS) {
                    li { i class=(colour(tasks, &task.task)) {} (task.task) }
                }
                @if tasks.len() > COLOURS { li { i.k5 {} "other tasks" } }
                @if uses.iter().any(|of_day| of_day.micro_overage > 0) {
                    li { i.over {} "a day with overage" }
                }
            }
        }
        details {
            summary { "The same in numbers" }
            div.scroll { table {
                (head(&[("Day", ""), ("Task", "words"), ("Credits", ""), ("Overage", "")]))
                tbody { @for of_day in uses { tr {
                    td { (civil(Day::new(of_day.day))) }
                    td.words { (of_day.task) }
                    td { (grouped(&of_day.credits)) }
                    td { (grouped(&of_day.overage)) }
                } } }
            } }
        }
    }
}

fn told<'a>(day: i32, uses: impl Iterator<Item = &'a Use>) -> String {
    let tasks = uses.map(|of_day| format!("{} {}", of_day.task, grouped(&of_day.credits)));
    let tasks: Vec<String> = tasks.collect();
    match tasks.is_empty() {
        true => format!("{}: nothing", civil(Day::new(day))),
        false => format!("{}: {}", civil(Day::new(day)), tasks.join(", ")),
    }
}

/// A task's use in the customer's units and in credits.
pub(super) fn by_task(tasks: &[Task]) -> Markup {
    let all: i64 = tasks.iter().map(|task| task.micro.max(0)).sum();
    html! {
        div.scroll { table.cards {
            (head(&[
                ("Task", ""), ("Done", ""), ("Credits", ""), ("Overage", ""), ("Share", ""),
                ("Share, as a bar", "seen"),
            ]))
            tbody { @for task in tasks {
                @let share = part(task.micro, all);
                tr {
                    td { (task.task) }
                    td data-label="Done" { (grouped(&task.quantity)) " " (task.unit) }
                    td data-label="Credits" { (grouped(&task.credits)) }
                    td data-label="Overage" { (grouped(&task.overage)) }
                    td data-label="Share" { (percent(share)) }
                    td.bars.whole { div.bar {
                        i class=(colour(tasks, &task.task))
                            style=(format!("width:{}", percent(share))) {}
                    } }
                }
            } }
        } }
    }
}

/// The class of a task's colour.
fn colour(tasks: &[Task], task: &str) -> &'static str {
    let rank = tasks.iter().position(|other| other.task == task);
    ["k0", "k1", "k2", "k3", "k4"]
        .get(rank.unwrap_or(COLOURS))
        .unwrap_or(&"k5")
}

/// Where the numbers come from.
pub(super) fn footer(now: &Now) -> Markup {
    html! {
        footer {
            p {
                "As of " (minute(&now.now)) ", the ledger's newest row. Times and days are UTC. A \
                 reversal counts on the day of its command. "
                code { "purser query" } " has the same numbers, in the views "
                code { "wallets" } ", " code { "forecasts" } ", " code { "burn_down" } " and "
                code { "usage_by_day" } "."
            }
        }
    }
}

/// An instant of the ledger to the minute.
pub(super) fn minute(instant: &str) -> String {
    let minute = instant.get(..16).unwrap_or(instant);
    format!("{} UTC", minute.replacen('T', " ", 1))
}
