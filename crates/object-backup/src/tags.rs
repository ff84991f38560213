//! Tags of backups, and changing them after a backup was published. The manifest stays as it is.

use backup_core::store::SharedStore;
use backup_core::tags::Whose;

pub use backup_core::tags::{Change, InUse, Retag, RetagPlan, RetagReport, TAG_BYTES_MAX, TAGS_MAX, in_use};

use crate::error::{ObjectError, ObjectResult};
use crate::list::{self, Entry, Sought};
use crate::run::Run;
use crate::tags_now::place;

/// Finds the backup that is `sought`, as [`list::find`] does, and plans a change of its tags. Changes nothing.
///
/// # Errors
/// As [`list::find`] and [`Retag::prepare`]; [`ObjectError::Usage`] for a backup without a manifest, which has no tags.
pub async fn prepare(
    store: &SharedStore,
    sought: impl Into<Sought<'_>>,
    change: Change,
    run: &Run,
) -> ObjectResult<Retag> {
    let sought = sought.into();
    let entry = run.or_cancelled(list::find(&**store, sought)).await?.entry;
    let (Some((folder, name)), Some(manifest)) = (place(&entry.key)?, &entry.manifest) else {
        return Err(ObjectError::usage(
            format!("`{}` has no manifest, and so no tags", entry.key),
            "nothing was changed".to_owned(),
        ));
    };
    let whose = Whose {
        key: entry.key.to_string(),
        folder,
        name,
        manifest: entry.key.manifest()?,
        original: manifest.tags.clone(),
    };
    Ok(Retag::prepare(store, whose, change, run).await?)
}

/// The tags of `backups`, by name. Pure.
#[must_use]
pub fn of_backups(backups: &[Entry]) -> Vec<InUse> {
    let timed = backups.iter().filter_map(|entry| Some((entry.key.to_string(), entry.time?, entry.tags.as_slice())));
    in_use(timed)
}
