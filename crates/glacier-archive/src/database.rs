//! The database of a backup. Whoever backs up dumps it into [`place`], a location within the location whose packs of rows
//! become archives and whose manifests stay readable; [`note`] takes what was written into the backup. [`assemble`] makes
//! what was fetched a folder again that the dumping program restores from.
//!
//! This crate knows no database: which program dumps and restores is for others to say.

mod folder;
pub(crate) mod objects;
mod store;

use std::collections::BTreeMap;
use std::sync::Arc;

use backup_core::catalogue;
use backup_core::digest::Sha256Hasher;
use backup_core::key::Key;
use backup_core::manifest::{Codec, Part};
use backup_core::run::Run;
use backup_core::store::SharedStore;
use futures_util::TryStreamExt as _;

pub use self::folder::{assemble, clear, drop_damaged, opened};
use self::objects::archived;
use self::store::Beneath;
use crate::backup::BackupSettings;
use crate::catalogue::Archive;
use crate::class::Class;
use crate::detail::{DatabaseDetail, ROLE_DATABASE};
use crate::error::{GlacierError, GlacierResult};
use crate::find::Backup;
use crate::key;
use crate::state::State;

/// A database that was dumped into [`place`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dumped {
    /// The database.
    pub database: String,
    /// What the dumping program calls the dump.
    pub dump: String,
    /// The key of its manifest, in the location it was dumped into.
    pub manifest: Key,
}

/// A dump as a part of a backup.
#[derive(Clone, Debug)]
pub struct DatabasePart {
    pub(crate) detail: DatabaseDetail,
    pub(crate) parts: Vec<(Part, Option<Class>)>,
}

/// Where to dump a database to: a location within `store`.
///
/// # Errors
/// [`GlacierError::Usage`] for a name that is none.
pub fn place(store: &SharedStore, settings: &BackupSettings) -> GlacierResult<SharedStore> {
    key::check_name(&settings.name)?;
    Ok(Arc::new(Beneath::new(store.clone(), &settings.name, settings.class)))
}

/// Takes a dump that was published in [`place`] into the catalogue, and returns it as a part of a backup. Needs the lock.
///
/// # Errors
/// What the store says; as of the catalogue.
pub async fn note(
    store: &SharedStore,
    state: &State,
    settings: &BackupSettings,
    dumped: &Dumped,
    run: &Run,
) -> GlacierResult<DatabasePart> {
    run.step("glacier.database", &dumped.dump);
    let beneath = Beneath::new(store.clone(), &settings.name, settings.class);
    let below = |key: &Key| beneath.outer(key);
    let manifest_key = below(&dumped.manifest)?;
    let manifest = catalogue::read(&**store, &manifest_key).await?;
    let mut parts: BTreeMap<Key, (Part, Option<Class>)> = BTreeMap::new();
    for part in &manifest.parts {
        let key = below(&part.key)?;
        let class = settings.class.filter(|_| archived(&part.key));
        parts.entry(key.clone()).or_insert_with(|| (whole(key, part.stored_sha256, part.stored_bytes), class));
    }
    // Last, as it was published: a folder that has it is complete.
    let mut parts: Vec<(Part, Option<Class>)> = parts.into_values().collect();
    parts.push((read_whole(store, manifest_key).await?, None));
    let now = run.clock.now();
    for (part, class) in &parts {
        let Part { key, role, stored_bytes, stored_sha256, .. } = part.clone();
        let archive =
            Archive { key, role, bytes: stored_bytes, sha256: stored_sha256, class: *class, stored: Some(now) };
        state.catalogue().add(Some(&archive), &[])?;
    }
    let detail = DatabaseDetail { database: dumped.database.clone(), dump: dumped.dump.clone() };
    Ok(DatabasePart { detail, parts })
}

async fn read_whole(store: &SharedStore, key: Key) -> GlacierResult<Part> {
    let mut hasher = Sha256Hasher::default();
    let mut bytes = 0;
    let mut body = store.get(&key, None).await?;
    while let Some(chunk) = body.try_next().await? {
        hasher.update(&chunk);
        bytes += chunk.len() as u64;
    }
    Ok(whole(key, hasher.finish(), bytes))
}

fn whole(key: Key, sha256: backup_core::digest::Sha256Digest, bytes: u64) -> Part {
    Part {
        key,
        role: ROLE_DATABASE.to_owned(),
        content_sha256: None,
        content_bytes: bytes,
        stored_sha256: sha256,
        stored_bytes: bytes,
        codec: Codec::None,
        offset: None,
        length: None,
    }
}

/// The dump that a backup has.
///
/// # Errors
/// [`GlacierError::Usage`] if it has none.
pub fn of(backup: &Backup) -> GlacierResult<&DatabaseDetail> {
    backup.manifest.detail.database.as_ref().ok_or_else(|| {
        let what = format!("`{}` has no database", backup.key);
        GlacierError::usage(what, "nothing was changed. Restore its files only, or choose another backup")
    })
}
