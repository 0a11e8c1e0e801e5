//! One receiver: what is done with each of its alerts.
//!
//! Owns making an attempt and acting on what was decided. Leaves deciding to `decide`, words to
//! `text`, and reading alerts to `adapters::jetstream`.
//!
//! Invariant: an alert is acknowledged only after the receiver has taken it, after the broker has
//! stored its dead letter, or because the filter does not pass it. Everything else leaves it to
//! come again.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use super::decide::{Attempt, Limits, Step, next_step, rest_after};
use super::rest::Rest;
use super::text::told;
use super::{DEAD_LETTERS, NotifyError, Receiver, Via};
use crate::adapters::jetstream::{AlertReader, Connection, DeadLetter, DeliveredAlert};
use crate::adapters::notify_file::Format;
use crate::adapters::webhook::{Answer, Notice, Poster};
use crate::domain::units::{MICROS_PER_SECOND, Timestamp};

/// What is needed to serve one receiver.
pub(super) struct Desk {
    pub(super) connection: Connection,
    pub(super) poster: Poster,
    pub(super) receiver: Receiver,
    pub(super) limits: Limits,
    pub(super) rest: Rest,
    pub(super) clock: fn() -> Timestamp,
    pub(super) print: fn(&str) -> io::Result<()>,
    /// When this process began.
    pub(super) started: Timestamp,
    pub(super) tally: Tally,
}

/// What became of a receiver's alerts since this process began.
#[derive(Default)]
pub(super) struct Tally {
    delivered: AtomicU64,
    pub(super) again: Wrong,
    pub(super) dead: Wrong,
}

/// Attempts that went wrong in one way.
#[derive(Default)]
pub(super) struct Wrong {
    count: AtomicU64,
    /// Why the last of them did.
    reason: Mutex<String>,
}

/// A tally at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) delivered: u64,
    pub(super) again: u64,
    pub(super) dead: u64,
}

impl Tally {
    pub(super) fn counts(&self) -> Counts {
        Counts {
            delivered: self.delivered.load(Ordering::Relaxed),
            again: self.again.count.load(Ordering::Relaxed),
            dead: self.dead.count.load(Ordering::Relaxed),
        }
    }
}

impl Wrong {
    pub(super) fn reason(&self) -> String {
        let reason = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        reason.clone()
    }

    fn add(&self, reason: String) {
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = reason;
        self.count.fetch_add(1, Ordering::Relaxed);
    }
}

impl Desk {
    /// Serves alerts until it is told to stop; the one at hand is finished.
    pub(super) async fn serve(
        &self,
        mut reader: AlertReader,
        mut stopped: watch::Receiver<bool>,
    ) -> Result<(), NotifyError> {
        loop {
            let next = async {
                self.rest.over().await;
                reader.next().await
            };
            let alert = tokio::select! {
                biased;
                // An error is the job gone, which is an end too.
                _ = stopped.changed() => return Ok(()),
                alert = next => alert?,
            };
            // The broker's filter does not hold for what it gives out again.
            if !self.receiver.filter.passes(&alert.customer, &alert.kind) {
                self.pass_over(&alert).await;
                continue;
            }
            match &self.receiver.via {
                Via::Stdout => self.print(&alert).await?,
                Via::Webhook { .. } => self.post(&alert).await,
            }
        }
    }

    /// Prints an alert as a line; one that can't be printed is not acknowledged.
    async fn print(&self, alert: &DeliveredAlert) -> Result<(), NotifyError> {
        let line = told(&alert.customer, &alert.kind, &alert.payload).line();
        let (print, (sender, printed)) = (self.print, oneshot::channel());
        // A thread of its own, since a full pipe blocks for as long as its reader likes.
        std::thread::spawn(move || {
            if sender.send(print(&line)).is_err() {
                tracing::debug!("an alert was printed while stopping, and will be again");
            }
        });
        let printed = printed
            .await
            .unwrap_or_else(|gone| Err(io::Error::other(gone)));
        printed.map_err(NotifyError::Print)?;
        self.delivered(alert).await;
        Ok(())
    }

    /// Makes one attempt to post an alert.
    async fn post(&self, alert: &DeliveredAlert) {
        let Via::Webhook { target, format } = &self.receiver.via else {
            return;
        };
        let notice = Notice {
            id: alert.id.clone(),
            seconds: (self.clock)().get().div_euclid(MICROS_PER_SECOND),
            body: body(alert, *format),
        };
        let answer = self.poster.post(target, &notice).await;
        if let Some(wait) = rest_after(&answer, &self.limits.terms) {
            self.rest.prolong(wait);
        }
        let now = (self.clock)();
        let attempt = Attempt {
            number: alert.attempt,
            age: age(now, alert.stored_at.max(self.started)),
            stored_ago: age(now, alert.stored_at),
        };
        match next_step(&answer, attempt, &self.limits) {
            Step::Delivered => self.delivered(alert).await,
            Step::Again {
                at_least,
                at_most,
                reason,
            } => {
                let pause = drawn(at_least, at_most, Uuid::new_v4().as_u128());
                self.again(alert, pause, reason).await;
            }
            Step::Dead { reason } => self.dead(alert, &answer, reason).await,
        }
    }

    async fn delivered(&self, alert: &DeliveredAlert) {
        let (receiver, id) = (self.receiver.name.as_str(), alert.id.as_str());
        self.tally.delivered.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(receiver, id, attempt = alert.attempt, "alert delivered");
        if let Err(fault) = alert.done().await {
            let fault = fault_text(&fault);
            tracing::debug!(receiver, id, fault, "alert may be delivered again");
        }
    }

    /// Lets go of an alert that was given out before the filter was narrowed.
    async fn pass_over(&self, alert: &DeliveredAlert) {
        let (receiver, id) = (self.receiver.name.as_str(), alert.id.as_str());
        tracing::debug!(receiver, id, "alert passed over by the filter");
        if let Err(fault) = alert.done().await {
            let fault = fault_text(&fault);
            tracing::debug!(receiver, id, fault, "alert may be passed over again");
        }
    }

    async fn again(&self, alert: &DeliveredAlert, pause: Duration, reason: String) {
        let (receiver, id) = (self.receiver.name.as_str(), alert.id.as_str());
        let attempt = alert.attempt;
        tracing::debug!(receiver, id, attempt, reason, ?pause, "alert not taken");
        self.tally.again.add(reason);
        if let Err(fault) = alert.again_after(pause).await {
            let fault = fault_text(&fault);
            tracing::debug!(receiver, id, fault, "the broker chooses when to try again");
        }
    }

    /// Keeps an alert as a dead letter; if that can't be done now, it is tried again.
    async fn dead(&self, alert: &DeliveredAlert, answer: &Answer, reason: String) {
        let (receiver, id) = (self.receiver.name.as_str(), alert.id.as_str());
        let status = match answer {
            Answer::Status { code, .. } => Some(*code),
            Answer::Silence(_) | Answer::Unsendable(_) => None,
        };
        let letter = DeadLetter {
            receiver,
            reason: &reason,
            status,
            alert,
        };
        if let Err(fault) = self.connection.bury(DEAD_LETTERS, &letter).await {
            let fault = fault_text(&fault);
            tracing::debug!(receiver, id, fault, "dead letter not stored");
            let reason = format!("the dead letter could not be stored; {reason}");
            let pause = self.limits.terms.longest_pause;
            self.again(alert, pause, reason).await;
            return;
        }
        tracing::debug!(receiver, id, reason, "alert is a dead letter");
        self.tally.dead.add(reason);
        if let Err(fault) = alert.done().await {
            let fault = fault_text(&fault);
            tracing::debug!(receiver, id, fault, "dead alert may come again");
        }
    }
}

/// A fault and its causes on one line.
fn fault_text(fault: &dyn std::error::Error) -> String {
    let mut text = fault.to_string();
    let mut cause = fault.source();
    while let Some(fault) = cause {
        text = format!("{text}: {fault}");
        cause = fault.source();
    }
    text
}

fn body(alert: &DeliveredAlert, format: Format) -> Bytes {
    match format {
        Format::Standard => alert.payload.clone(),
        Format::Slack => told(&alert.customer, &alert.kind, &alert.payload)
            .slack()
            .into(),
    }
}

/// The time from `since` to `now`, zero when the broker's clock is ahead of ours.
fn age(now: Timestamp, since: Timestamp) -> Duration {
    let micros = now.get().saturating_sub(since.get());
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// A pause within `[at_least, at_most]`, evenly drawn by `chance`.
fn drawn(at_least: Duration, at_most: Duration, chance: u128) -> Duration {
    let span = at_most.saturating_sub(at_least).as_nanos();
    // The low 32 bits of a random UUID are all random.
    let share = span * (chance & u128::from(u32::MAX)) / u128::from(u32::MAX);
    at_least + Duration::from_nanos(u64::try_from(share).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_drawn_within_its_bounds() {
        let second = Duration::from_secs(1);
        let half = u128::from(u32::MAX / 2);
        for (at_least, at_most, chance, wanted) in [
            (0, 8, 0, 0..=0),
            (0, 8, u128::MAX, 8_000..=8_000),
            (0, 8, half, 3_999..=4_001),
            (7, 9, half, 7_999..=8_001),
            (5, 5, u128::MAX, 5_000..=5_000),
            (5, 4, u128::MAX, 5_000..=5_000),
        ] {
            let pause = drawn(second * at_least, second * at_most, chance);
            assert!(
                wanted.contains(&pause.as_millis()),
                "{pause:?} of {wanted:?}"
            );
        }
    }

    #[test]
    fn an_age_is_never_negative() {
        for (now, since, wanted) in [(5, 3, 2), (3, 3, 0), (3, 5, 0), (i64::MIN, 0, 0)] {
            let age = age(Timestamp::new(now), Timestamp::new(since));
            assert_eq!(age, Duration::from_micros(wanted), "{now} {since}");
        }
    }
}
