//! Recall: the charges that messages take back, known before the engine decides.
//!
//! Owns asking the ledger once for a block of messages, and noting what is charged meanwhile.
//! Leaves the question itself to `batches`, and what a reversal does to `domain::engine`.
//!
//! Invariant: the engine is told of the newest charge there is, whether it is committed or not, so
//! that a reversal has the same rows wherever batches were cut.

use std::collections::HashMap;

use super::batches::{Batches, FindError};
use crate::adapters::ledger::{Bounds, ChargeName, WantedCharge};
use crate::domain::command::Reversed;
use crate::domain::duplicates::{Occupied, OlderFault};
use crate::domain::engine::{Charged, Engine};
use crate::domain::entry::{Entry, Kind};
use crate::domain::event::Reading;
use crate::domain::units::Timestamp;

/// The charges that the messages at hand take back.
#[derive(Default)]
pub struct Recall {
    wanted: HashMap<ChargeName, Known>,
    /// The name that a row is looked up by, kept for its memory.
    key: ChargeName,
}

/// What is known of a charge.
enum Known {
    NotAsked,
    /// Asked for, or noted as it was made.
    Asked(Option<Noted>),
}

struct Noted {
    /// The message and the event in it.
    place: (i64, i32),
    charged: Charged,
}

/// The charge that an event takes back, if it is such a command.
pub fn name_of(reading: &Reading<'_>) -> Option<ChargeName> {
    let Reading::Event(event) = reading else {
        return None;
    };
    let (customer, reversed) = event.subject.zip(Reversed::of(event))?;
    Some(ChargeName {
        customer: customer.to_owned(),
        source: reversed.source.to_owned(),
        id: reversed.id.to_owned(),
    })
}

impl Recall {
    /// Starts a block of messages, which take these charges back; forgets those of the block
    /// before.
    pub fn begin(&mut self, wanted: Vec<ChargeName>) {
        let wanted = wanted.into_iter().map(|name| (name, Known::NotAsked));
        self.wanted = wanted.collect();
    }

    /// Notes a row that charges for one of the events: there is no newer charge.
    pub(super) fn note(&mut self, row: &Entry<'_>) {
        if self.wanted.is_empty() || row.kind != Kind::Usage {
            return;
        }
        self.key.set_to(row);
        let Some(known) = self.wanted.get_mut(&self.key) else {
            return;
        };
        let place = (row.seq, row.idx);
        match known {
            Known::Asked(Some(noted)) if noted.place == place => noted.charged.push(row),
            _ => {
                let mut charged = Charged::of(row);
                charged.push(row);
                *known = Known::Asked(Some(Noted { place, charged }));
            }
        }
    }

    fn not_asked(&self) -> impl Iterator<Item = &ChargeName> {
        let is_new = |known: &Known| matches!(known, Known::NotAsked);
        let names = self.wanted.iter().filter(move |(_, known)| is_new(known));
        names.map(|(name, _)| name)
    }

    /// Takes the ledger's answer to all that was not asked before.
    fn settle(&mut self, found: Vec<Charged>) {
        for known in self.wanted.values_mut() {
            if matches!(known, Known::NotAsked) {
                *known = Known::Asked(None);
            }
        }
        for charged in found {
            let name = ChargeName {
                customer: charged.customer.clone(),
                source: charged.event_source.clone(),
                id: charged.event_id.clone(),
            };
            // No message has such a place: what is noted later is another charge.
            let place = (0, -1);
            let noted = Noted { place, charged };
            self.wanted.insert(name, Known::Asked(Some(noted)));
        }
    }
}

/// Tells the engine of the charges that the next message takes back. Call it before the message.
///
/// # Errors
///
/// The duplicate filter or the ledger can't be asked.
pub fn tell<E: From<OlderFault> + From<FindError>>(
    names: &[ChargeName],
    engine: &mut Engine,
    batches: &mut Batches,
) -> Result<(), E> {
    if names.is_empty() {
        return Ok(());
    }
    let mut is_asked = true;
    for name in names {
        let known = batches.recall.wanted.entry(name.clone());
        is_asked &= matches!(known.or_insert(Known::NotAsked), Known::Asked(_));
    }
    if !is_asked {
        ask::<E>(engine, batches)?;
    }
    let charge = |name| match batches.recall.wanted.get(name) {
        Some(Known::Asked(Some(noted))) => Some(noted.charged.clone()),
        _ => None,
    };
    engine.recall(names.iter().filter_map(charge).collect());
    Ok(())
}

/// Asks the ledger for all charges of the block that are not known yet. When the newest one can
/// have come is known: what the filter knows was charged just then, all else before the window,
/// and so, as a rule, before the batch at hand.
fn ask<E: From<OlderFault> + From<FindError>>(
    engine: &mut Engine,
    batches: &mut Batches,
) -> Result<(), E> {
    let now = engine.now().unwrap_or(Timestamp::EPOCH);
    let before = now.plus(-engine.longest_window());
    let mut is_uncommitted = false;
    let mut wanted = Vec::new();
    for name in batches.recall.not_asked() {
        let occupied = engine.occupied(&name.customer, (&name.source, &name.id))?;
        let (min, max) = match occupied {
            Some(Occupied::Since(at)) => (at, at),
            // By a command, which came after a charge, if there was one.
            Some(Occupied::ForEver) => (Timestamp::new(i64::MIN), now),
            None => (Timestamp::new(i64::MIN), before),
        };
        is_uncommitted |= batches.begun_at().is_some_and(|begun_at| begun_at <= max);
        let (name, received) = (name.clone(), Bounds { min, max });
        wanted.push(WantedCharge { name, received });
    }
    if is_uncommitted {
        batches.seal();
    }
    let found = batches.find(wanted)?;
    batches.recall.settle(found);
    Ok(())
}
