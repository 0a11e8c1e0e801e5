//! Random commands and events of many customers, over years.
//!
//! Owns how often each comes. Leaves what becomes of them to the engine.

use purser::adapters::price_files;
use purser::domain::price::PriceBook;
use purser::domain::rfc3339;
use purser::domain::units::{MICROS_PER_HOUR as HOUR, MICROS_PER_SECOND as SECOND, Timestamp};

use crate::books::Books;
use crate::dice::Dice;

const CUSTOMERS: u64 = 1_000;
const PLANS: [&str; 3] = ["starter", "team", "small"];
/// 2026-01-20T09:00:00Z.
const START: i64 = 1_768_899_600_000_000;

const PRICES: &str = r#"
version = "v1"
effective_from = "2026-01-01T00:00:00Z"
default_plan = "starter"
rules = { window_days = 10, grace_hours = 30 }
price = [
  { id = "docs", task = "document", unit = "page", when = { type = "docs" }, quantity = "docs", credits = "0.333333" },
  { id = "call", task = "call", unit = "call", when = { type = "call" }, credits = "0.000001" },
]
plan = [
  { id = "starter", name = "S", fee = "9.99", currency = "USD", credits = "100", alerts = { used = [50, 100], run_out_within_days = 7, expiring_within_days = 3 }, overage = { mode = "bill", price = "0.123456789" }, rollover = { max = "33.333333", periods = 2 } },
  { id = "team", name = "T", fee = "99", currency = "USD", credits = "1000.000001", overage = { mode = "bill", price = "0.1" }, rollover = { max = "400", periods = 1 } },
  { id = "small", name = "M", fee = "0", currency = "USD", credits = "7.5" },
]
"#;

pub(crate) fn prices() -> PriceBook {
    let files = [("v1.toml".to_owned(), PRICES.to_owned())];
    price_files::load(&files).expect("good prices")
}

pub(crate) struct Sent {
    pub(crate) received_at: i64,
    pub(crate) subject: String,
    /// Empty: a tick.
    pub(crate) body: String,
}

pub(crate) struct Input {
    dice: Dice,
    now: i64,
    number: u64,
}

impl Input {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
            now: START,
            number: 0,
        }
    }

    pub(crate) fn next(&mut self, books: &Books) -> Sent {
        self.number += 1;
        self.now += self.dice.within(0, 120 * SECOND);
        let customer = format!("c{}", self.dice.below(CUSTOMERS));
        let number = self.number;
        let (kind, data) = match self.dice.below(1_000) {
            0..20 => return self.tick(),
            20..700 => {
                let docs = self.dice.within(0, 40);
                return self.usage(&customer, "docs", &format!(r#"{{"docs":{docs}}}"#));
            }
            700..740 => return self.usage(&customer, "call", "{}"),
            740..760 => ("wallet.opened", format!(r#"{{"plan":"{}"}}"#, self.plan())),
            760..800 => {
                let at = *self.dice.pick(&["now", "next_period"]);
                (
                    "wallet.plan_changed",
                    format!(r#"{{"plan":"{}","at":"{at}"}}"#, self.plan()),
                )
            }
            800..880 => ("wallet.granted", self.grant()),
            880..920 => match books.some_grant(&mut self.dice) {
                Some((customer, grant)) => {
                    let data = format!(r#"{{"grant":"{grant}"}}"#);
                    return self.event(&customer, &format!("v{number}"), "wallet.voided", &data);
                }
                None => return self.tick(),
            },
            920..924 => ("wallet.closed", "{}".to_owned()),
            _ => match books.some_charge(&mut self.dice) {
                Some((customer, id)) => {
                    let data = format!(r#"{{"source":"/app","id":"{id}","reason":"r"}}"#);
                    return self.event(&customer, &format!("r{number}"), "usage.reversed", &data);
                }
                None => return self.tick(),
            },
        };
        self.event(&customer, &format!("k{number}"), kind, &data)
    }

    fn plan(&mut self) -> &'static str {
        PLANS[self.dice.place(PLANS.len())]
    }

    fn grant(&mut self) -> String {
        let credits = self.dice.within(1, 90_000_000);
        let (whole, part) = (credits / 1_000_000, credits % 1_000_000);
        let basis = *self.dice.pick(&["purchased", "promotional"]);
        let mut data = format!(r#"{{"credits":"{whole}.{part:06}","basis":"{basis}""#);
        let from = self.now + self.dice.within(-400 * HOUR, 400 * HOUR);
        if self.dice.hits(500) {
            data += &format!(r#","effective_at":"{}""#, time(from));
        }
        if self.dice.hits(700) {
            let ends = from.max(self.now) + self.dice.within(1, 900 * HOUR);
            data += &format!(r#","expires_at":"{}""#, time(ends));
        }
        if self.dice.hits(300) {
            data += &format!(r#","priority":{}"#, self.dice.within(0, 300));
        }
        data + "}"
    }

    fn tick(&mut self) -> Sent {
        Sent {
            received_at: self.now,
            subject: "clock.0".to_owned(),
            body: String::new(),
        }
    }

    /// Now, or late.
    fn usage(&mut self, customer: &str, kind: &str, data: &str) -> Sent {
        let used_at = match self.dice.below(10) {
            0 => self.now - self.dice.within(0, 200 * HOUR),
            _ => self.now,
        };
        let (number, time) = (self.number, time(used_at));
        let body = format!(
            r#"{{"specversion":"1.0","id":"u{number}","source":"/app","type":"{kind}","subject":"{customer}","time":"{time}","data":{data}}}"#
        );
        Sent {
            received_at: self.now,
            subject: format!("usage.{customer}"),
            body,
        }
    }

    fn event(&mut self, customer: &str, id: &str, kind: &str, data: &str) -> Sent {
        let body = format!(
            r#"{{"specversion":"1.0","id":"{id}","source":"/billing","type":"purser.{kind}","subject":"{customer}","data":{data}}}"#
        );
        Sent {
            received_at: self.now,
            subject: format!("wallet.{customer}"),
            body,
        }
    }
}

fn time(at: i64) -> String {
    rfc3339::format(Timestamp::new(at)).to_string()
}
