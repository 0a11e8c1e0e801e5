//! Price tables as text.
//!
//! `version v1 from=2026-10-01 default=starter window_days=35 future_minutes=5 grace_hours=24`
//! begins a version as a copy of the one before; `price`, `cost` and `plan` lines add to it, or
//! replace what has their name:
//! `price docs type=usage each=docs:1` (or `flat=0.5`) `min=0.01 round=up`,
//! `cost usage docs:0.02`, `plan starter fee=99 pool=1000 used=50,80,100 run_out=7 expiring=7
//! bill=0.12 rollover=200:1`; without `used` (which may be empty) it has no alerts but `status`.

use super::line::{instant, meant};
use crate::domain::decimal::{Rounding, scaled_from_plain};
use crate::domain::price::{
    Alerts, Condition, Cost, CostComponent, EVENT_TYPE, Match, Overage, Plan, Price, PriceBook,
    PriceTable, Rollover, Shape, When, thresholds,
};
use crate::domain::units::{
    Credits, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, Money, Timestamp,
};

pub(super) fn book(text: &str) -> PriceBook {
    let mut tables: Vec<PriceTable> = Vec::new();
    for line in meant(text) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words[0] == "version" {
            let first = || PriceTable::new(String::new(), Timestamp::EPOCH);
            let mut table = tables.last().cloned().unwrap_or_else(first);
            version(&mut table, words[1], line);
            tables.push(table);
            continue;
        }
        let table = tables.last_mut().expect("a version comes first");
        match words[0] {
            "price" => {
                table.prices.retain(|price| price.id != words[1]);
                table.prices.push(price(words[1], line));
            }
            "cost" => table.costs.push(cost(words[1], words[2])),
            "plan" => {
                table.plans.retain(|plan| plan.id != words[1]);
                table.plans.push(plan(words[1], line));
            }
            other => panic!("{other}"),
        }
    }
    PriceBook::new(tables).expect("good prices")
}

fn version(table: &mut PriceTable, name: &str, line: &str) {
    table.version = name.to_owned();
    let (date, time) = get(line, "from")
        .map(|at| at.split_once('T').unwrap_or((at, "00:00")))
        .unwrap();
    table.effective_from = instant(date, time);
    if let Some(plan) = get(line, "default") {
        table.default_plan = Some(plan.to_owned()).filter(|plan| plan != "none");
    }
    let rule = |key, unit: i64| get(line, key).map(|count| count.parse::<i64>().unwrap() * unit);
    let rules = &mut table.rules;
    rules.window = rule("window_days", MICROS_PER_DAY).unwrap_or(rules.window);
    rules.future = rule("future_minutes", MICROS_PER_MINUTE).unwrap_or(rules.future);
    rules.grace = rule("grace_hours", MICROS_PER_HOUR).unwrap_or(rules.grace);
}

fn price(id: &str, line: &str) -> Price {
    let shape = match (get(line, "flat"), get(line, "each")) {
        (Some(credits), _) => Shape::Flat {
            credits_pico: scaled(credits, 12),
        },
        (None, each) => {
            let (measure, credits) = each.unwrap().split_once(':').unwrap();
            Shape::PerUnit {
                measure: measure.to_owned(),
                credits_pico: scaled(credits, 12),
            }
        }
    };
    Price {
        id: id.to_owned(),
        task: format!("{id} task"),
        unit: id.to_owned(),
        when: when(get(line, "type").unwrap()),
        shape,
        minimum: Credits::new(get(line, "min").map_or(0, |text| scaled(text, 6) as i64)),
        rounding: Rounding::HalfUp,
    }
}

fn cost(event_type: &str, part: &str) -> Cost {
    let (measure, usd) = part.split_once(':').unwrap();
    let component = CostComponent {
        measure: measure.to_owned(),
        per: 1,
        usd_nano: scaled(usd, 9),
    };
    Cost {
        when: when(event_type),
        components: vec![component],
    }
}

fn plan(id: &str, line: &str) -> Plan {
    let percents = get(line, "used").filter(|text| !text.is_empty());
    let percents = percents.map(|text| text.split(',').map(|p| p.parse().unwrap()));
    let days = |key| get(line, key).map(|text| text.parse().unwrap());
    let percents: Vec<i64> = percents.into_iter().flatten().collect();
    let bill = get(line, "bill").map(|text| Money::new(scaled(text, 9) as i64));
    Plan {
        id: id.to_owned(),
        name: id.to_owned(),
        fee: Money::new(scaled(get(line, "fee").unwrap(), 9) as i64),
        currency: get(line, "currency").unwrap_or("USD").to_owned(),
        pool: Credits::new(scaled(get(line, "pool").unwrap(), 6) as i64),
        alerts: Alerts {
            used: thresholds(&percents).unwrap(),
            overage: get(line, "used").is_some(),
            run_out_within: days("run_out"),
            expiring_within: days("expiring"),
        },
        rollover: get(line, "rollover").map(|text| {
            let (max, periods) = text.split_once(':').unwrap();
            Rollover {
                max: Credits::new(scaled(max, 6) as i64),
                periods: periods.parse().unwrap(),
            }
        }),
        overage: bill.map_or(Overage::Block, |price| Overage::Bill { price }),
    }
}

fn when(event_type: &str) -> When {
    let any_of = vec![Match::Text(event_type.to_owned())];
    When {
        conditions: vec![Condition {
            key: EVENT_TYPE.to_owned(),
            any_of,
        }],
    }
}

fn get<'t>(line: &'t str, key: &str) -> Option<&'t str> {
    line.split_whitespace()
        .find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}

fn scaled(text: &str, places: u32) -> i128 {
    scaled_from_plain(text, places).unwrap()
}
