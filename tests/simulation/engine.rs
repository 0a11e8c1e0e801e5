//! The engine under test.
//!
//! Owns all uses of the engine's own interface. Leaves batches and recovery to their own files.

use purser::adapters::cloudevents::{ContentType, Decoder, Piece, each_event};
use purser::domain::duplicates::DuplicateFilter;
use purser::domain::engine::{self, Arrival, Engine, Subject};
use purser::domain::entry::{Entry, Kind, Payload, RawBody, Sink};
use purser::domain::event::{Members, Reading};
use purser::domain::price::PriceBook;
use purser::domain::units::Timestamp;

use crate::story::{Message, SHARD, STREAM};

const IN_MEMORY: &str = "a filter in memory does not fail";

pub(crate) fn new(book: &PriceBook) -> Engine {
    Engine::new(
        SHARD,
        book.clone(),
        DuplicateFilter::unbounded([1, 2, 3, 4]),
    )
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
    let mut decoder = Decoder::default();
    let mut idx = 0;
    each_event(message.body.as_bytes(), ContentType::Unstated, |piece| {
        let (reading, raw) = match piece {
            Piece::Event(bytes) => {
                let reading = decoder.read(bytes);
                (reading, RawBody::of(&reading, bytes))
            }
            Piece::Nothing(bytes) => (Reading::Empty, RawBody::whole(bytes)),
            Piece::Broken(bytes) => (Reading::Malformed, RawBody::whole(bytes)),
        };
        let decided = engine.event(&place, idx, (&reading, raw), sink);
        decided.expect(IN_MEMORY);
        idx += 1;
    });
    engine.bad_commands.clear();
}

/// Folds a row of the ledger into an engine that comes back.
pub(crate) fn restore(engine: &mut Engine, row: &Entry<'_>, decoder: &mut Decoder) {
    let members = match row.data {
        Some(Payload::Data(data)) if matches!(row.kind, Kind::Wallet | Kind::Grant) => {
            decoder.members(data).unwrap_or(Members::NONE)
        }
        _ => Members::NONE,
    };
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
