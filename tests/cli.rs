//! The program as people and scripts meet it: files in, exit codes, words and a ledger out.
//!
//! Owns what only the whole program shows. Leaves single rules to the tests beside the code, and
//! every row's content to `model.rs`.

#[path = "cli/answers.rs"]
mod answers;
#[path = "cli/broken.rs"]
mod broken;
#[path = "cli/broken_lines.rs"]
mod broken_lines;
#[path = "cli/burn_down.rs"]
mod burn_down;
#[path = "cli/checkpoints.rs"]
mod checkpoints;
#[path = "support/dice.rs"]
mod dice;
#[path = "cli/explain.rs"]
mod explain;
#[path = "cli/invoices.rs"]
mod invoices;
#[path = "cli/killed.rs"]
mod killed;
#[path = "cli/maintained.rs"]
mod maintained;
#[path = "cli/memory.rs"]
mod memory;
#[path = "cli/numbers.rs"]
mod numbers;
#[path = "cli/prices.rs"]
mod prices;
#[path = "cli/prompt.rs"]
mod prompt;
#[path = "support/purser.rs"]
mod purser;
#[path = "cli/refusals.rs"]
mod refusals;
#[path = "cli/replayed.rs"]
mod replayed;
#[path = "cli/report.rs"]
mod report;
#[path = "cli/reversals.rs"]
mod reversals;
#[path = "cli/signals.rs"]
mod signals;
#[allow(dead_code, reason = "a part of it is used here")]
#[path = "support/story.rs"]
mod story;
#[path = "cli/tampering.rs"]
mod tampering;
#[path = "cli/until.rs"]
mod until;
#[path = "cli/verify.rs"]
mod verify;
