//! Checking a statement before it is planned, and filling in its parameters.
//!
//! Owns how large a statement may be and how a parameter's text becomes a value. Leaves planning to
//! `session`.
//!
//! Invariant: a chain of operators that passes is planned within the two megabytes of stack that a
//! worker thread has (a test holds it so).

use std::collections::HashMap;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::dialect::Dialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::error::SqlError;

/// Longest statement that is planned: room for a list of a thousand ids.
pub(super) const SQL_BYTES_MAX: usize = 64 * 1024;

/// Most operators and joins in a statement. A chain of them nests as deep as it is long, planning
/// follows it on the stack, and an overflow would end the process, not the statement.
pub(super) const OPERATORS_MAX: usize = 200;

/// Refuses a statement that planning could not hold; `dialect` is the one it is parsed by.
pub(super) fn check_size(sql: &str, dialect: &dyn Dialect) -> Result<(), SqlError> {
    if sql.len() > SQL_BYTES_MAX {
        return Err(SqlError::TooLong { bytes: sql.len() });
    }
    // What is no token is left to the parser, which says so better.
    let tokens = Tokenizer::new(dialect, sql).tokenize().unwrap_or_default();
    let operators = tokens.iter().filter(|token| nests(token)).count();
    if operators > OPERATORS_MAX {
        Err(SqlError::TooDeep { operators })
    } else {
        Ok(())
    }
}

/// Whether a chain of such tokens makes a tree of its depth. Brackets are left to the parser, which
/// counts them.
fn nests(token: &Token) -> bool {
    use Keyword::{AND, AT, BETWEEN, EXCEPT, ILIKE, INTERSECT, IS, JOIN, LIKE, OR, UNION};
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            AND | AT | BETWEEN | EXCEPT | ILIKE | INTERSECT | IS | JOIN | LIKE | OR | UNION
        ),
        Token::Whitespace(_) | Token::Comma | Token::Period | Token::LParen | Token::RParen => {
            false
        }
        Token::Number(..) | Token::SingleQuotedString(_) | Token::Placeholder(_) => false,
        _ => true,
    }
}

/// Fills in the parameters of `plan`; see [`super::session::Session::run`] for their types.
pub(super) fn with_params(
    plan: LogicalPlan,
    params: &[(String, String)],
) -> Result<LogicalPlan, SqlError> {
    // Fails where one parameter is compared with two types; then its looks decide.
    let kinds = plan.get_parameter_types().unwrap_or_default();
    let mut names: Vec<String> = plan
        .get_parameter_names()
        .map_err(SqlError::Plan)?
        .into_iter()
        .map(|name| name.trim_start_matches('$').to_owned())
        .collect();
    names.sort_unstable();
    let mut values = HashMap::new();
    for (name, text) in params {
        if !names.contains(name) {
            return Err(SqlError::UnknownParameter {
                parameter: name.clone(),
                parameters: names,
            });
        }
        let kind = match kinds.get(&format!("${name}")) {
            Some(Some(kind)) => kind.clone(),
            _ => kind_by_looks(text),
        };
        let value = ScalarValue::try_from_string(text.clone(), &kind).map_err(|_| {
            let (parameter, value) = (name.clone(), text.clone());
            SqlError::BadParameter {
                parameter,
                value,
                kind,
            }
        })?;
        values.insert(name.clone(), value);
    }
    if let Some(parameter) = names.into_iter().find(|name| !values.contains_key(name)) {
        return Err(SqlError::MissingParameter { parameter });
    }
    if values.is_empty() {
        return Ok(plan);
    }
    plan.with_param_values(ParamValues::from(values))
        .map_err(SqlError::Plan)
}

/// The type of a value that is compared with nothing: the first that its text can be read as.
fn kind_by_looks(text: &str) -> DataType {
    let reads_as = |kind: &DataType| ScalarValue::try_from_string(text.to_owned(), kind).is_ok();
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let digits = text.strip_prefix('-').unwrap_or(text);
    let numeric = digits.starts_with(|first: char| first.is_ascii_digit());
    let plain = numeric && digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    let places = digits.split_once('.').map_or(0, |(_, places)| places.len());
    if plain && places == 0 && reads_as(&DataType::Int64) {
        DataType::Int64
    } else if plain && places <= 12 && reads_as(&DataType::Decimal128(28, places as i8)) {
        DataType::Decimal128(28, places as i8)
    } else if numeric && text.len() == 10 && reads_as(&DataType::Date32) {
        DataType::Date32
    } else if numeric && text.len() > 10 && reads_as(&time) {
        time
    } else {
        DataType::Utf8
    }
}
