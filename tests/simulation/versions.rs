//! The price versions of a story.
//!
//! Owns what each says, as the file that the engine's readers get and as the plain facts that the
//! model judges by. Leaves when one is published to `scheduler`.

use purser::domain::units::{MICROS_PER_DAY as DAY, MICROS_PER_HOUR as HOUR};

use crate::dice::Dice;
use crate::sent::time;
use crate::story::START;

/// The plans that commands name. The last one is there from the second version on.
pub(crate) const PLANS: [&str; 3] = ["small", "starter", "large"];

/// A price version.
#[derive(Clone, Copy)]
pub(crate) struct Version {
    /// 1 of the first.
    number: usize,
    pub(crate) from: i64,
    pub(crate) window: i64,
    pub(crate) grace: i64,
    pub(crate) default_plan: bool,
    /// Microcredits for each document.
    pub(crate) docs: i64,
    /// Microcredits for a call.
    pub(crate) call: i64,
    /// Credits that `starter` rolls over, and for how many periods.
    rollover: Option<(i64, i64)>,
}

/// One to three versions; usage may be older than the first.
pub(crate) fn versions(dice: &mut Dice) -> Vec<Version> {
    let mut from = START - dice.within(DAY, 30 * DAY);
    let mut versions = Vec::new();
    for _ in 0..dice.within(1, 4) {
        let rolls_over = dice.hits(800);
        versions.push(Version {
            number: versions.len() + 1,
            from,
            window: dice.within(2, 21) * DAY,
            grace: dice.within(1, 73) * HOUR,
            default_plan: dice.hits(800),
            docs: dice.within(1, 4) * 500_000,
            call: dice.within(1, 4) * 250_000,
            rollover: rolls_over.then(|| (dice.within(5, 60), dice.within(1, 3))),
        });
        from = from.max(START) + dice.within(HOUR, 12 * DAY);
    }
    versions
}

impl Version {
    pub(crate) fn has_plan(&self, plan: &str) -> bool {
        plan != "large" || self.number > 1
    }

    /// The price file.
    pub(crate) fn text(&self) -> String {
        let default = match self.default_plan {
            true => "default_plan = \"starter\"",
            false => "",
        };
        format!(
            r#"
            version = "v{n}"
            effective_from = "{from}"
            {default}
            rules = {{ window_days = {window}, grace_hours = {grace} }}
            {prices}
            {plans}
            "#,
            n = self.number,
            from = time(self.from),
            window = self.window / DAY,
            grace = self.grace / HOUR,
            prices = self.prices(),
            plans = self.plans(),
        )
    }

    fn prices(&self) -> String {
        let price = |micros: i64| format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        format!(
            r#"
            [[cost]]
            when = {{ type = "usage" }}
            components = [ {{ measure = "docs", per = 1, usd = "0.0{n}" }} ]

            [[price]]
            id = "docs"
            task = "document"
            unit = "page"
            when = {{ type = "usage" }}
            quantity = "docs"
            credits = "{docs}"

            [[price]]
            id = "call"
            task = "call"
            unit = "call"
            when = {{ type = "call" }}
            credits = "{call}"
            "#,
            n = self.number,
            docs = price(self.docs),
            call = price(self.call),
        )
    }

    fn plans(&self) -> String {
        let rollover = |(max, periods): (i64, i64)| {
            format!("rollover = {{ max = \"{max}\", periods = {periods} }}")
        };
        let large = match self.has_plan("large") {
            true => LARGE,
            false => "",
        };
        format!(
            r#"
            [[plan]]
            id = "small"
            name = "Small"
            fee = "10.00"
            currency = "USD"
            credits = "20"
            alerts = {{ used = [1, 50, 100], expiring_within_days = 3 }}
            overage = {{ mode = "block" }}

            [[plan]]
            id = "starter"
            name = "Starter"
            fee = "99.00"
            currency = "USD"
            credits = "{n}00"
            alerts = {{ used = [50, 80, 100], run_out_within_days = 7, expiring_within_days = 7 }}
            overage = {{ mode = "bill", price = "0.1{n}" }}
            {rollover}
            {large}
            "#,
            n = self.number,
            rollover = self.rollover.map(rollover).unwrap_or_default(),
        )
    }
}

/// A plan without alerts.
const LARGE: &str = r#"
            [[plan]]
            id = "large"
            name = "Large"
            fee = "300.00"
            currency = "USD"
            credits = "400"
            overage = { mode = "bill", price = "0.08" }
            rollover = { max = "400", periods = 1 }
"#;
