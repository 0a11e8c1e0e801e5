//! What stands before every statement of a connection.
//!
//! Owns which statements pass, and showing the user's tables in their newest state. Leaves running
//! the statement to the server.
//!
//! Invariant: a statement that could write, or read files, is refused before it is planned.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::DataType;
use async_trait::async_trait;
use datafusion::common::{ParamValues, TableReference};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::{ColumnarValue, LogicalPlan, ScalarUDF, Volatility, create_udf};
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast::{
    FetchDirection, Query, Select, SetExpr, Statement, Value, ValueWithSpan, Visit, Visitor,
};
use datafusion_postgres::QueryHook;
use datafusion_postgres::hooks::HookClient;
use datafusion_postgres::pgwire::api::results::Response;
use datafusion_postgres::pgwire::api::{ClientInfo, METADATA_USER};
use datafusion_postgres::pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use tokio::sync::Mutex;

use super::expansion::excess;
use super::latest::{Pin, Source};
use super::login::User;
use crate::adapters::sql::error::SqlError;
use crate::adapters::sql::session::{context_on, register, register_views};

/// What only those see who see everything.
const HIDDEN_COLUMNS: [&str; 2] = ["cost_usd", "data"];
const HIDDEN_VIEWS: [&str; 1] = ["margin_by_task"];

/// Most rows of a `FETCH`, for all of which room is made beforehand.
const FETCH_ROWS_MAX: usize = 100_000;

/// `read_only_sql_transaction`
const READ_ONLY: &str = "25006";
/// `feature_not_supported`
const NOT_SUPPORTED: &str = "0A000";
/// `statement_too_complex`
pub(super) const TOO_COMPLEX: &str = "54001";
/// `system_error`
const SYSTEM: &str = "58000";

/// The guard of one connection.
pub(super) struct Guard {
    source: Arc<dyn Source>,
    runtime: Arc<RuntimeEnv>,
    /// Once the user's tables are registered.
    pin: Mutex<Option<Arc<Pin>>>,
}

impl Guard {
    pub(super) fn new(source: Arc<dyn Source>, runtime: Arc<RuntimeEnv>) -> Self {
        Self {
            source,
            runtime,
            pin: Mutex::new(None),
        }
    }

    /// Lets a statement pass, which then sees the newest state.
    async fn pass(
        &self,
        statement: &Statement,
        context: &SessionContext,
        client: &(impl ClientInfo + Sync + ?Sized),
    ) -> PgWireResult<()> {
        if !only_reads(statement) {
            let told = "only what reads is answered: SELECT, EXPLAIN, SHOW";
            return Err(error(READ_ONLY, told.to_owned()));
        }
        if !is_small_fetch(statement) {
            let told = format!("FETCH holds its rows: name at most {FETCH_ROWS_MAX}");
            return Err(error(TOO_COMPLEX, told));
        }
        if let Some(told) = excess(statement) {
            return Err(error(TOO_COMPLEX, told));
        }
        let failed = |fault: &dyn std::fmt::Display| {
            tracing::warn!(%fault, "the data can't be read");
            error(SYSTEM, format!("the data can't be read: {fault}"))
        };
        let snapshot = self.source.newest().await;
        let snapshot = snapshot.map_err(|fault| failed(&fault))?;
        let mut pin = self.pin.lock().await;
        match &*pin {
            Some(pin) => pin.set(snapshot),
            None => {
                let name = client.metadata().get(METADATA_USER);
                let user = name.and_then(|name| User::named(name));
                let new = Arc::new(Pin::new(snapshot));
                let shown = self.show(context, &new, user == Some(User::Purser)).await;
                shown.map_err(|fault| failed(&fault))?;
                context.register_udf(session_user(name.cloned()));
                *pin = Some(new);
            }
        }
        Ok(())
    }

    /// Registers the tables and views, for some without what is hidden.
    async fn show(
        &self,
        context: &SessionContext,
        pin: &Arc<Pin>,
        sees_all: bool,
    ) -> Result<(), SqlError> {
        if sees_all {
            return show_all(context, pin).await;
        }
        // The views need the hidden columns; so they are made where nobody can ask for these.
        let whole = context_on(Arc::clone(&self.runtime));
        show_all(&whole, pin).await?;
        for name in names(&whole) {
            if HIDDEN_VIEWS.contains(&&*name) {
                continue;
            }
            let frame = whole.table(&*name).await.map_err(SqlError::Open)?;
            let columns = frame.schema().fields().iter();
            let columns: Vec<String> = columns.map(|field| field.name().clone()).collect();
            let shown = columns.iter().map(String::as_str);
            let shown: Vec<&str> = shown
                .filter(|name| !HIDDEN_COLUMNS.contains(name))
                .collect();
            let frame = frame.select_columns(&shown).map_err(SqlError::Open)?;
            context
                .register_table(&*name, frame.into_view())
                .map_err(SqlError::Open)?;
        }
        Ok(())
    }
}

/// Registers all tables and views, since many clients look at the list of them first.
async fn show_all(context: &SessionContext, pin: &Arc<Pin>) -> Result<(), SqlError> {
    register(context, pin.tables())?;
    let list = TableReference::partial("information_schema", "tables");
    register_views(context, vec![list]).await
}

/// The function that tells who has logged in, also by its other name `current_user`.
fn session_user(name: Option<String>) -> ScalarUDF {
    let tell = move |_: &[ColumnarValue]| Ok(ColumnarValue::Scalar(name.clone().into()));
    let volatility = Volatility::Immutable;
    create_udf(
        "session_user",
        vec![],
        DataType::Utf8,
        volatility,
        Arc::new(tell),
    )
}

/// The tables and views of a session.
fn names(context: &SessionContext) -> Vec<String> {
    let state = context.state();
    let options = &state.config_options().catalog;
    let catalog = state.catalog_list().catalog(&options.default_catalog);
    let schema = catalog.and_then(|catalog| catalog.schema(&options.default_schema));
    schema
        .map(|schema| schema.table_names())
        .unwrap_or_default()
}

/// Whether a statement is no `FETCH`, or one of few rows.
fn is_small_fetch(statement: &Statement) -> bool {
    let Statement::Fetch { direction, .. } = statement else {
        return true;
    };
    let limit = match direction {
        FetchDirection::All | FetchDirection::ForwardAll | FetchDirection::BackwardAll => {
            return false;
        }
        FetchDirection::Count { limit }
        | FetchDirection::Absolute { limit }
        | FetchDirection::Relative { limit } => Some(limit),
        FetchDirection::Forward { limit } | FetchDirection::Backward { limit } => limit.as_ref(),
        FetchDirection::Next
        | FetchDirection::Prior
        | FetchDirection::First
        | FetchDirection::Last => None,
    };
    let count = |limit: &ValueWithSpan| limit.to_string().parse::<usize>();
    limit.is_none_or(|limit| count(limit).is_ok_and(|count| count <= FETCH_ROWS_MAX))
}

/// Whether a statement neither writes nor reads files nor changes how the server works.
fn only_reads(statement: &Statement) -> bool {
    statement.visit(&mut OnlyReads).is_continue()
}

/// Stops at the first part of a statement, however deep in it, that does more than read.
struct OnlyReads;

impl Visitor for OnlyReads {
    type Break = ();

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        let passes = match statement {
            Statement::Set(_) => !statement.to_string().to_lowercase().contains("datafusion"),
            Statement::Query(_)
            | Statement::Explain { .. }
            | Statement::Declare { .. }
            | Statement::ExplainTable { .. }
            | Statement::ShowVariable { .. }
            | Statement::ShowVariables { .. }
            | Statement::ShowTables { .. }
            | Statement::ShowColumns { .. }
            | Statement::StartTransaction { .. }
            | Statement::Commit { .. }
            | Statement::Rollback { .. }
            | Statement::Savepoint { .. }
            | Statement::ReleaseSavepoint { .. }
            | Statement::Fetch { .. }
            | Statement::Close { .. }
            | Statement::Deallocate { .. }
            | Statement::Discard { .. } => true,
            _ => false,
        };
        unless(!passes)
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        unless(matches!(
            *query.body,
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_)
        ))
    }

    /// What stands in other quotes than a text's is printed as it is, and then read again.
    fn pre_visit_value(&mut self, value: &ValueWithSpan) -> ControlFlow<()> {
        unless(match &value.value {
            Value::HexStringLiteral(text)
            | Value::NationalStringLiteral(text)
            | Value::SingleQuotedByteStringLiteral(text) => text.contains('\''),
            _ => false,
        })
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        unless(select.into.is_some())
    }
}

fn unless(stops: bool) -> ControlFlow<()> {
    match stops {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}

/// An error as the protocol tells it; `code` is an SQLSTATE.
pub(super) fn error(code: &str, told: String) -> PgWireError {
    let info = ErrorInfo::new("ERROR".to_owned(), code.to_owned(), told);
    PgWireError::UserError(Box::new(info))
}

#[async_trait]
impl QueryHook for Guard {
    async fn handle_simple_query(
        &self,
        statement: &Statement,
        context: &SessionContext,
        client: &mut dyn HookClient,
    ) -> Option<PgWireResult<Response>> {
        self.pass(statement, context, client).await.err().map(Err)
    }

    async fn handle_extended_parse_query(
        &self,
        statement: &Statement,
        context: &SessionContext,
        client: &(dyn ClientInfo + Send + Sync),
    ) -> Option<PgWireResult<LogicalPlan>> {
        // Their rows would come without a description, at which some clients crash.
        if matches!(
            statement,
            Statement::Declare { .. } | Statement::Fetch { .. }
        ) {
            let told = "cursors are for simple queries only: a prepared statement's rows can be \
                        fetched some at a time without one";
            return Some(Err(error(NOT_SUPPORTED, told.to_owned())));
        }
        self.pass(statement, context, client).await.err().map(Err)
    }

    async fn handle_extended_query(
        &self,
        statement: &Statement,
        _plan: &LogicalPlan,
        _params: &ParamValues,
        context: &SessionContext,
        client: &mut dyn HookClient,
    ) -> Option<PgWireResult<Response>> {
        self.pass(statement, context, client).await.err().map(Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    #[test]
    fn what_writes_or_reads_files_does_not_pass() {
        for (sql, passes) in [
            ("SELECT 1", true),
            ("WITH a AS (SELECT 1) SELECT * FROM a", true),
            ("EXPLAIN ANALYZE SELECT 1", true),
            ("SHOW search_path", true),
            ("SET statement_timeout = 1000", true),
            ("BEGIN", true),
            ("SET datafusion.runtime.memory_limit = '1K'", false),
            ("SET \"datafusion\".\"execution\".batch_size = 1", false),
            (
                "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
                false,
            ),
            ("CREATE TABLE t AS SELECT 1", false),
            ("CREATE VIEW v AS SELECT 1", false),
            ("SELECT 1 INTO t", false),
            ("SELECT 1 UNION SELECT 2 INTO t", false),
            ("EXPLAIN ANALYZE SELECT 1 INTO t", false),
            ("DECLARE c CURSOR FOR SELECT 1 INTO t", false),
            ("SELECT X'61'' AS x INTO t --'", false),
            ("SELECT X'61'", true),
            ("DECLARE c CURSOR FOR SELECT 1", true),
            ("SELECT * FROM (SELECT 1 INTO t) AS s", false),
            ("COPY ledger TO '/tmp/x'", false),
            ("INSERT INTO ledger SELECT * FROM ledger", false),
            (
                "WITH a AS (SELECT 1) INSERT INTO ledger SELECT * FROM a",
                false,
            ),
            (
                "EXPLAIN ANALYZE INSERT INTO ledger SELECT * FROM ledger",
                false,
            ),
            ("UPDATE ledger SET entry = 1", false),
            ("DELETE FROM ledger", false),
            ("DROP TABLE ledger", false),
            ("PREPARE p AS DELETE FROM ledger", false),
        ] {
            let parsed = Parser::parse_sql(&PostgreSqlDialect {}, sql);
            // What the dialect does not know can't be run either.
            let Ok(statements) = parsed else {
                assert!(!passes, "{sql}");
                continue;
            };
            assert_eq!(statements.iter().all(only_reads), passes, "{sql}");
        }
    }
}
