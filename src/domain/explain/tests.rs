//! Explanations held against the engine's own charges, and their words.

use super::*;
use crate::domain::decimal::{Rounding, scaled_from_plain};
use crate::domain::event::{MemberSpan, TextSpan, ValueSpan};
use crate::domain::price::{
    Component, Condition, Cost, CostComponent, Match, Overage, Price, PriceBook, Shape, When,
};
use crate::domain::units::{Credits, Money, Quantity};

const RULES: &str = "
    price small      when=type:doc,model:a|b      each=documents:1
    price large      when=type:doc,model:c        each=documents:3
    price deal       when=type:deal               flat=50
    price answer     when=type:llm                parts=in:1000:0.25+out:1000:1 min=0.01
    price page       when=type:page               each=pages:0.5
    price certified  when=type:page,certified:true each=pages:2
    price thirds     when=type:thirds             parts=a:3:1+b:7:1 round=up
    price most       when=type:most               parts=a:1:999999999999+b:1:999999999999
    price fine       when=type:fine               parts=a:99999999999:1+b:1:0.000000000001
    cost             when=type:llm                parts=in:1000000:2.50+out:1000000:10
    cost             when=type:page               parts=pages:1:0.004
    cost             when=type:page,certified:true parts=pages:1:0.06
    cost             when=type:deal               parts=n:3:0.000000001
";

/// A line is `price ID` or `cost`, then its keys.
fn table() -> PriceTable {
    let mut table = PriceTable::new("v1".to_owned(), Timestamp::EPOCH);
    for line in RULES.lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let get = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
        let when = when(get("when=").unwrap());
        if words[0] == "cost" {
            let one = |(measure, per, usd_nano)| CostComponent {
                measure,
                per,
                usd_nano,
            };
            let components = parts(get("parts=").unwrap(), 9).into_iter().map(one);
            table.costs.push(Cost {
                when,
                components: components.collect(),
            });
            continue;
        }
        let pico = |text: &str| scaled_from_plain(text, 12).unwrap();
        let shape = match (get("flat="), get("each=")) {
            (Some(credits), _) => Shape::Flat {
                credits_pico: pico(credits),
            },
            (None, Some(each)) => {
                let (measure, credits) = each.split_once(':').unwrap();
                Shape::PerUnit {
                    measure: measure.to_owned(),
                    credits_pico: pico(credits),
                }
            }
            (None, None) => {
                let one = |(measure, per, credits_pico)| Component {
                    measure,
                    per,
                    credits_pico,
                };
                let components = parts(get("parts=").unwrap(), 12).into_iter().map(one);
                Shape::Components(components.collect())
            }
        };
        let minimum = get("min=").map_or(0, |text| scaled_from_plain(text, 6).unwrap());
        table.prices.push(Price {
            id: words[1].to_owned(),
            task: format!("{} done", words[1]),
            unit: "unit".to_owned(),
            when,
            shape,
            minimum: Credits::from_i128(minimum).unwrap(),
            rounding: match get("round=") {
                Some("up") => Rounding::Up,
                _ => Rounding::HalfUp,
            },
        });
    }
    PriceBook::new(vec![table]).unwrap().tables()[0].clone()
}

fn when(text: &str) -> When {
    let value = |value: &str| match value {
        "true" | "false" => Match::Bool(value == "true"),
        text => Match::Text(text.to_owned()),
    };
    let condition = |part: &str| {
        let (key, values) = part.split_once(':').unwrap();
        Condition {
            key: key.to_owned(),
            any_of: values.split('|').map(value).collect(),
        }
    };
    When {
        conditions: text.split(',').map(condition).collect(),
    }
}

/// `measure:per:amount+…`
fn parts(text: &str, places: u32) -> Vec<(String, u64, i128)> {
    let part = |part: &str| {
        let words: Vec<&str> = part.split(':').collect();
        let amount = scaled_from_plain(words[2], places).unwrap();
        (words[0].to_owned(), words[1].parse().unwrap(), amount)
    };
    text.split('+').map(part).collect()
}

/// `type name=value …` as the event's type and its members.
fn explained(event: &str) -> Pricing {
    let mut words = event.split_whitespace();
    let event_type = words.next().unwrap();
    let place = |text: &str| {
        let start = text.as_ptr() as usize - event.as_ptr() as usize;
        TextSpan::new(start, start + text.len(), false)
    };
    let member = |word| {
        let (name, value): (&str, &str) = str::split_once(word, '=').unwrap();
        let value = match value {
            "true" | "false" => ValueSpan::Bool(value == "true"),
            "null" => ValueSpan::Null,
            "[]" => ValueSpan::Nested,
            text if text.starts_with('"') => ValueSpan::Text(place(text.trim_matches('"'))),
            number => ValueSpan::Number(place(number)),
        };
        MemberSpan {
            name: place(name),
            value,
        }
    };
    let spans: Vec<MemberSpan> = words.map(member).collect();
    let pricing = pricing(&table(), event_type, &Members::new(event, "", &spans));
    agrees(event, &pricing);
    pricing
}

/// The steps come to what the engine charges, and fail where it refuses.
fn agrees(event: &str, pricing: &Pricing) {
    let Pricing { matched, cost, .. } = pricing;
    let charge = matched.as_ref().map(|matched| &matched.charge);
    let is_bad = |reckoning: &Reckoning| reckoning.steps.iter().any(|step| step.count.is_err());
    let is_bad = charge.into_iter().chain(cost).any(is_bad);
    let billion = |places: u32| 10_i128.pow(9 + places);
    let is_over = |reckoning: Option<&Reckoning>| {
        reckoning.is_some_and(|sum| sum.result.is_none_or(|all| all >= billion(sum.places)))
    };
    match &pricing.rated {
        Ok(rated) => {
            let winner = &pricing.prices[rated.price];
            assert_eq!(winner.verdict, Verdict::Wins, "{event}");
            let charge = charge.and_then(|charge| charge.result);
            assert_eq!(charge, Some(i128::from(rated.charge.get())), "{event}");
            let cost = cost.as_ref().map_or(Some(0), |cost| cost.result);
            assert_eq!(cost, Some(i128::from(rated.cost.get())), "{event}");
        }
        Err(RateError::NoPrice) => assert_eq!(*matched, None, "{event}"),
        Err(RateError::BadMeasure) => assert!(is_bad, "{event}"),
        Err(RateError::Overflow) => {
            assert!(
                !is_bad && (is_over(charge) || is_over(cost.as_ref())),
                "{event}"
            );
        }
    }
}

#[test]
fn every_price_has_the_reason_why_it_applies_or_not() {
    let table = r#"
        doc model="b" documents=1       ; small     ; matches
        doc model="b" documents=1       ; large     ; model is "b", not "c"
        doc model="c" documents=1       ; small     ; model is "c", not "a" or "b"
        doc documents=1                 ; small     ; model is absent, and must be "a" or "b"
        doc model=null                  ; small     ; model is null, not "a" or "b"
        doc model=[]                    ; small     ; model is a list or object, not "a" or "b"
        doc model=7                     ; large     ; model is 7, not "c"
        doc model="c" model="a" documents=1 ; small ; matches          // the last holds
        deal                            ; small     ; type is "deal", not "doc"
        deal type="doc" model="a"       ; small     ; type is "deal", not "doc"
        page pages=2                    ; page      ; matches
        page pages=2                    ; certified ; certified is absent, and must be true
        page pages=2 certified=false    ; certified ; certified is false, not true
        page pages=2 certified="true"   ; certified ; certified is "true", not true
        page pages=2 certified=true     ; certified ; matches
        page pages=2 certified=true     ; page      ; matches too, but certified has more conditions: 2, and this one 1
        page pages=2 certified=true     ; cost 1    ; type is "page", not "llm"
        page pages=2 certified=true     ; cost 2    ; matches too, but cost 3 has more conditions: 2, and this one 1
        page pages=2 certified=true     ; cost 3    ; matches
    "#;
    let lines = table
        .lines()
        .map(|line| line.split("//").next().unwrap_or(""));
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let row: Vec<&str> = line.split(';').map(str::trim).collect();
        let pricing = explained(row[0]);
        let mut all = pricing.prices.iter().chain(&pricing.costs);
        let found = all.find(|candidate| candidate.name == row[1]).unwrap();
        assert_eq!(found.verdict.to_string(), row[2], "{line}");
    }
}

#[test]
fn long_values_are_cut() {
    let long = "é".repeat(61);
    let text = explained(&format!("doc model=\"{long}\"")).prices[1]
        .verdict
        .to_string();
    let expected = format!("model is \"{}\"…, not \"c\"", "é".repeat(60));
    assert_eq!(text, expected);
}

#[test]
fn sums_are_spelled_out() {
    // Event | steps | exact sum | rounded | with the minimum; both in microcredits.
    let table = r#"
        llm in=12800 out=900     | 12800 in × 0.25 ÷ 1000 = 3.2; 900 out × 1 ÷ 1000 = 0.9 | 4.1 | 4100000 | 4100000
        llm in=1.2E1             | 12 in (it is 1.2E1) × 0.25 ÷ 1000 = 0.003; 0 out (it is absent) × 1 ÷ 1000 = 0 | 0.003 | 3000 | 10000
        llm in="12" out=null     | 0 in (it is "12") × 0.25 ÷ 1000 = 0; 0 out (it is null) × 1 ÷ 1000 = 0 | 0 | 0 | 10000
        deal                     | 1 event × 50 = 50 | 50 | 50000000 | 50000000
        doc model="c" documents=2.5 | 2.5 documents × 3 = 7.5 | 7.5 | 7500000 | 7500000
        page pages=0.0000005     | 0 pages (it is 0.0000005) × 0.5 = 0 | 0 | 0 | 0
        thirds a=1 b=1           | 1 a × 1 ÷ 3 = 1/3; 1 b × 1 ÷ 7 = 1/7 | 10/21 | 476191 | 476191
        fine a=999999999999 b=0  | 999999999999 a × 1 ÷ 99999999999 = 111111111111/11111111111; 0 b × 0.000000000001 = 0 | 111111111111/11111111111 | 10000000 | 10000000
    "#;
    for line in table.lines().filter(|line| !line.trim().is_empty()) {
        let row: Vec<&str> = line.split('|').map(str::trim).collect();
        let charge = explained(row[0]).matched.unwrap().charge;
        assert_eq!(steps(&charge), row[1], "{line}");
        assert_eq!(charge.exact.unwrap().to_string(), row[2], "{line}");
        let amounts = [charge.rounded, charge.result].map(|amount| amount.unwrap().to_string());
        assert_eq!(amounts, row[3..], "{line}");
    }
}

fn steps(reckoning: &Reckoning) -> String {
    let told: Vec<String> = reckoning.steps.iter().map(Step::to_string).collect();
    told.join("; ")
}

#[test]
fn costs_are_spelled_out_in_dollars() {
    let cost = explained("llm in=12800 out=900").cost.unwrap();
    let told = "12800 in × 2.5 ÷ 1000000 = 0.032; 900 out × 10 ÷ 1000000 = 0.009";
    assert_eq!(steps(&cost), told);
    assert_eq!(cost.plain(cost.result.unwrap()), "0.041");
    // A third of a nano-dollar.
    let cost = explained("deal n=1").cost.unwrap();
    assert_eq!(cost.exact.unwrap().to_string(), "1/3000000000");
    assert_eq!((cost.rounded, cost.rounding), (Some(0), Rounding::HalfEven));
    assert_eq!(explained("doc model=\"a\" documents=1").cost, None);
}

#[test]
fn what_the_engine_refuses_is_told_in_the_steps() {
    let table = r#"
        other                  | no_price    |
        page                   | bad_measure | pages is absent: this price counts it, so it must be a number
        page pages="ten"       | bad_measure | pages is "ten": this price counts it, so it must be a number
        page pages=-3          | bad_measure | pages is -3: the number is negative
        llm in=1e12 out=1      | bad_measure | in is 1e12: the number is 10^12 or more; 1 out × 1 ÷ 1000 = 0.001
        deal n=-1              | bad_measure | 1 event × 50 = 50
        doc model="c" documents=999999999 | overflow | 999999999 documents × 3 = 2999999997
        most a=999999999999.999999 b=1 | overflow | 999999999999.999999 a × 999999999999 = 999999999998999999000000.000001; 1 b × 999999999999 = 999999999999
    "#;
    for line in table.lines().filter(|line| !line.trim().is_empty()) {
        let row: Vec<&str> = line.split('|').map(str::trim).collect();
        let pricing = explained(row[0]);
        let refusal = match pricing.rated {
            Ok(_) => "none",
            Err(RateError::NoPrice) => "no_price",
            Err(RateError::BadMeasure) => "bad_measure",
            Err(RateError::Overflow) => "overflow",
        };
        let told = pricing.matched.map(|matched| steps(&matched.charge));
        assert_eq!(
            (refusal, &*told.unwrap_or_default()),
            (row[1], row[2]),
            "{line}"
        );
    }
}

#[test]
fn every_wrong_column_of_a_charge_is_told() {
    let pricing = explained("page pages=3 certified=true");
    let grant = |grant_id, credits| PaidLeg {
        grant_id: Some(grant_id),
        credits: Some(Credits::new(credits)),
        delta: Some(Credits::new(-credits)),
        amount: None,
        overage: None,
    };
    let overage = |credits, amount: i64| PaidLeg {
        grant_id: None,
        credits: Some(Credits::new(credits)),
        delta: None,
        amount: Some(Money::new(amount)),
        overage: Some(Overage::Bill {
            price: Money::new(120_000_000),
        }),
    };
    let good = Charged {
        price_version: Some("v1"),
        price_id: Some("certified"),
        task: Some("certified done"),
        unit: Some("unit"),
        quantity: Some(Quantity::new(3_000_000)),
        cost_usd: Some(Money::new(180_000_000)),
        legs: vec![grant("pool", 5_000_000), overage(1_000_000, 120_000_000)],
    };
    let told = |charged: &Charged<'_>| {
        let found = differences(charged, Some(&pricing));
        found.iter().map(Difference::to_string).collect::<Vec<_>>()
    };
    assert_eq!(told(&good), [""; 0]);

    let mut bad = good.clone();
    bad.price_id = Some("page");
    bad.quantity = None;
    bad.cost_usd = Some(Money::new(12_000_000));
    bad.legs[0].delta = Some(Credits::new(-4_000_000));
    bad.legs[1] = overage(999_999, 120_000_000);
    assert_eq!(
        told(&bad),
        [
            "price_id: the ledger has page, expected certified",
            "credits: the ledger has 5.999999, expected 6.000000",
            "quantity: the ledger has nothing, expected 3.000000",
            "cost_usd: the ledger has 0.012000000, expected 0.180000000",
            "delta: the ledger has -4.000000, expected -5.000000",
            "amount: the ledger has 0.120000000, expected 0.119999880",
        ]
    );
    let without = differences(&good, None);
    let columns: Vec<&str> = without.iter().map(|one| one.column).collect();
    assert_eq!(columns, ["price_version", "credits"]);
    let refused = explained("other");
    let columns = differences(&good, Some(&refused));
    let columns: Vec<&str> = columns.iter().map(|one| one.column).collect();
    assert_eq!(columns, ["credits", "kind", "cost_usd"]);
}
