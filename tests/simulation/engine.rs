//! The engine under test.
//!
//! Owns all uses of the engine's own interface. Leaves batches and recovery to their own files.

use purser::adapters::cloudevents::{ContentType, Decoder, Readings};
use purser::adapters::ledger::ChargeName;
use purser::domain::duplicates::DuplicateFilter;
use purser::domain::engine::{self, Arrival, Charged, Engine, Subject};
use purser::domain::entry::{Entry, Kind, Payload, RawBody, Sink};
use purser::domain::event::{Members, Reading};
use purser::domain::identity::FilterKey;
use purser::domain::price::PriceBook;
use purser::domain::units::Timestamp;
use purser::jobs::recall::name_of;

use crate::rows::Row;
use crate::story::{Message, SHARD, STREAM};

const KEY: FilterKey = [1, 2, 3, 4];
const IN_MEMORY: &str = "a filter in memory does not fail";

pub(crate) fn new(book: &PriceBook) -> Engine {
    Engine::new(SHARD, book.clone(), DuplicateFilter::unbounded(KEY))
}

/// Makes the charges known that a message takes back: the newest of each event among `rows`, which
/// are all that lead to the engine, in their order. The worker's own `jobs::recall` waits for the
/// writer's answer, which would never come where both take turns.
pub(crate) fn recall<'a>(
    engine: &mut Engine,
    message: &Message,
    rows: impl Iterator<Item = &'a Row>,
) {
    let mut wanted: Vec<(ChargeName, Option<Placed>)> = Vec::new();
    each_reading(message, |_, reading, _| {
        wanted.extend(name_of(reading).map(|name| (name, None)));
    });
    if wanted.is_empty() {
        engine.recall(Vec::new());
        return;
    }
    let usage: Vec<&Row> = rows.filter(|row| row.kind == Kind::Usage).collect();
    for (name, newest) in &mut wanted {
        for row in &usage {
            let (place, row) = ((row.seq, row.idx), row.entry());
            if !is_of(&row, name) {
                continue;
            }
            match newest.as_mut() {
                Some((known, charged)) if *known == place => charged.push(&row),
                _ => {
                    let mut charged = Charged::of(&row);
                    charged.push(&row);
                    *newest = Some((place, charged));
                }
            }
        }
    }
    let found = wanted.into_iter().filter_map(|(_, newest)| newest);
    engine.recall(found.map(|(_, charged)| charged).collect());
}

/// Handles a whole message, as the worker's feed does.
pub(crate) fn handle(engine: &mut Engine, seq: i64, message: &Message, sink: &mut impl Sink) {
    let place = engine::Message {
        source: STREAM,
        seq,
        arrival: Arrival::Broker {
            received_at: Timestamp::new(message.received_at),
            subject: Subject::parse(&message.subject),
        },
    };
    engine.begin(&place, sink).expect(IN_MEMORY);
    each_reading(message, |idx, reading, raw| {
        let decided = engine.event(&place, idx, (reading, raw), sink);
        decided.expect(IN_MEMORY);
    });
    engine.bad_commands.clear();
}

/// Folds a row of the ledger into an engine that comes back.
pub(crate) fn restore(engine: &mut Engine, row: &Entry<'_>, decoder: &mut Decoder) {
    let is_read = matches!(row.kind, Kind::Wallet | Kind::Grant | Kind::Reversal);
    let members = match row.data {
        Some(Payload::Data(data)) if is_read => decoder.members(data),
        _ => None,
    };
    let members = members.unwrap_or(Members::NONE);
    if let Err(fault) = engine.restore(row, &members) {
        panic!("the ledger can't be gone on with: {fault}: {row:?}");
    }
}

/// Puts the price versions of the folder in force.
pub(crate) fn set_book(engine: &mut Engine, book: &PriceBook) {
    if let Err(fault) = engine.set_book(book.clone()) {
        panic!("the price folder can't be used: {fault}");
    }
}

/// A charge, and the seq and idx of its event.
type Placed = ((i64, i32), Charged);

/// Whether a row tells of the event that is wanted.
fn is_of(row: &Entry<'_>, name: &ChargeName) -> bool {
    row.customer == Some(name.customer.as_str())
        && row.event_source == Some(name.source.as_str())
        && row.event_id == Some(name.id.as_str())
}

/// Reads each event of a message.
fn each_reading(message: &Message, mut handle: impl FnMut(i32, &Reading<'_>, &RawBody<'_>)) {
    let body = message.body.as_bytes();
    let mut readings = Readings::new(KEY);
    readings.add_message(body, ContentType::Unstated);
    for (event, idx) in (0..readings.count()).zip(0..) {
        let raw = readings.raw(event, body);
        handle(idx, &readings.get(event), &raw);
    }
}
