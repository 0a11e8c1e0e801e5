//! The engine's thread of a worker: messages → rows and alerts.
//!
//! Owns sending alerts at once, and when a batch is cut. Leaves taking messages apart to `batch`
//! and decisions to `domain::engine`.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::asked::Asked;
use super::batch::Batch;
use super::ticks::Pulse;
use super::{Ran, RunError};
use crate::adapters::cloudevents::Readings;
use crate::adapters::jetstream::{self, AlertSender, Message, worth_sending};
use crate::adapters::ledger::ChargeName;
use crate::domain::engine::{self, Arrival, Engine, Subject, TOUCHED, WALL_CLOCK_SLACK};
use crate::domain::price::PriceBook;
use crate::domain::units::Timestamp;
use crate::jobs::alert_event::cloud_event;
use crate::jobs::batches::{Batches, WriterGone};
use crate::jobs::checkpoints::Checkpoints;
use crate::jobs::last_message::LastMessage;
use crate::jobs::prices::PricesError;
use crate::jobs::recall::{name_of, tell};
use crate::jobs::shard::{ShardError, begin_to_keep_filter, keep_filter};
use crate::jobs::writer::{Writer, WriterError, WriterThread};

/// How often the worker tells of its progress.
const ROUND: Duration = Duration::from_secs(10);

/// A version is published at least 15 minutes before it takes effect: a look that is younger than
/// this has seen all that messages at hand can fall under.
const LOOK_AGE_MAX: Duration = Duration::from_secs(600);

/// What the engine's thread is handed.
pub(super) enum Work {
    Messages(Box<Batch>),
    /// Somebody asks for a wallet.
    Wake,
}

/// A look at the price folder.
pub(super) struct Look {
    pub(super) at: Instant,
    /// The versions, when they are others than before.
    pub(super) book: Option<PriceBook>,
}

/// What the thread works with.
pub(super) struct Feed {
    pub(super) source: String,
    /// Looks at the price folder.
    pub(super) looks: std::sync::mpsc::Receiver<Result<Look, PricesError>>,
    /// When the newest one was.
    pub(super) looked: Instant,
    pub(super) engine: Engine,
    /// The duplicate filter knows identities for so long, in microseconds.
    pub(super) longest_window: i64,
    pub(super) commit_interval: Duration,
    pub(super) clock: fn() -> Timestamp,
    pub(super) alerts: AlertGate,
    pub(super) checkpoints: Checkpoints,
    pub(super) asked: Asked,
    pub(super) pulse: Arc<Pulse>,
    /// The last message that was handled.
    pub(super) seq: i64,
    /// The way back for memory of readings.
    pub(super) spent: Sender<Readings>,
}

/// Sends alerts, but for those that are too old to be sent once only.
pub(super) struct AlertGate {
    pub(super) sender: AlertSender,
    /// How long the alert stream keeps an alert.
    pub(super) age_max: Option<Duration>,
}

impl Feed {
    /// Works until no more messages come, then commits the rest.
    pub(super) fn run(
        mut self,
        writer: Writer,
        messages: mpsc::Receiver<Work>,
    ) -> Result<Ran, RunError> {
        let first_entry = self.engine.last_entry();
        let (work, writer) = writer.start();
        let mut batches = Batches::new(first_entry, self.commit_interval, work);
        let fed = self.feed(messages, &mut batches, &writer);
        if fed.is_ok() {
            batches.seal();
        }
        let is_going_on = fed.is_ok() && batches.after_message().is_ok();
        drop(batches);
        if is_going_on {
            begin_to_keep_filter(&mut self.engine);
            self.checkpoints.take_rest(&self.engine);
        }
        // The writer's error comes first: it is why the engine could not go on.
        writer.join()?;
        let messages = fed?;
        let entries = self.engine.last_entry() - first_entry;
        self.checkpoints.finish(|| keep_filter(self.engine));
        Ok(Ran { messages, entries })
    }

    fn feed(
        &mut self,
        mut messages: mpsc::Receiver<Work>,
        batches: &mut Batches,
        writer: &WriterThread,
    ) -> Result<u64, RunError> {
        let mut handled = 0;
        let mut round = Instant::now();
        while let Some(work) = messages.blocking_recv() {
            let batch = match work {
                Work::Messages(batch) => batch,
                Work::Wake => {
                    self.asked.answer(&self.engine, (&self.source, self.seq));
                    continue;
                }
            };
            // Before the messages, which may fall under a version that was published while this
            // process slept.
            self.look_for_prices()?;
            look_ahead(&batch, batches);
            let limit = (self.clock)().plus(WALL_CLOCK_SLACK);
            for (message, place) in batch.messages.iter().zip(0..) {
                if message.received_at > limit {
                    let (stream, seq) = (self.source.clone(), message.seq);
                    return Err(RunError::AheadOfClock { stream, seq });
                }
                self.message(&batch, place, batches)?;
                self.asked.answer(&self.engine, (&self.source, self.seq));
            }
            // Also without messages: a request may have come while the engine was at work.
            self.asked.answer(&self.engine, (&self.source, self.seq));
            self.pulse.set(&self.engine, self.seq.unsigned_abs());
            handled += batch.messages.len() as u64;
            // The thread that would use it again may have ended.
            self.spent.send(batch.readings).ok();
            // Also without messages, so that a worker that was fenced does not look alive.
            if writer.has_ended() {
                return Err(RunError::Panicked);
            }
            if batches.due().is_some_and(|due| due <= Instant::now()) {
                batches.seal();
            }
            self.checkpoints.tend(&self.engine);
            if round.elapsed() >= ROUND {
                round = Instant::now();
                tracing::info!(
                    messages = handled,
                    entries = self.engine.last_entry(),
                    "working"
                );
            }
        }
        Ok(handled)
    }

    /// Takes over what was found in the price folder; waits for a look if the newest one is so old
    /// that a version may have taken effect since.
    fn look_for_prices(&mut self) -> Result<(), RunError> {
        loop {
            let look = match self.looks.try_recv() {
                Ok(look) => look?,
                Err(_) if self.looked.elapsed() < LOOK_AGE_MAX => return Ok(()),
                Err(_) => self.looks.recv().map_err(|_| RunError::Panicked)??,
            };
            self.looked = look.at;
            if let Some(book) = look.book {
                self.take_over(book)?;
            }
        }
    }

    fn take_over(&mut self, book: PriceBook) -> Result<(), RunError> {
        if book.longest_window() > self.longest_window {
            return Err(RunError::LongerWindow);
        }
        Ok(self.engine.set_book(book)?)
    }

    fn message(
        &mut self,
        batch: &Batch,
        place: usize,
        batches: &mut Batches,
    ) -> Result<(), RunError> {
        let message = &batch.messages[place];
        let seq = message.seq.cast_signed();
        let subject = Subject::parse(message.subject.as_str());
        if let Subject::Wallet(_) = subject {
            let names: Vec<_> = names(batch, place).collect();
            tell::<RunError>(&names, &mut self.engine, batches)?;
        }
        let arrival = Arrival::Broker {
            received_at: message.received_at,
            subject,
        };
        let handed = engine::Message {
            source: &self.source,
            seq,
            arrival,
        };
        self.engine.begin(&handed, batches)?;
        let readings = &batch.readings;
        for (event, idx) in batch.events(place).zip(0..) {
            if event % TOUCHED == 0 {
                self.engine.touch(readings.who(event, TOUCHED));
            }
            let reading = readings.get(event);
            let raw = readings.raw(event, &message.payload);
            self.engine.event(&handed, idx, (&reading, &raw), batches)?;
        }
        self.seq = seq;
        for alert in self.engine.alerts.drain(..) {
            self.alerts.send(&alert, (self.clock)())?;
        }
        crate::jobs::log_bad_commands(&mut self.engine, &self.source);
        // The writer's own error says why it has gone; this one is not seen.
        batches
            .after_message()
            .map_err(|WriterGone| RunError::Panicked)
    }
}

/// Notes which charges the messages take back, so that all are looked up at once.
fn look_ahead(batch: &Batch, batches: &mut Batches) {
    let mut wanted = Vec::new();
    if !batch.readings.reversals().is_empty() {
        for (message, place) in batch.messages.iter().zip(0..) {
            if let Subject::Wallet(_) = Subject::parse(message.subject.as_str()) {
                wanted.extend(names(batch, place));
            }
        }
    }
    batches.recall.begin(wanted);
}

/// The charges that a message takes back.
fn names(batch: &Batch, message: usize) -> impl Iterator<Item = ChargeName> {
    let events = batch.events(message);
    events.filter_map(|event| name_of(&batch.readings.get(event)))
}

impl AlertGate {
    fn send(&self, alert: &crate::domain::alert::Alert, now: Timestamp) -> Result<(), RunError> {
        if !worth_sending(alert.at, now, self.age_max) {
            return Ok(());
        }
        let outgoing = jetstream::Alert {
            customer: alert.customer.clone(),
            kind: alert.kind.name().to_owned(),
            id: alert.id.clone(),
            payload: cloud_event(alert).into(),
        };
        let sent = self.sender.send_blocking(outgoing);
        sent.map_err(|closed| WriterError::Alerts(closed).into())
    }
}

/// Compares a message with what the ledger tells of it.
pub(super) fn check_message(
    source: &str,
    message: Message,
    known: &LastMessage,
) -> Result<(), ShardError> {
    // No identity is asked for, so that any key will do.
    let batch = Batch::read(&mut [message].into_iter(), Readings::new([0; 4]));
    let readings = &batch.readings;
    for (event, idx) in batch.events(0).zip(0..) {
        let raw = readings.raw(event, &batch.messages[0].payload);
        known.check(source, (idx, &readings.get(event), raw))?;
    }
    Ok(())
}
