//! Texts that are right, from which wrong ones are made; and what was once read wrongly.

use purser::adapters::price_files;
use purser::domain::price::PriceBook;
use purser::domain::rfc3339;
use purser::domain::units::Timestamp;

pub(crate) const EVENTS: &[&str] = &[
    r#"{"specversion":"1.0","id":"1","source":"/s","type":"doc","subject":"acme","time":"2026-11-22T10:33:00.123456789Z","data":{"documents":3,"model":"gpt-4o","deep":[[{"a":[]}]]}}"#,
    r#"{"data":{"documents":1E3,"cached":false,"x":null,"in":-0,"out":0.0000005},"subject":"acme","type":"llm","source":"/s","id":"é\u00e9\ud83d\ude00","specversion":"1.0"}"#,
    r#" { "specversion" : "1.0" , "id" : "a\"b" , "source" : "\\" , "type" : "doc" , "subject" : "b" , "time" : "2026-11-22t23:59:59+23:59" , "datacontenttype" : "application/json" , "data" : { } } "#,
    r#"{"specversion":"1.0","id":"2","source":"/s","type":"purser.wallet.opened","subject":"acme","data":{"plan":"starter","anchor_day":31}}"#,
    r#"{"specversion":"1.0","id":"3","source":"/s","type":"purser.wallet.granted","subject":"acme","data":{"credits":"12.5","basis":"purchased","price":"9.99","currency":"USD","expires_at":"2027-01-01T00:00:00Z"}}"#,
    "[{\"specversion\":\"1.0\",\"id\":\"4\",\"source\":\"/s\",\"type\":\"doc\",\"subject\":\"acme\"},\n{}, 1 ]",
    "{\"specversion\":\"1.0\",\"id\":\"5\",\"source\":\"/s\",\"type\":\"doc\",\"subject\":\"acme\"}\r\n\r\n{\"id\":\"6\"}\n",
    "",
];

pub(crate) const PRICES: &[&str] = &[
    WHOLE,
    include_str!("../../fixtures/prices/2026-09.toml"),
    include_str!("../../fixtures/prices/2026-10b.toml"),
];

const WHOLE: &str = r#"version = "2026-10"
effective_from = "2026-10-01T00:00:00Z"
default_plan = "starter"
[rules]
window_days = 40
future_minutes = 5
grace_hours = 12
[[price]]
id = "doc"
task = "document analysed"
unit = "document"
when = { type = "doc", model = ["gpt-4o", "claude-opus"] }
quantity = "documents"
credits = "999999.000000000001"
[[price]]
id = "any"
task = "document"
unit = "document"
when = { type = "doc" }
credits = "0.5"
[[price]]
id = "completion"
task = "assistant answer"
unit = "answer"
when = { type = "llm", cached = false }
components = [ { measure = "in", per = 1000, credits = "0.25" }, { measure = "out", per = 1, credits = "1" } ]
minimum = "0.01"
rounding = "half_even"
[[cost]]
when = { type = "llm" }
components = [{ measure = "in", per = 1000000, usd = "2.50" }]
[[plan]]
id = "starter"
name = "Starter"
fee = "99.00"
currency = "USD"
credits = "1000"
alerts = { used = [80, 50, 100] }
overage = { mode = "bill", price = "0.12" }
"#;

/// When the messages come.
pub(crate) fn now() -> Timestamp {
    rfc3339::parse(b"2026-11-22T11:00:00Z").expect("a time")
}

/// A price book that is right.
pub(crate) fn book() -> PriceBook {
    price_files::load(&[("whole.toml".to_owned(), WHOLE.to_owned())]).expect("no faults")
}
