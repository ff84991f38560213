//! The objects of a dump: which of them are archives, and each as if it were a file of the backup.

use backup_core::key::Key;
use backup_core::manifest::Part;
use jiff::Timestamp;

use crate::detail::ROLE_DATABASE;
use crate::entry::Entry;
use crate::error::{GlacierError, GlacierResult};
use crate::key;
use crate::listing::{Listed, check_path};

/// How the names of objects end that hold rows, however many: all others are small, and are read to plan a restore.
const ARCHIVED: &str = ".pack";

/// Whether an object of a dump is kept in cold storage.
pub(crate) fn archived(key: &Key) -> bool {
    key.as_str().ends_with(ARCHIVED)
}

/// The objects of a backup's database as if each were a file of its own.
pub(crate) fn listed(name: &str, parts: &[Part], at: Timestamp) -> GlacierResult<Vec<Listed>> {
    let folders = key::database(name);
    let objects = parts.iter().enumerate().filter(|(_, part)| part.role == ROLE_DATABASE);
    let listed = objects.map(|(number, part)| {
        let below = folders.iter().find_map(|folder| part.key.as_str().strip_prefix(folder.as_str()));
        let below = below.ok_or_else(|| GlacierError::damaged(&part.key, "it belongs to another backup"))?;
        check_path(below).map_err(|why| GlacierError::damaged(&part.key, why))?;
        let (name, bytes, sha256) = (below.to_owned(), part.stored_bytes, part.stored_sha256);
        Ok(Listed { entry: Entry { name, bytes, sha256, mode: 0o600, modified: at }, part: Some(number), offset: 0 })
    });
    listed.collect()
}
