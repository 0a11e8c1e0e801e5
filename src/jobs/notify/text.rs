//! An alert in words: a line for a person, a message for a chat.
//!
//! Owns the sentences. Leaves the members of an alert to `jobs::alert_event`; one that is missing
//! is passed over, so that an older or a newer alert is told all the same.
//!
//! Invariant: pure, and every text is one line without control characters, whatever an alert holds.
//! Amounts are cut, not rounded, to two places: a text never tells more than the alert.

use serde_json::{Map, Value, json};

/// Names are bounded, since anybody may have chosen them.
const TEXT_CHARS_MAX: usize = 200;

/// An alert in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// When, to the second; empty when the alert does not say.
    time: String,
    customer: String,
    /// What is the matter, as the rest of a sentence about the customer.
    rest: String,
}

/// Puts an alert into words; `payload` is its CloudEvent.
pub(super) fn told(customer: &str, kind: &str, payload: &[u8]) -> Told {
    let event: Value = serde_json::from_slice(payload).unwrap_or_default();
    let nothing = Map::new();
    let data = event["data"].as_object().unwrap_or(&nothing);
    let facts = Facts { data };
    let time = event["time"].as_str().map(clean).unwrap_or_default();
    let mut rest = facts.headline(kind);
    let details = facts.details(kind);
    if !details.is_empty() {
        rest = format!("{rest}: {}", details.join(", "));
    }
    Told {
        time: to_the_second(&time),
        customer: clean(customer),
        rest,
    }
}

impl Told {
    /// One line, without its end.
    pub(super) fn line(&self) -> String {
        let Self {
            time,
            customer,
            rest,
        } = self;
        format!("{time} {customer} {rest}").trim_start().to_owned()
    }

    /// `{"text": …}` as Slack's incoming webhooks take it.
    pub(super) fn slack(&self) -> Vec<u8> {
        let (customer, rest) = (escape(&self.customer), escape(&self.rest));
        let body = json!({ "text": format!("*{customer}* {rest}") });
        body.to_string().into_bytes()
    }
}

/// The members of an alert's `data`.
struct Facts<'a> {
    data: &'a Map<String, Value>,
}

impl Facts<'_> {
    /// A member that is a text.
    fn text(&self, name: &str) -> Option<String> {
        let text = self.data.get(name)?.as_str().map(clean)?;
        (!text.is_empty()).then_some(text)
    }

    fn number(&self, name: &str) -> Option<String> {
        self.text(name).map(|number| short(&number))
    }

    fn headline(&self, kind: &str) -> String {
        match kind {
            "used" => match self.number("used_percent") {
                Some(percent) => format!("has used {percent} % of its credits"),
                None => "has used much of its credits".to_owned(),
            },
            "overage" => "has used up its credits, what it uses now is overage".to_owned(),
            "run_out" => match self.text("run_out_date") {
                Some(day) => format!("will run out of credits on {day}"),
                None => "will run out of credits soon".to_owned(),
            },
            "expiring" => "has credits that expire soon".to_owned(),
            "status" => match self.text("status") {
                Some(status) => format!("is now {status}"),
                None => "has another status".to_owned(),
            },
            other => format!("has an alert of kind {}", clean(other)),
        }
    }

    fn details(&self, kind: &str) -> Vec<String> {
        let mut details = Vec::new();
        if let Some(balance) = self.number("balance") {
            details.push(format!("{balance} left"));
        }
        if let Some(overage) = self.number("overage").filter(|overage| overage != "0") {
            details.push(format!("{overage} in overage"));
        }
        let plan = self.text("plan_name").or_else(|| self.text("plan"));
        match (plan, self.number("pool")) {
            (Some(plan), Some(pool)) => details.push(format!("plan {plan} of {pool} credits")),
            (Some(plan), None) => details.push(format!("plan {plan}")),
            (None, _) => {}
        }
        if kind != "run_out"
            && let Some(day) = self.text("run_out_date")
        {
            details.push(format!("runs out on {day}"));
        }
        details.extend(self.offer());
        details
    }

    /// The plan that would fit, if it is another than the customer's.
    fn offer(&self) -> Option<String> {
        let plan = self.text("fitting_plan")?;
        if self.text("plan").as_ref() == Some(&plan) {
            return None;
        }
        let name = self.text("fitting_plan_name").unwrap_or(plan);
        let cost = self.text("fitting_plan_cost").map(|cost| money(&cost));
        let currency = self.text("currency").unwrap_or_default();
        Some(match cost {
            Some(cost) => format!("plan {name} would fit at {cost} {currency}"),
            None => format!("plan {name} would fit"),
        })
    }
}

/// A plain decimal, cut to two places, or to none where these are zero.
fn short(number: &str) -> String {
    let money = money(number);
    match money.strip_suffix(".00") {
        Some("-0") => "0".to_owned(),
        Some(whole) => whole.to_owned(),
        None => money,
    }
}

/// A plain decimal with two places; any other text as it is.
fn money(number: &str) -> String {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    let is_plain = !digits.is_empty()
        && (digits.bytes().chain(part.bytes())).all(|byte| byte.is_ascii_digit());
    if !is_plain {
        return number.to_owned();
    }
    let part: String = part.chars().chain("00".chars()).take(2).collect();
    format!("{whole}.{part}")
}

/// `2026-10-06T16:31:30.996000Z` without the part of a second.
fn to_the_second(time: &str) -> String {
    let whole = time.split_once('.').filter(|_| time.ends_with('Z'));
    whole.map_or_else(|| time.to_owned(), |(whole, _)| format!("{whole}Z"))
}

/// One line of bounded length.
fn clean(text: &str) -> String {
    let text = text.chars().take(TEXT_CHARS_MAX);
    text.map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// What Slack would read as markup.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(data: Value) -> Vec<u8> {
        let event = json!({ "time": "2026-10-06T16:31:30.996000Z", "data": data });
        event.to_string().into_bytes()
    }

    fn whole() -> Value {
        json!({
            "customer": "acme", "used_percent": "81.50", "balance": "184.983350",
            "overage": "0.000000", "plan": "starter", "plan_name": "Starter",
            "pool": "1000.000000", "run_out_date": "2026-10-08", "fitting_plan": "team",
            "fitting_plan_name": "Team", "fitting_plan_cost": "399.000000000", "currency": "USD",
        })
    }

    #[test]
    fn each_kind_is_told_with_what_it_holds() {
        let rest = "184.98 left, plan Starter of 1000 credits";
        let offer = "plan Team would fit at 399.00 USD";
        for (kind, wanted) in [
            (
                "used",
                format!("has used 81.50 % of its credits: {rest}, runs out on 2026-10-08, {offer}"),
            ),
            (
                "run_out",
                format!("will run out of credits on 2026-10-08: {rest}, {offer}"),
            ),
            (
                "expiring",
                format!("has credits that expire soon: {rest}, runs out on 2026-10-08, {offer}"),
            ),
        ] {
            let line = told("acme", kind, &alert(whole())).line();
            assert_eq!(line, format!("2026-10-06T16:31:30Z acme {wanted}"));
        }
        let blocked = alert(json!({ "status": "blocked", "overage": "12.345678" }));
        assert_eq!(
            told("acme", "status", &blocked).line(),
            "2026-10-06T16:31:30Z acme is now blocked: 12.34 in overage"
        );
    }

    #[test]
    fn what_is_missing_or_strange_is_passed_over() {
        let rows: [(&str, &[u8], &str); 7] = [
            ("used", b"no JSON", "acme has used much of its credits"),
            (
                "overage",
                b"{}",
                "acme has used up its credits, what it uses now is overage",
            ),
            ("run_out", b"[]", "acme will run out of credits soon"),
            ("status", br#"{"data":7}"#, "acme has another status"),
            (
                "new",
                br#"{"data":{"balance":7}}"#,
                "acme has an alert of kind new",
            ),
            (
                "used",
                br#"{"data":{"plan":"a\nb"}}"#,
                "acme has used much of its credits: plan a b",
            ),
            (
                "used",
                br#"{"data":{"plan":"a","fitting_plan":"a"}}"#,
                "acme has used much of its credits: plan a",
            ),
        ];
        for (kind, payload, wanted) in rows {
            assert_eq!(told("acme", kind, payload).line(), wanted, "{kind}");
        }
    }

    #[test]
    fn a_chat_gets_no_markup_of_others() {
        let payload = alert(json!({ "plan_name": "<!channel> & \"co\"" }));
        let body: Value =
            serde_json::from_slice(&told("a<b", "overage", &payload).slack()).unwrap();
        assert_eq!(
            body,
            json!({ "text": "*a&lt;b* has used up its credits, what it uses now is overage: \
                             plan &lt;!channel&gt; &amp; \"co\"" })
        );
    }

    #[test]
    fn amounts_are_cut_to_two_places() {
        for (number, short_one, with_cents) in [
            ("1000.000000", "1000", "1000.00"),
            ("0.000000", "0", "0.00"),
            ("184.989999", "184.98", "184.98"),
            ("-0.001000", "0", "-0.00"),
            ("-5.500000", "-5.50", "-5.50"),
            ("7", "7", "7.00"),
            ("much", "much", "much"),
            ("", "", ""),
            ("1.2.3", "1.2.3", "1.2.3"),
        ] {
            assert_eq!(short(number), short_one, "{number}");
            assert_eq!(money(number), with_cents, "{number}");
        }
    }
}
