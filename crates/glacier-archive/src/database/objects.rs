//! The objects of a dump: which of them are archives, and each as if it were a file of the backup.

use backup_core::key::Key;
use backup_core::manifest::{MANIFEST_NAME, Part};
use jiff::Timestamp;

use crate::detail::ROLE_DATABASE;
use crate::entry::Entry;
use crate::error::{GlacierError, GlacierResult};
use crate::key;
use crate::listing::{Listed, check_path};

/// How the names of objects end that hold rows, however many: all others are small, and are read to plan a restore.
const ARCHIVED: &str = ".pack";

/// What the manifest of a dump is called here, where `manifest.json` is the name of a backup's: whoever deletes a backup
/// takes no other backup's manifest for a part of it.
const DUMP_MANIFEST: &str = "dump.json";

/// The name in the location of the backups of what is called `name` in the location of dumps.
pub(super) fn outer_name(name: &str) -> String {
    renamed(name, MANIFEST_NAME, DUMP_MANIFEST)
}

/// The other way round.
pub(super) fn inner_name(name: &str) -> String {
    renamed(name, DUMP_MANIFEST, MANIFEST_NAME)
}

/// With another last segment if that is `from`.
fn renamed(name: &str, from: &str, to: &str) -> String {
    match name.rsplit_once('/') {
        Some((folder, last)) if last == from => format!("{folder}/{to}"),
        None if name == from => to.to_owned(),
        _ => name.to_owned(),
    }
}

/// A dump has a folder of its own, which is the third segment: `pg/shop/2026-….default.dump/`. What lies above is for all.
const DUMP_DEPTH: usize = 3;

/// The folder of the dump that an object belongs to, by its name in the location of dumps; `None` if it belongs to none.
pub(crate) fn dump_of(name: &str) -> Option<&str> {
    let (slash, _) = name.match_indices('/').nth(DUMP_DEPTH - 1)?;
    name.get(..slash)
}

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
        let (name, bytes, sha256) = (inner_name(below), part.stored_bytes, part.stored_sha256);
        Ok(Listed { entry: Entry { name, bytes, sha256, mode: 0o600, modified: at }, part: Some(number), offset: 0 })
    });
    listed.collect()
}
