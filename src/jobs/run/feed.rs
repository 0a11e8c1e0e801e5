//! The engine's thread of a worker: messages → rows and alerts.
//!
//! Owns taking messages apart, sending alerts at once, and when a batch is cut. Leaves decisions
//! to `domain::engine`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::asked::Asked;
use super::ticks::Pulse;
use super::{Ran, RunError};
use crate::adapters::cloudevents::{ContentType, Decoder, Piece, each_event};
use crate::adapters::jetstream::{self, AlertSender, Message, worth_sending};
use crate::adapters::ledger::{ChargeName, Columns};
use crate::domain::engine::{self, Arrival, Engine, Subject, WALL_CLOCK_SLACK};
use crate::domain::entry::RawBody;
use crate::domain::event::Reading;
use crate::domain::price::PriceBook;
use crate::domain::units::Timestamp;
use crate::jobs::alert_event::cloud_event;
use crate::jobs::batches::{Batches, WriterGone};
use crate::jobs::checkpoints::Checkpoints;
use crate::jobs::last_message::LastMessage;
use crate::jobs::prices::PricesError;
use crate::jobs::recall::{name_of, tell};
use crate::jobs::shard::{ShardError, keep_filter};
use crate::jobs::writer::{Writer, WriterError, WriterThread};

/// How often the worker tells of its progress.
const ROUND: Duration = Duration::from_secs(10);

/// A version is published at least 15 minutes before it takes effect: a look that is younger than
/// this has seen all that messages at hand can fall under.
const LOOK_AGE_MAX: Duration = Duration::from_secs(600);

/// What the engine's thread is handed.
pub(super) enum Work {
    Messages(Vec<Message>),
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
        let shard = writer.shard;
        let first_entry = self.engine.last_entry();
        let (work, writer) = writer.start();
        let mut batches =
            Batches::new(Columns::new(shard), first_entry, self.commit_interval, work);
        let fed = self.feed(messages, &mut batches, &writer);
        if fed.is_ok() {
            batches.seal();
        }
        drop(batches);
        // The writer's error comes first: it is why the engine could not go on.
        writer.join()?;
        let messages = fed?;
        let entries = self.engine.last_entry() - first_entry;
        self.checkpoints.finish(&self.engine);
        keep_filter(self.engine);
        Ok(Ran { messages, entries })
    }

    fn feed(
        &mut self,
        mut messages: mpsc::Receiver<Work>,
        batches: &mut Batches,
        writer: &WriterThread,
    ) -> Result<u64, RunError> {
        let mut decoder = Decoder::default();
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
            look_ahead(&batch, &mut decoder, batches);
            let limit = (self.clock)().plus(WALL_CLOCK_SLACK);
            for message in &batch {
                if message.received_at > limit {
                    let (stream, seq) = (self.source.clone(), message.seq);
                    return Err(RunError::AheadOfClock { stream, seq });
                }
                self.message(message, &mut decoder, batches)?;
                self.asked.answer(&self.engine, (&self.source, self.seq));
            }
            // Also without messages: a request may have come while the engine was at work.
            self.asked.answer(&self.engine, (&self.source, self.seq));
            self.pulse.set(&self.engine, self.seq.unsigned_abs());
            handled += batch.len() as u64;
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
        message: &Message,
        decoder: &mut Decoder,
        batches: &mut Batches,
    ) -> Result<(), RunError> {
        let seq = message.seq.cast_signed();
        let subject = Subject::parse(message.subject.as_str());
        if let Subject::Wallet(_) = subject {
            let names = names(message, decoder);
            tell::<_, RunError>(&names, &mut self.engine, batches)?;
        }
        let arrival = Arrival::Broker {
            received_at: message.received_at,
            subject,
        };
        let place = engine::Message {
            source: &self.source,
            seq,
            arrival,
        };
        self.engine.begin(&place, batches)?;
        let mut decided = Ok(());
        each_reading(message, decoder, |idx, reading, raw| {
            if decided.is_ok() {
                decided = self.engine.event(&place, idx, (reading, raw), batches);
            }
        });
        decided?;
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
fn look_ahead(messages: &[Message], decoder: &mut Decoder, batches: &mut Batches) {
    let is_command = |message: &&Message| {
        let subject = Subject::parse(message.subject.as_str());
        matches!(subject, Subject::Wallet(_))
    };
    let commands = messages.iter().filter(is_command);
    let wanted = commands
        .flat_map(|message| names(message, decoder))
        .collect();
    batches.recall.begin(wanted);
}

/// The charges that a message takes back.
fn names(message: &Message, decoder: &mut Decoder) -> Vec<ChargeName> {
    let mut names = Vec::new();
    each_reading(message, decoder, |_, reading, _| {
        names.extend(name_of(reading))
    });
    names
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
    message: &Message,
    known: &LastMessage,
) -> Result<(), ShardError> {
    let mut outcome = Ok(());
    each_reading(message, &mut Decoder::default(), |idx, reading, raw| {
        if outcome.is_ok() {
            outcome = known.check(source, (idx, reading, raw));
        }
    });
    outcome
}

/// Reads each event of a message.
fn each_reading(
    message: &Message,
    decoder: &mut Decoder,
    mut handle: impl FnMut(i32, &Reading<'_>, RawBody<'_>),
) {
    let content = ContentType::from_header(message.content_type.as_deref());
    let mut idx = 0;
    each_event(&message.payload, content, |piece| {
        match piece {
            Piece::Event(bytes) => {
                let reading = decoder.read(bytes);
                handle(idx, &reading, RawBody::of(&reading, bytes));
            }
            Piece::Nothing(bytes) => handle(idx, &Reading::Empty, RawBody::whole(bytes)),
            Piece::Broken(bytes) => handle(idx, &Reading::Malformed, RawBody::whole(bytes)),
        }
        idx += 1;
    });
}
