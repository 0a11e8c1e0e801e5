//! A local disk as a store: what was put there survives a power loss.
//!
//! Owns writing: a file is on the disk before it has its name, and its name is on the disk when the
//! put returns. object_store's own store syncs nothing. Owns reading parts of a file, too, where
//! they are asked for. Leaves reading whole ones, listing and deleting to it.
//!
//! Invariant: whatever has a name is whole, at any moment that the power may fail.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path as LocalPath, PathBuf};
use std::sync::{Arc, Once};

use async_trait::async_trait;
use bytes::Bytes;
use deltalake::logstore::{
    ObjectStoreFactory, ObjectStoreRef, StorageConfig, object_store_factories,
};
use deltalake::{DeltaResult, DeltaTableError};
use futures::FutureExt;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    Result, UploadPart,
};
use url::Url;
use uuid::Uuid;

/// What errors call it.
const STORE: &str = "local disk";

/// Puts this store in the place of deltalake's own for `file://`, once.
pub(super) fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if let Ok(scheme) = Url::parse("file://") {
            object_store_factories().insert(scheme, Arc::new(Disks));
        }
    });
}

struct Disks;

impl ObjectStoreFactory for Disks {
    fn parse_url_opts(
        &self,
        url: &Url,
        _config: &StorageConfig,
    ) -> DeltaResult<(ObjectStoreRef, Path)> {
        let path =
            Path::from_url_path(url.path()).map_err(|error| DeltaTableError::ObjectStore {
                source: error.into(),
            })?;
        Ok((Arc::new(Disk::default()), path))
    }
}

/// All folders of this machine.
#[derive(Debug, Default)]
struct Disk {
    inner: LocalFileSystem,
}

impl fmt::Display for Disk {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(STORE)
    }
}

#[async_trait]
impl ObjectStore for Disk {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        if matches!(opts.mode, PutMode::Update(_)) {
            return self.inner.put_opts(location, payload, opts).await;
        }
        let to = self.inner.path_to_filesystem(location)?;
        blocking(to.clone(), move || {
            let staged = Staged::create(to)?;
            let mut file = &staged.file;
            payload.iter().try_for_each(|piece| file.write_all(piece))?;
            staged.put(opts.mode == PutMode::Create)
        })
        .await?;
        Ok(NO_TAG)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        _opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let to = self.inner.path_to_filesystem(location)?;
        let path = to.clone();
        let staged = blocking(to.clone(), move || Staged::create(path)).await?;
        Ok(Box::new(Upload {
            path: to,
            staged: Some(Arc::new(staged)),
            offset: 0,
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let path = self.inner.path_to_filesystem(location)?;
        // Done here: most is in memory, and waiting for another thread takes longer than the copy.
        match read(&path, ranges) {
            Ok(bytes) => Ok(bytes),
            // It says what is amiss.
            Err(_) => self.inner.get_ranges(location, ranges).await,
        }
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}

fn read(path: &LocalPath, ranges: &[Range<u64>]) -> io::Result<Vec<Bytes>> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let read = |range: &Range<u64>| {
        if range.end > size {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let length = range.end.saturating_sub(range.start);
        let mut bytes = Vec::with_capacity(length as usize);
        file.seek(SeekFrom::Start(range.start))?;
        (&file).take(length).read_to_end(&mut bytes)?;
        Ok(bytes.into())
    };
    ranges.iter().map(read).collect()
}

/// Nobody asks for a file by its tag.
const NO_TAG: PutResult = PutResult {
    e_tag: None,
    version: None,
};

/// A file in pieces that may be written side by side.
#[derive(Debug)]
struct Upload {
    path: PathBuf,
    /// `None` once it is complete or given up.
    staged: Option<Arc<Staged>>,
    /// Where the next piece begins.
    offset: u64,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (staged, mut offset) = (self.staged.clone(), self.offset);
        self.offset += data.content_length() as u64;
        blocking(self.path.clone(), move || {
            let staged = staged.ok_or_else(|| io::Error::other("its upload has ended"))?;
            for piece in data.iter() {
                staged.file.write_all_at(piece, offset)?;
                offset += piece.len() as u64;
            }
            Ok(())
        })
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        if let Some(staged) = self.staged.take() {
            blocking(self.path.clone(), move || staged.put(false)).await?;
        }
        Ok(NO_TAG)
    }

    async fn abort(&mut self) -> Result<()> {
        self.staged = None;
        Ok(())
    }
}

/// A file beside the place where it will be; listings pass over its name, which ends in `#` and
/// digits. It is gone when this is dropped.
#[derive(Debug)]
struct Staged {
    file: File,
    path: PathBuf,
    to: PathBuf,
}

impl Staged {
    fn create(to: PathBuf) -> io::Result<Self> {
        let mut path = to.clone().into_os_string();
        path.push(format!("#{}", Uuid::new_v4().as_u128()));
        let path = PathBuf::from(path);
        if let Some(folder) = to.parent() {
            make_folder(folder)?;
        }
        let file = File::create_new(&path)?;
        Ok(Self { file, path, to })
    }

    /// Gives the file its name; one that is there is replaced, unless it is to be `new`.
    fn put(&self, new: bool) -> io::Result<()> {
        self.file.sync_all()?;
        let put = match new {
            true => fs::hard_link(&self.path, &self.to),
            false => fs::rename(&self.path, &self.to),
        };
        // Also of one that is there: whoever meets it relies on it.
        self.to.parent().map_or(Ok(()), sync_folder)?;
        put
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // It was renamed, or it is of no use; nothing can be done about one that stays.
        fs::remove_file(&self.path).ok();
    }
}

/// Makes a folder and those above it; their names are on the disk.
fn make_folder(folder: &LocalPath) -> io::Result<()> {
    let Some(above) = folder.parent().filter(|_| !folder.is_dir()) else {
        return Ok(());
    };
    make_folder(above)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => sync_folder(above),
    }
}

/// Puts the names in a folder on the disk.
///
/// # Errors
///
/// The folder can't be opened or synced.
pub(in crate::adapters::ledger) fn sync_folder(folder: &LocalPath) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Whether trying again is of no use: the disk refuses, or it has lost what it was given.
pub(super) fn is_lasting(error: &io::Error) -> bool {
    const EIO: i32 = 5;
    let refuses = matches!(
        error.kind(),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
    );
    refuses || error.raw_os_error() == Some(EIO)
}

/// What was not done, and why.
#[derive(Debug, thiserror::Error)]
#[error("could not write {}", path.display())]
struct NotWritten {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Works on the file at `path` where waiting for the disk holds nobody up.
async fn blocking<T: Send + 'static>(
    path: PathBuf,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    let source = match done {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(source)) if source.kind() == ErrorKind::AlreadyExists => {
            return Err(Error::AlreadyExists {
                path: path.display().to_string(),
                source: source.into(),
            });
        }
        Ok(Err(source)) => source,
        Err(stopped) => io::Error::other(stopped),
    };
    Err(Error::Generic {
        store: STORE,
        source: Box::new(NotWritten { path, source }),
    })
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;

    use super::*;

    #[tokio::test]
    async fn ranges_are_read_and_what_is_not_there_is_an_error_of_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::default();
        let place = Path::from_absolute_path(folder.path().join("a b%20c")).unwrap();
        disk.put(&place, PutPayload::from_static(b"0123456789"))
            .await
            .unwrap();
        let read = disk.get_ranges(&place, &[7..10, 0..0, 2..4]).await.unwrap();
        assert_eq!(read, [&b"789"[..], b"", b"23"]);
        let read = disk.get_ranges(&place, &[0..2, 12..14]).await;
        assert!(matches!(read, Err(Error::Generic { .. })), "{read:?}");
        disk.delete(&place).await.unwrap();
        let read = disk.get_ranges(&place, &[0..2, 2..4]).await;
        assert!(matches!(read, Err(Error::NotFound { .. })), "{read:?}");
    }
}
