//! The keys of a price file, each with a value to show.
//!
//! Owns the words of the format and the bounds of its amounts. Leaves reading them to `table`,
//! `price` and `plan`.
//!
//! Invariant: a key that is not listed here is a fault wherever it stands.

use super::form::{AmountKind, Form};
use crate::domain::price::{CREDITS_PLACES, USD_PLACES};

const TWELVE: &str = "10^12";
pub(super) const PRICE: AmountKind = AmountKind {
    places: CREDITS_PLACES,
    bound: 10_i128.pow(12 + CREDITS_PLACES),
    bound_name: TWELVE,
};
pub(super) const USD: AmountKind = AmountKind {
    places: USD_PLACES,
    bound: 10_i128.pow(12 + USD_PLACES),
    bound_name: TWELVE,
};
pub(super) const CREDITS: AmountKind = AmountKind {
    places: 6,
    bound: 10_i128.pow(18),
    bound_name: TWELVE,
};
/// Money that stands in a ledger row, a `decimal(18, 9)`.
pub(super) const MONEY: AmountKind = AmountKind {
    places: 9,
    bound: 10_i128.pow(18),
    bound_name: "10^9",
};

pub(super) const FILE: Form = Form {
    name: "price file",
    keys: &[
        ("version", "\"2026-10\""),
        ("effective_from", "\"2026-10-01T00:00:00Z\""),
        ("default_plan", "\"starter\""),
        ("rules", "{ window_days = 35 }"),
        ("price", "[[price]] and its keys below it"),
        ("cost", "[[cost]] and its keys below it"),
        ("plan", "[[plan]] and its keys below it"),
    ],
    not_yet: &[],
};
pub(super) const RULES: Form = Form {
    name: "[rules] table",
    keys: &[
        ("window_days", "35"),
        ("future_minutes", "5"),
        ("grace_hours", "24"),
    ],
    not_yet: &[],
};
pub(super) const PRICES: Form = Form {
    name: "price",
    keys: &[
        ("id", "\"document-large\""),
        ("task", "\"document analysed\""),
        ("unit", "\"document\""),
        (
            "when",
            "{ type = \"document.analyzed\", model = [\"gpt-4o\", \"claude-opus\"] }",
        ),
        ("quantity", "\"documents\""),
        ("credits", "\"1\""),
        (
            "components",
            "[{ measure = \"input_tokens\", per = 1000, credits = \"0.25\" }]",
        ),
        ("minimum", "\"0.01\""),
        ("rounding", "\"half_up\""),
    ],
    not_yet: &["tiers"],
};
pub(super) const COMPONENTS: Form = Form {
    name: "price component",
    keys: &[
        ("measure", "\"input_tokens\""),
        ("per", "1000"),
        ("credits", "\"0.25\""),
    ],
    not_yet: &[],
};
pub(super) const COSTS: Form = Form {
    name: "cost",
    keys: &[
        ("when", "{ type = \"llm.completion\", model = \"gpt-4o\" }"),
        (
            "components",
            "[{ measure = \"input_tokens\", per = 1000000, usd = \"2.50\" }]",
        ),
    ],
    not_yet: &["tiers"],
};
pub(super) const COST_COMPONENTS: Form = Form {
    name: "cost component",
    keys: &[
        ("measure", "\"input_tokens\""),
        ("per", "1000000"),
        ("usd", "\"2.50\""),
    ],
    not_yet: &[],
};
pub(super) const PLANS: Form = Form {
    name: "plan",
    keys: &[
        ("id", "\"starter\""),
        ("name", "\"Starter\""),
        ("fee", "\"99.00\""),
        ("currency", "\"USD\""),
        ("credits", "\"1000\""),
        ("alerts", "{ used = [50, 80, 100] }"),
        ("overage", "{ mode = \"bill\", price = \"0.12\" }"),
        ("rollover", "{ max = \"200\", periods = 1 }"),
    ],
    not_yet: &[],
};
pub(super) const ALERTS: Form = Form {
    name: "plan's alerts",
    keys: &[
        ("used", "[50, 80, 100]"),
        ("run_out_within_days", "7"),
        ("expiring_within_days", "7"),
    ],
    not_yet: &[],
};
pub(super) const OVERAGE: Form = Form {
    name: "plan's overage",
    keys: &[("mode", "\"bill\""), ("price", "\"0.12\"")],
    not_yet: &[],
};
pub(super) const ROLLOVER: Form = Form {
    name: "plan's rollover",
    keys: &[("max", "\"200\""), ("periods", "1")],
    not_yet: &[],
};
