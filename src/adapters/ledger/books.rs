//! The Delta Lake table at `<data>/invoices`: the lines of every invoice that was issued.
//!
//! Owns the columns and appending lines once. Leaves what an invoice is to the view
//! `invoice_lines`, whose columns these are.
//!
//! Invariant: lines are only added, each invoice by one commit, and two processes that issue at the
//! same time can't both commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Int64Type, SchemaRef};
use arrow::error::ArrowError;
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use deltalake::kernel::Transaction;
use deltalake::kernel::transaction::{CommitProperties, TransactionError};
use deltalake::operations::create::CreateBuilder;
use deltalake::protocol::SaveMode;
use deltalake::{DeltaTable, DeltaTableError};
use url::Url;

use super::delta::{self, table_at};
use super::schema::{CREDIT_PLACES, Column, Type, always, arrow_schema, delta_columns, maybe};

/// The table's folder below the data folder.
const TABLE: &str = "invoices";
/// Under which application id the log counts the commits.
const ISSUER: &str = "purser/invoices";

const SUM: Type = Type::Sum(CREDIT_PLACES);

const COLUMNS: [Column; 17] = [
    always("number", Type::Long, "of the invoice, from 1"),
    always("customer", Type::Text, "who holds the wallet"),
    always("period", Type::Date, "first day of the billing period"),
    always("period_end", Type::Date, "the day after its last day"),
    always(
        "issued_on",
        Type::Date,
        "the day on which the period closed",
    ),
    always("line", Type::Long, "numbers the invoice's lines from 1"),
    always(
        "kind",
        Type::Text,
        "fee, change, usage, late, reversal or grant",
    ),
    always("description", Type::Text, "the words on the invoice"),
    always("unit", Type::Text, "what quantity is counted in"),
    always("quantity", SUM, "how many units"),
    maybe("credits", SUM, "what they were charged"),
    maybe("pool_used", SUM, "the part that grants paid"),
    maybe("overage", SUM, "the part that no grant covered"),
    always("amount", Type::Decimal(2), "money, rounded once a line"),
    maybe("currency", Type::Text, "currency of amount"),
    always("shard", Type::Int, "the shard that owns the wallet"),
    always(
        "last_entry",
        Type::Long,
        "the shard's last ledger entry that made a line of the invoice",
    ),
];

/// Why the books can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum BooksError {
    #[error(transparent)]
    Location(#[from] delta::Error),
    #[error("could not read or write the Delta table of invoices")]
    Delta(#[from] DeltaTableError),
    #[error("could not read the table of invoices")]
    Read(#[from] DataFusionError),
    #[error("could not read a column of the table of invoices")]
    Column(#[from] ArrowError),
    #[error("other processes issue invoices at the same time; run the command again")]
    Overtaken,
}

/// An invoice in the books: of whom, and the first day of the period in days since 1970.
pub type Booked = (String, i32);

/// The books as they were when they were opened.
pub struct Books {
    table: DeltaTable,
    is_there: bool,
}

impl Books {
    /// Opens the books below the data folder, which need not be there.
    ///
    /// # Errors
    ///
    /// The table can't be read.
    pub async fn open(data: &Url) -> Result<Self, BooksError> {
        let mut table = table_at(data, TABLE)?;
        let is_there = table.verify_deltatable_existence().await?;
        if is_there {
            table.load().await?;
        }
        Ok(Self { table, is_there })
    }

    /// The version of the table; `None` where there are no books.
    pub fn version(&self) -> Option<u64> {
        self.table.version().filter(|_| self.is_there)
    }

    /// The lines; no rows where there are no books.
    ///
    /// # Errors
    ///
    /// The table can't be read.
    pub async fn provider(&self) -> Result<Arc<dyn TableProvider>, BooksError> {
        if self.is_there {
            let provider = self.table.table_provider().await;
            return Ok(provider.map_err(DeltaTableError::from)?);
        }
        Ok(Arc::new(MemTable::try_new(
            lines_schema(),
            vec![Vec::new()],
        )?))
    }

    /// The invoices that were issued, by number.
    ///
    /// # Errors
    ///
    /// The table can't be read.
    pub async fn issued(&self) -> Result<BTreeMap<i64, Booked>, BooksError> {
        let context = SessionContext::new();
        let frame = context.read_table(self.provider().await?)?;
        let columns = ["number", "customer", "period"];
        let frame = frame.select_columns(&columns)?.distinct()?;
        let mut issued = BTreeMap::new();
        for batch in frame.collect().await? {
            let numbers = batch.column(0).as_primitive::<Int64Type>();
            let customers = cast(batch.column(1), &DataType::Utf8)?;
            let customers = customers.as_string::<i32>();
            let periods = batch.column(2).as_primitive::<Date32Type>();
            for row in 0..batch.num_rows() {
                let booked = (customers.value(row).to_owned(), periods.value(row));
                issued.insert(numbers.value(row), booked);
            }
        }
        Ok(issued)
    }

    /// Adds the lines of invoices that the books don't have, in one commit; makes the table if it
    /// is missing.
    ///
    /// # Errors
    ///
    /// [`BooksError::Overtaken`] when somebody else added lines since the books were opened, and
    /// then nothing was added; else the table can't be written.
    pub async fn append(self, lines: Vec<RecordBatch>) -> Result<(), BooksError> {
        let table = match self.is_there {
            true => self.table,
            false => make(&self.table).await?,
        };
        let state = table.snapshot()?;
        let log = table.log_store();
        let commits = state.transaction_version(log.as_ref(), ISSUER).await?;
        let commit = Transaction::new(ISSUER, commits.unwrap_or(0) + 1);
        let written = table
            .write(lines)
            .with_save_mode(SaveMode::Append)
            .with_commit_properties(
                CommitProperties::default().with_application_transaction(commit),
            )
            .await;
        match written {
            Ok(_) => Ok(()),
            Err(DeltaTableError::Transaction {
                source: TransactionError::CommitConflict(_),
            }) => Err(BooksError::Overtaken),
            Err(fault) => Err(fault.into()),
        }
    }
}

/// Makes the table, without a line.
async fn make(table: &DeltaTable) -> Result<DeltaTable, BooksError> {
    let properties = [
        ("delta.appendOnly", Some(true.to_string())),
        // No engine's commit may clean the log.
        ("delta.enableExpiredLogCleanup", Some(false.to_string())),
    ];
    let made = CreateBuilder::new()
        .with_log_store(table.log_store())
        .with_table_name(TABLE)
        .with_columns(delta_columns(&COLUMNS)?)
        .with_configuration(properties)
        .await;
    match made {
        // As it was made, so that what others add since is a conflict.
        Ok(made) => Ok(made),
        Err(_) if table.verify_deltatable_existence().await? => Err(BooksError::Overtaken),
        Err(fault) => Err(fault.into()),
    }
}

/// The columns of the books.
pub fn lines_schema() -> SchemaRef {
    arrow_schema(&COLUMNS)
}
