//! Builds a catalogue from the manifests of a location, for a machine that has none or lost its own.

use std::collections::BTreeMap;

use backup_core::catalogue;
use backup_core::key::Key;
use backup_core::run::Run;
use backup_core::store::SharedStore;
use serde::Serialize;

use crate::catalogue::{Archive, KnownFile, Place};
use crate::detail::ROLE_FILES;
use crate::error::{GlacierError, GlacierResult};
use crate::find::{self, Backup};
use crate::key::{self, BackupKey};
use crate::state::State;
use crate::stored;
use crate::vaulted::{VaultArchive, Vaulted};

/// What the manifests say.
#[derive(Clone, Debug, Default)]
pub struct Rebuilt {
    /// The archives.
    pub archives: Vec<Archive>,
    /// What a vault calls archives.
    pub vaulted: BTreeMap<Key, VaultArchive>,
    /// The files, as the newest backup that has them says.
    pub files: Vec<KnownFile>,
    /// Backups that were read.
    pub backups: u64,
    /// Backups that cannot be read, and why.
    pub damaged: Vec<String>,
}

/// What was put into the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RebuildReport {
    /// Backups that were read.
    pub backups: u64,
    /// Archives that are known now.
    pub archives: u64,
    /// Files that are known now.
    pub files: u64,
    /// Backups that cannot be read, and why.
    pub damaged: Vec<String>,
}

/// Reads every manifest called `name` and its list of files. A backup that is damaged hides no other.
///
/// # Errors
/// What the store says.
pub async fn read(store: &SharedStore, name: &str, run: &Run) -> GlacierResult<Rebuilt> {
    let mut rebuilt = Rebuilt::default();
    let mut archives: BTreeMap<Key, Archive> = BTreeMap::new();
    let mut files: BTreeMap<String, KnownFile> = BTreeMap::new();
    let mut entries = catalogue::list(&**store, &key::backups(name)).await?;
    entries.sort_by_key(|entry| entry.manifest.as_ref().ok().map(|manifest| manifest.sequence));
    for entry in entries {
        run.stop_if_cancelled()?;
        let Some(key) = BackupKey::of_manifest(&entry.key) else { continue };
        let manifest = match entry.manifest {
            Ok(manifest) => manifest,
            Err(error) => {
                rebuilt.damaged.push(format!("{key}: {error}"));
                continue;
            }
        };
        match find::read(store, key.clone(), manifest).await {
            Err(error) => rebuilt.damaged.push(format!("{key}: {error}")),
            Ok(backup) => {
                rebuilt.backups += 1;
                take(&backup, &mut archives, &mut files);
                rebuilt.vaulted.extend(backup.vaulted());
            }
        }
    }
    rebuilt.archives = archives.into_values().collect();
    rebuilt.files = files.into_values().collect();
    Ok(rebuilt)
}

/// Later backups replace what earlier ones say of a file; an archive was stored with the first.
fn take(backup: &Backup, archives: &mut BTreeMap<Key, Archive>, files: &mut BTreeMap<String, KnownFile>) {
    let parts = &backup.manifest.parts;
    for (part, class) in parts.iter().zip(&backup.manifest.detail.classes).filter(|(part, _)| part.role != ROLE_FILES) {
        archives.entry(part.key.clone()).or_insert_with(|| Archive {
            key: part.key.clone(),
            role: part.role.clone(),
            bytes: part.stored_bytes,
            sha256: part.stored_sha256,
            class: *class,
            stored: Some(backup.manifest.created_at),
        });
    }
    for file in &backup.files {
        let part = file.part.and_then(|part| parts.get(part));
        let place = part.map(|part| Place { archive: part.key.clone(), offset: file.offset });
        files.insert(file.entry.name.clone(), KnownFile { entry: file.entry.clone(), stamp: None, place });
    }
}

/// Puts what the manifests say into the catalogue of this machine; what that knows already stays. Retrievals are known to
/// the service, which is asked each time.
///
/// # Errors
/// What the store says; as of the catalogue.
pub async fn rebuild(store: &SharedStore, state: &State, name: &str, run: &Run) -> GlacierResult<RebuildReport> {
    key::check_name(name)?;
    run.step("glacier.rebuild", name);
    let catalogue = state.catalogue();
    let mut unread = None;
    match stored::load(store, name).await {
        Ok(Some(stored)) => stored.put_into(catalogue)?,
        Ok(None) => {}
        // The manifests say what is needed.
        Err(GlacierError::Damaged { what, why }) => unread = Some(format!("{what}: {why}")),
        Err(error) => return Err(error),
    }
    let mut rebuilt = read(store, name, run).await?;
    rebuilt.damaged.extend(unread);
    let known: BTreeMap<String, KnownFile> =
        catalogue.files()?.into_iter().map(|file| (file.entry.name.clone(), file)).collect();
    // What is published is stored, whatever else was known of it.
    for archive in &rebuilt.archives {
        catalogue.add(Some(archive), &[])?;
    }
    let vaulted = catalogue.vaulted()?;
    for (key, archive) in &rebuilt.vaulted {
        if vaulted.get(key).is_none_or(|known| known.archive.is_none()) {
            catalogue.keep_vaulted(key, &Vaulted { upload: None, archive: Some(archive.clone()) })?;
        }
    }
    let fresh: Vec<KnownFile> =
        rebuilt.files.iter().filter(|file| !known.contains_key(&file.entry.name)).cloned().collect();
    catalogue.add(None, &fresh)?;
    Ok(RebuildReport {
        backups: rebuilt.backups,
        archives: rebuilt.archives.len() as u64,
        files: rebuilt.files.len() as u64,
        damaged: rebuilt.damaged,
    })
}
