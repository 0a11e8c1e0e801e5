//! The views: one file of `queries/` each, under the file's name.
//!
//! Owns their list and their order. Leaves the questions and answers to the files.
//!
//! Invariant: a view stands after every view that it reads, so that they register in order.

/// Name and text of every view.
pub(super) const VIEWS: [(&str, &str); 24] = [
    ("reversals", include_str!("../../../queries/reversals.sql")),
    ("usage", include_str!("../../../queries/usage.sql")),
    ("overage", include_str!("../../../queries/overage.sql")),
    ("grants", include_str!("../../../queries/grants.sql")),
    ("alerts", include_str!("../../../queries/alerts.sql")),
    ("rejected", include_str!("../../../queries/rejected.sql")),
    ("pace", include_str!("../../../queries/pace.sql")),
    ("standings", include_str!("../../../queries/standings.sql")),
    ("wallets", include_str!("../../../queries/wallets.sql")),
    ("burn_down", include_str!("../../../queries/burn_down.sql")),
    (
        "invoice_lines",
        include_str!("../../../queries/invoice_lines.sql"),
    ),
    (
        "usage_by_task",
        include_str!("../../../queries/usage_by_task.sql"),
    ),
    (
        "usage_by_day",
        include_str!("../../../queries/usage_by_day.sql"),
    ),
    (
        "margin_by_task",
        include_str!("../../../queries/margin_by_task.sql"),
    ),
    ("forecasts", include_str!("../../../queries/forecasts.sql")),
    ("offers", include_str!("../../../queries/offers.sql")),
    ("fits", include_str!("../../../queries/fits.sql")),
    (
        "upgrade_signals",
        include_str!("../../../queries/upgrade_signals.sql"),
    ),
    ("signals", include_str!("../../../queries/signals.sql")),
    ("deferred", include_str!("../../../queries/deferred.sql")),
    ("liability", include_str!("../../../queries/liability.sql")),
    ("breakage", include_str!("../../../queries/breakage.sql")),
    ("revenue", include_str!("../../../queries/revenue.sql")),
    ("statement", include_str!("../../../queries/statement.sql")),
];
