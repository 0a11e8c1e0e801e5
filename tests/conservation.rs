//! Credits are conserved: whatever commands and events come, in whatever order.
//!
//! Owns books that are kept from the engine's rows alone. `CONSERVATION_EVENTS=10000000 cargo test
//! --test conservation -- --nocapture` plays so many; a seed that fails is printed, and
//! `CONSERVATION_SEED=…` plays it again.
#![allow(clippy::print_stderr, reason = "a failing test must tell its seed")]

#[path = "conservation/books.rs"]
mod books;
#[path = "support/dice.rs"]
mod dice;
#[path = "conservation/input.rs"]
mod input;

use purser::adapters::cloudevents::Decoder;
use purser::domain::command::Reversed;
use purser::domain::customer::Shard;
use purser::domain::duplicates::DuplicateFilter;
use purser::domain::engine::{Arrival, Engine, Message, Subject};
use purser::domain::entry::RawBody;
use purser::domain::event::Reading;
use purser::domain::units::Timestamp;

use books::Books;
use input::Input;

/// Events of an ordinary run.
const EVENTS: u64 = 100_000;
/// The wallets are held against the books every so many events.
const STRIDE: u64 = 20_000;

#[test]
fn credits_are_conserved_to_the_microcredit() {
    let given = std::env::var("CONSERVATION_EVENTS").ok();
    let events = given.map_or(EVENTS, |text| text.parse().expect("a number"));
    let mut input = Input::new(dice::seed("CONSERVATION_SEED"));
    let filter = DuplicateFilter::unbounded([1, 2, 3, 4]);
    let mut engine = Engine::new(Shard::WHOLE, input::prices(), filter);
    let mut books = Books::default();
    let mut decoder = Decoder::default();
    for seq in 1..=events.cast_signed() {
        let sent = input.next(&books);
        let message = Message {
            source: "S",
            seq,
            arrival: Arrival::Broker {
                received_at: Timestamp::new(sent.received_at),
                subject: Subject::parse(&sent.subject),
            },
        };
        let reading = match sent.body.is_empty() {
            true => Reading::Empty,
            false => decoder.read(sent.body.as_bytes()),
        };
        if let Reading::Event(event) = &reading
            && let Some(reversed) = Reversed::of(event)
        {
            let found = books.charge(event.subject, reversed);
            engine.recall(found.into_iter().collect());
        }
        engine.begin(&message, &mut books).expect("in memory");
        let raw = RawBody::whole(sent.body.as_bytes());
        let decided = engine.event(&message, 0, (&reading, &raw), &mut books);
        decided.expect("in memory");
        engine.alerts.clear();
        engine.bad_commands.clear();
        if seq.unsigned_abs() % STRIDE == 0 {
            books.compare(engine.wallets());
        }
    }
    books.compare(engine.wallets());
    eprintln!("{events} commands and events: {books}");
    books.assert_all_met();
}
