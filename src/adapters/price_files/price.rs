//! The prices and costs of a price file.
//!
//! Owns their keys and conditions. Leaves single values to `form`, and which of them clash to
//! `domain::price`.
//!
//! Invariant: nothing comes back for an item that has a fault, which was then told.

use toml_edit::{Item, Value};

use super::form::{Field, Form, Reader, Section};
use super::keys::{COMPONENTS, COST_COMPONENTS, CREDITS, PRICE, USD};
use crate::domain::decimal::Rounding;
use crate::domain::price::{
    Component, Condition, Cost, CostComponent, EVENT_TYPE, Match, Price, Shape, When,
};
use crate::domain::units::Credits;

/// Reads one `[[price]]`.
pub(super) fn price<'a>(reader: &mut Reader<'a>, section: Section<'a>) -> Option<Price> {
    let id = reader.required_text(section, "id");
    let task = reader.required_text(section, "task");
    let unit = reader.required_text(section, "unit");
    let when = when(reader, section);
    let shape = shape(reader, section);
    let minimum = reader.unless_absent(section, "minimum", |reader, field| {
        Credits::from_i128(reader.amount(field, CREDITS)?)
    });
    let rounding = reader.unless_absent(section, "rounding", rounding);
    Some(Price {
        id: id?,
        task: task?,
        unit: unit?,
        when: when?,
        shape: shape?,
        minimum: minimum?.unwrap_or(Credits::ZERO),
        rounding: rounding?.unwrap_or_default(),
    })
}

fn shape<'a>(reader: &mut Reader<'a>, section: Section<'a>) -> Option<Shape> {
    let quantity = reader.optional(section, "quantity");
    let components = reader.optional(section, "components");
    if let Some(field) = components {
        for key in ["credits", "quantity"] {
            if let Some(extra) = reader.optional(section, key) {
                let message = format!(
                    "`{key}` does not go with `components`; take one of the two out of this price"
                );
                reader.tell(extra.at, message);
            }
        }
        let components = components_of(reader, field, &COMPONENTS, |reader, one, measure, per| {
            let credits = reader.required(one, "credits")?;
            let credits_pico = reader.amount(credits, PRICE)?;
            Some(Component {
                measure,
                per,
                credits_pico,
            })
        });
        return components.map(Shape::Components);
    }
    if reader.optional(section, "credits").is_none() && section.table.contains_key("tiers") {
        return None; // what is missing is the key that was just refused
    }
    let credits = reader.required(section, "credits");
    let credits_pico = credits.and_then(|field| reader.amount(field, PRICE));
    match quantity {
        None => Some(Shape::Flat {
            credits_pico: credits_pico?,
        }),
        Some(field) => {
            let measure = reader.text(field)?.to_owned();
            Some(Shape::PerUnit {
                measure,
                credits_pico: credits_pico?,
            })
        }
    }
}

/// The components of a price or cost, at least one; none when one of them has a fault.
fn components_of<'a, T>(
    reader: &mut Reader<'a>,
    field: Field<'a>,
    form: &'static Form,
    read: impl Fn(&mut Reader<'a>, Section<'a>, String, u64) -> Option<T>,
) -> Option<Vec<T>> {
    let faults_before = reader.faults.len();
    let sections = reader.sections(field, form);
    if sections.is_empty() && reader.faults.len() == faults_before {
        reader.tell(
            field.at,
            format!("`components` is empty; write at least one {}", form.name),
        );
    }
    let mut all = Vec::new();
    for section in sections {
        let measure = reader.required_text(section, "measure");
        let per = reader.required(section, "per");
        let per = per.and_then(|field| reader.integer(field, 1..=i64::MAX));
        // The amount is looked at even when the rest has faults, so that these are told at once.
        let one = read(
            reader,
            section,
            measure.unwrap_or_default(),
            per.unwrap_or(1) as u64,
        );
        all.extend(one);
    }
    (reader.faults.len() == faults_before).then_some(all)
}

fn rounding<'a>(reader: &mut Reader<'a>, field: Field<'a>) -> Option<Rounding> {
    let all = [
        Rounding::Up,
        Rounding::Down,
        Rounding::HalfUp,
        Rounding::HalfEven,
    ];
    let text = reader.text(field)?;
    let rounding = all
        .into_iter()
        .find(|rounding| rounding.to_string() == text);
    if rounding.is_none() {
        let words = all.map(|rounding| format!("\"{rounding}\"")).join(", ");
        reader.tell(
            field.at,
            format!("`rounding` {text:?} is unknown; write one of {words}"),
        );
    }
    rounding
}

/// Reads one `[[cost]]`.
pub(super) fn cost<'a>(reader: &mut Reader<'a>, section: Section<'a>) -> Option<Cost> {
    let when = when(reader, section);
    let components = reader.required(section, "components")?;
    let components = components_of(reader, components, &COST_COMPONENTS, cost_component)?;
    Some(Cost {
        when: when?,
        components,
    })
}

fn cost_component<'a>(
    reader: &mut Reader<'a>,
    section: Section<'a>,
    measure: String,
    per: u64,
) -> Option<CostComponent> {
    let usd = reader.required(section, "usd")?;
    let usd_nano = reader.amount(usd, USD)?;
    Some(CostComponent {
        measure,
        per,
        usd_nano,
    })
}

/// The conditions; an absent `when` has none and so holds for every event.
fn when<'a>(reader: &mut Reader<'a>, section: Section<'a>) -> Option<When> {
    let Some(field) = reader.optional(section, "when") else {
        return Some(When::default());
    };
    let Some(table) = field.item.as_table_like() else {
        reader.wrong_type(field, "a table");
        return None;
    };
    let faults_before = reader.faults.len();
    let section = Section {
        table,
        at: field.at,
        ..section
    };
    let mut conditions = Vec::new();
    for (key, _) in table.iter() {
        if let Some(field) = reader.optional(section, key) {
            let any_of = matches(reader, field);
            conditions.push(Condition {
                key: key.to_owned(),
                any_of,
            });
        }
    }
    (reader.faults.len() == faults_before).then_some(When { conditions })
}

/// The values of one condition: a string, a boolean or a list of them.
fn matches<'a>(reader: &mut Reader<'a>, field: Field<'a>) -> Vec<Match> {
    let values: Vec<&Value> = match field.item {
        Item::Value(Value::Array(array)) => array.iter().collect(),
        Item::Value(value) => vec![value],
        Item::None | Item::Table(_) | Item::ArrayOfTables(_) => {
            let message = format!(
                "the condition on `{}` is a table; {}",
                field.key, HOW_TO_MATCH
            );
            reader.tell(field.at, message);
            return Vec::new();
        }
    };
    if values.is_empty() {
        let message = format!(
            "the condition on `{}` allows nothing; {HOW_TO_MATCH}",
            field.key
        );
        reader.tell(field.at, message);
    }
    let mut any_of = Vec::new();
    for value in values {
        let at = value.span().map_or(field.at, |span| span.start);
        match value {
            Value::String(text) => any_of.push(Match::Text(text.value().clone())),
            Value::Boolean(_) if field.key == EVENT_TYPE => {
                let message =
                    "`type` is the event's type; write a string: type = \"llm.completion\"";
                reader.tell(at, message.to_owned());
            }
            Value::Boolean(value) => any_of.push(Match::Bool(*value.value())),
            other => {
                let (key, given) = (field.key, other.type_name());
                let message =
                    format!("the condition on `{key}` has a value of type {given}; {HOW_TO_MATCH}");
                reader.tell(at, message);
            }
        }
    }
    any_of
}

const HOW_TO_MATCH: &str =
    "write a string, a boolean or a list of them, e.g. model = [\"gpt-4o\", \"claude-opus\"]";
