//! A disk on which `A` and `a` are one name, as on most of other systems: in memory, served by this process.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use fuser::{
    BackgroundSession, BsdFileFlags, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty,
    ReplyEntry, ReplyWrite, Request, TimeOrNow, WriteFlags,
};

use super::{Failure, RowResult};

/// The kernel asks again each time: it would keep `A` and `a` apart.
const TTL: Duration = Duration::ZERO;

/// The only generation: no number is used twice.
const GENERATION: Generation = Generation(0);

/// The disk, unmounted on drop. It keeps the case in which a name was made, and finds it in any; `é` is the same as one letter and as
/// two.
pub struct FoldingDisk(Option<BackgroundSession>);

impl fmt::Debug for FoldingDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FoldingDisk")
    }
}

impl FoldingDisk {
    /// Mounts one at `at`, which is made.
    ///
    /// # Errors
    /// [`Failure::Skipped`] where mounting is not allowed.
    pub fn mount(at: &Path) -> RowResult<Self> {
        std::fs::create_dir_all(at)?;
        match fuser::spawn_mount(Disk(Mutex::new(Nodes::new())), at, &Config::default()) {
            Ok(session) => Ok(Self(Some(session))),
            Err(error) => {
                Err(Failure::Skipped(format!("a disk that folds case cannot be mounted, which needs root: {error}")))
            }
        }
    }
}

impl Drop for FoldingDisk {
    fn drop(&mut self) {
        if let Some(session) = self.0.take() {
            // Nobody is left to be told, and the row is over.
            let _unmounted = session.umount_and_join();
        }
    }
}

/// A name as the disk compares it.
fn folded(name: &OsStr) -> String {
    name.to_string_lossy().to_lowercase().replace("e\u{301}", "é")
}

#[derive(Clone)]
enum Content {
    File(Vec<u8>),
    /// By folded name: the name as it was made, and the node.
    Folder(BTreeMap<String, (String, INodeNo)>),
}

#[derive(Clone)]
struct Node {
    content: Content,
    mode: u16,
}

type Found<T> = Result<T, Errno>;

/// Every file and folder there was. What nobody names any more stays: the disk lives for one row.
struct Nodes(BTreeMap<INodeNo, Node>);

impl Nodes {
    fn new() -> Self {
        Self([(INodeNo::ROOT, Node { content: Content::Folder(BTreeMap::new()), mode: 0o755 })].into())
    }

    fn node(&mut self, number: INodeNo) -> Found<&mut Node> {
        self.0.get_mut(&number).ok_or(Errno::ENOENT)
    }

    fn folder(&mut self, number: INodeNo) -> Found<&mut BTreeMap<String, (String, INodeNo)>> {
        match &mut self.node(number)?.content {
            Content::Folder(names) => Ok(names),
            Content::File(_) => Err(Errno::ENOTDIR),
        }
    }

    fn bytes(&mut self, number: INodeNo) -> Found<&mut Vec<u8>> {
        match &mut self.node(number)?.content {
            Content::File(bytes) => Ok(bytes),
            Content::Folder(_) => Err(Errno::EISDIR),
        }
    }

    fn number(&mut self, parent: INodeNo, name: &OsStr) -> Found<INodeNo> {
        self.folder(parent)?.get(&folded(name)).map(|(_, number)| *number).ok_or(Errno::ENOENT)
    }

    fn put(&mut self, parent: INodeNo, name: &OsStr, number: INodeNo) -> Found<()> {
        let made = name.to_string_lossy().into_owned();
        match self.folder(parent)?.insert(folded(name), (made, number)) {
            None => Ok(()),
            Some(_) => Err(Errno::EEXIST),
        }
    }

    fn make(&mut self, parent: INodeNo, name: &OsStr, content: Content, mode: u32) -> Found<FileAttr> {
        if self.number(parent, name).is_ok() {
            return Err(Errno::EEXIST);
        }
        let number = INodeNo(self.0.len() as u64 + INodeNo::ROOT.0);
        self.0.insert(number, Node { content, mode: (mode & 0o7777) as u16 });
        self.put(parent, name, number)?;
        self.attributes(number)
    }

    fn remove(&mut self, parent: INodeNo, name: &OsStr) -> Found<()> {
        let number = self.number(parent, name)?;
        if matches!(&self.node(number)?.content, Content::Folder(names) if !names.is_empty()) {
            return Err(Errno::ENOTEMPTY);
        }
        self.folder(parent)?.remove(&folded(name));
        Ok(())
    }

    fn rename(&mut self, from: (INodeNo, &OsStr), to: (INodeNo, &OsStr), flags: RenameFlags) -> Found<()> {
        let (moved, there) = (self.number(from.0, from.1)?, self.number(to.0, to.1));
        if there.is_ok() && flags.contains(RenameFlags::RENAME_NOREPLACE) {
            return Err(Errno::EEXIST);
        }
        self.folder(from.0)?.remove(&folded(from.1));
        self.folder(to.0)?.remove(&folded(to.1));
        if flags.contains(RenameFlags::RENAME_EXCHANGE) {
            self.put(from.0, from.1, there?)?;
        }
        self.put(to.0, to.1, moved)
    }

    fn attributes(&mut self, ino: INodeNo) -> Found<FileAttr> {
        let Node { content, mode } = self.node(ino)?.clone();
        let (size, kind) = match &content {
            Content::File(bytes) => (bytes.len() as u64, FileType::RegularFile),
            Content::Folder(_) => (0, FileType::Directory),
        };
        let (time, owner) = (SystemTime::UNIX_EPOCH, rustix::process::getuid().as_raw());
        Ok(FileAttr {
            ino,
            size,
            blocks: size.div_ceil(512),
            atime: time,
            mtime: time,
            ctime: time,
            crtime: time,
            kind,
            perm: mode,
            nlink: 1,
            uid: owner,
            gid: rustix::process::getgid().as_raw(),
            rdev: 0,
            blksize: 4096,
            flags: 0,
        })
    }
}

/// What the kernel asks.
struct Disk(Mutex<Nodes>);

impl Disk {
    fn nodes(&self) -> MutexGuard<'_, Nodes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn entry(reply: ReplyEntry, found: Found<FileAttr>) {
        match found {
            Ok(attributes) => reply.entry(&TTL, &attributes, GENERATION),
            Err(error) => reply.error(error),
        }
    }

    fn done(reply: ReplyEmpty, found: Found<()>) {
        match found {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error),
        }
    }

    fn attributes(reply: ReplyAttr, found: Found<FileAttr>) {
        match found {
            Ok(attributes) => reply.attr(&TTL, &attributes),
            Err(error) => reply.error(error),
        }
    }
}

impl Filesystem for Disk {
    fn lookup(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let mut nodes = self.nodes();
        let found = nodes.number(parent, name).and_then(|number| nodes.attributes(number));
        Self::entry(reply, found);
    }

    fn getattr(&self, _request: &Request, number: INodeNo, _handle: Option<FileHandle>, reply: ReplyAttr) {
        Self::attributes(reply, self.nodes().attributes(number));
    }

    fn setattr(
        &self,
        _request: &Request,
        number: INodeNo,
        mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _handle: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let mut nodes = self.nodes();
        let set = nodes.node(number).map(|node| {
            node.mode = mode.map_or(node.mode, |mode| (mode & 0o7777) as u16);
            if let (Some(size), Content::File(bytes)) = (size, &mut node.content) {
                bytes.resize(usize::try_from(size).unwrap_or(0), 0);
            }
        });
        Self::attributes(reply, set.and_then(|()| nodes.attributes(number)));
    }

    fn mkdir(&self, _request: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32, reply: ReplyEntry) {
        let content = Content::Folder(BTreeMap::new());
        Self::entry(reply, self.nodes().make(parent, name, content, mode & !umask));
    }

    fn create(
        &self,
        _request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        match self.nodes().make(parent, name, Content::File(Vec::new()), mode & !umask) {
            Ok(attributes) => reply.created(&TTL, &attributes, GENERATION, FileHandle(0), FopenFlags::empty()),
            Err(error) => reply.error(error),
        }
    }

    fn link(&self, _request: &Request, number: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let mut nodes = self.nodes();
        let linked = nodes.put(parent, name, number);
        Self::entry(reply, linked.and_then(|()| nodes.attributes(number)));
    }

    fn unlink(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        Self::done(reply, self.nodes().remove(parent, name));
    }

    fn rmdir(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        Self::done(reply, self.nodes().remove(parent, name));
    }

    fn rename(
        &self,
        _request: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        Self::done(reply, self.nodes().rename((parent, name), (new_parent, new_name), flags));
    }

    fn read(
        &self,
        _request: &Request,
        number: INodeNo,
        _handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.nodes().bytes(number) {
            Ok(bytes) => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                let to = from.saturating_add(size as usize).min(bytes.len());
                reply.data(&bytes[from..to]);
            }
            Err(error) => reply.error(error),
        }
    }

    fn write(
        &self,
        _request: &Request,
        number: INodeNo,
        _handle: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.nodes().bytes(number) {
            Ok(bytes) => {
                let from = usize::try_from(offset).unwrap_or(0);
                bytes.resize(bytes.len().max(from + data.len()), 0);
                bytes[from..from + data.len()].copy_from_slice(data);
                reply.written(data.len() as u32);
            }
            Err(error) => reply.error(error),
        }
    }

    fn flush(&self, _request: &Request, _number: INodeNo, _handle: FileHandle, _owner: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _request: &Request, _number: INodeNo, _handle: FileHandle, _data: bool, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsyncdir(&self, _request: &Request, _number: INodeNo, _handle: FileHandle, _data: bool, reply: ReplyEmpty) {
        reply.ok();
    }

    fn readdir(
        &self,
        _request: &Request,
        number: INodeNo,
        _handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let mut nodes = self.nodes();
        let names = match nodes.folder(number) {
            Ok(names) => names.clone(),
            Err(error) => return reply.error(error),
        };
        for (at, (name, number)) in (1_u64..).zip(names.into_values()).skip(usize::try_from(offset).unwrap_or(0)) {
            let kind = nodes.attributes(number).map_or(FileType::RegularFile, |attributes| attributes.kind);
            if reply.add(number, at, kind, name) {
                break;
            }
        }
        reply.ok();
    }
}
