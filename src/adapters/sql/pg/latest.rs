//! Tables that show the newest state of the data.
//!
//! Owns pinning one state for each statement. Leaves what is in a state to whoever opens it.
//!
//! Invariant: between two pins, all tables of a connection are of one state, however often and
//! late they are scanned; a plan that was made before a pin sees the state after it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;

use crate::adapters::sql::session::NamedTable;

/// One state of the data: its tables by name.
pub struct Snapshot {
    pub tables: BTreeMap<&'static str, Arc<dyn TableProvider>>,
}

/// Where the newest state comes from.
#[async_trait]
pub trait Source: Send + Sync {
    /// The newest state.
    ///
    /// # Errors
    ///
    /// The data can't be read.
    async fn newest(
        &self,
    ) -> std::result::Result<Arc<Snapshot>, Box<dyn std::error::Error + Send + Sync>>;
}

/// The state that a connection's statement sees.
pub(super) struct Pin(RwLock<Arc<Snapshot>>);

impl Pin {
    pub(super) fn new(snapshot: Arc<Snapshot>) -> Self {
        Self(RwLock::new(snapshot))
    }

    pub(super) fn set(&self, snapshot: Arc<Snapshot>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = snapshot;
    }

    fn table(&self, name: &str) -> Result<Arc<dyn TableProvider>> {
        let snapshot = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match snapshot.tables.get(name) {
            Some(table) => Ok(Arc::clone(table)),
            None => internal_err!("no table {name}"),
        }
    }

    /// A table for each of the state's, which follows the pin.
    pub(super) fn tables(self: &Arc<Self>) -> Vec<NamedTable> {
        let snapshot = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let follow = |(name, table): (&&'static str, &Arc<dyn TableProvider>)| {
            let latest = Latest {
                name,
                schema: table.schema(),
                pin: Arc::clone(self),
            };
            (*name, Arc::new(latest) as Arc<dyn TableProvider>)
        };
        snapshot.tables.iter().map(follow).collect()
    }
}

/// A table that follows a pin.
struct Latest {
    name: &'static str,
    schema: SchemaRef,
    pin: Arc<Pin>,
}

impl fmt::Debug for Latest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Latest({})", self.name)
    }
}

#[async_trait]
impl TableProvider for Latest {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let table = self.pin.table(self.name)?;
        table.scan(state, projection, filters, limit).await
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        self.pin
            .table(self.name)?
            .supports_filters_pushdown(filters)
    }
}
