//! Random stories: what happens to three customers, in the words of the other stories.
//!
//! Owns how often each thing comes. Leaves what must hold to `properties`.

use proptest::prelude::*;

use crate::domain::units::{MICROS_PER_HOUR, Timestamp};

pub(super) const CUSTOMERS: [&str; 3] = ["acme", "bob", "cloe"];
/// Where the random stories begin.
const START: &str = "2026-01-28";
const HOUR: i64 = MICROS_PER_HOUR;

pub(in crate::domain) const CHANGING: &str = "
    version v1 from=2026-01-01 default=starter grace_hours=24
    price docs type=usage each=docs:1
    price call type=call flat=0.5
    plan starter fee=99 pool=1000 used=50,80,100 run_out=7 expiring=3 bill=0.12 rollover=300:1
    plan small fee=10 pool=100 used=1,50,100
    plan euro fee=5 pool=10 currency=EUR used= rollover=5:2
    version v2 from=2026-02-10 grace_hours=50 window_days=20
    price docs type=usage each=docs:1
    plan starter fee=120 pool=900 used=25,75 run_out=20 bill=0.1 rollover=50:2
    version v3 from=2026-04-01T12:00 default=small window_days=10
    plan small fee=11 pool=50 used= expiring=30 bill=1
";

/// One event: how many hours after the one before, who, and what.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) gap_hours: i64,
    pub(super) customer: usize,
    pub(super) deed: Deed,
}

#[derive(Clone, Debug)]
pub(super) enum Deed {
    /// Used so many hours ago; an id of a few, so that copies come.
    Usage {
        id: u8,
        docs: u16,
        hours_ago: i64,
    },
    Call {
        id: u8,
    },
    Open {
        anchor: u8,
    },
    Grant {
        credits: u16,
        promotional: bool,
        priority: Option<u8>,
        from: i64,
        hours: Option<i64>,
    },
    /// To one of the plans.
    Plan {
        plan: usize,
        now: bool,
    },
    /// A grant of the step so many before, or the pool or rollover of a month.
    Void {
        grant: u8,
    },
    Close,
    /// The usage of an id; by a command that may come again.
    Reverse {
        id: u8,
        again: bool,
    },
    Tick,
    Malformed,
}

const PLANS: [&str; 4] = ["starter", "small", "euro", "none"];

fn deed() -> impl Strategy<Value = Deed> {
    let hours_ago = prop_oneof![6 => Just(0_i64), 2 => 0..60_i64, 1 => 0..1_000_i64];
    let docs = prop_oneof![2 => Just(1_u16), 1 => Just(50_u16), 3 => 0..600_u16];
    let usage = (0..12_u8, docs, hours_ago);
    let hours = prop::option::weighted(0.7, 1..900_i64);
    let priority = prop::option::weighted(0.3, 40..210_u8);
    let from = prop_oneof![2 => Just(0_i64), 1 => -300..300_i64];
    prop_oneof![
        10 => usage.prop_map(|(id, docs, hours_ago)| Deed::Usage { id, docs, hours_ago }),
        1 => (0..12_u8).prop_map(|id| Deed::Call { id }),
        2 => (1..32_u8).prop_map(|anchor| Deed::Open { anchor }),
        2 => (0..PLANS.len(), any::<bool>()).prop_map(|(plan, now)| Deed::Plan { plan, now }),
        3 => (0..16_u8).prop_map(|grant| Deed::Void { grant }),
        1 => Just(Deed::Close),
        3 => (0..12_u8, any::<bool>()).prop_map(|(id, again)| Deed::Reverse { id, again }),
        1 => Just(Deed::Tick),
        4 => (1..400_u16, any::<bool>(), priority, from, hours).prop_map(
            |(credits, promotional, priority, from, hours)| Deed::Grant {
                credits, promotional, priority, from, hours
            }
        ),
        1 => Just(Deed::Malformed),
    ]
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let gap = prop_oneof![3 => Just(0_i64), 4 => 0..30_i64, 2 => 0..400_i64, 1 => 700..2_200_i64];
    let step = (gap, 0..CUSTOMERS.len(), deed());
    let step = step.prop_map(|(gap_hours, customer, deed)| Step {
        gap_hours,
        customer,
        deed,
    });
    prop::collection::vec(step, 1..24)
}

/// `2026-02-03 04:00`, so many microseconds after the start.
fn moment(hours: i64) -> String {
    let start = super::line::instant(START, "00:00");
    let text = crate::domain::rfc3339::format(Timestamp::new(start.get() + hours * HOUR));
    let text = text.to_string();
    format!("{} {}", &text[..10], &text[11..19])
}

/// The steps as lines, each with its hour and customer; with `broker` as messages on subjects.
pub(super) fn lines(steps: &[Step], broker: bool) -> Vec<(i64, usize, String)> {
    let mut now = 0;
    let mut told = Vec::new();
    for (
        n,
        Step {
            gap_hours,
            customer,
            deed,
        },
    ) in steps.iter().enumerate()
    {
        now += gap_hours;
        let name = CUSTOMERS[*customer];
        let (kind, ago, deed) = match deed {
            Deed::Usage {
                id,
                docs,
                hours_ago,
            } => (
                "usage",
                *hours_ago,
                format!("{name} usage e{id} docs={docs}"),
            ),
            Deed::Call { id } => ("usage", 0, format!("{name} call e{id}")),
            Deed::Open { anchor } => (
                "wallet",
                0,
                format!("{name} open o{n} plan=small anchor_day={anchor}"),
            ),
            Deed::Grant {
                credits,
                promotional,
                priority,
                from,
                hours,
            } => {
                let basis = if *promotional {
                    "promotional"
                } else {
                    "purchased"
                };
                let from = now + from;
                let mut data = format!("credits={credits}.5 basis={basis} price=7.5 currency=USD");
                data.push_str(&format!(
                    " effective_at={}Z",
                    moment(from).replace(' ', "T")
                ));
                if let Some(priority) = priority {
                    data.push_str(&format!(" priority={priority}"));
                }
                if let Some(hours) = hours {
                    let end = moment(from + hours).replace(' ', "T");
                    data.push_str(&format!(" expires_at={end}Z"));
                }
                ("wallet", 0, format!("{name} grant g{n} {data}"))
            }
            Deed::Plan { plan, now } => {
                let at = if *now { "now" } else { "next_period" };
                let plan = PLANS[*plan];
                ("wallet", 0, format!("{name} plan p{n} plan={plan} at={at}"))
            }
            Deed::Void { grant } => {
                let grant = match grant {
                    0 => "pool/2026-01-28".to_owned(),
                    1..=4 => format!("pool/2026-0{grant}-01"),
                    5..=7 => format!("rollover/2026-0{}-01", grant - 4),
                    back => format!("/app/g{}", n.saturating_sub(usize::from(back - 7))),
                };
                ("wallet", 0, format!("{name} void v{n} grant={grant}"))
            }
            Deed::Close => ("wallet", 0, format!("{name} close c{n}")),
            Deed::Reverse { id, again } => {
                let own = if *again {
                    format!("r{id}")
                } else {
                    format!("r{n}")
                };
                let data = format!("source=/app id=e{id} reason=oops");
                ("wallet", 0, format!("{name} reverse {own} {data}"))
            }
            Deed::Tick => ("clock", 0, "empty".to_owned()),
            Deed::Malformed => ("usage", 0, "malformed".to_owned()),
        };
        let line = match (broker, deed.as_str()) {
            (false, "empty") => deed,
            (true, "empty") => format!("{} @clock.0 empty", moment(now)),
            (false, "malformed") => deed,
            (false, _) => format!("{} {deed}", moment(now - ago)),
            (true, "malformed") => format!("{} @usage.{name} malformed", moment(now)),
            (true, _) => {
                let used = moment(now - ago).replace(' ', "T");
                format!("{} @{kind}.{name} used={used} {deed}", moment(now))
            }
        };
        told.push((now, *customer, line));
    }
    told
}

pub(super) fn text(lines: &[(i64, usize, String)]) -> String {
    lines
        .iter()
        .map(|(_, _, line)| format!("{line}\n"))
        .collect()
}

/// A random story, from a file or from a broker.
pub(in crate::domain) fn stories() -> impl Strategy<Value = String> {
    (steps(), any::<bool>()).prop_map(|(steps, broker)| text(&lines(&steps, broker)))
}
