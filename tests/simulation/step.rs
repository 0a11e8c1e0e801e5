//! The steps of a worker: where it can be stopped, crash, or be overtaken.
//!
//! Owns what a task is just about to do, and giving the turn back before it does. Leaves whose
//! turn comes next to `scheduler`.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Start,
    // The engine's side.
    Attach,
    ReadRows,
    Restored,
    AwaitMessage,
    TakeMessage,
    Checkpoint,
    CutBatch,
    // The writer's side.
    AwaitWork,
    CreateFile,
    FinishFile,
    FileWritten,
    AwaitAlerts,
    ReadCheckpoint,
    ReadEntry,
    LoadLog,
    PutEntry,
    EntryPut,
    Rest,
    Committed,
    // The alerts' side.
    AwaitAlert,
    SendAlert,
    AlertStored,
}

/// All of them but `Checkpoint`, which not every way of recovery takes.
pub(crate) const ALWAYS: [Step; 22] = [
    Step::Start,
    Step::Attach,
    Step::ReadRows,
    Step::Restored,
    Step::AwaitMessage,
    Step::TakeMessage,
    Step::CutBatch,
    Step::AwaitWork,
    Step::CreateFile,
    Step::FinishFile,
    Step::FileWritten,
    Step::AwaitAlerts,
    Step::ReadCheckpoint,
    Step::ReadEntry,
    Step::LoadLog,
    Step::PutEntry,
    Step::EntryPut,
    Step::Rest,
    Step::Committed,
    Step::AwaitAlert,
    Step::SendAlert,
    Step::AlertStored,
];

/// One task of a worker, as the scheduler sees it.
pub(crate) struct Hand {
    pub(crate) step: Cell<Step>,
}

impl Hand {
    pub(crate) fn new() -> Self {
        Self {
            step: Cell::new(Step::Start),
        }
    }

    /// Gives the turn back; what comes after `step` happens in a later turn, or never.
    pub(crate) async fn before(&self, step: Step) {
        self.step.set(step);
        Turn { given: false }.await;
    }
}

struct Turn {
    given: bool,
}

impl Future for Turn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.given {
            return Poll::Ready(());
        }
        self.given = true;
        Poll::Pending
    }
}
