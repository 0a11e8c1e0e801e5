//! The clean run: one engine, all messages, no fault.
//!
//! Owns what every ledger of the story must come to, row for row, and its alerts.

use std::collections::HashMap;

use purser::domain::alert::Alert;
use purser::domain::entry::Kind;
use purser::domain::price::PriceBook;

use crate::engine;
use crate::rows::{OwnedRows, Place, Row};
use crate::story::Story;

pub(crate) struct Clean {
    pub(crate) rows: Vec<Row>,
    /// By the place of their rows.
    pub(crate) alerts: HashMap<Place, Alert>,
}

impl Clean {
    pub(crate) fn run(story: &Story, book: &PriceBook) -> Self {
        let mut engine = engine::new(book);
        let mut rows = OwnedRows::default();
        for (message, seq) in story.messages.iter().zip(1..) {
            engine::recall(&mut engine, message, rows.0.iter());
            engine::handle(&mut engine, seq, message, &mut rows);
        }
        let alerts = std::mem::take(&mut engine.alerts);
        let is_alert = |row: &&Row| row.kind == Kind::Alert;
        let places = rows.0.iter().filter(is_alert).map(Row::place);
        Self {
            alerts: places.zip(alerts).collect(),
            rows: rows.0,
        }
    }
}
