//! A folder of `<Type>--<table>.json` files, put in place atomically.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, RenameFlags, accessat, renameat_with};
use rustix::io::Errno;
use tempfile::TempDir;

use super::attributes;
use super::folding;
use super::ndjson_folder::{self, Decided, Files};
use super::place::{self, Place, parent};
use crate::error::{ObjectError, ObjectResult};
use crate::target::{Load, Loaded, OnConflict, Restoring, Target};
use crate::type_key::TypeKey;

/// Begins the names of folders that are being filled; a killed run leaves one.
const PREFIX: &str = ".lastgood-restore-";

/// A folder to restore into: a new one, or one that holds nothing but files. Conflicts are decided file by file.
///
/// It is replaced as a whole, in one step. One that cannot be, because something is mounted at it or the folder around it may not
/// be written to, gets its files one after the other, each whole, and keeps whatever else it holds.
#[derive(Clone, Debug)]
pub struct NdjsonTarget {
    folder: PathBuf,
}

impl NdjsonTarget {
    /// The folder `folder`, whether it exists or not; the one it lies in must exist.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }
}

fn failed(action: &'static str, path: &Path) -> impl Fn(std::io::Error) -> ObjectError {
    let path = path.display().to_string();
    move |error| ObjectError::target(action, &path, error)
}

/// Why a name could not be given in one step. NFS and old kernels know no such rename, and say so in a way that says nothing.
fn not_renamed(action: &'static str, path: &Path, errno: Errno) -> ObjectError {
    const UNKNOWN: &str = "its file system cannot put names in place without replacing others, as NFS cannot: restore into a folder on \
                           a file system of this machine, and copy it from there";
    match errno {
        Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP => ObjectError::target(action, path.display(), UNKNOWN),
        errno => failed(action, path)(errno.into()),
    }
}

impl Target for NdjsonTarget {
    fn describe(&self) -> String {
        format!("ndjson:{}", self.folder.display())
    }

    fn check(&self, types: &[Restoring], on_conflict: OnConflict) -> ObjectResult<()> {
        self.looked_at(types, on_conflict).map(drop)
    }

    fn begin(&self, types: &[Restoring], on_conflict: OnConflict) -> ObjectResult<Box<dyn Load>> {
        let looked_at = self.looked_at(types, on_conflict)?;
        match Filling::beside(looked_at)? {
            Ok(filling) => Ok(Box::new(filling)),
            Err(InPlace) => {
                let looked_at = self.looked_at_in_place(types, on_conflict)?;
                Ok(Box::new(Filling::inside(looked_at)?))
            }
        }
    }

    fn tells_ids_apart(&self) -> bool {
        // A file takes two records of one id as they are.
        false
    }
}

/// What a target folder has, and what becomes of it.
struct LookedAt {
    folder: PathBuf,
    /// Its files; `None` if it is not there.
    before: Option<Files>,
    decided: Decided,
    in_place: bool,
}

/// The folder can be neither moved nor replaced: files have to be put into it.
struct InPlace;

impl NdjsonTarget {
    /// The folder, its files if there is one, and what becomes of them; refuses what cannot be restored here.
    fn looked_at(&self, types: &[Restoring], on_conflict: OnConflict) -> ObjectResult<LookedAt> {
        if fs::symlink_metadata(&self.folder).is_err() {
            let folder = self.folder.clone();
            Place::of(&folder)?;
            folding::told_apart(parent(&folder), PREFIX, types)?;
            return Ok(LookedAt { folder, before: None, decided: Decided::default(), in_place: false });
        }
        let folder = self.folder.canonicalize().map_err(failed("open", &self.folder))?;
        if place::is_mount_point(&folder) || !is_writable(parent(&folder)) {
            return self.looked_at_in_place(types, on_conflict);
        }
        Place::of(&folder)?;
        folding::told_apart(parent(&folder), PREFIX, types)?;
        let files = ndjson_folder::files(&folder)?;
        let decided = ndjson_folder::decide(&folder, &files, types, on_conflict)?;
        Ok(LookedAt { folder, before: Some(files), decided, in_place: false })
    }

    fn looked_at_in_place(&self, types: &[Restoring], on_conflict: OnConflict) -> ObjectResult<LookedAt> {
        let folder = self.folder.canonicalize().map_err(failed("open", &self.folder))?;
        Place::inside(&folder)?;
        folding::told_apart(&folder, PREFIX, types)?;
        let files = ndjson_folder::plain_files(&folder, types)?;
        let decided = ndjson_folder::decide(&folder, &files, types, on_conflict)?;
        Ok(LookedAt { folder, before: Some(files), decided, in_place: true })
    }
}

fn is_writable(folder: &Path) -> bool {
    accessat(CWD, folder, Access::WRITE_OK, AtFlags::EACCESS).is_ok()
}

impl Filling {
    /// Fills a folder beside the target, which takes its place as a whole. [`InPlace`] if it could not have the
    /// target's owner and attributes.
    fn beside(looked_at: LookedAt) -> ObjectResult<Result<Self, InPlace>> {
        if looked_at.in_place {
            return Self::inside(looked_at).map(Ok);
        }
        let LookedAt { folder, before, decided, .. } = looked_at;
        let parent = parent(&folder);
        let filling = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent).map_err(failed("write", parent))?;
        if before.is_some() && !attributes::copied(&folder, filling.path()).map_err(failed("read", &folder))? {
            return Ok(Err(InPlace));
        }
        for name in &decided.kept {
            let file = folder.join(name);
            fs::hard_link(&file, filling.path().join(name)).map_err(failed("keep", &file))?;
        }
        Ok(Ok(Self::new(filling, folder, before, decided, false)))
    }

    /// Fills a folder inside the target, whose files are then put beside it one by one.
    fn inside(LookedAt { folder, before, decided, .. }: LookedAt) -> ObjectResult<Self> {
        let filling = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&folder).map_err(failed("write", &folder))?;
        Ok(Self::new(filling, folder, before, decided, true))
    }

    fn new(filling: TempDir, folder: PathBuf, before: Option<Files>, decided: Decided, in_place: bool) -> Self {
        let Decided { replaced, skipped, .. } = decided;
        Self { filling, folder, before, replaced, skipped, in_place, written: Vec::new(), current: None }
    }
}

struct Filling {
    filling: TempDir,
    folder: PathBuf,
    /// What was in it; `None` if there was none.
    before: Option<Files>,
    replaced: Vec<TypeKey>,
    skipped: Vec<TypeKey>,
    in_place: bool,
    /// Types whose files are filled.
    written: Vec<TypeKey>,
    current: Option<(TypeKey, BufWriter<File>, u64)>,
}

impl Filling {
    /// The file of `key`, made when its first record comes.
    fn current(&mut self, key: &TypeKey) -> ObjectResult<&mut (TypeKey, BufWriter<File>, u64)> {
        if self.current.as_ref().is_none_or(|(open, ..)| open != key) {
            let path = self.filling.path().join(key.member());
            let file = File::create_new(&path).map_err(failed("write", &path))?;
            self.current = Some((key.clone(), BufWriter::with_capacity(256 * 1024, file), 0));
        }
        self.current.as_mut().ok_or(ObjectError::Interrupted)
    }
}

impl Load for Filling {
    fn record(&mut self, key: &TypeKey, _id: &str, text: &[u8]) -> ObjectResult<()> {
        if self.skipped.contains(key) {
            return Ok(());
        }
        let (_, file, records) = self.current(key)?;
        *records += 1;
        let written = file.write_all(text).and_then(|()| file.write_all(b"\n"));
        written.map_err(|error| failed("write", &self.folder)(error))
    }

    fn end(&mut self, key: &TypeKey) -> ObjectResult<Loaded> {
        if self.skipped.contains(key) {
            return Ok(Loaded::default());
        }
        self.current(key)?;
        let failed = failed("write", &self.folder);
        let Some((_, file, records)) = self.current.take() else { return Ok(Loaded::default()) };
        let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)?;
        self.written.push(key.clone());
        let none = Loaded::default();
        Ok(match self.replaced.contains(key) {
            true => Loaded { replaced: records, ..none },
            false => Loaded { inserted: records, ..none },
        })
    }

    fn commit(self: Box<Self>) -> ObjectResult<()> {
        if self.in_place {
            return self.put_inside();
        }
        let Self { filling, folder, before, .. } = *self;
        let place = Place::of(&folder)?;
        let sync = |path: &Path| File::open(path).and_then(|opened| opened.sync_all());
        sync(filling.path()).map_err(failed("write", filling.path()))?;
        // Both are one step, and neither replaces what came there meanwhile.
        let flags = if before.is_some() { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
        let put = || renameat_with(CWD, filling.path(), CWD, &folder, flags);
        put().map_err(|errno| not_renamed("replace", &folder, errno))?;
        let Some(before) = before else {
            drop(filling.keep());
            return place.keep();
        };
        // What was there is in the temporary folder now and goes with it; nobody else finds it by its name any more. Looked at only
        // here, nothing can have come after the look.
        let what = match ndjson_folder::files(filling.path()) {
            Ok(after) => match ndjson_folder::moved(&before, &after) {
                None => return place.keep(),
                Some(name) => format!("`{}`", name.display()),
            },
            Err(_) => "something that is not a regular file".to_owned(),
        };
        let what = format!("{what} appeared or disappeared during the restore");
        match put() {
            Ok(()) => Err(ObjectError::target("replace", folder.display(), what)),
            // Neither is lost.
            Err(_) => Err(ObjectError::usage(
                format!("`{}` was restored, but {what}", folder.display()),
                format!("the previous files are in `{}`", filling.keep().display()),
            )),
        }
    }
}

impl Filling {
    /// Gives each file its name, and takes all of that back if one cannot have it.
    fn put_inside(self) -> ObjectResult<()> {
        let Self { filling, folder, before, replaced, written, .. } = self;
        let place = Place::inside(&folder)?;
        let before = before.unwrap_or_default();
        let mut done: Vec<(String, RenameFlags)> = Vec::new();
        let from = filling.path().to_owned();
        let put = |name: &str, flags| renameat_with(CWD, from.join(name), CWD, folder.join(name), flags);
        for key in &written {
            let name = key.member();
            let flags = if replaced.contains(key) { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
            let moved =
                put(&name, flags).map_err(|errno| not_renamed("write", &folder.join(&name), errno)).and_then(|()| {
                    done.push((name.clone(), flags));
                    let is_ours = flags == RenameFlags::NOREPLACE
                        || fs::symlink_metadata(from.join(&name))
                            .is_ok_and(|old| before.get(OsStr::new(&name)) == Some(&old.ino()));
                    let what = format!("`{name}` was replaced by somebody else during the restore");
                    if is_ours { Ok(()) } else { Err(ObjectError::target("replace", folder.display(), what)) }
                });
            if let Err(error) = moved {
                for (name, flags) in done.iter().rev() {
                    let back = if *flags == RenameFlags::EXCHANGE {
                        put(name, RenameFlags::EXCHANGE).map_err(std::io::Error::from)
                    } else {
                        fs::remove_file(folder.join(name))
                    };
                    if back.is_err() {
                        return Err(ObjectError::usage(
                            format!("`{}` was restored in part: {error}", folder.display()),
                            format!("the previous files are in `{}`", filling.keep().display()),
                        ));
                    }
                }
                return Err(error);
            }
        }
        place.keep()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restoring(name: &str) -> Restoring {
        Restoring { key: TypeKey::new(name, "t").unwrap(), records: 1, columns: Vec::new() }
    }

    /// Loads a record of each type, and puts it in place file by file.
    fn load(folder: &Path, types: &[Restoring], on_conflict: OnConflict) -> ObjectResult<Box<Filling>> {
        let target = NdjsonTarget::new(folder);
        let mut filling = Box::new(Filling::inside(target.looked_at_in_place(types, on_conflict)?)?);
        for Restoring { key, .. } in types {
            filling.record(key, "1", b"{\"id\": 1}")?;
            filling.end(key)?;
        }
        Ok(filling)
    }

    fn names(folder: &Path) -> Vec<(String, String)> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().is_file())
            .map(|entry| (entry.file_name().to_string_lossy().into_owned(), fs::read_to_string(entry.path()).unwrap()))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn files_put_in_one_by_one_leave_what_else_is_there() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("lost+found")).unwrap();
        fs::write(folder.path().join("A--t.json"), "old").unwrap();
        let types = [restoring("A"), restoring("B")];
        assert!(load(folder.path(), &types, OnConflict::Fail).is_err());
        let filling = load(folder.path(), &types, OnConflict::Replace).unwrap();
        assert_eq!(names(folder.path()), [("A--t.json".to_owned(), "old".to_owned())], "nothing shows yet");
        filling.commit().unwrap();
        let new = |name: &str| (name.to_owned(), "{\"id\": 1}\n".to_owned());
        assert_eq!(names(folder.path()), [new("A--t.json"), new("B--t.json")]);
        assert!(folder.path().join("lost+found").exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "nothing of ours is left");
    }

    #[test]
    fn a_file_system_that_cannot_put_names_in_place_is_told_as_that() {
        let told = |errno: Errno| format!("{:?}", not_renamed("replace", Path::new("/mnt/records"), errno));
        assert!(told(Errno::INVAL).contains("NFS") && told(Errno::NOSYS).contains("/mnt/records"));
        assert!(!told(Errno::NOSPC).contains("NFS"));
    }

    #[test]
    fn one_that_cannot_be_put_takes_back_those_before_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("A--t.json"), "old").unwrap();
        let filling = load(folder.path(), &[restoring("A"), restoring("B")], OnConflict::Replace).unwrap();
        fs::write(folder.path().join("B--t.json"), "somebody's").unwrap();
        filling.commit().unwrap_err();
        let there = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        assert_eq!(names(folder.path()), [there("A--t.json", "old"), there("B--t.json", "somebody's")]);
    }
}
