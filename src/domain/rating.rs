//! Rating: an event's type and members in, its price, quantity, charge and cost out.
//!
//! Owns the rounding, the minimum and the bounds. Leaves choosing a version to the caller and
//! moving a balance to `wallet`.
//!
//! Invariant: no clock, no I/O, no float and no allocation once `scratch` has grown to the largest
//! table, so that a replay charges the same to the microcredit, and fast.

use super::decimal::{Rounding, divide};
use super::event::Members;
use super::price::{BadMeasure, Cell, PriceTable};
use super::units::{Credits, MICROS, Money, NANOS, Quantity};

/// Charges are below this many credits, costs below this many dollars.
const BOUND: i128 = 1_000_000_000;

/// Memory that rating reuses from event to event.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    cells: Vec<Cell>,
}

/// What an event comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rated {
    /// The price's place in the table.
    pub price: usize,
    /// Of the price's unit; one an event unless the price names a measure.
    pub quantity: Quantity,
    pub charge: Credits,
    /// In dollars; zero where no cost matches.
    pub cost: Money,
}

/// Why an event has no charge, in the order in which the checks are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    #[error("no price matches")]
    NoPrice,
    #[error("a measure that the price or cost names is missing, negative or too large")]
    BadMeasure,
    #[error("the charge or cost is 10^9 or more")]
    Overflow,
}

impl From<BadMeasure> for RateError {
    fn from(_: BadMeasure) -> Self {
        Self::BadMeasure
    }
}

/// Rates an event by `table`, which comes out of a price book.
///
/// Rounding: the charge as its price says, to the microcredit, and the cost half even, to the
/// nano-dollar; each once, here and nowhere later, so that invoice lines add up to the wallet's
/// debits exactly. The price's minimum comes after the rounding and lifts a zero too.
///
/// # Errors
///
/// No price matches; or the price or cost that does names a bad measure; or else the charge or
/// the cost is 10^9 or more.
pub fn rate(
    table: &PriceTable,
    event_type: &str,
    members: &Members<'_>,
    scratch: &mut Scratch,
) -> Result<Rated, RateError> {
    let index = &table.index;
    let cells = &mut scratch.cells;
    cells.clear();
    cells.resize(index.cells(), Cell::Absent);
    for (name, value) in members.iter() {
        if let Some((at, cell)) = index.cell(name, value) {
            cells[at] = cell;
        }
    }
    let event_type = index.event_type(event_type);
    let (place, rule) = index
        .prices
        .first(event_type, cells)
        .ok_or(RateError::NoPrice)?;
    let quantity = match rule.quantity.map(|at| cells[at]) {
        None => Quantity::new(MICROS),
        Some(Cell::Measure(quantity)) => quantity,
        Some(_) => return Err(RateError::BadMeasure),
    };
    let dividend = rule.formula.dividend(cells)?;
    let costs = match index.costs.first(event_type, cells) {
        None => Some((0, 1)),
        Some((_, cost)) => cost
            .formula
            .dividend(cells)?
            .map(|sum| (sum, cost.formula.divisor)),
    };

    let price = &table.prices[place];
    let dividend = dividend.ok_or(RateError::Overflow)?;
    let rounded = divide(dividend, rule.formula.divisor, price.rounding);
    let charge = rounded.max(i128::from(price.minimum.get()));
    let (costs, divisor) = costs.ok_or(RateError::Overflow)?;
    let cost = divide(costs, divisor, Rounding::HalfEven);
    if charge >= BOUND * i128::from(MICROS) || cost >= BOUND * i128::from(NANOS) {
        return Err(RateError::Overflow);
    }
    let charge = Credits::from_i128(charge).ok_or(RateError::Overflow)?;
    let cost = Money::from_i128(cost).ok_or(RateError::Overflow)?;
    Ok(Rated {
        price: place,
        quantity,
        charge,
        cost,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decimal::scaled_from_plain;
    use crate::domain::event::{MemberSpan, TextSpan, ValueSpan};
    use crate::domain::price::{
        Component, Condition, Cost, CostComponent, Match, Price, PriceBook, Shape, When,
    };
    use crate::domain::units::Timestamp;

    fn when(text: &str) -> When {
        let value = |value: &str| match value {
            "true" | "false" => Match::Bool(value == "true"),
            text => Match::Text(text.trim_matches('"').to_owned()),
        };
        let condition = |part: &str| {
            let (key, values) = part.split_once(':')?;
            Some(Condition {
                key: key.to_owned(),
                any_of: values.split('|').map(value).collect(),
            })
        };
        When {
            conditions: text.split(',').filter_map(condition).collect(),
        }
    }

    /// `measure:per:amount+…`
    fn parts(text: &str, places: u32) -> impl Iterator<Item = (String, u64, i128)> {
        text.split('+').map(move |part| {
            let words: Vec<&str> = part.split(':').collect();
            let amount = scaled_from_plain(words[2], places).unwrap();
            (words[0].to_owned(), words[1].parse().unwrap(), amount)
        })
    }

    /// A line is `price` or `cost` and its keys: `when=` with `flat=`, `each=` or `parts=`.
    fn table(text: &str) -> PriceTable {
        let mut table = PriceTable::new("v1".to_owned(), Timestamp::EPOCH);
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let get = |key: &str| {
                line.split_whitespace()
                    .find_map(|word| word.strip_prefix(key))
            };
            let pico = |text: &str| scaled_from_plain(text, 12).unwrap();
            if line.trim().starts_with("cost") {
                let one = |(measure, per, usd_nano)| CostComponent {
                    measure,
                    per,
                    usd_nano,
                };
                table.costs.push(Cost {
                    when: when(get("when=").unwrap()),
                    components: parts(get("parts=").unwrap(), 9).map(one).collect(),
                });
                continue;
            }
            let one = |(measure, per, credits_pico)| Component {
                measure,
                per,
                credits_pico,
            };
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
                    Shape::Components(parts(get("parts=").unwrap(), 12).map(one).collect())
                }
            };
            let all = [
                Rounding::Up,
                Rounding::Down,
                Rounding::HalfUp,
                Rounding::HalfEven,
            ];
            let named = |word| all.into_iter().find(|one| one.to_string() == word);
            let minimum = get("min=").map_or(0, |text| scaled_from_plain(text, 6).unwrap());
            table.prices.push(Price {
                id: format!("p{}", table.prices.len()),
                task: "task".to_owned(),
                unit: "unit".to_owned(),
                when: when(get("when=").unwrap()),
                shape,
                minimum: Credits::from_i128(minimum).unwrap(),
                rounding: get("round=").and_then(named).unwrap_or_default(),
            });
        }
        PriceBook::new(vec![table]).unwrap().tables()[0].clone()
    }

    /// `type name=value …` as the event's type and its members.
    fn rate_event(table: &PriceTable, event: &str, scratch: &mut Scratch) -> String {
        let mut words = event.split_whitespace();
        let event_type = words.next().unwrap();
        let place = |text: &str| {
            let start = text.as_ptr() as usize - event.as_ptr() as usize;
            TextSpan::new(start, start + text.len(), false)
        };
        let spans: Vec<MemberSpan> = words
            .map(|word| {
                let (name, value) = word.split_once('=').unwrap();
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
            })
            .collect();
        let members = Members::new(event, "", &spans);
        match rate(table, event_type, &members, scratch) {
            Ok(Rated {
                price,
                quantity,
                charge,
                cost,
            }) => {
                format!("p{price} {quantity} {charge} {cost}")
            }
            Err(RateError::NoPrice) => "no_price".to_owned(),
            Err(RateError::BadMeasure) => "bad_measure".to_owned(),
            Err(RateError::Overflow) => "overflow".to_owned(),
        }
    }

    /// Rows are `event -> price quantity charge cost`, with a comment after `//`.
    fn check(rules: &str, rows: &str) {
        let table = table(rules);
        let mut scratch = Scratch::default();
        let lines = rows
            .lines()
            .map(|line| line.split("//").next().unwrap_or(""));
        for line in lines.filter(|line| !line.trim().is_empty()) {
            let (event, expected) = line.split_once("->").unwrap();
            let got = rate_event(&table, event.trim(), &mut scratch);
            assert_eq!(
                got,
                expected.split_whitespace().collect::<Vec<_>>().join(" "),
                "{line}"
            );
        }
    }

    #[test]
    fn counts_units_events_and_components() {
        check(
            "price when=type:doc each=documents:1.5
             price when=type:scan flat=3
             price when=type:llm parts=in:1000:0.25+out:1000:1 min=0.01
             cost when=type:llm parts=in:1000000:2.50+out:1000000:10",
            "doc documents=3                -> p0 3.000000 4.500000 0.000000000
             doc documents=0                -> p0 0.000000 0.000000 0.000000000
             doc documents=0.5              -> p0 0.500000 0.750000 0.000000000
             doc documents=1E3              -> p0 1000.000000 1500.000000 0.000000000
             doc                            -> bad_measure   // quantity must be there
             doc documents=\"3\"            -> bad_measure
             doc documents=true             -> bad_measure
             doc documents=null             -> bad_measure
             doc documents=[]               -> bad_measure
             doc documents=-1               -> bad_measure
             doc documents=1e12             -> bad_measure
             doc documents=-0               -> p0 0.000000 0.000000 0.000000000
             doc documents=1 documents=2    -> p0 2.000000 3.000000 0.000000000   // last holds
             doc documents=1 documents=null -> bad_measure
             doc documents=null documents=1 -> p0 1.000000 1.500000 0.000000000
             scan                           -> p1 1.000000 3.000000 0.000000000
             scan in=-5                     -> p1 1.000000 3.000000 0.000000000   // not named here
             llm in=12800 out=900           -> p2 1.000000 4.100000 0.041000000
             llm in=12800                   -> p2 1.000000 3.200000 0.032000000
             llm in=\"12800\" out=null      -> p2 1.000000 0.010000 0.000000000   // minimum
             llm                            -> p2 1.000000 0.010000 0.000000000
             llm in=10 out=-1               -> bad_measure
             llm in=1e99                    -> bad_measure
             other                          -> no_price
             other documents=-1             -> no_price",
        );
    }

    #[test]
    fn components_of_different_per_round_once() {
        check(
            "price when=type:up parts=a:3:1+b:7:1 round=up
             price when=type:down parts=a:3:1+b:7:1 round=down
             price when=type:half parts=a:3:0.000001+b:6:0.000001
             price when=type:even parts=a:2:0.000001 round=half_even
             price when=type:hup parts=a:2:0.000001 round=half_up
             price when=type:flat flat=0.0000015 round=half_even
             price when=type:tiny parts=a:100000000000:0.000000000001 round=up
             cost when=type:even parts=a:2:0.000000001
             cost when=type:half parts=a:3:0.000000001+b:6:0.000000001",
            "up a=1 b=1     -> p0 1.000000 0.476191 0.000000000   // 10/21
             down a=1 b=1   -> p1 1.000000 0.476190 0.000000000
             up a=3 b=7     -> p0 1.000000 2.000000 0.000000000
             half a=1 b=1   -> p2 1.000000 0.000001 0.000000000   // a half; its cost to the even 0
             half a=1       -> p2 1.000000 0.000000 0.000000000
             half a=4 b=1   -> p2 1.000000 0.000002 0.000000002   // 1.5 both
             even a=1       -> p3 1.000000 0.000000 0.000000000
             even a=3       -> p3 1.000000 0.000002 0.000000002
             hup a=1        -> p4 1.000000 0.000001 0.000000000
             flat           -> p5 1.000000 0.000002 0.000000000
             tiny a=0.000001 -> p6 1.000000 0.000001 0.000000000
             tiny           -> p6 1.000000 0.000000 0.000000000",
        );
    }

    #[test]
    fn most_conditions_win_and_values_keep_their_type() {
        check(
            "price when=- flat=1
             price when=type:llm flat=2
             price when=type:llm|chat,model:a|b flat=3
             price when=type:llm,model:a,stream:true flat=4
             price when=type:llm,stream:\"true\",model:b flat=5
             price when=type:other,tier:gold flat=6
             cost when=- parts=n:1:1
             cost when=model:a parts=n:1:2",
            "other n=1                          -> p0 1.000000 1.000000 1.000000000
             other tier=\"gold\"                -> p5 1.000000 6.000000 0.000000000
             chat                               -> p0 1.000000 1.000000 0.000000000
             chat model=\"b\"                   -> p2 1.000000 3.000000 0.000000000
             llm                                -> p1 1.000000 2.000000 0.000000000
             llm model=\"c\"                    -> p1 1.000000 2.000000 0.000000000
             llm model=\"a\" n=1                -> p2 1.000000 3.000000 2.000000000
             llm model=\"a\" stream=true        -> p3 1.000000 4.000000 0.000000000
             llm model=\"a\" stream=\"true\"    -> p2 1.000000 3.000000 0.000000000
             llm model=\"b\" stream=\"true\"    -> p4 1.000000 5.000000 0.000000000
             llm model=\"b\" stream=true        -> p2 1.000000 3.000000 0.000000000
             llm model=\"b\" model=1            -> p1 1.000000 2.000000 0.000000000
             llm model=null model=\"a\"         -> p2 1.000000 3.000000 0.000000000
             x n=-1                             -> bad_measure   // the cost names it",
        );
    }

    #[test]
    fn charges_and_costs_stay_below_a_thousand_million() {
        check(
            "price when=type:each each=n:1
             price when=type:dear each=n:999999999999
             price when=type:sum parts=a:1:999999999999+b:1:999999999999
             price when=type:min flat=0 min=999999999.999999
             price when=type:top flat=0 min=1000000000
             price when=type:round flat=999999999.9999995
             price when=type:fine parts=a:99999999999:1+b:1:0.000000000001
             price when=type:cost flat=1
             cost when=type:cost parts=n:1000000:1000+bad:1:1
             cost when=type:dear parts=bad:1:1",
            "each n=999999999.999999   -> p0 999999999.999999 999999999.999999 0.000000000
             each n=1000000000         -> overflow
             each n=999999999999.99999 -> overflow
             dear n=0.000001           -> p1 0.000001 999999.999999 0.000000000
             dear n=0.001              -> p1 0.001000 999999999.999000 0.000000000
             dear n=0.001001           -> overflow
             dear n=999999999999       -> overflow
             dear n=999999999999 bad=-1 -> bad_measure   // goes before overflow
             sum a=999999999999 b=999999999999 -> overflow
             sum a=0.0001 b=0.0001     -> p2 1.000000 199999999.999800 0.000000000
             min                       -> p3 1.000000 999999999.999999 0.000000000
             top                       -> overflow
             round                     -> overflow   // by rounding
             fine a=999999999999 b=999999999999 -> p6 1.000000 11.000000 0.000000000
             cost n=999999999999       -> p7 1.000000 1.000000 999999999.999000000
             cost n=999999999999.9999999 -> bad_measure
             cost n=999999999999.999999 -> p7 1.000000 1.000000 999999999.999999999
             cost n=1 bad=999999999    -> p7 1.000000 1.000000 999999999.001000000
             cost bad=1000000000       -> overflow
             cost bad=1000000000 n=-1  -> bad_measure",
        );
    }
}
