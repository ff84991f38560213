//! Names in a folder: which are keys of objects, and which are the store's own.

use crate::error::StoreError;
use crate::key::Key;
use crate::store::StoreResult;

/// What names of unfinished files begin with; a UUID and the object's name follow.
pub(super) const PREFIX: &str = ".lastgood-tmp-";

/// The file whose lock puts conditional replacements, replacements and deletions in one order.
pub(super) const LOCK_NAME: &str = ".lastgood-lock";

/// Folders and files are the owner's alone: backups hold everything their source holds.
pub(super) const FOLDER_MODE: u32 = 0o700;

/// The key as a path from the root.
pub(super) fn path_of(key: &Key) -> StoreResult<&str> {
    if key.as_str().split('/').any(is_own_name) {
        return Err(StoreError::Invalid { what: format!("the key `{key}` is reserved by the store") });
    }
    Ok(key.as_str())
}

/// Whether `name` is this store's own and no object's.
pub(super) fn is_own_name(name: &str) -> bool {
    name.starts_with(PREFIX) || name == LOCK_NAME
}
