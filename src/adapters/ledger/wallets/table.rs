//! The table: which file is a shard's checkpoint.
//!
//! Owns replacing one shard's file by another and deleting what was replaced. Leaves what is in a
//! file to `file`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use deltalake::DeltaTable;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake::kernel::{Action, Add, Transaction};
use deltalake::logstore::LogStore;
use deltalake::operations::create::CreateBuilder;
use deltalake::protocol::{DeltaOperation, SaveMode};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use url::Url;

use super::columns::{COLUMNS, PARTITION};
use super::file::{Checkpoint, NewWallets};
use super::{About, TABLE, WalletsError};
use crate::adapters::ledger::delta::{Ledger, table_at};
use crate::adapters::ledger::find::has_row;
use crate::adapters::ledger::schema::delta_columns;

/// How long a checkpoint's file stays after another took its place, for those who still read it.
const KEPT_FOR: Duration = Duration::from_secs(3_600);

impl NewWallets {
    /// Puts the file in the place of the shard's checkpoint before, and deletes what was replaced
    /// an hour ago. A table that can't be read any more is made anew.
    ///
    /// # Errors
    ///
    /// The table can't be written. The checkpoint before is then as good as it was.
    pub async fn publish(&self, data: &Url) -> Result<(), WalletsError> {
        let mut table = table_at(data, TABLE)?;
        match load(&mut table).await {
            Ok(true) => {}
            Ok(false) => create(&mut table).await?,
            Err(error) if is_of_store(&error) => return Err(error),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "the table of wallets can't be read and is made anew");
                wipe_log(&table).await?;
                create(&mut table).await?;
            }
        }
        self.replace(&table).await?;
        self.sweep(&table).await
    }

    async fn replace(&self, table: &DeltaTable) -> Result<(), WalletsError> {
        let shard = self.shard.to_string();
        let state = table.snapshot()?;
        let files = state.snapshot().try_log_data()?;
        let folder = format!("{PARTITION}={shard}/");
        let before = files.iter().filter(|file| file.path().starts_with(&folder));
        let mut actions: Vec<Action> = before
            .map(|file| Action::Remove(file.remove_action(true)))
            .collect();
        actions.push(Action::Add(self.add(&shard)?));
        let operation = DeltaOperation::Write {
            mode: SaveMode::Overwrite,
            partition_by: Some(vec![PARTITION.to_owned()]),
            predicate: Some(format!("{PARTITION} = {shard}")),
        };
        let checksum = Transaction::new(checksum_id(&shard), self.checksum);
        CommitBuilder::from(CommitProperties::default().with_application_transaction(checksum))
            .with_actions(actions)
            .build(Some(state), table.log_store(), operation)
            .await?;
        Ok(())
    }

    fn add(&self, shard: &str) -> Result<Add, WalletsError> {
        let unfit = |_| WalletsError::Unfit("its size or time is out of bounds".to_owned());
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Ok(Add {
            path: self.path.to_string(),
            partition_values: [(PARTITION.to_owned(), Some(shard.to_owned()))].into(),
            size: i64::try_from(self.size).map_err(unfit)?,
            modification_time: i64::try_from(now.as_millis()).map_err(unfit)?,
            data_change: true,
            stats: Some(format!(r#"{{"numRecords":{}}}"#, self.rows)),
            tags: None,
            deletion_vector: None,
            base_row_id: None,
            default_row_commit_version: None,
            clustering_provider: None,
        })
    }

    /// Deletes the shard's files that nobody reads any more.
    async fn sweep(&self, table: &DeltaTable) -> Result<(), WalletsError> {
        let store = table.object_store();
        let folder = Path::from(format!("{PARTITION}={}", self.shard));
        let files: Vec<_> = store.list(Some(&folder)).try_collect().await?;
        let newest = files.iter().map(|file| file.last_modified).max();
        for file in &files {
            let age = newest.map(|newest| newest - file.last_modified);
            let is_old = age.and_then(|age| age.to_std().ok()) > Some(KEPT_FOR);
            if is_old && file.location != self.path {
                store.delete(&file.location).await?;
            }
        }
        Ok(())
    }
}

/// Finds the newest checkpoint of `shard`; `None` when there is none.
///
/// # Errors
///
/// It is torn, of another ledger than `ledger`, or of rows that this does not have any more.
pub async fn newest_checkpoint(
    data: &Url,
    ledger: &mut Ledger,
    shard: u32,
) -> Result<Option<Checkpoint>, WalletsError> {
    let mut table = table_at(data, TABLE)?;
    if !load(&mut table).await? {
        return Ok(None);
    }
    let folder = format!("{PARTITION}={shard}/");
    let files = table.snapshot()?.snapshot().try_log_data()?;
    let Some(file) = files.iter().find(|file| file.path().starts_with(&folder)) else {
        return Ok(None);
    };
    let found = table.object_store().get(&file.object_store_path()).await?;
    let written = table.snapshot()?;
    let written = written
        .transaction_version(table.log_store().as_ref(), checksum_id(&shard.to_string()))
        .await?;
    let checkpoint = Checkpoint::open(found.bytes().await?, written)?;
    let About {
        ledger: of, last, ..
    } = &checkpoint.about;
    let id = ledger.id()?;
    let fault = if *of != id {
        format!("it is of the ledger {of}, not of {id}")
    } else if !has_row(ledger, shard, *last).await? {
        let entry = last.entry;
        format!("it holds entries up to {entry} that the ledger does not have any more")
    } else {
        return Ok(Some(checkpoint));
    };
    Err(WalletsError::Unfit(fault))
}

/// Whether the store did not answer, or refused: what lies there may be as good as ever.
fn is_of_store(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut causes = Some(error);
    while let Some(cause) = causes {
        let found = cause.downcast_ref::<object_store::Error>();
        if found.is_some_and(|found| !matches!(found, object_store::Error::NotFound { .. })) {
            return true;
        }
        causes = cause.source();
    }
    false
}

/// Under which application id the log keeps the checksum of a shard's file.
fn checksum_id(shard: &str) -> String {
    format!("purser/{shard}")
}

/// Loads the table; false when there is none.
async fn load(table: &mut DeltaTable) -> Result<bool, WalletsError> {
    if !table.verify_deltatable_existence().await? {
        return Ok(false);
    }
    table.load().await?;
    Ok(true)
}

async fn create(table: &mut DeltaTable) -> Result<(), WalletsError> {
    CreateBuilder::new()
        .with_log_store(table.log_store())
        .with_table_name(TABLE)
        .with_columns(delta_columns(&COLUMNS)?)
        .with_partition_columns([PARTITION])
        .await?;
    Ok(table.load().await?)
}

/// Deletes a log that can't be read. Files of wallets stay until they are swept.
async fn wipe_log(table: &DeltaTable) -> Result<(), WalletsError> {
    let store = table.object_store();
    let entries: Vec<_> = store
        .list(Some(table.log_store().log_path()))
        .try_collect()
        .await?;
    for entry in entries {
        store.delete(&entry.location).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_log_that_was_read_and_makes_no_sense_is_made_anew() {
        let silent = object_store::Error::Generic {
            store: "S3",
            source: "no answer".into(),
        };
        let gone = object_store::Error::NotFound {
            path: "_delta_log".to_owned(),
            source: "gone".into(),
        };
        assert!(is_of_store(&WalletsError::from(silent)));
        assert!(!is_of_store(&WalletsError::from(gone)));
        assert!(!is_of_store(&WalletsError::Unfit("torn".to_owned())));
    }
}
