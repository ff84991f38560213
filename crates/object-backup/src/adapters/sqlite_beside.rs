//! Files beside a SQLite database that belong to it by name alone.
//!
//! SQLite applies a `-wal` or a `-journal` to whatever database has that name ("Temporary Files Used By SQLite", "How To
//! Corrupt An SQLite Database File", 1.2 and 1.4): beside a restored file they are changes of another database.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::error::{ObjectError, ObjectResult};

/// Ends of the names: write-ahead log, its index, rollback journal. A super-journal (`-mj…`) does nothing by itself: it takes a
/// `-journal` that names it.
const ENDS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The same where SQLite was built for names of eight and three characters: the last three of each, after the dot.
const SHORT_ENDS: [&str; 3] = ["wal", "shm", "nal"];

/// What there is under the name of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing, and nothing beside it.
    Nothing,
    /// A file. What lies beside it is its own.
    File,
}

/// Looks at `path` and, unless a database is there, beside it.
///
/// # Errors
/// [`ObjectError::Leftovers`]; [`ObjectError::Usage`] for a link that leads nowhere; what the system says.
pub(super) fn look(path: &Path) -> ObjectResult<Found> {
    let failed = |error| ObjectError::target("look at", path.display(), error);
    match fs::metadata(path) {
        // SQLite would read a device or a FIFO as if it was a database, and may wait for ever.
        Ok(there) if !there.is_file() => Err(ObjectError::usage(
            format!("`{}` is not a regular file; nothing was restored", path.display()),
            "give the name of a database, or of one that is not there yet",
        )),
        Ok(there) if there.len() > 0 => Ok(Found::File),
        // SQLite takes an empty file for a new database, and deletes what lies beside it: not ours to lose. It finds that by the
        // name a link leads to.
        Ok(_) => unless_beside(&path.canonicalize().map_err(failed)?).map(|()| Found::File),
        Err(error) if error.kind() == ErrorKind::NotFound => match fs::symlink_metadata(path) {
            Ok(_) => Err(ObjectError::usage(
                format!("`{}` is a link to a file that is not there; nothing was restored", path.display()),
                "use the file it points to, or remove the link",
            )),
            Err(_) => unless_beside(path).map(|()| Found::Nothing),
        },
        Err(error) => Err(failed(error)),
    }
}

/// Refuses a `path` beside which something lies that SQLite would apply to it.
///
/// # Errors
/// [`ObjectError::Leftovers`]; what the system says.
pub(super) fn unless_beside(path: &Path) -> ObjectResult<()> {
    let mut found = Vec::new();
    for beside in beside(path) {
        // By name and not by a listing: a folder may let files be opened and not be listed.
        match fs::symlink_metadata(&beside) {
            Ok(_) => found.push(format!("`{}`", beside.display())),
            Err(error) if cannot_be(&error) => {}
            Err(error) => return Err(ObjectError::target("look at", beside.display(), error)),
        }
    }
    let is = if found.len() == 1 { "is" } else { "are" };
    match found.pop() {
        None => Ok(()),
        Some(last) if found.is_empty() => {
            Err(ObjectError::Leftovers { file: path.display().to_string(), found: format!("{last} {is}") })
        }
        Some(last) => Err(ObjectError::Leftovers {
            file: path.display().to_string(),
            found: format!("{} and {last} {is}", found.join(", ")),
        }),
    }
}

/// The name has no file, or is longer than a file's name may be.
fn cannot_be(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidFilename)
}

fn ended(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Every name under which SQLite would look.
fn beside(path: &Path) -> Vec<PathBuf> {
    let mut names: Vec<PathBuf> = ENDS.iter().map(|end| ended(path, end)).collect();
    if path.extension().is_some() {
        names.extend(SHORT_ENDS.iter().map(|end| path.with_extension(end)).filter(|short| short != path));
    }
    names
}

/// The rollback journal of the database `path`.
pub(super) fn journal(path: &Path) -> PathBuf {
    own(path, "-journal")
}

/// The size of the write-ahead log of the database `path`; `None` if there is none.
pub(super) fn log_bytes(path: &Path) -> Option<u64> {
    fs::metadata(own(path, "-wal")).ok().map(|log| log.len())
}

/// A link's database has its files beside where the link leads to, and named after that.
fn own(path: &Path, end: &str) -> PathBuf {
    match path.canonicalize() {
        Ok(real) if path.is_symlink() => ended(&real, end),
        _ => ended(path, end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &Path) -> String {
        look(path).unwrap_err().to_string()
    }

    #[test]
    fn w6_what_sqlite_would_apply_is_named_and_what_it_would_not_is_let_be() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let write = |name: &str| fs::write(at(name), "x").unwrap();
        let path = at("app.db");
        for other in ["app.db-wal2", "app.db-mj00A", "app.db.wal", "other.db-wal", "app-wal", "app.journal"] {
            write(other);
        }
        assert_eq!(look(&path).unwrap(), Found::Nothing);
        for end in ["app.db-wal", "app.db-shm", "app.db-journal", "app.nal", "app.wal", "app.shm"] {
            write(end);
            assert!(refused(&path).contains(&format!("but `{}` is there", at(end).display())), "{}", refused(&path));
            fs::remove_file(at(end)).unwrap();
            assert_eq!(look(&path).unwrap(), Found::Nothing);
        }
        write("app.db-wal");
        std::os::unix::fs::symlink("nowhere", at("app.db-journal")).unwrap();
        assert!(refused(&path).contains("-wal` and `") && refused(&path).contains("-journal` are there"));
        fs::write(&path, "").unwrap();
        assert!(refused(&path).contains("-wal`"), "an empty file is no database yet");
        write("app.db");
        assert_eq!(look(&path).unwrap(), Found::File, "they are its own");
        assert_eq!(look(&at(&"x".repeat(250))).unwrap(), Found::Nothing, "such names cannot be");
    }

    #[test]
    fn w6_links_are_followed_as_sqlite_follows_them() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::os::unix::fs::symlink("real.db", at("link.db")).unwrap();
        assert!(refused(&at("link.db")).contains("is a link to a file that is not there"));
        fs::write(at("real.db"), "").unwrap();
        assert_eq!(look(&at("link.db")).unwrap(), Found::File);
        fs::write(at("link.db-wal"), "x").unwrap();
        assert_eq!(look(&at("link.db")).unwrap(), Found::File, "SQLite does not look there");
        fs::write(at("real.db-wal"), "x").unwrap();
        assert!(refused(&at("link.db")).contains("real.db-wal`"));
    }

    #[test]
    fn w6_what_cannot_be_looked_at_is_not_taken_for_absent() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        assert!(refused(&folder.path().join("file/app.db")).contains("cannot look at"));
    }
}
