//! What is to become of an alert after an attempt to deliver it.
//!
//! Owns which answers are final, how long to wait after the others, and when an alert is given up.
//! Leaves drawing a pause from its bounds, and acting, to `desk`.
//!
//! Invariant: pure; an alert that was not taken either comes again or is dead with a reason.

use std::time::Duration;

use crate::adapters::webhook::Answer;

/// Answers that the same request would get at any time: what is sent is at fault, or the receiver
/// is gone for good (410). Not 401, 403, 404 and 407: a receiver, or a gateway before it, that is
/// being set up or moved says so too, and somebody may mend it while the alert is tried again.
const FINAL: [u16; 7] = [400, 405, 410, 413, 414, 415, 422];

/// Age alone ends no alert that was tried less often: it also grows while nobody tries.
const ATTEMPTS_MIN: u32 = 8;

/// How long is tried, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The longest pause after the first attempt; it doubles with each …
    pub first_pause: Duration,
    /// … up to this.
    pub longest_pause: Duration,
    /// An alert this old is given up, once it was tried often enough.
    pub give_up_after: Duration,
}

/// When an alert is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) terms: Terms,
    /// The age at which the stream drops an alert; `None` for never.
    pub(super) age_max: Option<Duration>,
    /// How long an attempt may take.
    pub(super) ack_wait: Duration,
}

/// Which attempt was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    /// From 1.
    pub(super) number: u32,
    /// Since the alert was stored, or since this process began if that was later.
    pub(super) age: Duration,
    /// Since the alert was stored.
    pub(super) stored_ago: Duration,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Delivered,
    /// Try again after a pause within `[at_least, at_most]`.
    Again {
        at_least: Duration,
        at_most: Duration,
        reason: String,
    },
    Dead {
        reason: String,
    },
}

impl Terms {
    /// Whether alerts are given up before a stream with this age limit drops them.
    pub(super) fn fit(&self, age_max: Duration) -> bool {
        let pauses = self.longest_pause.saturating_mul(2);
        age_max > self.give_up_after.saturating_add(pauses)
    }
}

impl Limits {
    /// Whether the stream may drop an alert before one more attempt has ended. That attempt begins
    /// after two of the longest pauses at most: one that the receiver asked for, and ours.
    fn press(&self, stored_ago: Duration) -> bool {
        let pauses = self.terms.longest_pause.saturating_mul(2);
        let needed = pauses.saturating_add(self.ack_wait);
        self.age_max
            .is_some_and(|age_max| stored_ago >= age_max.saturating_sub(needed))
    }
}

/// Decides by the answer.
///
/// 2xx is success, [`FINAL`] the end. Everything else, redirects too, may be a receiver in trouble
/// and is tried again, until the alert is too old and was tried often enough, or the stream is
/// about to drop it. Pauses are drawn from the upper half, so that receivers that were down
/// together are not all asked together; a wait that the receiver asks for comes before, up to the
/// longest pause.
pub(super) fn next_step(answer: &Answer, attempt: Attempt, limits: &Limits) -> Step {
    let (reason, wait) = match answer {
        Answer::Status { code, .. } if (200..300).contains(code) => return Step::Delivered,
        Answer::Status {
            code,
            retry_after,
            excerpt,
        } => {
            let reason = if excerpt.is_empty() {
                format!("answered {code}")
            } else {
                format!("answered {code}: {excerpt}")
            };
            if FINAL.contains(code) {
                return Step::Dead { reason };
            }
            (reason, retry_after.unwrap_or_default())
        }
        Answer::Silence(why) => (why.clone(), Duration::ZERO),
        Answer::Unsendable(why) => {
            let reason = format!("can't be sent: {why}");
            return Step::Dead { reason };
        }
    };
    let terms = &limits.terms;
    let Attempt {
        number,
        age,
        stored_ago,
    } = attempt;
    if limits.press(stored_ago) {
        let seconds = stored_ago.as_secs();
        let reason = format!(
            "given up after {seconds} s and attempt {number}, before the stream drops it: {reason}"
        );
        return Step::Dead { reason };
    }
    if number >= ATTEMPTS_MIN && age >= terms.give_up_after {
        let seconds = age.as_secs();
        let reason = format!("given up after {seconds} s and attempt {number}: {reason}");
        return Step::Dead { reason };
    }
    let wait = wait.min(terms.longest_pause);
    let pause = pause_after(number, terms);
    Step::Again {
        at_least: wait + pause / 2,
        at_most: wait + pause,
        reason,
    }
}

/// How long the receiver wants no alert at all, up to the longest pause. Of what may ask for a
/// wait, these two are about the receiver and not about the one alert.
pub(super) fn rest_after(answer: &Answer, terms: &Terms) -> Option<Duration> {
    match answer {
        Answer::Status {
            code: 429 | 503,
            retry_after: Some(wait),
            ..
        } => Some((*wait).min(terms.longest_pause)),
        Answer::Status { .. } | Answer::Silence(_) | Answer::Unsendable(_) => None,
    }
}

/// The longest pause after the attempt of this number.
fn pause_after(number: u32, terms: &Terms) -> Duration {
    let doubled = 2_u32.saturating_pow(number.saturating_sub(1));
    let pause = terms.first_pause.saturating_mul(doubled);
    pause.min(terms.longest_pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms {
        first_pause: Duration::from_secs(1),
        longest_pause: Duration::from_secs(600),
        give_up_after: Duration::from_secs(86_400),
    };
    const LIMITS: Limits = Limits {
        terms: TERMS,
        age_max: Some(Duration::from_secs(30 * 86_400)),
        ack_wait: Duration::from_secs(25),
    };

    /// Rows of `answer, retry-after | attempt, age in seconds | step, with its pause in ms`.
    #[test]
    fn answers_become_steps() {
        check(
            "
            200 -      1 0         delivered
            204 -      9 99999     delivered            // however late
            299 -      1 0         delivered
            199 -      1 0         again 500..1000
            301 -      1 0         again 500..1000      // not followed
            307 -      3 0         again 2000..4000
            400 -      1 0         dead answered 400: no
            405 -      1 0         dead answered 405: no
            410 60     1 0         dead answered 410: no
            413 -      1 0         dead answered 413: no
            414 -      1 0         dead answered 414: no
            415 -      1 0         dead answered 415: no
            422 -      1 0         dead answered 422: no
            401 -      1 0         again 500..1000      // these may be mended
            403 -      1 0         again 500..1000
            404 -      1 0         again 500..1000
            407 -      1 0         again 500..1000
            499 -      1 0         again 500..1000
            404 -      8 86400     dead given up after 86400 s and attempt 8: answered 404: no
            408 -      1 0         again 500..1000
            425 -      1 0         again 500..1000
            429 -      2 0         again 1000..2000
            429 30     2 0         again 31000..32000
            500 -      1 0         again 500..1000
            500 -      4 0         again 4000..8000
            500 -      10 0        again 256000..512000
            500 -      11 0        again 300000..600000
            500 -      4294967295 0 again 300000..600000
            503 -      1 0         again 500..1000
            503 7      1 0         again 7500..8000
            503 601    1 0         again 600500..601000 // no longer than the longest pause
            503 99999  20 0        again 900000..1200000
            599 -      1 0         again 500..1000
            999 -      1 0         again 500..1000
            500 -      40 86399    again 300000..600000
            500 -      41 86400    dead given up after 86400 s and attempt 41: answered 500: no
            503 7      1 86401     again 7500..8000     // tried once in all that time
            500 -      7 86400     again 32000..64000
            500 -      8 86400     dead given up after 86400 s and attempt 8: answered 500: no
            silent -   1 0         again 500..1000
            silent -   5 0         again 8000..16000
            silent -   8 86400     dead given up after 86400 s and attempt 8: refused
            unsendable - 1 0       dead can't be sent: its id is no good
        ",
        );
    }

    fn check(table: &str) {
        for line in table.lines().filter(|line| !line.trim().is_empty()) {
            let line = line.split("//").next().unwrap();
            let mut words = line.split_whitespace();
            let mut word = || words.next().unwrap();
            let (code, wait) = (word(), word().parse().ok().map(Duration::from_secs));
            let answer = match code {
                "silent" => Answer::Silence("refused".to_owned()),
                "unsendable" => Answer::Unsendable("its id is no good"),
                code => answered(code.parse().unwrap(), wait),
            };
            let number = word().parse().unwrap();
            let age = Duration::from_secs(word().parse().unwrap());
            let attempt = Attempt {
                number,
                age,
                stored_ago: age,
            };
            let wanted = words.collect::<Vec<_>>().join(" ");
            let found = match next_step(&answer, attempt, &LIMITS) {
                Step::Delivered => "delivered".to_owned(),
                Step::Again {
                    at_least, at_most, ..
                } => format!("again {}..{}", at_least.as_millis(), at_most.as_millis()),
                Step::Dead { reason } => format!("dead {reason}"),
            };
            assert_eq!(found, wanted, "{line}");
        }
    }

    fn answered(code: u16, retry_after: Option<Duration>) -> Answer {
        Answer::Status {
            code,
            retry_after,
            excerpt: "no".to_owned(),
        }
    }

    #[test]
    fn an_alert_is_given_up_before_the_stream_drops_it() {
        // The process has just begun, so the age says nothing.
        let attempt = |stored_ago| Attempt {
            number: 1,
            age: Duration::ZERO,
            stored_ago: Duration::from_secs(stored_ago),
        };
        let month = 30 * 86_400;
        for (age_max, stored_ago, is_dead) in [
            (Some(month), 0, false),
            (Some(month), month - 1_226, false),
            (Some(month), month - 1_225, true), // 2 × 600 and 25
            (Some(month), month, true),
            (Some(1_225), 0, true),
            (Some(1), 0, true),
            (None, month, false),
        ] {
            let limits = Limits {
                age_max: age_max.map(Duration::from_secs),
                ..LIMITS
            };
            let step = next_step(&answered(500, None), attempt(stored_ago), &limits);
            let found = matches!(&step, Step::Dead { reason }
                if reason.contains(" s and attempt 1, before the stream drops it: answered 500"));
            assert_eq!(found, is_dead, "{age_max:?} {stored_ago}: {step:?}");
            let step = next_step(&answered(200, None), attempt(stored_ago), &limits);
            assert_eq!(step, Step::Delivered, "{age_max:?} {stored_ago}");
        }
    }

    #[test]
    fn terms_fit_a_stream_that_keeps_alerts_longer() {
        for (age_max, wanted) in [(87_599, false), (87_600, false), (87_601, true)] {
            let found = TERMS.fit(Duration::from_secs(age_max));
            assert_eq!(found, wanted, "{age_max}");
        }
    }

    #[test]
    fn a_receiver_that_asks_for_a_rest_gets_it() {
        for (code, retry_after, wanted) in [
            (429, Some(30), Some(30)),
            (503, Some(30), Some(30)),
            (503, Some(601), Some(600)),
            (429, None, None),
            (500, Some(30), None),
            (200, Some(30), None),
        ] {
            let answer = answered(code, retry_after.map(Duration::from_secs));
            let found = rest_after(&answer, &TERMS);
            assert_eq!(found, wanted.map(Duration::from_secs), "{answer:?}");
        }
        let silence = Answer::Silence("refused".to_owned());
        assert_eq!(rest_after(&silence, &TERMS), None);
    }

    #[test]
    fn a_silent_status_is_told_without_a_colon() {
        let answer = Answer::Status {
            code: 502,
            retry_after: None,
            excerpt: String::new(),
        };
        let attempt = Attempt {
            number: 1,
            age: Duration::ZERO,
            stored_ago: Duration::ZERO,
        };
        let step = next_step(&answer, attempt, &LIMITS);
        assert!(matches!(step, Step::Again { reason, .. } if reason == "answered 502"));
    }
}
