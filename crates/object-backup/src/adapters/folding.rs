//! Whether a file system distinguishes two names, found by trying, because each has its own rules for case and accents.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::error::{ObjectError, ObjectResult};
use crate::names;
use crate::target::Restoring;
use crate::type_key::TypeKey;

/// Refuses `types` of which two would be one file in a folder made in `parent`. If no file system could take their names for one,
/// none is asked; else empty files are made in a folder of their own in `parent`, which is gone again when this returns.
///
/// # Errors
/// [`ObjectError::Names`]; why nothing can be made there.
pub(super) fn told_apart(parent: &Path, prefix: &str, types: &[Restoring]) -> ObjectResult<()> {
    let members: Vec<String> = types.iter().map(|restoring| restoring.key.member()).collect();
    if !names::could_fold(members.iter().map(String::as_str)) {
        return Ok(());
    }
    let failed = |error| ObjectError::target("write", parent.display(), error);
    let trial = tempfile::Builder::new().prefix(prefix).tempdir_in(parent).map_err(failed)?;
    let mut made: BTreeMap<u64, &TypeKey> = BTreeMap::new();
    for (restoring, member) in types.iter().zip(&members) {
        let path = trial.path().join(member);
        let inode = match File::create_new(&path) {
            Ok(file) => {
                made.insert(file.metadata().map_err(failed)?.ino(), &restoring.key);
                continue;
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                fs::symlink_metadata(&path).map_err(failed)?.ino()
            }
            Err(error) => return Err(failed(error)),
        };
        let first = made.get(&inode).copied().unwrap_or(&restoring.key);
        return Err(names::one_file(first, &restoring.key, &parent.display().to_string()));
    }
    Ok(())
}
