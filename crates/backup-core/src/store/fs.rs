//! A store in a folder: every object is a file, published by one rename.

mod beneath;
mod durable;
mod failure;
mod lock;
mod names;
mod object;
mod publish;
mod remove;
mod temp;
mod upload;
mod version;
mod waiting;
mod walk;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use rustix::fs::fstat;
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

use self::beneath::{FILE, Root};
use self::failure::{blocking, failed};
use self::names::{FOLDER_MODE, path_of};
use self::temp::Temp;
use self::walk::{Found, Walk};
use super::rules;
use super::{
    ByteStream, DeleteOutcome, Multipart, ObjectMeta, PutOptions, StoreDelete, StoreRead, StoreResult, StoreWrite,
    UnfinishedUpload, Version,
};
use crate::error::StoreError;
use crate::failure::{Operation, Setting};
use crate::key::Key;
use crate::progress::SharedProgress;
use crate::{remedy, units};

/// Bytes read at a time: large enough that the hop to a blocking thread does not show, small enough to hold many.
const READ_BYTES: usize = 1024 * 1024;

/// So few bytes are read as soon as the file is open: the hop to a blocking thread takes longer than reading them.
const WITH_OPENING: u64 = 64 * 1024;

/// Objects looked up at a time while listing.
const PAGE_OBJECTS: usize = 256;

/// A folder of files. Names beginning with `.lastgood-tmp-`, and `.lastgood-lock`, are its own and never objects.
///
/// Nothing below the folder is followed: a link is no object and no folder, whatever it points to, and is told by
/// [`StoreRead::unfollowed`]. The folder itself may be reached through links.
#[derive(Clone, Debug)]
pub struct FsStore {
    root: Arc<Root>,
}

impl FsStore {
    /// Opens the folder `path`, which must exist.
    ///
    /// # Errors
    /// [`StoreError::NoLocation`] if there is no such folder; [`StoreError::PermissionDenied`] if it may not be entered.
    pub fn open(path: impl AsRef<Path>) -> StoreResult<Self> {
        let path = path.as_ref();
        let shown = path.display().to_string();
        let missing = |missing: String| StoreError::NoLocation {
            location: shown.clone(),
            missing,
            help: remedy![
                "choose another location with ",
                Setting::Location,
                ", or create this one with ",
                Operation::Init
            ],
        };
        match Root::open_at(path, shown.clone()) {
            Ok(root) => Ok(Self { root: Arc::new(root) }),
            Err(Errno::NOTDIR) if path.exists() => Err(missing(format!("folder `{shown}`: it is a file"))),
            Err(Errno::NOENT | Errno::NOTDIR) => Err(missing(format!("folder `{shown}`"))),
            Err(errno) => Err(failed(&shown, "open", 0, errno.into())),
        }
    }

    /// Opens the folder `path`, creating it, readable by its owner only, if it does not exist.
    ///
    /// # Errors
    /// As [`FsStore::open`], and what the system says when the folder cannot be created.
    pub fn create(path: impl AsRef<Path>) -> StoreResult<Self> {
        let path = path.as_ref();
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(path)
            .map_err(|error| failed(&path.display().to_string(), "create the folder", 0, error))?;
        Self::open(path)
    }

    /// Tells `progress` of waits for the folder's lock, and ends them when `cancel` is set.
    #[must_use]
    pub fn waiting(mut self, progress: Option<SharedProgress>, cancel: CancellationToken) -> Self {
        // Nobody else has it yet: it is asked for when the folder is opened.
        if let Some(root) = Arc::get_mut(&mut self.root) {
            root.waiting = waiting::Waiting::new(progress, cancel);
        }
        self
    }
}

/// The object's file and its size.
fn open_object(root: &Root, key: &Key) -> StoreResult<(File, u64)> {
    let file = root.open(path_of(key)?, FILE).map_err(|errno| root.absent(key, "read", errno))?;
    let stat = fstat(&file).map_err(|errno| root.absent(key, "read", errno))?;
    Ok((File::from(file), root.object(key, &stat)?.bytes))
}

/// Reads up to [`READ_BYTES`] of `left` bytes; a file that ends before is damaged.
fn read_chunk(file: &mut File, key: &Key, left: u64) -> StoreResult<Bytes> {
    let want = left.min(READ_BYTES as u64);
    let mut chunk = Vec::with_capacity(usize::try_from(want).unwrap_or(READ_BYTES));
    file.take(want).read_to_end(&mut chunk).map_err(|error| failed(key.as_str(), "read", 0, error))?;
    if (chunk.len() as u64) < want {
        let what = format!("it ended {} early while it was read", units::exact_bytes(left - chunk.len() as u64));
        return Err(StoreError::Damaged { key: key.to_string(), what });
    }
    Ok(chunk.into())
}

/// An object to be read.
enum Opened {
    /// All that is wanted of it, since that is little.
    Read(Bytes),
    /// Its file, and how many bytes are wanted from where it stands.
    File(File, u64),
}

/// The next `left` bytes of a file.
fn chunks(key: Key, file: File, left: u64) -> ByteStream {
    let chunks = stream::try_unfold((file, left), move |(mut file, left)| {
        let key = key.clone();
        async move {
            if left == 0 {
                return Ok(None);
            }
            blocking(move || {
                let chunk = read_chunk(&mut file, &key, left)?;
                let left = left - chunk.len() as u64;
                Ok(Some((chunk, (file, left))))
            })
            .await
        }
    });
    chunks.boxed()
}

#[async_trait]
impl StoreRead for FsStore {
    async fn head(&self, key: &Key) -> StoreResult<ObjectMeta> {
        let (root, key) = (self.root.clone(), key.clone());
        blocking(move || {
            let stat = root.stat(path_of(&key)?).map_err(|errno| root.absent(&key, "look up", errno))?;
            root.object(&key, &stat)
        })
        .await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> StoreResult<ByteStream> {
        let (root, of) = (self.root.clone(), key.clone());
        let opened = blocking(move || {
            let (mut file, bytes) = open_object(&root, &of)?;
            let span = rules::span(&of, range, bytes)?;
            if span.start > 0 {
                file.seek(SeekFrom::Start(span.start)).map_err(|error| failed(of.as_str(), "read", 0, error))?;
            }
            match span.end - span.start {
                few @ 0..=WITH_OPENING => Ok(Opened::Read(read_chunk(&mut file, &of, few)?)),
                left => Ok(Opened::File(file, left)),
            }
        });
        match opened.await? {
            Opened::Read(body) if body.is_empty() => Ok(stream::empty().boxed()),
            Opened::Read(body) => Ok(stream::once(async move { Ok(body) }).boxed()),
            Opened::File(file, left) => Ok(chunks(key.clone(), file, left)),
        }
    }

    fn list(&self, prefix: &str, after: Option<&Key>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        let walk = Walk::new(self.root.clone(), prefix, after.map(Key::as_str), Found::Objects);
        let pages = stream::try_unfold(walk, |mut walk| async move {
            blocking(move || {
                let mut page = Vec::new();
                while page.len() < PAGE_OBJECTS
                    && let Some(file) = walk.next_file()?
                {
                    page.extend(file.look_up(walk.root())?);
                }
                Ok((!page.is_empty()).then(|| (stream::iter(page.into_iter().map(Ok)), walk)))
            })
            .await
        });
        futures_util::TryStreamExt::try_flatten(pages).boxed()
    }

    async fn list_children(&self, prefix: &str) -> StoreResult<Vec<String>> {
        rules::check_folder(prefix)?;
        let (root, prefix) = (self.root.clone(), prefix.to_owned());
        blocking(move || walk::children(&root, &prefix, walk::Folders::WithObjects)).await
    }

    async fn list_names(&self, prefix: &str) -> StoreResult<Vec<String>> {
        rules::check_folder(prefix)?;
        let (root, prefix) = (self.root.clone(), prefix.to_owned());
        blocking(move || walk::children(&root, &prefix, walk::Folders::All)).await
    }

    async fn versions(&self, keys: &[Key]) -> StoreResult<Vec<Option<Version>>> {
        let (root, keys, now) = (self.root.clone(), keys.to_vec(), jiff::Timestamp::now());
        blocking(move || Ok(keys.iter().map(|key| version::of(&root, key, now)).collect())).await
    }

    fn describe(&self) -> String {
        self.root.shown.clone()
    }

    fn unfollowed(&self) -> Vec<String> {
        self.root.unfollowed()
    }
}

#[async_trait]
impl StoreWrite for FsStore {
    async fn put(&self, key: &Key, body: Bytes, options: &PutOptions) -> StoreResult<()> {
        rules::refuse_lock(options, &self.root.shown)?;
        let (root, key, mode, durable) = (self.root.clone(), key.clone(), options.mode.clone(), !options.volatile);
        blocking(move || {
            let temp = Temp::create(&root, &key)?;
            temp.write_at(&body, 0)?;
            temp.publish(&mode, durable)
        })
        .await
    }

    async fn multipart(&self, key: &Key, options: &PutOptions) -> StoreResult<Box<dyn Multipart>> {
        rules::refuse_lock(options, &self.root.shown)?;
        rules::check_part_bytes(key, options)?;
        let (root, of) = (self.root.clone(), key.clone());
        let temp = blocking(move || Temp::create(&root, &of)).await?;
        Ok(Box::new(upload::FileUpload::new(temp, options)))
    }

    async fn make_durable(&self, keys: &[Key]) -> StoreResult<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let (root, keys) = (self.root.clone(), keys.to_vec());
        blocking(move || durable::all(&root, &keys)).await
    }

    async fn now(&self) -> StoreResult<jiff::Timestamp> {
        let root = self.root.clone();
        blocking(move || publish::now(&root)).await
    }
}

#[async_trait]
impl StoreDelete for FsStore {
    async fn delete(&self, keys: &[Key]) -> StoreResult<Vec<DeleteOutcome>> {
        let (root, keys) = (self.root.clone(), keys.to_vec());
        blocking(move || Ok(remove::all(&root, keys))).await
    }

    async fn unfinished(&self, prefix: &str) -> StoreResult<Vec<UnfinishedUpload>> {
        let (root, prefix) = (self.root.clone(), prefix.to_owned());
        blocking(move || walk::unfinished(&root, &prefix)).await
    }

    async fn abort_unfinished(&self, upload: &UnfinishedUpload) -> StoreResult<()> {
        let (root, upload) = (self.root.clone(), upload.clone());
        blocking(move || temp::sweep(&root, &upload)).await
    }
}

#[cfg(test)]
mod tests;
