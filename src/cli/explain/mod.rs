//! `purser explain`
//!
//! Owns how many events an id may stand for, and the exit code. Leaves the page for a person to
//! `text`, the answer for a script to `json`, and single sentences to `words`.

mod json;
mod text;
mod words;

use std::io::{self, Write};

use anyhow::anyhow;

use super::args::{Common, Explain, ExplainFormat};
use super::failure::Failure;
use crate::jobs::explain::{
    Found, Identity, Outcome, Question, Records, Story, explain, find, near_misses, open,
};
use words::clean;

/// Events of one id that are explained at once.
const STORIES_MAX: usize = 100;

pub(super) async fn run(common: &Common, args: Explain) -> Result<(), Failure> {
    let records = open(&common.folder()?).await?;
    let question = Question {
        event_id: args.event_id,
        customer: args.customer,
        source: args.source,
    };
    let found = find(&records, &question).await?;
    if found.identities.is_empty() {
        return Err(Failure::No(nothing(&records, &question).await?));
    }
    let count = found.identities.len();
    if count > 1 && args.format == ExplainFormat::Text {
        return Err(Failure::Unable(anyhow!(choice(&found, &question))));
    }
    let is_whole = !found.is_cut && count <= STORIES_MAX;
    let mut stories = Vec::new();
    for identity in found.identities.into_iter().take(STORIES_MAX) {
        stories.push(explain(&records, identity).await?);
    }
    let answer = match args.format {
        ExplainFormat::Json => json::answer(&question.event_id, &stories, is_whole),
        ExplainFormat::Text => {
            let pages = stories.iter().map(|story| text::page(story, is_whole));
            pages.collect::<String>()
        }
    };
    print(&answer)?;
    match stories.iter().map(differences).sum::<usize>() {
        0 => Ok(()),
        1 => Err(Failure::No("1 difference from the price table".to_owned())),
        count => Err(Failure::No(format!(
            "{count} differences from the price table"
        ))),
    }
}

fn print(answer: &str) -> Result<(), Failure> {
    let mut out = io::stdout();
    match out.write_all(answer.as_bytes()).and_then(|()| out.flush()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => Ok(printed?),
    }
}

fn differences(story: &Story) -> usize {
    let of = |outcome: &Outcome| match outcome {
        Outcome::Charge(charge) => charge.differences.len(),
        Outcome::Command | Outcome::Reversal(_) | Outcome::Copy(_) | Outcome::Rejection(_) => 0,
    };
    story.arrivals.iter().map(|one| of(&one.outcome)).sum()
}

/// That no event has the id, and where it may have gone.
async fn nothing(records: &Records, question: &Question) -> Result<String, Failure> {
    let id = clean(&question.event_id);
    let of = |flag: &str, value: &Option<String>| match value {
        Some(value) => format!(" with {flag} {}", clean(value)),
        None => String::new(),
    };
    let customer = of("--customer", &question.customer);
    let source = of("--source", &question.source);
    let mut told = format!("the ledger has no event `{id}`{customer}{source}");
    let near = near_misses(records, &question.event_id).await?;
    if near.is_empty() {
        told.push_str(
            ": it has not arrived, or is not committed yet; or it was refused and its id could \
             not be read, which `purser query \"SELECT * FROM rejected WHERE event_id IS NULL\"` \
             shows",
        );
    } else {
        told.push_str("; but it is mentioned in what was refused and has no id of its own:");
        for row in near {
            let place = words::place(&row.place());
            let reason = row.reason.unwrap_or_default();
            let data = clean(row.data.as_deref().unwrap_or_default());
            told.push_str(&format!("\n  {reason}, {place}: {data}"));
        }
    }
    Ok(told)
}

/// The events that have the id, and the flags that tell them apart.
fn choice(found: &Found, question: &Question) -> String {
    let id = clean(&question.event_id);
    let count = found.identities.len();
    let mut told = format!(
        "`{id}` is the id of {count} events: say which one is meant, or take `--format json`, \
         which explains all of them"
    );
    let shown = found.identities.iter().take(STORIES_MAX);
    for identity in shown {
        told.push_str(&format!("\n  {}", flags(identity)));
    }
    if count > STORIES_MAX {
        told.push_str(&format!("\n  … and {} more", count - STORIES_MAX));
    }
    told
}

fn flags(identity: &Identity) -> String {
    let quoted = |text: &str| format!("'{}'", clean(text).replace('\'', r"'\''"));
    let mut flags = Vec::new();
    if let Some(customer) = &identity.customer {
        flags.push(format!("--customer {}", quoted(customer)));
    }
    if let Some(source) = &identity.source {
        flags.push(format!("--source {}", quoted(source)));
    }
    if identity.customer.is_none() {
        flags.push("(its subject can name no customer)".to_owned());
    }
    flags.join(" ")
}
