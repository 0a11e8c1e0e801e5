//! CloudEvents 1.0 in JSON: bytes → events.
//!
//! Owns how a message is cut into events (`message`), how one event is read (`decode`) on a
//! scanner of its own (`scan`, `escape`), and reading many ahead (`readings`). Leaves every verdict
//! but `empty` and `malformed` to `domain::engine`.

mod decode;
mod escape;
mod message;
mod readings;
mod scan;

pub use decode::Decoder;
pub use message::{ContentType, Piece, each_event, lines};
pub use readings::Readings;
