//! One event as its producer means it.
//!
//! Owns the event twice: as the plain facts that the model judges, and as the text that the
//! engine's readers get. Leaves which events a story has to `story` and `deeds`.

use purser::domain::rfc3339;
use purser::domain::units::{MICROS_PER_HOUR as HOUR, Timestamp};

use crate::story::START;

/// The source of all events.
pub(crate) const SOURCE: &str = "/app";

/// An event that can be read.
#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) customer: String,
    pub(crate) id: String,
    /// `None`: it has no time.
    pub(crate) used_at: Option<i64>,
    pub(crate) deed: Deed,
    /// Whether it came on a subject for it.
    pub(crate) fits_subject: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Docs(i64),
    Call,
    /// A type that no price knows.
    Unpriced,
    /// On which plan, and the anchor day.
    Open(&'static str, Option<i64>),
    /// Credits, and how many hours they live.
    Grant(i64, Option<i64>),
    /// To which plan, and when.
    ChangePlan(&'static str, &'static str),
    /// The grant's id.
    Void(String),
    Close,
    /// The event that is taken back.
    Reverse {
        source: &'static str,
        id: String,
    },
    UnknownCommand,
    /// Type and data.
    BadCommand(&'static str, &'static str),
}

impl Deed {
    pub(crate) fn is_command(&self) -> bool {
        !matches!(self, Self::Docs(_) | Self::Call | Self::Unpriced)
    }
}

impl Sent {
    pub(crate) fn json(&self) -> String {
        let (event_type, data) = self.payload();
        let time = self.used_at.map(|at| format!(r#""time":"{}","#, time(at)));
        format!(
            r#"{{"specversion":"1.0","id":"{}","source":"{SOURCE}","type":"{event_type}",{}"subject":"{}","data":{data}}}"#,
            self.id,
            time.unwrap_or_default(),
            self.customer,
        )
    }

    /// What tells a copy from a conflict.
    pub(crate) fn payload_text(&self) -> String {
        let (event_type, data) = self.payload();
        format!("{event_type} {data}")
    }

    /// When the credits that it grants begin and end, if it says so. A grant that names its end
    /// also names its beginning, lest it lie behind.
    pub(crate) fn life(&self) -> Option<(i64, i64)> {
        let Deed::Grant(_, Some(hours)) = self.deed else {
            return None;
        };
        let begin = self.used_at.unwrap_or(START);
        Some((begin, begin + hours * HOUR))
    }

    /// Type and data.
    fn payload(&self) -> (&'static str, String) {
        match &self.deed {
            Deed::Docs(docs) => ("usage", format!(r#"{{"docs":{docs}}}"#)),
            Deed::Call => ("call", "{}".to_owned()),
            Deed::Unpriced => ("dance", "{}".to_owned()),
            Deed::Open(plan, anchor) => {
                let anchor = anchor.map(|day| format!(r#","anchor_day":{day}"#));
                let anchor = anchor.unwrap_or_default();
                let data = format!(r#"{{"plan":"{plan}"{anchor}}}"#);
                ("purser.wallet.opened", data)
            }
            Deed::Grant(credits, _) => {
                let life = self.life().map(|(from, to)| {
                    let (from, to) = (time(from), time(to));
                    format!(r#","effective_at":"{from}","expires_at":"{to}""#)
                });
                let sold = r#""basis":"purchased","price":"7.5","currency":"USD""#;
                let life = life.unwrap_or_default();
                let data = format!(r#"{{"credits":"{credits}",{sold}{life}}}"#);
                ("purser.wallet.granted", data)
            }
            Deed::ChangePlan(plan, at) => {
                let data = format!(r#"{{"plan":"{plan}","at":"{at}"}}"#);
                ("purser.wallet.plan_changed", data)
            }
            Deed::Void(grant) => {
                let data = format!(r#"{{"grant":"{grant}"}}"#);
                ("purser.wallet.voided", data)
            }
            Deed::Close => ("purser.wallet.closed", "{}".to_owned()),
            Deed::Reverse { source, id } => {
                let data = format!(r#"{{"source":"{source}","id":"{id}","reason":"mistake"}}"#);
                ("purser.usage.reversed", data)
            }
            Deed::UnknownCommand => ("purser.wallet.painted", "{}".to_owned()),
            &Deed::BadCommand(event_type, data) => (event_type, data.to_owned()),
        }
    }
}

/// A time as events and price files write it.
pub(crate) fn time(at: i64) -> String {
    rfc3339::format(Timestamp::new(at)).to_string()
}
