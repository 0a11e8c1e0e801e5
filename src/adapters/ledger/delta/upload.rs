//! Data files on their way into a bucket.
//!
//! Owns copying a file piece by piece, and trying again. Leaves making it visible to the commit.
//!
//! Invariant: a file is in the bucket whole or not at all, and its copy here is gone either way:
//! what was not brought is made again from its source.

use std::error::Error as StdError;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path as LocalPath;
use std::time::{Duration, Instant};

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};

use super::disk::is_lasting;
use super::{Error, Ledger, NewFile};

/// Bytes of a piece: the least that a bucket takes, so that a piece is sent in time.
pub(crate) const PIECE_BYTES: usize = 5 << 20;

/// How long an upload is tried again before it is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two tries; a store waits longer by itself when nobody answers.
const PAUSE: Duration = Duration::from_secs(1);

impl Ledger {
    /// Brings a file that was written below `folder` to where the table is; on a local disk it was
    /// written there.
    ///
    /// # Errors
    ///
    /// [`Error::Upload`] when it can't be read, [`Error::Bring`] when the store does not take it.
    pub async fn bring(&self, file: &NewFile, folder: &LocalPath) -> Result<(), Error> {
        if self.log_folder.is_some() {
            return Ok(());
        }
        let local = folder.join(&file.path);
        let brought = bring(&local, &*self.store(), &Path::from(file.path.as_str())).await;
        if let Err(error) = fs::remove_file(&local) {
            tracing::warn!(path = %local.display(), %error, "could not delete what was uploaded");
        }
        brought
    }
}

async fn bring(local: &LocalPath, store: &dyn ObjectStore, to: &Path) -> Result<(), Error> {
    let since = Instant::now();
    loop {
        let file = File::open(local).map_err(|source| unread(local, source))?;
        let source = match upload(file, local, store, to).await? {
            Ok(()) => return Ok(()),
            Err(source) => source,
        };
        if is_refused(&source) || since.elapsed() > PATIENCE {
            return Err(Error::Bring {
                path: to.to_string(),
                source,
            });
        }
        let error: &dyn StdError = &source;
        tracing::warn!(error, "upload failed, trying again");
        tokio::time::sleep(PAUSE).await;
    }
}

fn unread(local: &LocalPath, source: io::Error) -> Error {
    Error::Upload {
        path: local.to_owned(),
        source,
    }
}

/// Copies a file so that it need not fit in memory; what the store says of it.
async fn upload(
    mut file: File,
    local: &LocalPath,
    store: &dyn ObjectStore,
    to: &Path,
) -> Result<object_store::Result<()>, Error> {
    let mut next = || piece(&mut file).map_err(|source| unread(local, source));
    let first = next()?;
    if first.len() < PIECE_BYTES {
        return Ok(store.put(to, first.into()).await.map(|_| ()));
    }
    let mut parts = match store.put_multipart(to).await {
        Ok(parts) => parts,
        Err(error) => return Ok(Err(error)),
    };
    let mut piece = first;
    let mut outcome = Ok(());
    while outcome.is_ok() && !piece.is_empty() {
        outcome = parts.put_part(PutPayload::from(piece)).await;
        piece = match next() {
            Ok(piece) => piece,
            Err(error) => {
                forget(parts.abort().await);
                return Err(error);
            }
        };
    }
    if outcome.is_ok() {
        outcome = parts.complete().await.map(|_| ());
    }
    if outcome.is_err() {
        forget(parts.abort().await);
    }
    Ok(outcome)
}

/// Pieces that stay cost money only.
fn forget(aborted: object_store::Result<()>) {
    if let Err(error) = aborted {
        tracing::debug!(%error, "pieces of an upload stay in the bucket");
    }
}

fn piece(file: &mut File) -> io::Result<Vec<u8>> {
    let mut piece = Vec::new();
    file.take(PIECE_BYTES as u64).read_to_end(&mut piece)?;
    Ok(piece)
}

/// Whether the store has understood, and says no.
pub(super) fn is_refused(error: &(dyn StdError + 'static)) -> bool {
    use object_store::Error as Store;

    let mut causes = Some(error);
    while let Some(cause) = causes {
        match cause.downcast_ref::<Store>() {
            Some(Store::PermissionDenied { .. } | Store::Unauthenticated { .. }) => return true,
            Some(Store::NotImplemented { .. } | Store::NotSupported { .. }) => return true,
            _ => {}
        }
        if cause.downcast_ref::<io::Error>().is_some_and(is_lasting) {
            return true;
        }
        causes = cause.source();
    }
    false
}
