//! What a folder has beside its files: owner, mode, access control lists and other extended attributes.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;

use rustix::fs::{XattrFlags, getxattr, getxattr_query, listxattr, listxattr_query, removexattr, setxattr};
use rustix::io::Errno;

/// Gives the folder `to` what `from` has. `false` if it cannot have all of it.
///
/// # Errors
/// If either cannot be looked at.
pub(super) fn copied(from: &Path, to: &Path) -> io::Result<bool> {
    let (of, own) = (std::fs::metadata(from)?, std::fs::metadata(to)?);
    let differs = (of.uid(), of.gid()) != (own.uid(), own.gid());
    if differs && chown(to, Some(of.uid()), Some(of.gid())).is_err() {
        return Ok(false);
    }
    let (wanted, there) = (extended(from)?, extended(to)?);
    // A folder that is made gets lists of the one around it.
    let strange = there.keys().filter(|name| !wanted.contains_key(*name));
    let missing = wanted.iter().filter(|(name, value)| there.get(*name) != Some(*value));
    let given = strange
        .map(|name| removexattr(to, name.as_slice()))
        .chain(missing.map(|(name, value)| setxattr(to, name.as_slice(), value, XattrFlags::empty())));
    if given.collect::<Result<Vec<()>, Errno>>().is_err() {
        return Ok(false);
    }
    // Last: another owner may take bits away, and a list has those of the group.
    std::fs::set_permissions(to, of.permissions())?;
    Ok(true)
}

/// Extended attributes by name; none where the file system has no such thing.
fn extended(path: &Path) -> io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let length = match listxattr_query(path) {
        Err(Errno::NOTSUP) => return Ok(BTreeMap::new()),
        length => length?,
    };
    let mut names = vec![0; length];
    let length = listxattr(path, &mut names[..])?;
    let mut found = BTreeMap::new();
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; getxattr_query(path, name)?];
        let length = getxattr(path, name, &mut value[..])?;
        value.truncate(length);
        found.insert(name.to_vec(), value);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_folder_gets_mode_and_attributes_and_loses_its_own() {
        let parent = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| parent.path().join(name));
        for folder in [&from, &to] {
            std::fs::create_dir(folder).unwrap();
        }
        std::fs::set_permissions(&from, std::fs::Permissions::from_mode(0o2751)).unwrap();
        let set = |folder: &Path, name: &str| setxattr(folder, name, b"x", XattrFlags::empty());
        // Not every file system has them.
        let has = set(&from, "user.note").is_ok() && set(&to, "user.other").is_ok();
        assert!(copied(&from, &to).unwrap());
        assert_eq!(std::fs::metadata(&to).unwrap().mode() & 0o7777, 0o2751);
        assert_eq!(extended(&to).unwrap(), extended(&from).unwrap());
        assert_eq!(extended(&to).unwrap().contains_key(&b"user.note"[..]), has);
    }
}
