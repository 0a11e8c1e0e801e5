//! How a worker comes back from the store alone.
//!
//! Owns each way that there is; a story takes one of them. A new way (checkpoints, a filter with
//! files) is one more line in `ALL`, and must lead to the same ledger.

use purser::adapters::cloudevents::Decoder;
use purser::domain::engine::Engine;
use purser::domain::price::PriceBook;

use crate::engine;
use crate::store::Store;

pub(crate) struct Recovery {
    /// The engine that the ledger at a version leads to.
    pub(crate) recover: fn(&Store, u64, &PriceBook) -> Engine,
    /// What a worker leaves in the store between two messages, to come back sooner. Its engine may
    /// be ahead of what is committed.
    pub(crate) checkpoint: Option<fn(&Engine, &mut Store)>,
}

pub(crate) const ALL: &[Recovery] = &[Recovery {
    recover: fold_of_all_rows,
    checkpoint: None,
}];

fn fold_of_all_rows(store: &Store, version: u64, book: &PriceBook) -> Engine {
    let mut engine = engine::new(book);
    let mut decoder = Decoder::default();
    for row in store.rows(version) {
        engine::restore(&mut engine, &row.entry(), &mut decoder);
    }
    engine::set_book(&mut engine, book);
    engine
}
