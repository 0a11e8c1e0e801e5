//! Why a statement has no answer.
//!
//! Owns the words. Leaves what fails while an answer is written to `output`.
//!
//! Invariant: a wrong name is answered with the names that there are.

use arrow::datatypes::DataType;
use datafusion::common::{Column, SchemaError, TableReference};
use datafusion::error::DataFusionError;

use super::session::TABLES;
use super::statement::{OPERATORS_MAX, SQL_BYTES_MAX};
use super::views::VIEWS;

/// Why a statement has no answer. The engine's errors tell their own causes, so they are part of
/// the message and no `source`.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    #[error("open the sql session: {0}")]
    Open(DataFusionError),
    #[error("plan the view {view}: {error}")]
    View {
        view: &'static str,
        error: DataFusionError,
    },
    #[error("the statement has {bytes} bytes, more than {SQL_BYTES_MAX}")]
    TooLong { bytes: usize },
    #[error(
        "the statement has {operators} operators and joins, more than {OPERATORS_MAX}; \
         a list can be written as `x in (…)`"
    )]
    TooDeep { operators: usize },
    #[error("{0} statements at once: give one; the prompt (without any) takes several")]
    Several(usize),
    #[error("unknown table {table}; there are {}", .tables.join(", "))]
    UnknownTable { table: String, tables: Vec<String> },
    #[error("unknown column {column}; there are {}", .columns.join(", "))]
    UnknownColumn {
        column: String,
        columns: Vec<String>,
    },
    #[error("parameter ${parameter} has no value; --param {parameter}=VALUE gives it one")]
    MissingParameter { parameter: String },
    #[error("the statement has no parameter ${parameter}; it has {}", listed(.parameters))]
    UnknownParameter {
        parameter: String,
        parameters: Vec<String>,
    },
    #[error("parameter ${parameter} = {value} cannot be read as {kind}")]
    BadParameter {
        parameter: String,
        value: String,
        kind: DataType,
    },
    #[error("plan the statement: {0}")]
    Plan(DataFusionError),
    #[error("run the statement: {0}")]
    Run(DataFusionError),
}

/// The error that names the tables that there are, if one of `tables` is none of them. Qualified
/// names (`information_schema.columns`) are left to the planner.
pub(super) fn unknown_table(tables: &[TableReference]) -> Option<SqlError> {
    let mut known: Vec<&str> = TABLES
        .into_iter()
        .chain(VIEWS.map(|(view, _)| view))
        .collect();
    known.sort_unstable();
    let table = tables.iter().find_map(|table| match table {
        TableReference::Bare { table } if !known.contains(&&**table) => Some(table.to_string()),
        _ => None,
    })?;
    Some(SqlError::UnknownTable {
        table,
        tables: known.into_iter().map(str::to_owned).collect(),
    })
}

/// The error of planning: names the columns when one of them is unknown.
pub(super) fn plan_error(error: DataFusionError) -> SqlError {
    if let DataFusionError::SchemaError(schema, _) = error.find_root()
        && let SchemaError::FieldNotFound {
            field,
            valid_fields,
        } = schema.as_ref()
    {
        let mut columns: Vec<String> = valid_fields.iter().map(Column::flat_name).collect();
        columns.sort_unstable();
        return SqlError::UnknownColumn {
            column: field.flat_name(),
            columns,
        };
    }
    SqlError::Plan(error)
}

/// The error of starting a plan.
pub(super) fn run_error(error: DataFusionError) -> SqlError {
    match plan_error(error) {
        SqlError::Plan(error) => SqlError::Run(error),
        named => named,
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}
