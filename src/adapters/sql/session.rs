//! A SQL session: planning and running read-only statements.
//!
//! Owns the engine's settings and the registered names. Leaves the ledger's rows to the table
//! provider that is handed in, parameters to `statement`, the words of errors to `error`.
//!
//! Invariant: a session shows one state of the ledger, that of its provider; to see later commits
//! open another one. Numbers with a point in a statement are decimals, so no sum of money or
//! credits passes through a float unless the statement asks for one.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::common::TableReference;
use datafusion::datasource::{MemTable, ViewTable};
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext, col, lit};
use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use futures::StreamExt;
use tokio::sync::Mutex;

use super::cooperative::PauseWhereRowsGrow;
use super::error::{SqlError, plan_error, run_error, unknown_table};
use super::rollup::RollUpCodes;
use super::statement::{check_size, with_params};
use super::typed::cut;
use super::views::VIEWS;
use crate::domain::units::Timestamp;

/// Under which catalog and schema tools find the tables.
pub(super) const CATALOG: &str = "purser";
const SCHEMA: &str = "public";
/// Rows that are worked on at once: twice the engine's default, since each lot costs something.
const BATCH_ROWS: usize = 16 << 10;

/// What a session shows, each under its field's name, besides the views of `queries/`.
pub struct Tables {
    pub ledger: Arc<dyn TableProvider>,
    /// The same rows, repeated texts as codes.
    pub coded_ledger: Arc<dyn TableProvider>,
    /// As made by [`super::tables::periods`].
    pub periods: RecordBatch,
    /// As made by [`super::tables::grant_terms`].
    pub grant_terms: RecordBatch,
    /// As made by [`super::tables::prices`].
    pub prices: RecordBatch,
    /// As made by [`super::tables::plans`].
    pub plans: RecordBatch,
    /// The lines of the invoices that were issued.
    pub invoices: Arc<dyn TableProvider>,
}

/// The names of a session's tables; the others are views.
pub(super) const TABLES: [&str; 7] = [
    "ledger",
    "coded_ledger",
    "invoices",
    "periods",
    "grant_terms",
    "prices",
    "plans",
];

/// A table under its name.
pub type NamedTable = (&'static str, Arc<dyn TableProvider>);

impl Tables {
    /// Each table under its name.
    ///
    /// # Errors
    ///
    /// None with the tables that [`super::tables`] makes.
    pub fn into_providers(self) -> Result<Vec<NamedTable>, SqlError> {
        // In the order of their names.
        let mut providers = vec![self.ledger, self.coded_ledger, self.invoices];
        for batch in [self.periods, self.grant_terms, self.prices, self.plans] {
            let table = MemTable::try_new(batch.schema(), vec![vec![batch]]);
            providers.push(Arc::new(table.map_err(SqlError::Open)?));
        }
        Ok(TABLES.into_iter().zip(providers).collect())
    }
}

/// What a session may use.
pub struct Limits {
    /// Memory for sorting, grouping and joining, beyond which these spill to the temporary folder
    /// or, where they cannot, the statement fails. Absent: as much as there is.
    pub memory_bytes_max: Option<usize>,
}

/// The last row that a session shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsOf {
    /// Rows received up to then, inclusive.
    Time(Timestamp),
    /// Rows up to this entry, inclusive, of a ledger of one shard.
    Entry(i64),
}

/// The rows of `ledger` up to `as_of`.
///
/// # Errors
///
/// [`SqlError::Open`] when the ledger lacks the column.
pub fn up_to(
    ledger: Arc<dyn TableProvider>,
    as_of: AsOf,
) -> Result<Arc<dyn TableProvider>, SqlError> {
    let is_shown = match as_of {
        AsOf::Time(time) => {
            let time = ScalarValue::TimestampMicrosecond(Some(time.get()), Some("UTC".into()));
            col("received_at").lt_eq(lit(time))
        }
        AsOf::Entry(entry) => col("entry").lt_eq(lit(entry)),
    };
    let rows = SessionContext::new().read_table(ledger);
    let rows = rows.and_then(|rows| rows.filter(is_shown));
    Ok(rows.map_err(SqlError::Open)?.into_view())
}

/// A session over one state of the ledger.
pub struct Session {
    context: SessionContext,
    /// Held while views are registered, for two statements may read the same one.
    registering: Mutex<()>,
}

impl Session {
    /// Opens a session over `tables`. Cheap: nothing is read, and no view planned, until a
    /// statement asks for it.
    ///
    /// # Errors
    ///
    /// [`SqlError::Open`] when the engine can't be set up.
    pub fn open(tables: Tables, limits: &Limits) -> Result<Self, SqlError> {
        let context = context_on(runtime(limits).map_err(SqlError::Open)?);
        register(&context, tables.into_providers()?)?;
        Ok(Self {
            context,
            registering: Mutex::new(()),
        })
    }

    /// Opens a session over a single table.
    ///
    /// # Errors
    ///
    /// [`SqlError::Open`] when the engine can't be set up.
    pub fn of_one(name: &str, table: Arc<dyn TableProvider>) -> Result<Self, SqlError> {
        let limits = Limits {
            memory_bytes_max: None,
        };
        let context = context_on(runtime(&limits).map_err(SqlError::Open)?);
        context
            .register_table(name, table)
            .map_err(SqlError::Open)?;
        Ok(Self {
            context,
            registering: Mutex::new(()),
        })
    }

    /// Starts one statement that only reads: a query, or EXPLAIN, SHOW or DESCRIBE.
    ///
    /// `params` are the values of `$name` in the statement, each read as the type of what it is
    /// compared with; where that is open, as a whole number, a decimal, a date, a time or else a
    /// text, by its looks. Rows come in the order that the statement asks for, else in any.
    ///
    /// # Errors
    ///
    /// Every variant; [`SqlError::View`] when a view does not fit the ledger's columns. What fails
    /// while rows are made comes out of the stream.
    pub async fn run(
        &self,
        sql: &str,
        params: &[(String, String)],
    ) -> Result<SendableRecordBatchStream, SqlError> {
        Ok(self.start(sql, params).await?.0)
    }

    /// As [`Session::run`], and how far it is.
    ///
    /// # Errors
    ///
    /// As [`Session::run`].
    pub async fn start(
        &self,
        sql: &str,
        params: &[(String, String)],
    ) -> Result<(SendableRecordBatchStream, RowsRead), SqlError> {
        let plan = self.plan(sql).await?;
        let plan = with_params(plan, params)?;
        let frame = self.context.execute_logical_plan(plan).await;
        let frame = frame.map_err(plan_error)?;
        let task = Arc::new(frame.task_ctx());
        let plan = frame.create_physical_plan().await.map_err(run_error)?;
        let rows = execute_stream(Arc::clone(&plan), task).map_err(run_error)?;
        Ok((rows, RowsRead(plan)))
    }

    async fn plan(&self, sql: &str) -> Result<LogicalPlan, SqlError> {
        check_size(sql, &GenericDialect {})?;
        let count = cut(sql).len();
        if count > 1 {
            return Err(SqlError::Several(count));
        }
        let state = self.context.state();
        let dialect = state.config_options().sql_parser.dialect;
        let statement = state
            .sql_to_statement(sql, &dialect)
            .map_err(SqlError::Plan)?;
        let tables = state
            .resolve_table_references(&statement)
            .map_err(SqlError::Plan)?;
        let registering = self.registering.lock().await;
        register_views(&self.context, tables.clone()).await?;
        drop(registering);
        let plan = match state.statement_to_plan(statement).await {
            Ok(plan) => plan,
            Err(error) => return Err(unknown_table(&tables).unwrap_or_else(|| plan_error(error))),
        };
        read_only().verify_plan(&plan).map_err(SqlError::Plan)?;
        Ok(plan)
    }
}

/// How many rows a statement has read.
pub struct RowsRead(Arc<dyn ExecutionPlan>);

impl RowsRead {
    /// Rows read from tables until now, those included that a filter has passed over.
    pub fn so_far(&self) -> usize {
        fn leaves(plan: &Arc<dyn ExecutionPlan>) -> usize {
            let children = plan.children();
            if !children.is_empty() {
                return children.into_iter().map(leaves).sum();
            }
            let metrics = plan.metrics().unwrap_or_default();
            let passed_over = metrics.sum_by_name("pushdown_rows_pruned");
            metrics.output_rows().unwrap_or_default()
                + passed_over.map_or(0, |count| count.as_usize())
        }
        leaves(&self.0)
    }
}

/// The rows, `act` done before each batch of them.
pub fn before_each(
    rows: SendableRecordBatchStream,
    act: impl Fn() + Send + 'static,
) -> SendableRecordBatchStream {
    let schema = rows.schema();
    let rows = rows.inspect(move |_| act());
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}

/// What all sessions of a process share: memory and the folder that they spill to.
pub(super) fn runtime(limits: &Limits) -> Result<Arc<RuntimeEnv>, DataFusionError> {
    // The list-files cache never expires, so a long session would not see new files.
    let mut runtime = RuntimeEnvBuilder::new().with_object_list_cache_limit(0);
    if let Some(bytes) = limits.memory_bytes_max {
        runtime = runtime.with_memory_pool(Arc::new(FairSpillPool::new(bytes)));
    }
    Ok(Arc::new(runtime.build()?))
}

/// A session without tables.
pub(super) fn context_on(runtime: Arc<RuntimeEnv>) -> SessionContext {
    // One partition for each core and collected statistics are the engine's defaults.
    let mut config = SessionConfig::new()
        .with_batch_size(BATCH_ROWS)
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_information_schema(true);
    let options = config.options_mut();
    options.sql_parser.parse_float_as_decimal = true;
    options.execution.parquet.pushdown_filters = true;
    options.execution.parquet.reorder_filters = true;
    // Of several MIN and MAX it passes over rows that only one of them needs.
    options.optimizer.enable_aggregate_dynamic_filter_pushdown = false;
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_physical_optimizer_rule(Arc::new(RollUpCodes))
        .with_physical_optimizer_rule(Arc::new(PauseWhereRowsGrow))
        .build();
    SessionContext::new_with_state(state)
}

/// Registers tables under their names.
pub(super) fn register(context: &SessionContext, tables: Vec<NamedTable>) -> Result<(), SqlError> {
    for (name, table) in tables {
        context
            .register_table(name, table)
            .map_err(SqlError::Open)?;
    }
    Ok(())
}

/// Registers those views of `queries/` that a statement over `tables` reads, by way of others too.
/// A table that is named with its schema may be one that tells of every view, so that they all are.
///
/// The engine plans the ORDER BY that ends a view's file only when the file itself is run; a query
/// over the view does not pay for an order that it did not ask for.
pub(super) async fn register_views(
    context: &SessionContext,
    mut tables: Vec<TableReference>,
) -> Result<(), SqlError> {
    let state = context.state();
    let dialect = state.config_options().sql_parser.dialect;
    let parse = |sql| {
        let statement = state.sql_to_statement(sql, &dialect)?;
        let tables = state.resolve_table_references(&statement)?;
        Ok((statement, tables))
    };
    let mut read = Vec::new();
    // A view stands after those that it reads.
    for (view, sql) in VIEWS.into_iter().rev() {
        let is_read = |table: &TableReference| table.schema().is_some() || table.table() == view;
        if tables.iter().any(is_read) && !context.table_exist(view).map_err(SqlError::Open)? {
            let (statement, others) = parse(sql).map_err(|error| SqlError::View { view, error })?;
            tables.extend(others);
            read.push((view, sql, statement));
        }
    }
    for (view, sql, statement) in read.into_iter().rev() {
        let plan = state.statement_to_plan(statement).await;
        let plan = plan.map_err(|error| SqlError::View { view, error })?;
        let table = Arc::new(ViewTable::new(plan, Some(sql.to_owned())));
        register(context, vec![(view, table)])?;
    }
    Ok(())
}

fn read_only() -> SQLOptions {
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
}
