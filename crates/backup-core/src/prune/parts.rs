//! The last step of a removal: objects that nothing refers to any more, and then the word that it had begun.

use std::collections::{BTreeSet, HashSet};

use super::Removal;
use super::deletion::Deletion;
use super::names;
use super::plan::freed_bytes;
use super::references::References;
use crate::error::CoreError;
use crate::key::Key;

/// Deletes the parts nothing refers to, then the tombstones of the removals of which nothing is left to do.
pub(super) async fn delete_parts(
    deletion: &mut Deletion<'_>,
    gone: &[Removal],
    references: &References,
) -> Result<(), CoreError> {
    let unused = |key: &&Key| !references.keys.contains(*key) && !names::is_infrastructure(key);
    let parts: BTreeSet<&Key> = gone.iter().flat_map(|removal| removal.parts.keys()).filter(unused).collect();
    let parts: Vec<Key> = parts.into_iter().cloned().collect();
    let left = deletion.delete(&parts).await;
    let mut done = Vec::new();
    for removal in gone {
        deletion.outcome.removed.push(removal.manifest.clone());
        if !removal.parts.keys().any(|key| left.contains(key)) {
            done.push(names::uses_key(&removal.manifest)?);
            done.push(names::tombstone_key(&removal.manifest)?);
        }
    }
    let deleted: HashSet<Key> = parts.into_iter().filter(|key| !left.contains(key)).collect();
    let freed = gone.iter().map(|removal| Removal {
        parts: removal.parts.iter().filter(|(key, _)| deleted.contains(*key)).map(|(k, b)| (k.clone(), *b)).collect(),
        ..removal.clone()
    });
    deletion.outcome.freed_bytes += freed_bytes(&freed.collect::<Vec<_>>());
    deletion.delete(&done).await;
    Ok(())
}
